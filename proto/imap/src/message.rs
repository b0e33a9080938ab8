//! The index of a message: where its parts are and what ENVELOPE, BODY and BODYSTRUCTURE say of them.
//!
//! Made once, when a message is stored; FETCH of structure then never reads the raw message.

use thiserror::Error;

/// The index of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {}

/// Bytes that are not an encoded index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not written by [`Index::encode`] of this or an earlier version.
    #[error("not a message index; make it again from the raw message")]
    Malformed,
}

/// Indexes a raw message with CRLF line ends. Takes anything: what cannot be understood is plain text.
pub fn index(raw: &[u8]) -> Index {
    let _ = raw;
    todo!()
}

impl Index {
    /// The compact form that a store keeps beside the message.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads [`Index::encode`]'s form.
    pub fn decode(bytes: &[u8]) -> Result<Index, DecodeError> {
        let _ = bytes;
        todo!()
    }

    /// Octets of the message's header with its blank line: what [`crate::Need::Header`] needs.
    pub fn header_size(&self) -> usize {
        todo!()
    }
}
