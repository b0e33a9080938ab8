//! `Mailbox` and `Local-part` (RFC 5321 §4.1.2, widened by RFC 6531 §3.3).

use super::domain::domain;
use crate::address::{LocalPart, Mailbox};

/// Octets of a local part as it is written (RFC 5321 §4.5.3.1.1).
const LOCAL_PART_MAX: usize = 64;

/// Octets of `local-part@domain`: a path is 256 with its angle brackets (RFC 5321 §4.5.3.1.3).
const MAILBOX_MAX: usize = 254;

/// Why an address was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not in the grammar of RFC 5321 §4.1.2.
    #[error("{0}")]
    Syntax(&'static str),
    /// Longer than RFC 5321 §4.5.3.1 lets anyone rely on.
    #[error("{0} is too long")]
    TooLong(&'static str),
}

/// Parses a whole mailbox.
///
/// ```text
/// Mailbox        = Local-part "@" ( Domain / address-literal )      RFC 5321 §4.1.2
/// Local-part     = Dot-string / Quoted-string
/// Dot-string     = Atom *("."  Atom)
/// Quoted-string  = DQUOTE 1*QcontentSMTP DQUOTE                      erratum 5414: not empty
/// QcontentSMTP   = qtextSMTP / quoted-pairSMTP
/// quoted-pairSMTP = %d92 %d32-126
/// qtextSMTP      = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii     RFC 6531 §3.3
/// ```
pub fn mailbox(text: &str) -> Result<Mailbox, AddressError> {
    if text.len() > MAILBOX_MAX {
        return Err(AddressError::TooLong("the address"));
    }
    let (local, used) = match text.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted).map(|(local, used)| (local, used + 1))?,
        None => {
            let end = text.find('@').ok_or(AddressError::Syntax("the address has no domain"))?;
            if !is_dot_string(&text[..end]) {
                return Err(AddressError::Syntax("the local part needs quotes or is empty"));
            }
            (text[..end].to_owned(), end)
        }
    };
    if used > LOCAL_PART_MAX {
        return Err(AddressError::TooLong("the local part"));
    }
    let rest = text[used..].strip_prefix('@').ok_or(AddressError::Syntax("the address has no domain"))?;
    Ok(Mailbox { local_part: LocalPart(local), domain: domain(rest)? })
}

/// Reads from behind the opening quote; gives the value and the octets used, the closing quote among them.
fn quoted_string(text: &str) -> Result<(String, usize), AddressError> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if value.is_empty() => return Err(AddressError::Syntax("the local part is empty")),
            '"' => return Ok((value, at + 1)),
            '\\' => match chars.next() {
                Some((_, escaped @ ' '..='~')) => value.push(escaped),
                _ => return Err(AddressError::Syntax("a backslash quotes nothing")),
            },
            ' '..='~' => value.push(c),
            c if is_utf8_non_ascii(c) => value.push(c),
            _ => return Err(AddressError::Syntax("a control character in the local part")),
        }
    }
    Err(AddressError::Syntax("the quotes of the local part are not closed"))
}

/// True when `local` can be written without quotes: `Dot-string` (RFC 5321 §4.1.2).
pub fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// `atext` of RFC 5322 §3.2.3, widened by RFC 6531 §3.3.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8_non_ascii(c)
}

