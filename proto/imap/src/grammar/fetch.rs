//! The items of FETCH (RFC 3501 §9 `fetch-att`) and its macros (RFC 3501 §6.4.5).

use super::{Cursor, FetchItem, ParseError};
use crate::message::{Section, SectionText};
use crate::server::config::FETCH_ITEMS;

/// ` SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")`
pub(super) fn items(cursor: &mut Cursor<'_>) -> Result<Vec<FetchItem>, ParseError> {
    cursor.space()?;
    if !cursor.take(b'(') {
        let mut ahead = cursor.clone();
        let name = ahead.take_while(|b| b.is_ascii_alphabetic()).to_ascii_uppercase();
        if let Some(items) = expand_macro(&name).filter(|_| matches!(ahead.peek(), None | Some(b' '))) {
            *cursor = ahead;
            return Ok(items);
        }
        return Ok(vec![item(cursor)?]);
    }
    let mut items = Vec::new();
    loop {
        if items.len() == FETCH_ITEMS {
            return Err(ParseError::TooMany("items in FETCH"));
        }
        items.push(item(cursor)?);
        if cursor.take(b')') {
            return Ok(items);
        }
        cursor.space()?;
    }
}

/// `[SP "(" fetch-modifier *(SP fetch-modifier) ")"]`: CHANGEDSINCE and its VANISHED (RFC 7162 §7)
pub(super) fn modifiers(cursor: &mut Cursor<'_>) -> Result<(Option<u64>, bool), ParseError> {
    let (mut changed_since, mut vanished) = (None, false);
    if !cursor.take(b' ') {
        return Ok((changed_since, vanished));
    }
    cursor.require(b'(', "( before FETCH modifiers")?;
    loop {
        match cursor.atom("a FETCH modifier")?.to_ascii_uppercase().as_slice() {
            b"CHANGEDSINCE" => {
                cursor.space()?;
                changed_since = Some(cursor.modseq()?);
            }
            b"VANISHED" => vanished = true,
            _ => return Err(ParseError::Expected("a FETCH modifier that this server knows")),
        }
        if cursor.take(b')') {
            break;
        }
        cursor.space()?;
    }
    match (changed_since, vanished) {
        (None, true) => Err(ParseError::Expected("CHANGEDSINCE beside VANISHED")),
        known => Ok(known),
    }
}

fn expand_macro(name: &[u8]) -> Option<Vec<FetchItem>> {
    let mut items = vec![FetchItem::Flags, FetchItem::InternalDate, FetchItem::Size];
    match name {
        b"FAST" => {}
        b"ALL" => items.push(FetchItem::Envelope),
        b"FULL" => items.extend([FetchItem::Envelope, FetchItem::Body]),
        _ => return None,
    }
    Some(items)
}

fn item(cursor: &mut Cursor<'_>) -> Result<FetchItem, ParseError> {
    let name = cursor.take_while(|b| b.is_ascii_alphanumeric() || b == b'.').to_ascii_uppercase();
    Ok(match name.as_slice() {
        b"BODY" if cursor.peek() == Some(b'[') => section_item(cursor, false)?,
        b"BODY.PEEK" => section_item(cursor, true)?,
        b"BODY" => FetchItem::Body,
        b"BODYSTRUCTURE" => FetchItem::BodyStructure,
        b"ENVELOPE" => FetchItem::Envelope,
        b"FLAGS" => FetchItem::Flags,
        b"INTERNALDATE" => FetchItem::InternalDate,
        b"MODSEQ" => FetchItem::Modseq,
        b"RFC822" => FetchItem::Message,
        b"RFC822.HEADER" => FetchItem::MessageHeader,
        b"RFC822.SIZE" => FetchItem::Size,
        b"RFC822.TEXT" => FetchItem::MessageText,
        b"UID" => FetchItem::Uid,
        b"SAVEDATE" => FetchItem::SaveDate,
        b"EMAILID" => FetchItem::EmailId,
        b"THREADID" => FetchItem::ThreadId,
        b"PREVIEW" => preview(cursor)?,
        b"BINARY" => binary(cursor, false)?,
        b"BINARY.PEEK" => binary(cursor, true)?,
        b"BINARY.SIZE" => FetchItem::BinarySize { part: section_part(cursor)? },
        _ => return Err(ParseError::Expected("a FETCH item")),
    })
}

/// `section ["<" number "." nz-number ">"]`
fn section_item(cursor: &mut Cursor<'_>, peek: bool) -> Result<FetchItem, ParseError> {
    let section = section(cursor)?;
    Ok(FetchItem::Section { section, peek, partial: partial(cursor)? })
}

/// `["<" number "." nz-number ">"]`
fn partial(cursor: &mut Cursor<'_>) -> Result<Option<(u32, u32)>, ParseError> {
    if !cursor.take(b'<') {
        return Ok(None);
    }
    let first = cursor.number()?;
    cursor.require(b'.', "the length of the part that is wanted")?;
    let length = cursor.nz_number()?;
    cursor.require(b'>', "> after a partial range")?;
    Ok(Some((first, length)))
}

/// `"BINARY" [".PEEK"] section-binary [partial]` (RFC 3516 §5)
fn binary(cursor: &mut Cursor<'_>, peek: bool) -> Result<FetchItem, ParseError> {
    let part = section_part(cursor)?;
    Ok(FetchItem::Binary { part, peek, partial: partial(cursor)? })
}

/// `section-binary = "[" [section-part] "]"`
fn section_part(cursor: &mut Cursor<'_>) -> Result<Vec<u32>, ParseError> {
    match section(cursor)? {
        Section { part, text: None } => Ok(part),
        _ => Err(ParseError::Expected("a part as in BINARY[1.2]")),
    }
}

