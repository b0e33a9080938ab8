//! The texts in which people look for something: decoded fields, decoded text parts (RFC 3501 §6.4.4). Each is decoded and
//! folded once for a message, however many keys look at it, and no more of it in one go than a [`Look`] may spend.

use super::{AddressField, MessageFacts, Needle, SearchKey, fold};
use crate::Need;
use crate::message::address::Address;
use crate::message::{Content, Index, Part, encoded_word, header, transfer};
use std::collections::BTreeMap;

/// What looking at a key costs beside the octets that it looks through.
const KEY_COST: usize = 64;
/// How much dearer than looking through an octet it is to decode it and fold its case (RFC 5051 §2).
const DECODE_COST: usize = 8;

/// What was found out about one message so far, and what looking on may cost. One belongs to one message and one resolved key.
#[derive(Debug, Default)]
pub struct Look {
    left: usize,
    paused: bool,
    /// By the needle's number.
    answers: BTreeMap<u32, bool>,
    subject: Option<String>,
    addresses: [Option<String>; 4],
    /// The message's own header and the MIME headers of its parts (RFC 2045 §3), each a text of lines.
    heads: Vec<String>,
    /// The text parts, and the headers of attached messages.
    bodies: Vec<String>,
}

impl Look {
    /// Allows this much for the next evaluation: octets looked through. At least one key is always looked at.
    pub fn allow(&mut self, octets: usize) {
        (self.left, self.paused) = (octets.max(1), false);
    }

    /// What is left of it.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Whether the last evaluation ended because nothing was left: allow more and evaluate again.
    pub fn paused(&self) -> bool {
        self.paused
    }

    fn spend(&mut self, octets: usize) {
        self.left = self.left.saturating_sub(octets);
    }

    fn may(&mut self) -> bool {
        self.paused |= self.left == 0;
        self.left > 0
    }

    /// Whether the key's text is there; `None` where more of the message, or more time, is needed to say.
    pub(super) fn find(&mut self, key: &SearchKey, message: &MessageFacts<'_>) -> Option<bool> {
        let (need, needle) = match key {
            SearchKey::Subject(needle) | SearchKey::Address(_, needle) => (Need::Meta, needle),
            SearchKey::Header { text, .. } => (Need::Header, text),
            SearchKey::Body(needle) | SearchKey::Text(needle) => (Need::Raw, needle),
            _ => return None,
        };
        if message.have < need {
            return None;
        }
        if let Some(known) = self.answers.get(&needle.number) {
            return Some(*known);
        }
        if !self.may() {
            return None;
        }
        let (found, cost) = match key {
            SearchKey::Subject(_) => self.in_subject(message.index, needle),
            SearchKey::Address(field, _) => self.in_addresses(*field, message.index, needle),
            SearchKey::Header { name, .. } => {
                self.decode_head(message.raw, &message.index.root, 0);
                in_field(self.heads.first()?, name, needle)
            }
            _ => {
                self.decode_bodies(message)?;
                let heads = if matches!(key, SearchKey::Text(_)) { self.heads.as_slice() } else { &[] };
                in_any(heads.iter().chain(&self.bodies), needle)
            }
        };
        self.spend(cost + KEY_COST);
        self.answers.insert(needle.number, found);
        Some(found)
    }

    fn in_subject(&mut self, index: &Index, needle: &Needle) -> (bool, usize) {
        let Some(subject) = &index.envelope.subject else { return (false, 0) };
        let text = self.subject.get_or_insert_with(|| fold(&encoded_word::decode(subject)));
        (needle.is_in_folded(text), text.len())
    }

    /// In any address as a header writes it: `Name <local@domain>`. Of an empty list the empty text is no part.
    fn in_addresses(&mut self, field: AddressField, index: &Index, needle: &Needle) -> (bool, usize) {
        let (place, list) = match field {
            AddressField::Bcc => (0, &index.envelope.bcc),
            AddressField::Cc => (1, &index.envelope.cc),
            AddressField::From => (2, &index.envelope.from),
            AddressField::To => (3, &index.envelope.to),
        };
        let text = self.addresses[place].get_or_insert_with(|| list.iter().map(address_line).collect());
        (!list.is_empty() && needle.is_in_folded(text), text.len())
    }

    /// Decodes the header of the part that stands at this place of [`Look::heads`], if that was not done yet.
    fn decode_head(&mut self, raw: &[u8], part: &Part, place: usize) {
        if self.heads.len() == place {
            self.heads.push(head_lines(raw, part));
            self.spend(part.header.len() * DECODE_COST);
        }
    }

