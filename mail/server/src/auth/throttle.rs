//! Slows down password guessing by address: every failed login of a network makes the answers to its next failures
//! later, and after very many its logins are refused unseen for a while. A right password is never delayed, so people
//! who share an address with a phone that holds an old password do not notice.
//!
//! Leaves out what one session may try (the IMAP machine says BYE after a few failures) and credentials' strength.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::listener::gate::Network;

/// Longest hold-back of a failed login's answer: longer than that clients open a second connection instead.
pub const MAX_DELAY: Duration = Duration::from_secs(15);
/// Failures of a network after which its logins are refused without looking at the password: with the decay, about
/// one failure in two seconds kept up for minutes, which no forgotten phone does.
pub const MAX_FAILURES: u32 = 200;
/// Time in which half of the failures are forgiven.
pub const HALF_LIFE: Duration = Duration::from_secs(300);
/// Networks remembered at once (each below 50 bytes); beyond it the one that failed longest ago is forgotten.
pub const MAX_NETWORKS: usize = 16 * 1024;

/// The failures of each network.
#[derive(Default)]
pub struct Throttle {
    networks: Mutex<HashMap<Network, Failures>>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn now(self, now: Instant) -> u32 {
        let halvings = now.saturating_duration_since(self.last).as_secs() / HALF_LIFE.as_secs();
        u32::try_from(halvings).ok().and_then(|halvings| self.count.checked_shr(halvings)).unwrap_or(0)
    }
}

impl Throttle {
    /// Whether logins of this address are refused unseen.
    #[must_use]
    pub fn is_blocked(&self, address: IpAddr, now: Instant) -> bool {
        let networks = self.networks();
        networks.get(&Network::from(address)).is_some_and(|failures| failures.now(now) >= MAX_FAILURES)
    }

    /// Notes a failed login and answers how long to hold its answer back, from `base` for the first.
    #[must_use]
    pub fn failed(&self, address: IpAddr, base: Duration, now: Instant) -> Duration {
        let mut networks = self.networks();
        let network = Network::from(address);
        if networks.len() >= MAX_NETWORKS && !networks.contains_key(&network) {
            forget(&mut networks, now);
        }
        let failures = networks.entry(network).or_insert(Failures { count: 0, last: now });
        failures.count = failures.now(now).saturating_add(1);
        failures.last = now;
        let doubled = base.saturating_mul(1 << (failures.count - 1).min(16));
        doubled.min(MAX_DELAY)
    }

    /// Every change of the map is complete in itself, so a poisoned lock is as good as any.
    fn networks(&self) -> MutexGuard<'_, HashMap<Network, Failures>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what is forgiven anyway, and if that was nothing, the oldest entry.
fn forget(networks: &mut HashMap<Network, Failures>, now: Instant) {
    networks.retain(|_, failures| failures.now(now) > 0);
    if networks.len() >= MAX_NETWORKS {
        let oldest = networks.iter().min_by_key(|(_, failures)| failures.last).map(|(network, _)| *network);
        if let Some(oldest) = oldest {
            networks.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_secs(1);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn failures_double_the_delay_and_time_forgives() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let peer = address("192.0.2.1");
        let delays: Vec<u64> = (0..6).map(|_| throttle.failed(peer, BASE, start).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 15, 15]);
        assert_eq!(
            throttle.failed(address("192.0.2.2"), BASE, start).as_secs(),
            1,
            "another address starts anew"
        );
        assert_eq!(
            throttle.failed(peer, BASE, start + HALF_LIFE * 2).as_secs(),
            2,
            "6 failures are 1 after two halvings"
        );
        assert_eq!(throttle.failed(peer, BASE, start + HALF_LIFE * 100).as_secs(), 1);
    }

    #[test]
    fn very_many_failures_block_a_network_for_a_while() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for _ in 0..MAX_FAILURES {
            assert!(!throttle.is_blocked(address("2001:db8::1"), start));
            let _ = throttle.failed(address("2001:db8::1"), BASE, start);
        }
        assert!(throttle.is_blocked(address("2001:db8::2"), start), "the /64 counts as one");
        assert!(!throttle.is_blocked(address("2001:db8:0:1::1"), start));
        assert!(!throttle.is_blocked(address("2001:db8::1"), start + HALF_LIFE));
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for number in 0..=u32::try_from(MAX_NETWORKS).unwrap() + 10 {
            let peer = IpAddr::V4(std::net::Ipv4Addr::from_bits(number));
            let _ = throttle.failed(peer, BASE, start + Duration::from_millis(u64::from(number)));
        }
        assert_eq!(throttle.networks().len(), MAX_NETWORKS);
        assert!(!throttle.networks().contains_key(&Network::from(address("0.0.0.0"))), "the oldest went");
    }
}
