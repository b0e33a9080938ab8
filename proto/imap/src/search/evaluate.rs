//! Three-valued evaluation: a key is true, false, or not known before more of the message is there.

use super::{DateOrder, Look, SearchKey};
use crate::message::Index;
use crate::{Need, date};

/// What is known of one message.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Message sequence number.
    pub sequence: u32,
    /// UID.
    pub uid: u32,
    /// Bits of [`crate::flags`], `\Recent` included.
    pub flags: u64,
    /// Modification sequence.
    pub modseq: u64,
    /// What [`crate::Ask::Fetch`] brought.
    pub message: Option<MessageFacts<'a>>,
}

/// What the store told of a message.
#[derive(Debug, Clone, Copy)]
pub struct MessageFacts<'a> {
    /// Seconds since 1970.
    pub internal_date: i64,
    /// Seconds since 1970 (RFC 8514 §3).
    pub save_date: i64,
    /// EMAILID (RFC 8474 §5.1).
    pub email_id: [u8; 16],
    /// THREADID (RFC 8474 §5.2), where it was asked for.
    pub thread_id: Option<[u8; 16]>,
    /// Octets.
    pub size: u64,
    /// Its index.
    pub index: &'a Index,
    /// How much of the message [`MessageFacts::raw`] holds.
    pub have: Need,
    /// The raw message, its header, or nothing.
    pub raw: &'a [u8],
}

impl SearchKey {
    /// Whether the message matches; `None` where more of it is needed to say, or more than the look may spend. Keys must be
    /// resolved before.
    pub fn evaluate(&self, facts: &Facts<'_>, look: &mut Look) -> Option<bool> {
        match self {
            SearchKey::All => Some(true),
            SearchKey::Flags { mask, set } => Some((facts.flags & mask != 0) == *set),
            SearchKey::Keyword { set, .. } => Some(!set),
            SearchKey::Sequence(set) => Some(set.contains(facts.sequence)),
            SearchKey::Uid(set) => Some(set.contains(facts.uid)),
            SearchKey::Modseq(modseq) => Some(facts.modseq >= *modseq),
            SearchKey::Not(key) => key.evaluate(facts, look).map(|found| !found),
            SearchKey::Or(a, b) => any([a.as_ref(), b.as_ref()].into_iter(), facts, look),
            SearchKey::And(keys) => all(keys.iter(), facts, look),
            _ => self.evaluate_message(&facts.message?, look),
        }
    }

    fn evaluate_message(&self, message: &MessageFacts<'_>, look: &mut Look) -> Option<bool> {
        match self {
            SearchKey::Date { sent: false, order, day } => {
                Some(compare(date::day_of(message.internal_date), *order, *day))
            }
            SearchKey::Date { sent: true, order, day } => {
                let sent = message.index.envelope.date.as_deref().and_then(date::parse_field_day);
                Some(sent.is_some_and(|sent| compare(sent, *order, *day)))
            }
            // RFC 5032 §3: within the interval, its end included.
            SearchKey::Within { older, seconds, now } => {
                let since = now.saturating_sub(i64::from(*seconds));
                Some(if *older { message.internal_date <= since } else { message.internal_date >= since })
            }
            SearchKey::SaveDate { order, day } => {
                Some(compare(date::day_of(message.save_date), *order, *day))
            }
            SearchKey::EmailId(id) => Some(*id == Some(message.email_id)),
            SearchKey::ThreadId(id) => Some(id.is_some() && *id == message.thread_id),
            SearchKey::Size { larger: true, size } => Some(message.size > u64::from(*size)),
            SearchKey::Size { larger: false, size } => Some(message.size < u64::from(*size)),
            _ => look.find(self, message),
        }
    }
}

fn compare(found: i64, order: DateOrder, day: i64) -> bool {
    match order {
        DateOrder::Before => found < day,
        DateOrder::On => found == day,
        DateOrder::Since => found >= day,
    }
}

/// True as soon as one is true, unknown as long as one is.
fn any<'k>(keys: impl Iterator<Item = &'k SearchKey>, facts: &Facts<'_>, look: &mut Look) -> Option<bool> {
    let mut known = Some(false);
    for key in keys {
        match key.evaluate(facts, look) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => known = None,
        }
    }
    known
}

/// False as soon as one is false, unknown as long as one is.
fn all<'k>(keys: impl Iterator<Item = &'k SearchKey>, facts: &Facts<'_>, look: &mut Look) -> Option<bool> {
    let mut known = Some(true);
    for key in keys {
        match key.evaluate(facts, look) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = None,
        }
    }
    known
}
