//! What the checks need to know of a message, collected while it streams past.
//!
//! RFC 5322 §2.2 (header fields) and §3.6.7 (trace fields).

/// Facts of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageFacts {
    /// `Received:` fields in its header.
    pub received: usize,
    /// Octets of its header, the empty line left out.
    pub header_size: u64,
    /// Octets of the whole message.
    pub size: u64,
}

impl MessageFacts {
    /// The facts of a message that is in memory.
    pub fn of(raw: &[u8]) -> MessageFacts {
        let mut scanner = Scanner::default();
        scanner.push(raw);
        scanner.facts()
    }
}

/// Collects [`MessageFacts`] from the pieces of a message (`Output::Body`), however they are cut.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    facts: MessageFacts,
}

impl Scanner {
    /// The next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.facts.size += piece.len() as u64;
    }

    /// The facts so far.
    pub fn facts(&self) -> MessageFacts {
        self.facts.clone()
    }
}
