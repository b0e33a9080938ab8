//! MailRepositories against a real API server, with real Git servers: what is pushed becomes objects of the cluster, by the rights of
//! a ServiceAccount and no more; what goes wrong is told and removes nothing. Leaves out the engine that reads and verifies
//! (`clients_repository.rs`, `operator/tests/`) and the other sink (`cluster_repository_database.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod company;
mod faults;
mod fetched;
mod followed;
mod guarded;
mod renamed;
mod rules;
mod trusted;
mod unread;
mod wrong;
