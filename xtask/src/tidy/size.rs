//! A file holds one thought: no Rust file over 1000 lines.

use super::rust;
use crate::workspace::{Finding, Source};

/// Half of what is read as one file in most mail servers; past it a file is several things.
const MAX_LINES: usize = 1000;

/// Files that are longer.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let long = rust(sources).filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > MAX_LINES)
            .then(|| Finding::new(&source.path, format!("{lines} lines; split it, {MAX_LINES} is the most")))
    });
    long.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_allowed() {
        let source = |lines: usize| Source { path: "a.rs".to_owned(), text: "x\n".repeat(lines) };
        assert_eq!(check(&[source(MAX_LINES)]), []);
        let expected = Finding::new("a.rs", "1001 lines; split it, 1000 is the most");
        assert_eq!(check(&[source(MAX_LINES + 1)]), [expected]);
    }
}
