//! Where the parts of a message are (RFC 2046 §5.1): one pass over its lines, tolerant and bounded.
//!
//! A delimiter of an enclosing multipart ends everything inside it, whether or not that had its own final delimiter. What
//! is nested deeper than [`MAX_DEPTH`] or comes after [`MAX_PARTS`] parts stays part of what holds it.

use super::header;
use super::mime::Mime;
use super::{Content, Envelope, Part};
use std::collections::HashMap;
use std::ops::Range;

/// Nesting of multiparts and attached messages: a chain of 25 forwards, and the stack stays small.
pub const MAX_DEPTH: usize = 50;
/// Parts of a message: a digest of a thousand messages, and the index stays small beside it.
pub const MAX_PARTS: usize = 2000;
/// Octets of a boundary that are obeyed; RFC 2046 §5.1.1 allows 70.
pub const MAX_BOUNDARY: usize = 256;
/// Octets between two places where the lines before are known: few enough to count, few numbers beside the message.
const BLOCK: usize = 4096;

/// The tree of a raw message.
pub(super) fn walk(raw: &[u8]) -> Part {
    let mut walker =
        Walker { raw, at: 0, boundaries: Boundaries::default(), lines: Lines::of(raw), parts: 0 };
    walker.part(false, 0).0
}

struct Walker<'a> {
    raw: &'a [u8],
    /// The start of the line that is looked at next.
    at: usize,
    boundaries: Boundaries,
    lines: Lines,
    parts: usize,
}

/// The boundaries of the multiparts around one place. A hostile message has many, alike, and lines that are nearly one of
/// them: a line is looked up, not compared with each.
#[derive(Default)]
struct Boundaries {
    /// From outside.
    open: Vec<Vec<u8>>,
    /// Where each of them is open, the innermost last.
    levels: HashMap<Vec<u8>, Vec<usize>>,
}

/// How many line ends stand before each [`BLOCK`] of a message: nested parts are counted without reading them once per level.
struct Lines {
    before: Vec<usize>,
}

/// Why a part ended: a delimiter line, not consumed yet, or the end of the message.
struct Stop {
    /// Which of the boundaries; `None` at the end of the message.
    level: Option<usize>,
    /// Whether it was the final one (`--boundary--`).
    last: bool,
    /// Where its line starts.
    line: usize,
}

