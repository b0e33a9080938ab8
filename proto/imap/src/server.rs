//! The server side of one IMAP connection.

pub mod ask;
pub mod config;

pub use ask::{
    Answer, Append, Ask, Changes, ListEntry, Message, Need, Password, Refusal, Row, Selected, SpecialUse,
    Status, StoreOperation,
};
pub use config::{Config, Limits, Peer, Tls};

use std::sync::Arc;
use std::time::Instant;

/// What the driver has to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Write these bytes to the peer before the next poll.
    Send(Vec<u8>),
    /// Answer with [`Session::answer`]; until then nothing but input (see [`Session::wants_input`]) happens.
    Ask(Ask),
    /// The next octets of the message that [`Ask::Append`] announced, line ends already CRLF.
    Body(Vec<u8>),
    /// The message that [`Ask::Append`] announced will not be kept: drop what came of it.
    Discard,
    /// Start TLS as the server, drop every byte read before, then call [`Session::tls_started`].
    StartTls,
    /// Close the connection.
    Close,
    /// Nothing to do before input, a change of the selected mailbox or this deadline.
    Wait {
        /// When to call [`Session::timeout`].
        deadline: Instant,
    },
}

/// One connection.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// A connection was accepted; the greeting is the first output.
    pub fn new(config: Arc<Config>, peer: Peer, now: Instant) -> Session {
        let _ = (config, peer, now);
        todo!()
    }

    /// Bytes from the peer.
    pub fn input(&mut self, now: Instant, bytes: &[u8]) {
        let _ = (now, bytes);
        todo!()
    }

    /// Whether the driver should read on: false while an Ask is open and enough input waits.
    pub fn wants_input(&self) -> bool {
        todo!()
    }

    /// The answer to the open Ask.
    pub fn answer(&mut self, now: Instant, answer: Answer) {
        let _ = (now, answer);
        todo!()
    }

    /// The selected mailbox changed: call it as soon as the store says so, at the latest before the next
    /// [`Session::input`], so that a client sees what another was told is done.
    pub fn changed(&mut self, now: Instant) {
        let _ = now;
        todo!()
    }

    /// [`Output::StartTls`] was performed.
    pub fn tls_started(&mut self, now: Instant, tls: Tls) {
        let _ = (now, tls);
        todo!()
    }

    /// The deadline of [`Output::Wait`] passed.
    pub fn timeout(&mut self, now: Instant) {
        let _ = now;
        todo!()
    }

    /// The server drains: BYE at the next point between two commands.
    pub fn shutdown(&mut self, now: Instant) {
        let _ = now;
        todo!()
    }

    /// What to do next; call until it says Wait, Close, StartTls or Ask.
    pub fn poll(&mut self) -> Output {
        todo!()
    }
}
