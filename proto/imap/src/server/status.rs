//! STATUS (RFC 3501 §6.3.10) with SIZE (RFC 8438 §3.1), MAILBOXID (RFC 8474 §4.3) and APPENDLIMIT (RFC 7889 §3.2).

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
        let Answer::Status(status) = answer else { return Done::unexpected(answer).into() };
        write(cx, &self.name, &self.items, &status);
        Done::ok("STATUS completed").into()
    }
}

/// `* STATUS mailbox (item value …)`
pub(super) fn write(cx: &mut Context<'_>, name: &MailboxName, items: &[StatusItem], status: &ask::Status) {
    // A CONDSTORE enabling command (RFC 7162 §3.1).
    cx.enable_condstore_for(items.contains(&StatusItem::HighestModseq));
    let append_limit = cx.config.limits.append;
    cx.out.put("* STATUS ").mailbox(name, cx.modes.utf8_names()).put(' ');
    cx.out.list(items, |out, item| {
        let (name, number) = match item {
            StatusItem::Messages => ("MESSAGES", status.messages.into()),
            StatusItem::Recent => ("RECENT", status.recent.into()),
            StatusItem::UidNext => ("UIDNEXT", status.uid_next.into()),
            StatusItem::UidValidity => ("UIDVALIDITY", status.uid_validity.into()),
            StatusItem::Unseen => ("UNSEEN", status.unseen.into()),
            StatusItem::Deleted => ("DELETED", status.deleted.into()),
            StatusItem::HighestModseq => ("HIGHESTMODSEQ", status.highest_modseq),
            StatusItem::Size => ("SIZE", status.size),
            StatusItem::AppendLimit => ("APPENDLIMIT", append_limit),
            StatusItem::MailboxId => {
                out.put("MAILBOXID (F").put(status.mailbox_id).put(')');
                return;
            }
        };
        out.put(name).put(' ').put(number);
    });
    cx.out.end();
}
