//! The suggested zones of what is served: records by `mailwright_plan::dns`, keys from the platform. Used by passes, which
//! make missing keys first, and by `mailwright dns`, which only reads.

use std::num::NonZero;

use mailwright_crds::mail_domain::{Dkim, DkimStatus};
use mailwright_plan::dns::{self, Record, Services};
use mailwright_plan::observed::{DomainDeclared, Observed, ServerDeclared};
use serde::{Deserialize as _, Serialize};

use crate::dkim::DkimKey;
use crate::platform::{Platform, PlatformError};

/// Domains of which each processor has so many are shared among them.
const FEW: usize = 4;

/// The records of one name: a domain, or one of its alias domains.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Zone {
    /// The name.
    pub domain: String,
    /// The domain that it is, or is an alias of.
    #[serde(skip)]
    pub of: String,
    /// Its records, most important first.
    pub records: Vec<Record>,
    /// The keys among them.
    #[serde(skip)]
    pub keys: Vec<DkimStatus>,
}

impl Zone {
    /// The zone file.
    pub fn text(&self) -> String {
        dns::zone(&self.domain, &self.records)
    }
}

/// The zones of every domain in service and of its alias domains, with the keys there are.
pub fn zones<P: Platform>(observed: &Observed, platform: &P) -> Result<Vec<Zone>, PlatformError> {
    zones_with(observed, |name, domain| kept_keys(platform, name, domain))
}

/// The keys there are of those that a domain declares; `name` is the domain or one of its alias domains.
pub fn kept_keys<P: Platform>(
    platform: &P,
    name: &str,
    domain: &DomainDeclared,
) -> Result<Vec<DkimKey>, PlatformError> {
    let wanted = wanted_keys(domain).keys;
    let mut keys = platform.dkim_keys(name)?;
    keys.retain(|key| wanted.contains(&key.algorithm));
    Ok(keys)
}

/// The same with keys from `keys`, which may make them: of many domains on all processors, since an RSA key takes a tenth of a second.
pub fn zones_with<E: Send>(
    observed: &Observed,
    keys: impl Fn(&str, &DomainDeclared) -> Result<Vec<DkimKey>, E> + Sync,
) -> Result<Vec<Zone>, E> {
    let wanted = wanted(observed);
    let make = |(name, declared, server): &(&str, &DomainDeclared, &ServerDeclared)| {
        let keys = if declared.parked { Vec::new() } else { keys(name, declared)? };
        Ok(zone(name, declared, server, &keys))
    };
    let makers = std::thread::available_parallelism().map_or(1, NonZero::get);
    if wanted.len() < makers * FEW {
        return wanted.iter().map(make).collect();
    }
    std::thread::scope(|scope| {
        let part = |names| move || <[_]>::iter(names).map(make).collect::<Result<Vec<Zone>, E>>();
        let parts = wanted.chunks(wanted.len().div_ceil(makers)).map(|names| scope.spawn(part(names)));
        let mut zones = Vec::with_capacity(wanted.len());
        for part in parts.collect::<Vec<_>>() {
            zones.extend(part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(zones)
    })
}

/// Names with the domain that they stand for and the server that serves it.
fn wanted(observed: &Observed) -> Vec<(&str, &DomainDeclared, &ServerDeclared)> {
    let mut wanted = Vec::new();
    for domain in observed.domains.iter().filter(|domain| domain.removed_at.is_none()) {
        let declared = &*domain.declared;
        let Some(server) = observed.servers.iter().find(|server| server.declared.name == declared.server)
        else {
            continue;
        };
        for name in std::iter::once(&declared.domain).chain(&declared.aliases) {
            wanted.push((name.as_str(), declared, &*server.declared));
        }
    }
    wanted
}

/// The keys that a domain declares; both when what is kept cannot be read.
pub fn wanted_keys(domain: &DomainDeclared) -> Dkim {
    domain.dns.get("dkim").and_then(|dkim| Dkim::deserialize(dkim).ok()).unwrap_or_default()
}

fn zone(name: &str, domain: &DomainDeclared, server: &ServerDeclared, keys: &[DkimKey]) -> Zone {
    let public: Vec<dns::DkimKey> = keys
        .iter()
        .map(|key| dns::DkimKey {
            selector: key.selector.clone(),
            algorithm: key.algorithm,
            public: key.public.clone(),
        })
        .collect();
    let input = dns::Input {
        name,
        domain,
        hostname: &server.hostname,
        dkim: &public,
        services: Services::of(server),
        addresses: &[],
    };
    let keys = keys.iter().map(|key| DkimStatus { selector: key.selector.clone(), algorithm: key.algorithm });
    Zone {
        domain: name.to_owned(),
        of: domain.domain.clone(),
        records: dns::records(&input),
        keys: keys.collect(),
    }
}
