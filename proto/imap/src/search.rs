//! SEARCH keys (RFC 3501 §6.4.4) and their evaluation in steps: row, index, header, body, no more than is needed.

mod content;
mod evaluate;

pub use content::Look;
pub use evaluate::{Facts, MessageFacts};

use crate::sequence::SequenceSet;
use crate::{Need, flags};

/// One search key; the names are those of RFC 3501 §6.4.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// `ALL`
    All,
    /// A message with one of these flags set, or without them: `SEEN`, `UNSEEN`, `RECENT`, `OLD`…
    Flags {
        /// Bits of [`crate::flags`].
        mask: u64,
        /// `SEEN` is true, `UNSEEN` false.
        set: bool,
    },
    /// `KEYWORD` and `UNKEYWORD`; [`SearchKey::resolve`] makes [`SearchKey::Flags`] of it.
    Keyword {
        /// An atom.
        name: String,
        /// `KEYWORD` is true.
        set: bool,
    },
    /// Message sequence numbers.
    Sequence(SequenceSet),
    /// `UID`
    Uid(SequenceSet),
    /// `BEFORE`, `ON`, `SINCE` and their `SENT…` forms.
    Date {
        /// The Date field instead of the internal date.
        sent: bool,
        /// How the message's day must stand to `day`.
        order: DateOrder,
        /// A day number of [`crate::date`].
        day: i64,
    },
    /// `OLDER` and `YOUNGER` (RFC 5032 §3)
    Within {
        /// `OLDER` is true.
        older: bool,
        /// How far back.
        seconds: u32,
        /// Seconds since 1970, which [`SearchKey::put_clock`] puts in.
        now: i64,
    },
    /// `SAVEDBEFORE`, `SAVEDON` and `SAVEDSINCE` (RFC 8514 §4.3)
    SaveDate {
        /// Which of them.
        order: DateOrder,
        /// A day number of [`crate::date`].
        day: i64,
    },
    /// `EMAILID` (RFC 8474 §6); `None`: a name that this server never gives
    EmailId(Option<[u8; 16]>),
    /// `THREADID` (RFC 8474 §6)
    ThreadId(Option<[u8; 16]>),
    /// `MODSEQ`: this or a higher one (RFC 7162 §3.1.5).
    Modseq(u64),
    /// `LARGER` and `SMALLER`
    Size {
        /// `LARGER` is true.
        larger: bool,
        /// Octets.
        size: u32,
    },
    /// `FROM`, `TO`, `CC`, `BCC`
    Address(AddressField, Needle),
    /// `SUBJECT`
    Subject(Needle),
    /// `HEADER`
    Header {
        /// The field's name.
        name: Vec<u8>,
        /// Empty: any message that has the field.
        text: Needle,
    },
    /// `BODY`
    Body(Needle),
    /// `TEXT`
    Text(Needle),
    /// `NOT`
    Not(Box<SearchKey>),
    /// `OR`
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Keys side by side.
    And(Vec<SearchKey>),
}

/// How days compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// Earlier than the day.
    Before,
    /// That day.
    On,
    /// That day or later.
    Since,
}

/// The address fields with a key of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressField {
    /// `BCC`
    Bcc,
    /// `CC`
    Cc,
    /// `FROM`
    From,
    /// `TO`
    To,
}

/// A text to look for, without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    folded: String,
    /// Its place among those of the whole key, which [`SearchKey::resolve`] gives it.
    number: u32,
}

impl Needle {
    /// Folds the text's case.
    pub fn new(text: &str) -> Needle {
        Needle { folded: fold(text), number: 0 }
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.folded
    }

    /// Whether the folded text holds it. The empty needle is in every text.
    fn is_in_folded(&self, text: &str) -> bool {
        text.contains(&self.folded)
    }
}

/// Lower case, character by character: what `i;unicode-casemap` (RFC 5051 §2) does to most mail.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

