//! `QUIT` (RFC 5321 §4.1.1.10): the client leaves; an open transaction is forgotten.

use super::{Dialog, Session, State};
use crate::reply::{Enhanced, Reply};

impl Session {
    pub(super) fn quit(&mut self, dialog: Dialog) -> State {
        let reply = Reply::new(221, Enhanced(2, 0, 0), format!("{} closing", self.config.hostname));
        self.leave(State::Command(dialog), &reply)
    }
}
