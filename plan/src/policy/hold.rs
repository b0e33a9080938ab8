//! What a policy that cannot be judged with holds back: every change of what it is for, and nothing that is in force.

use std::collections::BTreeMap;

use super::judge::MAX_STEPS_OF_ALL;
use super::rules::{Rules, Stopped};
use crate::catalog::Entry;
use crate::domain::domain_of;
use crate::draft::Draft;
use crate::operation::{Change, Operation};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::reference::ObjectRef;
use crate::universe::Universe;

/// The objects that would change although a policy for them is stopped, as problems of theirs.
pub(crate) fn hold(
    draft: &Draft<'_>,
    universe: &Universe<'_>,
    rules: &Rules,
    operations: &[Operation],
) -> Vec<Problem> {
    let mut stopped = rules.stopped.clone();
    stopped.extend(rules.overrun.borrow().iter().filter_map(|index| {
        let rule = rules.rules.get(*index)?;
        let why = format!(
            "it takes more than {MAX_STEPS_OF_ALL} steps for all objects together; ask for less, or only of some labels"
        );
        Some(Stopped {
            name: rule.compiled.name().to_owned(),
            kinds: rule.compiled.policy.kinds.clone(),
            policy: Some(rule.compiled.policy.clone()),
            server: rule.server.clone(),
            why,
        })
    }));
    if stopped.is_empty() {
        return Vec::new();
    }
    let entries: BTreeMap<ObjectRef, &Entry> =
        draft.catalog.entries().map(|entry| (entry.object(), entry)).collect();
    let changes = operations.iter().filter_map(|operation| {
        let server = server_of(universe, &operation.change)?;
        let entry = entries.get(&operation.object)?;
        let by = stopped.iter().find(|it| it.is_for(entry, server))?;
        Some(held(entry, by))
    });
    changes.collect()
}

impl Stopped {
    fn is_for(&self, entry: &Entry, server: &str) -> bool {
        let (kind, labels) = (entry.resource.kind(), entry.resource.metadata().labels.as_ref());
        let of_kind = match &self.policy {
            Some(policy) => policy.is_for(kind, labels),
            None => self.kinds.iter().any(|it| it.kind() == kind),
        };
        of_kind && self.server.as_deref().is_none_or(|wanted| wanted == server)
    }
}

/// The server of what is put into force; `None` for what policies do not judge.
fn server_of<'u: 'a, 'a>(universe: &Universe<'u>, change: &'a Change) -> Option<&'a str> {
    let at = |address: &str| universe.domain(domain_of(address)).map_or("", |domain| domain.server.as_str());
    match change {
        Change::PutDomain { declared, .. } => Some(&declared.server),
        Change::PutMailbox { declared, .. } => Some(at(&declared.address)),
        Change::PutAlias { declared, .. } => Some(at(&declared.address)),
        _ => None,
    }
}

fn held(entry: &Entry, by: &Stopped) -> Problem {
    Problem {
        origin: entry.origin.clone().known(),
        object: Some(entry.object()),
        field: String::new(),
        code: ProblemCode::PolicyInvalid,
        severity: Severity::Error,
        message: format!("policy {} cannot be judged with: {}", by.name, by.why),
        remedy: Some("mend the policy; until then what it is for stays as it is".to_owned()),
    }
}
