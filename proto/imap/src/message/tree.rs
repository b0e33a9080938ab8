//! Where the parts of a message are (RFC 2046 §5.1): one pass over its lines, tolerant and bounded.
//!
//! A delimiter of an enclosing multipart ends everything inside it, whether or not that had its own final delimiter. What
//! is nested deeper than [`MAX_DEPTH`] or comes after [`MAX_PARTS`] parts stays part of what holds it.

use super::header;
use super::mime::Mime;
use super::{Content, Envelope, Part};
use std::ops::Range;

/// Nesting of multiparts and attached messages: a chain of 25 forwards, and the stack stays small.
pub const MAX_DEPTH: usize = 50;
/// Parts of a message: a digest of a thousand messages, and the index stays small beside it.
pub const MAX_PARTS: usize = 2000;
/// Octets of a boundary that are obeyed; RFC 2046 §5.1.1 allows 70.
pub const MAX_BOUNDARY: usize = 256;

/// The tree of a raw message.
pub(super) fn walk(raw: &[u8]) -> Part {
    let mut walker = Walker { raw, at: 0, boundaries: Vec::new(), parts: 0 };
    walker.part(false, 0).0
}

struct Walker<'a> {
    raw: &'a [u8],
    /// The start of the line that is looked at next.
    at: usize,
    /// Of the multiparts around this place, from outside.
    boundaries: Vec<Vec<u8>>,
    parts: usize,
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
        let lines = count_lines(&self.raw[body..end]);
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
        let boundary = mime.parameter(b"boundary").map(|boundary| boundary.trim_ascii_end().to_vec());
        match boundary.filter(|boundary| !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY) {
            Some(boundary) if mime.media_type == b"multipart" => {
                self.multipart(boundary, mime.subtype == b"digest", depth)
            }
            _ => (Content::Leaf, self.skip()),
        }
    }

    fn multipart(&mut self, boundary: Vec<u8>, digest: bool, depth: usize) -> (Content, Stop) {
        let level = self.boundaries.len();
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
        if self.boundaries.is_empty() {
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

    /// Whether the line here is a delimiter: `--boundary`, `--` for the last, white space (RFC 2046 §5.1.1). The innermost
    /// multipart is asked first.
    fn delimiter(&self) -> Option<Stop> {
        let rest = self.raw[self.at..].strip_prefix(b"--")?;
        for (level, boundary) in self.boundaries.iter().enumerate().rev() {
            let Some(after) = rest.strip_prefix(boundary.as_slice()) else { continue };
            let line = &after[..header::line_length(after)];
            let (last, padding) = match line.strip_prefix(b"--") {
                Some(padding) => (true, padding),
                None => (false, line),
            };
            if padding.iter().all(u8::is_ascii_whitespace) {
                return Some(Stop { level: Some(level), last, line: self.at });
            }
        }
        None
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

/// Line ends, as RFC 3501 §7.4.2 counts the "size of the body in text lines".
fn count_lines(body: &[u8]) -> usize {
    body.iter().filter(|b| **b == b'\n').count()
}
