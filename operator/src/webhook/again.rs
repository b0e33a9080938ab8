//! When a repository is looked at again after a push of which nothing was seen. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// A forge may tell of a push before all its machines show it: looked at again after these times, while nothing is new.
const AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];

/// The looks that are still to come.
#[derive(Debug, Default)]
pub struct Again {
    since: Option<Instant>,
    done: usize,
}

impl Again {
    /// Something was pushed.
    pub fn pushed(&mut self, now: Instant) {
        *self = Again { since: Some(now), done: 0 };
    }

    /// The time of [`Self::next`] has come.
    pub fn passed(&mut self) {
        self.done += 1;
    }

    /// Something new was seen.
    pub fn seen(&mut self) {
        *self = Again::default();
    }

    /// When to look again.
    pub fn next(&self) -> Option<Instant> {
        Some(self.since? + *AFTER.get(self.done)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_of_which_nothing_is_seen_is_looked_for_some_times() {
        let now = Instant::now();
        let mut again = Again::default();
        assert_eq!(again.next(), None);
        again.pushed(now);
        for after in AFTER {
            assert_eq!(again.next(), Some(now + after));
            again.passed();
        }
        assert_eq!(again.next(), None);
        again.pushed(now + AFTER[2]);
        assert_eq!(again.next(), Some(now + AFTER[2] + AFTER[0]), "another push, other looks");
        again.seen();
        assert_eq!(again.next(), None);
    }
}
