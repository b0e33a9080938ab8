//! What a pass makes sure of beside the account database, and what statuses say about it: keys, certificate, zones.
//! Blocks on the file system and on key generation; [`crate::Operator`] calls it off the event loop.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use mailwright_crds::mail_server::CertificateStatus;
use mailwright_plan::Observed;
use mailwright_plan::status::{CertificateFacts, CertificateProblem, DomainFacts, Facts};

use crate::controller::mail_domain::KeysError;
use crate::controller::{mail_domain, mail_server};
use crate::operator::PassError;
use crate::platform::Platform;
use crate::secrets::Secrets;
use crate::zones::{self, Zone};
use crate::{relay, serving};

/// Makes what is missing, publishes zones, withdraws those of domains that are served no more, and tells.
pub fn ensure<P: Platform>(
    platform: &P,
    observed: &Observed,
    secrets: &Secrets,
    now: DateTime<Utc>,
) -> Result<Facts, PassError> {
    let mut facts = Facts::default();
    if let Some(server) = serving::in_force(observed) {
        let certified = mail_server::ensure(platform, secrets, server, now)?;
        facts.certificate = certificate(certified);
        relay::ensure(platform, secrets, server)?;
    }
    facts.domains = domains(platform, observed, now)?;
    for published in platform.published_zones()? {
        if !facts.domains.contains_key(&published) {
            platform.withdraw_zones(&published)?;
        }
    }
    Ok(facts)
}

/// The keys and records of all domains. What cannot be had for one of them is told there and holds up no other; its zone
/// stays as it is, so that a key which cannot be read is not withdrawn.
fn domains<P: Platform>(
    platform: &P,
    observed: &Observed,
    now: DateTime<Utc>,
) -> Result<BTreeMap<String, DomainFacts>, PassError> {
    let troubles = Mutex::new(BTreeMap::new());
    let lock = || troubles.lock().unwrap_or_else(PoisonError::into_inner);
    let zones = zones::zones_with(observed, |name, domain| {
        match mail_domain::ensure_keys(platform, name, &zones::wanted_keys(domain).keys, now) {
            Err(KeysError::Platform(error)) if error.is_lasting() => {
                lock().insert(domain.domain.clone(), error.to_string());
                Ok(Vec::new())
            }
            other => other,
        }
    })?;
    let mut troubles = troubles.into_inner().unwrap_or_else(PoisonError::into_inner);
    for of in
        zones.chunk_by(|a, b| a.of == b.of).filter(|of| !troubles.contains_key(&of[0].of)).collect::<Vec<_>>()
    {
        match platform.publish_zones(&of[0].of, of) {
            Err(error) if error.is_lasting() => drop(troubles.insert(of[0].of.clone(), error.to_string())),
            other => other?,
        }
    }
    for (domain, why) in &troubles {
        tracing::warn!(domain, why, "the keys and records of a domain are not what they should be");
    }
    let facts = zones.into_iter().map(|Zone { domain, of, records, keys }| {
        (domain, DomainFacts { records, dkim: keys, problem: troubles.get(&of).cloned() })
    });
    Ok(facts.collect())
}

fn certificate(certified: mail_server::Certified) -> CertificateFacts {
    let self_signed = certified.facts.as_ref().is_some_and(|facts| facts.self_signed);
    let certificate = certified.facts.map(|facts| CertificateStatus {
        issuer: facts.issuer,
        not_before: facts.not_before.into(),
        not_after: facts.not_after.into(),
        fingerprint: facts.fingerprint,
    });
    let problem = certified.problem.map(|problem| match problem {
        mail_server::CertificateProblem::SecretMissing(why) => CertificateProblem::SecretMissing(why),
        mail_server::CertificateProblem::Unusable(why) => CertificateProblem::Unusable(why),
        mail_server::CertificateProblem::Pending(why) => CertificateProblem::Pending(why),
        mail_server::CertificateProblem::CertManagerMissing(why) => {
            CertificateProblem::CertManagerMissing(why)
        }
    });
    CertificateFacts { certificate, self_signed, problem }
}
