//! FETCH and UID FETCH (RFC 3501 §6.4.5): messages are asked for in chunks and written piece by piece.

mod item;

use super::ask::{Answer, Ask, Message, Need, Row, StoreOperation};
use super::config::{FETCH_BYTES, FETCH_CHUNK, OUTPUT_CHUNK};
use super::task::{Context, Done, Step};
use super::vanished;
use super::view::{View, number};
use crate::flags::SEEN;
use crate::grammar::FetchItem;
use crate::response::Code;
use crate::sequence::SequenceSet;
use item::Writer;
use std::collections::{BTreeSet, VecDeque};

#[derive(Debug)]
pub(super) struct Fetch {
    /// UID FETCH
    pub uid: bool,
    set: SequenceSet,
    items: Vec<FetchItem>,
    /// `None`: the rows answer everything.
    need: Option<Need>,
    /// Only messages that changed after it (RFC 7162 §3.1.4.1).
    changed_since: Option<u64>,
    /// Which are gone since then is still to be told.
    vanished: bool,
    stage: Stage,
    /// The messages that are still to come.
    left: VecDeque<u32>,
    /// A part was asked for whose transfer encoding is not known.
    unknown_encoding: bool,
    /// Whether the store lacked one that the client still counts.
    missed: bool,
}

#[derive(Debug)]
enum Stage {
    Start,
    /// An [`Ask::Vanished`] is open.
    Vanished,
    /// Between two chunks.
    Next,
    /// An [`Ask::Fetch`] for so many is open.
    Fetching(Vec<u32>),
    /// An [`Ask::Store`] of `\Seen` is open.
    Marking(VecDeque<Message>),
    /// Messages to be written, and those whose flags this FETCH changed; one may be written in part.
    Writing(VecDeque<Message>, BTreeSet<u32>, Option<Box<Writer>>),
}

