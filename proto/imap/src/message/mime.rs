//! The MIME fields of a part (RFC 2045 §3, RFC 2183 §2, RFC 3282 §2, RFC 2557 §4) as BODYSTRUCTURE needs them.

use super::header::{self, MAX_FIELD};
use std::borrow::Cow;

/// Parameters of one field: RFC 2231 §3 pieces included, no mail program writes more.
pub const MAX_PARAMETERS: usize = 200;
/// Languages of one Content-Language field.
pub const MAX_LANGUAGES: usize = 100;

/// Attribute and value, in order; names as written.
pub type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

/// A piece of a continued value (RFC 2231 §3): as it is, and encoded.
type Piece<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// What a part's header says of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mime {
    /// `text` of `text/plain`, lower case.
    pub media_type: Vec<u8>,
    /// `plain` of `text/plain`, lower case.
    pub subtype: Vec<u8>,
    /// Parameters of Content-Type.
    pub parameters: Parameters,
    /// Content-ID (RFC 2045 §7).
    pub id: Option<Vec<u8>>,
    /// Content-Description (RFC 2045 §8).
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding (RFC 2045 §6), lower case; `None` is 7bit.
    pub encoding: Option<Vec<u8>>,
    /// Content-MD5 (RFC 1864 §2).
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition (RFC 2183 §2): lower-case type and parameters.
    pub disposition: Option<(Vec<u8>, Parameters)>,
    /// Content-Language (RFC 3282 §2).
    pub language: Vec<Vec<u8>>,
    /// Content-Location (RFC 2557 §4).
    pub location: Option<Vec<u8>>,
}

impl Mime {
    /// What a part without MIME fields is (RFC 2045 §5.2); inside multipart/digest a message (RFC 2046 §5.1.5).
    pub fn implied(in_digest: bool) -> Mime {
        let (media_type, subtype, parameters) = match in_digest {
            true => (b"message".to_vec(), b"rfc822".to_vec(), Vec::new()),
            false => (b"text".to_vec(), b"plain".to_vec(), vec![(b"charset".to_vec(), b"us-ascii".to_vec())]),
        };
        Mime {
            media_type,
            subtype,
            parameters,
            id: None,
            description: None,
            encoding: None,
            md5: None,
            disposition: None,
            language: Vec::new(),
            location: None,
        }
    }

    /// Reads a part's header; of a field that occurs twice the first counts.
    pub fn parse(header: &[u8], in_digest: bool) -> Mime {
        let mut mime = Mime::implied(in_digest);
        let mut typed = false;
        for field in header::fields(header) {
            let Some(name) = field.name.get(..8).filter(|n| n.eq_ignore_ascii_case(b"content-")) else {
                continue;
            };
            let name = field.name[name.len()..].to_ascii_lowercase();
            let text = field.unfolded();
            match name.as_slice() {
                b"type" if !typed => {
                    typed = true;
                    mime.content_type(&text);
                }
                b"transfer-encoding" => set(&mut mime.encoding, token(&text).to_ascii_lowercase()),
                b"id" => set(&mut mime.id, text.into_owned()),
                b"description" => set(&mut mime.description, text.into_owned()),
                b"md5" => set(&mut mime.md5, token(&text).to_vec()),
                b"location" => set(&mut mime.location, text.into_owned()),
                b"disposition" if mime.disposition.is_none() && !token(&text).is_empty() => {
                    mime.disposition = Some((token(&text).to_ascii_lowercase(), parameters(&text)));
                }
                b"language" if mime.language.is_empty() => {
                    let tags = text.split(|b| *b == b',').map(|tag| token(tag).to_vec());
                    mime.language = tags.filter(|tag| !tag.is_empty()).take(MAX_LANGUAGES).collect();
                }
                _ => {}
            }
        }
        mime
    }

