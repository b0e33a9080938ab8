//! One FETCH response and its items (RFC 3501 §7.4.2).

use crate::date;
use crate::flags::is_atom_char;
use crate::grammar::FetchItem;
use crate::message::{self, EnvelopeRef, Index, Section, SectionText};
use crate::response::{Out, envelope, structure};
use crate::server::ask::{Message, Need, Row};
use crate::server::config::OUTPUT_CHUNK;
use crate::server::view::View;
use std::borrow::Cow;
use std::ops::Range;

/// What an item needs of the message; `None`: its row.
pub(super) fn need(item: &FetchItem) -> Option<Need> {
    match item {
        FetchItem::Flags | FetchItem::Uid | FetchItem::Modseq => None,
        FetchItem::Binary { .. } | FetchItem::BinarySize { .. } => Some(Need::Raw),
        FetchItem::Preview | FetchItem::SaveDate | FetchItem::EmailId | FetchItem::ThreadId => {
            Some(Need::Meta)
        }
        FetchItem::Envelope
        | FetchItem::InternalDate
        | FetchItem::Size
        | FetchItem::Body
        | FetchItem::BodyStructure => Some(Need::Meta),
        FetchItem::MessageHeader => Some(Need::Header),
        FetchItem::Section { section, .. } if section.is_header() => Some(Need::Header),
        FetchItem::Message | FetchItem::MessageText | FetchItem::Section { .. } => Some(Need::Raw),
    }
}

/// Whether the item is of the message's digest.
pub(super) fn reads_digest(item: &FetchItem) -> bool {
    matches!(item, FetchItem::Preview | FetchItem::ThreadId)
}

/// Whether the item sets `\Seen` (RFC 3501 §6.4.5).
pub(super) fn marks_seen(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Message
            | FetchItem::MessageText
            | FetchItem::Section { peek: false, .. }
            | FetchItem::Binary { peek: false, .. }
    )
}

/// One message's FETCH response on its way out: it goes on where the last piece ended.
#[derive(Debug)]
pub(super) struct Writer {
    message: Option<Message>,
    index: Option<Index>,
    /// Adds FLAGS where this FETCH changed them (RFC 3501 §6.4.5).
    flags: bool,
    /// This FETCH changed the flags.
    modseq: bool,
    /// The item that comes next, or whose octets are being written.
    item: usize,
    octets: Option<Octets>,
}

/// Octets of a literal that are still to be written: of the message, or made of it.
#[derive(Debug)]
struct Octets {
    made: Option<Vec<u8>>,
    /// For a literal8: NULs stay.
    binary: bool,
    left: Range<usize>,
}

/// Whether a part is asked for whose transfer encoding is not known (RFC 3516 §4.2).
pub(super) fn asks_unknown_encoding(message: &Message, items: &[FetchItem]) -> bool {
    let parts: Vec<&[u32]> = items
        .iter()
        .filter_map(|item| match item {
            FetchItem::Binary { part, .. } | FetchItem::BinarySize { part } => Some(part.as_slice()),
            _ => None,
        })
        .collect();
    if parts.is_empty() {
        return false;
    }
    let (index, raw) = (decode(message), message.raw.as_deref().unwrap_or_default());
    let unknown = Err(message::binary::Undecodable::UnknownEncoding);
    parts.iter().any(|part| message::binary::decoded(&index, raw, part).map(drop) == unknown)
}

impl Writer {
    /// A response made of this message, or of its row alone.
    pub(super) fn new(message: Option<Message>, items: &[FetchItem], flags: bool) -> Writer {
        let whole = |item| reads_index(item) && !matches!(item, FetchItem::Envelope);
        let index = message.as_ref().filter(|_| items.iter().any(whole)).map(decode);
        let modseq = flags;
        let flags = flags && !items.contains(&FetchItem::Flags);
        Writer { message, index, flags, modseq, item: 0, octets: None }
    }

    /// The message.
    pub(super) fn uid(&self) -> Option<u32> {
        self.message.as_ref().map(|message| message.uid)
    }

