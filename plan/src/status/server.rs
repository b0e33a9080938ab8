//! The status of a MailServer.

use mailwright_crds::mail_server::Relay;
use mailwright_crds::{ConditionType, MailServer, MailServerStatus, Reason};
use serde_json::{Value, json};

use super::judge::Judge;
use super::{Aspect, CertificateProblem, DatabaseProblem, common};
use crate::catalog::Entry;
use crate::draft::key_of;
use crate::problem::ProblemCode;
use crate::server::{RELAY_SECRET, TLS_SECRET};

pub(super) fn status(
    judge: &Judge<'_>,
    entry: &Entry,
    server: &MailServer,
    previous: Option<&Value>,
) -> Value {
    let facts = judge.input.facts;
    let (database, certificate, listeners) =
        (database(judge), certificate(judge, entry), listeners(judge, server));
    let mut ready = judge.ready(entry);
    let name = key_of(&entry.resource);
    if let Some(other) = replaced_by(judge, &name).filter(|_| ready.holds()) {
        let message =
            format!("{other} serves every domain; name this one in the serverRef of new MailDomains");
        ready = Aspect::new(false, Reason::DependencyNotReady, message);
    }
    if ready.reason == Reason::Reconciled {
        let waits_for = [&database, &listeners].into_iter().find(|aspect| !aspect.holds());
        let no_certificate = facts.certificate.certificate.is_none().then_some(&certificate);
        if let Some(aspect) = waits_for.or(no_certificate) {
            ready = Aspect::new(false, Reason::DependencyNotReady, aspect.message.clone());
        }
    }
    let mut aspects = vec![
        (ConditionType::Ready, ready),
        (ConditionType::DatabaseReady, database),
        (ConditionType::CertificateReady, certificate),
        (ConditionType::ListenersReady, listeners),
    ];
    if let Some(relay) = &server.spec.relay {
        aspects.push((ConditionType::RelayReady, self::relay(judge, entry, relay)));
    }
    let common = common(judge, entry, previous, aspects);
    let row = judge.observed().servers.iter().find(|row| row.declared.name == name);
    let hostname = row.map_or(server.spec.hostname.as_str(), |row| row.declared.hostname.as_str());
    json!(MailServerStatus {
        observed_generation: common.observed_generation,
        conditions: common.conditions,
        last_handled_reconcile_at: common.last_handled_reconcile_at,
        hostname: Some(hostname.to_owned()),
        certificate: facts.certificate.certificate.clone(),
        endpoints: facts.endpoints.clone(),
        addresses: facts.addresses.clone(),
        database_id: facts.database_id.clone(),
    })
}

/// The server that is in force while no domain names this one.
fn replaced_by<'a>(judge: &Judge<'a>, name: &str) -> Option<&'a str> {
    let domains = judge.observed().domains.iter().filter(|row| row.removed_at.is_none());
    let servers: Vec<&str> = domains.map(|row| row.declared.server.as_str()).collect();
    servers.first().copied().filter(|_| !servers.contains(&name))
}

fn database(judge: &Judge<'_>) -> Aspect {
    match &judge.input.facts.database_problem {
        None => Aspect::new(true, Reason::DatabaseOpen, ""),
        Some(DatabaseProblem::Failed(why)) => Aspect::new(false, Reason::DatabaseFailed, why),
        Some(DatabaseProblem::Unreachable(why)) => Aspect::new(false, Reason::DatabaseUnreachable, why),
        Some(DatabaseProblem::Replaced(why)) => Aspect::new(false, Reason::DatabaseReplaced, why),
        Some(DatabaseProblem::StorageFull(why)) => Aspect::new(false, Reason::StorageFull, why),
    }
}

fn listeners(judge: &Judge<'_>, server: &MailServer) -> Aspect {
    let facts = judge.input.facts;
    let offered = facts.endpoints.iter().any(|endpoint| endpoint.protocol == "imaps");
    let without_tls = facts.certificate.certificate.is_none() && !offered;
    match &facts.listener_error {
        Some(error) => Aspect::new(false, Reason::ListenFailed, error),
        None if server.spec.listeners.imaps.enabled && without_tls => Aspect::new(
            false,
            Reason::ListenFailed,
            "imaps is not offered as long as there is no certificate",
        ),
        None => Aspect::new(true, Reason::Listening, ""),
    }
}

/// Whether the smarthost is there is for the queue to find out.
fn relay(judge: &Judge<'_>, entry: &Entry, relay: &Relay) -> Aspect {
    match judge.problem_at(&entry.object(), RELAY_SECRET) {
        Some(problem) => Aspect::new(false, super::judge::reason(problem), problem.to_string()),
        None => {
            let message = format!("outgoing mail leaves through {}:{}", relay.host, relay.port);
            Aspect::new(true, Reason::RelayConfigured, message)
        }
    }
}

fn certificate(judge: &Judge<'_>, entry: &Entry) -> Aspect {
    let facts = &judge.input.facts.certificate;
    if let Some(problem) = judge.problem_at(&entry.object(), TLS_SECRET) {
        let reason = match problem.code {
            ProblemCode::SecretInvalid => Reason::CertificateInvalid,
            _ => super::judge::reason(problem),
        };
        return Aspect::new(false, reason, problem.to_string());
    }
    match (&facts.problem, &facts.certificate) {
        (Some(CertificateProblem::SecretMissing(why)), _) => Aspect::new(false, Reason::SecretNotFound, why),
        (Some(CertificateProblem::Pending(why)), _) => Aspect::new(false, Reason::CertificatePending, why),
        (Some(CertificateProblem::CertManagerMissing(why)), _) => {
            Aspect::new(false, Reason::CertManagerMissing, why)
        }
        (Some(CertificateProblem::Unusable(why)), _) => Aspect::new(false, Reason::CertificateInvalid, why),
        (None, None) => Aspect::new(false, Reason::CertificateInvalid, "there is no certificate yet"),
        (None, Some(certificate)) if certificate.not_after.get() <= judge.input.now => {
            let message = format!("the certificate expired on {}", certificate.not_after);
            Aspect::new(false, Reason::CertificateExpired, message)
        }
        (None, Some(_)) if facts.self_signed => Aspect::new(true, Reason::SelfSigned, ""),
        (None, Some(_)) => Aspect::new(true, Reason::CertificateLoaded, ""),
    }
}
