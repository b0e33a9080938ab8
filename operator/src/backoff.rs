//! When something that failed is tried again: doubling delays with jitter, per key. Pure: the time and the random number
//! are arguments.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

/// The first delay: short, since most failures are of a moment.
pub const FIRST: Duration = Duration::seconds(1);

/// The longest delay: somebody who mended the cause waits no longer than this.
pub const LONGEST: Duration = Duration::minutes(5);

/// The share of a delay that chance takes away, so that many failures of one moment do not come back at one moment.
const JITTER: f64 = 0.3;

/// What failed and when it is due again.
#[derive(Debug, Clone)]
pub struct Backoff<K> {
    failed: BTreeMap<K, Failed>,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    times: u32,
    due: DateTime<Utc>,
}

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self { failed: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Backoff<K> {
    /// Whether `key` may be tried now.
    pub fn is_due(&self, key: &K, now: DateTime<Utc>) -> bool {
        self.failed.get(key).is_none_or(|failed| failed.due <= now)
    }

    /// It failed again. `chance` is a random number from 0 to 1. Answers when it is due.
    pub fn failed(&mut self, key: K, now: DateTime<Utc>, chance: f64) -> DateTime<Utc> {
        let failed = self.failed.entry(key).or_insert(Failed { times: 0, due: now });
        failed.due = now + delay(failed.times, chance);
        failed.times = failed.times.saturating_add(1);
        failed.due
    }

    /// It worked, or it is asked for anew: its failures are forgotten.
    pub fn forget(&mut self, key: &K) {
        self.failed.remove(key);
    }

    /// Forgets what is not asked for any more.
    pub fn retain(&mut self, asked_for: impl Fn(&K) -> bool) {
        self.failed.retain(|key, _| asked_for(key));
    }

    /// Whether something is held back.
    pub fn any(&self, which: impl Fn(&K) -> bool) -> bool {
        self.failed.keys().any(which)
    }

    /// When the next of all that failed is due.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.failed.values().map(|failed| failed.due).min()
    }

    /// How often it failed in a row.
    pub fn times(&self, key: &K) -> u32 {
        self.failed.get(key).map_or(0, |failed| failed.times)
    }
}

/// The delay after so many failures before this one.
pub fn delay(failures: u32, chance: f64) -> Duration {
    let factor = 1_i32.checked_shl(failures.min(16)).unwrap_or(i32::MAX);
    let whole = FIRST.checked_mul(factor).unwrap_or(LONGEST).min(LONGEST);
    let share = 1.0 - JITTER * chance.clamp(0.0, 1.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    let millis = (whole.num_milliseconds() as f64 * share) as i64;
    Duration::milliseconds(millis)
}

/// A number from 0 to 1 that differs from process to process and from call to call. Not for secrets.
pub fn chance() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    f64::from((random >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        for (failures, expected) in
            [(0, 1), (1, 2), (2, 4), (5, 32), (8, 256), (9, 300), (40, 300), (u32::MAX, 300)]
        {
            assert_eq!(delay(failures, 0.0), Duration::seconds(expected), "{failures}");
        }
    }

    #[test]
    fn chance_only_shortens() {
        for (chance, expected) in [(0.0, 1000), (0.5, 850), (1.0, 700), (7.0, 700), (-1.0, 1000)] {
            assert_eq!(delay(0, chance), Duration::milliseconds(expected), "{chance}");
        }
        for _ in 0..100 {
            assert!((0.0..=1.0).contains(&chance()));
        }
    }

    #[test]
    fn one_that_fails_holds_back_itself_alone() {
        let mut backoff = Backoff::default();
        assert!(backoff.is_due(&"a", at(0)) && backoff.next_due().is_none());
        assert_eq!(backoff.failed("a", at(0), 0.0), at(1));
        assert!(!backoff.is_due(&"a", at(0)) && backoff.is_due(&"b", at(0)));
        assert!(backoff.is_due(&"a", at(1)));
        assert_eq!(backoff.failed("a", at(1), 0.0), at(3));
        assert_eq!((backoff.next_due(), backoff.times(&"a")), (Some(at(3)), 2));
        backoff.forget(&"a");
        assert!(backoff.is_due(&"a", at(1)) && backoff.times(&"a") == 0);
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut backoff = Backoff::default();
        backoff.failed("a", at(0), 0.0);
        backoff.failed("b", at(5), 0.0);
        backoff.retain(|key| *key == "b");
        assert_eq!(backoff.next_due(), Some(at(6)));
    }
}
