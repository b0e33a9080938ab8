//! What goes between a client session and its driver: outputs, questions, answers, and the fate of a message.

use std::time::Instant;

use crate::address::{Mailbox, ReversePath};
use crate::dsn::{Notify, OriginalRecipient, Ret};
use crate::reply::Reply;
use crate::sasl::SaslData;
use crate::server::BodyType;

/// The next thing for the driver to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes to the server.
    Send(Vec<u8>),
    /// Find out, then call `Session::answer`. Until then `poll` returns `Wait`.
    Ask(Ask),
    /// Hand in the next piece of the message by `Session::body`, or say that there is none by `Session::body_end`.
    WantBody,
    /// What became of the message: one fate for each of its recipients, in their order. Comes exactly once for each
    /// message that was given.
    Result(Vec<Fate>),
    /// Do the TLS handshake, then call `Session::tls_started`; on failure close the connection. What was read before and
    /// not yet handed in must be dropped too (RFC 3207 §4.2).
    StartTls,
    /// The session is of no more use: `Close` follows. A message in hand has had its `Result` before.
    Failed(Failure),
    /// Close the connection.
    Close,
    /// Read and call `Session::input` (or `Session::closed` at the end of the stream), or call `Session::timeout` at the
    /// deadline. While `Session::wants_input` is false, do not read.
    Wait {
        /// When patience ends.
        deadline: Instant,
    },
}

/// A question to the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The server is ready for a message: answer with `Message` or `Quit`.
    Ready,
    /// How to log in, with what the server offers, in upper case: answer with `Sasl` or `NoSasl`.
    Sasl {
        /// The names of the mechanisms.
        mechanisms: Vec<String>,
    },
    /// The server's challenge: answer with `SaslResponse` or `SaslCancel`.
    SaslChallenge(SaslData),
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Send this message.
    Message(Message),
    /// There is nothing to send: say goodbye.
    Quit,
    /// Begin with this mechanism; `initial` is its first message when the client speaks first.
    Sasl {
        /// The name of the mechanism.
        mechanism: String,
        /// The initial response (RFC 4954 §4); empty is not the same as none.
        initial: Option<SaslData>,
    },
    /// None of the mechanisms will do.
    NoSasl,
    /// The response to a challenge.
    SaslResponse(SaslData),
    /// The challenge is not right: give up.
    SaslCancel,
}

/// A message to send; its text follows by `Session::body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender.
    pub reverse_path: ReversePath,
    /// The recipients.
    pub recipients: Vec<Recipient>,
    /// Its octets, for SIZE (RFC 1870 §6); lines ended by CRLF.
    pub size: u64,
    /// Whether it holds octets above 127 (RFC 6152 §2).
    pub body: BodyType,
    /// Whether its header or sender needs SMTPUTF8 (RFC 6531 §3.4).
    pub smtputf8: bool,
    /// How much a notification returns (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// The sender's name for the envelope (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
}

/// One recipient of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where to.
    pub mailbox: Mailbox,
    /// What the sender wants to be told (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// What the sender called it (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The server has taken the message for it: 2yz to the end of the message.
    Accepted(Reply),
    /// The server said no, 4yz or 5yz, at this stage.
    Refused {
        /// When.
        stage: Stage,
        /// What it said.
        reply: Reply,
    },
    /// The connection failed at this stage. At [`Stage::End`] the server may have the message all the same (RFC 5321
    /// §4.5.3.2.6); sending it again is the lesser evil.
    Unanswered {
        /// When.
        stage: Stage,
        /// How.
        problem: Problem,
    },
    /// The server lacks what the message needs; nothing was sent to it for this recipient.
    Unsendable(Unsendable),
}

impl Fate {
    /// Whether the server has the message for it.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Fate::Accepted(_))
    }
}

/// What a message needs and a server lacks; all of it is final for this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unsendable {
    /// SMTPUTF8 (RFC 6531 §3.5): x.6.7.
    #[error("the next server does not offer SMTPUTF8")]
    SmtpUtf8,
    /// 8BITMIME (RFC 6152 §3): x.6.3. The message is not converted: that would break its signatures.
    #[error("the next server does not offer 8BITMIME")]
    EightBitMime,
    /// Its SIZE is smaller (RFC 1870 §6.1): x.3.4.
    #[error("the next server takes no more than {limit} octets")]
    TooBig {
        /// What it takes.
        limit: u64,
    },
}

/// How far a session or a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Before the greeting.
    Greeting,
    /// Behind EHLO, LHLO or HELO.
    Hello,
    /// Behind STARTTLS, and during the handshake.
    StartTls,
    /// During the login.
    Auth,
    /// Between two messages.
    Idle,
    /// Behind MAIL.
    Mail,
    /// Behind RCPT.
    Rcpt,
    /// Behind DATA, or within the text.
    Data,
    /// Behind the end of the text.
    End,
}

impl Stage {
    /// For logs and for people.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Greeting => "greeting",
            Stage::Hello => "EHLO",
            Stage::StartTls => "STARTTLS",
            Stage::Auth => "AUTH",
            Stage::Idle => "idle",
            Stage::Mail => "MAIL",
            Stage::Rcpt => "RCPT",
            Stage::Data => "DATA",
            Stage::End => "end of message",
        }
    }
}

/// Why a session ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub stage: Stage,
    /// How.
    pub problem: Problem,
}

/// What can go wrong with a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The server refused, or said 421 and meant goodbye.
    #[error("the server said {0}")]
    Refused(Reply),
    /// What came was not a reply that this stage has; the words say what it was.
    #[error("the server broke the protocol: {0}")]
    Garbage(&'static str),
    /// It took too long.
    #[error("the server did not answer in time")]
    Timeout,
    /// The connection ended.
    #[error("the server closed the connection")]
    Closed,
    /// STARTTLS is required and not offered.
    #[error("the server does not offer STARTTLS")]
    NoStartTls,
    /// A login is required and none is offered that we can do.
    #[error("the server offers no way to log in that can be used")]
    NoAuth,
    /// The driver gave up the login: the server's side of it was wrong.
    #[error("the server could not prove that it knows the password")]
    AuthCancelled,
}

impl Problem {
    /// Whether the server still listens and knows where a command begins.
    pub(super) fn leaves_room_for_goodbye(&self) -> bool {
        match self {
            Problem::Refused(reply) => reply.code() != 421,
            Problem::NoStartTls | Problem::NoAuth | Problem::AuthCancelled => true,
            Problem::Garbage(_) | Problem::Timeout | Problem::Closed => false,
        }
    }
}
