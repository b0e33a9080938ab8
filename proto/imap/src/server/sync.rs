//! News of the selected mailbox: asked of the store, told as untagged FETCH, EXPUNGE, EXISTS (RFC 3501 §5.2, §7.4.1).

use super::ask::{Answer, Ask, Refusal};
use super::config::OUTPUT_CHUNK;
use super::task::Context;

/// One look at what changed.
#[derive(Debug)]
pub(super) struct Sync {
    /// Whether EXPUNGE may be told.
    expunge: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nothing was asked yet; false: nothing needs to be, only what is known is told.
    Start(bool),
    /// The places whose flags changed, and how many of them were told.
    Tell(Vec<usize>, usize),
}

/// What comes next.
#[derive(Debug)]
pub(super) enum SyncStep {
    Ask(Ask),
    Again,
    Done,
    /// The mailbox does not exist any more: the session cannot go on (RFC 2180 §3.3).
    Gone,
}

impl Sync {
    /// A look at the store, if it has news, and at what waits to be told.
    pub(super) fn new(expunge: bool, news: bool) -> Sync {
        Sync { expunge, stage: Stage::Start(news) }
    }

    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> SyncStep {
        let Some(view) = cx.state.view() else {
            *cx.changed = false;
            return SyncStep::Done;
        };
        match &mut self.stage {
            Stage::Start(true) => {
                *cx.changed = false;
                SyncStep::Ask(Ask::Sync { since: view.modseq() })
            }
            Stage::Start(false) => {
                self.stage = Stage::Tell(Vec::new(), 0);
                SyncStep::Again
            }
            Stage::Tell(places, told) => {
                while let Some(place) = places.get(*told) {
                    if cx.out.len() >= OUTPUT_CHUNK {
                        return SyncStep::Again;
                    }
                    view.write_update(cx.out, *place, true);
                    *told += 1;
                }
                if self.expunge {
                    view.expunge(cx.out);
                }
                view.write_counts(cx.out, false);
                SyncStep::Done
            }
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> SyncStep {
        let Some(view) = cx.state.view() else { return SyncStep::Done };
        let places = match answer {
            Answer::Changes(changes) => view.apply(changes, cx.out),
            Answer::Refused(Refusal::NonExistent) => return SyncStep::Gone,
            // The store cannot tell now: what is known is told, and the next look asks from the same point.
            _ => Vec::new(),
        };
        self.stage = Stage::Tell(places, 0);
        SyncStep::Again
    }
}
