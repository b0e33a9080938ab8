//! What the owner of a server decides: its name, addresses, ports, limits, certificates and policies, and which roles
//! this process plays. A [`ServerConfig`] is replaced as a whole by [`crate::Server::reload`].
//!
//! `config/outgoing.rs` has what concerns mail that leaves. Leaves out where the values come from (a MailServer resource)
//! and what each protocol makes of them.

mod outgoing;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::outgoing::{
    Credentials, DkimAlgorithm, Dns, QueueSettings, Relay, RelayTls, Secret, SigningKey,
};

/// Everything a reload may change.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// The name in greetings and `Received:` fields.
    pub hostname: String,
    /// The addresses every listener is opened on.
    pub bind: Vec<IpAddr>,
    /// The ports.
    pub listeners: Listeners,
    /// Whether a port that cannot be opened is left out and told in the health, and the rest put in force; else such a
    /// configuration is refused as a whole.
    pub lenient: bool,
    /// Where the Unix socket for LMTP is, when LMTP is on; `lmtp.sock` in the data directory without it. Read at start.
    pub lmtp_socket: Option<PathBuf>,
    /// What peers can use up.
    pub limits: Limits,
    /// Certificates; a client that asks for no name, or an unknown one, gets the first. Without any, neither STARTTLS
    /// nor implicit TLS is offered and nobody can log in.
    pub certificates: Vec<Certificate>,
    /// Text of the MTA-STS policy by domain (RFC 8461 §3.2), for the domains that have one.
    pub mta_sts: BTreeMap<String, String>,
    /// Networks whose hosts may relay on the SMTP port without AUTH. Nothing is trusted that is not listed here, loopback
    /// and cluster-internal addresses included.
    pub trusted_networks: Vec<IpNet>,
    /// Whether a client on a loopback address may log in without TLS: for local tools only.
    pub plaintext_on_loopback: bool,
    /// The smarthost that all mail for other servers goes through; without one it goes to their MX.
    pub relay: Option<Relay>,
    /// Whom to ask for names.
    pub dns: Dns,
    /// How mail for other servers is tried.
    pub queue: QueueSettings,
    /// The keys that sign a domain's outgoing mail, by domain; each adds a signature.
    pub dkim: BTreeMap<String, Vec<SigningKey>>,
}

impl ServerConfig {
    /// The standalone ports on loopback, without certificates.
    #[must_use]
    pub fn new(hostname: impl Into<String>) -> ServerConfig {
        ServerConfig {
            hostname: hostname.into(),
            bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            listeners: Listeners::default(),
            lenient: false,
            lmtp_socket: None,
            limits: Limits::default(),
            certificates: Vec::new(),
            mta_sts: BTreeMap::new(),
            trusted_networks: Vec::new(),
            plaintext_on_loopback: false,
            relay: None,
            dns: Dns::default(),
            queue: QueueSettings::default(),
            dkim: BTreeMap::new(),
        }
    }

    /// The same with every port chosen by the system: for tests, which read the ports from [`crate::Server::endpoints`].
    #[must_use]
    pub fn any_port(mut self) -> ServerConfig {
        self.listeners = Listeners {
            smtp: Some(0),
            submission: Some(0),
            submissions: Some(0),
            lmtp: None,
            imap: Some(0),
            imaps: Some(0),
            http: Some(0),
        };
        self
    }
}

/// The port of each protocol; `None` is not listening, 0 is a port of the system's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listeners {
    /// Mail from other servers.
    pub smtp: Option<u16>,
    /// Mail from our own users, with STARTTLS (RFC 6409 §3.1).
    pub submission: Option<u16>,
    /// Mail from our own users over TLS (RFC 8314 §3.3).
    pub submissions: Option<u16>,
    /// Mail for our mailboxes from another MTA in front (RFC 2033); opens the Unix socket `lmtp.sock` in the data directory
    /// too.
    pub lmtp: Option<u16>,
    /// IMAP with STARTTLS.
    pub imap: Option<u16>,
    /// IMAP over TLS.
    pub imaps: Option<u16>,
    /// Health, metrics, autoconfiguration, MTA-STS.
    pub http: Option<u16>,
}

impl Default for Listeners {
    /// Ports that need no privileges.
    fn default() -> Listeners {
        Listeners {
            smtp: Some(2525),
            submission: Some(1587),
            submissions: Some(1465),
            lmtp: None,
            imap: Some(1143),
            imaps: Some(1993),
            http: Some(8080),
        }
    }
}

