//! Previews of a MailRepository: a real API server, a real forge (Gitea) that tells of pull requests by its own webhook, and both sinks. A
//! pull request gets a status and one comment with the plan against what runs in the cluster, nothing of it is in force before the
//! merge, and no token is told. Leaves out what a round decides (`forge_previews.rs`) and `mailwright up` (`forge_up.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::mail::{condition, object};
use mailwright_tests::cluster::{ControlPlane, Mail, Operator};
use mailwright_tests::harness::{Gitea, PATIENCE, WorkingCopy, free_port, need, wait_for};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What the MailRepository is called in `kubectl`.
const COMPANY: &str = "mailrepository/company";
/// What the forge signs with.
const HOOK: &str = "what-the-forge-was-told";
/// Nobody restarts an operator here that a busy machine made lose the election.
const LEASE: [&str; 2] = ["--lease-duration=40s", "--renew-deadline=30s"];

/// A repository at the forge that a cluster follows.
struct Company<'a> {
    mail: Mail<'a>,
    forge: Gitea,
    copy: WorkingCopy,
    bot: String,
    port: u16,
    cache: TempDir,
}

impl<'a> Company<'a> {
    fn new(plane: &'a ControlPlane, title: &str) -> Option<Company<'a>> {
        if !need(&["git", "curl"]) {
            return None;
        }
        let forge = Gitea::start()?;
        let repository = json!({"name": "mail", "private": true, "default_branch": "main"});
        forge.api("POST", "/user/repos", Some(repository));
        let bot = forge.person("mailwright", &["write:repository", "write:issue", "read:user"]);
        let write = json!({"permission": "write"});
        forge.api("PUT", "/repos/alice/mail/collaborators/mailwright", Some(write));
        let copy = forge.working_copy("alice/mail");
        let mail = Mail::new(plane, title);
        mail.declare();
        let cache = TempDir::new().unwrap();
        let company = Company { mail, forge, copy, bot, port: free_port(), cache };
        company.allow();
        Some(company)
    }

    /// The ServiceAccount that applies, and the Secrets.
    fn allow(&self) {
        self.mail.account("deployer", &["mailboxes"], &["get", "create", "update", "patch", "delete"]);
        let secret = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        self.mail.apply_all(&[
            secret("git", json!({"username": "mailwright", "password": self.bot})),
            secret("forge", json!({"token": self.bot})),
            secret("hook", json!({"token": HOOK})),
        ]);
    }

    fn operator(&self) -> Operator {
        let endpoint = self.mail.pod.management_endpoint();
        let cache = format!("--cache={}", self.cache.path().display());
        let listen = format!("--webhook-listen=127.0.0.1:{}", self.port);
        let namespace = self.mail.namespace.as_str();
        let arguments = ["--watch-namespace", namespace, &endpoint, &cache, &listen, LEASE[0], LEASE[1]];
        let mut operator = self.mail.plane.operator(self.mail.plane.admin(), namespace, &arguments);
        operator.wait_ready();
        operator
    }

    /// Makes the MailRepository, looked at once an hour or when a webhook says so, and tells the forge where it goes.
    fn follow(&self, sink: &str) {
        let mut spec = json!({
            "url": self.forge.url("alice/mail"), "ref": {"branch": "main"}, "interval": "1h", "sink": sink,
            "secretRef": {"name": "git"}, "serviceAccountName": "deployer",
            "webhook": {"provider": "Gitea", "secretRef": {"name": "hook"}},
            "previews": {
                "provider": "Gitea", "apiURL": self.forge.api_url(), "refs": ["refs/pull/*/head"],
                "secretRef": {"name": "forge"},
            },
        });
        if sink == "Database" {
            spec["serverRef"] = json!({"name": "mail"});
        }
        self.mail.apply(&object("MailRepository", "company", spec));
        let found = self.until(|found| condition(found, "Ready")["reason"] == "Reconciled");
        let path = found["status"]["webhookPath"].as_str().unwrap();
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let config = json!({"url": url, "content_type": "json", "secret": HOOK});
        let events = ["push", "pull_request", "pull_request_sync"];
        let hook = json!({"type": "gitea", "active": true, "events": events, "config": config});
        self.forge.api("POST", "/repos/alice/mail/hooks", Some(hook));
    }

    #[track_caller]
    fn until(&self, probe: impl Fn(&Value) -> bool) -> Value {
        self.mail.kubectl.wait_until(&self.mail.namespace, COMPANY, PATIENCE * 2, probe)
    }

    /// Text and number of the one comment, once it says `word`.
    #[track_caller]
    fn comment(&self, number: u64, word: &str) -> (u64, String) {
        wait_for(&format!("a comment about {word}"), PATIENCE, || {
            let path = format!("/repos/alice/mail/issues/{number}/comments");
            let comments = self.forge.api("GET", &path, None);
            let comments = comments.as_array().unwrap();
            assert!(comments.len() <= 1, "{comments:?}");
            let comment = comments.first()?;
            assert_eq!(comment["user"]["login"], "mailwright");
            let text = comment["body"].as_str()?.to_owned();
            text.contains(word).then(|| (comment["id"].as_u64().unwrap(), text))
        })
    }

    /// The description of the commit's status, once it is `state`.
    #[track_caller]
    fn status(&self, commit: &str, state: &str) -> String {
        wait_for(&format!("the status {state}"), PATIENCE, || {
            let status = self.forge.api("GET", &format!("/repos/alice/mail/commits/{commit}/status"), None);
            let ours = &status["statuses"][0];
            let fits = ours["context"] == "mailwright/plan" && ours["status"] == state;
            fits.then(|| ours["description"].as_str().unwrap().to_owned())
        })
    }

    /// The preview that the MailRepository tells of.
    #[track_caller]
    fn told(&self, number: u64, commit: &str) -> Value {
        let found = self.until(|found| found["status"]["previews"][0]["commit"] == commit);
        let preview = found["status"]["previews"][0].clone();
        assert_eq!(preview["ref"], format!("refs/pull/{number}/head"));
        assert_eq!(condition(&found, "Ready")["reason"], "Reconciled", "{found}");
        preview
    }

    /// Whether the account database has a mailbox of example.test.
    fn has(&self, name: &str) -> bool {
        let address = format!("{name}@example.test");
        let rows = self.mail.rows();
        rows["mailboxes"].as_array().unwrap().iter().any(|row| row["declared"]["address"] == address.as_str())
    }
}

fn mailbox(name: &str) -> String {
    format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: {name}}}\nspec: {{address: {name}@example.test}}\n"
    )
}

