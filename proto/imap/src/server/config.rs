//! What a session is configured with, and every limit with its reason.

use std::net::SocketAddr;
use std::time::Duration;

/// Octets of one command without its literals. 64 KiB is what Dovecot and Cyrus take: long enough for a UID set of thousands
/// of gaps, short enough to hold for every connection.
pub const LINE: usize = 64 * 1024;
/// Octets of all literals of one command before login: a user name and a password need no more.
pub const LITERALS_BEFORE_LOGIN: usize = 4 * 1024;
/// Octets of all literals of one command after login, APPEND's message apart: search strings and mailbox names.
pub const LITERALS: usize = 1024 * 1024;
/// Octets of an appended message; the driver sets the server's message size here.
pub const APPEND: u64 = 50 * 1024 * 1024;
/// Nesting of parentheses in SEARCH: real clients stay below 10, recursion stays on the stack.
pub const SEARCH_DEPTH: usize = 50;
/// Keys of one SEARCH: each is looked at for every message.
pub const SEARCH_KEYS: usize = 1000;
/// Octets that one step of a SEARCH looks through before others have their turn: some milliseconds.
pub const SEARCH_STEP_OCTETS: usize = 8 * 1024 * 1024;
/// Keys times rows that one step of a SEARCH looks at before others have their turn: some milliseconds.
pub const SEARCH_STEP_KEYS: usize = 256 * 1024;
/// Octets of what SORT compares, of all messages: half a million subjects of an ordinary mailbox.
pub const SORT_MEMORY: usize = 96 * 1024 * 1024;
/// Octets of pattern times octets of name that one step of LIST compares before others have their turn: some milliseconds.
pub const LIST_STEP: usize = 2 * 1024 * 1024;
/// Patterns of one LIST, and special uses of one CREATE: each name is held against all of them.
pub const LIST_PATTERNS: usize = 50;
/// Entries of one GETMETADATA or SETMETADATA.
pub const METADATA_ENTRIES: usize = 100;
/// Messages of one APPEND behind its first (RFC 3502): they are kept in one transaction, for which everybody else waits.
pub const APPEND_MESSAGES: u32 = 999;
/// Ranges of one sequence set: a full line holds no more than 32 Ki anyway.
pub const SEQUENCE_RANGES: usize = 32 * 1024;
/// Items of one FETCH: each is answered for every message.
pub const FETCH_ITEMS: usize = 100;
/// Commands answered with BAD before the session ends: a client that talks nonsense does not stop by itself.
pub const BAD_COMMANDS: u32 = 20;
/// Commands before login: CAPABILITY, ID, STARTTLS, NOOP and a few logins are a handful.
pub const COMMANDS_BEFORE_LOGIN: u32 = 100;
/// Failed logins before the session ends.
pub const AUTH_FAILURES: u32 = 5;
/// How long the answer to a failed login is held back, times the failures so far.
pub const AUTH_DELAY: Duration = Duration::from_secs(1);
/// Time to log in, from the connection or from the end of the TLS handshake.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);
/// Silence, in IDLE too, before the session ends: RFC 3501 §5.4 allows no less than 30 minutes. RFC 2177 §3 has clients
/// issue IDLE again every 29 minutes, so one that lives is never cut off.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Octets of input held while an Ask is open; [`super::Session::wants_input`] is false beyond.
pub const INPUT_BUFFER: usize = 64 * 1024;
/// Octets of output made before they are handed out: FETCH of a large mailbox is made piece by piece.
pub const OUTPUT_CHUNK: usize = 64 * 1024;
/// Messages per [`super::Ask::Fetch`].
pub const FETCH_CHUNK: usize = 500;
/// Raw octets per answer to [`super::Ask::Fetch`]; a single larger message is answered alone.
pub const FETCH_BYTES: usize = 4 * 1024 * 1024;

/// Shared by all sessions of a listener; a reload makes a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The server's name, for the greeting.
    pub hostname: String,
    /// Whether STARTTLS is offered on connections that are not encrypted yet.
    pub starttls: bool,
    /// Whether passwords may come in the clear from loopback addresses: off, unless the administrator wants it for local tools.
    pub plaintext_on_loopback: bool,
    /// See the constants of this module.
    pub limits: Limits,
}

/// The limits that a server may set; the defaults are this module's constants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// [`LINE`]
    pub line: usize,
    /// [`LITERALS_BEFORE_LOGIN`]
    pub literals_before_login: usize,
    /// [`LITERALS`]
    pub literals: usize,
    /// [`APPEND`]
    pub append: u64,
    /// [`BAD_COMMANDS`]
    pub bad_commands: u32,
    /// [`AUTH_FAILURES`]
    pub auth_failures: u32,
    /// [`AUTH_DELAY`]
    pub auth_delay: Duration,
    /// [`LOGIN_TIMEOUT`]
    pub login_timeout: Duration,
    /// [`IDLE_TIMEOUT`]
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            line: LINE,
            literals_before_login: LITERALS_BEFORE_LOGIN,
            literals: LITERALS,
            append: APPEND,
            bad_commands: BAD_COMMANDS,
            auth_failures: AUTH_FAILURES,
            auth_delay: AUTH_DELAY,
            login_timeout: LOGIN_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
        }
    }
}

impl Config {
    /// Defaults for a host that offers STARTTLS.
    pub fn new(hostname: &str) -> Config {
        Config {
            hostname: hostname.to_owned(),
            starttls: true,
            plaintext_on_loopback: false,
            limits: Limits::default(),
        }
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// `Some` on an implicit TLS port.
    pub tls: Option<Tls>,
}

/// An encrypted connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// The cipher suite's name.
    pub cipher: String,
    /// Whether SCRAM can be bound to it (RFC 5802 §6).
    pub channel_binding: bool,
}
