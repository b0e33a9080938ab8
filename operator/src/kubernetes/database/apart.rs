//! The platform of a source that has rows and nothing else: no keys, no certificates, no Secrets of the cluster. A repository cannot
//! reach a Secret by naming it.

use std::collections::BTreeSet;

use mailwright_plan::observed::{Issuer, ServerDeclared};

use crate::certificate::PemPair;
use crate::dkim::DkimKey;
use crate::platform::{Issuance, Platform, PlatformError};
use crate::relay::RelayLogin;
use crate::secrets::Secrets;
use crate::zones::Zone;

/// Nothing but the key of fingerprints.
#[derive(Debug, Clone)]
pub struct Apart {
    key: Key,
}

/// Not shown.
#[derive(Clone)]
struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Apart {
    /// With the installation's key.
    pub fn new(fingerprint_key: [u8; 32]) -> Apart {
        Apart { key: Key(fingerprint_key) }
    }
}

impl Platform for Apart {
    fn fingerprint_key(&self) -> Result<[u8; 32], PlatformError> {
        Ok(self.key.0)
    }

    fn recall(&self, _: &BTreeSet<(String, String)>) -> Result<Secrets, PlatformError> {
        Ok(Secrets::default())
    }

    fn dkim_keys(&self, _: &str) -> Result<Vec<DkimKey>, PlatformError> {
        Ok(Vec::new())
    }

    fn put_dkim_key(&self, domain: &str, _: &DkimKey) -> Result<DkimKey, PlatformError> {
        Err(PlatformError::Undeclared { domain: domain.to_owned() })
    }

    fn certificate(&self, _: &str) -> Result<Option<PemPair>, PlatformError> {
        Ok(None)
    }

    fn put_certificate(&self, _: &str, _: &PemPair) -> Result<(), PlatformError> {
        Ok(())
    }

    fn request_certificate(&self, _: &ServerDeclared, _: &Issuer) -> Result<Issuance, PlatformError> {
        Ok(Issuance::Unavailable("certificates are the business of the MailServer".to_owned()))
    }

    fn release_certificate(&self, _: &str) -> Result<(), PlatformError> {
        Ok(())
    }

    fn relay_login(&self, _: &str) -> Result<Option<RelayLogin>, PlatformError> {
        Ok(None)
    }

    fn put_relay_login(&self, _: &str, _: &RelayLogin) -> Result<(), PlatformError> {
        Ok(())
    }

    fn forget_relay_login(&self, _: &str) -> Result<(), PlatformError> {
        Ok(())
    }

    fn publish_zones(&self, _: &str, _: &[Zone]) -> Result<(), PlatformError> {
        Ok(())
    }

    fn published_zones(&self) -> Result<Vec<String>, PlatformError> {
        Ok(Vec::new())
    }

    fn withdraw_zones(&self, _: &str) -> Result<(), PlatformError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_nothing_to_give_and_shows_no_key() {
        let apart = Apart::new([7; 32]);
        assert_eq!(apart.fingerprint_key().unwrap(), [7; 32]);
        let wanted = BTreeSet::from([("mail".to_owned(), "admin-password".to_owned())]);
        assert_eq!(
            apart.recall(&wanted).unwrap().iter().count(),
            0,
            "Secrets of the cluster are out of reach"
        );
        assert!(apart.dkim_keys("example.test").unwrap().is_empty());
        assert!(apart.certificate("mail/main").unwrap().is_none());
        assert!(!format!("{apart:?}").contains('7'));
    }
}
