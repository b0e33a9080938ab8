//! Which hosts take the mail of a domain, and in which order.
//!
//! RFC 5321 §5.1 (MX records, the implicit MX, the cut at our own name); RFC 7505 §3 (null MX); RFC 5321 §5.2 (IPv6 and IPv4
//! are equals).

use std::net::{IpAddr, SocketAddr};

use crate::address::canonical_domain;

/// Hosts of one domain that are tried; RFC 5321 §5.1 allows a configurable bound, "at least two". More serve the spammer's zone only.
pub const MAX_HOSTS: usize = 16;

/// Addresses of one host that are tried.
pub const MAX_ADDRESSES: usize = 8;

/// One MX record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Lower is tried first.
    pub preference: u16,
    /// The host; empty or `.` is the root, which makes a null MX.
    pub host: String,
}

/// What the name server says to a question for MX records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MxAnswer {
    /// At least one record.
    Records(Vec<Exchange>),
    /// The name exists, without an MX record.
    NoRecords,
    /// NXDOMAIN.
    NoSuchDomain,
    /// SERVFAIL, a timeout, a bogus signature: nothing is known.
    Failed,
}

/// What the name servers say to a question for A and AAAA records of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressAnswer {
    /// At least one address.
    Addresses(Vec<IpAddr>),
    /// There is none, or no such name.
    None,
    /// Nothing is known.
    Failed,
}

/// A host to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name, in A-labels without a dot at the end.
    pub name: String,
    /// The preference of its record; 0 for the implicit MX.
    pub preference: u16,
}

/// One connection to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The host, for TLS and for the report.
    pub host: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Who we are, as others see us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ourselves {
    /// Our host names.
    pub names: Vec<String>,
    /// Where our own MX listens: an address and the port that the queue connects to.
    pub addresses: Vec<SocketAddr>,
}

/// Why there is no host to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MxProblem {
    /// The domain says that it takes no mail (RFC 7505): permanent.
    #[error("the domain accepts no mail")]
    NullMx,
    /// There is no such domain: permanent.
    #[error("there is no such domain")]
    NoSuchDomain,
    /// The domain exists and names no host that has an address: permanent (RFC 5321 §5.1).
    #[error("the domain has no host for mail")]
    NoHost,
    /// DNS does not answer: later.
    #[error("the name servers of the domain do not answer")]
    Temporary,
    /// The best host is this server, which does not serve the domain: permanent (RFC 5321 §5.1).
    #[error("mail for the domain loops back to this server")]
    PointsToUs,
}

/// The hosts of a domain in the order of trying. Equal preferences are shuffled by `seed` (RFC 5321 §5.1: "MUST randomize").
/// Records from our own preference on are left out, so that mail never goes in circles.
pub fn candidates(
    domain: &str,
    answer: &MxAnswer,
    ours: &Ourselves,
    seed: u64,
) -> Result<Vec<Host>, MxProblem> {
    let mut hosts = match answer {
        MxAnswer::Failed => return Err(MxProblem::Temporary),
        MxAnswer::NoSuchDomain => return Err(MxProblem::NoSuchDomain),
        MxAnswer::NoRecords => vec![Host { name: domain.to_owned(), preference: 0 }],
        MxAnswer::Records(records) => named(records)?,
    };
    if let Some(own) = hosts.iter().filter(|host| ours.is_named(&host.name)).map(|host| host.preference).min()
    {
        hosts.retain(|host| host.preference < own);
        if hosts.is_empty() {
            return Err(MxProblem::PointsToUs);
        }
    }
    shuffle(&mut hosts, seed);
    hosts.sort_by_key(|host| host.preference);
    let mut seen = std::collections::HashSet::new();
    hosts.retain(|host| seen.insert(host.name.clone()));
    hosts.truncate(MAX_HOSTS);
    Ok(hosts)
}

/// The records that name a host. A lone root is a null MX; a root beside others is nobody's host (RFC 7505 §3).
fn named(records: &[Exchange]) -> Result<Vec<Host>, MxProblem> {
    let is_root = |record: &&Exchange| record.host.trim_end_matches('.').is_empty();
    if !records.is_empty() && records.iter().all(|record| is_root(&record)) {
        return Err(MxProblem::NullMx);
    }
    let host = |record: &Exchange| {
        let name = canonical_domain(record.host.trim_end_matches('.'))?;
        // An address is no host name; RFC 5321 §5.1 knows none in an MX record.
        name.parse::<IpAddr>().is_err().then_some(Host { name, preference: record.preference })
    };
    let hosts: Vec<Host> = records.iter().filter(|record| !is_root(record)).filter_map(host).collect();
    if hosts.is_empty() { Err(MxProblem::NoHost) } else { Ok(hosts) }
}

/// The connections to try, from what is known of each candidate's addresses. A host that turns out to be ourselves cuts the
/// list at its preference. A host whose addresses are not known now is left out as long as another can be tried.
pub fn hops(
    found: &[(Host, AddressAnswer)],
    port: u16,
    ours: &Ourselves,
    seed: u64,
) -> Result<Vec<Hop>, MxProblem> {
    let at = |ip: &IpAddr| SocketAddr::new(*ip, port);
    let is_us = |answer: &AddressAnswer| match answer {
        AddressAnswer::Addresses(list) => list.iter().any(|ip| ours.addresses.contains(&at(ip))),
        _ => false,
    };
    let own = found.iter().filter(|(_, answer)| is_us(answer)).map(|(host, _)| host.preference).min();
    let left = found.iter().filter(|(host, _)| own.is_none_or(|own| host.preference < own));
    let (mut hops, mut unknown) = (Vec::new(), false);
    for (host, answer) in left {
        match answer {
            AddressAnswer::Failed => unknown = true,
            AddressAnswer::None => {}
            AddressAnswer::Addresses(list) => {
                let mut list: Vec<SocketAddr> = list.iter().map(at).collect();
                shuffle(&mut list, seed);
                list.truncate(MAX_ADDRESSES);
                hops.extend(list.into_iter().map(|address| Hop { host: host.name.clone(), address }));
            }
        }
    }
    match (hops.is_empty(), unknown, own) {
        (false, ..) => Ok(hops),
        (true, true, _) => Err(MxProblem::Temporary),
        (true, false, Some(_)) => Err(MxProblem::PointsToUs),
        (true, false, None) => Err(MxProblem::NoHost),
    }
}

impl Ourselves {
    fn is_named(&self, host: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// Another order, by a seed (SplitMix64 and Fisher-Yates).
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = last as u64 + 1;
        items.swap(last, usize::try_from((z ^ (z >> 31)) % bound).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests;
