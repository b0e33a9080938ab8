//! StatefulSet: one pod with its own volume.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names::{self, DATA_VOLUME};
use super::{Child, ChildKind, WorkloadInput, pod};

/// Earlier templates that are kept for `kubectl rollout history` and `undo`.
const REVISIONS: u32 = 5;

/// The StatefulSet.
pub(super) fn stateful_set(input: &WorkloadInput<'_>) -> Child {
    let name = names::stateful_set(input.name);
    let metadata = names::metadata(input, &name, &BTreeMap::new());
    let spec = json!({
        "serviceName": names::headless_service(input.name),
        "replicas": 1,
        "revisionHistoryLimit": REVISIONS,
        // In order, a pod that never gets ready is never replaced by a better one: a wrong image could not be mended.
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        // Mail outlives its server.
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "selector": {"matchLabels": names::selector(input.name)},
        "template": pod::template(input),
        "volumeClaimTemplates": [claim(input)],
    });
    Child::new(ChildKind::StatefulSet, name, metadata, &[("spec", spec)])
}

/// The claim. Its labels never change, because the field is immutable.
fn claim(input: &WorkloadInput<'_>) -> Value {
    let storage = &input.spec.database.sqlite.storage;
    let mut claim = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": DATA_VOLUME, "labels": names::selector(input.name)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": storage.size.as_str()}},
        },
    });
    if let Some(class) = &storage.storage_class_name {
        claim["spec"]["storageClassName"] = json!(class);
    }
    claim
}
