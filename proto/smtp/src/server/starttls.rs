//! `STARTTLS` (RFC 3207 §4): on to TLS, with nothing carried over from before.

use super::envelope::Tls;
use super::output::Output;
use super::{Dialog, Session, State};
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn starttls(&mut self, dialog: Dialog) -> State {
        if self.tls.is_some() {
            return self.out_of_sequence(dialog, "TLS is active already");
        }
        if !self.config.starttls {
            return self.bad(dialog, Reply::new(502, Enhanced(5, 5, 1), "STARTTLS is not offered"));
        }
        if self.client.is_none() {
            return self.out_of_sequence(dialog, "say EHLO first");
        }
        self.abandon(dialog);
        self.say(&Reply::new(220, Enhanced(2, 0, 0), "ready to start TLS"));
        // RFC 3207 §4.2 and §5: commands that an attacker put behind STARTTLS must not be obeyed under TLS.
        self.input.clear();
        self.events.push_back(Output::StartTls);
        self.deadline = self.now + self.config.timeouts.handshake;
        State::Handshake
    }

    /// RFC 3207 §4.2: the client's EHLO is forgotten and must come again.
    pub(super) fn restart_under(&mut self, tls: Tls) {
        self.tls = Some(tls);
        self.client = None;
        self.login = None;
        self.lines.clear();
        self.input.clear();
        self.hello_by = self.now + self.config.timeouts.hello;
        self.deadline = self.hello_by;
        self.state = State::Command(Dialog::Idle);
    }
}
