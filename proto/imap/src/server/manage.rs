//! CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.3–6.3.7): one question, one answer.

use super::ask::{Answer, Ask};
use super::task::{Context, Done, State, Step};
use crate::response::Code;

/// One of the five.
#[derive(Debug)]
pub(super) struct Manage {
    ask: Ask,
}

impl Manage {
    pub(super) fn new(ask: Ask) -> Manage {
        Manage { ask }
    }

    pub(super) fn run(&mut self) -> Step {
        let refuse = |text| Done::no(Some(Code::Cannot), text).into();
        match &self.ask {
            Ask::Create { name, .. } if name.is_inbox() => {
                Done::no(Some(Code::AlreadyExists), "INBOX exists always").into()
            }
            Ask::Rename { to, .. } if to.is_inbox() => {
                Done::no(Some(Code::AlreadyExists), "INBOX exists always").into()
            }
            Ask::Delete { name } if name.is_inbox() => refuse("INBOX cannot be deleted"),
            Ask::Rename { from, to } if to.parents().any(|parent| parent == *from) && !from.is_inbox() => {
                refuse("A mailbox cannot be moved into itself")
            }
            ask => Step::Ask(ask.clone()),
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        if answer != Answer::Done {
            return Done::unexpected(answer).into();
        }
        match &self.ask {
            // A session whose own mailbox it deleted has none selected any more.
            Ask::Delete { name } if cx.state.view().is_some_and(|view| view.name == *name) => {
                *cx.state = State::Authenticated;
            }
            Ask::Rename { from, to } => {
                // INBOX keeps its name and loses its messages (RFC 3501 §6.3.5).
                *cx.changed |= from.is_inbox() && cx.state.view().is_some();
                if let Some(view) = cx.state.view()
                    && let Some(name) = view.name.renamed(from, to)
                {
                    view.name = name;
                }
            }
            _ => {}
        }
        let text = match &self.ask {
            Ask::Create { .. } => "CREATE completed",
            Ask::Delete { .. } => "DELETE completed",
            Ask::Rename { .. } => "RENAME completed",
            Ask::Subscribe { .. } => "SUBSCRIBE completed",
            _ => "UNSUBSCRIBE completed",
        };
        Done::ok(text).into()
    }
}