/// Bounds on what peers can use up. The named ones of MailServer come first; the others have one good value and are here
/// so that tests need not wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one message, by SMTP and by APPEND.
    pub message_size: u64,
    /// Recipients of one message.
    pub recipients_per_message: u32,
    /// SMTP and IMAP connections at once; fewer when the process may not open that many files.
    pub connections: u32,
    /// Connections at once of one IPv4 address or one IPv6 /64.
    pub connections_per_address: u32,
    /// How long a peer may refuse to take the next bytes we send. Five minutes is what RFC 5321 §4.5.3.2 gives each
    /// step of a transfer; a suspended laptop is back sooner or reconnects.
    pub write_stall: Duration,
    /// How long a TLS handshake may take: two round trips and patience for a bad line.
    pub handshake: Duration,
    /// Silence of an IMAP session, in IDLE too. RFC 3501 §5.4 allows no less than 30 minutes.
    pub imap_idle: Duration,
    /// Time until a client has logged in.
    pub imap_login: Duration,
    /// What the answer to an address's next failed login is held back for, doubled with every further failure up to
    /// [`crate::auth::throttle::MAX_DELAY`].
    pub auth_delay: Duration,
    /// Silence of an SMTP client: between commands, and between pieces of a message. RFC 5321 §4.5.3.2.7 asks for five
    /// minutes at least.
    pub smtp_idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_size: 50 * 1024 * 1024,
            recipients_per_message: 1000,
            connections: 2000,
            connections_per_address: 50,
            write_stall: Duration::from_secs(300),
            handshake: Duration::from_secs(60),
            imap_idle: Duration::from_secs(30 * 60),
            imap_login: Duration::from_secs(60),
            auth_delay: Duration::from_secs(1),
            smtp_idle: Duration::from_secs(300),
        }
    }
}

/// A certificate chain with its key, in PEM. Its names are read from the certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The chain, leaf first.
    pub chain_pem: String,
    /// The private key.
    pub key_pem: String,
}

impl Certificate {
    /// Why it could not be put in force.
    pub fn check(&self) -> Result<(), String> {
        let parsed = crate::tls::CertificateSet::parse(std::slice::from_ref(self));
        parsed.map(drop).map_err(|(_, error)| error.to_string())
    }
}

/// Shows nothing of the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate([redacted])")
    }
}

/// What this process does. The management socket is there in every role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Takes mail from other servers by SMTP.
    pub mx: bool,
    /// Takes mail from our own users by SMTP with AUTH.
    pub submission: bool,
    /// Takes mail from another MTA by LMTP.
    pub lmtp: bool,
    /// Serves mailboxes by IMAP.
    pub imap: bool,
    /// Sends mail to other servers.
    pub queue: bool,
    /// Serves HTTP.
    pub api: bool,
}

impl Roles {
    /// The management socket alone.
    pub const NONE: Roles =
        Roles { mx: false, submission: false, lmtp: false, imap: false, queue: false, api: false };
    /// Everything in one process.
    pub const ALL: Roles =
        Roles { mx: true, submission: true, lmtp: true, imap: true, queue: true, api: true };
}

/// A protocol with a listener of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// SMTP from other servers.
    Smtp,
    /// SMTP from our own users, with STARTTLS.
    Submission,
    /// SMTP from our own users over TLS.
    Submissions,
    /// LMTP from another MTA.
    Lmtp,
    /// IMAP with STARTTLS.
    Imap,
    /// IMAP over TLS.
    Imaps,
    /// HTTP.
    Http,
}

impl Protocol {
    /// The protocol's name as in metrics, logs and MailServer's listeners.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Smtp => "smtp",
            Protocol::Submission => "submission",
            Protocol::Submissions => "submissions",
            Protocol::Lmtp => "lmtp",
            Protocol::Imap => "imap",
            Protocol::Imaps => "imaps",
            Protocol::Http => "http",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a listener is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Never.
    None,
    /// On the client's wish.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// One open listener, with its real port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
    /// How it is encrypted.
    pub tls: TlsMode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_shown() {
        let certificate = Certificate { chain_pem: "chain".into(), key_pem: "secret".into() };
        let mut config = ServerConfig::new("mail.example.test");
        config.certificates.push(certificate);
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn the_standalone_ports_are_the_documented_ones() {
        let ports = ServerConfig::new("mail.example.test").listeners;
        assert_eq!(
            ports,
            Listeners {
                smtp: Some(2525),
                submission: Some(1587),
                submissions: Some(1465),
                lmtp: None,
                imap: Some(1143),
                imaps: Some(1993),
                http: Some(8080),
            }
        );
    }
}
