//! The path of one message, decided without I/O: who gets it, what is checked, which trace fields it carries, and the
//! reply for every reason to refuse it.
//!
//! The driver in mail/server asks the database what [`route::Expander`] wants to know, feeds the message to
//! [`facts::Scanner`], runs [`checks::run`] and puts what [`trace`] writes in front of the stored message.

pub mod address;
pub mod checks;
pub mod explain;
pub mod facts;
pub mod header;
pub mod queue;
pub mod reason;
pub mod route;
pub mod submission;
pub mod trace;

pub use address::{Address, Recipient, Sender};
pub use facts::MessageFacts;
pub use reason::Reason;
pub use route::{
    AccountId, Decision, Expander, Key, Lookup, Quota, RemoteTarget, SendersPolicy, Skipped, Step,
};
