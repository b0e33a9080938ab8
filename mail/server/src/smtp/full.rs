//! Remembers which mailbox was too full for a message at its end, so that the next attempt hears it at RCPT.
//!
//! Without SIZE at MAIL (RFC 1870 §6) nobody knows at RCPT whether a message will fit. Its end has one reply for all recipients
//! (RFC 5321 §3.3), and without a queue that is a refusal for all. If every attempt went the same way the others would never
//! get their copy; so the second attempt is told `452 4.2.2` for the full mailbox alone. What is remembered is only a size:
//! a mailbox with room for it again takes mail at once. docs/decisions/0008 says why.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mailwright_store::AccountId;

/// How long a size is remembered: longer than senders pause between two attempts (Postfix up to 67 minutes, Exim up to 6
/// hours). Not for ever, since within it mail without SIZE waits although a smaller message would fit.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(7 * 60 * 60);
/// Mailboxes remembered at once (each below 50 bytes); beyond it the oldest is forgotten.
pub(crate) const MAX_MAILBOXES: usize = 16 * 1024;
/// What a declared size (RFC 1870 §5) may fall short of the size stored by: our trace fields, and estimates.
const ALLOWANCE: u64 = 4096;

/// Mailboxes and the size that did not fit.
#[derive(Default)]
pub(crate) struct FullMailboxes {
    mailboxes: Mutex<HashMap<AccountId, Full>>,
}

#[derive(Clone, Copy)]
struct Full {
    size: u64,
    at: Instant,
}

impl FullMailboxes {
    /// A message of `size` octets, as it would have been stored, did not fit.
    pub(crate) fn note(&self, account: AccountId, size: u64, now: Instant) {
        let mut mailboxes = self.mailboxes();
        if mailboxes.len() >= MAX_MAILBOXES && !mailboxes.contains_key(&account) {
            forget(&mut mailboxes, now);
        }
        mailboxes.insert(account, Full { size, at: now });
    }

    /// The size to ask the quota for: what was declared, or what did not fit before if this may be the same message.
    pub(crate) fn size(&self, account: AccountId, declared: Option<u64>, now: Instant) -> u64 {
        let remembered =
            self.mailboxes().get(&account).filter(|full| full.is_fresh(now)).map(|full| full.size);
        match (declared, remembered) {
            (None, Some(size)) => size,
            (Some(declared), Some(size)) if declared.saturating_add(ALLOWANCE) >= size => size.max(declared),
            (declared, _) => declared.unwrap_or(0),
        }
    }

    /// Every change of the map is complete in itself, so a poisoned lock is as good as any.
    fn mailboxes(&self) -> MutexGuard<'_, HashMap<AccountId, Full>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Full {
    fn is_fresh(self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < REMEMBERED
    }
}

/// Drops what is too old, and if that was nothing, the oldest entry.
fn forget(mailboxes: &mut HashMap<AccountId, Full>, now: Instant) {
    mailboxes.retain(|_, full| full.is_fresh(now));
    if mailboxes.len() >= MAX_MAILBOXES
        && let Some(oldest) = mailboxes.iter().min_by_key(|(_, full)| full.at).map(|(account, _)| *account)
    {
        mailboxes.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: AccountId = AccountId(7);

    #[test]
    fn what_did_not_fit_is_asked_for_again() {
        let full = FullMailboxes::default();
        let now = Instant::now();
        assert_eq!(full.size(BOB, None, now), 0);
        full.note(BOB, 10_000, now);
        for (declared, expected) in [
            (None, 10_000),
            // The same message, declared without our trace fields.
            (Some(9_700), 10_000),
            (Some(10_000), 10_000),
            (Some(20_000), 20_000),
            // Another message.
            (Some(1_000), 1_000),
        ] {
            assert_eq!(full.size(BOB, declared, now), expected, "{declared:?}");
        }
        assert_eq!(full.size(AccountId(8), None, now), 0, "other mailboxes are not concerned");
        full.note(BOB, 500, now);
        assert_eq!(full.size(BOB, None, now), 500, "the last one counts");
    }

    #[test]
    fn sizes_are_forgotten_in_time() {
        let full = FullMailboxes::default();
        let now = Instant::now();
        full.note(BOB, 10, now);
        assert_eq!(full.size(BOB, None, now + REMEMBERED - Duration::from_secs(1)), 10);
        assert_eq!(full.size(BOB, None, now + REMEMBERED), 0);
    }

    #[test]
    fn the_memory_is_bounded() {
        let full = FullMailboxes::default();
        let now = Instant::now();
        for number in 0..MAX_MAILBOXES as i64 + 10 {
            full.note(AccountId(number), 10, now + Duration::from_millis(number.unsigned_abs()));
        }
        assert_eq!(full.mailboxes().len(), MAX_MAILBOXES);
        let later = now + Duration::from_secs(60);
        assert_eq!((full.size(AccountId(9), None, later), full.size(AccountId(10), None, later)), (0, 10));
    }
}
