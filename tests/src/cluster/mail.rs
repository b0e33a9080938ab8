//! One MailServer in a namespace of its own on a control plane, with the process that is its pod: what tests of the whole chain
//! begin with, and how they look at it. Who runs operators beside it, and how many, is theirs.

use super::{ControlPlane, Kubectl, Plugin, Pod};
use crate::harness::{Output, PATIENCE, mailwright, run, wait_for, wire};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The password of everybody here; its own word, so that it can be searched for.
pub const PASSWORD: &str = "sentinel-of-mail-51c7";

/// The data directory of the MailServer of this namespace and name.
///
/// # Panics
/// When it has none yet.
#[track_caller]
pub fn data(plane: &ControlPlane, namespace: &str, name: &str) -> PathBuf {
    let claim = plane.kubectl().get(namespace, &format!("persistentvolumeclaim/data-{name}-0"));
    let volume = claim["spec"]["volumeName"].as_str().expect("a volume");
    plane.dir().join("volumes").join(volume)
}

/// The rows of the account database in a data directory.
///
/// # Panics
/// When they cannot be read.
#[track_caller]
pub fn rows(data: &Path) -> Value {
    let words = ["observe", "--output", "json"];
    let output = run(Command::new(mailwright()).arg("--data").arg(data).args(words)).ok();
    serde_json::from_str(&output.stdout).expect("rows are JSON")
}

/// A namespace with, once an operator runs, a mail server called `mail`.
pub struct Mail<'a> {
    /// Of which cluster.
    pub plane: &'a ControlPlane,
    /// kubectl of somebody who may do everything.
    pub kubectl: Kubectl,
    /// Where everything is.
    pub namespace: String,
    /// What the MailServer is called.
    pub name: String,
    /// The pod of the MailServer.
    pub pod: Pod,
}

