//! Seeded faults over the whole path from manifests to rows: death at every step, any order, any earlier state; and random IMAP
//! sessions against a model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod apply;
mod delivery;
mod imap;
mod order;
mod queue;
mod repository;
mod stay;
