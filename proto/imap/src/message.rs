//! The index of a message: where its parts are and what ENVELOPE, BODY and BODYSTRUCTURE say of them.
//!
//! Made once, when a message is stored; FETCH of structure then never reads the raw message. Reading is tolerant (RFC 5322 §2,
//! RFC 2045 §5, RFC 2046 §5 and what mail makes of them) and bounded: see the limits in [`tree`], [`mime`] and [`address`].

pub mod address;
pub mod binary;
mod codec;
mod digest;
pub mod encoded_word;
pub mod envelope;
pub mod header;
pub mod mime;
pub mod section;
pub mod subject;
pub mod transfer;
pub mod tree;

pub use codec::{AddressesRef, EnvelopeRef};
pub use digest::digest;
pub use envelope::Envelope;
pub use mime::Mime;
pub use section::{Section, SectionText};

use std::ops::Range;
use thiserror::Error;

/// The index of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Octets of the raw message (RFC 3501 §2.3.4).
    pub size: usize,
    /// The message's own envelope.
    pub envelope: Envelope,
    /// The message as a part: its header and its body.
    pub root: Part,
}

/// One entity of RFC 2045 §2.4: a message or a part of one. Ranges are of the raw message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// With its blank line.
    pub header: Range<usize>,
    /// Without the line end that belongs to the next delimiter.
    pub body: Range<usize>,
    /// Line ends in the body.
    pub lines: usize,
    /// What the header says of the body.
    pub mime: Mime,
    /// What is inside.
    pub content: Content,
}

/// What is inside a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing that has a structure.
    Leaf,
    /// At least one part (RFC 2046 §5.1).
    Multipart(Vec<Part>),
    /// A message/rfc822 (RFC 2046 §5.2.1): its envelope and itself.
    Message(Box<Envelope>, Box<Part>),
}

/// Bytes that are not an encoded index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not written by [`Index::encode`] of this or an earlier version.
    #[error("not a message index; make it again from the raw message")]
    Malformed,
}

/// Indexes a raw message with CRLF line ends. Takes anything: what cannot be understood is plain text.
pub fn index(raw: &[u8]) -> Index {
    let root = tree::walk(raw);
    let envelope = Envelope::parse(&raw[root.header.clone()]);
    Index { size: raw.len(), envelope, root }
}

impl Index {
    /// The compact form that a store keeps beside the message.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads [`Index::encode`]'s form; random bytes are an error and cost no more memory than they have.
    pub fn decode(bytes: &[u8]) -> Result<Index, DecodeError> {
        codec::decode(bytes)
    }

    /// Octets of the message's header with its blank line: what [`crate::Need::Header`] needs.
    pub fn header_size(&self) -> usize {
        self.root.header.end
    }
}

impl Part {
    /// A part of which there is nothing, at this place.
    fn empty(at: usize) -> Part {
        Part { header: at..at, body: at..at, lines: 0, mime: Mime::implied(false), content: Content::Leaf }
    }
}

#[cfg(test)]
mod tests;
