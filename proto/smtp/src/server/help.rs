//! `HELP` (RFC 5321 §4.1.1.8).

use super::{Dialog, Session, State};
use crate::reply::{Enhanced, Reply};

/// The commands that do something here.
const COMMANDS: &str = "EHLO HELO MAIL RCPT DATA BDAT RSET STARTTLS VRFY NOOP HELP QUIT";

impl Session {
    pub(super) fn help(&mut self, dialog: Dialog) -> State {
        self.idle(dialog, Reply::new(214, Enhanced(2, 0, 0), COMMANDS))
    }
}