impl Fetch {
    pub(super) fn new(
        uid: bool,
        set: SequenceSet,
        mut items: Vec<FetchItem>,
        changed_since: Option<u64>,
        vanished: bool,
    ) -> Fetch {
        // CHANGEDSINCE asks for MODSEQ, too (RFC 7162 §3.1.4.1).
        if changed_since.is_some() && !items.contains(&FetchItem::Modseq) {
            items.push(FetchItem::Modseq);
        }
        // "UID … MUST implicitly include the UID message data item" (RFC 3501 §6.4.8).
        if uid && !items.contains(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        let need = items.iter().map(item::need).max().flatten();
        let (stage, left) = (Stage::Start, VecDeque::new());
        Fetch {
            uid,
            set,
            items,
            need,
            changed_since,
            vanished,
            stage,
            left,
            unknown_encoding: false,
            missed: false,
        }
    }

    /// What will be asked for after the open question.
    pub(super) fn upcoming(&self) -> Vec<u32> {
        match &self.stage {
            Stage::Fetching(asked) => self.left.iter().skip(asked.len()).take(FETCH_CHUNK).copied().collect(),
            _ => Vec::new(),
        }
    }

    /// The messages that are asked for.
    fn begin(&mut self, cx: &mut Context<'_>) -> Step {
        if self.vanished && !(self.uid && cx.modes.qresync) {
            return Done::bad("VANISHED is for UID FETCH after ENABLE QRESYNC").into();
        }
        cx.enable_condstore_for(self.items.contains(&FetchItem::Modseq));
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        let places = match self.uid {
            true => view.places_of_uids(&self.set),
            false => match view.places_of_numbers(&self.set) {
                Some(places) => places,
                None => return Done::bad("No message has that sequence number").into(),
            },
        };
        let rows = places.into_iter().flat_map(|range| &view.rows()[range]);
        let wanted = |row: &&Row| self.changed_since.is_none_or(|since| row.modseq > since);
        self.left = rows.filter(wanted).map(|row| row.uid).collect();
        match self.changed_since.filter(|_| self.vanished) {
            Some(since) => {
                self.stage = Stage::Vanished;
                Step::Ask(Ask::Vanished { since })
            }
            None => {
                self.stage = Stage::Next;
                Step::Again
            }
        }
    }

    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        if matches!(self.stage, Stage::Start) {
            return self.begin(cx);
        }
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        match &mut self.stage {
            Stage::Next if self.left.is_empty() => self.done(),
            Stage::Next => match self.need {
                None => self.write_rows(cx),
                Some(need) => {
                    let uids: Vec<u32> = self.left.iter().take(FETCH_CHUNK).copied().collect();
                    self.stage = Stage::Fetching(uids.clone());
                    Step::Ask(Ask::Fetch {
                        uids,
                        need,
                        digest: self.items.iter().any(item::reads_digest),
                        max_bytes: FETCH_BYTES,
                    })
                }
            },
            Stage::Writing(messages, marked, open) => {
                loop {
                    let Some(writer) = open else {
                        let Some(message) = messages.pop_front() else { break };
                        let flags = marked.contains(&message.uid);
                        *open = Some(Box::new(Writer::new(Some(message), &self.items, flags)));
                        continue;
                    };
                    if let Some((place, row)) = writer.uid().and_then(|uid| row_of(view, uid))
                        && !writer.write(cx.out, view, &self.items, place, &row)
                    {
                        return Step::Again;
                    }
                    *open = None;
                }
                self.stage = Stage::Next;
                Step::Again
            }
            // Only an answer leads on from these.
            Stage::Start | Stage::Vanished | Stage::Fetching(_) | Stage::Marking(_) => {
                Done::refused(super::Refusal::Internal).into()
            }
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
        match (std::mem::replace(&mut self.stage, Stage::Next), answer) {
            (Stage::Fetching(asked), Answer::Messages { messages, answered })
                if (1..=asked.len()).contains(&answered) =>
            {
                self.left.drain(..answered);
                let covered: BTreeSet<u32> = asked[..answered].iter().copied().collect();
                let messages: VecDeque<Message> =
                    messages.into_iter().filter(|message| covered.contains(&message.uid)).collect();
                self.unknown_encoding |=
                    messages.iter().any(|message| item::asks_unknown_encoding(message, &self.items));
                self.missed |= messages.len() < answered;
                let unseen = self.to_mark(view, &messages);
                if unseen.is_empty() {
                    self.stage = Stage::Writing(messages, BTreeSet::new(), None);
                    return Step::Again;
                }
                self.stage = Stage::Marking(messages);
                let operation = StoreOperation::Add;
                Step::Ask(Ask::Store {
                    uids: unseen,
                    operation,
                    flags: SEEN,
                    keywords: Vec::new(),
                    unchanged_since: None,
                })
            }
            (Stage::Vanished, Answer::Vanished(gone)) => {
                vanished::write_earlier(cx.out, view, vanished::asked(view, &self.set, gone));
                Step::Again
            }
            (Stage::Marking(messages), answer) => {
                let mut marked = BTreeSet::new();
                // A store that cannot mark them keeps nobody from reading.
                if let Answer::Stored { rows, keywords, .. } = answer {
                    let places = view.update(&rows, keywords, cx.out);
                    marked
                        .extend(places.iter().filter_map(|place| view.rows().get(*place)).map(|row| row.uid));
                }
                self.stage = Stage::Writing(messages, marked, None);
                Step::Again
            }
            (_, answer) => Done::unexpected(answer).into(),
        }
    }

    /// The messages that this FETCH makes seen: those whose text is read without PEEK.
    fn to_mark(&self, view: &View, messages: &VecDeque<Message>) -> Vec<u32> {
        if view.read_only || !self.items.iter().any(item::marks_seen) {
            return Vec::new();
        }
        let unseen = |uid: &u32| row_of(view, *uid).is_some_and(|(_, row)| row.flags & SEEN == 0);
        messages.iter().map(|message| message.uid).filter(unseen).collect()
    }

    fn write_rows(&mut self, cx: &mut Context<'_>) -> Step {
        let Some(view) = cx.state.view() else { return self.done() };
        while let Some(uid) = self.left.pop_front() {
            if let Some((place, row)) = row_of(view, uid) {
                // Flags and UIDs, at most one after another.
                let mut writer = Writer::new(None, &self.items, false);
                while !writer.write(cx.out, view, &self.items, place, &row) {}
            }
            if cx.out.len() >= OUTPUT_CHUNK {
                break;
            }
        }
        Step::Again
    }

    /// RFC 2180 §4.1.2 leaves the choice: what is there was sent, and the code says that EXPUNGE is to come.
    fn done(&self) -> Step {
        if self.unknown_encoding {
            return Done::no(Some(Code::UnknownCte), "A part's transfer encoding is not known").into();
        }
        let done = Done::ok("FETCH completed");
        if self.missed { done.with(Code::ExpungeIssued).into() } else { done.into() }
    }
}

fn row_of(view: &View, uid: u32) -> Option<(u32, Row)> {
    let place = view.place(uid)?;
    view.rows().get(place).map(|row| (number(place), *row))
}
