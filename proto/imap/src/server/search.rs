//! SEARCH and UID SEARCH (RFC 3501 §6.4.4), with RETURN (RFC 4731) and SAVE (RFC 5182); the finding is `matcher.rs`'s.

use super::ask::Answer;
use super::esearch::{self, Numbers};
use super::matcher::Matcher;
use super::task::{Context, Done, Step};
use crate::grammar::{Returns, SearchCommand};

#[derive(Debug)]
pub(super) struct Search {
    /// UID SEARCH
    pub uid: bool,
    returns: Option<Returns>,
    matcher: Matcher,
}

impl Search {
    pub(super) fn new(uid: bool, command: SearchCommand) -> Search {
        Search { uid, returns: command.returns, matcher: Matcher::new(command.key) }
    }

    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        match self.matcher.run(cx) {
            None => self.done(cx),
            Some(step) => self.watched(cx, step),
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let step = self.matcher.answer(cx, answer);
        self.watched(cx, step)
    }

    /// A SEARCH that fails saves the empty result (RFC 5182 §2.1).
    fn watched(&self, cx: &mut Context<'_>, step: Step) -> Step {
        if matches!(step, Step::Done(_)) && self.returns.is_some_and(|returns| returns.save) {
            esearch::save(cx, &[]);
        }
        step
    }

    fn done(&self, cx: &mut Context<'_>) -> Step {
        let found: Vec<u32> = self.matcher.found().iter().copied().collect();
        let numbers = Numbers::new(cx, self.uid, found, self.matcher.has_modseq());
        // IMAP4rev2 has no SEARCH response (RFC 9051 §6.4.4).
        match self.returns.or(cx.modes.rev2.then_some(Returns::DEFAULT)) {
            Some(returns) => {
                if returns.save {
                    esearch::save(cx, &numbers.to_save(returns));
                }
                numbers.write_esearch(cx, self.uid, returns);
            }
            None => numbers.write(cx, "SEARCH"),
        }
        Done::ok("SEARCH completed").into()
    }
}
