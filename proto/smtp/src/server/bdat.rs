//! `BDAT` (RFC 3030 §2): the message text in chunks of known size, no dots to stuff and no end to look for.
//!
//! BINARYMIME (RFC 3030 §3) is not offered: what chunks carry is text in CRLF lines all the same.

use super::envelope::Envelope;
use super::intake::Intake;
use super::output::{Answer, Ask};
use super::{Chunk, Dialog, Question, Session, Skip, State};
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn bdat(&mut self, dialog: Dialog, size: u64, last: bool) -> State {
        let chunk = Chunk { size, left: size, last };
        match dialog {
            // Not offered: the last chunk would take a reply for each recipient (RFC 2033 §4.3).
            dialog if self.config.kind == super::Kind::Lmtp => {
                let reply = Reply::new(502, Enhanced(5, 5, 1), "CHUNKING is not offered");
                self.unwanted(dialog, size, reply)
            }
            Dialog::Chunks(envelope, intake) => self.begin_chunk(envelope, intake, chunk),
            Dialog::Mail(envelope) if envelope.recipients.is_empty() => {
                let reply = Reply::new(554, Enhanced(5, 5, 1), "no valid recipients");
                self.unwanted(Dialog::Mail(envelope), size, reply)
            }
            Dialog::Mail(envelope) => self.ask(Question::Chunk(envelope, chunk), Ask::Data),
            // RFC 3030 §2: also every chunk that was on its way when one before it was refused.
            Dialog::Idle => self.unwanted(dialog, size, Reply::new(503, Enhanced(5, 5, 1), "say MAIL first")),
        }
    }

    pub(super) fn bdat_answered(&mut self, envelope: Envelope, chunk: Chunk, answer: Answer) -> State {
        match answer {
            Answer::Reject(reply) if reply.is_negative() && reply.code() != 421 => {
                self.unwanted(Dialog::Idle, chunk.size, reply)
            }
            Answer::Reject(reply) => self.refused(Dialog::Idle, reply),
            _ => {
                let intake = Intake::new(self.message_deadline());
                self.begin_chunk(envelope, intake, chunk)
            }
        }
    }

    fn begin_chunk(&mut self, envelope: Envelope, mut intake: Intake, chunk: Chunk) -> State {
        let piece = intake.announce(chunk.size, &self.config.limits);
        self.put_out(piece);
        if chunk.size > self.most_skipped() {
            return self.too_long_to_skip();
        }
        self.await_text(intake.deadline);
        State::Chunk(envelope, intake, chunk)
    }

    pub(super) fn read_chunk(
        &mut self,
        envelope: Envelope,
        mut intake: Intake,
        mut chunk: Chunk,
    ) -> (State, bool) {
        if chunk.left == 0 {
            return (self.end_chunk(envelope, intake, chunk), true);
        }
        if self.input.is_empty() {
            return (State::Chunk(envelope, intake, chunk), false);
        }
        let text = self.input.take(chunk.left);
        chunk.left -= text.len() as u64;
        let piece = intake.take(&text, &self.config.limits);
        self.put_out(piece);
        (State::Chunk(envelope, intake, chunk), true)
    }

    /// Every chunk is answered (RFC 3030 §2), the last one for the whole message.
    fn end_chunk(&mut self, envelope: Envelope, mut intake: Intake, chunk: Chunk) -> State {
        if chunk.last {
            let piece = intake.finish();
            self.put_out(piece);
        }
        if chunk.last || intake.refusal().is_some() {
            return self.complete(envelope, &intake);
        }
        self.say(&Reply::new(250, Enhanced(2, 0, 0), format!("{} octets received", chunk.size)));
        self.answered(Dialog::Chunks(envelope, intake))
    }

    /// A chunk that is refused is read all the same: its octets are no commands (RFC 3030 §2).
    fn unwanted(&mut self, dialog: Dialog, size: u64, reply: Reply) -> State {
        if size > self.most_skipped() {
            return self.too_long_to_skip();
        }
        let deadline = self.message_deadline();
        self.await_text(deadline);
        State::Skip(dialog, Skip { left: size, reply, deadline })
    }

    pub(super) fn skip_chunk(&mut self, dialog: Dialog, mut skip: Skip) -> (State, bool) {
        if skip.left == 0 {
            self.await_command(&dialog);
            return (self.idle(dialog, skip.reply), true);
        }
        if self.input.is_empty() {
            return (State::Skip(dialog, skip), false);
        }
        skip.left -= self.input.take(skip.left).len() as u64;
        (State::Skip(dialog, skip), true)
    }

    fn most_skipped(&self) -> u64 {
        self.config.limits.message_size.saturating_add(self.config.limits.discarded)
    }

    fn too_long_to_skip(&mut self) -> State {
        let reply = self.closing(Enhanced(4, 7, 0), "chunk far beyond the size limit, closing");
        self.leave(State::Closed, &reply)
    }
}