impl Walker<'_> {
    /// Reads one entity: header, blank line, body up to a delimiter of what holds it.
    fn part(&mut self, in_digest: bool, depth: usize) -> (Part, Stop) {
        self.parts += 1;
        let start = self.at;
        let early = self.header();
        let header = start..self.at;
        let mut mime = Mime::parse(&self.raw[header.clone()], in_digest);
        let body = self.at;
        let (content, stop) = match early {
            Some(stop) => (Content::Leaf, stop),
            None => self.body(&mut mime, depth),
        };
        let content = match content {
            // Without a single part inside, BODYSTRUCTURE could not name it: RFC 3501 §9 `body-type-mpart` is `1*body`.
            Content::Multipart(parts) if parts.is_empty() => {
                Content::Multipart(vec![Part::empty(stop.line.max(body))])
            }
            Content::Leaf if mime.media_type == b"multipart" => {
                let end = content_end(self.raw, body, &stop);
                Content::Multipart(vec![Part::empty(end)])
            }
            Content::Leaf if mime.is_message() && early_message(&stop, body) => {
                Content::Message(Box::default(), Box::new(Part::empty(body)))
            }
            other => other,
        };
        // A part that ended in its header took the line end before the delimiter with it.
        let end = content_end(self.raw, body, &stop).max(content.end());
        let lines = self.lines.count(self.raw, body..end);
        (Part { header, body: body..end, lines, mime, content }, stop)
    }

    /// Moves behind the header's blank line, or to the first line that no header can have: mail programs forget the blank
    /// line, and what follows is the body then. A delimiter in its place ends the part without a body.
    fn header(&mut self) -> Option<Stop> {
        while self.at < self.raw.len() {
            if let Some(stop) = self.delimiter() {
                return Some(stop);
            }
            let rest = &self.raw[self.at..];
            let line = &rest[..header::line_length(rest)];
            if !header::is_blank(line) && !header::is_header_line(line) {
                return None;
            }
            let line = self.line();
            if header::is_blank(&self.raw[line]) {
                return None;
            }
        }
        None
    }

    fn body(&mut self, mime: &mut Mime, depth: usize) -> (Content, Stop) {
        let deeper = depth < MAX_DEPTH && self.parts < MAX_PARTS;
        let nests = mime.media_type == b"multipart" || mime.is_message();
        if nests && !deeper {
            *mime = Mime {
                media_type: b"application".to_vec(),
                subtype: b"octet-stream".to_vec(),
                ..mime.clone()
            };
            return (Content::Leaf, self.skip());
        }
        if mime.is_message() {
            let (inner, stop) = self.part(false, depth + 1);
            let envelope = Envelope::parse(&self.raw[inner.header.clone()]);
            return (Content::Message(Box::new(envelope), Box::new(inner)), stop);
        }
        // RFC 2046 §5.1.1: a boundary does not end in white space.
        let boundary = if nests { mime.parameter(b"boundary") } else { None };
        let boundary = boundary.map(|boundary| boundary.trim_ascii_end().to_vec());
        match boundary.filter(|boundary| !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY) {
            Some(boundary) => self.multipart(boundary, mime.subtype == b"digest", depth),
            None => (Content::Leaf, self.skip()),
        }
    }

    fn multipart(&mut self, boundary: Vec<u8>, digest: bool, depth: usize) -> (Content, Stop) {
        let level = self.boundaries.open.len();
        self.boundaries.push(boundary);
        let mut parts = Vec::new();
        let mut stop = self.skip();
        while stop.level == Some(level) {
            self.line();
            if stop.last || self.parts >= MAX_PARTS {
                // The epilogue, or what is too much, belongs to nobody: only delimiters further out count.
                self.boundaries.truncate(level);
                stop = self.skip();
                break;
            }
            // Of delimiters right behind one another the line end before the second belongs to the first: no part is there.
            if let Some(next) = self.delimiter().filter(|next| next.level == Some(level)) {
                stop = next;
                continue;
            }
            let (part, next) = self.part(digest, depth + 1);
            parts.push(part);
            stop = next;
        }
        self.boundaries.truncate(level);
        (Content::Multipart(parts), stop)
    }

    /// Moves to the next delimiter of what is open here, or to the end.
    fn skip(&mut self) -> Stop {
        if self.boundaries.open.is_empty() {
            self.at = self.raw.len();
        }
        while self.at < self.raw.len() {
            if let Some(stop) = self.delimiter() {
                return stop;
            }
            self.line();
        }
        Stop { level: None, last: false, line: self.raw.len() }
    }

    /// Moves behind this line.
    fn line(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += header::line_length(&self.raw[start..]);
        start..self.at
    }

    /// Whether the line here is a delimiter.
    fn delimiter(&self) -> Option<Stop> {
        let rest = self.raw[self.at..].strip_prefix(b"--")?;
        let (level, last) = self.boundaries.find(&rest[..header::line_length(rest)])?;
        Some(Stop { level: Some(level), last, line: self.at })
    }
}

impl Boundaries {
    fn push(&mut self, boundary: Vec<u8>) {
        self.levels.entry(boundary.clone()).or_default().push(self.open.len());
        self.open.push(boundary);
    }

    fn truncate(&mut self, level: usize) {
        for boundary in self.open.drain(level.min(self.open.len())..) {
            let Some(levels) = self.levels.get_mut(&boundary) else { continue };
            levels.retain(|open| *open < level);
            if levels.is_empty() {
                self.levels.remove(&boundary);
            }
        }
    }

    /// What a line behind its `--` delimits: `boundary`, `--` for the last, white space (RFC 2046 §5.1.1). The innermost
    /// multipart counts. No boundary ends in white space, so the line's can be cut off first.
    fn find(&self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line.trim_ascii_end();
        let level = |boundary: &[u8]| {
            #[cfg(test)]
            tests::read(boundary.len());
            self.levels.get(boundary).and_then(|levels| levels.last()).copied()
        };
        if line.len() > MAX_BOUNDARY + b"--".len() {
            return None;
        }
        let next = level(line).map(|level| (level, false));
        let last = line.strip_suffix(b"--").and_then(level).map(|level| (level, true));
        next.max(last)
    }
}

impl Lines {
    fn of(raw: &[u8]) -> Lines {
        let mut total = 0;
        let before = raw.chunks(BLOCK).map(|block| {
            let before = total;
            total += count_lines(block);
            before
        });
        Lines { before: before.collect() }
    }

    /// Line ends, as RFC 3501 §7.4.2 counts the "size of the body in text lines".
    fn count(&self, raw: &[u8], range: Range<usize>) -> usize {
        let before = |at: usize| {
            let block = (at / BLOCK).min(self.before.len().saturating_sub(1));
            let known = self.before.get(block).copied().unwrap_or(0);
            known + count_lines(&raw[block * BLOCK..at])
        };
        before(range.end) - before(range.start)
    }
}

impl Content {
    /// Where the last thing inside ends.
    fn end(&self) -> usize {
        match self {
            Content::Leaf => 0,
            Content::Multipart(parts) => parts.last().map_or(0, |part| part.body.end),
            Content::Message(_, inner) => inner.body.end,
        }
    }
}

