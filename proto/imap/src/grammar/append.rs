//! APPEND (RFC 3501 §6.3.11): its arguments are read when the message is announced, before it is sent.

use super::{Cursor, ParseError, store};
use crate::{Append, date};

/// An APPEND whose message literal was announced.
#[derive(Debug, Clone, PartialEq)]
pub struct AppendHead {
    /// The command's tag.
    pub tag: String,
    /// Its arguments.
    pub append: Append,
    /// `{n+}`: the message comes without being asked for (RFC 7888 §4).
    pub unasked: bool,
}

/// Whether this command so far, which ends in a literal's `{n}` and CRLF, is an APPEND that announces its message. The
/// mailbox name may be a literal too; then this is `None`, as for every other command.
pub fn append_head(input: &[u8]) -> Option<AppendHead> {
    let mut cursor = Cursor::new(input);
    let tag = cursor.tag().ok()?;
    cursor.space().ok()?;
    if !cursor.atom("APPEND").ok()?.eq_ignore_ascii_case(b"APPEND") {
        return None;
    }
    let (append, unasked) = arguments(&mut cursor).ok()?;
    Some(AppendHead { tag, append, unasked })
}

/// What an APPEND lacks that is not one of those.
pub(super) fn why_not(cursor: &mut Cursor<'_>) -> ParseError {
    arguments(cursor).err().unwrap_or(ParseError::Expected("a message"))
}

/// `SP mailbox [SP flag-list] [SP date-time] SP literal`, up to the literal's CRLF
fn arguments(cursor: &mut Cursor<'_>) -> Result<(Append, bool), ParseError> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
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
    cursor.require(b'{', "the message as a literal")?;
    let size = cursor.number()?.into();
    let unasked = cursor.take(b'+');
    if cursor.rest() != b"}\r\n" {
        return Err(ParseError::Expected("one message as a literal"));
    }
    let append = Append {
        mailbox,
        flags: flags.system,
        keywords: flags.keywords,
        internal_date,
        size,
        binary: false,
        replaces: None,
    };
    Ok((append, unasked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keyword, MailboxName, flags};

    #[test]
    fn announced_messages() {
        let head = append_head(b"A003 APPEND saved-messages (\\Seen) {310}\r\n").unwrap();
        assert_eq!(head.tag, "A003");
        assert!(!head.unasked);
        assert_eq!(head.append.mailbox, MailboxName::new("saved-messages").unwrap());
        assert_eq!(
            (head.append.flags, head.append.size, head.append.internal_date),
            (flags::SEEN, 310, None)
        );

        let head = append_head(b"a append \"x y\" ($Junk) \"17-Jul-1996 02:44:25 -0700\" {0+}\r\n").unwrap();
        assert!(head.unasked);
        assert_eq!(head.append.keywords, [Keyword::new("$Junk").unwrap()]);
        assert_eq!(head.append.internal_date, Some(837_596_665));

        let head = append_head(b"a APPEND {5}\r\nINBOX {7}\r\n").unwrap();
        assert_eq!((head.append.mailbox, head.append.size), (MailboxName::inbox(), 7));
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
            assert_eq!(append_head(input.as_bytes()), None, "{input:?}");
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
                why_not(&mut Cursor::new(arguments.as_bytes())).to_string(),
                expected,
                "{arguments:?}"
            );
        }
    }
}
