//! What may go wrong between the operator and everything it talks to, with a real API server behind a proxy that misbehaves, the
//! operator as a process and the mail server it makes: it converges to the same state, and nobody is put out on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod alone;
mod bench;
mod converges;
mod crash;
mod gate;
mod pod;
