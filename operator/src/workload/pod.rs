//! The pod template: one container, no rights, and what the MailServer says of where it runs.
//!
//! It passes Pod Security Admission at its level `restricted`. What a MailServer may say is passed through as it stands; the
//! API server is its judge.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::{self, CONTAINER, DATA_DIR, DATA_VOLUME};
use super::ports::{self, FIRST_UNPRIVILEGED};
use super::{WorkloadInput, probes};

/// User and group of the process: what images without users of their own call `nonroot`.
const USER: u32 = 65532;

/// Messages that do not fit memory are spooled there until they are stored.
const TMP_LIMIT: &str = "1Gi";

/// Where the container finds what it is given.
const CONFIG_DIR: &str = "/etc/mailwright/config";
const TLS_DIR: &str = "/etc/mailwright/tls";
const MANAGEMENT_DIR: &str = "/etc/mailwright/management";

/// The pod template.
pub(super) fn template(input: &WorkloadInput<'_>) -> Value {
    let wish = &input.spec.template;
    let given = wish.labels.iter().map(|(key, value)| (key.clone(), value.as_str().to_owned()));
    let mut labels: BTreeMap<String, String> = given.collect();
    // Ours last: a template cannot take its pods away from the selector.
    labels.extend(names::labels(input.name));
    let mut metadata = json!({"labels": labels});
    if !wish.annotations.is_empty() {
        metadata["annotations"] = json!(wish.annotations);
    }
    json!({"metadata": metadata, "spec": spec(input)})
}

fn spec(input: &WorkloadInput<'_>) -> Value {
    let wish = json!(input.spec.template);
    let mut spec = json!({
        "serviceAccountName": input.name,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        // What a drain may take: sessions are told, transactions end, leases are returned.
        "terminationGracePeriodSeconds": input.spec.template.termination_grace_period_seconds,
        "securityContext": security(input),
    });
    for field in ["imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName"] {
        pass(&wish, field, &mut spec);
    }
    spec["topologySpreadConstraints"] = spread(given(&wish, "topologySpreadConstraints"));
    spec["containers"] = json!([container(input)]);
    spec["volumes"] = volumes(input.name);
    spec
}

/// A field of the MailServer's template, unless it says nothing.
fn given(wish: &Value, field: &str) -> Option<Value> {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    wish.get(field).filter(|value| !empty(value)).cloned()
}

fn pass(wish: &Value, field: &str, into: &mut Value) {
    if let Some(value) = given(wish, field) {
        into[field] = value;
    }
}

/// Installations of one namespace share nodes only when there are no others. A MailServer says over what they are spread, and
/// each has one pod, so what is spread are the pods of all of them.
fn spread(wish: Option<Value>) -> Value {
    let selector = BTreeMap::from([
        ("app.kubernetes.io/component", names::COMPONENT),
        ("app.kubernetes.io/name", names::APP),
    ]);
    let mut constraints = wish.unwrap_or_else(|| {
        json!([{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}])
    });
    for constraint in constraints.as_array_mut().into_iter().flatten() {
        constraint["labelSelector"] = json!({"matchLabels": selector});
    }
    constraints
}

fn security(input: &WorkloadInput<'_>) -> Value {
    let mut context = json!({
        "runAsNonRoot": true,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        // A volume with millions of files is not gone through at every start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if ports::of_pod(input.declared).iter().any(|(_, port)| *port < FIRST_UNPRIVILEGED) {
        // The pod's own network namespace: this gives no right outside of it, and `restricted` allows it.
        context["sysctls"] = json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]);
    }
    context
}

fn container(input: &WorkloadInput<'_>) -> Value {
    let wish = &input.spec.template;
    let ports: Vec<Value> = ports::of_pod(input.declared)
        .into_iter()
        .map(|(name, port)| json!({"name": name, "containerPort": port, "protocol": "TCP"}))
        .collect();
    let mut container = json!({
        "name": CONTAINER,
        "image": wish.image.as_ref().map_or(input.operator.image.as_str(), |image| image.as_str()),
    });
    if let Some(policy) = wish.image_pull_policy {
        container["imagePullPolicy"] = json!(policy.as_str());
    }
    container["args"] = json!(arguments(wish.termination_grace_period_seconds));
    // For whoever looks in: `kubectl exec POD -- mailwright queue list`.
    container["env"] = json!([{"name": "MAILWRIGHT_DATA", "value": DATA_DIR}]);
    container["ports"] = json!(ports);
    pass(&json!(wish), "resources", &mut container);
    container["volumeMounts"] = json!([
        {"name": DATA_VOLUME, "mountPath": DATA_DIR},
        {"name": "config", "mountPath": CONFIG_DIR, "readOnly": true},
        {"name": "tls", "mountPath": TLS_DIR, "readOnly": true},
        {"name": "management", "mountPath": MANAGEMENT_DIR, "readOnly": true},
        {"name": "tmp", "mountPath": "/tmp"},
    ]);
    for (field, probe) in probes::probes(input.declared) {
        container[field] = probe;
    }
    container["securityContext"] = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    // Its last words, when it ends with an error, become a part of the condition that says so.
    container["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    container
}

fn arguments(grace: i32) -> Vec<String> {
    let drain = format!("{}s", drain_seconds(grace));
    let arguments = [
        "serve",
        "--data",
        DATA_DIR,
        "--config",
        "/etc/mailwright/config/server.json",
        "--tls",
        TLS_DIR,
        "--management",
        MANAGEMENT_DIR,
        "--bind",
        "0.0.0.0",
        "--bind",
        "::",
        "--grace",
        &drain,
    ];
    arguments.map(str::to_owned).to_vec()
}

/// How long sessions may take to end, so that the process ends by itself before the kubelet ends it: what is left over is for
/// closing the database, which after a large delivery takes seconds.
fn drain_seconds(grace: i32) -> i32 {
    const CLOSING: i32 = 10;
    if grace > 2 * CLOSING { grace - CLOSING } else { grace / 2 }
}

fn volumes(server: &str) -> Value {
    // Read by the group, which fsGroup makes the process's own, and by nobody else.
    const MODE: u32 = 0o440;
    let mut volumes: Vec<Map<String, Value>> = Vec::new();
    let mut volume = |name: &str, source: &str, content: Value| {
        volumes.push(Map::from_iter([("name".to_owned(), json!(name)), (source.to_owned(), content)]));
    };
    volume("config", "configMap", json!({"name": names::config_map(server), "defaultMode": MODE}));
    // Without its certificate a server still takes mail from other servers, so the pod does not wait for the Secret.
    let tls = json!({"secretName": names::tls_secret(server), "defaultMode": MODE, "optional": true});
    volume("tls", "secret", tls);
    let management = json!({"secretName": names::management_secret(server), "defaultMode": MODE});
    volume("management", "secret", management);
    volume("tmp", "emptyDir", json!({"sizeLimit": TMP_LIMIT}));
    json!(volumes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_ends_before_the_kubelet_ends_it() {
        for (grace, expected) in [(60, 50), (120, 110), (21, 11), (20, 10), (5, 2), (1, 0), (0, 0)] {
            assert_eq!(drain_seconds(grace), expected, "{grace}");
        }
        let arguments = arguments(60);
        assert_eq!(arguments[arguments.len() - 2..], ["--grace", "50s"]);
    }
}
