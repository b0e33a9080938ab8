//! How many connections may be open: in all, and of one address. An IPv6 client usually has a whole /64 to choose
//! addresses from, so a /64 counts as one address; an IPv4-mapped address counts as the IPv4 address it is.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts open connections.
#[derive(Default)]
pub(crate) struct Gate {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    total: u32,
    /// Only networks with an open connection have an entry, so the map is bounded by the total.
    by_network: HashMap<Network, u32>,
}

/// What counts as one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4(Ipv4Addr),
    /// The first 64 bits.
    V6(u64),
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Network {
        match address.to_canonical() {
            IpAddr::V4(address) => Network::V4(address),
            IpAddr::V6(address) => Network::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Total,
    Address,
}

impl Full {
    /// For metrics and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Full::Total => "total",
            Full::Address => "address",
        }
    }
}

/// The right to one connection; given back when dropped.
pub(crate) struct Permit {
    gate: Arc<Gate>,
    network: Network,
}

impl Gate {
    /// One more connection of this address, if the limits allow it.
    pub(crate) fn enter(
        self: &Arc<Gate>,
        address: IpAddr,
        total: u32,
        per_address: u32,
    ) -> Result<Permit, Full> {
        let network = Network::from(address);
        let mut counts = self.counts();
        if counts.total >= total {
            return Err(Full::Total);
        }
        let of_network = counts.by_network.get(&network).copied().unwrap_or(0);
        if of_network >= per_address {
            return Err(Full::Address);
        }
        counts.by_network.insert(network, of_network + 1);
        counts.total += 1;
        Ok(Permit { gate: Arc::clone(self), network })
    }

    /// A panic elsewhere cannot leave the counts half changed, so a poisoned lock is as good as any.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        counts.total = counts.total.saturating_sub(1);
        if let Some(of_network) = counts.by_network.get_mut(&self.network) {
            *of_network -= 1;
            if *of_network == 0 {
                counts.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_are_what_one_client_holds() {
        for (left, right, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            let (one, other) = (Network::from(address(left)), Network::from(address(right)));
            assert_eq!(one == other, same, "{left} {right}");
        }
    }

    #[test]
    fn limits_hold_and_permits_come_back() {
        let gate = Arc::new(Gate::default());
        let enter = |text| gate.enter(address(text), 3, 2);
        let first = enter("2001:db8::1").ok().unwrap();
        let _second = enter("2001:db8::2").ok().unwrap();
        assert_eq!(enter("2001:db8::3").err(), Some(Full::Address));
        let _third = enter("192.0.2.1").ok().unwrap();
        assert_eq!(enter("192.0.2.2").err(), Some(Full::Total));
        drop(first);
        let fourth = enter("2001:db8::3").ok();
        assert!(fourth.is_some(), "a dropped permit frees both counts");
        drop(fourth);
        drop(_second);
        drop(_third);
        assert!(gate.counts().by_network.is_empty(), "no entry outlives its connections");
        assert_eq!(gate.counts().total, 0);
    }
}
