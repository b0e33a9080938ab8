//! EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1).

use super::ask::{Answer, Ask};
use super::task::{Context, Done, Step};
use crate::sequence::SequenceSet;

#[derive(Debug)]
pub(super) struct Expunge {
    /// `Some`: UID EXPUNGE.
    pub uids: Option<SequenceSet>,
}

impl Expunge {
    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        if view.read_only {
            return Done::no(None, "The mailbox is selected read-only").into();
        }
        let uids = self.uids.as_ref().map(|set| view.uids(&view.places_of_uids(set)));
        if uids.as_ref().is_some_and(Vec::is_empty) {
            return Done::ok("EXPUNGE completed").into();
        }
        Step::Ask(Ask::Expunge { uids })
    }

    /// The EXPUNGE responses come with the look at the mailbox that ends every command.
    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Answer::Expunged(uids) = answer else { return Done::unexpected(answer).into() };
        let done = Done::ok("EXPUNGE completed");
        // RFC 7162 §3.2.7.
        let done = if uids.is_empty() { done } else { cx.with_highest_modseq(done) };
        if let Some(view) = cx.state.view() {
            view.vanish(uids);
        }
        done.into()
    }
}
