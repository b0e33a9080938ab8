//! CLOSE (RFC 3501 §6.4.2) and UNSELECT (RFC 3691 §2): back to the authenticated state, with and without expunging.

use super::ask::{Answer, Ask};
use super::task::{Context, Done, State, Step};

#[derive(Debug)]
pub(super) struct Close {
    /// CLOSE; UNSELECT leaves the messages.
    expunge: bool,
    /// Nobody hears of what CLOSE expunged: "no untagged EXPUNGE responses are sent".
    expunged: bool,
}

impl Close {
    pub(super) fn new(expunge: bool) -> Close {
        Close { expunge, expunged: false }
    }

    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        let read_only = cx.state.view().is_none_or(|view| view.read_only);
        if self.expunge && !read_only && !self.expunged {
            return Step::Ask(Ask::Expunge { uids: None });
        }
        self.expunged = true;
        Step::Ask(Ask::Unselect)
    }

    /// Whatever the store says, the client is not in the mailbox any more.
    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        if self.expunge && !self.expunged {
            self.expunged = true;
            return match answer {
                Answer::Expunged(_) => Step::Again,
                other => Done::unexpected(other).into(),
            };
        }
        *cx.state = State::Authenticated;
        *cx.changed = false;
        Done::ok(if self.expunge { "CLOSE completed" } else { "UNSELECT completed" }).into()
    }
}
