//! One FETCH response and its items (RFC 3501 §7.4.2).

use crate::date;
use crate::flags::is_atom_char;
use crate::grammar::FetchItem;
use crate::message::{self, Index, Section, SectionText};
use crate::response::{Out, envelope, structure};
use crate::server::ask::{Message, Need, Row};
use crate::server::view::View;
use std::borrow::Cow;

/// What an item needs of the message; `None`: its row.
pub(super) fn need(item: &FetchItem) -> Option<Need> {
    match item {
        FetchItem::Flags | FetchItem::Uid => None,
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

/// Whether the item sets `\Seen` (RFC 3501 §6.4.5).
pub(super) fn marks_seen(item: &FetchItem) -> bool {
    matches!(item, FetchItem::Message | FetchItem::MessageText | FetchItem::Section { peek: false, .. })
}

/// `* n FETCH (…)`. `flags` adds FLAGS where this FETCH changed them (RFC 3501 §6.4.5).
pub(super) fn write(
    out: &mut Out,
    view: &View,
    items: &[FetchItem],
    sequence: u32,
    row: &Row,
    message: Option<&Message>,
    flags: bool,
) {
    let index = message.filter(|_| items.iter().any(reads_index)).map(decode);
    let extra = (flags && !items.contains(&FetchItem::Flags)).then_some(&FetchItem::Flags);
    out.put("* ").put(sequence).put(" FETCH ");
    out.list(items.iter().chain(extra), |out, item| match item {
        FetchItem::Uid => {
            out.put("UID ").put(row.uid);
        }
        FetchItem::Flags => view.write_row_flags(out, row),
        _ => {
            if let Some(message) = message {
                of_message(out, item, message, index.as_ref());
            }
        }
    });
    out.end();
}

fn reads_index(item: &FetchItem) -> bool {
    !matches!(
        item,
        FetchItem::Flags | FetchItem::Uid | FetchItem::InternalDate | FetchItem::Size | FetchItem::Message
    )
}

/// An index that cannot be read is made again of what is there.
fn decode(message: &Message) -> Index {
    Index::decode(&message.index)
        .unwrap_or_else(|_| message::index(message.raw.as_deref().unwrap_or_default()))
}

fn of_message(out: &mut Out, item: &FetchItem, message: &Message, index: Option<&Index>) {
    let raw = message.raw.as_deref().unwrap_or_default();
    let section = |text| Section { part: Vec::new(), text };
    let octets = |section: &Section| index.and_then(|index| index.section(raw, section));
    match (item, index) {
        (FetchItem::InternalDate, _) => {
            out.put("INTERNALDATE \"").put(date::format_date_time(message.internal_date)).put('"');
        }
        (FetchItem::Size, _) => {
            out.put("RFC822.SIZE ").put(message.size);
        }
        (FetchItem::Message, _) => {
            out.put("RFC822 ").literal(raw);
        }
        (FetchItem::MessageHeader, _) => {
            body(out, "RFC822.HEADER", octets(&section(Some(SectionText::Header))), None)
        }
        (FetchItem::MessageText, _) => {
            body(out, "RFC822.TEXT", octets(&section(Some(SectionText::Text))), None)
        }
        (FetchItem::Section { section, partial, .. }, _) => {
            out.put("BODY[");
            write_section(out, section);
            body(out, "]", octets(section), *partial);
        }
        (FetchItem::Envelope, Some(index)) => {
            out.put("ENVELOPE ");
            envelope::write(out, &index.envelope);
        }
        (FetchItem::Body | FetchItem::BodyStructure, Some(index)) => {
            let extended = *item == FetchItem::BodyStructure;
            out.put(if extended { "BODYSTRUCTURE " } else { "BODY " });
            structure::write(out, &index.root, extended);
        }
        _ => {}
    }
}

/// A name and its octets; `<n>` and no more than asked with a partial (RFC 3501 §6.4.5), NIL where there is no such part.
fn body(out: &mut Out, name: &str, octets: Option<Cow<'_, [u8]>>, partial: Option<(u32, u32)>) {
    out.put(name);
    let Some(octets) = octets else {
        out.put(" NIL");
        return;
    };
    let Some((first, length)) = partial else {
        out.put(' ').literal(&octets);
        return;
    };
    let start = octets.len().min(first as usize);
    let end = octets.len().min(start.saturating_add(length as usize));
    out.put('<').put(first).put("> ").literal(&octets[start..end]);
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
        assert_eq!(written(|out| body(out, "B", Some(Cow::Borrowed(name)), partial)), expected);
    }

    #[test]
    fn partials() {
        check(b"abcdef", None, "B {6}\r\nabcdef");
        check(b"abcdef", Some((0, 3)), "B<0> {3}\r\nabc");
        check(b"abcdef", Some((4, 100)), "B<4> {2}\r\nef");
        check(b"abcdef", Some((6, 1)), "B<6> {0}\r\n");
        check(b"abcdef", Some((u32::MAX, u32::MAX)), "B<4294967295> {0}\r\n");
        assert_eq!(written(|out| body(out, "B", None, Some((0, 3)))), "B NIL");
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
