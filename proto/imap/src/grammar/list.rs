//! The arguments of LIST, LSUB and STATUS (RFC 3501 §9; RFC 6154 §6 for the SPECIAL-USE forms).

use super::{Cursor, ListCommand, ParseError, StatusItem};
use crate::flags::is_atom_char;
use crate::mailbox::pattern::Pattern;
use crate::mailbox::{MAX_NAME, MailboxNameError, utf7};
use std::borrow::Cow;

/// `[SP "(" ["SPECIAL-USE"] ")"] SP mailbox SP list-mailbox [SP "RETURN" SP "(" … ")"]`
///
/// Of RFC 5258's options only those of RFC 6154 §2 and RFC 3348 are there; what they return is returned anyway.
pub(super) fn list(cursor: &mut Cursor<'_>) -> Result<ListCommand, ParseError> {
    let mut special_use_only = false;
    let mut ahead = cursor.clone();
    if ahead.take(b' ') && ahead.peek() == Some(b'(') {
        *cursor = ahead;
        special_use_only = options(cursor, &["SPECIAL-USE"])?;
    }
    let pattern = pattern(cursor)?;
    if cursor.take(b' ') {
        if !cursor.atom("RETURN")?.eq_ignore_ascii_case(b"RETURN") {
            return Err(ParseError::Expected("RETURN or the end of the line"));
        }
        cursor.space()?;
        options(cursor, &["SPECIAL-USE", "CHILDREN"])?;
    }
    Ok(ListCommand { pattern, special_use_only })
}

/// `SP mailbox SP list-mailbox`
pub(super) fn lsub(cursor: &mut Cursor<'_>) -> Result<ListCommand, ParseError> {
    Ok(ListCommand { pattern: pattern(cursor)?, special_use_only: false })
}

/// A list of options in parentheses; whether there was one.
fn options(cursor: &mut Cursor<'_>, known: &[&str]) -> Result<bool, ParseError> {
    cursor.require(b'(', "( before options")?;
    if cursor.take(b')') {
        return Ok(false);
    }
    loop {
        let name = cursor.atom("an option")?;
        if !known.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name)) {
            return Err(ParseError::Expected("an option of SPECIAL-USE"));
        }
        if cursor.take(b')') {
            return Ok(true);
        }
        cursor.space()?;
    }
}

/// Reference and name, together no longer than a mailbox name may be: a longer one matches nothing that could not be said
/// shorter, and takes its time (RFC 3501 §6.3.8 sets no limit). What is not modified UTF-7 stays as it is and matches nothing.
fn pattern(cursor: &mut Cursor<'_>) -> Result<Option<Pattern>, ParseError> {
    cursor.space()?;
    let reference = decode(&cursor.astring()?);
    cursor.space()?;
    let name = match cursor.peek() {
        Some(b'"' | b'{') => cursor.string()?,
        // list-char = ATOM-CHAR / list-wildcards / resp-specials
        _ => match cursor.take_while(|b| is_atom_char(b) || matches!(b, b'%' | b'*' | b']')) {
            [] => return Err(ParseError::Expected("a mailbox name or pattern")),
            name => Cow::Borrowed(name),
        },
    };
    if reference.len() + name.len() > MAX_NAME {
        return Err(ParseError::Mailbox(MailboxNameError::TooLong));
    }
    Ok((!name.is_empty()).then(|| Pattern::new(&reference, &decode(&name))))
}

fn decode(wire: &[u8]) -> String {
    utf7::decode(wire).unwrap_or_else(|| String::from_utf8_lossy(wire).into_owned())
}

/// `SP "(" status-att *(SP status-att) ")"`
pub(super) fn status_items(cursor: &mut Cursor<'_>) -> Result<Vec<StatusItem>, ParseError> {
    cursor.space()?;
    cursor.require(b'(', "( before STATUS items")?;
    let mut items = Vec::new();
    loop {
        let item = match cursor.atom("a STATUS item")?.to_ascii_uppercase().as_slice() {
            b"MESSAGES" => StatusItem::Messages,
            b"RECENT" => StatusItem::Recent,
            b"UIDNEXT" => StatusItem::UidNext,
            b"UIDVALIDITY" => StatusItem::UidValidity,
            b"UNSEEN" => StatusItem::Unseen,
            b"HIGHESTMODSEQ" => StatusItem::HighestModseq,
            _ => return Err(ParseError::Expected("a STATUS item")),
        };
        if !items.contains(&item) {
            items.push(item);
        }
        if cursor.take(b')') {
            return Ok(items);
        }
        cursor.space()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(Option<(&str, &str)>, bool)>) {
        let mut cursor = Cursor::new(text.as_bytes());
        let found = list(&mut cursor).and_then(|command| cursor.end().map(|()| command)).ok();
        let expected = expected.map(|(pattern, special_use_only)| ListCommand {
            pattern: pattern.map(|(reference, name)| Pattern::new(reference, name)),
            special_use_only,
        });
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn lists() {
        check(" \"\" *", Some((Some(("", "*")), false)));
        check(" \"\" \"%\"", Some((Some(("", "%")), false)));
        check(" \"\" \"\"", Some((None, false)));
        check(" ~/Mail/ %", Some((Some(("~/Mail/", "%")), false)));
        check(" \"\" Entw&APw-r*", Some((Some(("", "Entwür*")), false)));
        check(" \"\" {1}\r\n*", Some((Some(("", "*")), false)));
        check(" (SPECIAL-USE) \"\" *", Some((Some(("", "*")), true)));
        check(" () \"\" *", Some((Some(("", "*")), false)));
        check(" \"\" * RETURN (SPECIAL-USE)", Some((Some(("", "*")), false)));
        check(" (special-use) \"\" % return (children special-use)", Some((Some(("", "%")), true)));
        check(" \"\" * RETURN ()", Some((Some(("", "*")), false)));
        for bad in [
            "",
            " \"\"",
            " \"\" ",
            " x",
            " (SUBSCRIBED) \"\" *",
            " \"\" * RETURN",
            " \"\" * RETURN (STATUS)",
            " \"\" (a b)",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn status() {
        use StatusItem::{Messages, UidNext, Unseen};
        let items = |text: &str| status_items(&mut Cursor::new(text.as_bytes())).ok();
        assert_eq!(items(" (MESSAGES unseen MESSAGES)"), Some(vec![Messages, Unseen]));
        assert_eq!(items(" (UIDNEXT)"), Some(vec![UidNext]));
        for bad in ["", " ()", " (", " MESSAGES", " (NOSUCHITEM)", " (UIDNEXT"] {
            assert_eq!(items(bad), None, "{bad:?}");
        }
    }
}