    /// Writes `* n FETCH (…)` until it is complete, which is true, or there is as much output as is handed out at once.
    pub(super) fn write(
        &mut self,
        out: &mut Out,
        view: &View,
        items: &[FetchItem],
        sequence: u32,
        row: &Row,
    ) -> bool {
        let extra = self.flags.then_some(&FetchItem::Flags);
        // A change is told with its MODSEQ once the client knows what that is (RFC 7162 §3.1).
        let modseq = self.modseq && view.modes.condstore && !items.contains(&FetchItem::Modseq);
        let extra = extra.into_iter().chain(modseq.then_some(&FetchItem::Modseq));
        while let Some(item) = items.iter().chain(extra.clone()).nth(self.item) {
            if self.octets.is_none() {
                match self.item {
                    0 => out.text("* ").put(sequence).text(" FETCH ("),
                    _ => out.text(" "),
                };
                match (item, &self.message) {
                    (FetchItem::Uid, _) => drop(out.put("UID ").put(row.uid).len()),
                    (FetchItem::Flags, _) => view.write_row_flags(out, row),
                    (FetchItem::Modseq, _) => drop(out.put("MODSEQ (").put(row.modseq).put(')').len()),
                    (item, Some(message)) => {
                        self.octets = of_message(out, item, message, self.index.as_ref())
                    }
                    (_, None) => {}
                }
            }
            if !self.write_octets(out, item) {
                return false;
            }
            self.item += 1;
            if out.len() >= OUTPUT_CHUNK {
                return false;
            }
        }
        out.put(')').end();
        true
    }

    /// As much of the literal as fits; whether that was all.
    fn write_octets(&mut self, out: &mut Out, item: &FetchItem) -> bool {
        let Some(octets) = &mut self.octets else { return true };
        let room = OUTPUT_CHUNK.saturating_sub(out.len()).max(1);
        let end = octets.left.end.min(octets.left.start.saturating_add(room));
        let raw = self.message.as_ref().and_then(|message| message.raw.as_deref()).unwrap_or_default();
        let whole = match &octets.made {
            Some(made) => Some(Cow::Borrowed(made.as_slice())),
            None => section_octets(item, raw, self.index.as_ref()),
        };
        if let Some(piece) = whole.as_deref().and_then(|whole| whole.get(octets.left.start..end)) {
            if octets.binary {
                out.binary_octets(piece)
            } else {
                out.literal_octets(piece)
            };
        }
        octets.left.start = end;
        let complete = octets.left.is_empty();
        if complete {
            self.octets = None;
        }
        complete
    }
}

fn reads_index(item: &FetchItem) -> bool {
    !matches!(
        item,
        FetchItem::Flags
            | FetchItem::Uid
            | FetchItem::Modseq
            | FetchItem::InternalDate
            | FetchItem::Size
            | FetchItem::Message
            | FetchItem::Preview
            | FetchItem::SaveDate
            | FetchItem::EmailId
            | FetchItem::ThreadId
    )
}

/// An index that cannot be read is made again of what is there.
fn decode(message: &Message) -> Index {
    Index::decode(&message.index)
        .unwrap_or_else(|_| message::index(message.raw.as_deref().unwrap_or_default()))
}

/// The octets that an item names; `None` where the message has no such part.
fn section_octets<'r>(item: &FetchItem, raw: &'r [u8], index: Option<&Index>) -> Option<Cow<'r, [u8]>> {
    let whole = |text| Section { part: Vec::new(), text: Some(text) };
    match item {
        FetchItem::Message => Some(Cow::Borrowed(raw)),
        FetchItem::MessageHeader => index?.section(raw, &whole(SectionText::Header)),
        FetchItem::MessageText => index?.section(raw, &whole(SectionText::Text)),
        FetchItem::Section { section, .. } => index?.section(raw, section),
        _ => None,
    }
}