impl<'a> Mail<'a> {
    /// The namespace of a server `mail` and its pod's follower; nothing is declared. The namespace is called after `title`.
    pub fn new(plane: &'a ControlPlane, title: &str) -> Mail<'a> {
        Mail::of(plane, title, "mail")
    }

    /// The same for a MailServer that is called `name`.
    pub fn of(plane: &'a ControlPlane, title: &str, name: &str) -> Mail<'a> {
        plane.install_crds();
        let kubectl = plane.kubectl();
        let namespace = kubectl.namespace(title);
        let pod = plane.pod(&namespace, name);
        Mail { plane, kubectl, namespace, name: name.to_owned(), pod }
    }

    /// Declares the server, example.test, its postmaster and `witness@example.test`, whose mail is to arrive whatever happens.
    #[track_caller]
    pub fn declare(&self) {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password"},
            "stringData": {"password": PASSWORD},
        }));
        self.apply(&object("MailServer", "mail", server_spec()));
        self.apply(&object("MailDomain", "example", domain("example.test")));
        for name in ["postmaster", "witness"] {
            self.apply(&mailbox(name));
        }
    }

    /// Applies an object in the namespace.
    #[track_caller]
    pub fn apply(&self, object: &Value) {
        self.kubectl.apply_with(&object.to_string(), &["--namespace", &self.namespace]).ok();
    }

    /// Applies many at once.
    #[track_caller]
    pub fn apply_all(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.apply(&list);
    }

    /// A ServiceAccount of the namespace that may do this to these resources of mailwright.dev, and nothing else.
    #[track_caller]
    pub fn account(&self, name: &str, resources: &[&str], verbs: &[&str]) {
        let (api, metadata) = ("rbac.authorization.k8s.io", json!({"name": name}));
        let rules = json!([{"apiGroups": ["mailwright.dev"], "resources": resources, "verbs": verbs}]);
        let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": self.namespace});
        self.apply_all(&[
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
            json!({"apiVersion": format!("{api}/v1"), "kind": "Role", "metadata": metadata, "rules": rules}),
            json!({
                "apiVersion": format!("{api}/v1"), "kind": "RoleBinding", "metadata": metadata,
                "roleRef": {"apiGroup": api, "kind": "Role", "name": name}, "subjects": [subject],
            }),
        ]);
    }

    /// Deletes one and waits until it is gone.
    #[track_caller]
    pub fn delete(&self, what: &str) {
        let words = ["delete", what, "--namespace", &self.namespace, "--timeout=60s", "--ignore-not-found"];
        self.kubectl.run(&words).ok();
    }

    /// Waits until `what` is Ready in its present generation.
    #[track_caller]
    pub fn ready(&self, what: &str) -> Value {
        self.kubectl.wait_until(&self.namespace, what, PATIENCE * 2, is_ready)
    }

    /// Waits until `what` has this condition, whose message must name the `step`, and answers the message.
    #[track_caller]
    pub fn says(&self, what: &str, type_: &str, expected: &str, step: &str) -> String {
        let found = self.kubectl.wait_until(&self.namespace, what, PATIENCE * 2, |object| {
            let found = condition(object, type_);
            let text = |field: &str| found[field].as_str().unwrap_or_default();
            format!("{} {}", text("status"), text("reason")) == expected && text("message").contains(step)
        });
        condition(&found, type_)["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The rows of the account database.
    ///
    /// # Panics
    /// When the server does not say.
    #[track_caller]
    pub fn rows(&self) -> Value {
        rows(&self.data())
    }

    /// `mailwright` with these words in the pod, as `kubectl exec` runs it.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Output {
        run(Command::new(mailwright()).arg("--data").arg(self.data()).args(words))
    }

    /// `kubectl mailwright` with this line of words, in this namespace.
    #[track_caller]
    pub fn plugin(&self, line: &str) -> Output {
        Plugin::new(self.plane, &self.namespace, self.data()).run(&self.kubectl, line)
    }

    /// Where the pod's volume is.
    ///
    /// # Panics
    /// When it has none yet.
    #[track_caller]
    pub fn data(&self) -> PathBuf {
        data(self.plane, &self.namespace, &self.name)
    }

    /// What the mail server has printed.
    pub fn log(&self) -> String {
        self.plane.guard().log(&format!("{}-{}-0", self.namespace, self.name))
    }

    /// Whether an account of example.test can log in; `None` while nobody answers.
    pub fn logs_in(&self, name: &str) -> Option<bool> {
        Some(self.imap(name)?.1)
    }

    /// Sends `witness@example.test` a message and reads it by IMAP.
    ///
    /// # Panics
    /// When it does not arrive.
    #[track_caller]
    pub fn witness(&self, subject: &str) {
        let sent = wire::Wire::connect_to(self.pod.address(), 2525).and_then(|mut smtp| {
            smtp.reply()?;
            smtp.smtp("EHLO client.example.org")?;
            let message = format!("From: carol@example.org\r\nSubject: {subject}\r\n\r\nhello");
            wire::send(&mut smtp, "carol@example.org", &["witness@example.test"], &message)
        });
        let reply = sent.unwrap_or_else(|error| panic!("{subject}: nobody takes mail: {error}"));
        assert!(reply.starts_with("250"), "{subject}: {reply}");
        wait_for(&format!("the message {subject}"), PATIENCE, || {
            let (mut imap, true) = self.imap("witness")? else { return None };
            imap.imap("b", "SELECT INBOX").ok()?;
            let found = imap.imap("c", &format!("SEARCH SUBJECT \"{subject}\"")).ok()?;
            let line = found.lines().find(|line| line.starts_with("* SEARCH"))?;
            line.chars().any(|it| it.is_ascii_digit()).then_some(())
        });
    }

    fn imap(&self, name: &str) -> Option<(wire::Wire, bool)> {
        let mut wire = wire::Wire::connect_to(self.pod.address(), 1143).ok()?;
        wire.line().ok()?;
        let answer = wire.imap("a", &format!("LOGIN {name}@example.test {PASSWORD}")).ok()?;
        Some((wire, answer.contains("a OK")))
    }
}

/// The condition of this type, or null.
pub fn condition<'v>(object: &'v Value, type_: &str) -> &'v Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.and_then(|all| all.iter().find(|it| it["type"] == type_)).unwrap_or(&Value::Null)
}

/// Whether it is Ready as it is declared now.
pub fn is_ready(object: &Value) -> bool {
    condition(object, "Ready")["status"] == "True"
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// A resource of ours.
pub fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// The server of these tests.
pub fn server_spec() -> Value {
    json!({
        "hostname": "mail.example.test", "service": {"type": "ClusterIP"}, "auth": {"plaintextOnLoopback": true},
    })
}

/// A domain of the server `mail`.
pub fn domain(name: &str) -> Value {
    json!({"serverRef": {"name": "mail"}, "domain": name})
}

/// A mailbox of example.test with everybody's password.
pub fn mailbox(name: &str) -> Value {
    let spec = json!({
        "address": format!("{name}@example.test"), "credentials": {"secretRef": {"name": "password"}},
    });
    object("Mailbox", name, spec)
}

/// An alias.
pub fn alias(name: &str, address: &str, target: &str) -> Value {
    object("Alias", name, json!({"address": address, "targets": [target]}))
}
