//! What goes between a session and its driver: outputs, questions, answers.

use std::time::Instant;

use crate::address::{ForwardPath, ReversePath};
use crate::reply::Reply;
use crate::sasl::SaslData;
use crate::server::envelope::{MailParameters, RcptParameters};

/// The next thing for the driver to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes to the client.
    Send(Vec<u8>),
    /// Find out, then call `Session::answer`. Until then `poll` returns `Wait`.
    Ask(Ask),
    /// The next piece of the message: dot-unstuffed, every line ended by CRLF, no bare CR or LF, no NUL.
    Body(Vec<u8>),
    /// Throw away the pieces of the message in hand: it will not be asked about.
    Discard,
    /// Do the TLS handshake, then call `Session::tls_started`; on failure close the connection. What was read before and
    /// not yet handed in must be dropped too (RFC 3207 §4.2).
    StartTls,
    /// Close the connection.
    Close,
    /// Read more and call `Session::input`, or call `Session::timeout` at the deadline. While `Session::wants_input`
    /// is false, do not read.
    Wait {
        /// When patience ends.
        deadline: Instant,
    },
}

/// A question that only policy, the database or DNS can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// May this sender send? The start of a new envelope: forget the last one.
    Mail {
        /// The sender.
        reverse_path: ReversePath,
        /// The parameters of MAIL.
        parameters: MailParameters,
    },
    /// The client logs in (RFC 4954 §4): answer with `Challenge`, `Authenticated` or `Reject`.
    Auth {
        /// The mechanism, one of the configuration's.
        mechanism: String,
        /// The initial response; empty is not the same as none.
        initial: Option<SaslData>,
    },
    /// The client's response to the last challenge: answer as to `Auth`.
    AuthResponse(SaslData),
    /// Is this recipient served? `Session::envelope` has the sender and the recipients so far.
    Rcpt {
        /// The recipient.
        forward_path: ForwardPath,
        /// What is asked of us for it.
        parameters: RcptParameters,
    },
    /// May the message text come? Asked at DATA and before the first BDAT chunk.
    Data,
    /// The message is complete; answer when it is durably stored. `Session::envelope` and `Session::transfer` have the facts.
    Message {
        /// Octets given out as `Output::Body`.
        size: u64,
    },
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Accept,
    /// Yes; for `Ask::Message` the text (an identifier to look for in logs) follows `250 2.0.0`.
    AcceptAs(String),
    /// To `Ask::Auth` and `Ask::AuthResponse`: the server's next message (334).
    Challenge(SaslData),
    /// To `Ask::Auth` and `Ask::AuthResponse`: the client has shown who it is (235).
    Authenticated {
        /// Who; `Session::login` and the trace fields know it from now on.
        login: String,
    },
    /// To `Ask::Message` of LMTP: one reply for each accepted recipient, in their order (RFC 2033 §4.2).
    PerRecipient(Vec<Reply>),
    /// No, with this reply. A reply that is not negative counts as `451 4.3.0`; a 421 ends the session (RFC 5321 §3.8).
    Reject(Reply),
}
