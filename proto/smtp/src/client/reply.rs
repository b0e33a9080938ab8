//! Reads replies of a server: bounded lines, bounded lines of a reply, one code for all of them.
//!
//! RFC 5321 §4.2 (replies), §4.2.1 (theory of reply codes); RFC 2034 §4 (enhanced codes).

use super::config::Limits;
use crate::reply::{Enhanced, Reply};

/// Puts replies together from octets as they come.
#[derive(Debug, Default)]
pub(super) struct ReplyReader {
    line: Vec<u8>,
    code: Option<u16>,
    lines: usize,
    enhanced: Option<Enhanced>,
    text: String,
}

/// Why octets are no reply.
pub(super) type Garbage = &'static str;

impl ReplyReader {
    /// Reads up to the end of a reply; gives the octets used and the reply, if it is complete.
    pub(super) fn read(&mut self, input: &[u8], limits: &Limits) -> (usize, Result<Option<Reply>, Garbage>) {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            let end = rest.iter().position(|b| *b == b'\n');
            let piece = &rest[..end.unwrap_or(rest.len())];
            if self.line.len() + piece.len() > limits.reply_line {
                return (used, Err("a reply line that is too long"));
            }
            self.line.extend_from_slice(piece);
            used += piece.len();
            if end.is_none() {
                return (used, Ok(None));
            }
            used += 1;
            let line = std::mem::take(&mut self.line);
            match self.take_line(&line, limits) {
                Ok(None) => {}
                done => return (used, done),
            }
        }
        (used, Ok(None))
    }

    /// ```text
    /// Reply-line     = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF   RFC 5321 §4.2
    /// Reply-code     = %x32-35 %x30-35 %x30-39
    /// ```
    /// A second digit above 5 is in use (571) and accepted; a line that ends in LF alone too.
    fn take_line(&mut self, line: &[u8], limits: &Limits) -> Result<Option<Reply>, Garbage> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let digits = digits.ok_or("a line that is no reply")?;
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        if !(200..=599).contains(&code) {
            return Err("a reply code that does not exist");
        }
        if self.code.is_some_and(|first| first != code) {
            return Err("a reply with two codes");
        }
        let (last, text) = match line.get(3) {
            None => (true, &line[3..]),
            Some(b' ') => (true, &line[4..]),
            Some(b'-') => (false, &line[4..]),
            Some(_) => return Err("a line that is no reply"),
        };
        self.code = Some(code);
        self.lines += 1;
        if self.lines > limits.reply_lines {
            return Err("a reply with too many lines");
        }
        self.take_text(code, text, limits);
        if !last {
            return Ok(None);
        }
        let done = std::mem::take(self);
        Ok(Some(Reply::received(code, done.enhanced, done.text)))
    }

    /// Adds the text of a line; an enhanced code in front of it is taken off (RFC 2034 §4: every line has the same).
    fn take_text(&mut self, code: u16, text: &[u8], limits: &Limits) {
        let text: String =
            String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let (enhanced, text) = match enhanced(code, &text) {
            Some((enhanced, rest)) => (Some(enhanced), rest),
            None => (None, text.as_str()),
        };
        if self.lines == 1 {
            self.enhanced = enhanced;
        } else {
            self.text.push('\n');
        }
        self.text.push_str(text);
        if self.text.len() > limits.reply_text {
            let end = (0..=limits.reply_text).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
            self.text.truncate(end);
        }
    }
}

