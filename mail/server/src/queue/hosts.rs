//! What is remembered of hosts that could not be reached, so that not every message for them waits for a timeout.
//!
//! Bounded in size and in time; forgotten when the administrator flushes the queue. Times are the queue's clock.

use std::collections::HashMap;
use std::net::SocketAddr;

use mailwright_store::UnixTime;

/// Rest after a first failure, in seconds: long enough for what waits beside it, shorter than any retry of a message.
const FIRST_REST: i64 = 30;
/// Longest rest, in seconds: a host that is back gets its mail within ten minutes of the next retry.
const LONGEST_REST: i64 = 600;
/// Hosts that are remembered; beyond them the oldest rests go first.
const MOST: usize = 4096;

/// The hosts that failed.
#[derive(Default)]
pub(super) struct Hosts {
    failing: HashMap<SocketAddr, Failing>,
}

struct Failing {
    times: u32,
    until: UnixTime,
    reason: String,
}

impl Hosts {
    /// Why a host is not to be tried now.
    pub(super) fn rests(&self, host: SocketAddr, now: UnixTime) -> Option<&str> {
        self.failing.get(&host).filter(|failing| failing.until > now).map(|failing| failing.reason.as_str())
    }

    /// A connection could not be made.
    pub(super) fn failed(&mut self, host: SocketAddr, now: UnixTime, reason: &str) {
        if self.failing.len() >= MOST && !self.failing.contains_key(&host) {
            self.tidy(now);
        }
        let failing =
            self.failing.entry(host).or_insert(Failing { times: 0, until: now, reason: String::new() });
        let doubled = FIRST_REST.checked_shl(failing.times).unwrap_or(LONGEST_REST);
        failing.until = now + doubled.clamp(FIRST_REST, LONGEST_REST);
        failing.times = (failing.times + 1).min(16);
        reason.clone_into(&mut failing.reason);
    }

    /// A connection was made.
    pub(super) fn succeeded(&mut self, host: SocketAddr) {
        self.failing.remove(&host);
    }

    /// Everything may be tried again.
    pub(super) fn forget(&mut self) {
        self.failing.clear();
    }

    /// Makes room: what rests no more, else what has rested longest.
    fn tidy(&mut self, now: UnixTime) {
        self.failing.retain(|_, failing| failing.until > now);
        if self.failing.len() >= MOST {
            let first = self.failing.iter().min_by_key(|(_, failing)| failing.until).map(|(host, _)| *host);
            if let Some(host) = first {
                self.failing.remove(&host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: usize) -> SocketAddr {
        let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
        SocketAddr::from(([192, 0, high, low], 25))
    }

    #[test]
    fn rests_double_up_to_a_bound_and_end_with_success() {
        let (mut hosts, mut now) = (Hosts::default(), 1_000);
        for rest in [30, 60, 120, 240, 480, 600, 600] {
            hosts.failed(host(1), now, "refused");
            assert_eq!(hosts.rests(host(1), now + rest - 1), Some("refused"), "{rest}");
            assert_eq!(hosts.rests(host(1), now + rest), None, "{rest}");
            now += rest;
        }
        hosts.succeeded(host(1));
        hosts.failed(host(1), now, "refused");
        assert_eq!(hosts.rests(host(1), now + FIRST_REST), None, "begins again");
        assert_eq!(hosts.rests(host(2), now), None);
        hosts.forget();
        assert_eq!(hosts.rests(host(1), now), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut hosts = Hosts::default();
        for number in 0..MOST + 100 {
            hosts.failed(host(number), 1_000 + number as UnixTime % 10, "refused");
            assert!(hosts.failing.len() <= MOST);
        }
        assert_eq!(hosts.rests(host(MOST + 99), 1_001), Some("refused"), "the last is there");
        hosts.failed(host(MOST + 200), 9_999, "refused");
        assert_eq!(hosts.failing.len(), 1, "those that rest no more are gone");
    }
}