/// An attached message whose own header never came: the delimiter stood where it should begin.
fn early_message(stop: &Stop, body: usize) -> bool {
    stop.line <= body
}

/// The line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1).
fn content_end(raw: &[u8], body: usize, stop: &Stop) -> usize {
    if stop.level.is_none() {
        return stop.line;
    }
    let content = &raw[body.min(stop.line)..stop.line];
    let cut = match content {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    body.max(stop.line - cut)
}

fn count_lines(body: &[u8]) -> usize {
    #[cfg(test)]
    tests::read(body.len());
    body.iter().filter(|b| **b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    thread_local! {
        /// Octets looked at in boundaries and line ends, by this thread.
        static READ: Cell<usize> = const { Cell::new(0) };
    }

    /// Octets were looked at.
    pub(super) fn read(octets: usize) {
        READ.set(READ.get() + octets);
    }

    /// RFC 2046 §5.1.1 word by word, one boundary after the other.
    fn compared(open: &[&str], line: &[u8]) -> Option<(usize, bool)> {
        open.iter().enumerate().rev().find_map(|(level, boundary)| {
            let after = line.strip_prefix(boundary.as_bytes())?;
            let (last, padding) = match after.strip_prefix(b"--") {
                Some(padding) => (true, padding),
                None => (false, after),
            };
            padding.iter().all(u8::is_ascii_whitespace).then_some((level, last))
        })
    }

    #[test]
    fn a_line_delimits_the_innermost_of_its_boundaries() {
        let mut boundaries = Boundaries::default();
        for boundary in ["b", "b--", "b", "c"] {
            boundaries.push(boundary.as_bytes().to_vec());
        }
        for (line, expected) in [
            ("b\r\n", Some((2, false))),
            ("b-- \t\r\n", Some((2, true))),
            ("b----\n", Some((1, true))),
            ("c", Some((3, false))),
            ("c --", None),
            ("bb", None),
            ("", None),
            ("--", None),
        ] {
            assert_eq!(boundaries.find(line.as_bytes()), expected, "{line:?}");
        }
        boundaries.truncate(2);
        assert_eq!(boundaries.find(b"b"), Some((0, false)));
        assert_eq!(boundaries.find(b"b--"), Some((1, false)));
        assert_eq!(boundaries.find(b"c"), None);
        boundaries.truncate(0);
        assert_eq!((boundaries.find(b"b"), boundaries.levels.len()), (None, 0));
    }

    #[test]
    fn lines_are_counted_over_blocks() {
        let raw: Vec<u8> = (0..3 * BLOCK + 7).map(|at| if at % 5 == 0 { b'\n' } else { b'x' }).collect();
        let lines = Lines::of(&raw);
        let places = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK, 3 * BLOCK + 6, raw.len()];
        for (number, &from) in places.iter().enumerate() {
            for &to in &places[number..] {
                assert_eq!(lines.count(&raw, from..to), count_lines(&raw[from..to]), "{from}..{to}");
            }
        }
        assert_eq!(Lines::of(b"").count(b"", 0..0), 0);
        assert_eq!(Lines::of(&raw[..BLOCK]).count(&raw[..BLOCK], 3..BLOCK), count_lines(&raw[3..BLOCK]));
    }

    /// Octets looked at to find the parts of a message.
    fn work(raw: &str) -> usize {
        READ.set(0);
        assert_eq!(walk(raw.as_bytes()).body.end, raw.len());
        READ.get()
    }

    #[test]
    fn nesting_does_not_multiply_the_work() {
        let nested = |levels: usize| {
            let mut raw = String::new();
            for level in 0..levels {
                raw += &format!(
                    "Content-Type: multipart/mixed; boundary=\"bxxxx{level}\"\r\n\r\n--bxxxx{level}\r\n"
                );
            }
            raw + "\r\n" + &"--bxxxx\r\n".repeat(20_000)
        };
        let (flat, deep) = (nested(1), nested(MAX_DEPTH));
        let (flat, deep) = (work(&flat), work(&deep));
        assert!(flat >= 20_000, "{flat} octets are less than there are lines");
        assert!(deep < flat * 4, "{MAX_DEPTH} levels make {deep} octets of {flat}");
    }

    proptest! {
        #[test]
        fn looking_up_is_comparing(
            open in proptest::collection::vec("[ab-]{0,3}[ab-]", 0..6),
            line in "[ab-]{0,5}[ -]{0,3}\r?\n?",
        ) {
            let mut boundaries = Boundaries::default();
            for boundary in &open {
                boundaries.push(boundary.clone().into_bytes());
            }
            let open: Vec<&str> = open.iter().map(String::as_str).collect();
            prop_assert_eq!(boundaries.find(line.as_bytes()), compared(&open, line.as_bytes()));
        }
    }
}
