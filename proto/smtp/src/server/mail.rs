//! `MAIL FROM` (RFC 5321 §4.1.1.2): a mail transaction begins.

use super::envelope::{Envelope, MailParameters};
use super::output::{Answer, Ask};
use super::{Dialog, Question, Session, State};
use crate::address::ReversePath;
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn mail(
        &mut self,
        dialog: Dialog,
        reverse_path: ReversePath,
        parameters: MailParameters,
    ) -> State {
        if self.client.is_none() {
            return self.out_of_sequence(dialog, "say EHLO first");
        }
        let Dialog::Idle = dialog else {
            return self.out_of_sequence(dialog, "a transaction is open, RSET ends it");
        };
        if self.counters.messages >= self.config.limits.messages {
            let reply = self.closing(Enhanced(4, 7, 0), "too many messages in one session, closing");
            return self.leave(State::Command(dialog), &reply);
        }
        // RFC 1870 §6.1: refused before it is sent.
        if parameters.size.is_some_and(|size| size > self.config.limits.message_size) {
            return self.idle(dialog, Reply::new(552, Enhanced(5, 3, 4), "message exceeds the size limit"));
        }
        let ask = Ask::Mail { reverse_path: reverse_path.clone(), parameters };
        self.ask(Question::Mail(Envelope { reverse_path, parameters, recipients: Vec::new() }), ask)
    }

    pub(super) fn mail_answered(&mut self, envelope: Envelope, answer: Answer) -> State {
        if let Answer::Reject(reply) = answer {
            return match self.is_idle_too_long() {
                true => self.leave_idle(Dialog::Idle),
                false => self.refused(Dialog::Idle, reply),
            };
        }
        self.counters.messages += 1;
        self.say(&Reply::new(250, Enhanced(2, 1, 0), "sender accepted"));
        self.answered(Dialog::Mail(envelope))
    }
}
