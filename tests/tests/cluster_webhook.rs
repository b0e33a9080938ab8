//! Webhooks of MailRepositories against a real API server: a real `git push`, real HTTP to two operators of which one leads, signatures by
//! Python. Leaves out what is refused before it is judged (`operator/src/webhook/`) and `mailwright up` (`clients_webhook.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::mail::{PASSWORD, condition, object};
use mailwright_tests::cluster::{ControlPlane, Mail, Operator};
use mailwright_tests::harness::{GitServer, PATIENCE, free_port, need, root, run, wait_for};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What the MailRepository is called in `kubectl`.
const COMPANY: &str = "mailrepository/company";
/// The token of its webhook.
const TOKEN: &str = "a-token-of-twenty-three";
/// Nobody restarts an operator here that a busy machine made lose the election.
const LEASE: [&str; 2] = ["--lease-duration=40s", "--renew-deadline=30s"];

/// An operator that takes webhooks.
struct Replica {
    operator: Operator,
    port: u16,
}

/// A mail server, and a MailRepository that is looked at once an hour unless a webhook says so.
struct Company<'a> {
    mail: Mail<'a>,
    git: GitServer,
    tree: TempDir,
}

impl<'a> Company<'a> {
    fn new(plane: &'a ControlPlane, title: &str) -> Option<Company<'a>> {
        if !need(&["python3"]) {
            return None;
        }
        let git = GitServer::start()?;
        let mail = Mail::new(plane, title);
        mail.declare();
        let company = Company { mail, git, tree: TempDir::new().unwrap() };
        company.mail.account("deployer", &["mailboxes"], &["get", "create", "update", "patch", "delete"]);
        company.mail.apply(
            &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook"}, "stringData": {"token": TOKEN}}),
        );
        Some(company)
    }

    fn replica(&self, name: &str) -> Replica {
        let port = free_port();
        let endpoint = self.mail.pod.management_endpoint();
        let cache = format!("--cache={}", self.tree.path().join(name).display());
        let listen = format!("--webhook-listen=127.0.0.1:{port}");
        let namespace = self.mail.namespace.as_str();
        let arguments = ["--watch-namespace", namespace, &endpoint, &cache, &listen, LEASE[0], LEASE[1]];
        let operator = self.mail.plane.operator(self.mail.plane.admin(), namespace, &arguments);
        Replica { operator, port }
    }

    /// Makes or changes the MailRepository, and waits until that is in force.
    #[track_caller]
    fn follow(&self, sink: &str, provider: &str) -> Value {
        let mut spec = json!({
            "url": self.git.url(), "ref": {"branch": "main"}, "path": "mail/", "interval": "1h", "sink": sink,
            "serviceAccountName": "deployer", "webhook": {"provider": provider, "secretRef": {"name": "hook"}},
        });
        if sink == "Database" {
            spec["serverRef"] = json!({"name": "mail"});
        }
        self.mail.apply(&object("MailRepository", "company", spec));
        self.until(|found| {
            let status = &found["status"];
            status["observedGeneration"] == found["metadata"]["generation"]
                && condition(found, "Ready")["status"] == "True"
        })
    }

    #[track_caller]
    fn until(&self, probe: impl Fn(&Value) -> bool) -> Value {
        self.mail.kubectl.wait_until(&self.mail.namespace, COMPANY, PATIENCE * 2, probe)
    }

    /// Declares a mailbox and pushes it: its commit and the webhook's body.
    fn push(&self, name: &str) -> (String, String) {
        let directory = self.tree.path().join("work/mail");
        std::fs::create_dir_all(&directory).unwrap();
        let mailbox = format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: {name}}}\nspec: {{address: {name}@example.test}}\n"
        );
        std::fs::write(directory.join(format!("{name}.yaml")), mailbox).unwrap();
        let commit = self.git.push(&self.tree.path().join("work"), name);
        let body = format!(r#"{{"ref":"refs/heads/main","after":"{commit}"}}"#);
        (commit, body)
    }

    #[track_caller]
    fn applied(&self, commit: &str) {
        let revision = format!("main@sha1:{commit}");
        // Asked without kubectl, which would take longer than what is waited for.
        let namespace = &self.mail.namespace;
        let path = format!("/apis/mailwright.dev/v1alpha1/namespaces/{namespace}/mailrepositories/company");
        let api = self.mail.plane.api();
        wait_for(&revision, PATIENCE * 2, || {
            let found = api.get(&path).ok()??;
            let applied = found["status"]["lastAppliedRevision"] == revision.as_str();
            (applied && condition(&found, "Ready")["reason"] == "Reconciled").then_some(())
        });
    }

    /// The row of a mailbox of example.test.
    fn has_row(&self, name: &str) -> bool {
        let address = format!("{name}@example.test");
        let rows = self.mail.rows();
        rows["mailboxes"].as_array().unwrap().iter().any(|row| row["declared"]["address"] == address.as_str())
    }
}

/// Sends a webhook; the status of the answer.
fn tell(replica: &Replica, path: &str, provider: &str, token: &str, body: &str, delivery: &str) -> u16 {
    let url = format!("http://127.0.0.1:{}{path}", replica.port);
    let mut command = Command::new("python3");
    command.arg(root().join("tests/clients/webhook.py"));
    command.args([&url, &provider.to_lowercase(), token, body, delivery]);
    run(&mut command).ok().stdout.trim().parse().unwrap()
}

fn count(replica: &Replica, result: &str) -> u64 {
    let line = format!("mailwright_operator_webhooks_total{{result=\"{result}\"}} ");
    let page = replica.operator.metrics();
    page.lines().find_map(|it| it.strip_prefix(&line)).map_or(0, |number| number.parse().unwrap())
}

