//! The arguments of LIST, LSUB and STATUS (RFC 3501 §9, RFC 5258 §6, RFC 5819 §4, RFC 6154 §6).

use super::{Cursor, ListCommand, ParseError, StatusItem};
use crate::flags::is_atom_char;
use crate::mailbox::pattern::Pattern;
use crate::mailbox::{MAX_NAME, MailboxNameError};
use crate::server::config::LIST_PATTERNS;
use std::borrow::Cow;

/// `[SP list-select-opts] SP mailbox SP mbox-or-pat [SP "RETURN" SP list-return-opts]` (RFC 5258 §6)
pub(super) fn list(cursor: &mut Cursor<'_>) -> Result<ListCommand, ParseError> {
    let mut list = ListCommand::default();
    let mut ahead = cursor.clone();
    if ahead.take(b' ') && ahead.peek() == Some(b'(') {
        *cursor = ahead;
        list.extended = true;
        selection(cursor, &mut list)?;
    }
    cursor.space()?;
    let reference = cursor.astring()?;
    let reference = cursor.decode_mailbox(&reference);
    cursor.space()?;
    if cursor.take(b'(') {
        list.extended = true;
        several(cursor, &reference, &mut list.patterns)?;
    } else {
        list.patterns.extend(pattern(cursor, &reference)?);
    }
    if cursor.take(b' ') {
        if !cursor.atom("RETURN")?.eq_ignore_ascii_case(b"RETURN") {
            return Err(ParseError::Expected("RETURN or the end of the line"));
        }
        cursor.space()?;
        list.extended = true;
        options(cursor, |cursor, name| {
            match name {
                b"SUBSCRIBED" => list.return_subscribed = true,
                // Told in any case.
                b"SPECIAL-USE" | b"CHILDREN" => {}
                b"STATUS" => list.status = status_items(cursor)?,
                _ => return Err(ParseError::Expected("an option of RETURN")),
            }
            Ok(())
        })?;
    }
    Ok(list)
}

/// `SP mailbox SP list-mailbox`
pub(super) fn lsub(cursor: &mut Cursor<'_>) -> Result<ListCommand, ParseError> {
    cursor.space()?;
    let reference = cursor.astring()?;
    let reference = cursor.decode_mailbox(&reference);
    cursor.space()?;
    let patterns = Vec::from_iter(pattern(cursor, &reference)?);
    Ok(ListCommand { patterns, subscribed: true, ..ListCommand::default() })
}

/// RECURSIVEMATCH wants another option beside it that selects (RFC 5258 §3.1); REMOTE adds nothing, for nothing is remote.
fn selection(cursor: &mut Cursor<'_>, list: &mut ListCommand) -> Result<(), ParseError> {
    options(cursor, |_, name| {
        match name {
            b"SUBSCRIBED" => (list.subscribed, list.return_subscribed) = (true, true),
            b"REMOTE" => {}
            b"RECURSIVEMATCH" => list.recursive = true,
            b"SPECIAL-USE" => list.special_use = true,
            _ => return Err(ParseError::Expected("an option of LIST")),
        }
        Ok(())
    })?;
    match list.recursive && !list.subscribed && !list.special_use {
        true => Err(ParseError::Expected("an option beside RECURSIVEMATCH")),
        false => Ok(()),
    }
}

