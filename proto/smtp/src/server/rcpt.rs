//! `RCPT TO` (RFC 5321 §4.1.1.3): one more recipient.

use super::envelope::{Envelope, RcptParameters};
use super::mail::unknown_parameter;
use super::output::{Answer, Ask};
use super::{Dialog, Question, Session, State};
use crate::address::ForwardPath;
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn rcpt(
        &mut self,
        dialog: Dialog,
        forward_path: ForwardPath,
        parameters: RcptParameters,
    ) -> State {
        let envelope = match dialog {
            Dialog::Mail(envelope) => envelope,
            Dialog::Idle => return self.out_of_sequence(dialog, "say MAIL first"),
            Dialog::Chunks(..) => return self.out_of_sequence(dialog, "the message text has begun"),
        };
        if !self.config.dsn && parameters != RcptParameters::default() {
            return self.bad(Dialog::Mail(envelope), unknown_parameter());
        }
        // RFC 6531 §3.5: only in a transaction that MAIL opened for it.
        if matches!(&forward_path, ForwardPath::Mailbox(mailbox) if !mailbox.is_ascii())
            && !envelope.parameters.smtputf8
        {
            let reply = Reply::new(553, Enhanced(5, 6, 7), "the address needs SMTPUTF8");
            return self.bad(Dialog::Mail(envelope), reply);
        }
        // RFC 5321 §4.5.3.1.10: 452, so that the client sends the rest in a transaction of its own.
        if envelope.recipients.len() >= self.config.limits.recipients {
            self.say(&Reply::new(452, Enhanced(4, 5, 3), "too many recipients"));
            return State::Command(Dialog::Mail(envelope));
        }
        let ask = Ask::Rcpt { forward_path: forward_path.clone(), parameters: parameters.clone() };
        self.ask(Question::Rcpt(envelope, forward_path, parameters), ask)
    }

    pub(super) fn rcpt_answered(
        &mut self,
        mut envelope: Envelope,
        path: ForwardPath,
        parameters: RcptParameters,
        answer: Answer,
    ) -> State {
        if let Answer::Reject(reply) = answer {
            self.counters.refused += u32::from(!reply.is_temporary());
            if self.counters.refused > self.config.limits.refused_recipients {
                let reply = self.closing(Enhanced(4, 7, 0), "too many refused recipients, closing");
                return self.leave(State::Command(Dialog::Idle), &reply);
            }
            return self.refused(Dialog::Mail(envelope), reply);
        }
        envelope.recipients.push(path);
        envelope.recipient_parameters.push(parameters);
        self.say(&Reply::new(250, Enhanced(2, 1, 5), "recipient accepted"));
        self.answered(Dialog::Mail(envelope))
    }
}
