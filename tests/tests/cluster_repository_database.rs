//! MailRepositories with `sink: Database` against a real API server, a mail pod beside it and a real Git server: accounts without an
//! object each, by the rights of a ServiceAccount, and what `kubectl mailwright` tells of them. Leaves out following a repository
//! (`cluster_repository.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::mail::{PASSWORD, condition, object};
use mailwright_tests::cluster::{ControlPlane, Mail, Mark, Operator};
use mailwright_tests::harness::{GitServer, PATIENCE, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the MailRepository is called in `kubectl`.
const COMPANY: &str = "mailrepository/company";

/// Nobody restarts an operator here that a busy machine made lose the election.
const LEASE: [&str; 2] = ["--lease-duration=40s", "--renew-deadline=30s"];

/// A mail server with `example.test`, a Git server, and a MailRepository that nobody has made yet.
struct Company<'a> {
    mail: Mail<'a>,
    git: GitServer,
    tree: TempDir,
}

impl<'a> Company<'a> {
    fn new(plane: &'a ControlPlane, title: &str, allowed: &[&str]) -> Option<Company<'a>> {
        let git = GitServer::start()?;
        let mail = Mail::new(plane, title);
        mail.declare();
        let company = Company { mail, git, tree: TempDir::new().unwrap() };
        company.allow(allowed);
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: people}\nstringData: {password: ";
        company.write("secret.yaml", &format!("{secret}{PASSWORD}}}\n"));
        Some(company)
    }

    fn operator(&self) -> Operator {
        let endpoint = self.mail.pod.management_endpoint();
        let cache = format!("--cache={}", self.tree.path().join("cache").display());
        let arguments =
            ["--watch-namespace", self.mail.namespace.as_str(), &endpoint, &cache, LEASE[0], LEASE[1]];
        self.mail.plane.operator(self.mail.plane.admin(), &self.mail.namespace, &arguments)
    }

    /// The ServiceAccount `deployer`, and what it may change.
    fn allow(&self, resources: &[&str]) {
        self.mail.account("deployer", resources, &["create", "update", "delete"]);
    }

    /// Makes or changes the MailRepository; `more` is more of its spec.
    fn follow(&self, more: &Value) {
        let mut spec = json!({
            "url": self.git.url(), "ref": {"branch": "main"}, "path": "mail/", "interval": "5s", "sink": "Database",
            "serverRef": {"name": "mail"}, "serviceAccountName": "deployer",
            "guards": {"maxRemoved": 20, "maxRemovedPercent": 50},
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.mail.apply(&object("MailRepository", "company", spec));
    }

    fn write(&self, file: &str, text: &str) {
        let directory = self.tree.path().join("work/mail");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(file), text).unwrap();
    }

    fn mailbox(&self, name: &str, more: &str) {
        self.write(&format!("{name}.yaml"), &mailbox(name, more));
    }

    fn push(&self, subject: &str) -> String {
        self.git.push(&self.tree.path().join("work"), subject)
    }

    /// Waits until the commit is in force as a whole.
    #[track_caller]
    fn applied(&self, commit: &str) -> Value {
        let revision = format!("main@sha1:{commit}");
        self.mail.kubectl.wait_until(&self.mail.namespace, COMPANY, PATIENCE * 2, |found| {
            found["status"]["lastAppliedRevision"] == revision.as_str()
                && condition(found, "Ready")["reason"] == "Reconciled"
        })
    }

    fn source(&self) -> String {
        format!("repository/{}/company", self.mail.namespace)
    }

    /// The row of a mailbox of example.test.
    fn row(&self, name: &str) -> Option<Value> {
        let address = format!("{name}@example.test");
        let rows = self.mail.rows();
        let found = rows["mailboxes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["declared"]["address"] == address.as_str());
        found.cloned()
    }

    #[track_caller]
    fn logs_in(&self, name: &str, expected: bool) {
        wait_for(&format!("the login of {name} to be {expected}"), PATIENCE, || {
            (self.mail.logs_in(name) == Some(expected)).then_some(())
        });
    }

    /// How often it was asked whether somebody may do something.
    fn reviews(&self, since: Mark) -> usize {
        let all = self.mail.plane.audit().since(since);
        all.iter()
            .filter(|it| it.resource == "subjectaccessreviews" && asks_for(&it.event, &self.mail.namespace))
            .count()
    }
}

/// Whether a review is about the deployer of this namespace: other tests ask at the same time about theirs.
fn asks_for(event: &Value, namespace: &str) -> bool {
    let user = event.pointer("/requestObject/spec/user").and_then(Value::as_str);
    let user = user.unwrap_or_else(|| panic!("the audit log has no body: {event}"));
    user == format!("system:serviceaccount:{namespace}:deployer")
}

fn mailbox(name: &str, more: &str) -> String {
    format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: {name}}}\nspec:\n  address: \
         {name}@example.test\n  credentials: {{secretRef: {{name: people}}}}\n{more}"
    )
}

