//! `DATA` (RFC 5321 §4.1.1.4): the message text, up to a line with a single dot.

use super::envelope::Envelope;
use super::intake::Intake;
use super::output::{Answer, Ask};
use super::text::DotReader;
use super::{Dialog, Question, Session, State};
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn data(&mut self, dialog: Dialog) -> State {
        match dialog {
            // RFC 2033 §4.2.
            Dialog::Mail(envelope)
                if envelope.recipients.is_empty() && self.config.kind == super::Kind::Lmtp =>
            {
                self.out_of_sequence(Dialog::Mail(envelope), "no valid recipients")
            }
            Dialog::Mail(envelope) if envelope.recipients.is_empty() => {
                // RFC 5321 §3.3 and RFC 2920 §3.1: a pipelining client finds out here that nobody was accepted.
                self.bad(Dialog::Mail(envelope), Reply::new(554, Enhanced(5, 5, 1), "no valid recipients"))
            }
            Dialog::Mail(envelope) => self.ask(Question::Data(envelope), Ask::Data),
            // RFC 3030 §2 item 1: DATA and BDAT do not mix.
            Dialog::Chunks(..) => self.out_of_sequence(dialog, "BDAT has begun, DATA cannot follow"),
            Dialog::Idle => self.out_of_sequence(dialog, "say MAIL first"),
        }
    }

    pub(super) fn data_answered(&mut self, envelope: Envelope, answer: Answer) -> State {
        if let Answer::Reject(reply) = answer {
            return self.refused(Dialog::Idle, reply);
        }
        self.say(&Reply::plain(354, "end the message with a dot on a line by itself"));
        let intake = Intake::new(self.message_deadline());
        self.await_text(intake.deadline);
        State::Data(envelope, intake, DotReader::default())
    }

    pub(super) fn read_data(
        &mut self,
        envelope: Envelope,
        mut intake: Intake,
        mut dots: DotReader,
    ) -> (State, bool) {
        if self.input.is_empty() {
            return (State::Data(envelope, intake, dots), false);
        }
        let mut text = Vec::with_capacity(self.input.len());
        let (used, end) = dots.read(self.input.rest(), &mut text);
        self.input.consume(used);
        let piece = intake.take(&text, &self.config.limits);
        self.put_out(piece);
        if intake.is_endless(&self.config.limits) {
            let reply = self.closing(Enhanced(4, 7, 0), "message far beyond the size limit, closing");
            return (self.leave(State::Closed, &reply), true);
        }
        if end {
            // The CRLF before the last dot belongs to the text (RFC 5321 §4.1.1.4): nothing can be left to finish.
            return (self.complete(envelope, &intake), true);
        }
        (State::Data(envelope, intake, dots), true)
    }
}
