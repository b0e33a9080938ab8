//! The status of a MailDomain.

use chrono::{DateTime, Utc};
use mailwright_crds::{Condition, ConditionType, MailDomain, MailDomainStatus, Reason, condition};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::judge::Judge;
use super::{Aspect, DomainFacts, common, conditions_of};
use crate::catalog::Entry;
use crate::problem::{Problem, ProblemCode};

pub(super) fn status(
    judge: &Judge<'_>,
    entry: &Entry,
    resource: &MailDomain,
    previous: Option<&Value>,
) -> Value {
    let mut aspects = vec![(ConditionType::Ready, judge.ready(entry))];
    let blocked = judge.problem(&entry.object(), &[ProblemCode::DeletionBlocked]);
    if let Some(problem) = blocked {
        // The object now declares another domain, and the one it declared before has addresses.
        let aspect = Aspect::new(true, Reason::AddressesExist, problem.of_its_object());
        aspects.push((ConditionType::DeletionBlocked, aspect));
    }
    let name = resource.spec.domain.as_str();
    let mut facts = judge.input.facts.domains.get(name).cloned().unwrap_or_default();
    if let Some(why) = &facts.problem {
        aspects.push((ConditionType::RecordsPublished, Aspect::new(false, Reason::RecordsOutdated, why)));
        keep(&mut facts, previous);
    } else if judge.input.facts.domains.contains_key(name) {
        aspects.push((ConditionType::RecordsPublished, Aspect::new(true, Reason::RecordsCurrent, "")));
    }
    let common = common(judge, entry, previous, aspects);
    let (mailboxes, aliases) = judge.counts(name);
    json!(MailDomainStatus {
        observed_generation: common.observed_generation,
        conditions: common.conditions,
        last_handled_reconcile_at: common.last_handled_reconcile_at,
        dns_records: facts.records,
        dkim: facts.dkim,
        mailboxes,
        aliases,
    })
}

/// Records made without keys that could not be read would be wrong: those of before stay.
fn keep(facts: &mut DomainFacts, previous: Option<&Value>) {
    let before = previous.and_then(|status| MailDomainStatus::deserialize(status).ok());
    if let Some(before) = before.filter(|before| !before.dns_records.is_empty()) {
        facts.records = before.dns_records;
        facts.dkim = before.dkim;
    }
}

/// A domain that is declared no more but must be served on keeps its status and says why.
pub(super) fn blocked(problem: &Problem, previous: Option<&Value>, now: DateTime<Utc>) -> Value {
    let mut status = previous.cloned().unwrap_or_else(|| json!({"observedGeneration": -1}));
    let mut conditions = conditions_of(Some(&status));
    let blocked = Condition::new(
        ConditionType::DeletionBlocked,
        true,
        Reason::AddressesExist,
        problem.of_its_object(),
        now,
    );
    condition::set(&mut conditions, blocked);
    status["conditions"] = json!(conditions);
    status
}
