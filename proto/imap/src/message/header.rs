//! Fields of a message header (RFC 5322 §2.2) as they lie in the raw bytes.

use std::borrow::Cow;

/// Octets of one field that are looked at for the index: longer than 5,000 addresses, short beside a message.
pub const MAX_FIELD: usize = 256 * 1024;

/// One field: its lines as they are, and where name and value lie in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// All lines of the field with their line ends.
    pub raw: &'a [u8],
    /// What stands before the colon, without white space at its end; empty for a line that is no field.
    pub name: &'a [u8],
    /// What stands behind the colon, folded as it is.
    pub value: &'a [u8],
}

/// The fields of a header, in order. The blank line at the end is none; lines that are no field come with an empty name, so
/// that the fields' raw bytes are the whole header.
pub fn fields(header: &[u8]) -> Fields<'_> {
    Fields { rest: header }
}

/// See [`fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let mut end = line_length(self.rest);
        if end == 0 || is_blank(&self.rest[..end]) {
            return None;
        }
        while matches!(self.rest.get(end), Some(b' ' | b'\t')) {
            end += line_length(&self.rest[end..]);
        }
        let (raw, rest) = self.rest.split_at(end);
        self.rest = rest;
        let colon = raw[..line_length(raw)].iter().position(|b| *b == b':');
        let (name, value) = match colon {
            Some(at) => (raw[..at].trim_ascii_end(), &raw[at + 1..]),
            None => (&raw[..0], raw),
        };
        Some(Field { raw, name, value })
    }
}

impl<'a> Field<'a> {
    /// Whether this is the field of that name; names have no case (RFC 5322 §1.2.2).
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value on one line, without white space around it, at most [`MAX_FIELD`] octets. Where it was folded (RFC 5322
    /// §2.2.3) stands one space, whatever white space the fold had: ENVELOPE and SEARCH are for reading.
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        unfold(&self.value[..self.value.len().min(MAX_FIELD)])
    }
}

/// One line of a folded text, without the white space around.
fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if !value.iter().any(|b| matches!(b, b'\r' | b'\n')) {
        return Cow::Borrowed(value);
    }
    let mut line = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(end) = rest.iter().position(|b| matches!(b, b'\r' | b'\n')) {
        line.extend_from_slice(rest[..end].trim_ascii_end());
        rest = rest[end..].trim_ascii_start();
        line.push(b' ');
    }
    line.extend_from_slice(rest);
    Cow::Owned(line)
}

/// Octets of the first line with its line end; 0 at the end of the text.
pub fn line_length(text: &[u8]) -> usize {
    text.iter().position(|b| *b == b'\n').map_or(text.len(), |at| at + 1)
}

/// Whether a line is only its line end.
pub fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

/// Whether a line can stand in a header: a field (RFC 5322 §3.6.8 `ftext` before the colon, §4.5 with white space there), a
/// folded line, or the `From ` line of an mbox.
pub fn is_header_line(line: &[u8]) -> bool {
    if matches!(line.first(), Some(b' ' | b'\t')) || line.starts_with(b"From ") || line.starts_with(b">From ")
    {
        return true;
    }
    let colon = line.iter().position(|b| *b == b':').unwrap_or(0);
    let name = line[..colon].trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// The header's subset for `HEADER.FIELDS` (RFC 3501 §6.4.5): fields whose name is wanted, and a blank line.
pub fn subset(header: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut kept = Vec::new();
    for field in fields(header) {
        if !field.name.is_empty() && wanted(field.name) {
            kept.extend_from_slice(field.raw);
            if !field.raw.ends_with(b"\n") {
                kept.extend_from_slice(b"\r\n");
            }
        }
    }
    kept.extend_from_slice(b"\r\n");
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &[u8] =
        b"From: alice@example.test\r\nSubject : folded\r\n\tover two lines \r\nno field at all\r\nX-Empty:\r\n\r\nbody: no\r\n";

    #[test]
    fn fields_of_a_header() {
        let found: Vec<(&[u8], Vec<u8>)> =
            fields(HEADER).map(|f| (f.name, f.unfolded().into_owned())).collect();
        let expected: [(&[u8], &[u8]); 4] = [
            (b"From", b"alice@example.test"),
            (b"Subject", b"folded over two lines"),
            (b"", b"no field at all"),
            (b"X-Empty", b""),
        ];
        assert_eq!(found.len(), expected.len());
        for ((name, value), (expected_name, expected_value)) in found.iter().zip(expected) {
            assert_eq!((*name, &value[..]), (expected_name, expected_value));
        }
    }

    #[test]
    fn folds_become_one_space() {
        for (value, expected) in [
            ("a\r\n b", "a b"),
            ("a \r\n\t\t b", "a b"),
            ("a\r\n \r\n b", "a b"),
            ("a\tb", "a\tb"),
            ("\r\n a", "a"),
            ("a\r\n ", "a"),
            ("=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "=?utf-8?q?a?= =?utf-8?q?b?="),
        ] {
            assert_eq!(unfold(value.as_bytes()), expected.as_bytes(), "{value:?}");
        }
    }

    #[test]
    fn subsets() {
        let only = |name: &'static [u8]| move |n: &[u8]| n.eq_ignore_ascii_case(name);
        assert_eq!(subset(HEADER, only(b"SUBJECT")), b"Subject : folded\r\n\tover two lines \r\n\r\n");
        assert_eq!(subset(HEADER, only(b"Cc")), b"\r\n");
        assert_eq!(subset(b"Subject: no line end", only(b"subject")), b"Subject: no line end\r\n\r\n");
        let others = subset(HEADER, |n| !n.eq_ignore_ascii_case(b"subject"));
        assert_eq!(others, b"From: alice@example.test\r\nX-Empty:\r\n\r\n");
    }

    #[test]
    fn lines_of_a_header() {
        for line in [
            "Subject: x",
            "Subject:",
            "X-A_b!: x",
            "Subject : x",
            " folded",
            "\tfolded",
            "From bob Fri Apr 6",
            ">From bob",
        ] {
            assert!(is_header_line(line.as_bytes()), "{line:?}");
        }
        for line in ["Dear Alice", "Dear Alice: hello", ": x", "", "Sübject: x", "see http://x.test/"] {
            assert!(!is_header_line(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn a_very_long_field_is_cut() {
        let header = [b"X: ".as_slice(), &vec![b'a'; MAX_FIELD * 2]].concat();
        let field = fields(&header).next().unwrap();
        assert_eq!(field.raw.len(), header.len());
        assert!(field.unfolded().len() <= MAX_FIELD);
    }

    proptest! {
        #[test]
        fn raw_lines_are_the_header(text in "([A-Za-z: \t]{0,12}\r\n){0,8}") {
            let header = text.as_bytes();
            let joined: Vec<u8> = fields(header).flat_map(|f| f.raw.to_vec()).collect();
            prop_assert!(header.starts_with(&joined));
            let rest = &header[joined.len()..];
            prop_assert!(rest.is_empty() || rest.starts_with(b"\r\n"));
        }
    }
}
