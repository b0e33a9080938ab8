//! `NOOP` (RFC 5321 §4.1.1.9).

use super::{Dialog, Session, State};
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn noop(&mut self, dialog: Dialog) -> State {
        self.idle(dialog, Reply::new(250, Enhanced(2, 0, 0), "ok"))
    }
}