/// From a pull request to a mailbox.
fn previewed(title: &str, sink: &str) {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, title) else { return };
    let operator = company.operator();
    company.copy.push("main", "bob.yaml", &mailbox("bob"));
    company.follow(sink);

    company.copy.git(&["checkout", "--quiet", "-b", "change"]);
    let first = company.copy.push("change", "carol.yaml", &mailbox("carol"));
    let begun = Instant::now();
    let pull = json!({"title": "Carol comes", "head": "change", "base": "main"});
    let pull = company.forge.api("POST", "/repos/alice/mail/pulls", Some(pull));
    let number = pull["number"].as_u64().unwrap();
    let description = company.status(&first, "success");
    println!("sink {sink}: from the pull request to its status: {:?}", begun.elapsed());
    let (comment, text) = company.comment(number, "carol@example.test");
    assert!(!text.contains("bob@example.test"), "bob is in force: {text}");
    let preview = company.told(number, &first);
    let digest = preview["digest"].as_str().unwrap();
    assert!(description.contains(&digest[..16]) || text.contains(&digest[..16]), "{description} {text}");
    assert!(preview["postedAt"].is_string(), "{preview}");

    // What is wrong is told where it stands, and then what it is after the correction.
    let wrong =
        company.copy.push("change", "dave.yaml", &mailbox("dave").replace("dave@example.test", "dave"));
    company.status(&wrong, "failure");
    let (same, text) = company.comment(number, "dave.yaml");
    assert_eq!(same, comment, "{text}");
    let right = company.copy.push("change", "dave.yaml", &mailbox("dave"));
    company.status(&right, "success");
    let (same, text) = company.comment(number, "dave@example.test");
    assert!(same == comment && text.contains("carol@example.test"), "{text}");
    let other = company.told(number, &right);
    assert_ne!(other["digest"], digest);
    assert!(!company.has("carol") && !company.has("dave"), "nothing of it is in force");

    company.forge.merge("alice/mail", number);
    for name in ["carol", "dave"] {
        wait_for(name, PATIENCE, || company.has(name).then_some(()));
    }
    // What is closed is left alone.
    std::thread::sleep(Duration::from_secs(6));
    company.comment(number, "dave@example.test");
    let everything = [operator.log(), company.until(|_| true).to_string(), operator.metrics()];
    for text in everything {
        assert!(!text.contains(&company.bot) && !text.contains(HOOK), "{text}");
    }
    assert!(operator.metrics().contains("mailwright_operator_previews_total{result=\"posted\"} 3"));
}

#[test]
fn a_pull_request_is_planned_against_the_rows() {
    previewed("previews-rows", "Database");
}

#[test]
fn a_pull_request_is_planned_against_the_objects() {
    previewed("previews-objects", "Resources");
}

#[test]
fn what_cannot_be_posted_is_told_and_the_branch_is_followed() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "previews-refused") else { return };
    let _operator = company.operator();
    company.copy.push("main", "bob.yaml", &mailbox("bob"));
    company.follow("Resources");
    let secret = |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "forge"}, "stringData": data});
    company.mail.apply(&secret(json!({"token": "of-nobody"})));
    company.copy.git(&["checkout", "--quiet", "-b", "change"]);
    company.copy.push("change", "carol.yaml", &mailbox("carol"));
    let pull = json!({"title": "Carol comes", "head": "change", "base": "main"});
    company.forge.api("POST", "/repos/alice/mail/pulls", Some(pull));
    let event = wait_for("the event", PATIENCE * 2, || {
        let events = company.mail.kubectl.list(&company.mail.namespace, "events.events.k8s.io");
        events.into_iter().find(|event| event["reason"] == "PreviewFailed")
    });
    assert_eq!((&event["type"], &event["regarding"]["name"]), (&json!("Warning"), &json!("company")));
    assert!(!event.to_string().contains("of-nobody"), "{event}");
    company.until(|found| condition(found, "Ready")["reason"] == "Reconciled");

    // Without the Secret there is nobody to tell, which is a condition; what is pushed is in force all the same.
    company.mail.delete("secret/forge");
    company.copy.git(&["checkout", "--quiet", "main"]);
    let commit = company.copy.push("main", "dave.yaml", &mailbox("dave"));
    let found = company.until(|found| {
        found["status"]["lastAppliedRevision"] == format!("main@sha1:{commit}")
            && condition(found, "Ready")["reason"] == "SecretNotFound"
    });
    let message = condition(&found, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("forge") && message.contains("token"), "{message}");
    wait_for("dave", PATIENCE, || company.has("dave").then_some(()));
}
