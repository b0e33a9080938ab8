//! Checks on a complete message: an ordered chain of small pure functions, the first reason wins.

use crate::facts::MessageFacts;
use crate::reason::Reason;

/// The bounds of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `Received:` fields.
    pub received: usize,
    /// Octets of the header.
    pub header_size: u64,
    /// Octets of the message.
    pub message_size: u64,
}

/// Runs the chain.
pub fn run(facts: &MessageFacts, limits: &Limits) -> Result<(), Reason> {
    let _ = (facts, limits);
    Ok(())
}