fn alias(name: &str, target: &str) -> String {
    format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {{name: {name}}}\nspec: {{address: {name}@example.test, \
         targets: [{target}@example.test]}}\n"
    )
}

const ALL: [&str; 3] = ["maildomains", "mailboxes", "aliases"];

#[test]
fn accounts_come_and_go_without_an_object_each() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "straight", &ALL) else { return };
    let mut operator = company.operator();
    operator.wait_ready();
    company.mailbox("alice", "");
    company.mailbox("bob", "");
    company.write("team.yaml", &alias("team", "alice"));
    company.write(
        "domain.yaml",
        "apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {name: other}\nspec: {serverRef: {name: mail}, \
         domain: other.test, dkim: {keys: [Ed25519]}}\n",
    );
    let first = company.push("mail: two people and a domain");
    company.follow(&json!({}));
    let status = company.applied(&first)["status"].clone();
    assert_eq!((&status["inventory"], &status["plan"]["create"]), (&json!(4), &json!(4)), "{status}");
    company.logs_in("alice", true);
    let alice = company.row("alice").unwrap();
    assert_eq!(alice["owner"]["managedBy"], company.source().as_str(), "{alice}");
    assert_eq!(company.row("witness").unwrap()["owner"]["managedBy"], "kubernetes");
    let objects = company.mail.kubectl.list(&company.mail.namespace, "mailboxes,aliases,maildomains");
    assert_eq!(objects.len(), 3, "example.test, postmaster and witness are the cluster's");
    a_key_is_made_beside_the_server(&company);

    quiet(&company);

    company.mailbox("alice", "  quota: 1Gi\n");
    std::fs::remove_file(company.tree.path().join("work/mail/bob.yaml")).unwrap();
    let second = company.push("mail: bob leaves");
    company.applied(&second);
    assert_eq!(company.row("alice").unwrap()["declared"]["quota"], json!(1u64 << 30));
    assert!(!company.row("bob").unwrap()["removedAt"].is_null(), "out of service, with its mail");
    company.logs_in("bob", false);
    told(&company, &second);

    // The MailRepository goes, and what it declared stays; one of the same name goes on.
    let before = company.mail.rows();
    company.mail.delete(COMPANY);
    company.follow(&json!({}));
    company.applied(&second);
    assert_eq!(company.mail.rows(), before);
    company.mail.witness("after the repository");
}

/// The worker of the MailServer makes the DKIM key of a domain that no object declares.
fn a_key_is_made_beside_the_server(company: &Company<'_>) {
    wait_for("the DKIM key of other.test", PATIENCE * 2, || {
        let secrets = company.mail.kubectl.list(&company.mail.namespace, "secrets");
        let is_of = |secret: &&Value| secret.to_string().contains("other.test");
        secrets.iter().find(is_of).map(|_| ())
    });
}

/// Without a change nothing is written anywhere, and nobody is asked what is allowed.
fn quiet(company: &Company<'_>) {
    let version = || {
        let object = company.mail.kubectl.get(&company.mail.namespace, COMPANY);
        (object["metadata"]["resourceVersion"].clone(), company.mail.rows()["changeCounter"].clone())
    };
    let (before, mark) = (version(), company.mail.plane.audit().mark());
    let asked = company.git.fetches();
    company.git.wait_fetched(asked + 2, PATIENCE * 2);
    assert_eq!(version(), before);
    assert_eq!(company.reviews(mark), 0);
}

/// What the plugin tells of an account that has no object.
fn told(company: &Company<'_>, commit: &str) {
    let history = company.mail.plugin("history alice@example.test").exits(0);
    assert!(
        history.stdout.contains(&commit[..12]) && history.stdout.contains("spec.quota"),
        "{}",
        history.stdout
    );
    let why = company.mail.plugin("why alice@example.test").exits(0);
    let by = format!("mailrepository {}/company", company.mail.namespace);
    for part in [commit, "mail/alice.yaml:1", "alice <alice@example.test>", &by, &company.source()] {
        assert!(why.stdout.contains(part), "{part} is not in {}", why.stdout);
    }
    company.mail.plugin("why nobody@example.test").exits(1).says("there is no nobody@example.test");
}

