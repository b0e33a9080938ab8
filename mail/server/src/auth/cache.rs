//! Passwords that were right a moment ago, so that a mail program that logs in again and again costs one hash computation a minute.
//!
//! Holds a keyed hash of each password under a key of this process, never the password. An entry is good for one password
//! of one account (its version is looked up at every login, so a change empties it at once) and for a short while. Wrong passwords
//! are never remembered: each guess costs a whole computation.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mailwright_store::AccountId;

/// How long a password is not computed again. Long enough for a program that opens a connection per folder, short enough that a
/// stolen process image says little.
const LIFETIME: Duration = Duration::from_secs(60);
/// Accounts remembered at once, some 100 bytes each; beyond it the oldest go.
const MAX_ENTRIES: usize = 16 * 1024;

/// The remembered passwords.
pub(super) struct Cache {
    /// None: no random numbers, nothing is remembered.
    key: Option<[u8; 32]>,
    entries: Mutex<HashMap<AccountId, Entry>>,
}

struct Entry {
    version: i64,
    password: blake3::Hash,
    since: Instant,
}

impl Default for Cache {
    fn default() -> Cache {
        let mut key = [0; 32];
        let key = aws_lc_rs::rand::fill(&mut key).ok().map(|()| key);
        Cache { key, entries: Mutex::default() }
    }
}

impl Cache {
    /// Whether this was the account's password less than a minute ago and is of its present version.
    pub(super) fn knows(&self, account: AccountId, version: i64, password: &[u8], now: Instant) -> bool {
        let Some(hash) = self.hash(account, password) else { return false };
        let mut entries = self.entries();
        let Some(entry) = entries.get(&account) else { return false };
        if entry.version != version || now.saturating_duration_since(entry.since) >= LIFETIME {
            entries.remove(&account);
            return false;
        }
        // Compares in constant time.
        entry.password == hash
    }

    /// Remembers a password that was just found right.
    pub(super) fn remember(&self, account: AccountId, version: i64, password: &[u8], now: Instant) {
        let Some(password) = self.hash(account, password) else { return };
        let mut entries = self.entries();
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(&account) {
            entries.retain(|_, entry| now.saturating_duration_since(entry.since) < LIFETIME);
            if entries.len() >= MAX_ENTRIES {
                entries.clear();
            }
        }
        entries.insert(account, Entry { version, password, since: now });
    }

    /// Forgets an account.
    pub(super) fn forget(&self, account: AccountId) {
        self.entries().remove(&account);
    }

    fn hash(&self, account: AccountId, password: &[u8]) -> Option<blake3::Hash> {
        let mut hasher = blake3::Hasher::new_keyed(self.key.as_ref()?);
        hasher.update(&account.0.to_le_bytes()).update(password);
        Some(hasher.finalize())
    }

    /// Every change of the map is one statement, so a poisoned lock is as good as any.
    fn entries(&self) -> MutexGuard<'_, HashMap<AccountId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId(1);

    #[test]
    fn one_password_of_one_version_for_a_while() {
        let (cache, start) = (Cache::default(), Instant::now());
        cache.remember(ALICE, 3, b"secret", start);
        for (account, version, password, after, expected) in [
            (ALICE, 3, &b"secret"[..], 0, true),
            (ALICE, 3, b"secret", 59, true),
            (ALICE, 3, b"Secret", 1, false),
            (ALICE, 3, b"", 1, false),
            (AccountId(2), 3, b"secret", 1, false),
            (ALICE, 3, b"secret", 60, false),
            // What was too old is gone.
            (ALICE, 3, b"secret", 0, false),
        ] {
            let now = start + Duration::from_secs(after);
            assert_eq!(cache.knows(account, version, password, now), expected, "{version} {after}");
        }
        cache.remember(ALICE, 3, b"secret", start);
        assert!(!cache.knows(ALICE, 4, b"secret", start), "another password since");
        assert!(!cache.knows(ALICE, 3, b"secret", start), "and emptied by that");
        cache.remember(ALICE, 4, b"secret", start);
        cache.forget(ALICE);
        assert!(!cache.knows(ALICE, 4, b"secret", start));
    }

    #[test]
    fn a_wrong_guess_does_not_drive_the_owner_out() {
        let (cache, start) = (Cache::default(), Instant::now());
        cache.remember(ALICE, 1, b"secret", start);
        assert!(!cache.knows(ALICE, 1, b"guess", start));
        assert!(cache.knows(ALICE, 1, b"secret", start));
    }

    #[test]
    fn memory_is_bounded_and_no_password_is_in_it() {
        let (cache, start) = (Cache::default(), Instant::now());
        for number in 0..=i64::try_from(MAX_ENTRIES).unwrap() * 2 {
            cache.remember(AccountId(number), 1, b"secret", start);
        }
        assert!(cache.entries().len() <= MAX_ENTRIES);
        let (one, two) = (cache.hash(ALICE, b"secret"), cache.hash(AccountId(2), b"secret"));
        assert!(one != two, "equal passwords do not look equal");
        assert!(Cache::default().hash(ALICE, b"secret") != one, "nor those of two processes");
    }
}
