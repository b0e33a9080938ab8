//! When a repository is looked at next, and when its sink is asked again. Pure: the time and the random number are arguments.
//!
//! Each has a time of its own: whatever happens in the cluster meanwhile, and whatever fails there, a push is seen when its time has
//! come; and whatever else there is to do, a change in the cluster is compared with what is in force.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff;

/// Changes in the cluster are gathered for so long: a person who edits is not noticed at once, and a thousand writes are one pass.
const GATHER: Duration = Duration::from_secs(1);

/// What failed and may work later is tried again at most this much later, whatever the interval.
const SLOWEST_RETRY: Duration = Duration::from_secs(300);

/// How fast one repository is gone through.
#[derive(Debug, Default)]
pub struct Pace {
    look: Option<Instant>,
    /// Looks in a row that failed for a moment only.
    unread: u32,
    compare: Option<Instant>,
    retry: Option<Instant>,
    /// Retries in a row after which something was left.
    failed: u32,
}

impl Pace {
    /// When the source is looked at next. `None`: not before something changes.
    pub fn look(&self) -> Option<Instant> {
        self.look
    }

    /// When what changed in the cluster is compared with what is in force. `None`: nothing did.
    pub fn compare(&self) -> Option<Instant> {
        self.compare
    }

    /// When the sink is asked again to do what it could not. `None`: nothing is left that may work by itself.
    pub fn retry(&self) -> Option<Instant> {
        self.retry
    }

    /// Nothing is due.
    pub fn rest(&mut self) {
        *self = Pace::default();
    }

    /// Something changed in the cluster.
    pub fn changed(&mut self, now: Instant) {
        self.compare.get_or_insert(now + GATHER);
    }

    /// An attempt begins, which looks at everything that changed until now.
    pub fn begins(&mut self) {
        self.compare = None;
    }

    /// The source was looked at; `again`: it could not be read for a moment. `chance` is a random number from 0 to 1.
    pub fn looked(&mut self, again: bool, interval: Duration, now: Instant, chance: f64) {
        self.unread = if again { self.unread.saturating_add(1) } else { 0 };
        self.look = Some(
            now + match self.unread {
                // A tenth more or less, so that a hundred repositories do not ask the same host at once.
                0 => interval.mul_f64(0.9 + 0.2 * chance),
                failures => delay(failures, chance),
            },
        );
    }

    /// The sink was asked; `again`: something is left that may work later. Changes in the cluster may have it asked many times
    /// before the retry is due: that is not a failure more each time.
    pub fn worked(&mut self, again: bool, now: Instant, chance: f64) {
        if !again {
            (self.retry, self.failed) = (None, 0);
        } else if self.retry.is_none_or(|due| due <= now) {
            self.failed = self.failed.saturating_add(1);
            self.retry = Some(now + delay(self.failed, chance));
        }
    }
}

fn delay(failures: u32, chance: f64) -> Duration {
    let delay = backoff::delay(failures.saturating_sub(1), chance);
    delay.to_std().unwrap_or(SLOWEST_RETRY).min(SLOWEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_busy_cluster_does_not_put_off_looking() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.looked(false, MINUTE, start, 0.5);
        assert_eq!(pace.look(), Some(start + MINUTE));
        for second in 1..60 {
            pace.worked(second % 2 == 0, start + Duration::from_secs(second), 0.5);
            assert_eq!(pace.look(), Some(start + MINUTE), "after {second} s");
        }
        pace.rest();
        assert_eq!((pace.look(), pace.retry()), (None, None));
    }

    #[test]
    fn changes_are_gathered_and_none_is_forgotten() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.compare(), None);
        for milliseconds in [0, 300, 900] {
            pace.changed(start + Duration::from_millis(milliseconds));
            assert_eq!(pace.compare(), Some(start + GATHER), "after {milliseconds} ms");
        }
        pace.begins();
        assert_eq!(pace.compare(), None);
        pace.changed(start + MINUTE);
        assert_eq!(pace.compare(), Some(start + MINUTE + GATHER), "one that came during the attempt");
    }

    #[test]
    fn a_sink_that_fails_does_not_put_off_looking_and_is_asked_less_and_less_often() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.looked(false, MINUTE, start, 0.0);
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            pace.worked(true, now, 0.0);
            let due = pace.retry().unwrap();
            // Asked again for another reason: nothing is put off.
            pace.worked(true, now + (due - now) / 2, 0.0);
            assert_eq!(pace.retry(), Some(due));
            pauses.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(pace.look(), Some(start + MINUTE.mul_f64(0.9)));
        pace.worked(false, now, 0.0);
        assert_eq!(pace.retry(), None);
        pace.worked(true, now, 0.0);
        assert_eq!(pace.retry(), Some(now + Duration::from_secs(1)), "forgotten once it worked");
    }

    #[test]
    fn a_host_that_does_not_answer_is_asked_sooner_than_the_interval_and_then_less_and_less_often() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let hour = 60 * MINUTE;
        let mut pauses = Vec::new();
        for _ in 0..11 {
            pace.looked(true, hour, start, 0.0);
            pauses.push((pace.look().unwrap() - start).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        for chance in [0.0, 0.5, 1.0] {
            pace.looked(false, hour, start, chance);
            let share = (pace.look().unwrap() - start).as_secs_f64() / hour.as_secs_f64();
            assert!((0.89..1.11).contains(&share), "{share}");
        }
    }
}