/// A leader and a follower of it.
fn two(company: &Company<'_>) -> (Replica, Replica) {
    let mut leader = company.replica("first");
    leader.operator.wait_ready();
    wait_for("the first to lead", PATIENCE, || {
        leader.operator.metrics().contains("mailwright_operator_leader 1").then_some(())
    });
    let mut follower = company.replica("second");
    follower.operator.wait_ready();
    (leader, follower)
}

/// From before `git push` to the status that says it is in force, five times; sent to the leader and to the follower in turn.
fn in_force_soon(title: &str, sink: &str) {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, title) else { return };
    let (leader, follower) = two(&company);
    company.push("first");
    let found = company.follow(sink, "GitHub");
    let path = found["status"]["webhookPath"].as_str().unwrap().to_owned();
    assert!(path.starts_with("/hook/") && path.len() > 60, "{path}");
    let mut took: Vec<Duration> = (0..5)
        .map(|number| {
            let name = format!("new{number}");
            let start = Instant::now();
            let (commit, body) = company.push(&name);
            let to = if number % 2 == 0 { &leader } else { &follower };
            assert_eq!(tell(to, &path, "GitHub", TOKEN, &body, &name), 202);
            company.applied(&commit);
            start.elapsed()
        })
        .collect();
    for number in 0..5 {
        let name = format!("new{number}");
        wait_for(&name, PATIENCE, || company.has_row(&name).then_some(()));
    }
    assert_eq!((count(&leader, "accepted"), count(&follower, "relayed")), (5, 2));
    took.sort();
    // With the push, a Python and kubectl in it. How long it takes is the machine's; nobody waited for the interval, which is an hour.
    println!("sink {sink}: from git push to applied, by a webhook: {took:?}");
}

#[test]
fn a_push_becomes_objects_at_once() {
    in_force_soon("hooked", "Resources");
}

#[test]
fn a_push_becomes_rows_at_once() {
    in_force_soon("straight-hooked", "Database");
}

#[test]
fn what_is_forged_or_replayed_changes_nothing_and_is_told() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "forged") else { return };
    let (leader, follower) = two(&company);
    company.push("first");
    let found = company.follow("Resources", "Gitea");
    let path = found["status"]["webhookPath"].as_str().unwrap().to_owned();
    let (commit, body) = company.push("once");
    assert_eq!(tell(&leader, &path, "Gitea", TOKEN, &body, "id-1"), 202);
    company.applied(&commit);

    company.push("waits");
    let (before, fetched) = (company.until(|_| true), company.git.fetches());
    let wrong = path.replace("/hook/", "/hook/0");
    for (to, path, token, delivery, expected) in [
        (&leader, &path, TOKEN, "id-1", 200),
        (&follower, &path, TOKEN, "id-2", 200),
        (&leader, &path, "a-token-of-twenty-threE", "id-3", 404),
        (&follower, &path, PASSWORD, "id-4", 404),
        (&follower, &path, "", "id-5", 404),
        (&leader, &wrong, TOKEN, "id-6", 404),
    ] {
        assert_eq!(tell(to, path, "Gitea", token, &body, delivery), expected, "{delivery}");
    }
    let event = wait_for("the event", PATIENCE, || {
        let events = company.mail.kubectl.list(&company.mail.namespace, "events.events.k8s.io");
        events.into_iter().find(|event| event["reason"] == "WebhookRefused")
    });
    assert_eq!((&event["type"], &event["regarding"]["name"]), (&json!("Warning"), &json!("company")));
    assert!(event["note"].as_str().unwrap().contains("give the forge the token"), "{event}");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(company.git.fetches(), fetched, "nobody asked the repository again");
    let after = company.until(|_| true);
    assert_eq!(after, before, "and nothing is written");
    assert!(company.mail.kubectl.get(&company.mail.namespace, "mailbox/waits").is_null());
    let results = ["accepted", "repeated", "unsigned", "unknown"].map(|result| count(&leader, result));
    assert_eq!(results, [1, 2, 3, 1]);
    assert_eq!(count(&follower, "relayed"), 3);
    let log = leader.operator.log();
    assert!(log.contains("a webhook is refused"), "{log}");
    for text in [log, follower.operator.log(), event.to_string(), after.to_string()] {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[test]
fn every_forge_reaches_whoever_leads() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "forges") else { return };
    let (mut leader, follower) = two(&company);
    company.push("first");
    let mut paths = Vec::new();
    for provider in ["GitHub", "GitLab", "Gitea", "Generic"] {
        let found = company.follow("Resources", provider);
        let path = found["status"]["webhookPath"].as_str().unwrap().to_owned();
        let (commit, body) = company.push(&provider.to_lowercase());
        assert_eq!(tell(&follower, &path, provider, "wrong", &body, "id-1"), 404, "{provider}");
        assert_eq!(tell(&follower, &path, provider, TOKEN, &body, "id-2"), 202, "{provider}");
        company.applied(&commit);
        paths.push(path);
    }
    paths.dedup();
    assert_eq!(paths.len(), 1, "the forge is told once");

    // The other one takes over under the same path.
    leader.operator.signal("TERM");
    leader.operator.wait(PATIENCE);
    let (commit, body) = company.push("afterwards");
    wait_for("the second to take webhooks", PATIENCE * 2, || {
        let taken = tell(&follower, &paths[0], "Generic", TOKEN, &body, "id-3");
        assert!([202, 404, 503].contains(&taken), "{taken}");
        (taken == 202).then_some(())
    });
    company.applied(&commit);
}
