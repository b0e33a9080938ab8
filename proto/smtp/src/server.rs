//! The receiving server session.

use std::sync::Arc;
use std::time::Instant;

use crate::reply::Reply;

mod config;
mod envelope;
mod output;

pub use self::config::{Config, Limits, Timeouts};
pub use self::envelope::{BodyType, Envelope, Helo, MailParameters, Peer, Tls, Transfer};
pub use self::output::{Answer, Ask, Output};

/// One session of a receiving server.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    peer: Peer,
}

impl Session {
    /// A session that has just been connected; the first `poll` gives the greeting.
    pub fn new(config: Arc<Config>, peer: Peer, _now: Instant) -> Session {
        Session { config, peer }
    }

    /// Bytes from the client.
    pub fn input(&mut self, _now: Instant, _bytes: &[u8]) {
        todo!()
    }

    /// The answer to the last [`Ask`].
    pub fn answer(&mut self, _now: Instant, _answer: Answer) {
        todo!()
    }

    /// The TLS handshake asked for by [`Output::StartTls`] is done.
    pub fn tls_started(&mut self, _now: Instant, _tls: Tls) {
        todo!()
    }

    /// The deadline of [`Output::Wait`] has passed.
    pub fn timeout(&mut self, _now: Instant) {
        todo!()
    }

    /// The server drains: `421 4.3.2` at the next safe point.
    pub fn shutdown(&mut self, _now: Instant) {
        todo!()
    }

    /// Ends the session with this reply at the next safe point; right after `new` it takes the place of the greeting.
    pub fn refuse(&mut self, _now: Instant, _reply: Reply) {
        todo!()
    }

    /// What to do next; call until it returns `Wait`, `Close` or `Ask`.
    pub fn poll(&mut self) -> Output {
        todo!()
    }

    /// False while so much unread input is buffered that the driver should stop reading.
    pub fn wants_input(&self) -> bool {
        todo!()
    }

    /// The envelope of the message in hand.
    pub fn envelope(&self) -> Option<&Envelope> {
        todo!()
    }

    /// The facts of the transfer for the `Received:` field.
    pub fn transfer(&self) -> Transfer {
        todo!()
    }

    /// The other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The settings this session runs under.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
