//! What is made of a message when it is stored, beside its index: the beginning of its text (RFC 8970 §3.1) and the name of its
//! conversation (RFC 8474 §5.2).

use super::{Content, Index, Part, encoded_word, header, transfer};
use crate::server::Digest;

/// Characters of a preview; RFC 8970 §3.1 allows 256.
const PREVIEW: usize = 200;
/// Octets of a text that are looked at: some screens of markup before the first word.
const LOOK: usize = 16 * 1024;

/// The digest of a raw message with this index.
pub fn digest(raw: &[u8], index: &Index) -> Digest {
    Digest { preview: preview(raw, &index.root), thread_id: thread_id(raw, index) }
}

fn preview(raw: &[u8], root: &Part) -> String {
    let Some(part) = text_part(root, b"plain").or_else(|| text_part(root, b"html")) else {
        return String::new();
    };
    let Some(body) = raw.get(part.body.clone()) else { return String::new() };
    let octets = transfer::decode(part.mime.encoding.as_deref(), &body[..body.len().min(LOOK)]);
    let charset = part.mime.parameter(b"charset");
    let text = encoded_word::decode_charset(charset.as_deref(), &octets);
    match part.mime.subtype == b"html" {
        true => condense(&without_markup(&text)),
        false => condense(&text),
    }
}

/// The first text of this kind that is not an attachment.
fn text_part<'p>(part: &'p Part, subtype: &[u8]) -> Option<&'p Part> {
    match &part.content {
        Content::Multipart(parts) => parts.iter().find_map(|part| text_part(part, subtype)),
        Content::Message(..) => None,
        Content::Leaf => {
            let attached = matches!(&part.mime.disposition, Some((kind, _)) if kind == b"attachment");
            let wanted = part.mime.media_type == b"text" && part.mime.subtype == subtype;
            (wanted && !attached).then_some(part)
        }
    }
}

/// One line, white space made single, what is quoted left out, as long as a preview may be.
fn condense(text: &str) -> String {
    let own = text.lines().filter(|line| !line.starts_with('>'));
    let words = own.flat_map(|line| line.split(|c: char| c.is_whitespace() || c.is_control()));
    let (mut preview, mut length) = (String::new(), 0);
    for word in words.filter(|word| !word.is_empty()) {
        let space = usize::from(length > 0);
        let count = word.chars().count();
        if length + space + count > PREVIEW {
            if length == 0 {
                preview.extend(word.chars().take(PREVIEW));
            }
            break;
        }
        preview.push_str(&" "[..space]);
        preview.push_str(word);
        length += space + count;
    }
    preview
}

/// The text between the tags; a program in a page is no text.
fn without_markup(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        text.push(' ');
        let tag = &rest[open..];
        let name: String = tag[1..].chars().take_while(char::is_ascii_alphanumeric).collect();
        let end = match name.to_ascii_lowercase().as_str() {
            "style" => find_ignoring_case(tag, "</style").map(|at| at + "</style".len()),
            "script" => find_ignoring_case(tag, "</script").map(|at| at + "</script".len()),
            "" if tag.starts_with("<!--") => tag.find("-->").map(|at| at + 2),
            _ => Some(0),
        };
        rest = match end.and_then(|from| tag[from..].find('>').map(|at| from + at + 1)) {
            Some(end) => &tag[end..],
            None => "",
        };
    }
    text.push_str(rest);
    for (name, character) in
        [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        text = text.replace(name, character);
    }
    text
}

/// Where an ASCII word is, in any case.
fn find_ignoring_case(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// Of the first message that the conversation is known to begin with: RFC 5322 §3.6.4 has References name it first. A message
/// without any identifier is a conversation of its own.
fn thread_id(raw: &[u8], index: &Index) -> [u8; 16] {
    let head = raw.get(index.root.header.clone()).unwrap_or_default();
    let first_id = |name: &[u8]| {
        let field = header::fields(head).find(|field| field.is(name))?;
        let value = field.unfolded();
        let open = value.iter().position(|octet| *octet == b'<')?;
        let length = value[open..].iter().position(|octet| *octet == b'>')?;
        Some(value[open..=open + length].to_vec())
    };
    let root = [b"References".as_slice(), b"In-Reply-To", b"Message-ID"].into_iter().find_map(first_id);
    hash(root.as_deref().unwrap_or(raw)).to_be_bytes()
}

/// FNV-1a of 128 bits: the same name on every run and every machine. Whoever makes two alike joins two conversations of the
/// person who reads them.
fn hash(octets: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    octets.iter().fold(BASIS, |hash, octet| (hash ^ u128::from(*octet)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::index;
    use proptest::prelude::*;

    fn check(raw: &str, expected: &str) {
        assert_eq!(digest(raw.as_bytes(), &index(raw.as_bytes())).preview, expected, "{raw:?}");
    }

    #[test]
    fn previews() {
        check("Subject: x\r\n\r\nHello,\r\n\r\n  how are   you?\r\n", "Hello, how are you?");
        check("Subject: x\r\n\r\n> you said\r\n> that\r\nYes.\r\n", "Yes.");
        check("\r\n", "");
        check("Content-Type: image/png\r\n\r\nxxxx", "");
        check(
            "Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\ngr=FCn=\r\nlich",
            "grünlich",
        );
        check(
            "Content-Transfer-Encoding: base64\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nZ3LDvG4=\r\n",
            "grün",
        );
        check(
            "Content-Type: text/html\r\n\r\n<html><style>p {x}</style><body><!-- > no --><p>One &amp; <b>two</b></p><SCRIPT>1<2</script>",
            "One & two",
        );
        check(
            "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b\r\n\r\nplain\r\n--b--\r\n",
            "plain",
        );
        check(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n\r\nlog\r\n--b\r\nContent-Type: text/html\r\n\r\nword\r\n--b--\r\n",
            "word",
        );
        check(&format!("\r\n{}", "word ".repeat(100)), ["word"; 40].join(" ").as_str());
        check(&format!("\r\n{}", "x".repeat(1000)), &"x".repeat(PREVIEW));
    }

    #[test]
    fn conversations() {
        let thread = |header: &str| {
            let raw = format!("{header}\r\n\r\nx");
            thread_id(raw.as_bytes(), &index(raw.as_bytes()))
        };
        let first = thread("Message-ID: <1@x>");
        assert_eq!(thread("Message-ID: <2@x>\r\nIn-Reply-To: <1@x>"), first);
        assert_eq!(thread("Message-ID: <3@x>\r\nIn-Reply-To: <2@x>\r\nReferences: <1@x>\r\n <2@x>"), first);
        assert_ne!(thread("Message-ID: <4@x>"), first);
        assert_ne!(thread("Subject: a"), thread("Subject: b"));
        assert_eq!(hash(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(hash(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    proptest! {
        #[test]
        fn any_message_has_one(raw in proptest::collection::vec(any::<u8>(), 0..300), html in "[<>a&;!/-]{0,60}") {
            let found = digest(&raw, &index(&raw));
            prop_assert!(found.preview.chars().count() <= PREVIEW);
            prop_assert!(!found.preview.contains(['\r', '\n']));
            let _ = without_markup(&html);
        }
    }
}
