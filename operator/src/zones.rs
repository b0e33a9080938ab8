//! The suggested zones of what is served: records by `mailwright_plan::dns`, keys from the platform. Used by passes, which
//! make missing keys first, and by `mailwright dns`, which only reads.

use mailwright_crds::mail_domain::{Dkim, DkimStatus};
use mailwright_plan::dns::{self, Record, Services};
use mailwright_plan::observed::{DomainDeclared, Observed, ServerDeclared};
use serde::{Deserialize as _, Serialize};

use crate::dkim::DkimKey;
use crate::platform::{Platform, PlatformError};

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

/// The same with keys from `keys`, which may make them.
pub fn zones_with<E>(
    observed: &Observed,
    keys: impl Fn(&str, &DomainDeclared) -> Result<Vec<DkimKey>, E>,
) -> Result<Vec<Zone>, E> {
    let mut zones = Vec::new();
    for domain in observed.domains.iter().filter(|domain| domain.removed_at.is_none()) {
        let declared = &domain.declared;
        let Some(server) = observed.servers.iter().find(|server| server.declared.name == declared.server)
        else {
            continue;
        };
        for name in std::iter::once(&declared.domain).chain(&declared.aliases) {
            let keys = if declared.parked { Vec::new() } else { keys(name, declared)? };
            zones.push(zone(name, declared, &server.declared, &keys));
        }
    }
    Ok(zones)
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
