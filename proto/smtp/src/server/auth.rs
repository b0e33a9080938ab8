//! `AUTH` (RFC 4954 §4): the client logs in. The session carries the octets; the driver knows mechanisms and passwords.

use super::output::{Answer, Ask};
use super::{Dialog, Question, Session, State};
use crate::grammar::Initial;
use crate::reply::{Enhanced, Reply};
use crate::sasl::SaslData;

impl Session {
    pub(super) fn auth(&mut self, dialog: Dialog, mechanism: String, initial: Initial) -> State {
        if self.config.mechanisms.is_empty() {
            return self.bad(dialog, Reply::new(502, Enhanced(5, 5, 1), "AUTH is not offered"));
        }
        // RFC 4954 §4: only behind EHLO (AUTH is an extension), once, and not within a transaction.
        if !self.client.as_ref().is_some_and(|client| client.esmtp) {
            return self.out_of_sequence(dialog, "say EHLO first");
        }
        if self.login.is_some() {
            return self.out_of_sequence(dialog, "you are logged in already");
        }
        let Dialog::Idle = dialog else {
            return self.out_of_sequence(dialog, "a transaction is open, RSET ends it");
        };
        let offered = self.mechanisms();
        if !offered.contains(&mechanism.as_str()) {
            let reply = match offered.is_empty() || self.config.mechanisms.contains(&mechanism) {
                // RFC 4954 §6.
                true => Reply::new(538, Enhanced(5, 7, 11), "encryption is required to log in, say STARTTLS"),
                false => Reply::new(504, Enhanced(5, 5, 4), "no such mechanism here"),
            };
            return self.bad(dialog, reply);
        }
        let initial = match initial {
            Initial::None => None,
            Initial::Data(data) => Some(data),
            Initial::Malformed => return self.bad(dialog, not_base64()),
        };
        self.ask(Question::Auth, Ask::Auth { mechanism, initial })
    }

    /// What is offered on this connection (RFC 4954 §4; RFC 8314 §3.3: no password in clear). `-PLUS` binds the login to TLS.
    pub(super) fn mechanisms(&self) -> Vec<&str> {
        let loopback = self.config.plaintext_on_loopback && self.peer.ip.to_canonical().is_loopback();
        let bound = self.tls.as_ref().is_some_and(|tls| tls.channel_binding);
        let encrypted = self.tls.is_some() || loopback;
        let fits = |name: &&str| encrypted && (bound || !name.ends_with("-PLUS"));
        self.config.mechanisms.iter().map(String::as_str).filter(fits).collect()
    }

    pub(super) fn auth_answered(&mut self, answer: Answer) -> State {
        match answer {
            Answer::Challenge(challenge) => {
                self.say(&Reply::plain(334, challenge.encode()));
                self.deadline = self.now + self.config.timeouts.command;
                State::Response
            }
            Answer::Authenticated { login } => {
                self.login = Some(login);
                self.counters.idle = 0;
                self.say(&Reply::new(235, Enhanced(2, 7, 0), "authentication successful"));
                self.answered(Dialog::Idle)
            }
            Answer::Reject(reply) => {
                self.counters.failed_logins += 1;
                if self.counters.failed_logins >= self.config.limits.failed_logins && reply.code() != 421 {
                    self.say(&reply);
                    let reply = self.closing(Enhanced(4, 7, 0), "too many failed logins, closing");
                    return self.leave(State::Command(Dialog::Idle), &reply);
                }
                self.refused(Dialog::Idle, reply)
            }
            Answer::Accept | Answer::AcceptAs(_) | Answer::PerRecipient(_) => {
                self.refused(Dialog::Idle, Reply::new(454, Enhanced(4, 7, 0), "local error, try again later"))
            }
        }
    }

    /// A line of the exchange (RFC 4954 §4: base64, or `*` to cancel).
    pub(super) fn response(&mut self, line: &[u8]) -> State {
        if line == b"*" {
            let reply = Reply::new(501, Enhanced(5, 7, 0), "authentication cancelled");
            return self.bad(Dialog::Idle, reply);
        }
        match SaslData::decode(line) {
            Some(data) => self.ask(Question::Auth, Ask::AuthResponse(data)),
            None => self.bad(Dialog::Idle, not_base64()),
        }
    }

    /// Whether mail may be sent now: on the submission port only after a login (RFC 6409 §4.3, RFC 4954 §6).
    pub(super) fn must_log_in(&self) -> Option<Reply> {
        if self.config.kind != super::Kind::Submission || self.login.is_some() {
            return None;
        }
        let text = match self.tls.is_none() && self.config.starttls && self.mechanisms().is_empty() {
            true => "say STARTTLS and log in first",
            false => "log in first",
        };
        Some(Reply::new(530, Enhanced(5, 7, 0), text))
    }
}

fn not_base64() -> Reply {
    Reply::new(501, Enhanced(5, 5, 2), "not base64")
}
