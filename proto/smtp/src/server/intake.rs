//! The text of one message while it comes in: counted, cleaned, and dropped once it is clear that it will be refused.
//!
//! RFC 1870 §6.3 (actual size), RFC 5321 §4.5.3.1.7 and §4.5.3.1.9.

use std::time::Instant;

use super::config::Limits;
use super::text::{Cleaner, Fault};
use crate::reply::{Enhanced, Reply};

/// A message in transfer, whatever the command that carries it.
#[derive(Debug)]
pub(super) struct Intake {
    cleaner: Cleaner,
    fault: Option<Fault>,
    read: u64,
    given_out: u64,
    /// When the whole message must have come.
    pub(super) deadline: Instant,
}

/// What a piece of text came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Clean text to pass on; may be empty.
    Clean(Vec<u8>),
    /// The message has just become one that will be refused.
    Spoiled,
    /// It is refused already.
    Dropped,
}

impl Intake {
    pub(super) fn new(deadline: Instant) -> Intake {
        Intake { cleaner: Cleaner::default(), fault: None, read: 0, given_out: 0, deadline }
    }

    /// The next piece of text, dots taken off.
    pub(super) fn take(&mut self, text: &[u8], limits: &Limits) -> Piece {
        let before = self.fault;
        let mut clean = Vec::with_capacity(text.len() + 1);
        self.read = self.read.saturating_add(text.len() as u64);
        if before != Some(Fault::Bare) {
            self.fault = before.max(self.cleaner.pass(text, &mut clean).err());
        }
        if self.read > limits.message_size {
            self.fault = self.fault.max(Some(Fault::TooBig));
        }
        self.piece(before, clean)
    }

    /// `size` octets are announced: refuse them before they come if they are too many.
    pub(super) fn announce(&mut self, size: u64, limits: &Limits) -> Piece {
        let before = self.fault;
        if self.read.saturating_add(size) > limits.message_size {
            self.fault = before.max(Some(Fault::TooBig));
        }
        self.piece(before, Vec::new())
    }

    /// The end of the message.
    pub(super) fn finish(&mut self) -> Piece {
        let before = self.fault;
        let mut clean = Vec::new();
        if before != Some(Fault::Bare) {
            self.fault = before.max(self.cleaner.finish(&mut clean).err());
        }
        self.piece(before, clean)
    }

    fn piece(&mut self, before: Option<Fault>, clean: Vec<u8>) -> Piece {
        match (before, self.fault) {
            (None, None) => {
                self.given_out += clean.len() as u64;
                Piece::Clean(clean)
            }
            (None, Some(_)) => Piece::Spoiled,
            _ => Piece::Dropped,
        }
    }

    /// Octets given out.
    pub(super) fn size(&self) -> u64 {
        self.given_out
    }

    /// The reply of a message that is refused, and whether the session must end with it.
    pub(super) fn refusal(&self) -> Option<(Reply, bool)> {
        let (reply, end) = match self.fault? {
            Fault::TooBig => (Reply::new(552, Enhanced(5, 3, 4), "message exceeds the size limit"), false),
            Fault::Nul => (Reply::new(550, Enhanced(5, 6, 0), "message contains a NUL character"), false),
            Fault::Bare => (Reply::new(550, Enhanced(5, 6, 0), "message contains a bare CR or LF"), true),
        };
        Some((reply, end))
    }

    /// True when more was read in vain than anyone needs to read to be polite.
    pub(super) fn is_endless(&self, limits: &Limits) -> bool {
        self.read > limits.message_size.saturating_add(limits.discarded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(message_size: u64) -> Limits {
        Limits { message_size, discarded: 10, ..Limits::default() }
    }

    fn clean(text: &str) -> Piece {
        Piece::Clean(text.as_bytes().to_vec())
    }

    fn code(intake: &Intake) -> Option<(u16, bool)> {
        intake.refusal().map(|(reply, end)| (reply.code(), end))
    }

    #[test]
    fn within_the_limit() {
        let mut intake = Intake::new(Instant::now());
        assert_eq!(intake.announce(6, &limits(6)), clean(""));
        assert_eq!(intake.take(b"ab\r", &limits(6)), clean("ab"));
        assert_eq!(intake.take(b"\nc", &limits(6)), clean("\r\nc"));
        assert_eq!(intake.finish(), clean("\r\n"));
        assert_eq!((intake.size(), code(&intake)), (7, None));
    }

    #[test]
    fn too_big_once_and_then_endless() {
        let mut intake = Intake::new(Instant::now());
        assert_eq!(intake.take(b"ab", &limits(3)), clean("ab"));
        assert_eq!(intake.take(b"cd", &limits(3)), Piece::Spoiled);
        assert_eq!(intake.take(b"ef", &limits(3)), Piece::Dropped);
        assert_eq!(code(&intake), Some((552, false)));
        assert!(!intake.is_endless(&limits(3)));
        assert_eq!(intake.take(&[b'x'; 8], &limits(3)), Piece::Dropped);
        assert!(intake.is_endless(&limits(3)));
    }

    #[test]
    fn announced_too_big() {
        let mut intake = Intake::new(Instant::now());
        assert_eq!(intake.announce(u64::MAX, &limits(3)), Piece::Spoiled);
        assert_eq!(intake.announce(1, &limits(3)), Piece::Dropped);
        assert_eq!(code(&intake), Some((552, false)));
    }

    /// A bare CR or LF is worse than everything else, whatever came first.
    #[test]
    fn worst_fault_wins() {
        for (pieces, expected) in [
            (&[&b"a\0"[..]][..], (550, false)),
            (&[b"a\0", b"b\n"], (550, true)),
            (&[b"abcd", b"\n"], (550, true)),
            (&[b"\n", b"abcdef"], (550, true)),
            (&[b"a\0", b"bcdef"], (550, false)),
            (&[b"abcdef", b"\0"], (550, false)),
            (&[b"ab\r"], (550, true)),
        ] {
            let mut intake = Intake::new(Instant::now());
            for piece in pieces {
                intake.take(piece, &limits(3));
            }
            intake.finish();
            assert_eq!(code(&intake), Some(expected), "{pieces:?}");
        }
    }
}
