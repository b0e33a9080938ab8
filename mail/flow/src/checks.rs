//! Checks on a complete message: an ordered chain of small pure functions, the first reason wins.
//!
//! RFC 5321 §6.3 (mail loops are found by counting Received fields), §4.5.3.1.7 (size).

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

impl Limits {
    /// RFC 5321 §6.3: a large threshold, normally at least 100; a loop reaches it within minutes.
    pub const RECEIVED: usize = 100;
    /// The index of a message is made from its header in memory. Long reference and trace chains stay below 100 KiB.
    pub const HEADER_SIZE: u64 = 1024 * 1024;
    /// As SMTP announces it.
    pub const MESSAGE_SIZE: u64 = mailwright_smtp::Limits::MESSAGE_SIZE;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            received: Limits::RECEIVED,
            header_size: Limits::HEADER_SIZE,
            message_size: Limits::MESSAGE_SIZE,
        }
    }
}

/// A check: the reason to refuse, if there is one.
pub type Check = fn(&MessageFacts, &Limits) -> Option<Reason>;

/// The chain, cheapest harm first.
pub const CHAIN: &[Check] = &[too_big, header_too_large, too_many_hops];

/// Runs the chain.
pub fn run(facts: &MessageFacts, limits: &Limits) -> Result<(), Reason> {
    match CHAIN.iter().find_map(|check| check(facts, limits)) {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

/// The session counts too; this is for what comes another way.
fn too_big(facts: &MessageFacts, limits: &Limits) -> Option<Reason> {
    (facts.size > limits.message_size).then_some(Reason::TooBig)
}

fn header_too_large(facts: &MessageFacts, limits: &Limits) -> Option<Reason> {
    (facts.header_size > limits.header_size).then_some(Reason::HeaderTooLarge)
}

/// RFC 5321 §6.3. At the threshold, not beyond it: this server would add one more.
fn too_many_hops(facts: &MessageFacts, limits: &Limits) -> Option<Reason> {
    (facts.received >= limits.received).then_some(Reason::TooManyHops)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { received: 3, header_size: 100, message_size: 1000 };

    fn check(received: usize, header_size: u64, size: u64, expected: Result<(), Reason>) {
        let facts = MessageFacts { received, header_size, size, ..Default::default() };
        assert_eq!(run(&facts, &LIMITS), expected, "{facts:?}");
    }

    #[test]
    fn bounds() {
        check(0, 0, 0, Ok(()));
        check(2, 100, 1000, Ok(()));
        check(3, 100, 1000, Err(Reason::TooManyHops));
        check(2, 101, 1000, Err(Reason::HeaderTooLarge));
        check(2, 100, 1001, Err(Reason::TooBig));
    }

    #[test]
    fn first_reason_wins() {
        check(9, 900, 9000, Err(Reason::TooBig));
        check(9, 900, 900, Err(Reason::HeaderTooLarge));
    }

    #[test]
    fn a_real_message() {
        let hops = |count: usize| {
            format!("{}Subject: x\r\n\r\nx\r\n", "Received: from a by b; now\r\n".repeat(count))
        };
        let run = |count| run(&MessageFacts::of(hops(count).as_bytes()), &Limits::default());
        assert_eq!(run(99), Ok(()));
        assert_eq!(run(100), Err(Reason::TooManyHops));
    }
}
