//! Followed repositories in a cluster: one task per MailRepository while this process leads.
//!
//! [`roster`] knows which MailRepositories there are, [`crew`] starts and ends their tasks and hears of pushes by [`hooks`], a [`worker`] reads revision after
//! revision by the same engine as `mailwright up` ([`crate::repository`]) and hands them to a [`sink`]: [`resources`] writes
//! objects of the cluster. [`pace`] says when. Proposed changes get their plans by [`previews`]. What was taken last is in the status, so a new leader goes on where the old one ended.
//!
//! Deleting a MailRepository removes nothing of what it declared.

pub mod crew;
pub mod hooks;
pub mod pace;
pub mod previews;
pub mod resources;
pub mod roster;
pub mod secrets;
pub mod sink;
pub mod worker;
