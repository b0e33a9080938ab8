//! SASL (RFC 4422): the server's side of PLAIN, LOGIN, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, and the client's side of the same for
//! a smarthost.
//!
//! [`server::Server`] is sans-IO; [`super::Authenticator::begin`] and [`super::Authenticator::advance`] run it against the account
//! database. Leaves out base64 and the framing of SMTP AUTH and IMAP AUTHENTICATE, which are the protocol machines'.

pub(crate) mod client;
pub(crate) mod server;

use zeroize::Zeroizing;

use self::server::Server;

/// A password mechanism in clear, RFC 4616.
pub(crate) const PLAIN: &str = "PLAIN";
/// The same in two steps (draft-murchison-sasl-login).
pub(crate) const LOGIN: &str = "LOGIN";
/// RFC 7677.
pub(crate) const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// RFC 7677 with channel binding.
pub(crate) const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// The mechanisms to offer, best first; `bindings` are those of the TLS connection, if there is one.
pub(crate) fn mechanisms(bindings: Option<&Bindings>) -> &'static [&'static str] {
    match bindings.is_some_and(Bindings::is_usable) {
        true => &[SCRAM_SHA_256_PLUS, SCRAM_SHA_256, PLAIN, LOGIN],
        false => &[SCRAM_SHA_256, PLAIN, LOGIN],
    }
}

/// What a TLS connection can be recognised by at both ends (RFC 5056): see `TlsFacts::bindings`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bindings {
    /// tls-exporter (RFC 9266), on TLS 1.3.
    pub(crate) exporter: Option<[u8; 32]>,
    /// tls-server-end-point (RFC 5929 §4.1): the hash of the certificate that was shown.
    pub(crate) end_point: Option<Vec<u8>>,
}

impl Bindings {
    pub(crate) fn is_usable(&self) -> bool {
        self.exporter.is_some() || self.end_point.is_some()
    }
}

/// One AUTH command in progress.
pub(crate) struct Exchange {
    pub(super) server: Server,
    /// Whom SCRAM looked up; `None` for nobody.
    pub(super) found: Option<mailwright_store::Login>,
    pub(super) user: String,
    pub(super) started: std::time::Instant,
}

/// What comes next in an [`Exchange`].
#[derive(Debug)]
pub(crate) enum Turn {
    /// Send this challenge (may be empty) and bring the client's response.
    Challenge(Vec<u8>),
    /// The client has proved who it is.
    Done(super::Account),
    /// It has not.
    Failed(super::LoginError),
}

/// A response as the client sent it, decoded.
pub(crate) type Response = Zeroizing<Vec<u8>>;
