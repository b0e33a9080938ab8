//! STATUS (RFC 3501 §6.3.10).

use super::ask::{self, Answer, Ask};
use super::task::{Context, Done, Step};
use crate::MailboxName;
use crate::grammar::StatusItem;

#[derive(Debug)]
pub(super) struct Status {
    pub name: MailboxName,
    pub items: Vec<StatusItem>,
}

impl Status {
    pub(super) fn run(&mut self) -> Step {
        Step::Ask(Ask::Status { name: self.name.clone() })
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        // A CONDSTORE enabling command (RFC 7162 §3.1).
        cx.enable_condstore_for(self.items.contains(&StatusItem::HighestModseq));
        let Answer::Status(status) = answer else { return Done::unexpected(answer).into() };
        cx.out.put("* STATUS ").astring(self.name.to_wire().as_bytes()).put(' ');
        cx.out.list(&self.items, |out, item| {
            let (name, number) = value(&status, *item);
            out.put(name).put(' ').put(number);
        });
        cx.out.end();
        Done::ok("STATUS completed").into()
    }
}

fn value(status: &ask::Status, item: StatusItem) -> (&'static str, u64) {
    match item {
        StatusItem::Messages => ("MESSAGES", status.messages.into()),
        StatusItem::Recent => ("RECENT", status.recent.into()),
        StatusItem::UidNext => ("UIDNEXT", status.uid_next.into()),
        StatusItem::UidValidity => ("UIDVALIDITY", status.uid_validity.into()),
        StatusItem::Unseen => ("UNSEEN", status.unseen.into()),
        StatusItem::HighestModseq => ("HIGHESTMODSEQ", status.highest_modseq),
    }
}
