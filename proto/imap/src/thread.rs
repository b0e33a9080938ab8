//! Threading (RFC 5256 §3): takes messages one by one, answers the THREAD response's lists.
//!
//! `ids.rs` reads message identifiers, `references.rs` and `ordered_subject.rs` are the two algorithms, `tree.rs` is the forest
//! that they make. Work is proportional to what comes, times a logarithm, whatever References say; memory is counted.

mod ids;
mod ordered_subject;
mod references;
mod tree;

pub use ids::references_of;

use crate::message::subject;
use references::Linker;
use std::collections::HashMap;

/// Octets that one THREAD may hold: half a million messages of an ordinary mailbox, and no more of one that was made to hurt.
pub const THREAD_MEMORY: usize = 96 * 1024 * 1024;
/// What a message costs beside its references and its subject.
const MESSAGE_COST: usize = 96;
/// What an entry of a table costs.
const ENTRY_COST: usize = 48;

/// `thread-alg` of RFC 5256 §5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// By subject alone.
    OrderedSubject,
    /// By References and subject.
    References,
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// What the response calls it; messages come in ascending order of it.
    pub number: u32,
    /// See [`crate::sort::sent_date`].
    pub date: i64,
    /// The Subject field.
    pub subject: Option<&'a [u8]>,
    /// The Message-ID field.
    pub message_id: Option<&'a [u8]>,
    /// See [`references_of`].
    pub references: &'a [Vec<u8>],
}

/// More than [`THREAD_MEMORY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch;

/// Messages on their way into threads.
#[derive(Debug)]
pub struct Threader {
    algorithm: Algorithm,
    messages: Vec<Message>,
    subjects: HashMap<String, u32>,
    linker: Linker,
    left: usize,
}

#[derive(Debug, Clone, Copy)]
struct Message {
    number: u32,
    date: i64,
    /// Equal for equal base subjects; 0 is the empty one.
    subject: u32,
    is_reply: bool,
}

impl Threader {
    /// No messages yet.
    pub fn new(algorithm: Algorithm) -> Threader {
        Threader {
            algorithm,
            messages: Vec::new(),
            subjects: HashMap::from([(String::new(), 0)]),
            linker: Linker::default(),
            left: THREAD_MEMORY,
        }
    }

    /// The next message.
    pub fn add(&mut self, entry: &Entry<'_>) -> Result<(), TooMuch> {
        let (subject, is_reply) = subject::key(entry.subject);
        let mut cost = MESSAGE_COST;
        let next = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        let subject = match self.subjects.get(&subject) {
            Some(known) => *known,
            None => {
                cost += subject.len() + ENTRY_COST;
                self.subjects.insert(subject, next);
                next
            }
        };
        self.messages.push(Message { number: entry.number, date: entry.date, subject, is_reply });
        if self.algorithm == Algorithm::References {
            cost += self.linker.add(entry.message_id, entry.references);
        }
        self.left = self.left.checked_sub(cost).ok_or(TooMuch)?;
        Ok(())
    }

    /// The threads as the response writes them; empty without messages.
    pub fn finish(self) -> String {
        let forest = match self.algorithm {
            Algorithm::OrderedSubject => ordered_subject::thread(&self.messages),
            Algorithm::References => references::thread(&self.messages, self.linker),
        };
        forest.written(&self.messages)
    }
}

#[cfg(test)]
mod tests;