/// `"PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]` (RFC 8970 §6); LAZY is the only one.
fn preview(cursor: &mut Cursor<'_>) -> Result<FetchItem, ParseError> {
    let mut ahead = cursor.clone();
    if ahead.take(b' ')
        && ahead.take(b'(')
        && ahead.atom("LAZY").is_ok_and(|word| word.eq_ignore_ascii_case(b"LAZY"))
    {
        ahead.require(b')', ") after LAZY")?;
        *cursor = ahead;
    }
    Ok(FetchItem::Preview)
}

/// `section = "[" [section-spec] "]"`
fn section(cursor: &mut Cursor<'_>) -> Result<Section, ParseError> {
    const WHAT: ParseError = ParseError::Expected("a section as in BODY[1.2.MIME]");
    cursor.require(b'[', "[ of a section")?;
    let mut part = Vec::new();
    let mut dot = false;
    while matches!(cursor.peek(), Some(b'1'..=b'9')) {
        part.push(cursor.nz_number()?);
        dot = cursor.take(b'.');
        if !dot {
            break;
        }
    }
    if cursor.take(b']') {
        return if dot { Err(WHAT) } else { Ok(Section { part, text: None }) };
    }
    if !part.is_empty() && !dot {
        return Err(WHAT);
    }
    let name = cursor.take_while(|b| b.is_ascii_alphabetic() || b == b'.').to_ascii_uppercase();
    let text = match name.as_slice() {
        b"HEADER" => SectionText::Header,
        b"HEADER.FIELDS" => SectionText::Fields(header_list(cursor)?),
        b"HEADER.FIELDS.NOT" => SectionText::FieldsNot(header_list(cursor)?),
        b"TEXT" => SectionText::Text,
        b"MIME" if !part.is_empty() => SectionText::Mime,
        _ => return Err(WHAT),
    };
    cursor.require(b']', "] after a section")?;
    Ok(Section { part, text: Some(text) })
}

/// `SP "(" header-fld-name *(SP header-fld-name) ")"`
fn header_list(cursor: &mut Cursor<'_>) -> Result<Vec<Vec<u8>>, ParseError> {
    cursor.space()?;
    cursor.require(b'(', "( before header field names")?;
    let mut names = Vec::new();
    loop {
        if names.len() == FETCH_ITEMS {
            return Err(ParseError::TooMany("header fields in FETCH"));
        }
        names.push(cursor.astring()?.into_owned());
        if cursor.take(b')') {
            return Ok(names);
        }
        cursor.space()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[FetchItem]) {
        let mut cursor = Cursor::new(text.as_bytes());
        assert_eq!(items(&mut cursor).as_deref(), Ok(expected), "{text:?}");
        assert_eq!(cursor.end(), Ok(()), "{text:?}");
    }

    fn body(part: &[u32], text: Option<SectionText>, peek: bool, partial: Option<(u32, u32)>) -> FetchItem {
        FetchItem::Section { section: Section { part: part.to_vec(), text }, peek, partial }
    }

    #[test]
    fn names_and_macros() {
        use FetchItem::{
            Body, BodyStructure, Envelope, Flags, InternalDate, Message, MessageHeader, MessageText, Size,
            Uid,
        };
        check(" FAST", &[Flags, InternalDate, Size]);
        check(" all", &[Flags, InternalDate, Size, Envelope]);
        check(" Full", &[Flags, InternalDate, Size, Envelope, Body]);
        check(" (UID FLAGS)", &[Uid, Flags]);
        check(" body", &[Body]);
        check(
            " (bodystructure RFC822 rfc822.header RFC822.TEXT)",
            &[BodyStructure, Message, MessageHeader, MessageText],
        );
    }

    #[test]
    fn sections() {
        use SectionText::{Fields, FieldsNot, Header, Mime, Text};
        check(" BODY[]", &[body(&[], None, false, None)]);
        check(" BODY.PEEK[]<0.100>", &[body(&[], None, true, Some((0, 100)))]);
        check(" BODY[1.2]", &[body(&[1, 2], None, false, None)]);
        check(" BODY[HEADER]", &[body(&[], Some(Header), false, None)]);
        check(" body[3.text]", &[body(&[3], Some(Text), false, None)]);
        check(" BODY[1.2.MIME]<5.1>", &[body(&[1, 2], Some(Mime), false, Some((5, 1)))]);
        let names = vec![b"DATE".to_vec(), b"From".to_vec()];
        check(" BODY.PEEK[HEADER.FIELDS (DATE From)]", &[body(&[], Some(Fields(names.clone())), true, None)]);
        check(
            " BODY[4.HEADER.FIELDS.NOT (\"DATE\" From)]",
            &[body(&[4], Some(FieldsNot(names)), false, None)],
        );
    }

    #[test]
    fn wrong_items() {
        for text in [
            "",
            " ",
            " ()",
            " (",
            " (UID",
            " (UID ALL)",
            " (UID  FLAGS)",
            " RFC822.SIZES",
            " BODY[",
            " BODY[1.]",
            " BODY[0]",
            " BODY[MIME]",
            " BODY[1HEADER]",
            " BODY[HEADER.FIELDS ()]",
            " BODY[HEADER.FIELDS (A]",
            " BODY[X]",
            " BODY.PEEK",
            " BODY[]<0>",
            " BODY[]<0.0>",
            " BODY[]<.5>",
            " BODY[]<0.5",
            " BODY[1..2]",
        ] {
            let mut cursor = Cursor::new(text.as_bytes());
            assert!(items(&mut cursor).and_then(|_| cursor.end()).is_err(), "{text:?}");
        }
        let many = format!(" ({}UID)", "UID ".repeat(FETCH_ITEMS));
        assert_eq!(items(&mut Cursor::new(many.as_bytes())), Err(ParseError::TooMany("items in FETCH")));
    }
}