    /// `type/subtype; parameters` (RFC 2045 §5.1). What is no type leaves the implied one.
    fn content_type(&mut self, text: &[u8]) {
        let text = skip_space(text);
        let end = text.iter().position(|b| *b == b'/').unwrap_or(text.len());
        let media_type = text[..end].trim_ascii();
        let subtype = text.get(end + 1..).map(token).unwrap_or_default();
        if !is_token(media_type) || !is_token(subtype) {
            return;
        }
        self.media_type = media_type.to_ascii_lowercase();
        self.subtype = subtype.to_ascii_lowercase();
        self.parameters = parameters(text);
    }

    /// A Content-Type parameter; names have no case. Where there is none of that name, RFC 2231 §4's encoded (`name*=`) and
    /// continued (`name*0=`, `name*0*=`) forms are put together.
    pub fn parameter(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        let find =
            |name: &[u8]| self.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        if let Some(value) = find(name) {
            return Some(Cow::Borrowed(value));
        }
        if let Some(value) = find(&[name, b"*"].concat()) {
            return Some(Cow::Owned(percent_decoded(without_charset(value))));
        }
        let mut whole = None::<Vec<u8>>;
        for (number, piece) in self.pieces(name).into_iter().enumerate() {
            let value = match piece {
                (Some(plain), _) => plain.to_vec(),
                (None, Some(encoded)) if number == 0 => percent_decoded(without_charset(encoded)),
                (None, Some(encoded)) => percent_decoded(encoded),
                (None, None) => break,
            };
            whole.get_or_insert_default().extend(value);
        }
        whole.map(Cow::Owned)
    }

    /// The values of `name*0`, `name*1`, … and of `name*0*`, `name*1*`, … by number, found in one pass.
    fn pieces(&self, name: &[u8]) -> Vec<Piece<'_>> {
        let mut pieces = vec![(None, None); self.parameters.len()];
        for (attribute, value) in &self.parameters {
            let Some((head, tail)) = attribute.split_at_checked(name.len()) else { continue };
            let Some(tail) = tail.strip_prefix(b"*").filter(|_| head.eq_ignore_ascii_case(name)) else {
                continue;
            };
            let (digits, encoded) = match tail.strip_suffix(b"*") {
                Some(digits) => (digits, true),
                None => (tail, false),
            };
            // RFC 2231 §3: numbers without leading zeroes or signs.
            let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
            let number = number.filter(|number| number.to_string().as_bytes() == digits);
            let Some((plain, coded)) = number.and_then(|number| pieces.get_mut(number)) else { continue };
            let slot = if encoded { coded } else { plain };
            slot.get_or_insert(value.as_slice());
        }
        pieces
    }

    /// Whether the part is an attached message (RFC 2046 §5.2.1).
    pub fn is_message(&self) -> bool {
        self.is(b"message", b"rfc822")
    }

    /// Whether the type is this one.
    pub fn is(&self, media_type: &[u8], subtype: &[u8]) -> bool {
        self.media_type == media_type && self.subtype == subtype
    }
}

/// RFC 2231 §4: what stands behind `charset'language'`.
fn without_charset(value: &[u8]) -> &[u8] {
    value.splitn(3, |b| *b == b'\'').nth(2).unwrap_or(value)
}

/// RFC 2231 §4: `%` and two hexadecimal digits are an octet.
fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&octet, after)) = rest.split_first() {
        let hex = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        rest = after;
        match (octet, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => decoded.push(octet),
        }
    }
    decoded
}

fn set(slot: &mut Option<Vec<u8>>, value: Vec<u8>) {
    if slot.is_none() {
        *slot = Some(value);
    }
}

/// The first token of a text, comments before it skipped.
fn token(text: &[u8]) -> &[u8] {
    let text = skip_space(text);
    let end = text.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b';' | b'(' | b',' | b'"'));
    &text[..end.unwrap_or(text.len())]
}

/// RFC 2045 §5.1 `token`, 8-bit let through.
fn is_token(text: &[u8]) -> bool {
    let special = |b: &u8| b.is_ascii_control() || b" ()<>@,;:\\\"/[]?=".contains(b);
    !text.is_empty() && !text.iter().any(special)
}