impl SearchKey {
    /// Puts the mailbox's numbers and keyword table in, and numbers the texts to look for; how many keys there are.
    pub fn resolve(&mut self, exists: u32, last_uid: u32, keywords: &[String]) -> u32 {
        let mut keys = 0;
        self.visit(&mut |key| {
            keys += 1;
            match key {
                SearchKey::Sequence(set) => *set = set.resolved(exists),
                SearchKey::Uid(set) => *set = set.resolved(last_uid),
                SearchKey::Keyword { name, set } => {
                    let mask = flags::keyword_mask(name, keywords);
                    *key = SearchKey::Flags { mask, set: *set };
                }
                SearchKey::Address(_, needle)
                | SearchKey::Subject(needle)
                | SearchKey::Header { text: needle, .. }
                | SearchKey::Body(needle)
                | SearchKey::Text(needle) => needle.number = keys,
                _ => {}
            }
        });
        keys
    }

    /// Puts in what `$` stands for: UIDs (RFC 5182 §2).
    pub fn put_saved(&mut self, saved: &[(u32, u32)]) {
        self.visit(&mut |key| {
            if matches!(key, SearchKey::Sequence(set) | SearchKey::Uid(set) if set.is_saved()) {
                *key = SearchKey::Uid(SequenceSet::of(saved));
            }
        });
    }

    /// Puts the time of day in.
    pub fn put_clock(&mut self, clock: i64) {
        self.visit(&mut |key| {
            if let SearchKey::Within { now, .. } = key {
                *now = clock;
            }
        });
    }

    /// Whether the time of day matters.
    pub fn needs_clock(&self) -> bool {
        self.any(&|key| matches!(key, SearchKey::Within { .. }))
    }

    /// Whether modification sequences matter, so that the response tells one (RFC 7162 §3.1.5).
    pub fn has_modseq(&self) -> bool {
        self.any(&|key| matches!(key, SearchKey::Modseq(_)))
    }

    /// Whether digests of messages matter.
    pub fn needs_digest(&self) -> bool {
        self.any(&|key| matches!(key, SearchKey::ThreadId(_)))
    }

    fn any(&self, is: &impl Fn(&SearchKey) -> bool) -> bool {
        is(self)
            || match self {
                SearchKey::Not(key) => key.any(is),
                SearchKey::Or(a, b) => a.any(is) || b.any(is),
                SearchKey::And(keys) => keys.iter().any(|key| key.any(is)),
                _ => false,
            }
    }

    fn visit(&mut self, each: &mut impl FnMut(&mut SearchKey)) {
        each(self);
        match self {
            SearchKey::Not(key) => key.visit(each),
            SearchKey::Or(a, b) => {
                a.visit(each);
                b.visit(each);
            }
            SearchKey::And(keys) => keys.iter_mut().for_each(|key| key.visit(each)),
            _ => {}
        }
    }

    /// How much of a message the whole key may look at; `None`: its row is enough.
    pub fn need(&self) -> Option<Need> {
        match self {
            SearchKey::All
            | SearchKey::Flags { .. }
            | SearchKey::Keyword { .. }
            | SearchKey::Sequence(_)
            | SearchKey::Uid(_)
            | SearchKey::Modseq(_) => None,
            SearchKey::Within { .. } | SearchKey::SaveDate { .. } => Some(Need::Meta),
            SearchKey::EmailId(_) | SearchKey::ThreadId(_) => Some(Need::Meta),
            SearchKey::Date { .. } | SearchKey::Size { .. } => Some(Need::Meta),
            SearchKey::Address(..) | SearchKey::Subject(_) => Some(Need::Meta),
            SearchKey::Header { .. } => Some(Need::Header),
            SearchKey::Body(_) | SearchKey::Text(_) => Some(Need::Raw),
            SearchKey::Not(key) => key.need(),
            SearchKey::Or(a, b) => a.need().max(b.need()),
            SearchKey::And(keys) => keys.iter().map(SearchKey::need).max().flatten(),
        }
    }
}

#[cfg(test)]
mod tests;
