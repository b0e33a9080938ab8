//! STORE and UID STORE (RFC 3501 §6.4.6).

use super::ask::{Answer, Ask, Row, StoreOperation};
use super::config::OUTPUT_CHUNK;
use super::task::{Context, Done, Step};
use super::view::View;
use crate::flags::{self, RECENT};
use crate::grammar::FlagList;
use crate::response::Code;
use crate::sequence::SequenceSet;
use std::collections::{BTreeSet, VecDeque};

#[derive(Debug)]
pub(super) struct Store {
    /// UID STORE
    pub uid: bool,
    pub set: SequenceSet,
    pub operation: StoreOperation,
    pub silent: bool,
    pub flags: FlagList,
    pub stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    Start,
    /// The asked messages as the client knows them.
    Asked(Vec<Row>),
    /// The messages whose flags are still to be told, and whether some were gone.
    Tell(VecDeque<u32>, bool),
}

impl Store {
    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        match &mut self.stage {
            Stage::Start => self.ask(view),
            // Only an answer leads on from here.
            Stage::Asked(_) => Done::refused(super::Refusal::Internal).into(),
            Stage::Tell(uids, missed) => {
                while let Some(uid) = uids.pop_front() {
                    if let Some(place) = view.place(uid) {
                        view.write_update(cx.out, place, self.uid);
                    }
                    if cx.out.len() >= OUTPUT_CHUNK {
                        return Step::Again;
                    }
                }
                let done = Done::ok("STORE completed");
                if *missed { done.with(Code::ExpungeIssued).into() } else { done.into() }
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
            self.stage = Stage::Tell(self.told(&rows).into(), false);
            return Step::Again;
        }
        let uids = rows.iter().map(|row| row.uid).collect();
        self.stage = Stage::Asked(rows);
        let (flags, keywords) = (self.flags.system, self.flags.keywords.clone());
        Step::Ask(Ask::Store { uids, operation: self.operation, flags, keywords, unchanged_since: None })
    }

    fn told(&self, rows: &[Row]) -> Vec<u32> {
        if self.silent { Vec::new() } else { rows.iter().map(|row| row.uid).collect() }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        let (Stage::Asked(before), Answer::Stored { rows, keywords, .. }) = (&self.stage, &answer) else {
            return Done::unexpected(answer).into();
        };
        let missed = rows.len() < before.len();
        view.update(rows, keywords.clone(), cx.out);
        let kept: BTreeSet<u32> = rows.iter().map(|row| row.uid).collect();
        let stored = before.iter().filter(|row| kept.contains(&row.uid));
        let told = match (self.silent, missed) {
            (false, false) => self.told(before),
            (false, true) => stored.map(|row| row.uid).collect(),
            // What another session changed meanwhile the client cannot know, and is told all the same.
            (true, _) => self.surprises(view, before),
        };
        self.stage = Stage::Tell(told.into(), missed);
        Step::Again
    }

    /// The messages whose flags are not what the client must now take them for.
    fn surprises(&self, view: &View, before: &[Row]) -> Vec<u32> {
        let keywords = self.flags.keywords.iter().map(|k| flags::keyword_mask(k.as_str(), view.keywords()));
        let mask = keywords.fold(self.flags.system, |mask, bit| mask | bit);
        let expected = |flags: u64| match self.operation {
            StoreOperation::Replace => mask | (flags & RECENT),
            StoreOperation::Add => flags | mask,
            StoreOperation::Remove => flags & !mask,
        };
        let now = |uid| view.place(uid).and_then(|place| view.rows().get(place));
        let surprise = |row: &&Row| now(row.uid).is_some_and(|now| now.flags != expected(row.flags));
        before.iter().filter(surprise).map(|row| row.uid).collect()
    }
}
