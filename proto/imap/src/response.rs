//! Responses as the server writes them (RFC 3501 §7, §9): status lines, strings, data.

pub mod code;
pub mod envelope;
pub mod structure;

pub use code::Code;

use crate::MailboxName;
use std::fmt::Display;
use std::io::Write;

/// Octets of a quoted string; a longer text becomes a literal, for clients read lines into buffers.
const MAX_QUOTED: usize = 1000;

/// `resp-cond-state` of RFC 3501 §9: what a status line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// RFC 3501 §7.1.1
    Ok,
    /// RFC 3501 §7.1.2
    No,
    /// RFC 3501 §7.1.3
    Bad,
    /// RFC 3501 §7.1.5
    Bye,
}

impl Condition {
    fn word(self) -> &'static str {
        match self {
            Condition::Ok => "OK",
            Condition::No => "NO",
            Condition::Bad => "BAD",
            Condition::Bye => "BYE",
        }
    }
}

/// The output that has been made and not sent yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Out {
    bytes: Vec<u8>,
}

impl Out {
    /// Octets waiting.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Hands the octets over.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Text that is part of the grammar as it is.
    pub fn put(&mut self, text: impl Display) -> &mut Out {
        // Writing to a Vec does not fail.
        let _ = write!(self.bytes, "{text}");
        self
    }

    /// The same for a text that is at hand: what there is ten thousand times in one answer is not formatted.
    pub fn text(&mut self, text: &str) -> &mut Out {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// A status line: `tag OK [CODE] text`. The text is one line whatever is in it.
    pub fn status(&mut self, tag: &str, condition: Condition, code: Option<&Code>, text: &str) {
        self.put(tag).put(' ').put(condition.word());
        if let Some(code) = code {
            self.put(" [").put(code).put(']');
        }
        let line = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' });
        let line: String = line.collect();
        self.put(' ').put(if line.is_empty() { "Done" } else { &line }).end();
    }

    /// An untagged line that is only text of the grammar.
    pub fn untagged(&mut self, line: impl Display) {
        self.put("* ").put(line).end();
    }

    /// The end of a line.
    pub fn end(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// `string`: quoted where it can be, else a literal.
    pub fn string(&mut self, text: &[u8]) -> &mut Out {
        if text.len() > MAX_QUOTED || !text.iter().all(|b| matches!(b, b' '..=b'~')) {
            return self.literal(text);
        }
        self.quoted(text)
    }

    /// `nstring`
    pub fn nstring(&mut self, text: Option<&[u8]>) -> &mut Out {
        match text {
            Some(text) => self.string(text),
            None => self.text("NIL"),
        }
    }

    /// `astring`: an atom where it can be one.
    pub fn astring(&mut self, text: &[u8]) -> &mut Out {
        let atom = !text.is_empty() && text.iter().all(|b| crate::grammar::is_astring_char(*b));
        if atom && !text.eq_ignore_ascii_case(b"NIL") {
            self.bytes.extend_from_slice(text);
            return self;
        }
        self.string(text)
    }

    /// `mailbox`: in UTF-8 where the client has enabled that (RFC 6855 §3, RFC 9051 §5.1), else in modified UTF-7.
    pub fn mailbox(&mut self, name: &MailboxName, utf8: bool) -> &mut Out {
        if !utf8 || name.as_str().is_ascii() {
            return self.astring(if utf8 { name.as_str().into() } else { name.to_wire() }.as_bytes());
        }
        self.quoted(name.as_str().as_bytes())
    }

    /// `quoted` of text without line ends and NUL.
    fn quoted(&mut self, text: &[u8]) -> &mut Out {
        let special = |octet: &u8| matches!(octet, b'"' | b'\\');
        self.bytes.push(b'"');
        let mut rest = text;
        while let Some(at) = rest.iter().position(special) {
            self.bytes.extend_from_slice(&rest[..at]);
            self.bytes.extend_from_slice(&[b'\\', rest[at]]);
            rest = &rest[at + 1..];
        }
        self.bytes.extend_from_slice(rest);
        self.bytes.push(b'"');
        self
    }

    /// `literal`, 8-bit clean.
    pub fn literal(&mut self, octets: &[u8]) -> &mut Out {
        self.literal_size(octets.len()).literal_octets(octets)
    }

    /// The front of a literal of so many octets.
    pub fn literal_size(&mut self, size: usize) -> &mut Out {
        self.put('{').put(size).put("}\r\n")
    }

    /// Octets of a literal. CHAR8 is not NUL (RFC 3501 §9): a NUL that the message has is sent as 0x80, so that sizes and
    /// offsets stay true.
    pub fn literal_octets(&mut self, octets: &[u8]) -> &mut Out {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(octets);
        for octet in self.bytes[from..].iter_mut().filter(|octet| **octet == 0) {
            *octet = 0x80;
        }
        self
    }

    /// Octets as they are, for a literal8 (RFC 3516 §5).
    pub fn binary_octets(&mut self, octets: &[u8]) -> &mut Out {
        self.bytes.extend_from_slice(octets);
        self
    }

    /// A list in parentheses, its items a space apart.
    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Out, T),
    ) -> &mut Out {
        self.text("(");
        for (at, each) in items.into_iter().enumerate() {
            if at > 0 {
                self.text(" ");
            }
            item(self, each);
        }
        self.text(")")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a closure writes, as text.
    pub(crate) fn written(write: impl FnOnce(&mut Out)) -> String {
        let mut out = Out::default();
        write(&mut out);
        String::from_utf8_lossy(&out.take()).into_owned()
    }

    #[test]
    fn strings() {
        for (text, string, astring) in [
            ("", "\"\"", "\"\""),
            ("INBOX", "\"INBOX\"", "INBOX"),
            ("a]b", "\"a]b\"", "a]b"),
            ("nil", "\"nil\"", "\"nil\""),
            ("two words", "\"two words\"", "\"two words\""),
            ("q\"b\\", "\"q\\\"b\\\\\"", "\"q\\\"b\\\\\""),
            ("ü", "{2}\r\nü", "{2}\r\nü"),
            ("a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"),
        ] {
            assert_eq!(
                written(|out| {
                    out.string(text.as_bytes());
                }),
                string
            );
            assert_eq!(
                written(|out| {
                    out.astring(text.as_bytes());
                }),
                astring
            );
        }
        assert_eq!(
            written(|out| {
                out.nstring(None);
            }),
            "NIL"
        );
        assert!(
            written(|out| {
                out.string(&[b'x'; MAX_QUOTED + 1]);
            })
            .starts_with("{1001}\r\n")
        );
        let mut out = Out::default();
        out.literal(b"a\0b");
        assert_eq!(out.take(), b"{3}\r\na\x80b");
    }

    #[test]
    fn status_lines() {
        let line = |code, text| written(|out| out.status("a1", Condition::No, code, text));
        assert_eq!(line(None, "No such mailbox"), "a1 NO No such mailbox\r\n");
        assert_eq!(line(Some(&Code::TryCreate), "x"), "a1 NO [TRYCREATE] x\r\n");
        assert_eq!(line(None, "two\r\nlines ü"), "a1 NO two??lines ?\r\n");
        assert_eq!(line(None, ""), "a1 NO Done\r\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in proptest::collection::vec(1u8.., 0..40)) {
            let mut out = Out::default();
            out.astring(&text);
            let bytes = out.take();
            let mut cursor = crate::grammar::Cursor::new(&bytes);
            prop_assert_eq!(cursor.astring().unwrap().into_owned(), text);
            prop_assert!(cursor.end().is_ok());
        }
    }
}
