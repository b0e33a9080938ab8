//! The store through its public API: accounts, folders, messages, durability.

mod support;

mod apply;
mod credentials;
mod folders;
mod lookup;
mod messages;
mod opening;
mod resources;
