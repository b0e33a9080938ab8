//! Cuts command lines out of the input. Only CRLF ends a line (RFC 5321 §2.3.8); how the input was cut into pieces makes
//! no difference.

/// What the reader found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its CRLF.
    Complete(Vec<u8>),
    /// The end of a line that was longer than the limit; nothing of it is kept (RFC 5321 §4.5.3.1.4).
    TooLong,
    /// A CR without LF or an LF without CR: where the line ends is a matter of opinion, so it is nobody's (§2.3.8).
    Bare,
}

/// Reads lines; keeps at most `limit` octets of one.
#[derive(Debug)]
pub(super) struct LineReader {
    limit: usize,
    line: Vec<u8>,
    too_long: bool,
    cr: bool,
}

impl LineReader {
    /// `limit` counts the CRLF.
    pub(super) fn new(limit: usize) -> LineReader {
        LineReader { limit: limit.saturating_sub(2), line: Vec::new(), too_long: false, cr: false }
    }

    /// Reads up to the end of a line; gives the octets used and what was found, if the end was there.
    pub(super) fn read(&mut self, input: &[u8]) -> (usize, Option<Line>) {
        let mut used = 0;
        while let Some(&first) = input.get(used) {
            if std::mem::take(&mut self.cr) {
                self.too_long |= self.line.len() > self.limit;
                return match (first, std::mem::take(&mut self.too_long)) {
                    (b'\n', false) => (used + 1, Some(Line::Complete(std::mem::take(&mut self.line)))),
                    (b'\n', true) => (used + 1, Some(Line::TooLong)),
                    _ => (used, Some(Line::Bare)),
                };
            }
            let rest = &input[used..];
            let text = rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
            self.keep(&rest[..text]);
            used += text;
            match rest.get(text) {
                Some(b'\n') => return (used + 1, Some(Line::Bare)),
                Some(_) => {
                    self.cr = true;
                    used += 1;
                }
                None => {}
            }
        }
        (used, None)
    }

    fn keep(&mut self, text: &[u8]) {
        self.too_long |= self.line.len() + text.len() > self.limit;
        if self.too_long {
            self.line.clear();
        } else {
            self.line.extend_from_slice(text);
        }
    }

    /// Forgets a line that has begun (RFC 3207 §4.2: nothing sent before the handshake counts after it).
    pub(super) fn clear(&mut self) {
        *self = LineReader { limit: self.limit, line: Vec::new(), too_long: false, cr: false };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 10;

    /// Everything found, stopping after a bare character as the session does.
    fn lines(pieces: &[&[u8]]) -> Vec<Line> {
        let (mut reader, mut found) = (LineReader::new(LIMIT), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (used, line) = reader.read(rest);
                rest = &rest[used..];
                let bare = line == Some(Line::Bare);
                found.extend(line);
                assert!(reader.line.len() <= LIMIT);
                if bare {
                    return found;
                }
            }
        }
        found
    }

    fn check(input: &[u8], expected: &[Line]) {
        assert_eq!(lines(&[input]), expected);
        let single: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(lines(&single), expected);
    }

    fn complete(text: &str) -> Line {
        Line::Complete(text.as_bytes().to_vec())
    }

    #[test]
    fn table() {
        check(b"", &[]);
        check(b"NOOP", &[]);
        check(b"NOOP\r", &[]);
        check(b"\r\n", &[complete("")]);
        check(b"NOOP\r\nQUIT\r\n", &[complete("NOOP"), complete("QUIT")]);
        check(b"12345678\r\n", &[complete("12345678")]);
        check(b"123456789\r\nNOOP\r\n", &[Line::TooLong, complete("NOOP")]);
        check(&[b'x'; 100], &[]);
        check(b"NOOP\nQUIT\r\n", &[Line::Bare]);
        check(b"\n", &[Line::Bare]);
        check(b"NOOP\rQUIT\r\n", &[Line::Bare]);
        check(b"NOOP\r\r\n", &[Line::Bare]);
        check(b"NOOP\r\n\nQUIT\r\n", &[complete("NOOP"), Line::Bare]);
        check(b"123456789123456789\nQUIT\r\n", &[Line::Bare]);
        check(b"123456789\rQUIT\r\n", &[Line::Bare]);
    }

    #[test]
    fn cleared() {
        let mut reader = LineReader::new(LIMIT);
        assert_eq!(reader.read(b"0123456789ABC\r"), (14, None));
        reader.clear();
        assert_eq!(reader.read(b"NOOP\r\n"), (6, Some(complete("NOOP"))));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(input in "[ab\r\n]{0,60}", cuts in proptest::collection::vec(1..7usize, 1..30)) {
            let (mut rest, mut pieces) = (input.as_bytes(), Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                pieces.push(head);
                rest = tail;
            }
            prop_assert_eq!(lines(&pieces), lines(&[input.as_bytes()]));
        }
    }
}
