//! What happens to mail when something goes away, with a real API server, the operator as a process and the mail server it
//! makes: the deletion table of docs/kubernetes.md line by line, and that nothing is written when nothing changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use mailwright_tests::cluster::{ControlPlane, Kubectl, Operator, Pod};
use mailwright_tests::harness::{PATIENCE, wait_for, wire};
use serde_json::{Value, json};

/// Its own word, so that it can be searched for.
const PASSWORD: &str = "sentinel-lifecycle-7f3a";

/// One MailServer with its pod and an operator that looks at its namespace alone.
struct Cluster<'a> {
    plane: &'a ControlPlane,
    kubectl: Kubectl,
    namespace: String,
    operator_namespace: String,
    pod: Pod,
    operator: Operator,
}

impl<'a> Cluster<'a> {
    fn new(plane: &'a ControlPlane) -> Cluster<'a> {
        plane.install_crds();
        let kubectl = plane.kubectl();
        let (namespace, operator_namespace) = (kubectl.namespace("mail"), kubectl.namespace("operator"));
        let pod = plane.pod(&namespace, "mail");
        let operator = operator(plane, &namespace, &operator_namespace, &pod);
        Cluster { plane, kubectl, namespace, operator_namespace, pod, operator }
    }

    fn apply(&self, object: &Value) {
        self.kubectl.apply_with(&object.to_string(), &["--namespace", &self.namespace]).ok();
    }

    fn delete(&self, what: &str) {
        let arguments =
            ["delete", what, "--namespace", &self.namespace, "--timeout=60s", "--ignore-not-found"];
        self.kubectl.run(&arguments).ok();
    }

    /// The server, its domain, and an account with another one for those that a domain must have.
    fn installed(plane: &'a ControlPlane) -> Cluster<'a> {
        let cluster = Cluster::new(plane);
        cluster.apply(&secret());
        cluster.apply(&server());
        cluster.apply(&domain());
        cluster.apply(&mailbox("postmaster", "Disable"));
        cluster.apply(&mailbox("alice", "Disable"));
        cluster.ready("mailbox/alice");
        cluster.ready("mailserver/mail");
        cluster
    }

    fn ready(&self, what: &str) -> Value {
        self.kubectl.wait_until(&self.namespace, what, PATIENCE, |object| {
            condition(object, "Ready")["status"] == "True"
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        })
    }

    fn restart_operator(&mut self) {
        self.operator.kill();
        self.operator = operator(self.plane, &self.namespace, &self.operator_namespace, &self.pod);
        self.operator.wait_ready();
    }

    /// Whether an address can log in; `None` while nobody answers.
    fn logs_in(&self, name: &str) -> Option<bool> {
        let mut wire = wire::Wire::connect_to(self.pod.address(), 1143).ok()?;
        wire.line().ok()?;
        let answer = wire.imap("a", &format!("LOGIN {name}@example.test {PASSWORD}")).ok()?;
        Some(answer.contains("a OK"))
    }

    fn wait_for_login(&self, name: &str, expected: bool) {
        let what = format!("{name} to be {}", if expected { "let in" } else { "kept out" });
        wait_for(&what, PATIENCE, || self.logs_in(name).filter(|let_in| *let_in == expected));
    }
}

fn operator(plane: &ControlPlane, namespace: &str, own: &str, pod: &Pod) -> Operator {
    let watch = format!("--watch-namespace={namespace}");
    let lease = ["--lease-duration=3s", "--renew-deadline=2s", "--retry-period=500ms"];
    let endpoint = pod.management_endpoint();
    let arguments: Vec<&str> = [watch.as_str(), &endpoint].into_iter().chain(lease).collect();
    plane.operator(plane.admin(), own, &arguments)
}

fn condition<'v>(object: &'v Value, type_: &str) -> &'v Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.and_then(|all| all.iter().find(|it| it["type"] == type_)).unwrap_or(&Value::Null)
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn secret() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password"}, "stringData": {"password": PASSWORD},
    })
}

