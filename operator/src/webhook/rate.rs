//! How often something may happen: so many at once, and then one in each interval. The time is an argument.

use std::time::{Duration, Instant};

/// A bucket that fills by itself.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    size: u32,
    every: Duration,
    left: u32,
    filled: Instant,
}

impl Bucket {
    /// `size` at once, and one more each `every`.
    pub(super) fn new(size: u32, every: Duration, now: Instant) -> Bucket {
        Bucket { size, every, left: size, filled: now }
    }

    /// Takes one; false when there is none.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_nanos() / self.every.as_nanos().max(1);
        let fresh = u32::try_from(passed).unwrap_or(u32::MAX);
        if self.left.saturating_add(fresh) >= self.size {
            (self.left, self.filled) = (self.size, now);
        } else {
            self.left += fresh;
            self.filled += self.every * fresh;
        }
        let any = self.left > 0;
        self.left = self.left.saturating_sub(1);
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_in_each_interval() {
        let start = Instant::now();
        let mut bucket = Bucket::new(3, Duration::from_secs(2), start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let taken = [0, 0, 0, 0, 1, 2, 2, 3, 4, 100, 100, 100, 100].map(|second| bucket.take(at(second)));
        let expected = [true, true, true, false, false, true, false, false, true, true, true, true, false];
        assert_eq!(taken, expected);
        assert!(!bucket.take(start), "a clock that goes back gives nothing");
    }
}
