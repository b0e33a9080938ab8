//! What a pass makes sure of beside the account database, and what statuses say about it: keys, certificate, zones.
//! Blocks on the file system and on key generation; [`crate::Operator`] calls it off the event loop.

use chrono::{DateTime, Utc};
use mailwright_crds::mail_server::CertificateStatus;
use mailwright_plan::Observed;
use mailwright_plan::status::{CertificateFacts, CertificateProblem, DomainFacts, Facts};

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
    let zones = zones::zones_with(observed, |name, domain| {
        mail_domain::ensure_keys(platform, name, &zones::wanted_keys(domain).keys, now)
    })?;
    for of in zones.chunk_by(|a, b| a.of == b.of) {
        platform.publish_zones(&of[0].of, of)?;
    }
    for Zone { domain, records, keys, .. } in zones {
        facts.domains.insert(domain, DomainFacts { records, dkim: keys });
    }
    for published in platform.published_zones()? {
        if !facts.domains.contains_key(&published) {
            platform.withdraw_zones(&published)?;
        }
    }
    Ok(facts)
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
    });
    CertificateFacts { certificate, self_signed, problem }
}
