//! GETMETADATA and SETMETADATA (RFC 5464 §5).

use super::{Command, Cursor, GetMetadata, ParseError};
use crate::MailboxName;
use crate::server::config::METADATA_ENTRIES;

/// Octets of an entry's name: a few levels of words; the store keeps it with each value.
const MAX_ENTRY: usize = 255;

/// `"GETMETADATA" [SP getmetadata-options] SP mailbox SP entries`. The RFC's own example (§4.2.1) has the options behind the
/// mailbox; both are taken.
pub(super) fn get(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    let mut get = GetMetadata { mailbox: None, entries: Vec::new(), max_size: None, depth: 0 };
    cursor.space()?;
    let first = cursor.peek() == Some(b'(');
    if first {
        options(cursor, &mut get)?;
        cursor.space()?;
    }
    get.mailbox = mailbox(cursor)?;
    cursor.space()?;
    let mut ahead = cursor.clone();
    if !first && options(&mut ahead, &mut get).is_ok() {
        *cursor = ahead;
        cursor.space()?;
    }
    get.entries = match cursor.take(b'(') {
        false => vec![entry(cursor)?],
        true => list(cursor, entry)?,
    };
    Ok(Command::GetMetadata(get))
}

/// `"SETMETADATA" SP mailbox SP "(" entry-value *(SP entry-value) ")"`
pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    cursor.space()?;
    let mailbox = mailbox(cursor)?;
    cursor.space()?;
    cursor.require(b'(', "( before entries")?;
    let entries = list(cursor, |cursor| {
        let entry = entry(cursor)?;
        cursor.space()?;
        Ok((entry, value(cursor)?))
    })?;
    Ok(Command::SetMetadata { mailbox, entries })
}

/// The items of a list up to its `)`.
fn list<'a, T>(
    cursor: &mut Cursor<'a>,
    mut item: impl FnMut(&mut Cursor<'a>) -> Result<T, ParseError>,
) -> Result<Vec<T>, ParseError> {
    let mut items = Vec::new();
    loop {
        if items.len() == METADATA_ENTRIES {
            return Err(ParseError::TooMany("entries"));
        }
        items.push(item(cursor)?);
        if cursor.take(b')') {
            return Ok(items);
        }
        cursor.space()?;
    }
}

/// `"(" getmetadata-option *(SP getmetadata-option) ")"`
fn options(cursor: &mut Cursor<'_>, get: &mut GetMetadata) -> Result<(), ParseError> {
    cursor.require(b'(', "( before options")?;
    loop {
        let name = cursor.atom("MAXSIZE or DEPTH")?.to_ascii_uppercase();
        cursor.space()?;
        match name.as_slice() {
            b"MAXSIZE" => get.max_size = Some(cursor.number()?),
            b"DEPTH" => {
                get.depth = match cursor.atom("0, 1 or infinity")?.to_ascii_lowercase().as_slice() {
                    b"0" => 0,
                    b"1" => 1,
                    b"infinity" => u32::MAX,
                    _ => return Err(ParseError::Expected("0, 1 or infinity")),
                };
            }
            _ => return Err(ParseError::Expected("MAXSIZE or DEPTH")),
        }
        if cursor.take(b')') {
            return Ok(());
        }
        cursor.space()?;
    }
}

/// A mailbox, or the empty name for the server.
fn mailbox(cursor: &mut Cursor<'_>) -> Result<Option<MailboxName>, ParseError> {
    let mut ahead = cursor.clone();
    if matches!(ahead.string().as_deref(), Ok(b"")) {
        *cursor = ahead;
        return Ok(None);
    }
    cursor.mailbox().map(Some)
}

/// "entry names MUST NOT contain asterisk or percent, two consecutive slashes, or end with one" (RFC 5464 §3.2), nor anything
/// but ASCII; they have no case. Each begins with /private or /shared.
fn entry(cursor: &mut Cursor<'_>) -> Result<String, ParseError> {
    const WHAT: ParseError = ParseError::Expected("an entry as in /private/comment");
    let name = cursor.astring()?;
    if name.len() > MAX_ENTRY || !name.iter().all(|b| matches!(b, b'!'..=b'~')) {
        return Err(WHAT);
    }
    let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
    let kept = name.strip_prefix("/private").or(name.strip_prefix("/shared")).ok_or(WHAT)?;
    let levels =
        kept.strip_prefix('/').map_or(kept.is_empty(), |rest| rest.split('/').all(|l| !l.is_empty()));
    if levels && !name.contains(['*', '%']) { Ok(name) } else { Err(WHAT) }
}

