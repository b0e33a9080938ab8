//! What the owner of a client decides: its name, what it wants of TLS and AUTH, its limits and its patience.
//!
//! RFC 5321 §4.5.3.2 (timeouts of a client), §4.5.3.1.5 (reply lines).

use std::time::Duration;

/// Settings of a client; shared by its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The argument of EHLO: our host name (RFC 5321 §4.1.1.1).
    pub hello: String,
    /// Speak LMTP (RFC 2033) instead of SMTP.
    pub lmtp: bool,
    /// When to use STARTTLS.
    pub starttls: StartTls,
    /// The driver has encrypted the connection before the first byte (RFC 8314 §3.3).
    pub implicit_tls: bool,
    /// Log in, or send nothing.
    pub authenticate: bool,
    /// Use BDAT where CHUNKING and PIPELINING are offered (RFC 3030 §2).
    pub chunking: bool,
    /// Bounds on what a server can grow.
    pub limits: Limits,
    /// How long a server may take.
    pub timeouts: Timeouts,
}

impl Config {
    /// The defaults under the given host name: SMTP, STARTTLS when it is offered, no login.
    pub fn new(hello: impl Into<String>) -> Config {
        Config {
            hello: hello.into(),
            lmtp: false,
            starttls: StartTls::IfOffered,
            implicit_tls: false,
            authenticate: false,
            chunking: true,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// When to use STARTTLS (RFC 3207 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTls {
    /// Not even if it is offered.
    Never,
    /// If it is offered; a server that takes the offer back is spoken to in clear. A handshake that fails ends the
    /// connection: whether to come again in clear is the driver's decision.
    IfOffered,
    /// Or send nothing.
    Required,
}

/// Bounds on everything that a server can grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one line of a reply with its end.
    pub reply_line: usize,
    /// Lines of one reply.
    pub reply_lines: usize,
    /// Octets of a reply's text that are kept.
    pub reply_text: usize,
    /// Commands on their way without a reply.
    pub window: usize,
    /// Octets of replies that are kept unread.
    pub pending_input: usize,
}

impl Limits {
    /// RFC 5321 §4.5.3.1.5 allows 512; servers that explain themselves with a long URL exist.
    pub const REPLY_LINE: usize = 2048;
    /// An EHLO reply of today has twenty lines; the longest explanations of a refusal have as many.
    pub const REPLY_LINES: usize = 128;
    /// What a notification to the sender quotes is shorter still; a thousand recipients may each have such a text.
    pub const REPLY_TEXT: usize = 1024;
    /// RFC 2920 §3.1: both sides may block when replies fill the windows. A hundred replies of a hundred octets fit in any.
    pub const WINDOW: usize = 100;
    /// More than a window of replies; a server that says more unasked says nothing that we want to know.
    pub const PENDING_INPUT: usize = 256 * 1024;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            reply_line: Limits::REPLY_LINE,
            reply_lines: Limits::REPLY_LINES,
            reply_text: Limits::REPLY_TEXT,
            window: Limits::WINDOW,
            pending_input: Limits::PENDING_INPUT,
        }
    }
}

/// How long a server may take for a complete reply (RFC 5321 §4.5.3.2). Octets that complete nothing put nothing off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// For the greeting (§4.5.3.2.1), the replies to EHLO, STARTTLS and AUTH.
    pub greeting: Duration,
    /// For the reply to MAIL (§4.5.3.2.2).
    pub mail: Duration,
    /// For the reply to RCPT (§4.5.3.2.3).
    pub rcpt: Duration,
    /// For the reply to DATA (§4.5.3.2.4).
    pub data: Duration,
    /// For the server to take one piece of text, or for the driver to bring it (§4.5.3.2.5).
    pub block: Duration,
    /// For the reply to the end of the message (§4.5.3.2.6).
    pub end: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the driver to bring the next message.
    pub idle: Duration,
    /// For the reply to QUIT.
    pub quit: Duration,
}

impl Default for Timeouts {
    /// The minimum values of RFC 5321 §4.5.3.2; the others are two round trips and patience.
    fn default() -> Timeouts {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Timeouts {
            greeting: minutes(5),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            block: minutes(3),
            end: minutes(10),
            handshake: minutes(1),
            idle: minutes(5),
            quit: Duration::from_secs(10),
        }
    }
}