fn server() -> Value {
    let spec = json!({
        "hostname": "mail.example.test", "service": {"type": "ClusterIP"}, "auth": {"plaintextOnLoopback": true},
    });
    object("MailServer", "mail", spec)
}

fn domain() -> Value {
    object("MailDomain", "example", json!({"serverRef": {"name": "mail"}, "domain": "example.test"}))
}

fn mailbox(name: &str, policy: &str) -> Value {
    let credentials = json!({"secretRef": {"name": "password"}});
    let spec = json!({
        "address": format!("{name}@example.test"), "credentials": credentials, "deletionPolicy": policy,
        "retainFor": if policy == "Delete" { "0s" } else { "720h" },
    });
    object("Mailbox", name, spec)
}

#[test]
fn nothing_is_written_when_nothing_changed_and_no_secret_is_said() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mut cluster = Cluster::installed(plane);
    cluster.wait_for_login("alice", true);
    cluster.kubectl.wait_until(&cluster.namespace, "mailserver/mail", PATIENCE, |server| {
        condition(server, "WorkloadsAvailable")["status"] != "False"
            && condition(server, "Reconciling").is_null()
    });
    std::thread::sleep(Duration::from_secs(2));
    let mark = plane.audit().mark();
    for object in
        [secret(), server(), domain(), mailbox("postmaster", "Disable"), mailbox("alice", "Disable")]
    {
        cluster.apply(&object);
    }
    cluster.restart_operator();
    std::thread::sleep(Duration::from_secs(7));
    let writes = plane.audit().writes_since(mark);
    let ours = writes.iter().filter(|write| {
        [&cluster.namespace, &cluster.operator_namespace].contains(&&write.namespace)
            && !write.is_of_kubernetes()
            && !write.agent.starts_with("kubectl")
            && !["leases", "pods", "pods/status", "pods/binding"].contains(&write.resource.as_str())
    });
    let ours: Vec<String> = ours.map(ToString::to_string).collect();
    assert_eq!(ours, Vec::<String>::new(), "a second time, and a restart, write nothing");

    let everything = cluster.kubectl.run(&[
        "get",
        "mailservers,maildomains,mailboxes,aliases,events,configmaps,statefulsets,pods",
        "--output=yaml",
        "--namespace",
        &cluster.namespace,
    ]);
    for (what, text) in [
        ("objects and events", everything.ok().stdout),
        ("the log", cluster.operator.log()),
        ("the metrics", cluster.operator.metrics()),
    ] {
        assert!(!text.contains(PASSWORD), "{what} hold a password");
    }
}

#[test]
fn a_deleted_mailbox_is_kept_as_its_policy_says() {
    let Some(plane) = ControlPlane::shared() else { return };
    let cluster = Cluster::installed(plane);
    for (name, policy) in [("retained", "Retain"), ("disabled", "Disable"), ("deleted", "Delete")] {
        cluster.apply(&mailbox(name, policy));
        let first = cluster.ready(&format!("mailbox/{name}"))["status"]["accountID"].clone();
        cluster.wait_for_login(name, true);
        cluster.delete(&format!("mailbox/{name}"));
        if policy == "Retain" {
            std::thread::sleep(Duration::from_secs(2));
        }
        cluster.wait_for_login(name, policy == "Retain");
        if policy == "Delete" {
            std::thread::sleep(Duration::from_secs(6));
        }
        cluster.apply(&mailbox(name, policy));
        let second = cluster.ready(&format!("mailbox/{name}"))["status"]["accountID"].clone();
        cluster.wait_for_login(name, true);
        if policy != "Delete" {
            assert_eq!(first, second, "{policy}: it is the same account, with its mail");
        }
    }
}

