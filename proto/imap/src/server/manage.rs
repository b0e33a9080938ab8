//! CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.3–6.3.7): one question, one answer.

use super::ask::{Answer, Ask, Refusal, SpecialUse};
use super::task::{Context, Done, State, Step};
use crate::MailboxName;
use crate::response::Code;

/// One of the five.
#[derive(Debug)]
pub(super) struct Manage {
    ask: Ask,
    /// CREATE names special uses that are not to be had.
    unknown_use: bool,
}

impl Manage {
    pub(super) fn new(ask: Ask) -> Manage {
        Manage { ask, unknown_use: false }
    }

    /// CREATE, for at most one of the special uses that this server knows (RFC 6154 §3).
    pub(super) fn create(name: MailboxName, uses: &[String]) -> Manage {
        let special_use = uses.first().and_then(|name| SpecialUse::named(name));
        let unknown = uses.len() > 1 || special_use.is_none() && !uses.is_empty();
        Manage { ask: Ask::Create { name, special_use }, unknown_use: unknown }
    }

    pub(super) fn run(&mut self) -> Step {
        if self.unknown_use {
            return Done::refused(Refusal::UseAttribute).into();
        }
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
        match (&self.ask, answer) {
            // "MAILBOXID response code MUST be in the tagged OK" (RFC 8474 §4.1).
            (Ask::Create { .. }, Answer::Created { mailbox_id }) => {
                return Done::ok("CREATE completed").with(Code::MailboxId(mailbox_id)).into();
            }
            (Ask::Create { .. }, other) => return Done::unexpected(other).into(),
            (_, Answer::Done) => {}
            (_, other) => return Done::unexpected(other).into(),
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
            Ask::Delete { .. } => "DELETE completed",
            Ask::Rename { .. } => "RENAME completed",
            Ask::Subscribe { .. } => "SUBSCRIBE completed",
            _ => "UNSUBSCRIBE completed",
        };
        Done::ok(text).into()
    }
}
