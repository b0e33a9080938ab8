//! The two protocols as a client speaks them, as plainly as the figures want it.

pub mod imap;
pub mod smtp;
