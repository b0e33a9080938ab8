//! The grammar of commands and addresses (RFC 5321 §4.1), apart from what the session does with them.
//!
//! Parsers take a whole text and answer with a value or a typed error; they never look at the session's state.

pub use self::command::{Command, CommandError, Initial, parse};
pub use self::domain::{address_literal, domain, domain_name};
pub use self::mailbox::{AddressError, is_dot_string, mailbox};
pub use self::parameter::{ParameterError, mail_parameters, rcpt_parameters};
pub use self::path::{forward_path, reverse_path};

mod command;
mod domain;
mod mailbox;
mod parameter;
mod path;
