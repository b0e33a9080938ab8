//! APPEND (RFC 3501 §6.3.11, RFC 3502 §6.3.11) and REPLACE (RFC 8508 §3): their arguments are read when the message is announced, before it is sent.

use super::{Cursor, ParseError, store};
use crate::sequence::SequenceSet;
use crate::{Append, MailboxName, date};

/// An APPEND or REPLACE whose message literal was announced.
#[derive(Debug, Clone, PartialEq)]
pub struct AppendHead {
    /// The command's tag.
    pub tag: String,
    /// Its arguments.
    pub append: Append,
    /// `{n+}`: the message comes without being asked for (RFC 7888 §4).
    pub unasked: bool,
    /// `UTF8 (…)`: a parenthesis follows the message (RFC 6855 §4).
    pub utf8: bool,
    /// REPLACE, and which message it replaces.
    pub replace: Option<Replace>,
}

/// The message that REPLACE replaces (RFC 8508 §3).
#[derive(Debug, Clone, PartialEq)]
pub struct Replace {
    /// UID REPLACE
    pub uid: bool,
    /// One message.
    pub set: SequenceSet,
}

/// Whether this command so far, which ends in a literal's `{n}` and CRLF, is one that announces its message. The mailbox name
/// may be a literal too; then this is `None`, as for every other command.
pub fn append_head(input: &[u8], utf8_names: bool) -> Option<AppendHead> {
    let mut cursor = Cursor::new(input).with_utf8_names(utf8_names);
    let tag = cursor.tag().ok()?;
    cursor.space().ok()?;
    let mut verb = cursor.atom("APPEND").ok()?.to_ascii_uppercase();
    let uid = verb == b"UID";
    if uid {
        cursor.space().ok()?;
        verb = cursor.atom("REPLACE").ok()?.to_ascii_uppercase();
    }
    let replace = match (verb.as_slice(), uid) {
        (b"APPEND", false) => None,
        (b"REPLACE", _) => {
            cursor.space().ok()?;
            Some(Replace { uid, set: cursor.sequence_set().ok()? })
        }
        _ => return None,
    };
    let arguments = arguments(&mut cursor).ok()?;
    Some(AppendHead { tag, replace, ..arguments })
}

/// The next message of the same APPEND (RFC 3502 §6.3.11): what follows the first one's octets, up to the literal's CRLF.
pub fn next_message(line: &[u8], first: &AppendHead) -> Result<AppendHead, ParseError> {
    let mut cursor = Cursor::new(line);
    cursor.space()?;
    let head = message(&mut cursor, first.append.mailbox.clone())?;
    Ok(AppendHead { tag: first.tag.clone(), ..head })
}

/// What an APPEND or REPLACE lacks that is not one of those.
pub(super) fn why_not(cursor: &mut Cursor<'_>, replace: bool) -> ParseError {
    if replace {
        let set = cursor.space().and_then(|()| cursor.sequence_set());
        if let Err(error) = set {
            return error;
        }
    }
    arguments(cursor).err().unwrap_or(ParseError::Expected("a message"))
}

/// `SP mailbox SP append-message`, up to the literal's CRLF
fn arguments(cursor: &mut Cursor<'_>) -> Result<AppendHead, ParseError> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    message(cursor, mailbox)
}

