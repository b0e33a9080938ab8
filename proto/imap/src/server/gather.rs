//! Reading the messages that a search found, chunk by chunk, for SORT and THREAD (RFC 5256 §3).

use super::ask::{Answer, Ask, Message, Need};
use super::config::{FETCH_BYTES, FETCH_CHUNK};
use super::task::{Done, Step};
use super::view::View;
use crate::message::{self, Index};
use std::collections::VecDeque;

/// The messages that are still to come.
#[derive(Debug)]
pub(super) struct Gather {
    need: Need,
    left: VecDeque<u32>,
    asked: usize,
}

impl Gather {
    pub(super) fn new(need: Need, uids: impl Iterator<Item = u32>) -> Gather {
        Gather { need, left: uids.collect(), asked: 0 }
    }

    /// The next question; `None` when all were read.
    pub(super) fn ask(&mut self) -> Option<Step> {
        let uids: Vec<u32> = self.left.iter().take(FETCH_CHUNK).copied().collect();
        self.asked = uids.len();
        (!uids.is_empty()).then_some(Step::Ask(Ask::Fetch {
            uids,
            need: self.need,
            digest: false,
            max_bytes: FETCH_BYTES,
        }))
    }

    /// What came, with the place that it has in the view.
    pub(super) fn answer(
        &mut self,
        view: &View,
        answer: Answer,
    ) -> Result<Vec<(usize, Message, Index)>, Done> {
        let Answer::Messages { messages, answered } = answer else { return Err(Done::unexpected(answer)) };
        if !(1..=self.asked).contains(&answered) {
            return Err(Done::refused(super::Refusal::Internal));
        }
        self.left.drain(..answered);
        let placed = |message: Message| {
            let place = view.place(message.uid)?;
            // An index that cannot be read is made again of what is there.
            let again = |_| message::index(message.raw.as_deref().unwrap_or_default());
            let index = Index::decode(&message.index).unwrap_or_else(again);
            Some((place, message, index))
        };
        Ok(messages.into_iter().filter_map(placed).collect())
    }
}
