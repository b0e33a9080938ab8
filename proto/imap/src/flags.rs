//! Message flags as the bits of one `u64` (RFC 3501 §2.3.2), and the keyword newtype.
//!
//! Bits 0 to 4 are the system flags, bits 5 to 62 the mailbox's keywords in the order of its keyword table. Bit 63 is the
//! session's own `\Recent` and never reaches the store.

use thiserror::Error;

/// `\Answered` (RFC 3501 §2.3.2).
pub const ANSWERED: u64 = 1;
/// `\Flagged` (RFC 3501 §2.3.2).
pub const FLAGGED: u64 = 1 << 1;
/// `\Deleted` (RFC 3501 §2.3.2).
pub const DELETED: u64 = 1 << 2;
/// `\Seen` (RFC 3501 §2.3.2).
pub const SEEN: u64 = 1 << 3;
/// `\Draft` (RFC 3501 §2.3.2).
pub const DRAFT: u64 = 1 << 4;
/// The five system flags that a store keeps.
pub const SYSTEM: u64 = ANSWERED | FLAGGED | DELETED | SEEN | DRAFT;
/// `\Recent` (RFC 3501 §2.3.2): known to one session only, never stored.
pub const RECENT: u64 = 1 << 63;
/// The bit of a mailbox's first keyword.
pub const FIRST_KEYWORD_BIT: u32 = 5;
/// Keywords per mailbox: what is left of 63 stored bits after the system flags.
pub const MAX_KEYWORDS: usize = 58;
/// Octets of one keyword: longer than any keyword in use, short enough for 58 of them in one FLAGS line.
pub const MAX_KEYWORD_LENGTH: usize = 100;

/// The wire names of the system flags, with their bits.
pub const SYSTEM_NAMES: [(&str, u64); 5] = [
    ("\\Answered", ANSWERED),
    ("\\Flagged", FLAGGED),
    ("\\Deleted", DELETED),
    ("\\Seen", SEEN),
    ("\\Draft", DRAFT),
];

/// A keyword that is not one: RFC 3501 §9 `flag-keyword = atom`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeywordError {
    /// Nothing, or an octet that an atom cannot hold.
    #[error("a keyword is an atom: no spaces, quotes, parentheses, backslashes or 8-bit characters")]
    NotAnAtom,
    /// More than [`MAX_KEYWORD_LENGTH`] octets.
    #[error("a keyword has at most {MAX_KEYWORD_LENGTH} characters")]
    TooLong,
}

/// A user-defined flag such as `$Forwarded`; compared without regard to case (RFC 3501 §2.3.2).
#[derive(Debug, Clone)]
pub struct Keyword(String);

impl Keyword {
    /// Checks the atom grammar of RFC 3501 §9.
    pub fn new(name: &str) -> Result<Keyword, KeywordError> {
        if name.is_empty() || !name.bytes().all(is_atom_char) {
            return Err(KeywordError::NotAnAtom);
        }
        if name.len() > MAX_KEYWORD_LENGTH {
            return Err(KeywordError::TooLong);
        }
        Ok(Keyword(name.to_owned()))
    }

    /// The name as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

/// The bit of a keyword in a mailbox's table; 0 where the table lacks it.
pub fn keyword_mask(name: &str, keywords: &[String]) -> u64 {
    let known = keywords.iter().take(MAX_KEYWORDS);
    known.zip(FIRST_KEYWORD_BIT..).find(|(k, _)| k.eq_ignore_ascii_case(name)).map_or(0, |(_, bit)| 1 << bit)
}

/// The wire names of the flags that are set, system flags first, `\Recent` last (RFC 3501 §9 `flag-fetch`).
pub fn names(flags: u64, keywords: &[String]) -> impl Iterator<Item = &str> {
    let system = SYSTEM_NAMES.iter().filter(move |(_, bit)| flags & bit != 0).map(|(name, _)| *name);
    let known = keywords.iter().take(MAX_KEYWORDS).zip(FIRST_KEYWORD_BIT..);
    let keywords = known.filter(move |(_, bit)| flags & (1 << bit) != 0).map(|(name, _)| name.as_str());
    system.chain(keywords).chain((flags & RECENT != 0).then_some("\\Recent"))
}

/// `ATOM-CHAR` of RFC 3501 §9: any CHAR except `( ) {` SP CTL `% *` `"` `\` `]`.
pub(crate) fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_atoms() {
        for (name, good) in [
            ("$Forwarded", true),
            ("NonJunk", true),
            ("a.b-c_d", true),
            ("", false),
            ("two words", false),
            ("\\Seen", false),
            ("par(en", false),
            ("br]acket", false),
            ("ümlaut", false),
            ("ctl\u{7}", false),
        ] {
            assert_eq!(Keyword::new(name).is_ok(), good, "{name:?}");
        }
        assert_eq!(Keyword::new(&"k".repeat(MAX_KEYWORD_LENGTH + 1)), Err(KeywordError::TooLong));
    }

    #[test]
    fn keywords_compare_without_case() {
        assert_eq!(Keyword::new("$Junk").unwrap(), Keyword::new("$JUNK").unwrap());
        assert_ne!(Keyword::new("$Junk").unwrap(), Keyword::new("$NotJunk").unwrap());
    }

    #[test]
    fn names_and_masks() {
        let keywords: Vec<String> = (0..70).map(|n| format!("k{n}")).collect();
        let show = |flags| names(flags, &keywords).collect::<Vec<_>>().join(" ");
        assert_eq!(show(SEEN | ANSWERED | RECENT | 1 << 6), "\\Answered \\Seen k1 \\Recent");
        assert_eq!(show(0), "");
        assert_eq!(keyword_mask("K1", &keywords), 1 << 6);
        assert_eq!(keyword_mask("k57", &keywords), 1 << 62);
        assert_eq!(keyword_mask("k58", &keywords), 0);
        assert_eq!(keyword_mask("other", &keywords), 0);
    }

    #[test]
    fn bits_do_not_overlap() {
        assert_eq!(SYSTEM, (1 << FIRST_KEYWORD_BIT) - 1);
        assert_eq!(FIRST_KEYWORD_BIT as usize + MAX_KEYWORDS, 63);
        assert_eq!(SYSTEM & RECENT, 0);
    }
}
