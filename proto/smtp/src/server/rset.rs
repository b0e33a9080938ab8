//! `RSET` (RFC 5321 §4.1.1.5): the transaction is off, the session goes on.

use super::{Dialog, Session, State};
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn rset(&mut self, dialog: Dialog) -> State {
        self.abandon(dialog);
        self.idle(Dialog::Idle, Reply::new(250, Enhanced(2, 0, 0), "reset"))
    }
}
