//! The terminals of RFC 3501 §9: atoms, strings, numbers, sets, mailbox names.

use crate::flags::is_atom_char;
use crate::mailbox::{MailboxName, MailboxNameError, utf7};
use crate::sequence::{Bound, SequenceSet};
use crate::server::config::SEQUENCE_RANGES;
use std::borrow::Cow;
use thiserror::Error;

/// What is wrong with a command; the text goes to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The grammar wants something else here.
    #[error("Expected {0}")]
    Expected(&'static str),
    /// No command of this server.
    #[error("Unknown command")]
    UnknownCommand,
    /// More than the limit that is named.
    #[error("Too many {0}")]
    TooMany(&'static str),
    /// The name can never be one.
    #[error("Invalid mailbox name: {0}")]
    Mailbox(#[from] MailboxNameError),
    /// SEARCH in another charset (RFC 3501 §6.4.4).
    #[error("Charset is not supported")]
    BadCharset,
}

/// A position in a command.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    input: &'a [u8],
    /// Mailbox names are UTF-8 (RFC 6855 §3, RFC 9051 §5.1), not modified UTF-7.
    utf8_names: bool,
}

impl<'a> Cursor<'a> {
    /// At the start.
    pub fn new(input: &'a [u8]) -> Cursor<'a> {
        Cursor { input, utf8_names: false }
    }

    /// Reads mailbox names as UTF-8, once the client has enabled that.
    pub fn with_utf8_names(self, utf8_names: bool) -> Cursor<'a> {
        Cursor { utf8_names, ..self }
    }

    /// The next octet, not consumed.
    pub fn peek(&self) -> Option<u8> {
        self.input.first().copied()
    }

    /// Consumes this octet if it is next.
    pub fn take(&mut self, octet: u8) -> bool {
        match self.input.split_first() {
            Some((first, rest)) if *first == octet => {
                self.input = rest;
                true
            }
            _ => false,
        }
    }

    /// Consumes this octet.
    pub fn require(&mut self, octet: u8, what: &'static str) -> Result<(), ParseError> {
        if self.take(octet) { Ok(()) } else { Err(ParseError::Expected(what)) }
    }

    /// `SP`, exactly one (RFC 3501 §9, note 2).
    pub fn space(&mut self) -> Result<(), ParseError> {
        self.require(b' ', "a space")
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<(), ParseError> {
        if self.input.is_empty() { Ok(()) } else { Err(ParseError::Expected("the end of the line")) }
    }

    /// All that is left, consumed.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.input)
    }

    /// Consumes octets as long as they are wanted.
    pub fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.input.iter().position(|b| !wanted(*b)).unwrap_or(self.input.len());
        let (taken, rest) = self.input.split_at(end);
        self.input = rest;
        taken
    }

    fn take_some(&mut self, wanted: impl Fn(u8) -> bool, what: &'static str) -> Result<&'a [u8], ParseError> {
        let taken = self.take_while(wanted);
        if taken.is_empty() { Err(ParseError::Expected(what)) } else { Ok(taken) }
    }

    /// `tag = 1*<any ASTRING-CHAR except "+">`
    pub fn tag(&mut self) -> Result<String, ParseError> {
        let tag = self.take_some(|b| is_astring_char(b) && b != b'+', "a tag")?;
        Ok(String::from_utf8_lossy(tag).into_owned())
    }

    /// `atom = 1*ATOM-CHAR`
    pub fn atom(&mut self, what: &'static str) -> Result<&'a [u8], ParseError> {
        self.take_some(is_atom_char, what)
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub fn astring(&mut self) -> Result<Cow<'a, [u8]>, ParseError> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => self.take_some(is_astring_char, "a string").map(Cow::Borrowed),
        }
    }

    /// `nstring = string / nil`
    pub fn nstring(&mut self) -> Result<Option<Cow<'a, [u8]>>, ParseError> {
        match self.peek() {
            Some(b'"' | b'{') => self.string().map(Some),
            _ if self.atom("a string or NIL")?.eq_ignore_ascii_case(b"NIL") => Ok(None),
            _ => Err(ParseError::Expected("a string or NIL")),
        }
    }

    /// `string = quoted / literal`
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, ParseError> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(ParseError::Expected("a string")),
        }
    }

    /// `quoted`, 8-bit let through: clients send UTF-8 here. Only `\"` and `\\` are escapes.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, ParseError> {
        self.require(b'"', "a quoted string")?;
        let mut text = Cow::Borrowed(&self.input[..0]);
        loop {
            let plain = self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0));
            match &mut text {
                Cow::Borrowed(b"") => text = Cow::Borrowed(plain),
                text => text.to_mut().extend_from_slice(plain),
            }
            if self.take(b'"') {
                return Ok(text);
            }
            self.require(b'\\', "a closing quote")?;
            match self.peek() {
                Some(escaped @ (b'"' | b'\\')) => {
                    self.take(escaped);
                    text.to_mut().push(escaped);
                }
                _ => return Err(ParseError::Expected("a quote or a backslash after a backslash")),
            }
        }
    }

    /// `literal = "{" number ["+"] "}" CRLF *CHAR8` (RFC 7888 §8); CHAR8 is not NUL.
    fn literal(&mut self) -> Result<&'a [u8], ParseError> {
        const WHAT: ParseError = ParseError::Expected("a literal");
        self.require(b'{', "a literal")?;
        let length = self.number()?;
        self.take(b'+');
        let rest = self.input.strip_prefix(b"}\r\n").ok_or(WHAT)?;
        let length = usize::try_from(length).map_err(|_| WHAT)?;
        let (octets, rest) = rest.split_at_checked(length).ok_or(WHAT)?;
        if octets.contains(&0) {
            return Err(ParseError::Expected("a literal without NUL"));
        }
        self.input = rest;
        Ok(octets)
    }

    /// `literal8 = "~{" number ["+"] "}" CRLF *OCTET` (RFC 3516 §5), or any string.
    pub fn string8(&mut self) -> Result<Cow<'a, [u8]>, ParseError> {
        const WHAT: ParseError = ParseError::Expected("a literal8");
        if !self.take(b'~') {
            return self.string();
        }
        self.require(b'{', "a literal8")?;
        let length = usize::try_from(self.number()?).map_err(|_| WHAT)?;
        self.take(b'+');
        let rest = self.input.strip_prefix(b"}\r\n").ok_or(WHAT)?;
        let (octets, rest) = rest.split_at_checked(length).ok_or(WHAT)?;
        self.input = rest;
        Ok(Cow::Borrowed(octets))
    }

    /// `number = 1*DIGIT`, up to 4,294,967,295
    pub fn number(&mut self) -> Result<u32, ParseError> {
        let digits = self.take_some(|b| b.is_ascii_digit(), "a number")?;
        let text = std::str::from_utf8(digits).ok();
        text.and_then(|text| text.parse().ok()).ok_or(ParseError::Expected("a number of at most 32 bits"))
    }

    /// `nz-number = digit-nz *DIGIT`
    pub fn nz_number(&mut self) -> Result<u32, ParseError> {
        match self.peek() {
            Some(b'1'..=b'9') => self.number(),
            _ => Err(ParseError::Expected("a number above zero")),
        }
    }

    /// `mod-sequence-valzer = "0" / mod-sequence-value`, up to 2^63 - 1 (RFC 7162 §7)
    pub fn modseq(&mut self) -> Result<u64, ParseError> {
        let digits = self.take_some(|b| b.is_ascii_digit(), "a modification sequence")?;
        let text = std::str::from_utf8(digits).ok();
        let number = text.and_then(|text| text.parse().ok()).filter(|number| *number <= i64::MAX as u64);
        number.ok_or(ParseError::Expected("a number of at most 63 bits"))
    }

    /// `sequence-set = (seq-number / seq-range) *("," sequence-set)`, or `$` (RFC 5182 §3 `seq-last-command`)
    pub fn sequence_set(&mut self) -> Result<SequenceSet, ParseError> {
        if self.take(b'$') {
            return Ok(SequenceSet::saved());
        }
        let mut ranges = Vec::new();
        loop {
            if ranges.len() == SEQUENCE_RANGES {
                return Err(ParseError::TooMany("ranges in a sequence set"));
            }
            let low = self.bound()?;
            let high = if self.take(b':') { self.bound()? } else { low };
            ranges.push((low, high));
            if !self.take(b',') {
                return Ok(SequenceSet::new(ranges));
            }
        }
    }

    fn bound(&mut self) -> Result<Bound, ParseError> {
        if self.take(b'*') { Ok(Bound::Largest) } else { self.nz_number().map(Bound::Number) }
    }

    /// `mailbox = "INBOX" / astring`
    pub fn mailbox(&mut self) -> Result<MailboxName, ParseError> {
        let wire = self.mailbox_octets()?;
        Ok(match self.utf8_names {
            true => MailboxName::from_utf8(&wire)?,
            false => MailboxName::from_wire(&wire)?,
        })
    }

    /// A mailbox name or pattern as it is meant; what is in neither encoding stays as it is and names nothing.
    pub fn decode_mailbox(&self, wire: &[u8]) -> String {
        let decoded = if self.utf8_names { None } else { utf7::decode(wire) };
        decoded.unwrap_or_else(|| String::from_utf8_lossy(wire).into_owned())
    }

    /// An astring; unquoted 8-bit is taken for a name where names are UTF-8.
    fn mailbox_octets(&mut self) -> Result<Cow<'a, [u8]>, ParseError> {
        match self.peek() {
            Some(octet) if octet >= 0x80 && self.utf8_names => {
                Ok(Cow::Borrowed(self.take_while(|b| is_astring_char(b) || b >= 0x80)))
            }
            _ => self.astring(),
        }
    }
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials`
pub fn is_astring_char(octet: u8) -> bool {
    is_atom_char(octet) || octet == b']'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: Result<&[u8], ()>) {
        let mut cursor = Cursor::new(input);
        let found = cursor.astring().map_err(drop);
        assert_eq!(found.as_deref(), expected.as_ref().map(|e| *e), "{:?}", String::from_utf8_lossy(input));
    }

    #[test]
    fn strings() {
        check(b"atom]", Ok(b"atom]"));
        check(b"\"quoted \\\"x\\\" \\\\\"", Ok(b"quoted \"x\" \\"));
        check(b"\"\"", Ok(b""));
        check("\"grün\"".as_bytes(), Ok("grün".as_bytes()));
        check(b"{3}\r\na\r\n", Ok(b"a\r\n"));
        check(b"{3+}\r\n\xff\"(", Ok(b"\xff\"("));
        check(b"{0}\r\n", Ok(b""));
        for bad in [
            b"".as_slice(),
            b"(",
            b"\"open",
            b"\"a\\x\"",
            b"\"a\r\n\"",
            b"\"\0\"",
            b"{3}\r\nab",
            b"{3}\nabc",
            b"{}\r\n",
            b"{1}\r\n\0",
            b"{99999999999}\r\n",
            b"{-1}\r\n",
            b"\\Seen",
        ] {
            check(bad, Err(()));
        }
    }

    #[test]
    fn numbers() {
        for (text, expected) in
            [("0", Some(0)), ("4294967295", Some(u32::MAX)), ("4294967296", None), ("", None), ("x", None)]
        {
            assert_eq!(Cursor::new(text.as_bytes()).number().ok(), expected, "{text}");
        }
        for (text, expected) in [("1", Some(1)), ("0", None), ("01", None), ("10", Some(10))] {
            assert_eq!(Cursor::new(text.as_bytes()).nz_number().ok(), expected, "{text}");
        }
    }

    #[test]
    fn tags() {
        for (text, expected) in [
            ("a1 NOOP", Some("a1")),
            ("A.b]-c ", Some("A.b]-c")),
            ("+ x", None),
            ("a+b", Some("a")),
            (" x", None),
        ] {
            assert_eq!(Cursor::new(text.as_bytes()).tag().ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn sequence_sets() {
        let set = Cursor::new(b"2,4:7,9,12:*").sequence_set().unwrap();
        assert_eq!(set.ranges(15), [(2, 2), (4, 7), (9, 9), (12, 15)]);
        for bad in ["", "0", "1,", "1:", ":1", "1:0", "a", "4294967296"] {
            assert!(Cursor::new(bad.as_bytes()).sequence_set().is_err(), "{bad}");
        }
        let many = "1,".repeat(SEQUENCE_RANGES) + "1";
        assert_eq!(
            Cursor::new(many.as_bytes()).sequence_set(),
            Err(ParseError::TooMany("ranges in a sequence set"))
        );
    }
}
