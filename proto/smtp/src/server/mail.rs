//! `MAIL FROM` (RFC 5321 §4.1.1.2): a mail transaction begins.

use super::envelope::{Envelope, MailParameters};
use super::output::{Answer, Ask};
use super::{Dialog, Question, Session, State};
use crate::address::ReversePath;
use crate::reply::{Enhanced, Reply};

/// 555 (RFC 5321 §4.1.1.11).
pub(super) fn unknown_parameter() -> Reply {
    Reply::new(555, Enhanced(5, 5, 4), "parameter not recognized")
}

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
        if let Some(reply) = self.must_log_in() {
            return self.bad(dialog, reply);
        }
        if let Some(reply) = self.not_offered(&parameters) {
            return self.bad(dialog, reply);
        }
        // RFC 1870 §6.1: refused before it is sent.
        if parameters.size.is_some_and(|size| size > self.config.limits.message_size) {
            return self.idle(dialog, Reply::new(552, Enhanced(5, 3, 4), "message exceeds the size limit"));
        }
        let ask = Ask::Mail { reverse_path: reverse_path.clone(), parameters: parameters.clone() };
        let (recipients, recipient_parameters) = (Vec::new(), Vec::new());
        self.ask(Question::Mail(Envelope { reverse_path, parameters, recipients, recipient_parameters }), ask)
    }

    /// RFC 5321 §4.1.1.11: a parameter of an extension that was not offered is not known.
    fn not_offered(&self, parameters: &MailParameters) -> Option<Reply> {
        let dsn = parameters.ret.is_some() || parameters.envelope_id.is_some();
        let auth = parameters.auth.is_some() && self.config.mechanisms.is_empty();
        (auth || dsn && !self.config.dsn).then(unknown_parameter)
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
