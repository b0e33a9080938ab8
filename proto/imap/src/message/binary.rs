//! Messages and parts without a transfer encoding (RFC 3516): what BINARY[…] answers, and how a message that came with NULs is
//! kept.

use super::{Content, Index, Part, header, transfer};
use crate::server::LineEnds;
use base64::prelude::{BASE64_STANDARD, Engine};
use std::borrow::Cow;

/// Octets of a line of base64 before it is encoded (RFC 2045 §6.8: 76 characters).
const LINE: usize = 57;

/// Why a part cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecodable {
    /// There is no such part.
    NoPart,
    /// Its transfer encoding is not known (RFC 3516 §4.2 UNKNOWN-CTE).
    UnknownEncoding,
}

/// A part's octets without their transfer encoding; the whole message as it is.
pub fn decoded<'a>(index: &Index, raw: &'a [u8], part: &[u32]) -> Result<Cow<'a, [u8]>, Undecodable> {
    if part.is_empty() {
        return Ok(Cow::Borrowed(raw));
    }
    let part = index.part(part).ok_or(Undecodable::NoPart)?;
    let body = raw.get(part.body.clone()).ok_or(Undecodable::NoPart)?;
    match (&part.content, part.mime.encoding.as_deref()) {
        (Content::Leaf, Some(encoding @ (b"base64" | b"quoted-printable"))) => {
            Ok(Cow::Owned(transfer::decode(Some(encoding), body)))
        }
        (Content::Leaf, Some(other)) if !matches!(other, b"7bit" | b"8bit" | b"binary") => {
            Err(Undecodable::UnknownEncoding)
        }
        _ => Ok(Cow::Borrowed(body)),
    }
}

/// The form in which a message that came as a literal8 is kept: parts with transfer encoding `binary` become base64, every line
/// end CRLF. `None` where a NUL stays all the same (RFC 3516 §4.3: no loss of data).
pub fn storable(raw: &[u8]) -> Option<Vec<u8>> {
    let index = super::index(raw);
    let mut writer = Writer { raw, at: 0, kept: Vec::with_capacity(raw.len()), lines: LineEnds::default() };
    writer.part(&index.root);
    writer.copy(raw.len());
    writer.kept.extend_from_slice(writer.lines.end());
    (!writer.kept.contains(&0)).then_some(writer.kept)
}

struct Writer<'a> {
    raw: &'a [u8],
    /// How much of it was written.
    at: usize,
    kept: Vec<u8>,
    lines: LineEnds,
}

impl Writer<'_> {
    /// What comes before `end` as it is.
    fn copy(&mut self, end: usize) {
        let end = end.clamp(self.at, self.raw.len());
        let text = self.lines.normalise(&self.raw[self.at..end]);
        self.kept.extend(text);
        self.at = end;
    }

    fn part(&mut self, part: &Part) {
        let binary = part.mime.encoding.as_deref() == Some(b"binary");
        if binary {
            let leaf = matches!(part.content, Content::Leaf);
            self.copy(part.header.start);
            let head = self.raw.get(part.header.clone()).unwrap_or_default();
            let others =
                header::subset(head, |name| !name.eq_ignore_ascii_case(b"Content-Transfer-Encoding"));
            let encoding = if leaf { "base64" } else { "8bit" };
            self.kept.extend_from_slice(self.lines.end());
            let head = [format!("Content-Transfer-Encoding: {encoding}\r\n").as_bytes(), &others].concat();
            self.kept.extend(self.lines.normalise(&head));
            self.at = part.header.end;
            if leaf {
                self.encode(part);
            }
        }
        match &part.content {
            Content::Leaf => {}
            Content::Multipart(parts) => parts.iter().for_each(|part| self.part(part)),
            Content::Message(_, inner) => self.part(inner),
        }
    }

    fn encode(&mut self, part: &Part) {
        let body = self.raw.get(part.body.clone()).unwrap_or_default();
        for (at, line) in body.chunks(LINE).enumerate() {
            if at > 0 {
                self.kept.extend_from_slice(b"\r\n");
            }
            self.kept.extend_from_slice(BASE64_STANDARD.encode(line).as_bytes());
        }
        self.at = part.body.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::index;
    use proptest::prelude::*;

    #[test]
    fn binary_parts_become_base64() {
        let raw = b"Subject: x\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: binary\n\n--b\nContent-Type: image/x\nContent-Transfer-Encoding: Binary\n\na\0b\r\n--b\n\ntext\n--b--\n";
        let kept = storable(raw).unwrap();
        let text = String::from_utf8(kept.clone()).unwrap();
        assert!(text.contains("Content-Transfer-Encoding: base64\r\nContent-Type: image/x\r\n\r\nYQBi\r\n--b\r\n\r\ntext\r\n"), "{text}");
        assert!(text.starts_with("Content-Transfer-Encoding: 8bit\r\nSubject: x\r\n"), "{text}");
        let index = index(&kept);
        assert_eq!(decoded(&index, &kept, &[1]).unwrap().as_ref(), b"a\0b");
        assert_eq!(decoded(&index, &kept, &[2]).unwrap().as_ref(), b"text");
        assert_eq!(decoded(&index, &kept, &[3]), Err(Undecodable::NoPart));
    }

    #[test]
    fn nuls_elsewhere_cannot_be_kept() {
        assert_eq!(storable(b"Subject: a\0b\r\n\r\nx"), None);
        assert_eq!(storable(b"Subject: x\r\n\r\na\0b"), None);
        assert_eq!(storable(b"Subject: x\n\nab\n").unwrap(), b"Subject: x\r\n\r\nab\r\n");
    }

    #[test]
    fn encodings() {
        let check = |encoding: &str, body: &str, expected: Result<&[u8], Undecodable>| {
            let raw = format!("Content-Transfer-Encoding: {encoding}\r\n\r\n{body}");
            let found = decoded(&index(raw.as_bytes()), raw.as_bytes(), &[1]).map(Cow::into_owned);
            assert_eq!(found.as_deref().map_err(|e| *e), expected, "{encoding}");
        };
        check("base64", "YQBi", Ok(b"a\0b"));
        check("quoted-printable", "a=00b", Ok(b"a\0b"));
        check("8bit", "=00", Ok(b"=00"));
        check("x-uuencode", "x", Err(Undecodable::UnknownEncoding));
    }

    proptest! {
        #[test]
        fn no_octet_of_a_binary_part_is_lost(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let raw = [b"Content-Transfer-Encoding: binary\r\n\r\n".as_slice(), &body].concat();
            let kept = storable(&raw).unwrap();
            let kept_index = index(&kept);
            prop_assert_eq!(decoded(&kept_index, &kept, &[1]).unwrap().into_owned(), body);
        }

        #[test]
        fn any_octets(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(kept) = storable(&raw) {
                prop_assert!(!kept.contains(&0));
            }
        }
    }
}
