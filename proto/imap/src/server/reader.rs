//! From bytes to commands: lines and literals (RFC 3501 §2.2.1, RFC 7888), bounded before they are read.

use crate::grammar::{AppendHead, Cursor, append_head};

/// The limits that hold at this point of the session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Octets of a command without its literals.
    pub line: usize,
    /// Octets of all literals of a command.
    pub literals: usize,
    /// Mailbox names are UTF-8.
    pub utf8_names: bool,
}

/// What the input brought.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// Not enough.
    More,
    /// A whole command with its literals, without the last CRLF.
    Command(Vec<u8>),
    /// A literal was announced and may come: say `+`.
    Continue,
    /// A command that is not read any further; its tag, if it had one.
    Refused(Option<String>, Refused),
    /// An APPEND announced its message: [`Reader::accept_message`] or [`Reader::refuse_message`] comes next.
    Append(AppendHead),
    /// The next octets of the accepted message.
    Body(Vec<u8>),
    /// The accepted message is complete. Where the rest of its line announces another one, [`Reader::accept_message`] or
    /// [`Reader::refuse_message`] comes next.
    BodyEnd {
        /// What followed the literal, without the line's end; `None`: no line at all.
        rest: Option<Vec<u8>>,
    },
}

/// Why a command is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    LineTooLong,
    LiteralTooBig,
    BareLineEnd,
}

#[derive(Debug)]
enum Mode {
    /// Collecting a line of a command.
    Line,
    /// Octets of a literal still to come.
    Literal(usize),
    /// A message was announced, and nobody decided on it yet.
    Announced { size: u64, unasked: bool },
    /// Octets of an accepted message still to come.
    Message(u64),
    /// The line end behind an accepted message.
    MessageEnd,
    /// The rest of a refused line, of which the end is kept: it may announce a literal that comes unasked.
    Skip(Vec<u8>),
    /// Octets of a literal of a refused line.
    SkipLiteral(u64),
}

/// Longest `{4294967295+}` CRLF, and room.
const TAIL: usize = 32;

/// Collects commands from bytes.
#[derive(Debug)]
pub(super) struct Reader {
    input: Vec<u8>,
    /// How much of `input` is used up.
    used: usize,
    /// The command so far.
    command: Vec<u8>,
    /// How much of `command` is literals.
    literals: usize,
    mode: Mode,
}

