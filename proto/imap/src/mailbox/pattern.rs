//! The wildcards of LIST and LSUB (RFC 3501 §6.3.8): `*` is anything, `%` anything within one level.

use super::{MailboxName, SEPARATOR};

/// A reference and a mailbox pattern, put together and decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Vec<char>,
    /// Characters that stand for themselves: a name needs at least as many, which bounds the work on a long pattern.
    literals: usize,
}

impl Pattern {
    /// Reference and name stand behind one another: this server interprets no prefix (RFC 3501 §6.3.8). Runs of wildcards
    /// become one, so that matching costs no more than name × pattern.
    pub fn new(reference: &str, name: &str) -> Pattern {
        let mut text: Vec<char> = Vec::new();
        for c in reference.chars().chain(name.chars()) {
            match (text.last(), c) {
                (Some('*'), '*' | '%') | (Some('%'), '%') => {}
                (Some('%'), '*') => {
                    text.pop();
                    text.push('*');
                }
                _ => text.push(c),
            }
        }
        let first: String = text.iter().take(5).collect();
        if first.eq_ignore_ascii_case("INBOX") && text.get(5).is_none_or(|c| matches!(c, '/' | '*' | '%')) {
            text.splice(..5, "INBOX".chars());
        }
        let literals = text.iter().filter(|c| !matches!(c, '*' | '%')).count();
        Pattern { text, literals }
    }

    /// Whether levels that exist only as parents are listed too: RFC 3501 §6.3.8 asks for it behind a trailing `%`.
    pub fn lists_parents(&self) -> bool {
        self.text.last() == Some(&'%')
    }

    /// Whether the name matches as a whole. INBOX also matches in any case (RFC 3501 §6.3.8).
    pub fn matches(&self, name: &MailboxName) -> bool {
        let name: Vec<char> = name.as_str().chars().collect();
        if name.len() < self.literals {
            return false;
        }
        let inbox = name.get(..5).is_some_and(|level| level.iter().collect::<String>() == "INBOX");
        let inbox = inbox && name.get(5).is_none_or(|c| *c == SEPARATOR);
        let same =
            |at: usize, p: char| name[at] == p || (inbox && at < 5 && name[at].eq_ignore_ascii_case(&p));
        self.walk(name.len(), &name, same)
    }

    /// What [`Pattern::matches`] costs at most: each character of the pattern is held against each of the name.
    pub fn cost(&self, name: &MailboxName) -> usize {
        (self.text.len() + 1) * (name.as_str().len() + 1)
    }

    /// One row of the match table after the other: which prefixes of the name the pattern so far can be.
    fn walk(&self, len: usize, name: &[char], same: impl Fn(usize, char) -> bool) -> bool {
        let (mut reach, mut next) = (vec![false; len + 1], vec![false; len + 1]);
        reach[0] = true;
        for p in &self.text {
            match p {
                '*' | '%' => {
                    let mut open = false;
                    for at in 0..=len {
                        if at > 0 && *p == '%' && name[at - 1] == SEPARATOR {
                            open = false;
                        }
                        open |= reach[at];
                        next[at] = open;
                    }
                }
                _ => {
                    next[0] = false;
                    for at in 0..len {
                        next[at + 1] = reach[at] && same(at, *p);
                    }
                }
            }
            std::mem::swap(&mut reach, &mut next);
        }
        reach[len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reference: &str, pattern: &str, name: &str, expected: bool) {
        let name = MailboxName::new(name).unwrap();
        assert_eq!(
            Pattern::new(reference, pattern).matches(&name),
            expected,
            "{reference:?} {pattern:?} {name}"
        );
    }

    #[test]
    fn wildcards() {
        check("", "*", "a/b/c", true);
        check("", "%", "a", true);
        check("", "%", "a/b", false);
        check("", "%/%", "a/b", true);
        check("", "%/%", "a/b/c", false);
        check("", "a/%", "a/b", true);
        check("", "a/%", "a", false);
        check("", "a%", "a", true);
        check("", "a*", "a/b", true);
        check("", "*c", "a/b/c", true);
        check("", "*/b*", "a/b/c", true);
        check("", "%b", "a/b", false);
        check("", "a", "a", true);
        check("", "a", "b", false);
        check("", "", "a", false);
        check("a/", "%", "a/b", true);
        check("a", "/b", "a/b", true);
        check("", "**%*%", "a/b/c", true);
        check("", "%%", "a/b", false);
        check("", "Entwürf%", "Entwürfe", true);
    }

    #[test]
    fn inbox_has_no_case() {
        for pattern in ["inbox", "InBoX", "INBOX", "inb*", "i%", "%box"] {
            check("", pattern, "INBOX", true);
        }
        check("", "inbox/%", "INBOX/sub", true);
        check("", "inbox/SUB", "INBOX/sub", false);
        check("", "sent", "Sent", false);
        check("", "inboxes", "INBOXES", false);
    }

    #[test]
    fn parents_behind_a_trailing_percent() {
        assert!(Pattern::new("", "%").lists_parents());
        assert!(Pattern::new("a/", "b%").lists_parents());
        assert!(!Pattern::new("", "%*").lists_parents());
        assert!(!Pattern::new("", "a").lists_parents());
    }

    #[test]
    fn many_wildcards_cost_little() {
        let pattern = Pattern::new("", &"%*a".repeat(300));
        let name = MailboxName::new(&format!("{}b", "a".repeat(250))).unwrap();
        assert!(!pattern.matches(&name));
    }
}
