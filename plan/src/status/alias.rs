//! The status of an Alias.

use mailwright_crds::{Alias, AliasStatus, ConditionType, Reason};
use serde_json::{Value, json};

use super::judge::Judge;
use super::{Aspect, common, ways};
use crate::catalog::Entry;

pub(super) fn status(judge: &Judge<'_>, entry: &Entry, alias: &Alias, previous: Option<&Value>) -> Value {
    let object = entry.object();
    let mut ready = judge.ready(entry);
    if ready.reason == Reason::Reconciled && !alias.spec.enabled {
        ready = Aspect::new(true, Reason::Disabled, "enabled is false: mail for it is refused");
    }
    let mut aspects =
        vec![(ConditionType::Ready, ready), (ConditionType::Accepted, ways::accepted(judge, &object))];
    aspects.extend(ways::conditions(judge, &object, &alias.spec.targets));
    let common = common(judge, entry, previous, aspects);
    json!(AliasStatus {
        observed_generation: common.observed_generation,
        conditions: common.conditions,
        last_handled_reconcile_at: common.last_handled_reconcile_at,
    })
}
