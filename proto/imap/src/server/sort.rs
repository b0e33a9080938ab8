//! SORT and UID SORT (RFC 5256 §3, RFC 5957), with RETURN (RFC 5267 §3.1): of what was found, the envelopes are read in
//! chunks and sorted as they come.

use super::ask::{Answer, Need};
use super::config::SORT_MEMORY;
use super::esearch::{self, Numbers};
use super::gather::Gather;
use super::matcher::Matcher;
use super::task::{Context, Done, Step};
use crate::grammar::{Returns, SortCommand};
use crate::response::Code;
use crate::sort::{Criterion, SortValue};
use std::collections::BTreeSet;

#[derive(Debug)]
pub(super) struct Sort {
    /// UID SORT
    pub uid: bool,
    returns: Option<Returns>,
    criteria: Vec<Criterion>,
    matcher: Matcher,
    stage: Stage,
    /// Values and UIDs: equals are in the order of their numbers.
    sorted: BTreeSet<(SortValue, u32)>,
    memory: usize,
}

#[derive(Debug)]
enum Stage {
    Matching,
    Reading(Gather),
}

impl Sort {
    pub(super) fn new(uid: bool, command: SortCommand) -> Sort {
        let SortCommand { returns, criteria, key } = command;
        let matcher = Matcher::new(key);
        Sort { uid, returns, criteria, matcher, stage: Stage::Matching, sorted: BTreeSet::new(), memory: 0 }
    }

    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        match &mut self.stage {
            Stage::Matching => match self.matcher.run(cx) {
                Some(step) => step,
                None => {
                    self.stage =
                        Stage::Reading(Gather::new(Need::Meta, self.matcher.found().iter().copied()));
                    Step::Again
                }
            },
            Stage::Reading(gather) => match gather.ask() {
                Some(step) => step,
                None => self.done(cx),
            },
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Stage::Reading(gather) = &mut self.stage else { return self.matcher.answer(cx, answer) };
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        let messages = match gather.answer(view, answer) {
            Ok(messages) => messages,
            Err(done) => return done.into(),
        };
        for (_, message, index) in messages {
            let value = SortValue::new(&self.criteria, message.internal_date, message.size, &index);
            self.memory += value.memory() + size_of::<(SortValue, u32)>();
            self.sorted.insert((value, message.uid));
        }
        if self.memory > SORT_MEMORY {
            return Done::no(Some(Code::Limit), "Too many messages to sort, search for fewer").into();
        }
        Step::Yield
    }

    fn done(&self, cx: &mut Context<'_>) -> Step {
        let sorted = self.sorted.iter().map(|(_, uid)| *uid).collect();
        let numbers = Numbers::new(cx, self.uid, sorted, self.matcher.has_modseq());
        match self.returns {
            Some(returns) => {
                if returns.save {
                    esearch::save(cx, &numbers.to_save(returns));
                }
                numbers.write_esearch(cx, self.uid, returns);
            }
            None => numbers.write(cx, "SORT"),
        }
        Done::ok("SORT completed").into()
    }
}
