//! Patterns of OpenSSH (ssh_config(5) PATTERNS): `*`, `?`, lists with commas, and `!` in front of what is not meant.
//!
//! Like OpenSSH, a list matches when one of its patterns does and none of the negated ones.

/// What a list says of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// One of its patterns is meant.
    Yes,
    /// None of its patterns matches.
    No,
    /// A negated pattern matches.
    Negated,
}

/// Matches a comma-separated list.
pub(super) fn list(text: &str, patterns: &str) -> Match {
    let mut found = Match::No;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if one(text, negated) => return Match::Negated,
            None if one(text, pattern) => found = Match::Yes,
            _ => {}
        }
    }
    found
}

/// Matches one pattern. Goes back to the last `*` only, so the time is bounded by the product of the lengths.
pub(super) fn one(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((t, p));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match star {
                Some((from, at)) => {
                    star = Some((from + 1, at));
                    t = from + 1;
                    p = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pattern() {
        let table = [
            ("", "", true),
            ("", "*", true),
            ("", "?", false),
            ("alice@example.test", "alice@example.test", true),
            ("alice@example.test", "Alice@example.test", false),
            ("alice@example.test", "*@example.test", true),
            ("alice@example.test", "*@example.tes", false),
            ("alice@example.test", "a*e@*.test", true),
            ("alice@example.test", "?lice@example.test", true),
            ("alice@example.test", "?alice@example.test", false),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "*a*a*a*a*a*a*a*a*b", false),
        ];
        for (text, pattern, expected) in table {
            assert_eq!(one(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn lists() {
        let table = [
            ("git", "git", Match::Yes),
            ("git", "file,git", Match::Yes),
            ("git", "file", Match::No),
            ("git", "", Match::No),
            ("git", "*,!git", Match::Negated),
            ("git", "!git,*", Match::Negated),
            ("git", "!file,*", Match::Yes),
            ("git", "!file", Match::No),
        ];
        for (text, patterns, expected) in table {
            assert_eq!(list(text, patterns), expected, "{text} {patterns}");
        }
    }
}
