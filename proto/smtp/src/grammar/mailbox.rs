//! `Mailbox`, `Local-part`, `Domain` (RFC 5321 §4.1.2).

use crate::address::Mailbox;

/// Why an address was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not in the grammar.
    #[error("not a mailbox address: {0}")]
    Syntax(&'static str),
    /// Longer than RFC 5321 §4.5.3.1 allows.
    #[error("address too long: {0}")]
    TooLong(&'static str),
}

/// Parses a whole mailbox.
pub fn mailbox(_text: &str) -> Result<Mailbox, AddressError> {
    Err(AddressError::Syntax("unwritten"))
}

/// True when `local` can be written without quotes.
pub fn is_dot_string(_local: &str) -> bool {
    false
}
