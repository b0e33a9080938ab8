//! `VRFY` (RFC 5321 §4.1.1.6): never tells who exists; 252 is the answer for that (RFC 5321 §3.5.3 and §7.3).

use super::{Dialog, Session, State};
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn vrfy(&mut self, dialog: Dialog) -> State {
        self.idle(dialog, Reply::new(252, Enhanced(2, 0, 0), "cannot verify, send mail and see"))
    }
}
