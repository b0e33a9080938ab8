//! A reply: code, enhanced status code, text; always written in valid syntax whatever the text holds.
//!
//! RFC 5321 §4.2 (replies), §4.5.3.1.5 (reply line of 512 octets); RFC 2034 §4 and RFC 3463 §2 (enhanced codes).

use std::borrow::Cow;
use std::fmt;

/// Octets of a reply line with code and CRLF (RFC 5321 §4.5.3.1.5).
const LINE_MAX: usize = 512;

/// Lines of one reply: enough for any EHLO; a longer text can only be a mistake of the driver.
const LINES_MAX: usize = 64;

/// An enhanced status code `class.subject.detail` (RFC 3463 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

/// `Reply-code = %x32-35 %x30-35 %x30-39` (RFC 5321 §4.2); anything else is our own mistake.
fn valid(code: u16) -> u16 {
    if (200..=599).contains(&code) && code / 10 % 10 <= 5 { code } else { 451 }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One reply of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced status code. The class of the enhanced code follows the code (RFC 2034 §4: they
    /// must agree); a code that is none becomes 451.
    pub fn new(code: u16, enhanced: Enhanced, text: impl Into<Cow<'static, str>>) -> Reply {
        let code = valid(code);
        let class = if code < 300 { 2 } else { (code / 100) as u8 };
        let enhanced = (class != 3).then_some(Enhanced(class, enhanced.1.min(999), enhanced.2.min(999)));
        Reply { code, enhanced, text: text.into() }
    }

    /// A reply that must not carry an enhanced code: greeting, HELO, EHLO and 3xx (RFC 2034 §4).
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Reply {
        let code = valid(code);
        Reply { code, enhanced: None, text: text.into() }
    }

    /// A reply as a server gave it: its code and enhanced code are what it says, agreeing or not.
    pub(crate) fn received(code: u16, enhanced: Option<Enhanced>, text: String) -> Reply {
        Reply { code, enhanced, text: Cow::Owned(text) }
    }

    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code, if it carries one.
    pub fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// The text; a line feed starts a further line of the reply.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 4yz or 5yz.
    pub fn is_negative(&self) -> bool {
        self.code >= 400
    }

    /// 4yz: the client may try again (RFC 5321 §4.2.1).
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Appends the reply as it goes over the wire.
    ///
    /// ```text
    /// Reply-line     = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF   RFC 5321 §4.2
    /// textstring     = 1*(%d09 / %d32-126)
    /// ```
    /// Every line carries the enhanced code (RFC 2034 §4). Other characters become `?`, so that text of a driver, which may
    /// quote a client, starts no line of its own; lines too long for §4.5.3.1.5 are broken.
    pub fn write(&self, out: &mut Vec<u8>) {
        let prefix = self.enhanced.map(|enhanced| format!("{enhanced} ")).unwrap_or_default();
        let room = LINE_MAX - "250-\r\n".len() - prefix.len();
        let clean = |line: &str| -> Vec<u8> {
            line.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c as u8 } else { b'?' }).collect()
        };
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for line in self.text.split('\n').map(clean) {
            match line.is_empty() {
                true => lines.push(line),
                false => lines.extend(line.chunks(room).map(<[u8]>::to_vec)),
            }
        }
        lines.truncate(LINES_MAX);
        let last = lines.len().saturating_sub(1);
        for (at, line) in lines.iter().enumerate() {
            out.extend_from_slice(self.code.to_string().as_bytes());
            if at < last {
                out.push(b'-');
            } else if !line.is_empty() || !prefix.is_empty() || self.code == 334 {
                // RFC 4954 §8: `continue-req = "334" SP [base64] CRLF`, and msmtp minds the space.
                out.push(b' ');
            }
            let prefix = if line.is_empty() { prefix.trim_end() } else { &prefix };
            out.extend_from_slice(prefix.as_bytes());
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write(&mut out);
        f.write_str(String::from_utf8_lossy(&out).trim_end())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(reply: Reply, expected: &str) {
        let mut out = Vec::new();
        reply.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn written() {
        check(Reply::plain(354, "go ahead"), "354 go ahead\r\n");
        check(Reply::plain(250, ""), "250\r\n");
        check(Reply::plain(334, ""), "334 \r\n");
        check(Reply::new(250, Enhanced(2, 0, 0), ""), "250 2.0.0\r\n");
        check(Reply::new(550, Enhanced(5, 1, 1), "no such user"), "550 5.1.1 no such user\r\n");
        // RFC 5321 §4.2.1 and RFC 2034 §4: the same code and the enhanced code on every line.
        check(Reply::plain(250, "a\nb\nc"), "250-a\r\n250-b\r\n250 c\r\n");
        check(Reply::new(550, Enhanced(5, 7, 1), "a\n\nb"), "550-5.7.1 a\r\n550-5.7.1\r\n550 5.7.1 b\r\n");
        check(Reply::plain(250, "a\n"), "250-a\r\n250\r\n");
    }

    #[test]
    fn nothing_gets_through() {
        check(Reply::new(550, Enhanced(5, 1, 1), "a\r\n250 ok"), "550-5.1.1 a?\r\n550 5.1.1 250 ok\r\n");
        check(Reply::plain(550, "é\0\t"), "550 ???\r\n");
        check(
            Reply::plain(550, "x".repeat(600)),
            &format!("550-{}\r\n550 {}\r\n", "x".repeat(506), "x".repeat(94)),
        );
    }

    /// RFC 2034 §4: the class agrees with the code, and 3yz carries none.
    #[test]
    fn codes() {
        for (code, enhanced, expected) in [
            (550, Enhanced(4, 1, 1), Some(Enhanced(5, 1, 1))),
            (421, Enhanced(5, 3, 2), Some(Enhanced(4, 3, 2))),
            (250, Enhanced(9, 0, 0), Some(Enhanced(2, 0, 0))),
            (354, Enhanced(3, 0, 0), None),
            (550, Enhanced(5, 9999, 1000), Some(Enhanced(5, 999, 999))),
        ] {
            assert_eq!(Reply::new(code, enhanced, "x").enhanced(), expected);
        }
        assert_eq!(Reply::new(7, Enhanced(2, 0, 0), "x").code(), 451);
        assert_eq!(Reply::plain(1000, "x").code(), 451);
        assert_eq!(Reply::plain(560, "x").code(), 451);
        assert!(Reply::plain(421, "").is_temporary() && Reply::plain(421, "").is_negative());
        assert!(!Reply::plain(550, "").is_temporary() && !Reply::plain(354, "").is_negative());
        assert_eq!(Reply::new(550, Enhanced(5, 1, 1), "no").to_string(), "550 5.1.1 no");
    }

    proptest! {
        #[test]
        fn always_valid(code in any::<u16>(), subject in any::<u16>(), text in "(\\PC|\n|\r|\0){0,900}", plain in any::<bool>()) {
            let enhanced = Enhanced((code % 10) as u8, subject, subject);
            let reply = if plain { Reply::plain(code, text) } else { Reply::new(code, enhanced, text) };
            let mut out = Vec::new();
            reply.write(&mut out);
            let text = String::from_utf8(out).unwrap();
            let lines: Vec<&str> = text.split_terminator("\r\n").collect();
            prop_assert!(lines.len() <= LINES_MAX && text.ends_with("\r\n"));
            for (at, line) in lines.iter().enumerate() {
                prop_assert!(line.len() + 2 <= LINE_MAX);
                prop_assert!(line.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{line}");
                prop_assert_eq!(&line[..3], reply.code().to_string());
                let separator = line.as_bytes().get(3).copied();
                prop_assert_eq!(separator == Some(b'-'), at + 1 < lines.len());
                prop_assert!(matches!(separator, None | Some(b' ' | b'-')));
            }
        }
    }
}
