//! The border between the queue and the network: what DNS says, and an exchange with one host.
//!
//! `dns.rs` and `link.rs` implement it on real sockets; a simulation implements it with scripted peers. An implementation
//! reports what happened and never decides what it means (`mail/flow::queue`). RFC 5321 §5.1 (location of hosts), §4.2.1
//! (replies).

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use mailwright_flow::queue::mx::{AddressAnswer, MxAnswer};
use mailwright_flow::queue::outcome::{Outcome, Stage, Unsupported};
use mailwright_smtp::Reply;

/// The network as the queue sees it.
pub trait Net: Send + Sync + 'static {
    /// An open connection.
    type Link: Link;

    /// The MX records of a domain.
    fn mx(&self, domain: &str) -> impl Future<Output = MxAnswer> + Send;

    /// The addresses of a host.
    fn addresses(&self, host: &str) -> impl Future<Output = AddressAnswer> + Send;

    /// Connects, greets, encrypts and authenticates as `peer` wants: afterwards the host waits for MAIL.
    fn connect(&self, peer: &Peer) -> impl Future<Output = Result<Self::Link, Answer>> + Send;
}

/// A connection on which a host waits for the next message.
pub trait Link: Send + 'static {
    /// Sends one message; answers for each of its recipients, in their order.
    fn send(&mut self, letter: Letter) -> impl Future<Output = Sent> + Send;

    /// Whether another message can be sent on it.
    fn is_open(&self) -> bool;

    /// Protocol and cipher suite when it is encrypted, for the log.
    fn tls(&self) -> Option<String>;

    /// Takes leave.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Whom to connect to, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Its name, for SNI and the log.
    pub host: String,
    /// Its address and port.
    pub address: SocketAddr,
    /// How the connection is secured.
    pub security: Security,
    /// It is the smarthost: our credentials are for it.
    pub relay: bool,
}

/// As in Postfix's log: `host[address]:port`.
impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]:{}", self.host, self.address.ip(), self.address.port())
    }
}

/// How a connection to a host is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// STARTTLS when offered, with any certificate; when the handshake fails, in the clear on a new connection
    /// (RFC 7435 §3).
    Opportunistic,
    /// Never encrypted.
    Plain,
    /// STARTTLS or nothing, with a certificate that names the host.
    StartTls,
    /// TLS from the first byte, with a certificate that names the host.
    Implicit,
}

/// A message on its way out, with those recipients that the same host takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The queue's identifier.
    pub id: String,
    /// Empty is the null sender.
    pub reverse_path: String,
    /// At least one.
    pub recipients: Vec<LetterRecipient>,
    /// RET: `Some(true)` wants the whole message back, `Some(false)` its header (RFC 3461 §4.3).
    pub return_full: Option<bool>,
    /// ENVID (RFC 3461 §4.4), decoded.
    pub envelope_id: Option<String>,
    /// The envelope or header needs SMTPUTF8 (RFC 6531 §3.4).
    pub smtputf8: bool,
    /// The body has octets above 127 (RFC 6152 §2).
    pub eight_bit: bool,
    /// The message.
    pub raw: Bytes,
}

/// One recipient of a [`Letter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterRecipient {
    /// The forward-path.
    pub address: String,
    /// ORCPT (RFC 3461 §4.2), as `rfc822;alice@example.test`, decoded.
    pub original: Option<String>,
    /// NOTIFY (RFC 3461 §4.1); the default is not sent.
    pub notify: mailwright_store::Notify,
}

/// What became of one message on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// One for each recipient, in their order.
    pub answers: Vec<Answer>,
    /// The host understands RFC 3461 and has taken over the duty to report success.
    pub dsn_relayed: bool,
}

/// What a host said about a recipient, or how the connection ended before it said anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A reply, and what it answered.
    Reply(Stage, Reply),
    /// No connection, or it broke, or the time was up, or what came was not SMTP.
    Lost {
        /// What was waited for.
        stage: Stage,
        /// What happened, for the log and the report.
        reason: String,
    },
    /// The host lacks an extension without which this message cannot be sent to it.
    Unsupported(Unsupported),
}

impl Answer {
    /// What it means for a recipient.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Answer::Reply(stage, reply) => Outcome::of(reply, *stage),
            Answer::Lost { stage, reason } => Outcome::lost(*stage, reason),
            Answer::Unsupported(what) => Outcome::unsupported(*what),
        }
    }

    /// Whether another host may do better.
    pub(super) fn concerns_host(&self) -> bool {
        use mailwright_flow::queue::outcome::{Scope, scope};
        match self {
            Answer::Reply(stage, reply) => scope(reply, *stage) == Scope::Host,
            // After the end of the message it may be there already.
            Answer::Lost { stage, .. } => *stage < Stage::Message,
            Answer::Unsupported(_) => false,
        }
    }
}
