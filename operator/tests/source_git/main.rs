//! A Git repository as a source: local, over HTTP against `git http-backend`, over ssh against a local command and a
//! real sshd. Every test makes its own repository with the `git` program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_days;
mod http;
mod local;
mod proxy;
mod references;
mod repository;
mod server;
mod session;
mod ssh;
mod sshd;
mod verified;