/// Without white space and comments (RFC 822 §3.4.3) at the front.
fn skip_space(mut text: &[u8]) -> &[u8] {
    loop {
        text = text.trim_ascii_start();
        if text.first() != Some(&b'(') {
            return text;
        }
        let (mut depth, mut at) = (0usize, 0);
        while let Some(octet) = text.get(at) {
            at += 1;
            match octet {
                b'\\' => at += 1,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        text = &text[at.min(text.len())..];
    }
}

/// `; attribute=value` behind a type; pieces that are none are skipped.
fn parameters(text: &[u8]) -> Parameters {
    let mut found = Vec::new();
    let mut rest = skip_to_semicolon(&text[..text.len().min(MAX_FIELD)]);
    while let Some(after) = rest.strip_prefix(b";") {
        if found.len() == MAX_PARAMETERS {
            break;
        }
        rest = skip_space(after);
        let end = rest.iter().position(|b| matches!(b, b'=' | b';')).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        rest = tail;
        if let Some(value) = rest.strip_prefix(b"=") {
            let (value, tail) = parameter_value(skip_space(value));
            if is_token(name.trim_ascii()) {
                found.push((name.trim_ascii().to_vec(), value));
            }
            rest = tail;
        }
    }
    found
}

/// A quoted string, or what stands before the next `;` (blanks inside are no token, but mail has them in file names).
fn parameter_value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let mut value = Vec::new();
        let mut at = 0;
        while let Some(octet) = quoted.get(at) {
            at += 1;
            match octet {
                b'"' => break,
                b'\\' => {
                    value.extend(quoted.get(at));
                    at += 1;
                }
                _ => value.push(*octet),
            }
        }
        return (value, skip_to_semicolon(&quoted[at.min(quoted.len())..]));
    }
    let end = text.iter().position(|b| matches!(b, b';' | b'(')).unwrap_or(text.len());
    (text[..end].trim_ascii().to_vec(), skip_to_semicolon(&text[end..]))
}

