//! Every Rust file opens with `//!`: what it owns, what it leaves out.

use super::rust;
use crate::workspace::{Finding, Source};

/// Files that open with anything else.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let bare = rust(sources).filter(|source| !opens_with_doc(&source.text));
    bare.map(|source| Finding::new(&source.path, "does not open with `//!`: say what it owns and leaves out"))
        .collect()
}

fn opens_with_doc(text: &str) -> bool {
    text.lines()
        .next()
        .and_then(|line| line.strip_prefix("//!"))
        .is_some_and(|words| !words.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_decides() {
        for (text, expected) in [
            ("//! The verb MAIL.\nfn f() {}\n", true),
            ("//!\n//! Later.\n", false),
            ("// A comment.\n", false),
            ("\n//! Too late.\n", false),
            ("fn f() {}\n", false),
            ("", false),
        ] {
            assert_eq!(opens_with_doc(text), expected, "{text:?}");
        }
    }

    #[test]
    fn only_rust_is_asked_for_a_header() {
        let source = |path: &str| Source { path: path.to_owned(), text: "x\n".to_owned() };
        let found = check(&[source("a/b.rs"), source("README.md")]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "a/b.rs");
    }
}
