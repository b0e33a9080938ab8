//! Passwords from Secrets to a login, with the real operator and a real mail server: generated, changed, rotated, lost; and
//! none of them anywhere but in its Secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base64::Engine as _;
use mailwright_tests::cluster::{ControlPlane, Kubectl, Plugin, Pod};
use mailwright_tests::harness::{PATIENCE, wait_for, wire};
use serde_json::{Value, json};

const SUBMISSION: u16 = 1587;

struct World {
    kubectl: Kubectl,
    namespace: String,
    pod: Pod,
}

impl World {
    fn condition(&self, what: &str, type_: &str) -> String {
        let object = self.kubectl.get(&self.namespace, what);
        let all = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let one = all.into_iter().find(|condition| condition["type"] == type_).unwrap_or_default();
        format!("{} {}", one["status"].as_str().unwrap_or(""), one["reason"].as_str().unwrap_or(""))
    }

    fn await_condition(&self, what: &str, type_: &str, expected: &str) {
        let start = std::time::Instant::now();
        wait_for(&format!("{what} {type_} {expected}"), PATIENCE * 3, || {
            let found = self.condition(what, type_);
            if start.elapsed() > PATIENCE * 2 {
                let everything = ["get", "mailservers,maildomains,mailboxes,pods,secrets,statefulsets"];
                let everything =
                    [&everything[..], &["--namespace", &self.namespace, "--output=yaml"]].concat();
                panic!("{what} {type_} is {found}, not {expected}:\n{}", self.kubectl.run(&everything).all());
            }
            (found == expected).then_some(())
        });
    }

    fn secret(&self, name: &str) -> Option<String> {
        let secret = self.kubectl.get(&self.namespace, &format!("secret/{name}"));
        let value = secret["data"]["password"].as_str()?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(value).unwrap();
        Some(String::from_utf8(bytes).unwrap())
    }

    fn give(&self, name: &str, password: &str) {
        self.kubectl.apply(&format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {}}}\nstringData: {{password: {password:?}}}\n",
            self.namespace
        ));
    }

    fn apply(&self, kind: &str, name: &str, spec: &str) {
        let namespace = &self.namespace;
        self.kubectl.apply(&format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
        ));
    }

    /// Logs in where mail clients send.
    fn logs_in(&self, user: &str, password: &str) -> Option<bool> {
        let mut wire = wire::Wire::connect_to(self.pod.address(), SUBMISSION).ok()?;
        wire.reply().ok()?;
        wire.smtp("EHLO client.example.test").ok()?;
        let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{password}"));
        let reply = wire.smtp(&format!("AUTH PLAIN {plain}")).ok()?;
        Some(reply.starts_with("235"))
    }

    fn await_login(&self, user: &str, password: &str, expected: bool) -> std::time::Duration {
        let start = std::time::Instant::now();
        wait_for(&format!("the login of {user} to be {expected}"), PATIENCE, || {
            self.logs_in(user, password).filter(|done| *done == expected)
        });
        start.elapsed()
    }
}

/// A hash as nobody else has it; it stands in its Mailbox and must stand nowhere else.
fn hash() -> String {
    format!("{{SSHA512}}{}", "SENTINELhash".repeat(8))
}

/// Everything that can be read about the cluster but Secrets, and what the programs said.
fn everything(world: &World, plane: &ControlPlane, log: &str, metrics: &str) -> String {
    let mut all = String::new();
    for kind in ["mailservers", "maildomains", "mailboxes"] {
        for object in world.kubectl.list(&world.namespace, kind) {
            all += &json!([object["metadata"], object["status"]]).to_string();
        }
    }
    for kind in ["events", "configmaps", "pods", "statefulsets", "services", "serviceaccounts", "leases"] {
        let objects = Value::from(world.kubectl.list(&world.namespace, kind)).to_string();
        assert!(objects.len() > 2 || kind == "serviceaccounts", "no {kind} to look at");
        all += &objects;
    }
    let pod = plane.guard().log(&format!("{}-mail-0", world.namespace));
    assert!(pod.contains("INFO"), "the pod's log: {pod}");
    all + log + metrics + &pod + &audited(plane) + &asked(world, plane)
}

/// The audit log at the level Metadata, as a cluster keeps it, and whole where the objects are not ours: a Mailbox holds the hash
/// that somebody wrote into it.
fn audited(plane: &ControlPlane) -> String {
    let whole = plane.audit().text();
    let mut all = String::new();
    for mut event in whole.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if event["objectRef"]["apiGroup"] == "mailwright.dev" && event["objectRef"]["subresource"].is_null() {
            event["requestObject"] = Value::Null;
            event["responseObject"] = Value::Null;
        }
        event["responseObject"]["spec"] = Value::Null;
        all += &event.to_string();
    }
    all
}

