//! What the owner of the server decides: its name, its limits, its patience. Every limit has a default and a reason.
//!
//! RFC 5321 §4.5.3 (sizes and timeouts).

use std::time::Duration;

/// Whom a server receives from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Other servers (RFC 5321).
    #[default]
    Mx,
    /// Our own users, after a login (RFC 6409).
    Submission,
    /// An MTA in front of us (RFC 2033).
    Lmtp,
}

/// Settings of a receiving server; shared by its sessions and replaced as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Whom it receives from.
    pub kind: Kind,
    /// The name in the greeting and in the EHLO reply (RFC 5321 §4.1.1.1).
    pub hostname: String,
    /// Whether STARTTLS is offered: the driver holds a certificate.
    pub starttls: bool,
    /// The SASL mechanisms offered under TLS, in upper case (RFC 4954 §3); none means no AUTH.
    pub mechanisms: Vec<String>,
    /// Offer them without TLS too when the client is on a loopback address.
    pub plaintext_on_loopback: bool,
    /// Whether DSN is offered (RFC 3461 §3): the driver keeps what its parameters promise.
    pub dsn: bool,
    /// Bounds on what a client can grow.
    pub limits: Limits,
    /// How long a client may take.
    pub timeouts: Timeouts,
}

impl Config {
    /// The defaults under the given host name, without STARTTLS.
    pub fn new(hostname: impl Into<String>) -> Config {
        Config {
            hostname: hostname.into(),
            kind: Kind::Mx,
            starttls: false,
            mechanisms: Vec::new(),
            plaintext_on_loopback: false,
            dsn: false,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// Bounds on everything that a client can grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a command line with its CRLF.
    pub command_line: usize,
    /// Octets of a line of AUTH with its CRLF, while AUTH is offered and nobody has logged in.
    pub auth_line: usize,
    /// Octets of a message; announced by SIZE.
    pub message_size: u64,
    /// Octets of one message that are read and thrown away after it was refused, so that its end is found.
    pub discarded: u64,
    /// Accepted recipients of one message.
    pub recipients: usize,
    /// Refused recipients in one session: more is somebody guessing addresses.
    pub refused_recipients: u32,
    /// Messages in one session.
    pub messages: u32,
    /// Failed logins in one session.
    pub failed_logins: u32,
    /// Commands in one session that were not understood or out of place.
    pub bad_commands: u32,
    /// Commands between two messages that lead nowhere (NOOP, RSET, VRFY, HELP, a repeated EHLO).
    pub idle_commands: u32,
    /// Octets kept while a question is open.
    pub pending_input: usize,
}

impl Limits {
    /// RFC 5321 §4.5.3.1.4 asks for 512; SIZE, BODY and SMTPUTF8 add 53 (RFC 1870 §3, RFC 6152 §2, RFC 6531 §3.1), and a
    /// 64-octet local part may be quoted at twice its length. 4096 is what Exim and Postfix users are used to.
    pub const COMMAND_LINE: usize = 4096;
    /// RFC 4954 §4: a server must take 12288 octets, without the CRLF.
    pub const AUTH_LINE: usize = 12288 + 2;
    /// 50 MiB: what the large providers accept; RFC 5321 §4.5.3.1.7 asks for 64 KiB at least.
    pub const MESSAGE_SIZE: u64 = 50 * 1024 * 1024;
    /// 1 GiB: a client that did not read the SIZE limit still gets its 552; one that never stops does not get our link.
    pub const DISCARDED: u64 = 1024 * 1024 * 1024;
    /// RFC 5321 §4.5.3.1.8 asks for 100 at least; 1000 is what list software sends in one go.
    pub const RECIPIENTS: usize = 1000;
    /// Mailing lists with dead members stay below it; dictionaries do not.
    pub const REFUSED_RECIPIENTS: u32 = 100;
    /// A relay with a full queue reconnects after a thousand messages at no cost worth naming.
    pub const MESSAGES: u32 = 1000;
    /// One typing error and its correction, and one more; whoever guesses needs a new connection, and the driver makes
    /// each failure slower.
    pub const FAILED_LOGINS: u32 = 3;
    /// People typing by hand and honest bugs need fewer (Postfix's hard error limit is 20 as well).
    pub const BAD_COMMANDS: u32 = 20;
    /// Postfix's junk command limit is 100: probing clients send a handful.
    pub const IDLE_COMMANDS: u32 = 100;
    /// One large read; a pipelined envelope of 1000 recipients fits into it.
    pub const PENDING_INPUT: usize = 64 * 1024;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            command_line: Limits::COMMAND_LINE,
            auth_line: Limits::AUTH_LINE,
            message_size: Limits::MESSAGE_SIZE,
            discarded: Limits::DISCARDED,
            recipients: Limits::RECIPIENTS,
            refused_recipients: Limits::REFUSED_RECIPIENTS,
            messages: Limits::MESSAGES,
            failed_logins: Limits::FAILED_LOGINS,
            bad_commands: Limits::BAD_COMMANDS,
            idle_commands: Limits::IDLE_COMMANDS,
            pending_input: Limits::PENDING_INPUT,
        }
    }
}

/// How long a client may take in each state (RFC 5321 §4.5.3.2.7 and, from the other side, §4.5.3.2.1 to §4.5.3.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// From the greeting to the first EHLO or HELO.
    pub hello: Duration,
    /// Between two commands.
    pub command: Duration,
    /// Between two pieces of message text.
    pub data: Duration,
    /// From DATA or the first BDAT to the end of the message.
    pub message: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the driver to answer a question.
    pub answer: Duration,
}

impl Timeouts {
    /// Nothing but the greeting has to be read before EHLO: 60 s cut off port scanners long before they hurt.
    pub const HELLO: Duration = Duration::from_secs(60);
    /// RFC 5321 §4.5.3.2.7: a server should wait at least five minutes for the next command.
    pub const COMMAND: Duration = Duration::from_secs(300);
    /// RFC 5321 §4.5.3.2.5: a client gives up a block after three minutes; a server that waits as long misses nothing.
    pub const DATA: Duration = Duration::from_secs(180);
    /// 50 MiB in an hour is 15 KiB/s: slower than any line that mail still uses, fast enough against dripping clients.
    pub const MESSAGE: Duration = Duration::from_secs(3600);
    /// A handshake is two round trips.
    pub const HANDSHAKE: Duration = Duration::from_secs(60);
    /// RFC 5321 §4.5.3.2.1 to §4.5.3.2.3: clients wait five minutes for MAIL and RCPT; answering later is too late.
    pub const ANSWER: Duration = Duration::from_secs(290);
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            hello: Timeouts::HELLO,
            command: Timeouts::COMMAND,
            data: Timeouts::DATA,
            message: Timeouts::MESSAGE,
            handshake: Timeouts::HANDSHAKE,
            answer: Timeouts::ANSWER,
        }
    }
}
