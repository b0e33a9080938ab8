//! The policy of the queue, decided without I/O: when to try again, which hosts to try, what a reply means, and what the sender
//! is told.
//!
//! The runner in mail/server looks up, connects and stores; everything it has to decide it asks here. RFC 5321 §4.5.4 (the
//! queue), §5.1 (finding the host), §6.1 (failure reports).

pub mod dsn;
pub mod mx;
pub mod outcome;
pub mod retry;

pub use outcome::{Outcome, Scope, Stage};
pub use retry::{Next, Policy};

/// Seconds since 1970-01-01T00:00:00Z, as the queue keeps them.
pub type UnixTime = i64;
