//! The status of a MailServer.

use mailwright_crds::condition::{self, conditions_of};
use mailwright_crds::mail_server::{Relay, ServiceType};
use mailwright_crds::{ConditionType, MailServer, MailServerStatus, Reason};
use serde_json::{Value, json};

use super::judge::Judge;
use super::{
    Aspect, AspectFacts, CertificateProblem, DatabaseProblem, common, conditions_of as conditions_of_status,
};
use crate::catalog::Entry;
use crate::draft::key_of;
use crate::effect::list;
use crate::operation::Guard;
use crate::problem::ProblemCode;
use crate::reference::Kind;
use crate::server::{RELAY_SECRET, TLS_SECRET};

pub(super) fn status(
    judge: &Judge<'_>,
    entry: &Entry,
    server: &MailServer,
    previous: Option<&Value>,
) -> Value {
    let facts = judge.input.facts;
    let name = key_of(&entry.resource);
    let aspects = Aspects {
        database: database(judge),
        workloads: facts.workloads.as_ref().map(AspectFacts::aspect),
        address: facts.address.as_ref().map(AspectFacts::aspect),
        certificate: certificate(judge, entry),
        listeners: kept(judge, previous).unwrap_or_else(|| listeners(judge, server)),
    };
    let ready = ready(judge, entry, server, &name, &aspects);
    let mut conditions =
        vec![(ConditionType::Ready, ready), (ConditionType::DatabaseReady, aspects.database)];
    conditions.extend(aspects.workloads.map(|aspect| (ConditionType::WorkloadsAvailable, aspect)));
    conditions.extend(aspects.address.map(|aspect| (ConditionType::AddressReady, aspect)));
    conditions.push((ConditionType::CertificateReady, aspects.certificate));
    conditions.push((ConditionType::ListenersReady, aspects.listeners));
    let relay = server.spec.relay.as_ref().map(|relay| relay_aspect(judge, entry, relay));
    conditions.extend(relay.map(|aspect| (ConditionType::RelayReady, aspect)));
    conditions.push((ConditionType::PlanAccepted, plan_accepted(judge)));
    let common = common(judge, entry, previous, conditions);
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

/// What a server is made of.
struct Aspects {
    database: Aspect,
    workloads: Option<Aspect>,
    address: Option<Aspect>,
    certificate: Aspect,
    listeners: Aspect,
}

fn ready(judge: &Judge<'_>, entry: &Entry, server: &MailServer, name: &str, aspects: &Aspects) -> Aspect {
    let ready = judge.ready(entry);
    let waits = matches!(ready.reason, Reason::Reconciled | Reason::PendingApply);
    if !waits {
        return ready;
    }
    // A pod that is not there explains a database that does not answer.
    let needed = [aspects.workloads.as_ref(), Some(&aspects.database)];
    if let Some(aspect) = needed.into_iter().flatten().find(|aspect| !aspect.holds()) {
        return Aspect::new(false, ready_reason(aspect.reason), aspect.message.clone());
    }
    if let Some(other) = replaced_by(judge, name).filter(|_| ready.holds()) {
        let message =
            format!("{other} serves every domain; name this one in the serverRef of new MailDomains");
        return Aspect::new(false, Reason::DependencyNotReady, message);
    }
    let no_certificate = judge.input.facts.certificate.certificate.is_none().then_some(&aspects.certificate);
    // Other Services have an address as soon as they are there.
    let balanced = server.spec.service.type_ == ServiceType::LoadBalancer;
    let address = aspects.address.as_ref().filter(|aspect| balanced && !aspect.holds());
    let listeners = Some(&aspects.listeners).filter(|aspect| !aspect.holds());
    match listeners.or(no_certificate).or(address) {
        Some(aspect) if ready.holds() => {
            Aspect::new(false, ready_reason(aspect.reason), aspect.message.clone())
        }
        _ => ready,
    }
}

/// The reason of `Ready` for that of another condition: its own where that says more than that something is missing.
fn ready_reason(of_aspect: Reason) -> Reason {
    let of_ready = conditions_of(Kind::MailServer).iter().find(|info| info.type_ == ConditionType::Ready);
    let known = of_ready.is_some_and(|info| info.reasons.contains(&of_aspect));
    if known { of_aspect } else { Reason::DependencyNotReady }
}

/// What the listeners were doing when the pod was last heard of.
fn kept(judge: &Judge<'_>, previous: Option<&Value>) -> Option<Aspect> {
    judge.input.facts.blind().filter(|_| judge.input.facts.in_cluster())?;
    let conditions = conditions_of_status(previous);
    let kept = condition::find(&conditions, ConditionType::ListenersReady)?;
    Some(Aspect::new(kept.status, kept.reason, kept.message.clone()))
}

/// Whether anything of the installation waits for somebody's approval, also what has no object any more to say so.
fn plan_accepted(judge: &Judge<'_>) -> Aspect {
    let held: Vec<_> = judge.input.plan.held().collect();
    // What can be approved first: the others follow or have a remedy of their own.
    let chief = held.iter().filter_map(|operation| operation.held.as_deref());
    let chief = chief.min_by_key(|guard| (!guard.can_be_approved(), matches!(guard, Guard::After { .. })));
    let Some(guard) = chief else { return Aspect::new(true, Reason::NothingHeld, "") };
    let subjects: Vec<&str> = held.iter().map(|operation| operation.subject.as_str()).collect();
    let message = format!("held back: {}: {guard}; {}", list(&subjects), judge.remedy(guard));
    Aspect::new(false, Reason::HeldByGuard, message)
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
        None => match &facts.configuration_pending {
            Some(why) => Aspect::new(false, Reason::ConfigurationPending, why),
            None => Aspect::new(true, Reason::Listening, ""),
        },
    }
}

/// Whether the smarthost is there is for the queue to find out.
fn relay_aspect(judge: &Judge<'_>, entry: &Entry, relay: &Relay) -> Aspect {
    match judge.problem_at(&entry.object(), RELAY_SECRET) {
        Some(problem) => Aspect::new(false, super::judge::reason(problem), problem.of_its_object()),
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
        return Aspect::new(false, reason, problem.of_its_object());
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
