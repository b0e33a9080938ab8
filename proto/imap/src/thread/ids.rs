//! Message identifiers in Message-ID, References and In-Reply-To (RFC 5322 §3.6.4; RFC 5256 §2 and its normalising).

use crate::message::{Envelope, header};

/// Identifiers of one References field that count, the last ones: a thread of a thousand ancestors is no conversation.
const MAX_REFERENCES: usize = 1000;
/// Octets of an identifier: a header line has at most 998 (RFC 5322 §2.1.1).
const MAX_ID: usize = 998;

/// The identifiers in a text: `<local@domain>` without the brackets, and without quotes that are not needed.
pub(super) fn ids(text: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.iter().position(|b| *b == b'<')? + 1;
            let end = start + rest[start..].iter().position(|b| matches!(b, b'>' | b'<'))?;
            let (inside, closed) = (&rest[start..end], rest[end] == b'>');
            rest = &rest[end..];
            if closed && inside.contains(&b'@') && inside.len() <= MAX_ID {
                return Some(normalised(inside));
            }
        }
    })
}

/// Without white space that folding left, and `"01KF8JCEOCBS0045PS"@x.test` without its quotes (RFC 5256 §2).
fn normalised(id: &[u8]) -> Vec<u8> {
    let id: Vec<u8> = id.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let Some(at) = id.iter().rposition(|b| *b == b'@') else { return id };
    let quoted = id[..at].strip_prefix(b"\"").and_then(|local| local.strip_suffix(b"\""));
    match quoted {
        Some(local) if local.iter().all(|b| b.is_ascii_graphic() && !b"\"\\<>()[],:;@".contains(b)) => {
            [local, &id[at..]].concat()
        }
        _ => id,
    }
}

/// What a message refers to, the parent last: References, or where that is not there the first identifier of In-Reply-To
/// (RFC 5256 §3 REFERENCES, step 1).
pub fn references_of(head: &[u8], envelope: &Envelope) -> Vec<Vec<u8>> {
    let field = header::fields(head).find(|field| field.is(b"References"));
    let mut references: Vec<Vec<u8>> = match field {
        Some(field) => ids(&field.value[..field.value.len().min(header::MAX_FIELD)]).collect(),
        None => Vec::new(),
    };
    if references.is_empty() {
        references.extend(envelope.in_reply_to.as_deref().and_then(|text| ids(text).next()));
    }
    references.split_off(references.len().saturating_sub(MAX_REFERENCES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> =
            ids(text.as_bytes()).map(|id| String::from_utf8_lossy(&id).into_owned()).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn identifiers() {
        check("<a@x>", &["a@x"]);
        check("<a@x> <b@x>\r\n <c@x>", &["a@x", "b@x", "c@x"]);
        check("Your message of today <a@x> (comment)", &["a@x"]);
        // RFC 5256 §2.
        check("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", &["01KF8JCEOCBS0045PS@xxx.yyy.com"]);
        check("<01KF8JCEOCBS0045PS@xxx.yyy.com>", &["01KF8JCEOCBS0045PS@xxx.yyy.com"]);
        check("<\"a b\"@x>", &["ab@x"]);
        check("<\"a(b\"@x>", &["\"a(b\"@x"]);
        check("<no-at> <open@x", &[]);
        check("<<a@x>", &["a@x"]);
        check("", &[]);
    }

    #[test]
    fn references_come_before_in_reply_to() {
        let references = |head: &str| {
            let found = references_of(head.as_bytes(), &Envelope::parse(head.as_bytes()));
            found.iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(references("References: <a@x>\r\n <b@x>\r\nIn-Reply-To: <c@x>\r\n"), "a@x b@x");
        assert_eq!(references("In-Reply-To: <c@x> <d@x>\r\n"), "c@x");
        assert_eq!(references("References: none\r\nIn-Reply-To: <c@x>\r\n"), "c@x");
        assert_eq!(references("Subject: x\r\n"), "");
        let many: String = (0..2000).map(|n| format!("<{n}@x>")).collect();
        let found = references(&format!("References: {many}\r\n"));
        assert_eq!(found.split(' ').count(), MAX_REFERENCES);
        assert!(found.ends_with(" 1999@x"));
    }
}
