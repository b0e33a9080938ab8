//! Looking for a text in what people read of a message: decoded fields, decoded text parts (RFC 3501 §6.4.4).

use super::Needle;
use crate::message::address::Address;
use crate::message::{Content, Index, Part, encoded_word, header, transfer};

/// In one header text, encoded words decoded (RFC 2047 §2).
pub(super) fn in_header_text(text: &[u8], needle: &Needle) -> bool {
    needle.is_in(&encoded_word::decode(text))
}

/// In any address as a header writes it: `Name <local@domain>`. Of an empty list the empty text is no part.
pub(super) fn in_addresses(list: &[Address], needle: &Needle) -> bool {
    list.iter().any(|address| {
        let text = |part: &Option<Vec<u8>>| part.as_deref().map(encoded_word::decode).unwrap_or_default();
        let mailbox = text(&address.mailbox);
        let mailbox = match &address.host {
            Some(host) => format!("{mailbox}@{}", String::from_utf8_lossy(host)),
            None => mailbox,
        };
        match &address.name {
            Some(name) => needle.is_in(&format!("{} <{mailbox}>", encoded_word::decode(name))),
            None => needle.is_in(&mailbox),
        }
    })
}

/// In any field of that name; the empty text asks for the field alone (RFC 3501 §6.4.4 HEADER).
pub(super) fn in_field(head: &[u8], name: &[u8], needle: &Needle) -> bool {
    header::fields(head).any(|field| field.is(name) && in_header_text(&field.unfolded(), needle))
}

/// In the text parts, and in the headers of attached messages.
pub(super) fn in_body(raw: &[u8], index: &Index, needle: &Needle) -> bool {
    in_part(raw, &index.root, needle)
}

/// In the message's header, its parts' headers or its body.
pub(super) fn in_text(raw: &[u8], index: &Index, needle: &Needle) -> bool {
    in_headers(raw, &index.root, needle) || in_body(raw, index, needle)
}

fn in_part(raw: &[u8], part: &Part, needle: &Needle) -> bool {
    match &part.content {
        Content::Multipart(parts) => parts.iter().any(|part| in_part(raw, part, needle)),
        Content::Message(_, inner) => in_header(raw, inner, needle) || in_part(raw, inner, needle),
        Content::Leaf if part.mime.media_type == b"text" => {
            let body = raw.get(part.body.clone()).unwrap_or_default();
            let bytes = transfer::decode(part.mime.encoding.as_deref(), body);
            needle.is_in(&encoded_word::decode_charset(part.mime.parameter(b"charset").as_deref(), &bytes))
        }
        Content::Leaf => false,
    }
}

/// The message's own header and the MIME headers of its parts.
fn in_headers(raw: &[u8], part: &Part, needle: &Needle) -> bool {
    let inside = match &part.content {
        Content::Multipart(parts) => parts.iter().any(|part| in_headers(raw, part, needle)),
        _ => false,
    };
    inside || in_header(raw, part, needle)
}

fn in_header(raw: &[u8], part: &Part, needle: &Needle) -> bool {
    let head = raw.get(part.header.clone()).unwrap_or_default();
    header::fields(head).any(|field| {
        let name = String::from_utf8_lossy(field.name);
        needle.is_in(&format!("{name}: {}", encoded_word::decode(&field.unfolded())))
    })
}
