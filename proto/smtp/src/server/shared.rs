//! What the verbs have in common: saying, asking, leaving, counting what went wrong.
//!
//! RFC 5321 §3.8 (421), §4.1.4 (order of commands), §4.2 (replies), §4.5.3.2 (timeouts), §7.8 (resistance to attacks).

use std::time::Instant;

use super::envelope::Envelope;
use super::intake::{Intake, Piece};
use super::output::{Answer, Ask, Output};
use super::{Dialog, Kind, Question, Session, State};
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.replies);
    }

    /// `421 <domain> …` (RFC 5321 §4.2.2).
    pub(super) fn closing(&self, enhanced: Enhanced, text: &str) -> Reply {
        Reply::new(421, enhanced, format!("{} {text}", self.config.hostname))
    }

    /// Says the last word. What the client has sent beyond it is not read.
    pub(super) fn leave(&mut self, state: State, reply: &Reply) -> State {
        match state {
            State::Data(_, intake, _) | State::Chunk(_, intake, _) if intake.refusal().is_none() => {
                self.events.push_back(Output::Discard);
            }
            State::Data(..) | State::Chunk(..) => {}
            State::Command(dialog) | State::Skip(dialog, ..) => self.abandon(dialog),
            State::Greeting | State::Response | State::Asking(_) | State::Handshake | State::Closed => {}
        }
        self.say(reply);
        self.hang_up()
    }

    /// Closes; what the client has sent is not read.
    fn hang_up(&mut self) -> State {
        self.input.clear();
        self.events.push_back(Output::Close);
        State::Closed
    }

    /// Ends a transaction; text that was given out is taken back.
    pub(super) fn abandon(&mut self, dialog: Dialog) {
        if let Dialog::Chunks(..) = dialog {
            self.events.push_back(Output::Discard);
        }
    }

    /// A command that was not understood or out of place; too many end the session.
    pub(super) fn bad(&mut self, dialog: Dialog, reply: Reply) -> State {
        self.counters.bad += 1;
        if self.counters.bad > self.config.limits.bad_commands {
            let reply = self.closing(Enhanced(4, 7, 0), "too many bad commands, closing");
            return self.leave(State::Command(dialog), &reply);
        }
        self.say(&reply);
        State::Command(dialog)
    }

    /// A command out of sequence (RFC 5321 §4.1.4).
    pub(super) fn out_of_sequence(&mut self, dialog: Dialog, text: &'static str) -> State {
        self.bad(dialog, Reply::new(503, Enhanced(5, 5, 1), text))
    }

    /// A command that brings no message nearer; too many end the session.
    pub(super) fn idle(&mut self, dialog: Dialog, reply: Reply) -> State {
        if self.is_idle_too_long() {
            return self.leave_idle(dialog);
        }
        self.say(&reply);
        State::Command(dialog)
    }

    pub(super) fn is_idle_too_long(&mut self) -> bool {
        self.counters.idle += 1;
        self.counters.idle > self.config.limits.idle_commands
    }

    pub(super) fn leave_idle(&mut self, dialog: Dialog) -> State {
        let reply = self.closing(Enhanced(4, 7, 0), "too many commands without a message, closing");
        self.leave(State::Command(dialog), &reply)
    }

    /// Puts a question to the driver.
    pub(super) fn ask(&mut self, question: Question, ask: Ask) -> State {
        self.events.push_back(Output::Ask(ask));
        self.deadline = self.now + self.config.timeouts.answer;
        State::Asking(question)
    }

    /// Back to commands after an answer.
    pub(super) fn answered(&mut self, dialog: Dialog) -> State {
        self.await_command(&dialog);
        State::Command(dialog)
    }

    /// A refusal by the driver: 421 ends the session (RFC 5321 §3.8), and one that refuses nothing is our own fault.
    pub(super) fn refused(&mut self, dialog: Dialog, reply: Reply) -> State {
        let reply = if reply.is_negative() {
            reply
        } else {
            Reply::new(451, Enhanced(4, 3, 0), "local error, try again later")
        };
        if reply.code() == 421 {
            return self.leave(State::Command(dialog), &reply);
        }
        self.say(&reply);
        self.answered(dialog)
    }

    /// Puts out what came of a piece of text.
    pub(super) fn put_out(&mut self, piece: Piece) {
        match piece {
            Piece::Clean(text) if !text.is_empty() => self.events.push_back(Output::Body(text)),
            Piece::Spoiled => self.events.push_back(Output::Discard),
            Piece::Clean(_) | Piece::Dropped => {}
        }
    }

    /// The message is complete: asks about it, or refuses it (then its text is already taken back).
    pub(super) fn complete(&mut self, envelope: Envelope, intake: &Intake) -> State {
        match intake.refusal() {
            None => self.ask(Question::Message(envelope), Ask::Message { size: intake.size() }),
            Some((reply, true)) => self.leave(State::Closed, &reply),
            Some((reply, false)) => {
                for _ in 0..self.final_replies(&envelope) {
                    self.say(&reply);
                }
                self.answered(Dialog::Idle)
            }
        }
    }

    /// Replies to the end of a message: one, or in LMTP one for each recipient (RFC 2033 §4.2).
    fn final_replies(&self, envelope: &Envelope) -> usize {
        match self.config.kind {
            Kind::Lmtp => envelope.recipients.len(),
            Kind::Mx | Kind::Submission => 1,
        }
    }

    pub(super) fn message_answered(&mut self, envelope: Envelope, answer: Answer) -> State {
        let count = self.final_replies(&envelope);
        let lost = || Reply::new(451, Enhanced(4, 3, 0), "local error, try again later");
        let accepted = |text: String| vec![Reply::new(250, Enhanced(2, 0, 0), text); count];
        let mut replies = match answer {
            Answer::Reject(reply) if count == 1 => return self.refused(Dialog::Idle, reply),
            Answer::Reject(reply) if reply.is_negative() => vec![reply; count],
            Answer::PerRecipient(replies) => replies,
            Answer::Accept => accepted("message accepted".to_owned()),
            Answer::AcceptAs(id) => accepted(format!("message accepted as {id}")),
            Answer::Reject(_) | Answer::Challenge(_) | Answer::Authenticated { .. } => Vec::new(),
        };
        // A recipient that the driver said nothing about is not one that has the message.
        replies.resize_with(count, lost);
        self.counters.idle = 0;
        // RFC 5321 §4.5.3.2.6 and §6.1: from here on the message is ours.
        for reply in &replies {
            self.say(reply);
        }
        if replies.iter().any(|reply| reply.code() == 421) {
            return self.hang_up();
        }
        self.answered(Dialog::Idle)
    }

    /// How long a message that begins now may take.
    pub(super) fn message_deadline(&self) -> Instant {
        self.now + self.config.timeouts.message
    }

    /// Waits for the next piece of text, but not beyond this deadline of the whole.
    pub(super) fn await_text(&mut self, whole: Instant) {
        self.deadline = (self.now + self.config.timeouts.data).min(whole);
    }

    /// Waits for the next command; within a message in chunks not beyond the deadline of the message.
    pub(super) fn await_command(&mut self, dialog: &Dialog) {
        let command = self.now + self.config.timeouts.command;
        self.deadline = match dialog {
            _ if self.client.is_none() => self.hello_by,
            Dialog::Chunks(_, intake) => command.min(intake.deadline),
            Dialog::Idle | Dialog::Mail(_) => command,
        };
    }
}
