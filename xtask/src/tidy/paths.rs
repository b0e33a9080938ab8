//! No file names a directory of the machine it was written on: such a path works for one person.

use crate::workspace::{Finding, Source};

/// Where people's checkouts and home directories are. Written in halves, so that this file does not find itself.
const ROOTS: &[(&str, &str)] =
    &[("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/"), ("C:\\U", "sers")];

/// Lines that name one of [`ROOTS`].
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(root) = named_root(line) {
                let place = format!("{}:{}", source.path, number + 1);
                findings.push(Finding::new(place, format!("names a path of one machine ({root}…)")));
            }
        }
    }
    findings
}

/// The root that the line names as an absolute path, not as a part of a longer one.
fn named_root(line: &str) -> Option<String> {
    ROOTS.iter().map(|(left, right)| format!("{left}{right}")).find(|root| {
        line.match_indices(root.as_str()).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|c| !(c.is_alphanumeric() || "/._-~}$>".contains(c)))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_are_found_and_parts_of_longer_ones_are_not() {
        let work = ["/wo", "rk/main"].concat();
        for (line, expected) in [
            (format!("see {work}/x"), true),
            (work.clone(), true),
            (format!("\"{work}\""), true),
            (format!("https://example.org{work}"), false),
            (format!("a{work}"), false),
            ("target/debug".to_owned(), false),
        ] {
            assert_eq!(named_root(&line).is_some(), expected, "{line}");
        }
    }

    #[test]
    fn the_place_is_file_and_line() {
        let text = ["first\nsecond /ro", "ot/.cargo\n"].concat();
        let found = check(&[Source { path: "docs/x.md".to_owned(), text }]);
        assert_eq!(found[0].place, "docs/x.md:2");
    }
}
