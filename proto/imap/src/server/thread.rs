//! THREAD and UID THREAD (RFC 5256 §3): what was found is read in chunks; the algorithms are `crate::thread`'s.

use super::ask::{Answer, Need};
use super::gather::Gather;
use super::matcher::Matcher;
use super::task::{Context, Done, Step};
use super::view::number;
use crate::grammar::ThreadCommand;
use crate::response::Code;
use crate::sort::sent_date;
use crate::thread::{Algorithm, Entry, Threader, references_of};

#[derive(Debug)]
pub(super) struct Thread {
    /// UID THREAD
    pub uid: bool,
    need: Need,
    matcher: Matcher,
    gather: Option<Gather>,
    threader: Threader,
}

impl Thread {
    pub(super) fn new(uid: bool, command: ThreadCommand) -> Thread {
        // References is in the header alone.
        let need = match command.algorithm {
            Algorithm::OrderedSubject => Need::Meta,
            Algorithm::References => Need::Header,
        };
        let threader = Threader::new(command.algorithm);
        Thread { uid, need, matcher: Matcher::new(command.key), gather: None, threader }
    }

    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        match &mut self.gather {
            None => match self.matcher.run(cx) {
                Some(step) => step,
                None => {
                    self.gather = Some(Gather::new(self.need, self.matcher.found().iter().copied()));
                    Step::Again
                }
            },
            Some(gather) => match gather.ask() {
                Some(step) => step,
                None => self.done(cx),
            },
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Some(gather) = &mut self.gather else { return self.matcher.answer(cx, answer) };
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        let messages = match gather.answer(view, answer) {
            Ok(messages) => messages,
            Err(done) => return done.into(),
        };
        for (place, message, index) in messages {
            let raw = message.raw.as_deref().unwrap_or_default();
            let head = raw.get(index.root.header.clone()).unwrap_or_default();
            let references = match self.need {
                Need::Header => references_of(head, &index.envelope),
                _ => Vec::new(),
            };
            let entry = Entry {
                number: if self.uid { message.uid } else { number(place) },
                date: sent_date(message.internal_date, &index),
                subject: index.envelope.subject.as_deref(),
                message_id: index.envelope.message_id.as_deref(),
                references: &references,
            };
            if self.threader.add(&entry).is_err() {
                return Done::no(Some(Code::Limit), "Too much to thread, search for fewer messages").into();
            }
        }
        Step::Yield
    }

    /// `* THREAD (2)(3 6 (4 23)(44 7 96))` (RFC 5256 §4).
    fn done(&mut self, cx: &mut Context<'_>) -> Step {
        let threader = std::mem::replace(&mut self.threader, Threader::new(Algorithm::OrderedSubject));
        let threads = threader.finish();
        cx.out.put("* THREAD").put(if threads.is_empty() { "" } else { " " }).put(threads).end();
        Done::ok("THREAD completed").into()
    }
}