/// ```text
/// status-code ::= class "." subject "." detail                             RFC 3463 §2
/// ```
/// Only of the class that the code has.
fn enhanced(code: u16, text: &str) -> Option<(Enhanced, &str)> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut parts = word.split('.');
    let mut part = |most: usize| {
        let part = parts.next().filter(|p| (1..=most).contains(&p.len()))?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u16>().ok()).flatten()
    };
    let (class, subject, detail) = (part(1)?, part(3)?, part(3)?);
    if parts.next().is_some() || class != code / 100 || class == 3 {
        return None;
    }
    Some((Enhanced(class as u8, subject, detail), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All replies, until one is garbage.
    fn read(pieces: &[&[u8]]) -> Vec<Result<String, Garbage>> {
        let limits = Limits { reply_line: 20, reply_lines: 3, reply_text: 30, ..Limits::default() };
        let (mut reader, mut found) = (ReplyReader::default(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (used, read) = reader.read(rest, &limits);
                rest = &rest[used..];
                match read {
                    Ok(None) => {}
                    Ok(Some(reply)) => {
                        let enhanced = reply.enhanced().map(|e| format!("[{e}]")).unwrap_or_default();
                        found.push(Ok(format!("{}{enhanced} {}", reply.code(), reply.text())));
                    }
                    Err(garbage) => {
                        found.push(Err(garbage));
                        return found;
                    }
                }
            }
        }
        found
    }

    fn check(input: &str, expected: &[Result<&str, Garbage>]) {
        let expected: Vec<_> = expected.iter().map(|e| e.map(str::to_owned)).collect();
        assert_eq!(read(&[input.as_bytes()]), expected, "{input:?}");
        let single: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
        assert_eq!(read(&single), expected, "{input:?} octet by octet");
    }

    #[test]
    fn table() {
        check("", &[]);
        check("250 ok", &[]);
        check("250 ok\r\n", &[Ok("250 ok")]);
        check("250 ok\n", &[Ok("250 ok")]);
        check("250\r\n", &[Ok("250 ")]);
        check("220 a\r\n354 b\r\n", &[Ok("220 a"), Ok("354 b")]);
        check("250-a\r\n250-b\r\n250 c\r\n", &[Ok("250 a\nb\nc")]);
        check("550 5.1.1 no\r\n", &[Ok("550[5.1.1] no")]);
        check("550-5.1.1 no\r\n550 5.1.1 way\r\n", &[Ok("550[5.1.1] no\nway")]);
        check("571 5.7.1 x\r\n", &[Ok("571[5.7.1] x")]);
        check("250 2.0.0\r\n", &[Ok("250[2.0.0] ")]);
        // Not an enhanced code of this class, or none at all.
        check("550 4.1.1 no\r\n", &[Ok("550 4.1.1 no")]);
        check("250 1.2.3.4 ok\r\n", &[Ok("250 1.2.3.4 ok")]);
        check("250 \u{e9}\u{7}\r\n", &[Ok("250 \u{e9}?")]);
    }

    #[test]
    fn garbage() {
        for (input, expected) in [
            ("HTTP/1.1 400\r\n", "a line that is no reply"),
            ("\r\n", "a line that is no reply"),
            ("25\r\n", "a line that is no reply"),
            ("250_x\r\n", "a line that is no reply"),
            ("2500 x\r\n", "a line that is no reply"),
            ("199 x\r\n", "a reply code that does not exist"),
            ("600 x\r\n", "a reply code that does not exist"),
            ("250-a\r\n251 b\r\n", "a reply with two codes"),
            ("250-\r\n250-\r\n250-\r\n250 \r\n", "a reply with too many lines"),
            ("250 123456789012345678901\r\n", "a reply line that is too long"),
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "a reply line that is too long"),
        ] {
            check(input, &[Err(expected)]);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        check(
            "550-1234567890123\r\n550-1234567890123\r\n550 1234567\r\n",
            &[Ok("550 1234567890123\n1234567890123\n12")],
        );
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(input in "([0-9 .\r\n-]|250-|250 |\r\n){0,40}", cut in 1..7usize) {
            let pieces: Vec<&[u8]> = input.as_bytes().chunks(cut).collect();
            prop_assert_eq!(read(&pieces), read(&[input.as_bytes()]));
        }

        #[test]
        fn any_octets(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&[&input]);
        }
    }
}