/// `value = nstring / literal8`
fn value(cursor: &mut Cursor<'_>) -> Result<Option<Vec<u8>>, ParseError> {
    match cursor.peek() {
        Some(b'"' | b'{' | b'~') => Ok(Some(cursor.string8()?.into_owned())),
        _ => cursor.nstring().map(|_| None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::parse;

    fn check(text: &str, expected: Option<Command>) {
        assert_eq!(parse(format!("a {text}").as_bytes(), false).command.ok(), expected, "{text:?}");
    }

    fn got(mailbox: &str, entries: &[&str], max_size: Option<u32>, depth: u32) -> Option<Command> {
        let mailbox = (!mailbox.is_empty()).then(|| MailboxName::new(mailbox).unwrap());
        let entries = entries.iter().map(|entry| (*entry).to_owned()).collect();
        Some(Command::GetMetadata(GetMetadata { mailbox, entries, max_size, depth }))
    }

    /// RFC 5464 §4.2's examples.
    #[test]
    fn questions() {
        check("GETMETADATA \"\" /shared/comment", got("", &["/shared/comment"], None, 0));
        check("GETMETADATA \"INBOX\" /private/comment", got("INBOX", &["/private/comment"], None, 0));
        check(
            "GETMETADATA \"INBOX\" (/shared/comment /private/comment)",
            got("INBOX", &["/shared/comment", "/private/comment"], None, 0),
        );
        check(
            "GETMETADATA \"INBOX\" (MAXSIZE 1024) (/shared/comment /private/comment)",
            got("INBOX", &["/shared/comment", "/private/comment"], Some(1024), 0),
        );
        check(
            "GETMETADATA (DEPTH 1) \"INBOX\" (/private/filters/values)",
            got("INBOX", &["/private/filters/values"], None, 1),
        );
        check(
            "GETMETADATA (depth Infinity MAXSIZE 3) a /Private/X",
            got("a", &["/private/x"], Some(3), u32::MAX),
        );
        for bad in [
            "\"\" comment",
            "INBOX /private//x",
            "INBOX /private/",
            "INBOX /private/a*",
            "INBOX /other/a",
            "INBOX /privatex",
            "INBOX ()",
            "(DEPTH 2) INBOX /private/x",
            "(DEPTH) INBOX /private/x",
            "() INBOX /private/x",
            "INBOX",
        ] {
            check(&format!("GETMETADATA {bad}"), None);
        }
        check(&format!("GETMETADATA INBOX /private/{}", "x".repeat(MAX_ENTRY)), None);
    }

    /// RFC 5464 §4.3's examples.
    #[test]
    fn settings() {
        let set = |mailbox: &str, entries: &[(&str, Option<&[u8]>)]| {
            let mailbox = (!mailbox.is_empty()).then(|| MailboxName::new(mailbox).unwrap());
            let entries = entries.iter().map(|(n, v)| ((*n).to_owned(), v.map(<[u8]>::to_vec))).collect();
            Some(Command::SetMetadata { mailbox, entries })
        };
        check(
            "SETMETADATA INBOX (/private/comment {33}\r\nMy new comment across\r\ntwo lines.)",
            set("INBOX", &[("/private/comment", Some(b"My new comment across\r\ntwo lines."))]),
        );
        check("SETMETADATA INBOX (/private/comment NIL)", set("INBOX", &[("/private/comment", None)]));
        check(
            "SETMETADATA \"\" (/private/a \"x\" /shared/b ~{3}\r\na\0b)",
            set("", &[("/private/a", Some(b"x")), ("/shared/b", Some(b"a\0b"))]),
        );
        for bad in ["INBOX /private/a \"x\"", "INBOX ()", "INBOX (/private/a)", "INBOX (/private/a x)"] {
            check(&format!("SETMETADATA {bad}"), None);
        }
        let many = vec!["/private/x NIL"; METADATA_ENTRIES + 1].join(" ");
        check(&format!("SETMETADATA INBOX ({many})"), None);
    }
}
