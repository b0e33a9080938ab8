//! What the owner decides about mail that leaves: the smarthost, name servers, the queue's patience, signing keys.
//!
//! RFC 5321 §4.5.4.1 (retries), RFC 6376 §3.3 and RFC 8463 §3 (algorithms of DKIM).

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use zeroize::Zeroizing;

/// The smarthost that mail for other servers goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Its name or address, without brackets; not looked up as an MX.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: RelayTls,
    /// The login, if it wants one. Never given to a server without TLS.
    pub credentials: Option<Credentials>,
}

/// How the connection to a smarthost is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RelayTls {
    /// STARTTLS when it is offered; the certificate is not checked.
    #[default]
    Opportunistic,
    /// STARTTLS with a checked certificate, or no mail.
    StartTls,
    /// TLS from the first byte with a checked certificate (RFC 8314 §3.3).
    Implicit,
    /// Never.
    None,
}

/// A login at a smarthost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A text that nobody may see: debugging shows nothing of it, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text itself: for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Whom to ask for names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// Name servers in order; empty means those of the system.
    pub resolvers: Vec<SocketAddr>,
}

/// How mail for other servers is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// The port of other servers' MX: 25 but for tests and unusual networks.
    pub remote_port: u16,
    /// How long a message is tried before it is returned.
    pub lifetime: Duration,
    /// When its sender is told that it is late.
    pub delay_warning: Duration,
    /// Connections at once to one destination.
    pub max_connections_per_destination: u32,
    /// Connections at once to all destinations.
    pub max_connections: u32,
}

impl Default for QueueSettings {
    /// RFC 5321 §4.5.4.1: four to five days. Twenty connections is what Postfix opens to a destination at most, and what
    /// large providers bear of one address; a hundred in all leave file descriptors for those who come in.
    fn default() -> QueueSettings {
        QueueSettings {
            remote_port: 25,
            lifetime: Duration::from_secs(5 * 24 * 3600),
            delay_warning: Duration::from_secs(4 * 3600),
            max_connections_per_destination: 20,
            max_connections: 100,
        }
    }
}

/// One DKIM key of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The selector its public half is published under.
    pub selector: String,
    /// What it signs with.
    pub algorithm: DkimAlgorithm,
    /// The private key, PKCS#8 in PEM.
    pub pem: Secret,
}

/// The algorithms that DKIM knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DkimAlgorithm {
    /// `rsa-sha256` (RFC 6376 §3.3.2).
    RsaSha256,
    /// `ed25519-sha256` (RFC 8463 §3).
    Ed25519Sha256,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials { username: "mail".into(), password: Secret::new("hush") };
        let key = SigningKey {
            selector: "s1".into(),
            algorithm: DkimAlgorithm::RsaSha256,
            pem: Secret::new("hush"),
        };
        let shown = format!("{credentials:?} {key:?}");
        assert!(!shown.contains("hush") && shown.contains("mail") && shown.contains("s1"), "{shown}");
        assert_eq!(credentials.password.reveal(), "hush");
    }
}
