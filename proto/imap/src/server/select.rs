//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2).

use super::ask::{Answer, Ask};
use super::task::{Context, Done, State, Step};
use super::view::View;
use crate::MailboxName;
use crate::response::Code;

#[derive(Debug)]
pub(super) struct Select {
    pub name: MailboxName,
    pub read_only: bool,
}

impl Select {
    /// What was selected is deselected even if this fails (RFC 3501 §6.3.1).
    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        *cx.state = State::Authenticated;
        *cx.changed = false;
        Step::Ask(Ask::Select { name: self.name.clone(), read_only: self.read_only })
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Answer::Selected(selected) = answer else { return Done::unexpected(answer).into() };
        let mut view = View::new(self.name.clone(), self.read_only, *cx.modes, selected);
        view.announce(cx.out);
        *cx.state = State::Selected(view);
        match self.read_only {
            true => Done::ok("EXAMINE completed").with(Code::ReadOnly).into(),
            false => Done::ok("SELECT completed").with(Code::ReadWrite).into(),
        }
    }
}
