//! What every test here begins with: a mail server with `example.test`, a Git server, a ServiceAccount that may change mailboxes and
//! aliases, and a MailRepository that nobody has made yet.

use std::sync::atomic::{AtomicUsize, Ordering};

use mailwright_tests::cluster::mail::{condition, object};
use mailwright_tests::cluster::{ControlPlane, Mail, Operator, Write};
use mailwright_tests::harness::{GitServer, PATIENCE};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the MailRepository is called in `kubectl`.
pub const COMPANY: &str = "mailrepository/company";

/// Nobody restarts an operator here that a busy machine made lose the election.
pub const LEASE: [&str; 2] = ["--lease-duration=40s", "--renew-deadline=30s"];

pub struct Company<'a> {
    pub mail: Mail<'a>,
    pub git: GitServer,
    pub tree: TempDir,
    operators: AtomicUsize,
}

impl<'a> Company<'a> {
    pub fn new(plane: &'a ControlPlane, title: &str) -> Option<Company<'a>> {
        let git = GitServer::start()?;
        let mail = Mail::new(plane, title);
        mail.declare();
        let company = Company { mail, git, tree: TempDir::new().unwrap(), operators: AtomicUsize::new(0) };
        company.allow(&["mailboxes", "aliases"]);
        Some(company)
    }

    /// An operator that stays the leader on a busy machine; `more` are more arguments.
    pub fn operator(&self, more: &[&str]) -> Operator {
        self.electable(&[&LEASE, more].concat())
    }

    /// Ends an operator and starts another, which knows what is in the cluster and nothing else.
    pub fn another(&self, mut operator: Operator) -> Operator {
        operator.signal("TERM");
        operator.wait(PATIENCE);
        let mut operator = self.operator(&[]);
        operator.wait_ready();
        operator
    }

    /// An operator with the usual election.
    pub fn electable(&self, more: &[&str]) -> Operator {
        let endpoint = self.mail.pod.management_endpoint();
        // Each process has its own, as each pod has.
        let number = self.operators.fetch_add(1, Ordering::SeqCst);
        let cache = format!("--cache={}", self.tree.path().join(format!("cache-{number}")).display());
        let mut arguments = vec!["--watch-namespace", self.mail.namespace.as_str(), &endpoint, &cache];
        arguments.extend(more);
        self.mail.plane.operator(self.mail.plane.admin(), &self.mail.namespace, &arguments)
    }

    /// The ServiceAccount `deployer`, and what it may change.
    pub fn allow(&self, resources: &[&str]) {
        self.mail.account("deployer", resources, &["get", "create", "patch", "delete"]);
    }

    /// Makes or changes the MailRepository; `more` is more of its spec.
    pub fn follow(&self, more: &Value) {
        self.follow_as("company", more);
    }

    /// The same of a MailRepository of another name.
    pub fn follow_as(&self, name: &str, more: &Value) {
        let mut spec = json!({
            "url": self.git.url(), "ref": {"branch": "main"}, "path": "mail/", "interval": "5s",
            "serviceAccountName": "deployer", "guards": {"maxRemoved": 20, "maxRemovedPercent": 50},
        });
        let fields = spec.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        fields.retain(|_, value| !value.is_null());
        self.mail.apply(&object("MailRepository", name, spec));
    }

    pub fn write(&self, file: &str, text: &str) {
        let file = self.tree.path().join("work/mail").join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    pub fn remove(&self, file: &str) {
        std::fs::remove_file(self.tree.path().join("work/mail").join(file)).unwrap();
    }

    pub fn mailbox(&self, name: &str, more: &str) {
        self.write(&format!("{name}.yaml"), &mailbox(name, name, more));
    }

    pub fn push(&self, message: &str) -> String {
        self.git.push(&self.tree.path().join("work"), message)
    }

    /// Waits until Ready has this reason; the whole object.
    #[track_caller]
    pub fn until(&self, reason: &str) -> Value {
        let is = |found: &Value| {
            condition(found, "Ready")["reason"] == reason
                && found["status"]["observedGeneration"] == found["metadata"]["generation"]
        };
        self.mail.kubectl.wait_until(&self.mail.namespace, COMPANY, PATIENCE * 2, is)
    }

    /// Waits until the commit was looked at and Ready has this reason; the whole object.
    #[track_caller]
    pub fn attempted(&self, commit: &str, reason: &str) -> Value {
        let revision = format!("main@sha1:{commit}");
        self.mail.kubectl.wait_until(&self.mail.namespace, COMPANY, PATIENCE * 2, |found| {
            found["status"]["lastAttemptedRevision"] == revision.as_str()
                && condition(found, "Ready")["reason"] == reason
        })
    }

    /// Waits until the commit is in force as a whole.
    #[track_caller]
    pub fn applied(&self, commit: &str) -> Value {
        let found = self.attempted(commit, "Reconciled");
        assert_eq!(found["status"]["lastAppliedRevision"], format!("main@sha1:{commit}"));
        found
    }

    pub fn get(&self, what: &str) -> Value {
        self.mail.kubectl.get(&self.mail.namespace, what)
    }

    #[track_caller]
    pub fn gone(&self, what: &str) {
        self.mail.kubectl.wait_until(&self.mail.namespace, what, PATIENCE * 2, Value::is_null);
    }

    /// All of these mailboxes exist.
    #[track_caller]
    pub fn everybody(&self, names: &[&str], when: &str) {
        for name in names {
            assert!(!self.get(&format!("mailbox/{name}")).is_null(), "{when}: {name} is gone");
        }
    }

    /// `kubectl patch`, behind the repository's back.
    pub fn patch(&self, what: &str, patch: &Value) {
        let patch = patch.to_string();
        let words = ["patch", what, "--type=merge", "--namespace", &self.mail.namespace, "--patch", &patch];
        self.mail.kubectl.run(&words).ok();
    }

    /// `kubectl annotate` of the MailRepository.
    pub fn annotate(&self, annotation: &str) {
        let words = ["annotate", COMPANY, annotation, "--overwrite", "--namespace", &self.mail.namespace];
        self.mail.kubectl.run(&words).ok();
    }

    /// Has it looked at anew, and waits until it was.
    #[track_caller]
    pub fn look_again(&self, word: &str) -> Value {
        self.annotate(&format!("mailwright.dev/requestedAt={word}"));
        self.mail.kubectl.wait_until(&self.mail.namespace, COMPANY, PATIENCE * 2, |found| {
            found["status"]["lastHandledReconcileAt"] == word
        })
    }

    /// The row of a mailbox of example.test.
    pub fn row(&self, name: &str) -> Option<Value> {
        let address = format!("{name}@example.test");
        let rows = self.mail.rows();
        let mut rows = rows["mailboxes"].as_array().unwrap().iter();
        rows.find(|row| row["declared"]["address"] == address.as_str()).cloned()
    }

    /// Every write to Mailboxes and Aliases of this company, statuses left out.
    pub fn written(&self, since: mailwright_tests::cluster::Mark) -> Vec<Write> {
        let all = self.mail.plane.audit().since(since);
        let is_ours = |it: &Write| {
            it.namespace == self.mail.namespace && matches!(it.resource.as_str(), "mailboxes" | "aliases")
        };
        all.into_iter().filter(is_ours).collect()
    }

    /// Names and versions of all objects.
    pub fn versions(&self) -> Vec<String> {
        let objects = self.mail.kubectl.list(&self.mail.namespace, "mailboxes,aliases,mailrepositories");
        let version = |object: &Value| {
            let name = object["metadata"]["name"].as_str().unwrap();
            format!("{name} {}", object["metadata"]["resourceVersion"])
        };
        objects.iter().map(version).collect()
    }
}

/// The manifest of a Mailbox that is called `name` and has the address of `local`.
pub fn mailbox(name: &str, local: &str, more: &str) -> String {
    format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: {name}}}\nspec:\n  address: \
         {local}@example.test\n  credentials: {{secretRef: {{name: password, key: password}}}}\n{more}"
    )
}
