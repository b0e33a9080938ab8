//! The fields of a header as they lie in a message, cut but not interpreted.
//!
//! RFC 5322 §2.2 (fields), §2.2.3 (folding), §4.5 (white space before the colon). A line that is no field belongs to the
//! one before it, as broken software means it; signatures see the same octets that are sent.

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, as written.
    pub name: &'a [u8],
    /// What follows the colon, folded as it is, the last line end left out.
    pub value: &'a [u8],
    /// All of it, the last line end included.
    pub raw: &'a [u8],
    /// Where it begins in the message.
    pub offset: usize,
}

impl Field<'_> {
    /// Whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value as text, unfolded (RFC 5322 §2.2.3: line ends go, white space stays), trimmed.
    pub fn text(&self) -> String {
        let octets: Vec<u8> = self.value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
        String::from_utf8_lossy(&octets).trim().to_owned()
    }
}

/// Walks the fields of a message.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    message: &'a [u8],
    at: usize,
}

/// The fields of a message, in order.
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields { message, at: 0 }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let offset = self.at;
            let mut end = line_end(self.message, offset);
            let first = &self.message[offset..end];
            if first.is_empty() || is_empty(first) {
                return None;
            }
            let Some((name, value)) = cut(first) else {
                self.at = end;
                continue;
            };
            while end < self.message.len() {
                let next = line_end(self.message, end);
                let line = &self.message[end..next];
                if is_empty(line) || cut(line).is_some() {
                    break;
                }
                end = next;
            }
            self.at = end;
            let raw = &self.message[offset..end];
            let value = trim_line_end(&raw[value..]);
            return Some(Field { name, value, raw, offset });
        }
    }
}

/// Where the body begins: behind the empty line; at the end when there is none.
pub fn body_offset(message: &[u8]) -> usize {
    let mut at = 0;
    while at < message.len() {
        let end = line_end(message, at);
        if is_empty(&message[at..end]) {
            return end;
        }
        at = end;
    }
    at
}

fn line_end(message: &[u8], from: usize) -> usize {
    message[from..].iter().position(|b| *b == b'\n').map_or(message.len(), |at| from + at + 1)
}

fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

fn trim_line_end(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

/// The name of a field and where its value begins.
fn cut(line: &[u8]) -> Option<(&[u8], usize)> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some((name, colon + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(message: &str, expected: &[(&str, &str)], body: &str) {
        let got: Vec<(String, String)> = fields(message.as_bytes())
            .map(|field| (String::from_utf8_lossy(field.name).into_owned(), field.text()))
            .collect();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(got, expected, "{message:?}");
        assert_eq!(&message[body_offset(message.as_bytes())..], body, "{message:?}");
    }

    #[test]
    fn table() {
        check("", &[], "");
        check("\r\nbody", &[], "body");
        check("A: b\r\n\r\nC: d\r\n", &[("A", "b")], "C: d\r\n");
        check("A: b\r\n c\r\n\td\r\nE:f\r\n\r\n", &[("A", "b c\td"), ("E", "f")], "");
        check("A : b\r\n\r\nx", &[("A", "b")], "x");
        check("A:\r\n\r\n", &[("A", "")], "");
        check("A: b\nC: d\n\nx", &[("A", "b"), ("C", "d")], "x");
        check("From alice Fri\r\nA: b\r\n\r\n", &[("A", "b")], "");
        check("A: b\r\njunk\r\nC: d\r\n\r\n", &[("A", "bjunk"), ("C", "d")], "");
        check("A: b", &[("A", "b")], "");
        check(" folded: first\r\nA: b\r\n\r\n", &[("A", "b")], "");
    }

    proptest! {
        /// The raw fields are pieces of the message, in order and apart.
        #[test]
        fn pieces(message in "(A:|B |: |\r\n|\n| |é){0,24}") {
            let mut at = 0;
            for field in fields(message.as_bytes()) {
                prop_assert!(field.offset >= at);
                at = field.offset + field.raw.len();
                prop_assert_eq!(&message.as_bytes()[field.offset..at], field.raw);
            }
            prop_assert!(at <= body_offset(message.as_bytes()));
        }
    }
}
