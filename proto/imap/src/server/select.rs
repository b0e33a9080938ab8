//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2), with CONDSTORE and QRESYNC (RFC 7162 §3.1.8, §3.2.5).

use super::ask::{Answer, Ask};
use super::config::OUTPUT_CHUNK;
use super::task::{Context, Done, State, Step};
use super::vanished;
use super::view::View;
use crate::MailboxName;
use crate::grammar::{Qresync, SelectParameters};
use crate::response::{Code, Condition};

#[derive(Debug)]
pub(super) struct Select {
    name: MailboxName,
    read_only: bool,
    parameters: SelectParameters,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Start,
    /// An [`Ask::Vanished`] is open.
    Asked(Qresync),
    /// The places after this one are still to be told, if they changed since this modification sequence.
    Tell(usize, u64),
}

impl Select {
    pub(super) fn new(name: MailboxName, read_only: bool, parameters: SelectParameters) -> Select {
        Select { name, read_only, parameters, stage: Stage::Start }
    }

    /// What was selected is deselected even if this fails (RFC 3501 §6.3.1).
    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        if let Stage::Tell(from, since) = self.stage {
            return self.tell(cx, from, since);
        }
        if self.parameters.qresync.is_some() && !cx.modes.qresync {
            return Done::bad("ENABLE QRESYNC comes first").into();
        }
        // RFC 7162 §3.2.11; RFC 9051 §6.3.2.
        if matches!(cx.state, State::Selected(_)) && (cx.modes.qresync || cx.modes.rev2) {
            cx.out.status("*", Condition::Ok, Some(&Code::Closed), "Previous mailbox is closed");
        }
        *cx.state = State::Authenticated;
        *cx.changed = false;
        cx.enable_condstore_for(self.parameters.condstore);
        Step::Ask(Ask::Select { name: self.name.clone(), read_only: self.read_only })
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        match (&self.stage, answer) {
            (Stage::Start, Answer::Selected(selected)) => {
                let mailbox_id = selected.mailbox_id;
                let mut view = View::new(self.name.clone(), self.read_only, *cx.modes, selected);
                cx.out.status(
                    "*",
                    Condition::Ok,
                    Some(&Code::MailboxId(mailbox_id)),
                    "Stays when it is renamed",
                );
                view.announce(cx.out);
                if cx.modes.rev2 {
                    // RFC 9051 §6.3.2: SELECT tells the name that it has open.
                    cx.out.put("* LIST () \"/\" ").mailbox(&self.name, true).end();
                }
                let same = |qresync: &Qresync| qresync.uid_validity == view.uid_validity();
                let qresync = self.parameters.qresync.take().filter(same);
                *cx.state = State::Selected(view);
                match qresync {
                    Some(qresync) => {
                        let since = qresync.modseq;
                        self.stage = Stage::Asked(qresync);
                        Step::Ask(Ask::Vanished { since })
                    }
                    None => self.done(),
                }
            }
            (Stage::Asked(qresync), Answer::Vanished(ranges)) => {
                if let Some(view) = cx.state.view() {
                    let known = vanished::known(view, qresync, ranges);
                    vanished::write_earlier(cx.out, view, known);
                }
                self.stage = Stage::Tell(0, qresync.modseq);
                Step::Again
            }
            // The mailbox is open, but what the client has to forget cannot be told: it is not to believe that it knows.
            (Stage::Asked(_), answer) => {
                *cx.state = State::Authenticated;
                Done::unexpected(answer).into()
            }
            (_, answer) => Done::unexpected(answer).into(),
        }
    }

    /// The messages that changed since the client's modification sequence.
    fn tell(&mut self, cx: &mut Context<'_>, from: usize, since: u64) -> Step {
        let Some(view) = cx.state.view() else { return self.done() };
        for place in from..view.rows().len() {
            if cx.out.len() >= OUTPUT_CHUNK {
                self.stage = Stage::Tell(place, since);
                return Step::Again;
            }
            if view.rows()[place].modseq > since {
                view.write_update(cx.out, place, true);
            }
        }
        self.done()
    }

    fn done(&self) -> Step {
        match self.read_only {
            true => Done::ok("EXAMINE completed").with(Code::ReadOnly).into(),
            false => Done::ok("SELECT completed").with(Code::ReadWrite).into(),
        }
    }
}
