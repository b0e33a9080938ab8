//! The grammar of commands and addresses (RFC 5321 §4.1), apart from what the session does with them.

pub use self::mailbox::{AddressError, is_dot_string, mailbox};

mod mailbox;
