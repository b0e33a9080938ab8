//! Signatures by the real `git`, `ssh-keygen` and `gpg`, and our verdicts beside theirs.
//!
//! Every case makes an object, asks `git verify-commit` or `git verify-tag` (and `ssh-keygen -Y verify`) about it, and judges it.
//! Where ours differs on purpose, the case says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod openpgp;
mod ssh;
mod tools;
mod trailers;
