//! Owns what a platform must offer the reconcilers beside the account database: a place for keys and certificates that
//! is neither Git nor the database dump, and a place to publish DNS suggestions. [`local`] is a data directory;
//! [`kubernetes`] keeps the same things in Secrets and ConfigMaps.

pub mod kubernetes;
pub mod local;

use std::collections::BTreeSet;

use mailwright_crds::Mailbox;
use mailwright_plan::observed::{Issuer, ServerDeclared};

use crate::certificate::PemPair;
use crate::dkim::DkimKey;
use crate::kubernetes::api::{ApiError, ApiErrorKind};
use crate::relay::RelayLogin;
use crate::secrets::Secrets;
use crate::source::SecretValue;
use crate::zones::Zone;

/// Where keys, certificates and published records live. Every write replaces atomically and is readable by the owner only.
pub trait Platform: Send + Sync {
    /// The key of credential fingerprints; made on first use, kept apart from the database so that a stolen dump cannot
    /// be searched with a fast hash.
    fn fingerprint_key(&self) -> Result<[u8; 32], PlatformError>;
    /// Reads again what Secrets hold, by namespace and name, whose values were forgotten after their last use.
    fn recall(&self, wanted: &BTreeSet<(String, String)>) -> Result<Secrets, PlatformError>;
    /// The DKIM keys of a domain in the order of their selectors.
    fn dkim_keys(&self, domain: &str) -> Result<Vec<DkimKey>, PlatformError>;
    /// Keeps a new DKIM key. Never overwrites: a key that is published must not change. Answers the key that is kept, which
    /// is another one when somebody else made it first.
    fn put_dkim_key(&self, domain: &str, key: &DkimKey) -> Result<DkimKey, PlatformError>;
    /// The self-signed certificate made for a server, if there is one.
    fn certificate(&self, server: &str) -> Result<Option<PemPair>, PlatformError>;
    /// Keeps the self-signed certificate of a server.
    fn put_certificate(&self, server: &str, pair: &PemPair) -> Result<(), PlatformError>;
    /// Asks whoever issues certificates on this platform for one for the server's host name.
    fn request_certificate(
        &self,
        server: &ServerDeclared,
        issuer: &Issuer,
    ) -> Result<Issuance, PlatformError>;
    /// Asks no more, if that was ever asked.
    fn release_certificate(&self, server: &str) -> Result<(), PlatformError>;
    /// The login at the smarthost that a server had last.
    fn relay_login(&self, server: &str) -> Result<Option<RelayLogin>, PlatformError>;
    /// Keeps the login at the smarthost of a server.
    fn put_relay_login(&self, server: &str, login: &RelayLogin) -> Result<(), PlatformError>;
    /// Forgets it.
    fn forget_relay_login(&self, server: &str) -> Result<(), PlatformError>;
    /// Publishes the suggested zones of a domain and of its alias domains. Writes only what changed.
    fn publish_zones(&self, domain: &str, zones: &[Zone]) -> Result<(), PlatformError>;
    /// The domains whose zones are published.
    fn published_zones(&self) -> Result<Vec<String>, PlatformError>;
    /// Withdraws the suggested zones of a domain that is served no more.
    fn withdraw_zones(&self, domain: &str) -> Result<(), PlatformError>;
    /// The password that was made up for a Mailbox with `credentials.generate`, and with `make` made now where there is none or
    /// another one is asked for. `None` where there is none, and where Secrets are written and read by somebody else.
    fn generated_password(
        &self,
        mailbox: &Mailbox,
        make: bool,
    ) -> Result<Option<SecretValue>, PlatformError> {
        let _ = (mailbox, make);
        Ok(None)
    }
}

/// What became of the request for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuance {
    /// It is in this Secret as soon as it is issued.
    Secret {
        /// The Secret, in the namespace of the server.
        name: String,
        /// What the issuer says as long as it is not there.
        pending: String,
    },
    /// Nobody issues certificates here. The text says what to do.
    Unavailable(String),
}

/// What went wrong on the platform, with the place.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The file system refused.
    #[error("{action} {path}: {source}; check the permissions and free space of the data directory")]
    Io {
        /// What was tried: `cannot read`, `cannot write`.
        action: &'static str,
        /// The file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of ours is not what we wrote.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The API server refused, or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// An object of a name that is needed belongs to somebody else.
    #[error("{object} exists and was not made by Mailwright; rename or delete it")]
    NotOurs {
        /// The object.
        object: String,
    },
    /// More than fits into one object.
    #[error(
        "{object} would have {size} octets, and the API server takes 1 MiB: declare fewer alias domains in one MailDomain"
    )]
    TooLarge {
        /// The object.
        object: String,
        /// The size of its data.
        size: usize,
    },
    /// Where the keys of a domain are kept is not known, because no MailDomain declares it.
    #[error(
        "no MailDomain declares {domain}, so no key is made for it; declare it again, or remove its mail"
    )]
    Undeclared {
        /// The domain.
        domain: String,
    },
}

impl PlatformError {
    /// Whether it stays as it is until somebody does something. What does not is tried again with the whole pass.
    pub fn is_lasting(&self) -> bool {
        use ApiErrorKind::{Forbidden, Invalid, NotFound, Terminating};
        match self {
            Self::Io { .. } => false,
            Self::Damaged { .. } | Self::NotOurs { .. } | Self::TooLarge { .. } | Self::Undeclared { .. } => {
                true
            }
            Self::Api(error) => matches!(error.kind, Forbidden | Invalid | NotFound | Terminating),
        }
    }
}