/// The rest from the next `;` outside comments and quoted strings.
fn skip_to_semicolon(mut text: &[u8]) -> &[u8] {
    let mut quoted = false;
    while let Some((&octet, rest)) = text.split_first() {
        match octet {
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                text = rest.get(1..).unwrap_or_default();
                continue;
            }
            b';' if !quoted => return text,
            b'(' if !quoted => {
                text = skip_space(text);
                continue;
            }
            _ => {}
        }
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `type/subtype name=value…` of a Content-Type field.
    fn check(field: &str, expected: &str) {
        let mime = Mime::parse(format!("Content-Type: {field}\r\n\r\n").as_bytes(), false);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut shown = format!("{}/{}", text(&mime.media_type), text(&mime.subtype));
        for (name, value) in &mime.parameters {
            shown += &format!(" {}={}", text(name), text(value));
        }
        assert_eq!(shown, expected, "{field:?}");
    }

    #[test]
    fn content_types() {
        // RFC 2045 §5.1's three spellings of one.
        check("text/plain; charset=us-ascii (Plain text)", "text/plain charset=us-ascii");
        check("text/plain; charset=\"us-ascii\"", "text/plain charset=us-ascii");
        check("TEXT/Plain;Charset=us-ascii", "text/plain Charset=us-ascii");
        check(
            "multipart/mixed; boundary=\"gc0p4Jq0M2Yt08jU534c0p\"",
            "multipart/mixed boundary=gc0p4Jq0M2Yt08jU534c0p",
        );
        check(
            "multipart/mixed;\r\n\tboundary=\"a \\\"b\\\"; c\"; x=y",
            "multipart/mixed boundary=a \"b\"; c x=y",
        );
        check(
            "message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n URL*1=\"x\"",
            "message/external-body access-type=URL URL*0=ftp:// URL*1=x",
        );
        check("image/png; name=my picture.png; x", "image/png name=my picture.png");
        check("(a comment) text/html (another; one); charset=utf-8", "text/html charset=utf-8");
    }

    #[test]
    fn broken_content_types_are_plain_text() {
        for field in ["", "text", "text/", "/plain", "te xt/plain", "text/plain/x", "@/@", ";charset=utf-8"] {
            check(field, "text/plain charset=us-ascii");
        }
        check("text/html; =x; ;; charset", "text/html");
        check("text/html; charset=\"unclosed", "text/html charset=unclosed");
        check("text/html; charset=", "text/html charset=");
    }

    #[test]
    fn all_fields() {
        let mime = Mime::parse(
            b"Content-Type: image/gif\r\nContent-Transfer-Encoding: BASE64 (yes)\r\nContent-ID: <1@x.test>\r\n\
              Content-Description: a\r\n picture\r\nContent-MD5: Q2hlY2s=\r\nContent-Language: en, de (x), \r\n\
              Content-Location: http://x.test/a.gif\r\n\
              Content-Disposition: Attachment; filename=\"a.gif\"; size=12\r\nContent-Type: text/html\r\n",
            false,
        );
        assert!(mime.is(b"image", b"gif"));
        assert_eq!(mime.encoding.as_deref(), Some(b"base64".as_slice()));
        assert_eq!(mime.id.as_deref(), Some(b"<1@x.test>".as_slice()));
        assert_eq!(mime.description.as_deref(), Some(b"a picture".as_slice()));
        assert_eq!(mime.md5.as_deref(), Some(b"Q2hlY2s=".as_slice()));
        assert_eq!(mime.language, [b"en".to_vec(), b"de".to_vec()]);
        assert_eq!(mime.location.as_deref(), Some(b"http://x.test/a.gif".as_slice()));
        let (kind, parameters) = mime.disposition.unwrap();
        assert_eq!(kind, b"attachment");
        assert_eq!(
            parameters,
            [(b"filename".to_vec(), b"a.gif".to_vec()), (b"size".to_vec(), b"12".to_vec())]
        );
    }

    /// RFC 2231 §3 and §4.1.
    #[test]
    fn encoded_and_continued_parameters() {
        for (field, expected) in [
            ("a/b; x*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", Some("This is ***fun***")),
            (
                "a/b; x*0*=us-ascii'en'This%20is%20even%20more%20; x*1*=%2A%2A%2Afun%2A%2A%2A%20; x*2=\"isn't it!\"",
                Some("This is even more ***fun*** isn't it!"),
            ),
            ("a/b; x*0=one; x*1=\"-two\"; x*3=lost", Some("one-two")),
            ("a/b; x*1=-two; X*0=one; x*0=other; x*01=lost; x*+2=lost; xy*2=lost", Some("one-two")),
            ("a/b; x*0*=us-ascii''%41; x*0=plain; x*1*=%42; x*1", Some("plainB")),
            ("a/b; x*1=two", None),
            ("a/b; X=plain; x*=utf-8''other", Some("plain")),
            ("a/b; x*=bare%", Some("bare%")),
            ("a/b; y=1", None),
        ] {
            let mime = Mime::parse(format!("Content-Type: {field}\r\n").as_bytes(), false);
            let found = mime.parameter(b"x").map(|value| String::from_utf8_lossy(&value).into_owned());
            assert_eq!(found.as_deref(), expected, "{field}");
        }
    }

    #[test]
    fn implied_types() {
        assert!(Mime::parse(b"Subject: x\r\n\r\n", false).is(b"text", b"plain"));
        assert!(Mime::parse(b"\r\n", true).is(b"message", b"rfc822"));
        let many = format!("Content-Type: a/b{}\r\n", ";x=y".repeat(MAX_PARAMETERS * 2));
        assert_eq!(Mime::parse(many.as_bytes(), false).parameters.len(), MAX_PARAMETERS);
    }

    proptest! {
        #[test]
        fn any_field_ends(text in "[a/;=\"()\\\\ ,x]{0,60}") {
            let mime = Mime::parse(format!("Content-Type: {text}\r\nContent-Disposition: {text}\r\n").as_bytes(), false);
            prop_assert!(is_token(&mime.media_type) && is_token(&mime.subtype));
            prop_assert!(mime.parameters.iter().all(|(name, _)| is_token(name)));
        }
    }
}
