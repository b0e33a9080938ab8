//! One MailServer with its pod, and an operator that looks at its namespaces alone: a fresh one for each test.

use mailwright_tests::cluster::mail::{data, rows};
use mailwright_tests::cluster::{ControlPlane, Kubectl, Operator, Pod};
use mailwright_tests::harness::{PATIENCE, wait_for, wire};
use serde_json::{Value, json};

/// Its own word, so that it can be searched for.
pub const PASSWORD: &str = "sentinel-lifecycle-7f3a";

/// One MailServer with its pod and an operator that looks at its namespace alone.
pub struct Cluster<'a> {
    plane: &'a ControlPlane,
    pub kubectl: Kubectl,
    /// Where the MailServer is.
    pub namespace: String,
    /// Where mailboxes of its domain are declared too.
    pub tenant: String,
    pub operator_namespace: String,
    pub pod: Pod,
    pub operator: Operator,
}

impl<'a> Cluster<'a> {
    fn new(plane: &'a ControlPlane) -> Cluster<'a> {
        plane.install_crds();
        let kubectl = plane.kubectl();
        let [namespace, tenant, operator_namespace] =
            ["mail", "tenant", "operator"].map(|name| kubectl.namespace(name));
        let pod = plane.pod(&namespace, "mail");
        let operator = operator(plane, [&namespace, &tenant], &operator_namespace, &pod);
        Cluster { plane, kubectl, namespace, tenant, operator_namespace, pod, operator }
    }

    pub fn apply(&self, object: &Value) {
        self.apply_in(&self.namespace, object);
    }

    pub fn apply_in(&self, namespace: &str, object: &Value) {
        self.kubectl.apply_with(&object.to_string(), &["--namespace", namespace]).ok();
    }

    pub fn delete(&self, what: &str) {
        let arguments =
            ["delete", what, "--namespace", &self.namespace, "--timeout=60s", "--ignore-not-found"];
        self.kubectl.run(&arguments).ok();
    }

    /// The server, its domain, and an account with another one for those that a domain must have.
    pub fn installed(plane: &'a ControlPlane) -> Cluster<'a> {
        let cluster = Cluster::new(plane);
        cluster.declare_installation();
        cluster
    }

    pub fn declare_installation(&self) {
        self.apply(&secret());
        self.apply(&server());
        self.apply(&domain());
        self.apply(&mailbox("postmaster", "Disable"));
        self.apply(&mailbox("alice", "Disable"));
        self.ready("mailbox/alice");
        self.ready("mailserver/mail");
    }

    pub fn ready(&self, what: &str) -> Value {
        self.ready_in(&self.namespace, what)
    }

    pub fn ready_in(&self, namespace: &str, what: &str) -> Value {
        self.kubectl.wait_until(namespace, what, PATIENCE, |object| {
            condition(object, "Ready")["status"] == "True"
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        })
    }

    pub fn restart_operator(&mut self) {
        self.operator.kill();
        let namespaces = [&*self.namespace, &self.tenant];
        self.operator = operator(self.plane, namespaces, &self.operator_namespace, &self.pod);
        self.operator.wait_ready();
    }

    /// Whether an address can log in; `None` while nobody answers.
    pub fn logs_in(&self, name: &str) -> Option<bool> {
        let mut wire = wire::Wire::connect_to(self.pod.address(), 1143).ok()?;
        wire.line().ok()?;
        let answer = wire.imap("a", &format!("LOGIN {name}@example.test {PASSWORD}")).ok()?;
        Some(answer.contains("a OK"))
    }

    /// The row of an address of example.test; null when there is none.
    pub fn row(&self, name: &str) -> Value {
        let address = format!("{name}@example.test");
        let mut all = rows(&data(self.plane, &self.namespace, "mail"))["mailboxes"].take();
        let found = all.as_array_mut().unwrap().iter_mut().find(|row| row["declared"]["address"] == *address);
        found.map(Value::take).unwrap_or_default()
    }

    pub fn wait_for_login(&self, name: &str, expected: bool) {
        let what = format!("{name} to be {}", if expected { "let in" } else { "kept out" });
        wait_for(&what, PATIENCE, || self.logs_in(name).filter(|let_in| *let_in == expected));
    }
}

fn operator(plane: &ControlPlane, namespaces: [&str; 2], own: &str, pod: &Pod) -> Operator {
    let watch = namespaces.map(|namespace| format!("--watch-namespace={namespace}"));
    let lease = ["--lease-duration=3s", "--renew-deadline=2s", "--retry-period=500ms"];
    let endpoint = pod.management_endpoint();
    let arguments: Vec<&str> = watch.iter().chain([&endpoint]).map(String::as_str).chain(lease).collect();
    plane.operator(plane.admin(), own, &arguments)
}

pub fn condition<'v>(object: &'v Value, type_: &str) -> &'v Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.and_then(|all| all.iter().find(|it| it["type"] == type_)).unwrap_or(&Value::Null)
}

pub fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

pub fn secret() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password"}, "stringData": {"password": PASSWORD},
    })
}

pub fn server() -> Value {
    let spec = json!({
        "hostname": "mail.example.test", "service": {"type": "ClusterIP"}, "auth": {"plaintextOnLoopback": true},
    });
    object("MailServer", "mail", spec)
}

pub fn domain() -> Value {
    let spec = json!({
        "serverRef": {"name": "mail"}, "domain": "example.test", "allowedMailboxes": {"from": "All"},
    });
    object("MailDomain", "example", spec)
}

pub fn mailbox(name: &str, policy: &str) -> Value {
    let credentials = json!({"secretRef": {"name": "password"}});
    let spec = json!({
        "address": format!("{name}@example.test"), "credentials": credentials, "deletionPolicy": policy,
        "retainFor": if policy == "Delete" { "0s" } else { "720h" },
    });
    object("Mailbox", name, spec)
}
