//! The examples read without a word: no problem, no warning.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use mailwright_operator::source::{Options, Source};

#[test]
fn examples_have_no_problems() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(&examples).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let path = entry.path();
        let snapshot =
            Source::open(path.to_str().unwrap(), Options::default()).unwrap().load().unwrap().unwrap();
        let problems: Vec<_> = snapshot.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, Vec::<String>::new(), "{}", path.display());
        assert!(snapshot.objects.len() > 3, "{} declares {}", path.display(), snapshot.objects.len());
        seen += 1;
    }
    assert!(seen >= 2, "quickstart and company are there");
}