    /// Decodes the message's headers and text parts, one after the other; `None` where there is more to do than allowed.
    fn decode_bodies(&mut self, message: &MessageFacts<'_>) -> Option<()> {
        let (mut heads, mut bodies) = (Vec::new(), Vec::new());
        list_heads(&message.index.root, &mut heads);
        list_bodies(&message.index.root, &mut bodies);
        while let Some(part) = heads.get(self.heads.len()) {
            if !self.may() {
                return None;
            }
            self.decode_head(message.raw, part, self.heads.len());
        }
        while let Some(body) = bodies.get(self.bodies.len()) {
            if !self.may() {
                return None;
            }
            let (text, octets) = match body {
                Body::Head(part) => (head_lines(message.raw, part), part.header.len()),
                Body::Text(part) => (part_text(message.raw, part), part.body.len()),
            };
            self.bodies.push(text);
            self.spend(octets * DECODE_COST);
        }
        Some(())
    }
}

/// What [`SearchKey::Body`] looks at.
enum Body<'a> {
    /// The header of an attached message.
    Head(&'a Part),
    /// A text part, or one of a report.
    Text(&'a Part),
}

/// The message and its parts, whose headers TEXT looks at.
fn list_heads<'a>(part: &'a Part, list: &mut Vec<&'a Part>) {
    list.push(part);
    if let Content::Multipart(parts) = &part.content {
        parts.iter().for_each(|part| list_heads(part, list));
    }
}

fn list_bodies<'a>(part: &'a Part, list: &mut Vec<Body<'a>>) {
    match &part.content {
        Content::Multipart(parts) => parts.iter().for_each(|part| list_bodies(part, list)),
        Content::Message(_, inner) => {
            list.push(Body::Head(inner));
            list_bodies(inner, list);
        }
        // The parts of a report too (message/delivery-status, RFC 3464 §2): whoever looks for an address finds its bounces.
        Content::Leaf if matches!(&*part.mime.media_type, b"text" | b"message") => {
            list.push(Body::Text(part))
        }
        Content::Leaf => {}
    }
}

fn in_any<'t>(texts: impl Iterator<Item = &'t String>, needle: &Needle) -> (bool, usize) {
    let mut cost = 0;
    for text in texts {
        cost += text.len();
        if needle.is_in_folded(text) {
            return (true, cost);
        }
    }
    (false, cost)
}

/// In any field of that name; the empty text asks for the field alone (RFC 3501 §6.4.4 HEADER).
fn in_field(head: &str, name: &[u8], needle: &Needle) -> (bool, usize) {
    let name = fold(&String::from_utf8_lossy(name));
    let mut fields = head.split_terminator('\n').filter_map(|line| line.split_once(": "));
    (fields.any(|(field, value)| field == name && needle.is_in_folded(value)), head.len())
}

/// One address on a line of its own.
fn address_line(address: &Address) -> String {
    let text = |part: &Option<Vec<u8>>| part.as_deref().map(encoded_word::decode).unwrap_or_default();
    let mailbox = text(&address.mailbox);
    let mailbox = match &address.host {
        Some(host) => format!("{mailbox}@{}", String::from_utf8_lossy(host)),
        None => mailbox,
    };
    let line = match &address.name {
        Some(name) => format!("{} <{mailbox}>", encoded_word::decode(name)),
        None => mailbox,
    };
    fold(&line).replace('\n', " ") + "\n"
}

/// The fields of a header, encoded words decoded (RFC 2047 §6.2): `name: value`, each on a line of its own.
fn head_lines(raw: &[u8], part: &Part) -> String {
    let head = raw.get(part.header.clone()).unwrap_or_default();
    let mut lines = String::with_capacity(head.len());
    for field in header::fields(head) {
        lines.push_str(&fold(&String::from_utf8_lossy(field.name)));
        lines.push_str(": ");
        lines.push_str(&fold(&encoded_word::decode(&field.unfolded())).replace('\n', " "));
        lines.push('\n');
    }
    lines
}

/// A text part as people read it (RFC 2045 §6, RFC 2046 §4.1.2).
fn part_text(raw: &[u8], part: &Part) -> String {
    let body = raw.get(part.body.clone()).unwrap_or_default();
    let bytes = transfer::decode(part.mime.encoding.as_deref(), body);
    fold(&encoded_word::decode_charset(part.mime.parameter(b"charset").as_deref(), &bytes))
}
