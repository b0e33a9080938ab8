//! What an operator in another process asks and tells: which database this is, how the server is, what it serves with.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use mailwright_plan::Fence;
use serde::{Deserialize, Serialize};

use crate::config::{DkimAlgorithm, Endpoint};

/// Who answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The UUID of the database: made with it, the same in every copy of it.
    pub database: String,
    /// The program's version.
    pub version: String,
    /// The number of the newest migration.
    pub schema: i64,
}

/// How a running server is. Nothing of it is a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The program's version.
    pub version: String,
    /// The name it greets with.
    pub hostname: String,
    /// Since when it runs.
    pub started: DateTime<Utc>,
    /// It is shutting down.
    pub draining: bool,
    /// The listeners that are open.
    pub endpoints: Vec<Endpoint>,
    /// Why listeners could not be opened; the others serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_error: Option<String>,
    /// BLAKE3 of the configuration file in force, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_digest: Option<String>,
    /// Why the configuration file as it is now is not in force; the last good one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_error: Option<String>,
    /// The certificate that those are shown who ask for no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Presented>,
    /// Why the certificate as it is now is not in force; the last good one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_error: Option<String>,
    /// BLAKE3 of what was pushed last without its fence, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_digest: Option<String>,
    /// Whether new mail is refused for lack of space.
    pub storage_full: bool,
    /// Octets that are left on the data volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// The account database's change counter; `None` when it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_counter: Option<u64>,
    /// Messages in the queue.
    pub queued: u64,
    /// When the oldest of them came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_queued: Option<DateTime<Utc>>,
}

/// A certificate as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presented {
    /// SHA-256 of the leaf in lower-case hexadecimal.
    pub fingerprint: String,
    /// When it ends.
    pub not_after: DateTime<Utc>,
}

/// What a server needs beside its configuration file and its certificate. It is kept in the data directory (mode 0600), so
/// that a pod serves when the operator is away.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pushed {
    /// Who may write; not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<Fence>,
    /// The keys that sign a domain's mail, by domain and alias domain.
    pub dkim: BTreeMap<String, Vec<PushedKey>>,
    /// Text of the MTA-STS policy by domain (RFC 8461 §3.2).
    pub mta_sts: BTreeMap<String, String>,
    /// The login at the smarthost, for the host that it names and for no other.
    pub relay_login: Option<PushedLogin>,
}

/// One DKIM key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushedKey {
    /// The selector its public half is published under.
    pub selector: String,
    /// What it signs with, as MailDomain names it.
    pub algorithm: PushedAlgorithm,
    /// The private key, PKCS #8 in PEM.
    pub private_pem: String,
}

/// The algorithms, as MailDomain names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushedAlgorithm {
    /// `rsa-sha256` with a key of 2048 bits.
    #[serde(rename = "RSA2048")]
    Rsa2048,
    /// `ed25519-sha256`.
    Ed25519,
}

impl From<PushedAlgorithm> for DkimAlgorithm {
    fn from(algorithm: PushedAlgorithm) -> DkimAlgorithm {
        match algorithm {
            PushedAlgorithm::Rsa2048 => DkimAlgorithm::RsaSha256,
            PushedAlgorithm::Ed25519 => DkimAlgorithm::Ed25519Sha256,
        }
    }
}

/// A login at a smarthost.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushedLogin {
    /// The host that gets it.
    pub host: String,
    /// The Secret it is from, as `namespace/name`.
    pub secret: String,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pushed")
            .field("fence", &self.fence)
            .field("dkim", &self.dkim)
            .field("mta_sts", &self.mta_sts.keys())
            .field("relay_login", &self.relay_login)
            .finish()
    }
}

impl fmt::Debug for PushedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushedKey").field("selector", &self.selector).finish_non_exhaustive()
    }
}

impl fmt::Debug for PushedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushedLogin").field("host", &self.host).finish_non_exhaustive()
    }
}