#[test]
fn a_domain_waits_for_its_addresses_and_a_server_leaves_its_volume() {
    let Some(plane) = ControlPlane::shared() else { return };
    let cluster = Cluster::installed(plane);
    let delete = ["delete", "maildomain/example", "--wait=false", "--namespace", &cluster.namespace];
    cluster.kubectl.run(&delete).ok();
    cluster.kubectl.wait_until(&cluster.namespace, "maildomain/example", PATIENCE, |domain| {
        condition(domain, "DeletionBlocked")["status"] == "True"
    });
    cluster.wait_for_login("alice", true);
    cluster.delete("mailbox/alice");
    cluster.delete("mailbox/postmaster");
    cluster.delete("maildomain/example");

    // The server first, the rest stays declared.
    cluster.apply(&domain());
    cluster.apply(&mailbox("postmaster", "Disable"));
    cluster.apply(&mailbox("alice", "Disable"));
    let before = cluster.ready("mailbox/alice")["status"]["accountID"].clone();
    cluster.delete("mailserver/mail");
    cluster.kubectl.wait_until(&cluster.namespace, "maildomain/example", PATIENCE, |domain| {
        condition(domain, "Ready")["reason"] == "ServerNotFound"
    });
    wait_for("the StatefulSet to go", PATIENCE, || {
        cluster.kubectl.list(&cluster.namespace, "statefulsets").is_empty().then_some(())
    });
    let claims = cluster.kubectl.list(&cluster.namespace, "persistentvolumeclaims");
    assert_eq!(claims.len(), 1, "the volume outlives everything");
    cluster.apply(&server());
    cluster.ready("mailserver/mail");
    assert_eq!(
        cluster.ready("mailbox/alice")["status"]["accountID"],
        before,
        "the same account on the same volume"
    );
    cluster.wait_for_login("alice", true);
}

#[test]
fn while_the_database_is_down_nobody_loses_anything_and_a_namespace_goes() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mut cluster = Cluster::installed(plane);
    let scale = ["scale", "statefulset/mail", "--replicas=0", "--namespace", &cluster.namespace];
    // The operator would put it right at once: it is away meanwhile.
    cluster.operator.signal("STOP");
    cluster.kubectl.run(&scale).ok();
    wait_for("the pod to go", PATIENCE, || cluster.logs_in("alice").is_none().then_some(()));
    cluster.pod.cut_off(true);
    cluster.operator.signal("CONT");
    cluster.restart_operator();
    cluster.kubectl.wait_until(&cluster.namespace, "mailserver/mail", PATIENCE, |server| {
        condition(server, "DatabaseReady")["status"] == "False"
    });
    let alice = cluster.kubectl.get(&cluster.namespace, "mailbox/alice");
    assert_eq!(condition(&alice, "Ready")["status"], "True", "{alice:#}");
    cluster.apply(&mailbox("late", "Disable"));
    cluster.kubectl.wait_until(&cluster.namespace, "mailbox/late", PATIENCE, |mailbox| {
        condition(mailbox, "Ready")["reason"] == "DatabaseUnreachable"
            && condition(mailbox, "Reconciling")["status"] == "True"
    });
    cluster.pod.cut_off(false);
    let delete = ["delete", "namespace", &cluster.namespace, "--timeout=90s"];
    cluster.kubectl.run(&delete).ok();
}

#[test]
fn definitions_that_are_deleted_take_no_mail_with_them() {
    let Some(plane) = ControlPlane::start(&Default::default()) else { return };
    let mut cluster = Cluster::installed(&plane);
    for plural in ["mailboxes", "aliases", "maildomains"] {
        let definition = format!("customresourcedefinition/{plural}.mailwright.dev");
        cluster.kubectl.run(&["delete", &definition, "--timeout=60s"]).ok();
    }
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(cluster.logs_in("alice"), Some(true), "no definition is no instruction");
    cluster.operator.kill();
    assert_eq!(cluster.logs_in("alice"), Some(true), "without an operator mail is served on");
}
