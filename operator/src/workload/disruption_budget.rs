//! PodDisruptionBudget. There is one pod, and it alone has the database, so a budget that kept it would hold up the drain
//! of its node for ever. This one says that the pod may go, also when it is not ready: its grace period is what protects
//! the mail.

use std::collections::BTreeMap;

use serde_json::json;

use super::names;
use super::{Child, ChildKind, WorkloadInput};

/// The PodDisruptionBudget of the pods.
pub(super) fn disruption_budget(input: &WorkloadInput<'_>) -> Child {
    let metadata = names::metadata(input, input.name, &BTreeMap::new());
    let spec = json!({
        "maxUnavailable": 1,
        "selector": {"matchLabels": names::selector(input.name)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    });
    Child::new(ChildKind::PodDisruptionBudget, input.name.to_owned(), metadata, &[("spec", spec)])
}
