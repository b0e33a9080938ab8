//! SEARCH and UID SEARCH (RFC 3501 §6.4.4): the rows decide what they can, the store is asked for the others in chunks.

use super::ask::{Answer, Ask, Message, Need};
use super::config::{FETCH_BYTES, FETCH_CHUNK};
use super::task::{Context, Done, Step};
use super::view::{View, number};
use crate::message::{self, Index};
use crate::search::{Facts, MessageFacts, SearchKey};
use std::collections::{BTreeSet, VecDeque};

#[derive(Debug)]
pub(super) struct Search {
    /// UID SEARCH
    pub uid: bool,
    key: SearchKey,
    /// UIDs that match.
    found: BTreeSet<u32>,
    /// UIDs that are not decided, ascending.
    open: VecDeque<u32>,
    /// UIDs that the next, more expensive look has to decide.
    later: VecDeque<u32>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Start,
    /// Deciding `open` with this much of the messages.
    Looking(Need),
    /// An [`Ask::Fetch`] is open.
    Fetching(Need, Vec<u32>),
}

impl Search {
    pub(super) fn new(uid: bool, key: SearchKey) -> Search {
        let (open, later) = (VecDeque::new(), VecDeque::new());
        Search { uid, key, found: BTreeSet::new(), open, later, stage: Stage::Start }
    }

    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        match self.stage {
            Stage::Start => {
                self.key.resolve(view.exists(), view.last_uid(), view.keywords());
                for place in 0..view.rows().len() {
                    let Some((uid, decided)) = self.evaluate(view, place, None) else { continue };
                    match decided {
                        Some(true) => self.found.extend([uid]),
                        Some(false) => {}
                        None => self.open.push_back(uid),
                    }
                }
                self.stage = Stage::Looking(Need::Meta);
                Step::Again
            }
            Stage::Looking(need) if self.open.is_empty() => match (self.later.is_empty(), self.key.need()) {
                (false, Some(full)) if need < full => {
                    self.open = std::mem::take(&mut self.later);
                    self.stage = Stage::Looking(full);
                    Step::Again
                }
                _ => self.done(cx),
            },
            Stage::Looking(need) => {
                let uids: Vec<u32> = self.open.iter().take(FETCH_CHUNK).copied().collect();
                self.stage = Stage::Fetching(need, uids.clone());
                Step::Ask(Ask::Fetch { uids, need, max_bytes: FETCH_BYTES })
            }
            // Only an answer leads on from here.
            Stage::Fetching(..) => Done::refused(super::Refusal::Internal).into(),
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        match (std::mem::replace(&mut self.stage, Stage::Start), answer) {
            (Stage::Fetching(need, asked), Answer::Messages { messages, answered })
                if (1..=asked.len()).contains(&answered) =>
            {
                self.open.drain(..answered);
                for message in messages.iter().filter(|message| asked[..answered].contains(&message.uid)) {
                    let Some(place) = view.place(message.uid) else { continue };
                    match self.evaluate(view, place, Some((message, need))) {
                        Some((uid, Some(true))) => self.found.extend([uid]),
                        Some((uid, None)) => self.later.push_back(uid),
                        _ => {}
                    }
                }
                self.stage = Stage::Looking(need);
                Step::Again
            }
            (_, answer) => Done::unexpected(answer).into(),
        }
    }

    fn evaluate(
        &self,
        view: &View,
        place: usize,
        message: Option<(&Message, Need)>,
    ) -> Option<(u32, Option<bool>)> {
        let row = view.rows().get(place)?;
        let raw = message.and_then(|(message, _)| message.raw.as_deref()).unwrap_or_default();
        let index =
            message.map(|(message, _)| Index::decode(&message.index).unwrap_or_else(|_| message::index(raw)));
        let message = message.zip(index.as_ref()).map(|((message, have), index)| MessageFacts {
            internal_date: message.internal_date,
            size: message.size,
            index,
            have,
            raw,
        });
        let facts = Facts { sequence: number(place), uid: row.uid, flags: row.flags, message };
        Some((row.uid, self.key.evaluate(&facts)))
    }

    /// `* SEARCH`, ascending (RFC 3501 §7.2.5).
    fn done(&self, cx: &mut Context<'_>) -> Step {
        cx.out.put("* SEARCH");
        if let Some(view) = cx.state.view() {
            for uid in &self.found {
                let shown = if self.uid { Some(*uid) } else { view.place(*uid).map(number) };
                if let Some(shown) = shown {
                    cx.out.put(' ').put(shown);
                }
            }
        }
        cx.out.end();
        Done::ok("SEARCH completed").into()
    }
}
