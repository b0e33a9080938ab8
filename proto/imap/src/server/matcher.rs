//! Which messages match search keys, for SEARCH, SORT and THREAD (RFC 3501 §6.4.4): the rows decide what they can, the
//! store is asked for the others in chunks.

use super::ask::{Answer, Ask, Message, Need};
use super::config::{FETCH_BYTES, FETCH_CHUNK, SEARCH_STEP_KEYS, SEARCH_STEP_OCTETS};
use super::task::{Context, Done, Step};
use super::view::{View, number};
use crate::message::{self, Index};
use crate::search::{Facts, Look, MessageFacts, SearchKey};
use std::collections::{BTreeSet, VecDeque};

/// The search itself.
#[derive(Debug)]
pub(super) struct Matcher {
    key: SearchKey,
    /// UIDs that match.
    found: BTreeSet<u32>,
    /// UIDs that are not decided, ascending.
    open: VecDeque<u32>,
    /// UIDs that the next, more expensive look has to decide.
    later: VecDeque<u32>,
    /// How many keys there are.
    keys: usize,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Start,
    /// An [`Ask::Clock`] is open.
    Clock,
    /// Deciding the rows from this place on.
    Rows(usize),
    /// Deciding `open` with this much of the messages.
    Looking(Need),
    /// An [`Ask::Fetch`] is open.
    Fetching(Need, Vec<u32>),
    /// Deciding what came; of the first message some may be known.
    Matching(Need, VecDeque<Message>, Option<Box<Current>>),
}

/// The message that is being looked at.
#[derive(Debug)]
struct Current {
    index: Index,
    look: Look,
}

impl Matcher {
    pub(super) fn new(key: SearchKey) -> Matcher {
        let (open, later) = (VecDeque::new(), VecDeque::new());
        Matcher { key, found: BTreeSet::new(), open, later, keys: 1, stage: Stage::Start }
    }

    /// The UIDs that match, ascending.
    pub(super) fn found(&self) -> &BTreeSet<u32> {
        &self.found
    }

    /// Whether a modification sequence belongs into the response (RFC 7162 §3.1.5).
    pub(super) fn has_modseq(&self) -> bool {
        self.key.has_modseq()
    }

    /// The next step; `None` when everything is decided.
    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Option<Step> {
        cx.enable_condstore_for(matches!(self.stage, Stage::Start) && self.key.has_modseq());
        let Some(view) = cx.state.view() else { return Some(Done::bad("No mailbox is selected").into()) };
        Some(match self.stage {
            Stage::Start if self.key.needs_clock() => {
                self.stage = Stage::Clock;
                Step::Ask(Ask::Clock)
            }
            Stage::Start => self.begin(view),
            Stage::Rows(from) => self.decide_rows(view, from),
            Stage::Looking(need) if self.open.is_empty() => match (self.later.is_empty(), self.key.need()) {
                (false, Some(full)) if need < full => {
                    self.open = std::mem::take(&mut self.later);
                    self.stage = Stage::Looking(full);
                    Step::Again
                }
                _ => return None,
            },
            Stage::Looking(need) => {
                let uids: Vec<u32> = self.open.iter().take(FETCH_CHUNK).copied().collect();
                self.stage = Stage::Fetching(need, uids.clone());
                Step::Ask(Ask::Fetch { uids, need, digest: self.key.needs_digest(), max_bytes: FETCH_BYTES })
            }
            Stage::Matching(..) => self.decide_messages(view),
            // Only an answer leads on from here.
            Stage::Clock | Stage::Fetching(..) => Done::refused(super::Refusal::Internal).into(),
        })
    }

    fn begin(&mut self, view: &View) -> Step {
        self.key.put_saved(view.saved());
        let keys = self.key.resolve(view.exists(), view.last_uid(), view.keywords());
        self.keys = usize::try_from(keys).unwrap_or(usize::MAX).max(1);
        self.stage = Stage::Rows(0);
        Step::Again
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        match (std::mem::replace(&mut self.stage, Stage::Start), answer) {
            (Stage::Clock, Answer::Clock(now)) => {
                self.key.put_clock(now);
                match cx.state.view() {
                    Some(view) => self.begin(view),
                    None => Done::bad("No mailbox is selected").into(),
                }
            }
            (Stage::Fetching(need, asked), Answer::Messages { mut messages, answered })
                if (1..=asked.len()).contains(&answered) =>
            {
                self.open.drain(..answered);
                let asked: BTreeSet<u32> = asked[..answered].iter().copied().collect();
                messages.retain(|message| asked.contains(&message.uid));
                self.stage = Stage::Matching(need, messages.into(), None);
                Step::Yield
            }
            (_, answer) => Done::unexpected(answer).into(),
        }
    }

    /// Decides by the rows alone what can be, as many as a step may.
    fn decide_rows(&mut self, view: &View, from: usize) -> Step {
        let until = from + (SEARCH_STEP_KEYS / self.keys).max(1);
        for (place, row) in view.rows().iter().enumerate().take(until).skip(from) {
            let facts = Facts {
                sequence: number(place),
                uid: row.uid,
                flags: row.flags,
                modseq: row.modseq,
                message: None,
            };
            match self.key.evaluate(&facts, &mut Look::default()) {
                Some(true) => drop(self.found.insert(row.uid)),
                Some(false) => {}
                None => self.open.push_back(row.uid),
            }
        }
        if until < view.rows().len() {
            self.stage = Stage::Rows(until);
            return Step::Yield;
        }
        self.stage = Stage::Looking(Need::Meta);
        Step::Again
    }

    /// Decides the messages that came, as far as a step goes; where it ends inside of one, the next goes on there.
    fn decide_messages(&mut self, view: &View) -> Step {
        let Stage::Matching(need, messages, current) = &mut self.stage else { return Step::Again };
        let mut left = SEARCH_STEP_OCTETS;
        while let Some(message) = messages.front() {
            let Some((place, row)) = view.place(message.uid).and_then(|at| Some((at, view.rows().get(at)?)))
            else {
                messages.pop_front();
                continue;
            };
            let Current { index, look } =
                &mut **current.get_or_insert_with(|| Box::new(Current::new(message)));
            look.allow(left);
            let facts = Facts {
                sequence: number(place),
                uid: row.uid,
                flags: row.flags,
                modseq: row.modseq,
                message: Some(facts_of(message, index, *need)),
            };
            match self.key.evaluate(&facts, look) {
                None if look.paused() => return Step::Yield,
                Some(true) => drop(self.found.insert(row.uid)),
                Some(false) => {}
                None => self.later.push_back(row.uid),
            }
            left = look.left().saturating_sub(self.keys + message.index.len());
            messages.pop_front();
            *current = None;
            if left == 0 {
                return Step::Yield;
            }
        }
        self.stage = Stage::Looking(*need);
        Step::Again
    }
}

impl Current {
    /// An index that cannot be read is made again of what is there.
    fn new(message: &Message) -> Current {
        let again = |_| message::index(message.raw.as_deref().unwrap_or_default());
        Current { index: Index::decode(&message.index).unwrap_or_else(again), look: Look::default() }
    }
}

fn facts_of<'a>(message: &'a Message, index: &'a Index, have: Need) -> MessageFacts<'a> {
    MessageFacts {
        internal_date: message.internal_date,
        save_date: message.save_date,
        email_id: message.email_id,
        thread_id: message.digest.as_ref().map(|digest| digest.thread_id),
        size: message.size,
        index,
        have,
        raw: message.raw.as_deref().unwrap_or_default(),
    }
}
