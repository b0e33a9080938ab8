//! Tests against real clients, transcripts and seeded faults: what the tests in `tests/` share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

pub mod cluster;
pub mod dialog;
pub mod harness;
pub mod installation;
pub mod manifests;
pub mod random;
pub mod steps;