/// Writes an item, or its name and the octets that have to follow.
fn of_message(out: &mut Out, item: &FetchItem, message: &Message, index: Option<&Index>) -> Option<Octets> {
    let raw = message.raw.as_deref().unwrap_or_default();
    match (item, index) {
        (FetchItem::InternalDate, _) => {
            out.text("INTERNALDATE \"").text(&date::format_date_time(message.internal_date)).text("\"");
        }
        (FetchItem::Size, _) => {
            out.put("RFC822.SIZE ").put(message.size);
        }
        (FetchItem::Message, _) => return body(out, "RFC822", Some(Cow::Borrowed(raw)), None),
        (FetchItem::MessageHeader, _) => {
            return body(out, "RFC822.HEADER", section_octets(item, raw, index), None);
        }
        (FetchItem::MessageText, _) => {
            return body(out, "RFC822.TEXT", section_octets(item, raw, index), None);
        }
        (FetchItem::Section { section, partial, .. }, _) => {
            out.put("BODY[");
            write_section(out, section);
            return body(out, "]", section_octets(item, raw, index), *partial);
        }
        (FetchItem::Binary { part, partial, .. }, Some(index)) => {
            return binary(out, part, message::binary::decoded(index, raw, part).ok(), *partial);
        }
        (FetchItem::BinarySize { part }, Some(index)) => {
            let size = message::binary::decoded(index, raw, part).map_or(0, |octets| octets.len());
            out.put("BINARY.SIZE[");
            write_part(out, part);
            out.put("] ").put(size);
        }
        (FetchItem::Preview, _) => {
            let preview = message.digest.as_ref().map(|digest| digest.preview.as_bytes());
            out.put("PREVIEW ").nstring(preview);
        }
        (FetchItem::SaveDate, _) => {
            out.put("SAVEDATE \"").put(date::format_date_time(message.save_date)).put('"');
        }
        (FetchItem::EmailId, _) => {
            write_id(out.put("EMAILID ("), 'E', &message.email_id);
            out.put(')');
        }
        (FetchItem::ThreadId, _) => match &message.digest {
            Some(digest) => {
                write_id(out.put("THREADID ("), 'T', &digest.thread_id);
                out.put(')');
            }
            None => {
                out.put("THREADID NIL");
            }
        },
        (FetchItem::Envelope, _) => {
            out.text("ENVELOPE ");
            match (EnvelopeRef::read(&message.index), index) {
                (Ok(envelope), _) => envelope::write_encoded(out, &envelope),
                (Err(_), Some(index)) => envelope::write(out, &index.envelope),
                (Err(_), None) => envelope::write(out, &decode(message).envelope),
            }
        }
        (FetchItem::Body | FetchItem::BodyStructure, Some(index)) => {
            let extended = *item == FetchItem::BodyStructure;
            out.put(if extended { "BODYSTRUCTURE " } else { "BODY " });
            structure::write(out, &index.root, extended);
        }
        _ => {}
    }
    None
}

/// A name and the size of its octets; `<n>` and no more than asked with a partial (RFC 3501 §6.4.5), NIL where there is no
/// such part. Returns the octets that have to follow.
fn body(
    out: &mut Out,
    name: &str,
    octets: Option<Cow<'_, [u8]>>,
    partial: Option<(u32, u32)>,
) -> Option<Octets> {
    out.put(name);
    let Some(octets) = octets else {
        out.put(" NIL");
        return None;
    };
    let mut left = 0..octets.len();
    if let Some((first, length)) = partial {
        left = left.end.min(first as usize)..left.end.min((first as usize).saturating_add(length as usize));
        out.put('<').put(first).put('>');
    }
    out.put(' ').literal_size(left.len());
    let made = match octets {
        Cow::Borrowed(_) => None,
        Cow::Owned(made) => Some(made),
    };
    Some(Octets { made, binary: false, left })
}

/// A part without its transfer encoding, as a literal8 where it has NULs (RFC 3516 §4.2). One that cannot be decoded is NIL,
/// and the command fails.
fn binary(
    out: &mut Out,
    part: &[u32],
    octets: Option<Cow<'_, [u8]>>,
    partial: Option<(u32, u32)>,
) -> Option<Octets> {
    out.put("BINARY[");
    write_part(out, part);
    let nul = octets.as_ref().is_some_and(|octets| octets.contains(&0));
    let Some((first, length)) = partial else { return literal8(out.put(']'), octets, None, nul) };
    literal8(out.put("]<").put(first).put('>'), octets, Some((first, length)), nul)
}

