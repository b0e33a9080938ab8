//! The status of an Alias.

use mailwright_crds::{Alias, AliasStatus, ConditionType, Reason};
use serde_json::{Value, json};

use super::judge::{self, Judge};
use super::{Aspect, common, ways};
use crate::catalog::Entry;
use crate::reference::ObjectRef;

pub(super) fn status(judge: &Judge<'_>, entry: &Entry, alias: &Alias, previous: Option<&Value>) -> Value {
    let object = entry.object();
    let mut ready = judge.ready(entry);
    if ready.reason == Reason::Reconciled && !alias.spec.enabled {
        ready = Aspect::new(true, Reason::Disabled, "enabled is false: mail for it is refused");
    }
    let mut aspects =
        vec![(ConditionType::Ready, ready), (ConditionType::Accepted, accepted(judge, &object))];
    aspects.extend(ways::conditions(judge, &object, &alias.spec.targets));
    let common = common(judge, entry, previous, aspects);
    json!(AliasStatus {
        observed_generation: common.observed_generation,
        conditions: common.conditions,
        last_handled_reconcile_at: common.last_handled_reconcile_at,
    })
}

/// Everything but targets and loops, which have conditions of their own.
fn accepted(judge: &Judge<'_>, object: &ObjectRef) -> Aspect {
    if let Some(message) = judge.refused(object) {
        return Aspect::new(false, Reason::OwnedByAnother, message);
    }
    let mut errors = judge.errors(object);
    errors.retain(|problem| !ways::are_about(problem));
    match errors.first() {
        Some(first) => Aspect::new(false, judge::reason(first), judge::messages(&errors)),
        None => Aspect::new(true, Reason::Reconciled, ""),
    }
}
