//! Mailbox names as they travel in an envelope: local part, domain or address literal, and the two paths.
//! The parser is in `grammar::mailbox`; canonical forms for comparing (A-labels, case) are mail/flow's affair.
//!
//! RFC 5321 §4.1.2 and §4.1.3; RFC 6531 §3.3 for UTF-8.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::grammar::{self, AddressError};

/// The part left of the last `@`, without quoting: `"a b"@x` and `a\ b@x` both hold `a b`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalPart(pub(crate) String);

impl LocalPart {
    /// The semantic value: quotes and backslashes are gone (RFC 5321 §4.1.2: the quoted and the unquoted form of a
    /// local part are equivalent).
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes the shortest form that RFC 5321 §4.1.2 allows: a Dot-string where possible, else a Quoted-string.
impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if grammar::is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

/// An address literal (RFC 5321 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressLiteral {
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Ip(IpAddr),
    /// `[tag:content]` of a tag that is not `IPv6`.
    General {
        /// The standardised tag.
        tag: String,
        /// What follows the colon.
        content: String,
    },
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressLiteral::Ip(IpAddr::V4(ip)) => write!(f, "[{ip}]"),
            AddressLiteral::Ip(IpAddr::V6(ip)) => write!(f, "[IPv6:{ip}]"),
            AddressLiteral::General { tag, content } => write!(f, "[{tag}:{content}]"),
        }
    }
}

impl From<Ipv4Addr> for AddressLiteral {
    fn from(ip: Ipv4Addr) -> AddressLiteral {
        AddressLiteral::Ip(IpAddr::V4(ip))
    }
}

impl From<Ipv6Addr> for AddressLiteral {
    fn from(ip: Ipv6Addr) -> AddressLiteral {
        AddressLiteral::Ip(IpAddr::V6(ip))
    }
}

/// What stands right of the `@`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Domain {
    /// A domain name as it was sent: case kept, A-labels or U-labels, no trailing dot (RFC 5321 §2.3.5).
    Name(String),
    /// An address literal in brackets.
    Literal(AddressLiteral),
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Domain::Name(name) => f.write_str(name),
            Domain::Literal(literal) => literal.fmt(f),
        }
    }
}

/// `local-part@domain` (RFC 5321 §4.1.2 `Mailbox`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox {
    pub(crate) local_part: LocalPart,
    pub(crate) domain: Domain,
}

impl Mailbox {
    /// Parses `text` whole; UTF-8 (RFC 6531) is accepted.
    pub fn parse(text: &str) -> Result<Mailbox, AddressError> {
        grammar::mailbox(text)
    }

    /// The local part, unquoted.
    pub fn local_part(&self) -> &LocalPart {
        &self.local_part
    }

    /// The domain as it was sent.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// True when nothing in it needs SMTPUTF8 (RFC 6531 §3.3).
    pub fn is_ascii(&self) -> bool {
        let domain = match &self.domain {
            Domain::Name(name) => name.is_ascii(),
            Domain::Literal(_) => true,
        };
        domain && self.local_part.0.is_ascii()
    }
}

impl FromStr for Mailbox {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Mailbox, AddressError> {
        Mailbox::parse(text)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

/// The envelope sender (RFC 5321 §4.1.1.2); `Null` is `<>`, the sender of notifications (§4.5.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum ReversePath {
    /// `<>`.
    #[default]
    Null,
    /// `<mailbox>`, a source route already dropped.
    Mailbox(Mailbox),
}

/// Writes the path in its angle brackets.
impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReversePath::Null => f.write_str("<>"),
            ReversePath::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// One envelope recipient (RFC 5321 §4.1.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, in any case, which every server accepts (RFC 5321 §4.5.1).
    Postmaster,
    /// `<mailbox>`, a source route already dropped.
    Mailbox(Mailbox),
}

/// Writes the path in its angle brackets.
impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardPath::Postmaster => f.write_str("<postmaster>"),
            ForwardPath::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5321 §4.1.2: quoted only where a Dot-string cannot say it.
    #[test]
    fn shortest_form() {
        for (text, expected) in [
            ("\"alice\"@example.test", "alice@example.test"),
            ("\"a.b\"@example.test", "a.b@example.test"),
            ("\"\\a\"@example.test", "a@example.test"),
            ("\"a..b\"@example.test", "\"a..b\"@example.test"),
            ("\".a\"@example.test", "\".a\"@example.test"),
            ("\"a\\ b\"@example.test", "\"a b\"@example.test"),
            ("\"a\\\"\\\\\"@example.test", "\"a\\\"\\\\\"@example.test"),
            ("a@[IPv6:2001:DB8:0:0::1]", "a@[IPv6:2001:db8::1]"),
            ("a@[x-tag:y]", "a@[x-tag:y]"),
        ] {
            assert_eq!(text.parse::<Mailbox>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn ascii() {
        for (text, expected) in [
            ("a@b", true),
            ("a@[192.0.2.1]", true),
            ("é@b", false),
            ("a@é.test", false),
            ("é@[192.0.2.1]", false),
        ] {
            assert_eq!(Mailbox::parse(text).unwrap().is_ascii(), expected, "{text}");
        }
    }

    #[test]
    fn paths_and_literals() {
        assert_eq!(ReversePath::default().to_string(), "<>");
        assert_eq!(ForwardPath::Postmaster.to_string(), "<postmaster>");
        let mailbox = Mailbox::parse("a@b").unwrap();
        assert_eq!(ReversePath::Mailbox(mailbox.clone()).to_string(), "<a@b>");
        assert_eq!(ForwardPath::Mailbox(mailbox).to_string(), "<a@b>");
        assert_eq!(AddressLiteral::from(Ipv4Addr::LOCALHOST).to_string(), "[127.0.0.1]");
        assert_eq!(AddressLiteral::from(Ipv6Addr::LOCALHOST).to_string(), "[IPv6:::1]");
    }
}
