//! `AUTH` (RFC 4954 §4): the driver knows the mechanism and the password, the session carries octets to and fro.

use super::{Answer, Ask, Output, Problem, Session, State};
use crate::reply::Reply;
use crate::sasl::SaslData;

/// Octets of a command line that every server takes (RFC 5321 §4.5.3.1.4). A longer initial response goes on a line of
/// its own (RFC 4954 §4).
const LINE_MAX: usize = 512;

/// How far the login is.
#[derive(Debug)]
pub(super) enum Login {
    /// The driver is to choose a mechanism.
    Choosing,
    /// The driver is to answer a challenge.
    Challenged,
    /// The server is to say something. The initial response that was too long for the first line waits here.
    Sent(Option<SaslData>),
    /// `*` was sent.
    Cancelled,
}

impl Login {
    /// Whether it is the server's turn.
    pub(super) fn listens(&self) -> bool {
        matches!(self, Login::Sent(_) | Login::Cancelled)
    }
}

impl Session {
    /// Logs in, if that is wanted.
    pub(super) fn log_in(&mut self) {
        if !self.config.authenticate {
            return self.ready();
        }
        self.state = State::Login(Login::Choosing);
        if self.capabilities.auth.is_empty() {
            return self.fail(Problem::NoAuth);
        }
        self.deadline = self.now + self.config.timeouts.greeting;
        self.events.push_back(Output::Ask(Ask::Sasl { mechanisms: self.capabilities.auth.clone() }));
    }

    pub(super) fn login_answered(&mut self, answer: Answer) {
        let State::Login(login) = &self.state else { return };
        let patience = self.config.timeouts.greeting;
        match (login, answer) {
            (Login::Choosing, Answer::Sasl { mechanism, initial }) => {
                // RFC 4422 §3.1: letters, digits, hyphens and underscores.
                let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                let mechanism: String = mechanism.chars().filter(|c| fits(*c)).take(20).collect();
                let written = match &initial {
                    None => String::new(),
                    Some(initial) if initial.as_bytes().is_empty() => " =".to_owned(),
                    Some(initial) => format!(" {}", initial.encode()),
                };
                let fits = "AUTH \r\n".len() + mechanism.len() + written.len() <= LINE_MAX;
                self.state = State::Login(Login::Sent(initial.filter(|_| !fits)));
                self.say(&format!("AUTH {mechanism}{}", if fits { &written } else { "" }), patience);
            }
            (Login::Choosing, Answer::NoSasl) => self.fail(Problem::NoAuth),
            (Login::Challenged, Answer::SaslResponse(response)) => {
                self.state = State::Login(Login::Sent(None));
                self.say(&response.encode(), patience);
            }
            (Login::Challenged, Answer::SaslCancel) => self.cancel_login(),
            _ => {}
        }
    }

    fn cancel_login(&mut self) {
        self.state = State::Login(Login::Cancelled);
        self.say("*", self.config.timeouts.greeting);
    }

    pub(super) fn login_replied(&mut self, reply: Reply) {
        let State::Login(login) = &mut self.state else { return };
        let waiting = match login {
            Login::Sent(initial) => initial.take(),
            _ => return self.fail(Problem::AuthCancelled),
        };
        match (reply.code(), waiting) {
            (235, _) => self.ready(),
            (334, Some(initial)) if reply.text().is_empty() => {
                self.say(&initial.encode(), self.config.timeouts.greeting);
            }
            (334, None) => match SaslData::decode(reply.text().trim_end().as_bytes()) {
                Some(challenge) => {
                    self.state = State::Login(Login::Challenged);
                    self.deadline = self.now + self.config.timeouts.greeting;
                    self.events.push_back(Output::Ask(Ask::SaslChallenge(challenge)));
                }
                None => self.cancel_login(),
            },
            (code, _) if code >= 400 => self.fail(Problem::Refused(reply)),
            _ => self.fail(Problem::Garbage("a reply that AUTH does not have")),
        }
    }
}
