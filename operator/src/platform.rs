//! Owns what a platform must offer the reconcilers beside the account database: a place for keys and certificates that
//! is neither Git nor the database dump, and a place to publish DNS suggestions. [`local`] is a data directory; a
//! cluster keeps the same things in Secrets and ConfigMaps.

pub mod local;

use crate::certificate::PemPair;
use crate::dkim::DkimKey;
use crate::relay::RelayLogin;

/// Where keys, certificates and published records live. Every write replaces atomically and is readable by the owner only.
pub trait Platform: Send + Sync {
    /// The key of credential fingerprints; made on first use, kept apart from the database so that a stolen dump cannot
    /// be searched with a fast hash.
    fn fingerprint_key(&self) -> Result<[u8; 32], PlatformError>;
    /// The DKIM keys of a domain in the order of their selectors.
    fn dkim_keys(&self, domain: &str) -> Result<Vec<DkimKey>, PlatformError>;
    /// Keeps a new DKIM key. Never overwrites: a key that is published must not change.
    fn put_dkim_key(&self, domain: &str, key: &DkimKey) -> Result<(), PlatformError>;
    /// The self-signed certificate made for a server, if there is one.
    fn certificate(&self, server: &str) -> Result<Option<PemPair>, PlatformError>;
    /// Keeps the self-signed certificate of a server.
    fn put_certificate(&self, server: &str, pair: &PemPair) -> Result<(), PlatformError>;
    /// The login at the smarthost that a server had last.
    fn relay_login(&self, server: &str) -> Result<Option<RelayLogin>, PlatformError>;
    /// Keeps the login at the smarthost of a server.
    fn put_relay_login(&self, server: &str, login: &RelayLogin) -> Result<(), PlatformError>;
    /// Forgets it.
    fn forget_relay_login(&self, server: &str) -> Result<(), PlatformError>;
    /// Publishes the suggested zone of a domain; returns where a person finds it. Writes only when it changed.
    fn publish_zone(&self, domain: &str, zone: &str) -> Result<String, PlatformError>;
    /// The domains whose zones are published.
    fn published_zones(&self) -> Result<Vec<String>, PlatformError>;
    /// Withdraws the suggested zone of a domain that is served no more.
    fn withdraw_zone(&self, domain: &str) -> Result<(), PlatformError>;
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
}