impl Reader {
    pub(super) fn new() -> Reader {
        Reader { input: Vec::new(), used: 0, command: Vec::new(), literals: 0, mode: Mode::Line }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.used == self.input.len() {
            self.input.clear();
            self.used = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// Octets not looked at yet.
    pub(super) fn waiting(&self) -> usize {
        self.input.len() - self.used
    }

    /// Forgets everything: what came before TLS is nobody's (RFC 3501 §6.2.1).
    pub(super) fn clear(&mut self) {
        *self = Reader::new();
    }

    /// The next event of a command.
    pub(super) fn next(&mut self, bounds: Bounds) -> Event {
        loop {
            match &mut self.mode {
                Mode::Line => match self.line(bounds) {
                    Some(event) => return event,
                    None if self.waiting() == 0 => return Event::More,
                    None => {}
                },
                Mode::Literal(0) => self.mode = Mode::Line,
                Mode::Literal(left) => {
                    let left = *left;
                    let octets = self.take(left);
                    if octets.is_empty() {
                        return Event::More;
                    }
                    self.mode = Mode::Literal(left - octets.len());
                    self.command.extend_from_slice(&octets);
                }
                Mode::Announced { .. } => return Event::More,
                Mode::Message(0) => self.mode = Mode::MessageEnd,
                Mode::Message(left) => {
                    let left = *left;
                    let octets = self.take(usize::try_from(left).unwrap_or(usize::MAX));
                    if octets.is_empty() {
                        return Event::More;
                    }
                    self.mode = Mode::Message(left - octets.len() as u64);
                    return Event::Body(octets);
                }
                Mode::MessageEnd => match self.raw_line(bounds.line) {
                    RawLine::More => return Event::More,
                    RawLine::Line(line) => {
                        // Another message (MULTIAPPEND, RFC 3502 §6.3.11), or something that is to be skipped like one.
                        if let Some(literal) = literal_header(&[&line, b"\r\n".as_slice()].concat()) {
                            self.mode = Mode::Announced { size: literal.size, unasked: literal.unasked };
                        }
                        return Event::BodyEnd { rest: Some(line) };
                    }
                    RawLine::TooLong | RawLine::Bare => return Event::BodyEnd { rest: None },
                },
                Mode::Skip(_) | Mode::SkipLiteral(_) => {
                    if !self.skip() {
                        return Event::More;
                    }
                }
            }
        }
    }

    /// The message that [`Event::Append`] announced may come.
    pub(super) fn accept_message(&mut self) {
        if let Mode::Announced { size, .. } = self.mode {
            self.mode = Mode::Message(size);
        }
    }

    /// The message that [`Event::Append`] announced is not wanted: where it comes unasked it is skipped.
    pub(super) fn refuse_message(&mut self) {
        match self.mode {
            Mode::Announced { size, unasked: true } => self.skip_literal(size),
            Mode::Announced { .. } => self.reset(),
            _ => {}
        }
    }

    /// A line that is no command: SASL responses, DONE. Without its CRLF.
    pub(super) fn raw_line(&mut self, limit: usize) -> RawLine {
        if matches!(self.mode, Mode::Skip(_) | Mode::SkipLiteral(_)) && !self.skip() {
            return RawLine::More;
        }
        let complete = self.collect_line();
        if self.command.len() > limit {
            self.refuse(complete);
            return RawLine::TooLong;
        }
        if !complete {
            return RawLine::More;
        }
        let mut line = std::mem::take(&mut self.command);
        self.reset();
        if !line.ends_with(b"\r\n") {
            return RawLine::Bare;
        }
        line.truncate(line.len() - 2);
        RawLine::Line(line)
    }

    /// Moves input to the command up to a line end; whether there was one.
    fn collect_line(&mut self) -> bool {
        let rest = &self.input[self.used..];
        let end = rest.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let line = &rest[..end.unwrap_or(rest.len())];
        self.command.extend_from_slice(line);
        self.used += line.len();
        end.is_some()
    }

    fn line(&mut self, bounds: Bounds) -> Option<Event> {
        let complete = self.collect_line();
        if self.command.len() - self.literals > bounds.line {
            return Some(self.refuse_line(complete, bounds.line));
        }
        if !complete {
            return None;
        }
        if !self.command.ends_with(b"\r\n") {
            let tag = self.tag();
            self.reset();
            return Some(Event::Refused(tag, Refused::BareLineEnd));
        }
        let Some(literal) = literal_header(&self.command) else {
            let mut command = std::mem::take(&mut self.command);
            self.reset();
            command.truncate(command.len() - 2);
            return Some(Event::Command(command));
        };
        if let Some(head) = append_head(&self.command, bounds.utf8_names) {
            self.mode = Mode::Announced { size: head.append.size, unasked: head.unasked };
            self.command.clear();
            self.literals = 0;
            return Some(Event::Append(head));
        }
        let fits = usize::try_from(literal.size)
            .ok()
            .filter(|size| *size <= bounds.literals - self.literals.min(bounds.literals));
        match fits {
            Some(size) => {
                self.literals += size;
                self.mode = Mode::Literal(size);
                (!literal.unasked).then_some(Event::Continue)
            }
            None => {
                let tag = self.tag();
                self.reset();
                if literal.unasked {
                    self.skip_literal(literal.size);
                }
                Some(Event::Refused(tag, Refused::LiteralTooBig))
            }
        }
    }

    /// Only what fits the limit is asked for the tag: how much more of the line is here already is chance.
    fn refuse_line(&mut self, complete: bool, limit: usize) -> Event {
        let tag = tag_of(&self.command[..limit.min(self.command.len())]);
        self.refuse(complete);
        Event::Refused(tag, Refused::LineTooLong)
    }

    /// Skips the rest of this line, if it is not complete, and literals that come with it unasked.
    fn refuse(&mut self, complete: bool) {
        let tail = self.command[self.command.len().saturating_sub(TAIL)..].to_vec();
        self.reset();
        self.mode = Mode::Skip(tail);
        if complete {
            self.line_skipped();
        }
    }

    /// Moves on in a refused line; whether it is over.
    fn skip(&mut self) -> bool {
        loop {
            match &mut self.mode {
                Mode::SkipLiteral(0) => self.mode = Mode::Skip(Vec::new()),
                Mode::SkipLiteral(left) => {
                    let skipped =
                        usize::try_from(*left).unwrap_or(usize::MAX).min(self.input.len() - self.used);
                    if skipped == 0 {
                        return false;
                    }
                    *left -= skipped as u64;
                    self.used += skipped;
                }
                Mode::Skip(tail) => {
                    let rest = &self.input[self.used..];
                    let end = rest.iter().position(|b| *b == b'\n').map(|at| at + 1);
                    let line = &rest[..end.unwrap_or(rest.len())];
                    tail.extend_from_slice(&line[line.len().saturating_sub(TAIL)..]);
                    let surplus = tail.len().saturating_sub(TAIL);
                    tail.drain(..surplus);
                    self.used += line.len();
                    if end.is_none() {
                        return false;
                    }
                    self.line_skipped();
                }
                _ => return true,
            }
        }
    }

    /// The line end of a refused line was read: a literal that comes unasked continues it.
    fn line_skipped(&mut self) {
        let Mode::Skip(tail) = &self.mode else { return };
        match literal_header(tail) {
            Some(literal) if literal.unasked => self.skip_literal(literal.size),
            _ => self.mode = Mode::Line,
        }
    }

    fn skip_literal(&mut self, size: u64) {
        self.reset();
        self.mode = Mode::SkipLiteral(size);
    }

    fn reset(&mut self) {
        self.command = Vec::new();
        self.literals = 0;
        self.mode = Mode::Line;
    }

    fn take(&mut self, most: usize) -> Vec<u8> {
        let end = self.input.len().min(self.used.saturating_add(most));
        let octets = self.input[self.used..end].to_vec();
        self.used = end;
        octets
    }

    /// The tag of the command so far, where it has a whole one.
    fn tag(&self) -> Option<String> {
        tag_of(&self.command)
    }
}

fn tag_of(command: &[u8]) -> Option<String> {
    let mut cursor = Cursor::new(command);
    let tag = cursor.tag().ok()?;
    cursor.space().ok().map(|()| tag)
}

/// A line read by [`Reader::raw_line`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawLine {
    More,
    Line(Vec<u8>),
    TooLong,
    Bare,
}

struct Literal {
    size: u64,
    /// `{n+}` (RFC 7888 §4)
    unasked: bool,
}

/// `{n}` or `{n+}` at the end of a line with its CRLF.
fn literal_header(line: &[u8]) -> Option<Literal> {
    let line = line.strip_suffix(b"}\r\n")?;
    let open = line[line.len().saturating_sub(TAIL)..].iter().rposition(|b| *b == b'{')?;
    let inner = &line[line.len() - line.len().min(TAIL) + open + 1..];
    let (digits, unasked) = match inner.strip_suffix(b"+") {
        Some(digits) => (digits, true),
        None => (inner, false),
    };
    if digits.is_empty() || digits.len() > 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Literal { size, unasked })
}

#[cfg(test)]
mod tests;
