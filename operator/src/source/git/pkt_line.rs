//! Packet lines: the framing of Git's wire protocol (gitprotocol-common(5), "pkt-line Format").
//!
//! Four hexadecimal digits give the length of a line with themselves; 0000, 0001 and 0002 are marks without content.

/// The longest line with its length.
const MAX_LINE: usize = 65_520;

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    /// 0000: the end of a message.
    Flush,
    /// 0001: the end of a section.
    Delimiter,
    /// 0002: the end of a response.
    ResponseEnd,
    /// Content.
    Line(Vec<u8>),
}

/// A length that no packet has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadLength;

/// Takes bytes as they come and gives packets.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    pub(super) fn input(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole packet; `None` until there is one.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, BadLength> {
        let rest = &self.buffer[self.start..];
        let Some(digits) = rest.get(..4) else { return Ok(None) };
        let length = length(digits).ok_or(BadLength)?;
        let (taken, packet) = match length {
            0 => (4, Packet::Flush),
            1 => (4, Packet::Delimiter),
            2 => (4, Packet::ResponseEnd),
            4..=MAX_LINE => match rest.get(4..length) {
                Some(content) => (length, Packet::Line(content.to_vec())),
                None => return Ok(None),
            },
            _ => return Err(BadLength),
        };
        self.start += taken;
        Ok(Some(packet))
    }
}

fn length(digits: &[u8]) -> Option<usize> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Builds a request.
#[derive(Debug, Default)]
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    /// A line of text; lines of requests are short.
    pub(super) fn line(mut self, text: &str) -> Encoder {
        let text = &text[..text.len().min(MAX_LINE - 5)];
        self.0.extend_from_slice(format!("{:04x}", text.len() + 5).as_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'\n');
        self
    }

    pub(super) fn flush(mut self) -> Encoder {
        self.0.extend_from_slice(b"0000");
        self
    }

    pub(super) fn delimiter(mut self) -> Encoder {
        self.0.extend_from_slice(b"0001");
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Decoded = Result<(Vec<Packet>, bool), BadLength>;

    /// The packets, and whether nothing is left over.
    fn decode(bytes: &[u8]) -> Decoded {
        let mut decoder = Decoder::default();
        decoder.input(bytes);
        let mut packets = Vec::new();
        while let Some(packet) = decoder.next()? {
            packets.push(packet);
        }
        Ok((packets, decoder.start == decoder.buffer.len()))
    }

    /// The examples of gitprotocol-common(5).
    #[test]
    fn known_answers() {
        let line = |text: &str| Packet::Line(text.as_bytes().to_vec());
        let table: [(&[u8], Decoded); 11] = [
            (b"0006a\n", Ok((vec![line("a\n")], true))),
            (b"0005a", Ok((vec![line("a")], true))),
            (b"000bfoobar\n", Ok((vec![line("foobar\n")], true))),
            (b"0004", Ok((vec![line("")], true))),
            (b"0000", Ok((vec![Packet::Flush], true))),
            (b"000100020000", Ok((vec![Packet::Delimiter, Packet::ResponseEnd, Packet::Flush], true))),
            (b"000bfoo", Ok((vec![], false))),
            (b"00", Ok((vec![], false))),
            (b"0003", Err(BadLength)),
            (b"fff1", Err(BadLength)),
            (b"<htm", Err(BadLength)),
        ];
        for (bytes, expected) in table {
            assert_eq!(decode(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
        let request = Encoder::default().line("a").line("foobar").delimiter().flush().finish();
        assert_eq!(request, b"0006a\n000bfoobar\n00010000");
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back_in_any_pieces(lines in prop::collection::vec("[ -~]{0,200}", 0..10), cut in 1usize..50) {
            let encoder = lines.iter().fold(Encoder::default(), |encoder, line| encoder.line(line));
            let bytes = encoder.flush().finish();
            let mut decoder = Decoder::default();
            let mut packets = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.input(piece);
                while let Some(packet) = decoder.next().unwrap() {
                    packets.push(packet);
                }
            }
            let mut expected: Vec<_> = lines.iter().map(|line| Packet::Line(format!("{line}\n").into_bytes())).collect();
            expected.push(Packet::Flush);
            prop_assert_eq!(packets, expected);
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let whole = decode(&bytes);
            prop_assert!(whole.is_err() || whole.is_ok_and(|(packets, _)| packets.len() <= bytes.len() / 4));
        }
    }
}
