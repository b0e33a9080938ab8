//! `Reverse-path` and `Forward-path` (RFC 5321 §4.1.2), with what follows them on the line.

use super::domain::domain_name;
use super::mailbox::{AddressError, mailbox};
use crate::address::{ForwardPath, Mailbox, ReversePath};

/// Octets of a path with its punctuation, a source route included (RFC 5321 §4.5.3.1.3).
const PATH_MAX: usize = 256;

/// The argument of `MAIL FROM:` and what stands behind the path.
///
/// ```text
/// mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF        RFC 5321 §4.1.1.2
/// Reverse-path   = Path / "<>"                                      RFC 5321 §4.1.2
/// ```
pub fn reverse_path(text: &str) -> Result<(ReversePath, &str), AddressError> {
    let (inner, rest) = brackets(text)?;
    if inner.is_empty() {
        return Ok((ReversePath::Null, rest));
    }
    Ok((ReversePath::Mailbox(path(inner)?), rest))
}

/// The argument of `RCPT TO:` and what stands behind the path.
///
/// ```text
/// rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
/// Forward-path   = Path                                             RFC 5321 §4.1.1.3 and §4.1.2
/// ```
pub fn forward_path(text: &str) -> Result<(ForwardPath, &str), AddressError> {
    let (inner, rest) = brackets(text)?;
    if inner.eq_ignore_ascii_case("postmaster") {
        return Ok((ForwardPath::Postmaster, rest));
    }
    Ok((ForwardPath::Mailbox(path(inner)?), rest))
}

/// Splits `<inner>rest`. A `>` inside quotes or brackets does not end the path.
fn brackets(text: &str) -> Result<(&str, &str), AddressError> {
    let inner = text.strip_prefix('<').ok_or(AddressError::Syntax("the address is not in angle brackets"))?;
    let (mut quoted, mut literal, mut escaped) = (false, false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !literal => quoted = !quoted,
            '[' if !quoted => literal = true,
            ']' if !quoted => literal = false,
            '>' if !quoted && !literal => {
                if at + 2 > PATH_MAX {
                    return Err(AddressError::TooLong("the path"));
                }
                return Ok((&inner[..at], &inner[at + 1..]));
            }
            _ => {}
        }
    }
    Err(AddressError::Syntax("the angle bracket is not closed"))
}

/// ```text
/// Path           = "<" [ A-d-l ":" ] Mailbox ">"                    RFC 5321 §4.1.2
/// A-d-l          = At-domain *( "," At-domain )
/// At-domain      = "@" Domain
/// ```
/// A source route is checked and ignored (RFC 5321 §3.6.1 and Appendix C).
fn path(inner: &str) -> Result<Mailbox, AddressError> {
    if !inner.starts_with('@') {
        return mailbox(inner);
    }
    let (route, rest) = inner.split_once(':').ok_or(AddressError::Syntax("a source route leads nowhere"))?;
    for at_domain in route.split(',') {
        let name = at_domain.strip_prefix('@').ok_or(AddressError::Syntax("not a source route"))?;
        domain_name(name)?;
    }
    mailbox(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reverse(text: &str) -> Result<(String, &str), AddressError> {
        reverse_path(text).map(|(path, rest)| (path.to_string(), rest))
    }

    fn forward(text: &str) -> Result<(String, &str), AddressError> {
        forward_path(text).map(|(path, rest)| (path.to_string(), rest))
    }

    #[test]
    fn paths() {
        for (text, path, rest) in [
            ("<Smith@bar.com>", "<Smith@bar.com>", ""),
            ("<a@b> SIZE=1", "<a@b>", " SIZE=1"),
            ("<\"a>b\"@c>x", "<\"a>b\"@c>", "x"),
            ("<\"a\\\">b\"@c>", "<\"a\\\">b\"@c>", ""),
            ("<a@[x:>]>", "<a@[x:>]>", ""),
            // RFC 5321 §4.1.1.3 and Appendix C: the route is dropped.
            ("<@hosta.int,@jkl.org:userc@d.bar.org>", "<userc@d.bar.org>", ""),
            ("<@one.test:\"a,b:c\"@d.test>", "<\"a,b:c\"@d.test>", ""),
        ] {
            assert_eq!(reverse(text), Ok((path.to_owned(), rest)));
            assert_eq!(forward(text), Ok((path.to_owned(), rest)));
        }
    }

    #[test]
    fn null_and_postmaster() {
        assert_eq!(reverse_path("<> BODY=7BIT"), Ok((ReversePath::Null, " BODY=7BIT")));
        assert_eq!(forward("<>"), Err(AddressError::Syntax("the address has no domain")));
        for text in ["<postmaster>", "<Postmaster>", "<POSTMASTER>"] {
            assert_eq!(forward_path(text), Ok((ForwardPath::Postmaster, "")));
        }
        assert_eq!(reverse("<postmaster>"), Err(AddressError::Syntax("the address has no domain")));
        assert_eq!(forward("<PostMaster@example.test>"), Ok(("<PostMaster@example.test>".to_owned(), "")));
    }

    #[test]
    fn not_paths() {
        for (text, why) in [
            ("", "the address is not in angle brackets"),
            ("a@b", "the address is not in angle brackets"),
            (" <a@b>", "the address is not in angle brackets"),
            ("<a@b", "the angle bracket is not closed"),
            ("<\"a@b>", "the angle bracket is not closed"),
            ("<a@b[>", "the angle bracket is not closed"),
            ("<a@b]>", "a character that no domain has"),
            ("<<a@b>>", "the local part needs quotes or is empty"),
            ("<@a.test>", "a source route leads nowhere"),
            ("<@:a@b>", "the domain is empty"),
            ("<@a,b:a@b>", "not a source route"),
            ("<@a,:a@b>", "not a source route"),
            ("< >", "the address has no domain"),
        ] {
            assert_eq!(reverse(text), Err(AddressError::Syntax(why)), "{text}");
        }
    }

    /// RFC 5321 §4.5.3.1.3: 256 octets with the punctuation; a source route counts.
    #[test]
    fn length() {
        let domain = ["d".repeat(63), "d".repeat(63), "d".repeat(63)].join(".");
        let fits = format!("<{}@{domain}>", "l".repeat(62));
        assert_eq!(fits.len(), 256);
        assert_eq!(reverse(&fits), Ok((fits.clone(), "")));
        let long = format!("<{}@{domain}>", "l".repeat(63));
        assert_eq!(reverse(&long), Err(AddressError::TooLong("the path")));
        let routed = format!("<@{domain}:{}@b>", "l".repeat(62));
        assert_eq!(reverse(&routed), Err(AddressError::TooLong("the path")));
    }
}