/// A list of options in parentheses, their names in upper case.
fn options<'a>(
    cursor: &mut Cursor<'a>,
    mut option: impl FnMut(&mut Cursor<'a>, &[u8]) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    cursor.require(b'(', "( before options")?;
    if cursor.take(b')') {
        return Ok(());
    }
    loop {
        let name = cursor.atom("an option")?.to_ascii_uppercase();
        option(cursor, &name)?;
        if cursor.take(b')') {
            return Ok(());
        }
        cursor.space()?;
    }
}

/// `patterns = "(" list-mailbox *(SP list-mailbox) ")"`: empty ones match nothing here (RFC 5258 §3).
fn several(cursor: &mut Cursor<'_>, reference: &str, patterns: &mut Vec<Pattern>) -> Result<(), ParseError> {
    for count in 0.. {
        if count == LIST_PATTERNS {
            return Err(ParseError::TooMany("patterns"));
        }
        let empty = Pattern::new("", "");
        patterns.push(pattern(cursor, reference)?.unwrap_or(empty));
        if cursor.take(b')') {
            break;
        }
        cursor.space()?;
    }
    Ok(())
}

/// `[SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]` (RFC 6154 §6)
pub(super) fn uses(cursor: &mut Cursor<'_>) -> Result<Vec<String>, ParseError> {
    let mut uses = Vec::new();
    if !cursor.take(b' ') {
        return Ok(uses);
    }
    options(cursor, |cursor, name| {
        if name != b"USE" {
            return Err(ParseError::Expected("USE"));
        }
        cursor.space()?;
        cursor.require(b'(', "( before special uses")?;
        while !cursor.take(b')') {
            if !uses.is_empty() {
                cursor.space()?;
            }
            if uses.len() == LIST_PATTERNS {
                return Err(ParseError::TooMany("special uses"));
            }
            cursor.require(b'\\', "a special use as in \\Drafts")?;
            let name = cursor.atom("a special use")?.to_ascii_uppercase();
            uses.push(String::from_utf8_lossy(&name).into_owned());
        }
        Ok(())
    })?;
    Ok(uses)
}

/// Reference and name, together no longer than a mailbox name may be: a longer one matches nothing that could not be said
/// shorter, and takes its time (RFC 3501 §6.3.8 sets no limit). What is not modified UTF-7 stays as it is and matches nothing.
fn pattern(cursor: &mut Cursor<'_>, reference: &str) -> Result<Option<Pattern>, ParseError> {
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
    Ok((!name.is_empty()).then(|| Pattern::new(reference, &cursor.decode_mailbox(&name))))
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
            b"SIZE" => StatusItem::Size,
            b"MAILBOXID" => StatusItem::MailboxId,
            b"APPENDLIMIT" => StatusItem::AppendLimit,
            b"DELETED" => StatusItem::Deleted,
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

    fn read(text: &str) -> Option<ListCommand> {
        let mut cursor = Cursor::new(text.as_bytes());
        list(&mut cursor).and_then(|command| cursor.end().map(|()| command)).ok()
    }

    fn check(text: &str, patterns: &[(&str, &str)], more: ListCommand) {
        let patterns = patterns.iter().map(|(reference, name)| Pattern::new(reference, name)).collect();
        assert_eq!(read(text), Some(ListCommand { patterns, ..more }), "{text:?}");
    }

    #[test]
    fn plain_lists() {
        let plain = ListCommand::default;
        check(" \"\" *", &[("", "*")], plain());
        check(" \"\" \"%\"", &[("", "%")], plain());
        check(" \"\" \"\"", &[], plain());
        check(" ~/Mail/ %", &[("~/Mail/", "%")], plain());
        check(" \"\" Entw&APw-r*", &[("", "Entwür*")], plain());
        check(" \"\" {1}\r\n*", &[("", "*")], plain());
    }

    /// With the commands of RFC 5258 §5, RFC 5819 §3 and RFC 6154 §5.
    #[test]
    fn extended_lists() {
        use StatusItem::{Messages, Unseen};
        let list = || ListCommand { extended: true, ..ListCommand::default() };
        let special = || ListCommand { special_use: true, ..list() };
        let subscribed = || ListCommand { subscribed: true, return_subscribed: true, ..list() };
        check(" (SPECIAL-USE) \"\" *", &[("", "*")], special());
        check(" () \"\" *", &[("", "*")], list());
        check(" \"\" * RETURN (SPECIAL-USE)", &[("", "*")], list());
        check(" (special-use) \"\" % return (children special-use)", &[("", "%")], special());
        check(" \"\" * RETURN ()", &[("", "*")], list());
        check(" (SUBSCRIBED) \"\" \"*\"", &[("", "*")], subscribed());
        check(" (REMOTE) \"\" \"%\" RETURN (CHILDREN)", &[("", "%")], list());
        check(" (REMOTE SUBSCRIBED) \"\" \"*\"", &[("", "*")], subscribed());
        let recursive = ListCommand { recursive: true, ..subscribed() };
        check(" (SUBSCRIBED RECURSIVEMATCH) \"\" \"*1\"", &[("", "*1")], recursive);
        check(
            " \"\" (\"INBOX\" \"Drafts\" \"Sent/%\")",
            &[("", "INBOX"), ("", "Drafts"), ("", "Sent/%")],
            list(),
        );
        let status = ListCommand { status: vec![Messages, Unseen], ..list() };
        check(" \"\" % RETURN (STATUS (MESSAGES UNSEEN))", &[("", "%")], status);
        let both = ListCommand { return_subscribed: true, ..list() };
        check(" \"\" \"*\" RETURN (SUBSCRIBED CHILDREN)", &[("", "*")], both);
        check(" \"\" (\"\")", &[("", "")], list());
    }

    #[test]
    fn no_lists() {
        for bad in [
            "",
            " \"\"",
            " \"\" ",
            " x",
            " (RECURSIVEMATCH) \"\" *",
            " (REMOTE RECURSIVEMATCH) \"\" *",
            " (FOO) \"\" *",
            " \"\" * RETURN",
            " \"\" * RETURN (STATUS)",
            " \"\" * RETURN (STATUS ())",
            " \"\" ()",
            " \"\" (a b",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(read(&format!(" \"\" ({})", vec!["a"; LIST_PATTERNS + 1].join(" "))), None);
    }

    /// RFC 6154 §5.
    #[test]
    fn special_uses() {
        let read = |text: &str| {
            let mut cursor = Cursor::new(text.as_bytes());
            uses(&mut cursor).and_then(|uses| cursor.end().map(|()| uses)).ok()
        };
        assert_eq!(read(""), Some(Vec::new()));
        assert_eq!(read(" (USE (\\Drafts \\Sent))"), Some(vec!["DRAFTS".to_owned(), "SENT".to_owned()]));
        assert_eq!(read(" (USE ())"), Some(Vec::new()));
        for bad in [" (USE)", " (USE (Drafts))", " (FOO (\\Drafts))", " (USE (\\Drafts)", " USE"] {
            assert_eq!(read(bad), None, "{bad:?}");
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
