//! `Domain` and `address-literal` (RFC 5321 §4.1.2 and §4.1.3, widened by RFC 6531 §3.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::mailbox::{AddressError, is_utf8_non_ascii};
use crate::address::{AddressLiteral, Domain};

/// Octets of a domain name (RFC 5321 §4.5.3.1.2).
const DOMAIN_MAX: usize = 255;

/// Octets of a label (RFC 1035 §2.3.4). A U-label may be longer than its A-label: see [`label`].
const LABEL_MAX: usize = 63;

/// A domain name or an address literal, whole.
pub fn domain(text: &str) -> Result<Domain, AddressError> {
    match text.strip_prefix('[') {
        Some(inner) => {
            let inner = inner.strip_suffix(']').ok_or(AddressError::Syntax("the bracket is not closed"))?;
            address_literal(inner).map(Domain::Literal)
        }
        None => domain_name(text).map(|name| Domain::Name(name.to_owned())),
    }
}

/// A domain name, whole.
///
/// ```text
/// Domain         = sub-domain *("." sub-domain)                     RFC 5321 §4.1.2
/// sub-domain     = Let-dig [Ldh-str] / U-label                      RFC 6531 §3.3
/// Let-dig        = ALPHA / DIGIT
/// Ldh-str        = *( ALPHA / DIGIT / "-" ) Let-dig
/// ```
/// No trailing dot: a second spelling of a domain would slip past lists of domains (RFC 5321 §2.3.5 asks for the plain
/// fully-qualified form).
pub fn domain_name(text: &str) -> Result<&str, AddressError> {
    if text.is_empty() {
        return Err(AddressError::Syntax("the domain is empty"));
    }
    if text.len() > DOMAIN_MAX {
        return Err(AddressError::TooLong("the domain"));
    }
    text.split('.').try_for_each(label)?;
    Ok(text)
}

fn label(label: &str) -> Result<(), AddressError> {
    if label.is_empty() {
        return Err(AddressError::Syntax("the domain has an empty label"));
    }
    let fits =
        |c: char| c.is_ascii_alphanumeric() || c == '-' || (is_utf8_non_ascii(c) && !c.is_whitespace());
    if !label.chars().all(fits) {
        return Err(AddressError::Syntax("a character that no domain has"));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(AddressError::Syntax("a label of the domain begins or ends with a hyphen"));
    }
    if label.is_ascii() && label.len() > LABEL_MAX {
        return Err(AddressError::TooLong("a label of the domain"));
    }
    Ok(())
}

/// What stands between the brackets of an address literal.
///
/// ```text
/// address-literal  = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"
/// IPv4-address-literal  = Snum 3("."  Snum)                         RFC 5321 §4.1.3
/// IPv6-address-literal  = "IPv6:" IPv6-addr
/// General-address-literal  = Standardized-tag ":" 1*dcontent
/// Standardized-tag  = Ldh-str
/// dcontent       = %d33-90 / %d94-126
/// ```
/// The grammar lets `::` stand for two groups at least; one group is accepted too, since senders write it (erratum 2467,
/// which asked for the same, was rejected). Snum with leading zeros is refused: it has been read as octal.
pub fn address_literal(text: &str) -> Result<AddressLiteral, AddressError> {
    let Some((tag, content)) = text.split_once(':') else {
        let ip: Ipv4Addr = text.parse().map_err(|_| AddressError::Syntax("not an address literal"))?;
        return Ok(AddressLiteral::Ip(IpAddr::V4(ip)));
    };
    if tag.eq_ignore_ascii_case("IPv6") {
        let ip: Ipv6Addr =
            content.parse().map_err(|_| AddressError::Syntax("not an IPv6 address literal"))?;
        return Ok(AddressLiteral::Ip(IpAddr::V6(ip)));
    }
    let tag_fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let dcontent = |c: char| matches!(c, '!'..='Z' | '^'..='~');
    let fits = !tag.is_empty() && tag.chars().all(tag_fits) && !tag.ends_with('-');
    if fits && !content.is_empty() && content.chars().all(dcontent) {
        return Ok(AddressLiteral::General { tag: tag.to_owned(), content: content.to_owned() });
    }
    Err(AddressError::Syntax("not an address literal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, AddressError>) {
        assert_eq!(domain(text).map(|d| d.to_string()), expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn names() {
        for text in [
            "example.test",
            "EXAMPLE.test",
            "localhost",
            "1.2.3.4.in-addr.arpa",
            "xn--bcher-kva.example",
            "3com.com",
        ] {
            check(text, Ok(text));
        }
        check("bücher.example", Ok("bücher.example"));
        check(&"d".repeat(63), Ok(&"d".repeat(63)));
    }

    #[test]
    fn not_names() {
        use AddressError::{Syntax, TooLong};
        for (text, error) in [
            ("", Syntax("the domain is empty")),
            (".", Syntax("the domain has an empty label")),
            ("example.test.", Syntax("the domain has an empty label")),
            (".example.test", Syntax("the domain has an empty label")),
            ("a..b", Syntax("the domain has an empty label")),
            ("-a.b", Syntax("a label of the domain begins or ends with a hyphen")),
            ("a-.b", Syntax("a label of the domain begins or ends with a hyphen")),
            ("a_b.test", Syntax("a character that no domain has")),
            ("a b.test", Syntax("a character that no domain has")),
            ("a\u{a0}b.test", Syntax("a character that no domain has")),
            ("a\u{3000}b.test", Syntax("a character that no domain has")),
            ("a:25", Syntax("a character that no domain has")),
            (&"d".repeat(64), TooLong("a label of the domain")),
            (&["abcdefg"; 37].join("."), TooLong("the domain")),
        ] {
            check(text, Err(error));
        }
    }

    /// RFC 5321 §4.1.3.
    #[test]
    fn literals() {
        for (text, expected) in [
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("[ipv6:2001:DB8:0:0:0:0:0:1]", "[IPv6:2001:db8::1]"),
            ("[IPv6:::ffff:192.0.2.1]", "[IPv6:::ffff:192.0.2.1]"),
            ("[IPv6:2001:db8::1:1:1:1:1]", "[IPv6:2001:db8:0:1:1:1:1:1]"),
            ("[x400:c=us]", "[x400:c=us]"),
        ] {
            check(text, Ok(expected));
        }
        let no = Err(AddressError::Syntax("not an address literal"));
        for text in [
            "[]",
            "[1.2.3]",
            "[1.2.3.256]",
            "[01.2.3.4]",
            "[1.2.3.4.5]",
            "[example.test]",
            "[a-:b]",
            "[x:]",
            "[:x]",
            "[x:a]b]",
        ] {
            check(text, no);
        }
        check("[IPv6:1::2::3]", Err(AddressError::Syntax("not an IPv6 address literal")));
        check("[IPv6:fe80::1%eth0]", Err(AddressError::Syntax("not an IPv6 address literal")));
        check("[1.2.3.4", Err(AddressError::Syntax("the bracket is not closed")));
        check("[1.2.3.4]x", Err(AddressError::Syntax("the bracket is not closed")));
    }
}
