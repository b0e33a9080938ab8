//! Mailbox names: UTF-8 inside, modified UTF-7 on the wire (RFC 3501 §5.1).

pub mod pattern;
pub mod utf7;

use std::fmt;
use thiserror::Error;

/// The hierarchy separator of every name (RFC 3501 §5.1.1).
pub const SEPARATOR: char = '/';
/// Octets of a name in UTF-8: what file systems and other servers take, so that a mailbox can always be carried away.
pub const MAX_NAME: usize = 1000;
/// Octets of one level.
pub const MAX_LEVEL: usize = 255;
/// Levels of a name.
pub const MAX_LEVELS: usize = 32;

/// Why a name is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MailboxNameError {
    /// Nothing at all, or an empty level as in `a//b`.
    #[error("a mailbox name and each of its levels need at least one character")]
    Empty,
    /// Over [`MAX_NAME`], [`MAX_LEVEL`] or [`MAX_LEVELS`].
    #[error("a mailbox name has at most {MAX_NAME} octets, {MAX_LEVEL} per level and {MAX_LEVELS} levels")]
    TooLong,
    /// A control character or one that LIST takes for a wildcard.
    #[error("a mailbox name holds no control characters and neither % nor *")]
    Character,
    /// Not in the encoding of the session.
    #[error(
        "a mailbox name is written in modified UTF-7 (RFC 3501 section 5.1.3), or in UTF-8 once that is enabled"
    )]
    Encoding,
}

/// A mailbox name in UTF-8, levels separated by [`SEPARATOR`]; INBOX in any case is `INBOX` (RFC 3501 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(String);

impl MailboxName {
    /// The name that every account has (RFC 3501 §5.1).
    pub fn inbox() -> MailboxName {
        MailboxName("INBOX".to_owned())
    }

    /// Checks a UTF-8 name, such as one read from the store.
    pub fn new(name: &str) -> Result<MailboxName, MailboxNameError> {
        if name.len() > MAX_NAME {
            return Err(MailboxNameError::TooLong);
        }
        let mut levels = 0;
        for level in name.split(SEPARATOR) {
            levels += 1;
            if level.is_empty() {
                return Err(MailboxNameError::Empty);
            }
            if level.len() > MAX_LEVEL || levels > MAX_LEVELS {
                return Err(MailboxNameError::TooLong);
            }
            if level.chars().any(|c| c.is_control() || matches!(c, '%' | '*')) {
                return Err(MailboxNameError::Character);
            }
        }
        Ok(MailboxName(normalise_inbox(name)))
    }

    /// Reads the wire form. One separator at the end is dropped: CREATE may carry it (RFC 3501 §6.3.3).
    pub fn from_wire(wire: &[u8]) -> Result<MailboxName, MailboxNameError> {
        let name = utf7::decode(wire).ok_or(MailboxNameError::Encoding)?;
        MailboxName::new(name.strip_suffix(SEPARATOR).unwrap_or(&name))
    }

    /// Reads the wire form of a session that has UTF-8 names (RFC 6855 §3, RFC 9051 §5.1).
    pub fn from_utf8(wire: &[u8]) -> Result<MailboxName, MailboxNameError> {
        let name = std::str::from_utf8(wire).map_err(|_| MailboxNameError::Encoding)?;
        MailboxName::new(name.strip_suffix(SEPARATOR).unwrap_or(name))
    }

    /// The wire form, to be sent as an astring.
    pub fn to_wire(&self) -> String {
        utf7::encode(&self.0)
    }

    /// The names above this one, from the top.
    pub fn parents(&self) -> impl Iterator<Item = MailboxName> + '_ {
        self.0.match_indices(SEPARATOR).map(|(at, _)| MailboxName(self.0[..at].to_owned()))
    }

    /// What this name becomes when `from` is renamed; `None` where that does not concern it. INBOX leaves its inferiors as
    /// they are (RFC 3501 §6.3.5).
    pub fn renamed(&self, from: &MailboxName, to: &MailboxName) -> Option<MailboxName> {
        if from.is_inbox() {
            return None;
        }
        let rest = self.0.strip_prefix(&from.0)?;
        (rest.is_empty() || rest.starts_with(SEPARATOR)).then(|| MailboxName(format!("{to}{rest}")))
    }

    /// The name in UTF-8.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is INBOX itself.
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first level is INBOX in any case (RFC 3501 §5.1).
fn normalise_inbox(name: &str) -> String {
    match name.get(..5) {
        Some(first)
            if first.eq_ignore_ascii_case("INBOX") && matches!(name.as_bytes().get(5), None | Some(b'/')) =>
        {
            format!("INBOX{}", &name[5..])
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wire: &str, expected: Result<&str, MailboxNameError>) {
        let name = MailboxName::from_wire(wire.as_bytes());
        assert_eq!(name.as_ref().map(MailboxName::as_str).map_err(|e| *e), expected, "{wire:?}");
    }

    #[test]
    fn names() {
        check("Sent", Ok("Sent"));
        check("inbox", Ok("INBOX"));
        check("iNbOx/Lists", Ok("INBOX/Lists"));
        check("Inboxes", Ok("Inboxes"));
        check("a/b/c", Ok("a/b/c"));
        check("new/", Ok("new"));
        check("Entw&APw-rfe", Ok("Entwürfe"));
        check("with \"quotes\"", Ok("with \"quotes\""));
        check("", Err(MailboxNameError::Empty));
        check("/", Err(MailboxNameError::Empty));
        check("/a", Err(MailboxNameError::Empty));
        check("a//b", Err(MailboxNameError::Empty));
        check("a*", Err(MailboxNameError::Character));
        check("50%", Err(MailboxNameError::Character));
        check("Entwürfe", Err(MailboxNameError::Encoding));
        check("&AAo-", Err(MailboxNameError::Character));
        check(&"x".repeat(MAX_LEVEL + 1), Err(MailboxNameError::TooLong));
        check(&"x/".repeat(MAX_LEVELS + 1), Err(MailboxNameError::TooLong));
        check(&"xxxxxxxx/".repeat(MAX_NAME / 8), Err(MailboxNameError::TooLong));
    }

    #[test]
    fn the_wire_form_comes_back() {
        for name in ["INBOX", "Entwürfe/2026", "&", "台北", "a \"b\" \\c"] {
            let name = MailboxName::new(name).unwrap();
            assert_eq!(MailboxName::from_wire(name.to_wire().as_bytes()), Ok(name));
        }
    }

    #[test]
    fn renamed() {
        let name = |name| MailboxName::new(name).unwrap();
        for (own, from, to, expected) in [
            ("a", "a", "b", Some("b")),
            ("a/b/c", "a/b", "x", Some("x/c")),
            ("ab", "a", "x", None),
            ("a", "a/b", "x", None),
            ("INBOX", "INBOX", "x", None),
            ("INBOX/a", "INBOX", "x", None),
        ] {
            assert_eq!(name(own).renamed(&name(from), &name(to)), expected.map(name), "{own} {from} {to}");
        }
    }

    #[test]
    fn parents_from_the_top() {
        let name = MailboxName::new("a/b/c").unwrap();
        assert_eq!(name.parents().map(|p| p.to_string()).collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(MailboxName::inbox().parents().count(), 0);
    }
}