#[test]
fn what_the_account_may_not_is_told_with_the_remedy_and_the_rest_is_applied() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "refused", &["aliases"]) else { return };
    let mut operator = company.operator();
    operator.wait_ready();
    company.mailbox("alice", "");
    company.write("team.yaml", &alias("team", "witness"));
    // Somebody else's: the same address as an object of the cluster.
    company.write("mine.yaml", &alias("witness", "postmaster"));
    company.push("mail: more than is allowed");
    company.follow(&json!({}));
    let says = |type_: &str, expected: &str, step: &str| company.mail.says(COMPANY, type_, expected, step);
    let message = says("PlanAccepted", "False HeldByGuard", "may not create mailboxes in the namespace");
    assert!(message.contains("kubectl create rolebinding"), "{message}");
    wait_for("the alias", PATIENCE, || {
        let rows = company.mail.rows();
        rows["aliases"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["declared"]["address"] == "team@example.test")
            .then_some(())
    });
    let status = company.mail.kubectl.get(&company.mail.namespace, COMPANY)["status"].clone();
    assert!(status["failures"].to_string().contains("witness@example.test"), "{status}");
    assert!(company.row("alice").is_none());
    assert_eq!(company.row("witness").unwrap()["owner"]["managedBy"], "kubernetes");
    company.mail.witness("while somebody tries");

    // With the right it is applied, without another push.
    company.allow(&ALL);
    company.logs_in("alice", true);

    // Nobody in whose name it could be.
    let unnamed = json!([{"op": "remove", "path": "/spec/serviceAccountName"}]).to_string();
    let words =
        ["patch", COMPANY, "--namespace", &company.mail.namespace, "--type=json", "--patch", &unnamed];
    company.mail.kubectl.run(&words).ok();
    says("Ready", "False AccessDenied", "serviceAccountName is missing");
    company.logs_in("alice", true);
}

/// No object in the cluster tells of the domain, nobody pushes, and the repository is looked at once an hour.
#[test]
fn a_domain_that_somebody_else_brings_later_is_seen_in_the_database() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "late", &ALL) else { return };
    let mut operator = company.operator();
    operator.wait_ready();
    company.mailbox("alice", "");
    company.write(
        "late.yaml",
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: late}\nspec: {address: late@other.test}\n",
    );
    let waits = company.push("mail: somebody of a domain that nobody has declared");
    company.follow(&json!({"interval": "1h"}));
    company.mail.says(COMPANY, "Ready", "False PartiallyApplied", "there is no MailDomain for other.test");
    company.logs_in("alice", true);

    let directory = company.tree.path().join("work/domains");
    std::fs::create_dir_all(&directory).unwrap();
    let domain = "apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {name: other}\nspec: {serverRef: {name: mail}, domain: \
                  other.test}\n";
    std::fs::write(directory.join("other.yaml"), domain).unwrap();
    company.push("domains: other.test");
    let spec = json!({
        "url": company.git.url(), "ref": {"branch": "main"}, "path": "domains/", "interval": "1h", "sink": "Database",
        "serverRef": {"name": "mail"}, "serviceAccountName": "deployer",
    });
    company.mail.apply(&object("MailRepository", "domains", spec));
    company.applied(&waits);
    let rows = company.mail.rows();
    let late = rows["mailboxes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["declared"]["address"] == "late@other.test");
    assert_eq!(late.unwrap()["owner"]["managedBy"], company.source().as_str());
}

#[test]
fn a_plan_waits_for_kubectl_mailwright_approve() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "approved", &ALL) else { return };
    let mut operator = company.operator();
    operator.wait_ready();
    company.mailbox("alice", "");
    company.push("mail: alice");
    company.follow(&json!({"approval": "Always"}));
    company.mail.says(COMPANY, "PlanAccepted", "False ApprovalNeeded", "wait for an approval");
    assert!(company.row("alice").is_none());
    company.mail.plugin("approve fedcba9876543210").exits(1).says("no plan of this digest waits");
    let digest =
        company.mail.kubectl.get(&company.mail.namespace, COMPANY)["status"]["plan"]["digest"].clone();
    let digest = digest.as_str().unwrap();
    company
        .mail
        .plugin(&format!("approve {}", &digest[..16]))
        .exits(0)
        .says("is approved for the mailrepository");
    company.logs_in("alice", true);
    let why = company.mail.plugin("why alice@example.test").exits(0);
    assert!(why.stdout.contains("approved by") && why.stdout.contains("annotation"), "{}", why.stdout);

    // It dies with its plan.
    company.mailbox("bob", "");
    company.push("mail: bob");
    company.mail.says(COMPANY, "PlanAccepted", "False ApprovalNeeded", "wait for an approval");
    assert!(company.row("bob").is_none());
}

#[test]
fn a_new_leader_goes_on_and_the_old_one_writes_nothing() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "leaders", &ALL) else { return };
    let mut first = company.operator();
    first.wait_ready();
    for number in 0..40 {
        company.mailbox(&format!("m{number}"), "");
    }
    let pushed = company.push("mail: forty");
    company.follow(&json!({}));
    // Killed while it may be anywhere between fetching and the status.
    company.git.wait_fetched(0, PATIENCE);
    first.kill();
    let mut second = company.operator();
    second.wait_ready();
    company.applied(&pushed);
    let rows = company.mail.rows();
    let own = |row: &&Value| row["owner"]["managedBy"] == company.source().as_str();
    assert_eq!(rows["mailboxes"].as_array().unwrap().iter().filter(own).count(), 40);
    let history = company.mail.plugin("history --limit 1000 -o json").exits(0);
    let creates = history.stdout.matches("m0@example.test").count();
    assert!(creates > 0, "{}", history.stdout);
    quiet(&company);
}