/// `[flag-list SP] [date-time SP] (literal / literal8 / "UTF8" SP "(" literal8)` (RFC 3516 §5, RFC 6855 §4)
fn message(cursor: &mut Cursor<'_>, mailbox: MailboxName) -> Result<AppendHead, ParseError> {
    let mut flags = Default::default();
    if cursor.peek() == Some(b'(') {
        flags = store::flag_list(cursor)?;
        cursor.space()?;
    }
    let mut internal_date = None;
    if cursor.peek() == Some(b'"') {
        let text = cursor.string()?;
        let seconds = date::parse_date_time(&text);
        internal_date =
            Some(seconds.ok_or(ParseError::Expected("a date as in \"17-Jul-1996 02:44:25 -0700\""))?);
        cursor.space()?;
    }
    let mut ahead = cursor.clone();
    let word = ahead.take_while(|b| b.is_ascii_alphanumeric());
    let utf8 = word.eq_ignore_ascii_case(b"UTF8") && ahead.take(b' ') && ahead.take(b'(');
    if utf8 {
        *cursor = ahead;
    }
    let binary = cursor.take(b'~');
    cursor.require(b'{', "the message as a literal")?;
    let size = cursor.number()?.into();
    let unasked = cursor.take(b'+');
    if cursor.rest() != b"}\r\n" {
        return Err(ParseError::Expected("one message as a literal"));
    }
    let (replaces, keywords) = (None, flags.keywords);
    // A message in UTF-8 comes as a literal8, but it is text.
    let binary = binary && !utf8;
    let append = Append { mailbox, flags: flags.system, keywords, internal_date, size, binary, replaces };
    Ok(AppendHead { tag: String::new(), append, unasked, utf8, replace: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keyword, flags};

    #[test]
    fn announced_messages() {
        let head = append_head(b"A003 APPEND saved-messages (\\Seen) {310}\r\n", false).unwrap();
        assert_eq!(head.tag, "A003");
        assert!(!head.unasked);
        assert_eq!(head.append.mailbox, MailboxName::new("saved-messages").unwrap());
        assert_eq!(
            (head.append.flags, head.append.size, head.append.internal_date),
            (flags::SEEN, 310, None)
        );

        let head =
            append_head(b"a append \"x y\" ($Junk) \"17-Jul-1996 02:44:25 -0700\" {0+}\r\n", false).unwrap();
        assert!(head.unasked);
        assert_eq!(head.append.keywords, [Keyword::new("$Junk").unwrap()]);
        assert_eq!(head.append.internal_date, Some(837_596_665));

        let head = append_head(b"a APPEND {5}\r\nINBOX {7}\r\n", false).unwrap();
        assert_eq!((head.append.mailbox, head.append.size), (MailboxName::inbox(), 7));
    }

    /// RFC 3502 §6.3.11's second message, RFC 3516 §4.3, RFC 6855 §4, RFC 8508 §3.
    #[test]
    fn further_forms() {
        let first = append_head(b"A003 APPEND saved (\\Seen) {329}\r\n", false).unwrap();
        let next = next_message(b" () \" 7-Feb-1994 22:43:04 -0800\" {295+}\r\n", &first).unwrap();
        assert_eq!((next.tag.as_str(), &next.append.mailbox), ("A003", &first.append.mailbox));
        assert_eq!((next.append.size, next.append.flags, next.unasked), (295, 0, true));
        for bad in ["x", " x", "{5}\r\n", " {5}"] {
            assert!(next_message(bad.as_bytes(), &first).is_err(), "{bad:?}");
        }
        let head = append_head(b"a APPEND x ~{5}\r\n", false).unwrap();
        assert!(head.append.binary && !head.utf8);
        let head = append_head(b"a APPEND x (\\Draft) UTF8 (~{5+}\r\n", false).unwrap();
        assert!(head.utf8 && head.unasked && !head.append.binary);
        let head = append_head(b"A004 REPLACE 4 Drafts (\\Seen \\Draft) {312}\r\n", false).unwrap();
        assert_eq!(head.replace.as_ref().map(|replace| replace.uid), Some(false));
        let head = append_head(b"A004 uid replace 2000 Drafts {350}\r\n", false).unwrap();
        assert_eq!(head.replace.as_ref().map(|replace| replace.uid), Some(true));
        for bad in ["a UID APPEND x {5}\r\n", "a REPLACE x {5}\r\n", "a REPLACE x y {5}\r\n"] {
            assert_eq!(append_head(bad.as_bytes(), false), None, "{bad:?}");
        }
    }

    #[test]
    fn not_yet_or_not_at_all() {
        for input in [
            "a APPEND {5}\r\n",
            "a LOGIN {5}\r\n",
            "a APPEND INBOX (\\Foo) {5}\r\n",
            "a APPEND INBOX \"yesterday\" {5}\r\n",
            "a APPEND a*b {5}\r\n",
            "a APPEND INBOX {99999999999}\r\n",
            "a APPEND INBOX{5}\r\n",
            "a APPEND INBOX () () {5}\r\n",
            "APPEND INBOX {5}\r\n",
            "a APPEND INBOX {5}\r\nhello\r\n",
        ] {
            assert_eq!(append_head(input.as_bytes(), false), None, "{input:?}");
        }
    }

    #[test]
    fn errors_say_what_is_missing() {
        for (arguments, expected) in [
            (" INBOX", "Expected a space"),
            (" INBOX \"text\"", "Expected a date as in \"17-Jul-1996 02:44:25 -0700\""),
            (" INBOX text", "Expected the message as a literal"),
            (" INBOX {1}\r\nx {1}\r\ny", "Expected one message as a literal"),
        ] {
            assert_eq!(
                why_not(&mut Cursor::new(arguments.as_bytes()), false).to_string(),
                expected,
                "{arguments:?}"
            );
        }
    }
}
