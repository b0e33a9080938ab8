//! MailDomain: its DKIM keys and its suggested zone. Which keys are missing is decided by `missing`, pure.

use chrono::{DateTime, Utc};
use mailwright_crds::mail_domain::DkimAlgorithm;

use crate::dkim::{self, DkimError, DkimKey};
use crate::platform::{Platform, PlatformError};

/// Why the keys of a domain are not there.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The place of the keys refused, or holds a damaged one.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// A key could not be made.
    #[error(transparent)]
    Dkim(#[from] DkimError),
}

/// Makes sure that a domain has a key of each algorithm, and answers all its keys. A key is made once: later passes, and
/// later declarations, never replace it. Blocks: an RSA key takes a while.
pub fn ensure_keys<P: Platform>(
    platform: &P,
    domain: &str,
    wanted: &[DkimAlgorithm],
    now: DateTime<Utc>,
) -> Result<Vec<DkimKey>, KeysError> {
    let mut keys = platform.dkim_keys(domain)?;
    for algorithm in missing(&keys, wanted) {
        let selector = dkim::selector(algorithm, &now.format("%Y%m").to_string());
        let key = dkim::generate(selector, algorithm)?;
        keys.push(platform.put_dkim_key(domain, &key)?);
    }
    keys.retain(|key| wanted.contains(&key.algorithm));
    keys.sort_by(|a, b| a.selector.cmp(&b.selector));
    Ok(keys)
}

fn missing(keys: &[DkimKey], wanted: &[DkimAlgorithm]) -> Vec<DkimAlgorithm> {
    wanted.iter().copied().filter(|algorithm| keys.iter().all(|key| key.algorithm != *algorithm)).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;
    use crate::platform::local::Local;

    #[test]
    fn keys_are_made_once_for_each_algorithm() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        let (november, december) = (
            Utc.with_ymd_and_hms(2026, 11, 20, 0, 0, 0).unwrap(),
            Utc.with_ymd_and_hms(2026, 12, 1, 0, 0, 0).unwrap(),
        );
        let both = [DkimAlgorithm::Rsa2048, DkimAlgorithm::Ed25519];
        let first = ensure_keys(&local, "example.test", &both[1..], november).unwrap();
        assert_eq!(first.len(), 1);
        let second = ensure_keys(&local, "example.test", &both, december).unwrap();
        let selectors: Vec<_> = second.iter().map(|key| key.selector.as_str()).collect();
        assert_eq!(selectors, ["202611e", "202612r"]);
        assert_eq!(second[0].public, first[0].public, "a published key never changes");
        assert_eq!(ensure_keys(&local, "example.test", &both[..1], december).unwrap().len(), 1);
        assert_eq!(local.dkim_keys("example.test").unwrap().len(), 2, "a key that is not wanted is kept");
    }
}
