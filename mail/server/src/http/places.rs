//! Places for HTTP connections. Health probes must get one whoever else is there: when all are taken, the connection that
//! was not answered anything for the longest time gives up its place, and some are kept for this machine.
//!
//! Leaves out how long a connection may take for its request (`stream.rs`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::listener::gate::{Full, Gate, Network, Permit};

/// HTTP connections at once, apart from the mail protocols' count: probes, a scraper, and mail programs that fetch one file.
const CONNECTIONS: u32 = 500;
/// HTTP connections at once of one address: a proxy or a load balancer may come with many.
const CONNECTIONS_PER_ADDRESS: u32 = 200;
/// Places beyond those for connections of this machine: its probes and its scraper.
const LOOPBACK: u32 = 32;

/// Who has a place.
pub(crate) struct Places {
    gate: Arc<Gate>,
    /// For this machine's own connections first.
    kept: Arc<Gate>,
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Clone, Copy)]
struct Limits {
    total: u32,
    per_address: u32,
    loopback: u32,
}

#[derive(Default)]
struct Taken {
    next: u64,
    /// By when they came or were last answered, longest ago first. Bounded by the gate.
    holders: BTreeMap<u64, Holder>,
}

struct Holder {
    network: Network,
    /// Whether it has one of the places kept for this machine: nobody takes that.
    kept: bool,
    /// Dropped to tell the connection that its place is gone.
    _stop: oneshot::Sender<()>,
    _permit: Permit,
}

/// A connection's place, given back when dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    rank: u64,
    /// Resolves when the place was given to somebody else.
    pub(crate) lost: oneshot::Receiver<()>,
}

impl Default for Places {
    fn default() -> Places {
        let limits = Limits { total: CONNECTIONS, per_address: CONNECTIONS_PER_ADDRESS, loopback: LOOPBACK };
        Places { gate: Arc::default(), kept: Arc::default(), limits, taken: Mutex::default() }
    }
}

impl Places {
    /// So many in all and of one address, none kept for this machine.
    pub(crate) fn new(total: u32, per_address: u32) -> Places {
        Places { limits: Limits { total, per_address, loopback: 0 }, ..Places::default() }
    }

    /// A place for a connection of this address, if need be that of another one.
    pub(crate) fn enter(self: &Arc<Places>, address: IpAddr) -> Result<Place, Full> {
        let network = Network::from(address);
        let Limits { total, per_address, loopback } = self.limits;
        if address.to_canonical().is_loopback()
            && let Ok(permit) = self.kept.enter(address, loopback, loopback)
        {
            return Ok(self.hold(network, true, permit));
        }
        let enter = || self.gate.enter(address, total, per_address);
        let permit = match enter() {
            Ok(permit) => permit,
            Err(full) => {
                self.evict(|holder| full == Full::Total || holder.network == network);
                enter()?
            }
        };
        Ok(self.hold(network, false, permit))
    }

    fn hold(self: &Arc<Places>, network: Network, kept: bool, permit: Permit) -> Place {
        let (stop, lost) = oneshot::channel();
        let rank = self.taken().insert(Holder { network, kept, _stop: stop, _permit: permit });
        Place { places: Arc::clone(self), rank, lost }
    }

    /// Takes the place of the one that had it for nothing for the longest time.
    fn evict(&self, may_go: impl Fn(&Holder) -> bool) {
        let mut taken = self.taken();
        let oldest =
            taken.holders.iter().find(|(_, holder)| !holder.kept && may_go(holder)).map(|(rank, _)| *rank);
        if let Some(rank) = oldest {
            taken.holders.remove(&rank);
        }
    }

    /// Every change of the map is complete in itself, so a poisoned lock is as good as any.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn insert(&mut self, holder: Holder) -> u64 {
        self.next += 1;
        self.holders.insert(self.next, holder);
        self.next
    }
}

impl Place {
    /// Notes that a whole request came and is being answered: now this connection is the last to go.
    pub(super) fn answered(&mut self) {
        let mut taken = self.places.taken();
        if let Some(holder) = taken.holders.remove(&self.rank) {
            self.rank = taken.insert(holder);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().holders.remove(&self.rank);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::http) fn places(total: u32, per_address: u32, loopback: u32) -> Arc<Places> {
        let limits = Limits { total, per_address, loopback };
        Arc::new(Places { limits, ..Places::default() })
    }

    fn enter(places: &Arc<Places>, address: &str) -> Option<Place> {
        places.enter(address.parse().unwrap()).ok()
    }

    fn is_lost(place: &mut Place) -> bool {
        place.lost.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    fn lost(holders: &mut [Place]) -> Vec<bool> {
        holders.iter_mut().map(is_lost).collect()
    }

    #[test]
    fn a_full_house_gives_the_place_of_who_was_answered_longest_ago() {
        let places = places(3, 3, 0);
        let mut holders: Vec<_> =
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"].iter().filter_map(|it| enter(&places, it)).collect();
        holders[0].answered();
        holders.extend(enter(&places, "192.0.2.4"));
        assert_eq!(lost(&mut holders), [false, true, false, false]);
        holders.extend(enter(&places, "192.0.2.5"));
        holders.extend(enter(&places, "192.0.2.6"));
        assert_eq!(lost(&mut holders), [true, true, true, false, false, false]);
        holders[0].answered();
        assert_eq!(lost(&mut holders), [true, true, true, false, false, false], "what is lost stays lost");
        drop(holders);
        assert!(places.taken().holders.is_empty());
        assert!(enter(&places, "192.0.2.1").is_some());
    }

    #[test]
    fn an_address_with_all_its_places_takes_one_of_its_own() {
        let places = places(10, 2, 0);
        let mut holders: Vec<_> =
            ["192.0.2.1", "2001:db8::1", "2001:db8::2"].iter().filter_map(|it| enter(&places, it)).collect();
        holders.extend(enter(&places, "2001:db8::3"));
        assert_eq!(lost(&mut holders), [false, true, false, false]);
    }

    #[test]
    fn places_are_kept_for_this_machine() {
        let places = places(2, 5, 1);
        let mut holders: Vec<_> =
            ["127.0.0.1", "192.0.2.1", "192.0.2.2"].iter().filter_map(|it| enter(&places, it)).collect();
        assert_eq!(lost(&mut holders), [false; 3], "it needs nobody's");
        holders.extend(enter(&places, "192.0.2.3"));
        assert_eq!(lost(&mut holders), [false, true, false, false], "nobody from outside takes it");
        holders.extend(enter(&places, "::ffff:127.0.0.1"));
        assert_eq!(lost(&mut holders), [false, true, true, false, false], "a second one is like others");
    }

    #[test]
    fn who_can_take_nobodys_place_is_refused() {
        let places = places(0, 5, 1);
        let mut only = enter(&places, "::1").unwrap();
        assert_eq!(places.enter("192.0.2.1".parse().unwrap()).err(), Some(Full::Total));
        assert!(!is_lost(&mut only));
    }
}
