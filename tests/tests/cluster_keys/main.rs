//! Keys, certificates, records and Secrets against a real API server: what two makers at once end up with, what is never
//! overwritten, what a deleted or foreign Secret means, and that looking again costs nothing. One file for each subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod certificates;
mod dkim;
mod foreign;
mod management;
mod records;
mod secrets;