/// What `kubectl mailwright` says, and of a plan that changes passwords.
fn asked(world: &World, plane: &ControlPlane) -> String {
    let claim = world.kubectl.get(&world.namespace, "persistentvolumeclaim/data-mail-0");
    let data = plane.dir().join("volumes").join(claim["spec"]["volumeName"].as_str().unwrap());
    let plugin = Plugin::new(plane, &world.namespace, data);
    let changes = plugin.place().join("changes");
    std::fs::create_dir(&changes).unwrap();
    let text = format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: carol}}\n\
         spec: {{address: carol@example.test, credentials: {{passwordHash: \"{}\"}}}}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{name: alice}}\nstringData: {{password: SENTINEL-three}}\n---\n\
         apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: dave}}\n\
         spec: {{address: dave@example.test, credentials: {{passwordHash: SENTINEL-no-hash}}}}\n",
        hash().replace("hash", "Hash"),
    );
    std::fs::write(changes.join("changes.yaml"), text).unwrap();
    let plan = format!("plan {}", changes.display());
    let json = format!("{plan} --output json");
    let mut all = String::new();
    for line in [
        "status",
        "why mailbox/alice",
        "why mailbox/bob",
        "why mailbox/carol",
        "plan",
        "plan --output json",
        &plan,
        &json,
    ] {
        let said = plugin.run(&world.kubectl, line).all();
        assert!(!said.trim().is_empty(), "{line} says nothing");
        all += &said;
    }
    all
}

/// Where the value of a key stands among all Secrets of the cluster.
fn places(world: &World, value: &str) -> Vec<String> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(value);
    let all = world.kubectl.run(&["get", "secrets", "--all-namespaces", "--output=json"]).ok();
    let all: Value = serde_json::from_str(&all.stdout).unwrap();
    let holds = |secret: &&Value| {
        let text = secret.to_string();
        text.contains(&encoded) || text.contains(value)
    };
    let secrets = all["items"].as_array().unwrap().iter().filter(holds);
    secrets.map(|secret| secret["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn passwords_reach_the_login_and_nothing_else() {
    let Some(plane) = ControlPlane::shared() else { return };
    plane.install_crds();
    let kubectl = plane.kubectl();
    let namespace = kubectl.namespace("credentials");
    let pod = plane.pod(&namespace, "mail");
    let endpoint = pod.management_endpoint();
    // All that our own code would ever say is said.
    let arguments = [
        endpoint.as_str(),
        "--watch-namespace",
        &namespace,
        "--log",
        "debug,mailwright_operator=trace,mailwright=trace",
    ];
    let mut operator = plane.operator(plane.admin(), &namespace, &arguments);
    let world = World { kubectl, namespace, pod };
    world.apply("MailServer", "mail", "{hostname: mail.example.test, auth: {plaintextOnLoopback: true}}");
    world.apply("MailDomain", "example", "{domain: example.test, serverRef: {name: mail}}");
    world.apply("Mailbox", "alice", "{address: alice@example.test, credentials: {secretRef: {name: alice}}}");
    world.apply("Mailbox", "bob", "{address: bob@example.test, credentials: {generate: {secretName: bob}}}");
    let hashed = format!("{{address: carol@example.test, credentials: {{passwordHash: \"{}\"}}}}", hash());
    world.apply("Mailbox", "carol", &hashed);
    operator.wait_ready();

    world.await_condition("mailbox/bob", "CredentialsReady", "True CredentialsApplied");
    let bob = world.secret("bob").expect("it was written before it was applied");
    world.await_login("bob@example.test", &bob, true);
    world.await_condition("mailbox/alice", "CredentialsReady", "False SecretNotFound");

    // A Secret that appears after the Mailbox, that changes, and that is lost.
    world.give("alice", "SENTINEL-one");
    world.await_login("alice@example.test", "SENTINEL-one", true);
    world.await_condition("mailbox/alice", "CredentialsReady", "True CredentialsApplied");
    world.give("alice", "SENTINEL-two");
    let took = world.await_login("alice@example.test", "SENTINEL-two", true);
    println!("a changed Secret was the login's after {took:?}");
    assert_eq!(world.logs_in("alice@example.test", "SENTINEL-one"), Some(false));
    world.kubectl.run(&["delete", "secret", "alice", "--namespace", &world.namespace]).ok();
    world.await_condition("mailbox/alice", "CredentialsReady", "False SecretNotFound");
    assert_eq!(
        world.logs_in("alice@example.test", "SENTINEL-two"),
        Some(true),
        "the last one stays in force"
    );

    // Asked for another password.
    let rotate = ["annotate", "mailbox", "bob", "mailwright.dev/rotate=1", "--namespace", &world.namespace];
    world.kubectl.run(&rotate).ok();
    let rotated = wait_for("another password", PATIENCE, || world.secret("bob").filter(|now| *now != bob));
    world.await_login("bob@example.test", &rotated, true);
    assert_eq!(world.logs_in("bob@example.test", &bob), Some(false));

    world.await_condition("mailbox/carol", "CredentialsReady", "True CredentialsApplied");
    assert_eq!(places(&world, &rotated), ["bob"], "a generated password is in its Secret alone");
    assert_eq!(places(&world, &bob), Vec::<String>::new(), "and the one before it nowhere");
    let operator_log = operator.log();
    let seen = everything(&world, plane, &operator_log, &operator.metrics());
    assert!(seen.contains("alice@example.test") && seen.contains("CredentialsApplied"));
    for secret in ["SENTINEL", &bob, &rotated, "BEGIN PRIVATE", "BEGIN EC", "$argon2", "{SSHA512}"] {
        let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
        assert!(!seen.contains(secret), "{secret} is shown");
        assert!(!seen.contains(encoded.trim_end_matches('=')), "{secret} is shown in base64");
    }
}
