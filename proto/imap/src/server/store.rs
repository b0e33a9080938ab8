//! STORE and UID STORE (RFC 3501 §6.4.6), with UNCHANGEDSINCE (RFC 7162 §3.1.3).

use super::ask::{Answer, Ask, Row, StoreOperation};
use super::config::OUTPUT_CHUNK;
use super::task::{Context, Done, Step};
use super::view::{View, number};
use crate::flags::{self, RECENT};
use crate::grammar::FlagList;
use crate::response::Code;
use crate::sequence::{SequenceSet, compress};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug)]
pub(super) struct Store {
    /// UID STORE
    pub uid: bool,
    pub set: SequenceSet,
    pub operation: StoreOperation,
    pub silent: bool,
    pub flags: FlagList,
    /// Only messages that did not change after it.
    pub unchanged_since: Option<u64>,
    pub stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    Start,
    /// The asked messages as the client knows them.
    Asked(Vec<Row>),
    /// The messages that are still to be told, and the code at the end.
    Tell(VecDeque<(u32, News)>, Option<Code>),
}

/// What is told of a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    Flags,
    /// STORE was silent: its flags the client can tell, but not its MODSEQ.
    Modseq,
}

impl Store {
    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        cx.enable_condstore_for(self.unchanged_since.is_some());
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        match &mut self.stage {
            Stage::Start => self.ask(view),
            // Only an answer leads on from here.
            Stage::Asked(_) => Done::refused(super::Refusal::Internal).into(),
            Stage::Tell(uids, code) => {
                while let Some((uid, news)) = uids.pop_front() {
                    match (view.place(uid), news) {
                        (Some(place), News::Flags) => {
                            view.write_update(cx.out, place, self.uid || view.modes.qresync);
                        }
                        (Some(place), News::Modseq) => view.write_modseq(cx.out, place),
                        (None, _) => {}
                    }
                    if cx.out.len() >= OUTPUT_CHUNK {
                        return Step::Again;
                    }
                }
                Done { code: code.take(), ..Done::ok("STORE completed") }.into()
            }
        }
    }

    fn ask(&mut self, view: &View) -> Step {
        let places = match self.uid {
            true => Some(view.places_of_uids(&self.set)),
            false => view.places_of_numbers(&self.set),
        };
        let Some(places) = places else { return Done::bad("No message has that sequence number").into() };
        if view.read_only {
            return Done::no(None, "The mailbox is selected read-only").into();
        }
        let rows: Vec<Row> = places.into_iter().flat_map(|range| view.rows()[range].to_vec()).collect();
        let nothing = self.operation != StoreOperation::Replace
            && self.flags.system == 0
            && self.flags.keywords.is_empty();
        if rows.is_empty() || nothing {
            let told = if self.silent { &[] } else { rows.as_slice() };
            self.stage = Stage::Tell(told.iter().map(|row| (row.uid, News::Flags)).collect(), None);
            return Step::Again;
        }
        let uids = rows.iter().map(|row| row.uid).collect();
        self.stage = Stage::Asked(rows);
        let (flags, keywords) = (self.flags.system, self.flags.keywords.clone());
        Step::Ask(Ask::Store {
            uids,
            operation: self.operation,
            flags,
            keywords,
            unchanged_since: self.unchanged_since,
        })
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        let (Stage::Asked(before), Answer::Stored { rows, modified, keywords }) = (&self.stage, &answer)
        else {
            return Done::unexpected(answer).into();
        };
        view.update(rows, keywords.clone(), cx.out);
        // Another session changed something in between: a client that remembers this change's MODSEQ must have heard of that.
        let known = view.modseq().saturating_add(1);
        *cx.changed |= view.modes.condstore && rows.iter().any(|row| row.modseq > known);
        let now: BTreeMap<u32, &Row> = rows.iter().map(|row| (row.uid, row)).collect();
        let modified: BTreeSet<u32> = modified.iter().copied().collect();
        let surprises = self.surprises(view, before, &modified);
        let mut told = VecDeque::new();
        for row in before {
            let Some(stored) = now.get(&row.uid) else { continue };
            let news = match modified.contains(&row.uid) {
                // Of those that were left alone, what the client did not know (RFC 7162 §3.1.3).
                true => (stored.modseq != row.modseq).then_some(News::Flags),
                false if !self.silent || surprises.contains(&row.uid) => Some(News::Flags),
                // A silent STORE tells the new MODSEQ all the same.
                false => (view.modes.condstore && stored.modseq != row.modseq).then_some(News::Modseq),
            };
            told.extend(news.map(|news| (row.uid, news)));
        }
        let code = match (modified.is_empty(), rows.len() < before.len()) {
            (false, _) => Some(Code::Modified(self.shown(view, &modified))),
            (true, true) => Some(Code::ExpungeIssued),
            (true, false) => None,
        };
        self.stage = Stage::Tell(told, code);
        Step::Again
    }

    /// UIDs as the client names messages.
    fn shown(&self, view: &View, uids: &BTreeSet<u32>) -> String {
        match self.uid {
            true => compress(uids.iter().copied()),
            false => compress(uids.iter().filter_map(|uid| view.place(*uid)).map(number)),
        }
    }

    /// The messages whose flags are not what the client must now take them for: what another session changed meanwhile it
    /// cannot know, and is told of a silent STORE, too.
    fn surprises(&self, view: &View, before: &[Row], modified: &BTreeSet<u32>) -> BTreeSet<u32> {
        let keywords = self.flags.keywords.iter().map(|k| flags::keyword_mask(k.as_str(), view.keywords()));
        let mask = keywords.fold(self.flags.system, |mask, bit| mask | bit);
        let expected = |flags: u64| match self.operation {
            StoreOperation::Replace => mask | (flags & RECENT),
            StoreOperation::Add => flags | mask,
            StoreOperation::Remove => flags & !mask,
        };
        let now = |uid| view.place(uid).and_then(|place| view.rows().get(place));
        let surprise = |row: &&Row| now(row.uid).is_some_and(|now| now.flags != expected(row.flags));
        let stored = before.iter().filter(|row| !modified.contains(&row.uid));
        stored.filter(surprise).map(|row| row.uid).collect()
    }
}
