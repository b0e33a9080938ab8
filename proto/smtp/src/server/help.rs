//! `HELP` (RFC 5321 §4.1.1.8).

use super::{Dialog, Kind, Session, State};
use crate::reply::{Enhanced, Reply};

/// The commands that do something here.
const COMMANDS: &str = "MAIL RCPT DATA RSET STARTTLS VRFY NOOP HELP QUIT";

impl Session {
    pub(super) fn help(&mut self, dialog: Dialog) -> State {
        let more = match self.config.kind {
            Kind::Lmtp => "LHLO",
            _ if self.config.mechanisms.is_empty() => "EHLO HELO BDAT",
            _ => "EHLO HELO AUTH BDAT",
        };
        self.idle(dialog, Reply::new(214, Enhanced(2, 0, 0), format!("{more} {COMMANDS}")))
    }
}
