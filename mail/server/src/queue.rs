//! Sends what is in the queue: takes due messages from the store, finds out which hosts take them, delivers, and settles
//! each recipient by the answer.
//!
//! [`Runner`] is the loop; [`net::Net`] is its border to the network, so that a simulation can put scripted peers behind it.
//! What an answer means, when to try again, which hosts to ask and what a report says is decided in `mail/flow::queue`;
//! nothing here decides. Leaves out SMTP itself (`proto/smtp`) and the rows (`mail/store`).

mod runner;

mod attempt;
mod hosts;
mod local;
mod report;
mod schedule;
mod settle;
mod worker;

pub mod net;

pub(crate) mod internet;
pub(crate) mod start;

mod dns;
mod link;
mod tls;

pub use net::{Answer, Letter, LetterRecipient, Link, Net, Peer, Security, Sent};
pub use runner::{RelayHost, Runner, RunnerSettings};

#[cfg(test)]
mod tests;
