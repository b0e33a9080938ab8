//! COPY (RFC 3501 §6.4.7) and MOVE (RFC 6851 §3), with COPYUID (RFC 4315 §3).

use super::ask::{Answer, Ask};
use super::task::{Context, Done, Step};
use crate::MailboxName;
use crate::response::{Code, Condition};
use crate::sequence::{SequenceSet, compress};

#[derive(Debug)]
pub(super) struct Copy {
    /// UID COPY, UID MOVE
    pub uid: bool,
    pub set: SequenceSet,
    pub target: MailboxName,
    /// MOVE
    pub remove: bool,
}

impl Copy {
    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        let places = match self.uid {
            true => Some(view.places_of_uids(&self.set)),
            false => view.places_of_numbers(&self.set),
        };
        let Some(places) = places else { return Done::bad("No message has that sequence number").into() };
        if self.remove && view.read_only {
            return Done::no(None, "The mailbox is selected read-only").into();
        }
        let uids = view.uids(&places);
        let target = self.target.clone();
        match (uids.is_empty(), self.remove) {
            (true, _) => self.done().into(),
            (false, false) => Step::Ask(Ask::Copy { uids, target }),
            (false, true) => Step::Ask(Ask::Move { uids, target }),
        }
    }

    /// MOVE tells COPYUID before the EXPUNGE responses (RFC 6851 §4.3), COPY with its OK.
    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Answer::Copied { uid_validity, uids } = answer else { return Done::unexpected(answer).into() };
        let sources = || uids.iter().map(|(source, _)| *source);
        let targets = uids.iter().map(|(_, target)| *target);
        let code = Code::CopyUid(uid_validity, compress(sources()), compress(targets));
        let code = (!uids.is_empty()).then_some(code);
        if let Some(view) = cx.state.view() {
            *cx.changed |= view.name == self.target;
            if self.remove {
                view.vanish(sources());
            }
        }
        if !self.remove {
            return Done { code, ..self.done() }.into();
        }
        if let Some(code) = code {
            cx.out.status("*", Condition::Ok, Some(&code), "Moved");
            // RFC 7162 §3.2.9, RFC 6851 §4.4.
            return cx.with_highest_modseq(self.done()).into();
        }
        self.done().into()
    }

    fn done(&self) -> Done {
        Done::ok(if self.remove { "MOVE completed" } else { "COPY completed" })
    }
}
