//! The store through its public API: accounts, folders, messages, durability.

#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test")]

mod support;

mod apply;
mod boxes;
mod check;
mod concurrent;
mod conditional;
mod crash;
mod credentials;
mod damage;
mod disk;
mod errors;
mod fence;
mod folders;
mod history;
mod kill;
mod lookup;
mod many;
mod messages;
mod model;
mod news;
mod offboarding;
mod opening;
mod order;
mod queue;
mod queue_many;
mod queue_model;
mod random;
mod resources;
mod snapshot;
