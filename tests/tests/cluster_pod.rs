//! The double of the kubelet, with the real `mailwright serve` in it: what a StatefulSet declares is a process that follows its files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{ControlPlane, Kubectl, Pod};
use mailwright_tests::harness::{PATIENCE, wait_for, wire};
use serde_json::{Value, json};

const NAME: &str = "example";

fn config(hostname: &str) -> Value {
    let server = json!({
        "name": "mail/example", "hostname": hostname, "tls": {"secretName": "example-tls"},
        "listeners": {"smtp": {"enabled": true, "port": 2525}, "http": {"enabled": true, "port": 8080}},
        "limits": {
            "messageSize": 1 << 20, "recipientsPerMessage": 100, "connections": 100, "connectionsPerAddress": 100,
        },
    });
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "example-config"},
        "data": {"server.json": json!({"version": 1, "server": server}).to_string()},
    })
}

fn stateful_set() -> Value {
    let labels = json!({"app.kubernetes.io/instance": NAME});
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
    let container = json!({
        "name": "mailwright", "image": "localhost/mailwright:test",
        "args": [
            "serve", "--data", "/var/lib/mailwright", "--config", "/etc/mailwright/config/server.json",
            "--bind", "0.0.0.0",
        ],
        "ports": [{"name": "smtp", "containerPort": 2525}, {"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
        "volumeMounts": [mount("data", "/var/lib/mailwright"), mount("config", "/etc/mailwright/config")],
    });
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": NAME},
        "spec": {
            "replicas": 1, "serviceName": NAME, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 20,
                    "containers": [container],
                    "volumes": [{"name": "config", "configMap": {"name": "example-config"}}],
                },
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }],
        },
    })
}

fn apply(kubectl: &Kubectl, namespace: &str, object: &Value) {
    kubectl.apply_with(&object.to_string(), &["--namespace", namespace]).ok();
}

fn greeting(pod: &Pod) -> Option<String> {
    wire::Wire::connect_to(pod.address(), 2525).ok()?.line().ok()
}

#[test]
fn a_stateful_set_is_a_process_that_follows_its_files_and_keeps_its_data() {
    let Some(plane) = ControlPlane::shared() else { return };
    let kubectl = plane.kubectl();
    let namespace = kubectl.namespace("pod");
    let pod = plane.pod(&namespace, NAME);
    apply(&kubectl, &namespace, &stateful_set());
    let ready = |wanted: u64| {
        kubectl.wait_until(&namespace, "statefulset/example", PATIENCE, |set| {
            set["status"]["readyReplicas"].as_u64().unwrap_or(0) == wanted
        })
    };
    // As the kubelet: without its files no container starts.
    kubectl.wait_until(&namespace, "pod/example-0", PATIENCE, |pod| pod["status"]["phase"] == "Pending");
    ready(0);
    apply(&kubectl, &namespace, &config("one.example.test"));
    ready(1);
    assert!(greeting(&pod).unwrap().starts_with("220 one.example.test"));

    apply(&kubectl, &namespace, &config("two.example.test"));
    wait_for("the changed file", PATIENCE, || greeting(&pod).filter(|line| line.starts_with("220 two")));
    let claim = kubectl.get(&namespace, "persistentvolumeclaim/data-example-0");
    assert_eq!(claim["status"]["phase"], "Bound");
    let database = plane.dir().join("volumes").join(claim["spec"]["volumeName"].as_str().unwrap());
    let database =
        std::fs::read_link(database.join("mailwright.db")).unwrap_or(database.join("mailwright.db"));
    let before = std::fs::metadata(&database).unwrap();

    let uid = |kubectl: &Kubectl| kubectl.get(&namespace, "pod/example-0")["metadata"]["uid"].clone();
    let first = uid(&kubectl);
    kubectl.run(&["delete", "pod", "example-0", "--namespace", &namespace, "--timeout=60s"]).ok();
    wait_for("another pod", PATIENCE, || {
        let now = uid(&kubectl);
        (now != first && !now.is_null()).then_some(())
    });
    ready(1);
    wait_for("the greeting", PATIENCE, || greeting(&pod).filter(|line| line.starts_with("220 two")));
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(std::fs::metadata(&database).unwrap().ino(), before.ino());

    // What the node double writes ends: a quiet pod costs nothing.
    let mark = plane.audit().mark();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let writes = plane.audit().writes_since(mark);
    let ours: Vec<_> =
        writes.iter().filter(|write| write.namespace == namespace).map(ToString::to_string).collect();
    assert_eq!(ours, Vec::<String>::new());
}
