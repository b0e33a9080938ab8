//! What the checks need to know of a message, collected while it streams past.
//!
//! RFC 5322 §2.1 (the empty line ends the header), §2.2 (header fields), §3.6.7 (trace fields).

/// Facts of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageFacts {
    /// `Received:` fields in its header.
    pub received: usize,
    /// Octets of its header, the empty line left out.
    pub header_size: u64,
    /// Octets of the whole message.
    pub size: u64,
    /// Its first line is neither a header field nor the empty line: somebody sent a body without a header.
    pub headless: bool,
    /// The addresses of its `Delivered-To:` fields, in lower case: where it has been ([`crate::route::loop_marks`]).
    pub delivered_to: Vec<String>,
}

impl MessageFacts {
    /// `Delivered-To:` fields that are remembered; an honest message has one for each server that delivered or forwarded it.
    pub const DELIVERED_TO: usize = 100;
}

impl MessageFacts {
    /// The facts of a message that is in memory.
    pub fn of(raw: &[u8]) -> MessageFacts {
        let mut scanner = Scanner::default();
        scanner.push(raw);
        scanner.facts()
    }
}

/// Octets at the start of a line that are kept: the name of a field, and a whole `Delivered-To:` with the longest address
/// (RFC 5321 §4.5.3.1.3: a path of 256).
const START: usize = 320;

/// Collects [`MessageFacts`] from the pieces of a message (`Output::Body`), however they are cut.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    facts: MessageFacts,
    start: Vec<u8>,
    lines: u64,
    in_body: bool,
}

impl Scanner {
    /// The next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.facts.size += piece.len() as u64;
        let mut rest = piece;
        while !self.in_body && !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n');
            let (part, tail) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
            let room = START - self.start.len();
            self.start.extend_from_slice(&part[..part.len().min(room)]);
            self.facts.header_size += part.len() as u64;
            if end.is_some() {
                self.line();
            }
            rest = tail;
        }
    }

    /// A line is complete; `start` is its beginning.
    fn line(&mut self) {
        let start = std::mem::take(&mut self.start);
        if matches!(start.as_slice(), b"\r\n" | b"\n") {
            self.facts.header_size -= start.len() as u64;
            self.in_body = true;
            return;
        }
        let name = field_name(&start);
        self.facts.received += usize::from(name.is_some_and(|name| name.eq_ignore_ascii_case(b"Received")));
        if name.is_some_and(|name| name.eq_ignore_ascii_case(b"Delivered-To")) {
            self.delivered_to(&start);
        }
        // An mbox separator in front of the header is a habit of old software, not a missing header.
        let separator = start.starts_with(b"From ") || start.starts_with(b">From ");
        self.facts.headless |= self.lines == 0 && name.is_none() && !separator;
        self.lines += 1;
    }

    fn delivered_to(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|b| *b == b':') else { return };
        let value = String::from_utf8_lossy(&line[colon + 1..]).trim().to_ascii_lowercase();
        let marks = &mut self.facts.delivered_to;
        if !value.is_empty() && marks.len() < MessageFacts::DELIVERED_TO && !marks.contains(&value) {
            marks.push(value);
        }
    }

    /// The facts so far; of the whole message once all pieces were pushed.
    pub fn facts(&self) -> MessageFacts {
        self.facts.clone()
    }
}

/// ```text
/// field-name = 1*ftext      ftext = %d33-57 / %d59-126      RFC 5322 §3.6.8
/// ```
/// White space before the colon is the obsolete syntax of RFC 5322 §4.5.
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(raw: &str, received: usize, header_size: u64, headless: bool) {
        let size = raw.len() as u64;
        let expected = MessageFacts { received, header_size, size, headless, ..Default::default() };
        assert_eq!(MessageFacts::of(raw.as_bytes()), expected, "{raw:?}");
        let mut scanner = Scanner::default();
        raw.as_bytes().chunks(1).for_each(|octet| scanner.push(octet));
        assert_eq!(scanner.facts(), expected, "{raw:?} octet by octet");
    }

    #[test]
    fn table() {
        check("", 0, 0, false);
        check("\r\n", 0, 0, false);
        check("\r\nReceived: x\r\n", 0, 0, false);
        check("Subject: x\r\n\r\nReceived: x\r\n", 0, 12, false);
        check("Received: a\r\nRECEIVED : b\r\nreceived:c\r\n\tReceived: d\r\n\r\nb", 3, 53, false);
        check("X-Received: a\r\nReceived-SPF: b\r\n\r\n", 0, 32, false);
        check("Subject: x\r\n", 0, 12, false);
        check("hello\r\n", 0, 7, true);
        check("hello world: x\r\n", 0, 16, true);
        check("Subject: x\r\njunk\r\nReceived: a\r\n\r\n", 1, 31, false);
        check("From alice Fri Nov 20\r\nReceived: a\r\n\r\n", 1, 36, false);
        check(" folded: x\r\n\r\n", 0, 12, true);
        check(&format!("{}: x\r\n\r\n", "n".repeat(400)), 0, 405, true);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(raw in "(Received|X|:| |\r\n|é){0,30}", cut in 0..60usize) {
            let raw = raw.as_bytes();
            let mut scanner = Scanner::default();
            let (head, tail) = raw.split_at(cut.min(raw.len()));
            scanner.push(head);
            scanner.push(tail);
            prop_assert_eq!(scanner.facts(), MessageFacts::of(raw));
            prop_assert!(scanner.start.len() <= START);
        }

        #[test]
        fn counted(fields in proptest::collection::vec(any::<bool>(), 0..20)) {
            let header: String = fields.iter().map(|received| if *received { "Received: x\r\n" } else { "To: x\r\n" }).collect();
            let facts = MessageFacts::of(format!("{header}\r\nReceived: body\r\n").as_bytes());
            prop_assert_eq!(facts.received, fields.iter().filter(|received| **received).count());
            prop_assert_eq!(facts.header_size, header.len() as u64);
        }
    }
}