fn literal8(
    out: &mut Out,
    octets: Option<Cow<'_, [u8]>>,
    partial: Option<(u32, u32)>,
    nul: bool,
) -> Option<Octets> {
    let Some(octets) = octets else {
        out.put(" NIL");
        return None;
    };
    let mut left = 0..octets.len();
    if let Some((first, length)) = partial {
        left = left.end.min(first as usize)..left.end.min((first as usize).saturating_add(length as usize));
    }
    out.put(if nul { " ~" } else { " " }).literal_size(left.len());
    // Borrowed octets are copied: what they are of is not at hand again by the name of a section.
    Some(Octets { made: Some(octets.into_owned()), binary: nul, left })
}

/// Part numbers with dots between them.
fn write_part(out: &mut Out, part: &[u32]) {
    for (at, number) in part.iter().enumerate() {
        out.put(if at > 0 { "." } else { "" }).put(number);
    }
}

/// An object's name: a letter, so that clients never take it for a number, and hexadecimal digits (RFC 8474 §7).
fn write_id(out: &mut Out, kind: char, octets: &[u8]) {
    out.put(kind);
    for octet in octets {
        out.put(format_args!("{octet:02x}"));
    }
}

/// The section as FETCH names it, header fields as the client wrote them.
fn write_section(out: &mut Out, section: &Section) {
    let numbers: Vec<String> = section.part.iter().map(u32::to_string).collect();
    out.put(numbers.join("."));
    let Some(text) = &section.text else { return };
    if !numbers.is_empty() {
        out.put('.');
    }
    let mut fields = |name: &str, list: &[Vec<u8>]| {
        out.put(name).put(' ').list(list, |out, field| {
            if field.iter().all(|octet| is_atom_char(*octet)) {
                out.astring(field);
            } else {
                out.string(field);
            }
        });
    };
    let word = match text {
        SectionText::Fields(list) => return fields("HEADER.FIELDS", list),
        SectionText::FieldsNot(list) => return fields("HEADER.FIELDS.NOT", list),
        SectionText::Header => "HEADER",
        SectionText::Text => "TEXT",
        SectionText::Mime => "MIME",
    };
    out.put(word);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::tests::written;

    fn check(name: &[u8], partial: Option<(u32, u32)>, expected: &str) {
        let text = written(|out| {
            let octets = body(out, "B", Some(Cow::Borrowed(name)), partial).unwrap();
            out.literal_octets(&name[octets.left]);
        });
        assert_eq!(text, expected);
    }

    #[test]
    fn partials() {
        check(b"abcdef", None, "B {6}\r\nabcdef");
        check(b"abcdef", Some((0, 3)), "B<0> {3}\r\nabc");
        check(b"abcdef", Some((4, 100)), "B<4> {2}\r\nef");
        check(b"abcdef", Some((6, 1)), "B<6> {0}\r\n");
        check(b"abcdef", Some((u32::MAX, u32::MAX)), "B<4294967295> {0}\r\n");
        assert_eq!(written(|out| assert!(body(out, "B", None, Some((0, 3))).is_none())), "B NIL");
    }

    #[test]
    fn needs() {
        let section = |part: &[u32], text| Section { part: part.to_vec(), text };
        let item = |section| FetchItem::Section { section, peek: true, partial: None };
        assert_eq!(need(&FetchItem::Flags), None);
        assert_eq!(need(&FetchItem::Envelope), Some(Need::Meta));
        assert_eq!(need(&item(section(&[], Some(SectionText::Header)))), Some(Need::Header));
        assert_eq!(need(&item(section(&[1], Some(SectionText::Mime)))), Some(Need::Raw));
        assert_eq!(need(&item(section(&[], None))), Some(Need::Raw));
        assert!(!marks_seen(&item(section(&[], None))));
        assert!(marks_seen(&FetchItem::Message) && !marks_seen(&FetchItem::MessageHeader));
    }

    #[test]
    fn section_names() {
        for (section, expected) in [
            (Section { part: vec![1, 2], text: Some(SectionText::Mime) }, "1.2.MIME"),
            (Section { part: vec![], text: Some(SectionText::Text) }, "TEXT"),
            (Section { part: vec![4], text: None }, "4"),
            (
                Section {
                    part: vec![3],
                    text: Some(SectionText::FieldsNot(vec![b"Date".to_vec(), b"a b".to_vec()])),
                },
                "3.HEADER.FIELDS.NOT (Date \"a b\")",
            ),
        ] {
            assert_eq!(written(|out| write_section(out, &section)), expected);
        }
    }
}
