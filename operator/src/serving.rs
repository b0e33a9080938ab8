//! What the mail server is told, read from the account database and the platform: the last good settings, so that a
//! manifest that cannot be read today changes nothing.

use std::collections::BTreeMap;

use mailwright_plan::observed::{DomainRow, Observed, ServerDeclared};

use crate::certificate::PemPair;
use crate::dkim::DkimKey;
use crate::platform::{Platform, PlatformError};
use crate::relay::{self, RelayLogin};
use crate::zones;

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Serving {
    /// The MailServer.
    pub server: ServerDeclared,
    /// Its certificate.
    pub certificate: Option<PemPair>,
    /// The domains in service, parked ones included.
    pub domains: Vec<String>,
    /// The MTA-STS policies by domain (RFC 8461 §3.2).
    pub mta_sts: BTreeMap<String, String>,
    /// The login at its smarthost, if it declares one and there ever was one.
    pub relay_login: Option<RelayLogin>,
    /// The keys that sign a domain's mail, by domain and alias domain.
    pub dkim: BTreeMap<String, Vec<DkimKey>>,
    /// An address that can log in, for people who look for one.
    pub login_example: Option<String>,
}

/// The server that serves: the one that most domains name. A removed one that a guard holds back may be there beside it.
pub fn in_force(observed: &Observed) -> Option<&ServerDeclared> {
    let domains = |name: &str| {
        let named = observed
            .domains
            .iter()
            .filter(|domain| domain.removed_at.is_none() && domain.declared.server == name);
        named.count()
    };
    let servers = observed.servers.iter().map(|row| &*row.declared);
    servers.rev().max_by_key(|server| domains(&server.name))
}

/// Reads the settings; `None` when no MailServer was ever applied.
pub fn serving<P: Platform>(observed: &Observed, platform: &P) -> Result<Option<Serving>, PlatformError> {
    let Some(server) = in_force(observed).cloned() else { return Ok(None) };
    let name = server.name.rsplit('/').next().unwrap_or_default();
    let certificate = platform.certificate(name)?;
    let served: Vec<&DomainRow> =
        observed.domains.iter().filter(|domain| domain.removed_at.is_none()).collect();
    let policies = served.iter().filter_map(|domain| {
        let policy = mailwright_plan::dns::mta_sts_policy(&domain.declared, &server.hostname)?;
        Some((domain.declared.domain.clone(), policy))
    });
    let login = observed.mailboxes.iter().find(|mailbox| mailbox.credential.is_some() && mailbox.is_active());
    let mut dkim = BTreeMap::new();
    for domain in served.iter().map(|row| &row.declared).filter(|declared| !declared.parked) {
        for name in std::iter::once(&domain.domain).chain(&domain.aliases) {
            match zones::kept_keys(platform, name, domain) {
                Ok(keys) => drop(dkim.insert(name.clone(), keys)),
                // The domain says so in its conditions; the others sign on.
                Err(error) if error.is_lasting() => tracing::warn!(domain = name, %error, "not signed for"),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Some(Serving {
        relay_login: relay::in_force(platform, &server)?,
        dkim,
        mta_sts: policies.collect(),
        domains: served.iter().map(|domain| domain.declared.domain.clone()).collect(),
        login_example: login.map(|mailbox| mailbox.declared.address.clone()),
        certificate,
        server,
    }))
}