/// `UTF8-non-ascii` (RFC 6531 §3.3) without the C1 control characters, which no address needs and terminals obey.
pub(super) fn is_utf8_non_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_control()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<(&str, &str), AddressError>) {
        let got = mailbox(text);
        let got =
            got.as_ref().map(|m| (m.local_part.as_str().to_owned(), m.domain.to_string())).map_err(|e| *e);
        assert_eq!(got, expected.map(|(l, d)| (l.to_owned(), d.to_owned())), "{text}");
    }

    /// RFC 5321 §4.1.2 and Appendix D; RFC 3696 §3 with errata 246 and 3563 for the quoted ones.
    #[test]
    fn mailboxes() {
        for (text, local, domain) in [
            ("Smith@bar.example", "Smith", "bar.example"),
            ("a@b", "a", "b"),
            ("user+tag@example.test", "user+tag", "example.test"),
            ("!#$%&'*+-/=?^_`{|}~@example.test", "!#$%&'*+-/=?^_`{|}~", "example.test"),
            ("\"Abc@def\"@example.com", "Abc@def", "example.com"),
            ("\"Fred Bloggs\"@example.com", "Fred Bloggs", "example.com"),
            ("\"Joe.\\\\Blow\"@example.com", "Joe.\\Blow", "example.com"),
            ("\"\\a\\\"b\"@example.com", "a\"b", "example.com"),
            ("\"a..b\"@example.com", "a..b", "example.com"),
            ("\" \"@example.com", " ", "example.com"),
            ("customer/department=shipping@example.com", "customer/department=shipping", "example.com"),
            ("alice@[192.0.2.1]", "alice", "[192.0.2.1]"),
            ("alice@[IPv6:2001:db8::1]", "alice", "[IPv6:2001:db8::1]"),
            ("дело@пример.испытание", "дело", "пример.испытание"),
            ("\"д д\"@example.test", "д д", "example.test"),
        ] {
            check(text, Ok((local, domain)));
        }
    }

    #[test]
    fn not_mailboxes() {
        use AddressError::Syntax;
        for (text, why) in [
            ("", "the address has no domain"),
            ("alice", "the address has no domain"),
            ("\"alice\"", "the address has no domain"),
            ("\"alice\"x@example.test", "the address has no domain"),
            ("@example.test", "the local part needs quotes or is empty"),
            (".a@example.test", "the local part needs quotes or is empty"),
            ("a.@example.test", "the local part needs quotes or is empty"),
            ("a..b@example.test", "the local part needs quotes or is empty"),
            ("a b@example.test", "the local part needs quotes or is empty"),
            ("a(b)@example.test", "the local part needs quotes or is empty"),
            ("\\a@example.test", "the local part needs quotes or is empty"),
            ("\"\"@example.test", "the local part is empty"),
            ("\"a@example.test", "the quotes of the local part are not closed"),
            ("\"a\\", "a backslash quotes nothing"),
            ("\"a\\д\"@example.test", "a backslash quotes nothing"),
            ("\"a\tb\"@example.test", "a control character in the local part"),
            ("\"a\0b\"@example.test", "a control character in the local part"),
            ("a\u{85}@example.test", "the local part needs quotes or is empty"),
            ("a@", "the domain is empty"),
            ("a@b@c", "a character that no domain has"),
        ] {
            check(text, Err(Syntax(why)));
        }
    }

    /// RFC 5321 §4.5.3.1.1 to §4.5.3.1.3.
    #[test]
    fn lengths() {
        let (local, label) = ("l".repeat(64), "d".repeat(63));
        let domain = format!("{label}.{label}.{}", "d".repeat(61));
        check(&format!("{local}@{domain}"), Ok((&local, &domain)));
        check(&format!("{local}l@x"), Err(AddressError::TooLong("the local part")));
        check(&format!("\"{}\"@x", "l".repeat(62)), Ok((&"l".repeat(62), "x")));
        check(&format!("\"{}\"@x", "l".repeat(63)), Err(AddressError::TooLong("the local part")));
        check(&format!("{local}@{domain}d"), Err(AddressError::TooLong("the address")));
    }

    proptest! {
        /// Whatever parses is written in its shortest form, which parses to the same.
        #[test]
        fn there_and_back(local in "[ -~é]{1,30}", domain in "[a-z0-9]{1,9}(\\.[a-z]{1,9}){0,2}") {
            let quoted = local.replace('\\', "\\\\").replace('"', "\\\"");
            let parsed = mailbox(&format!("\"{quoted}\"@{domain}")).unwrap();
            prop_assert_eq!(parsed.local_part.as_str(), &local);
            prop_assert_eq!(mailbox(&parsed.to_string()).unwrap(), parsed);
        }

        #[test]
        fn any_text(text in "\\PC{0,80}") {
            if let Ok(parsed) = mailbox(&text) {
                prop_assert!(parsed.to_string().len() <= text.len());
                prop_assert_eq!(mailbox(&parsed.to_string()).unwrap(), parsed);
            }
        }

        #[test]
        fn near_misses(text in "[\"\\\\@.a\\[\\]: é\t]{0,16}") {
            if let Ok(parsed) = mailbox(&text) {
                prop_assert_eq!(mailbox(&parsed.to_string()).unwrap(), parsed);
            }
        }
    }
}
