//! Passwords from Secrets to a login, with the real operator and a real mail server: generated, changed, rotated, lost; and
//! none of them anywhere but in its Secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base64::Engine as _;
use mailwright_tests::cluster::{ControlPlane, Kubectl, Pod};
use mailwright_tests::harness::{PATIENCE, wait_for, wire};
use serde_json::Value;

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

/// Everything that can be read about the cluster but Secrets, and what the programs said.
fn everything(world: &World, plane: &ControlPlane, log: &str, metrics: &str) -> String {
    let mut all = String::new();
    for kind in ["mailservers", "maildomains", "mailboxes", "events", "configmaps", "pods", "statefulsets"] {
        all += &Value::from(world.kubectl.list(&world.namespace, kind)).to_string();
    }
    all + log + metrics + &plane.audit().text()
}

#[test]
fn passwords_reach_the_login_and_nothing_else() {
    let Some(plane) = ControlPlane::shared() else { return };
    plane.install_crds();
    let kubectl = plane.kubectl();
    let namespace = kubectl.namespace("credentials");
    let pod = plane.pod(&namespace, "mail");
    let endpoint = pod.management_endpoint();
    let arguments = [endpoint.as_str(), "--watch-namespace", &namespace];
    let mut operator = plane.operator(plane.admin(), &namespace, &arguments);
    let world = World { kubectl, namespace, pod };
    world.apply("MailServer", "mail", "{hostname: mail.example.test, auth: {plaintextOnLoopback: true}}");
    world.apply("MailDomain", "example", "{domain: example.test, serverRef: {name: mail}}");
    world.apply("Mailbox", "alice", "{address: alice@example.test, credentials: {secretRef: {name: alice}}}");
    world.apply("Mailbox", "bob", "{address: bob@example.test, credentials: {generate: {secretName: bob}}}");
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

    let operator_log = operator.log();
    let seen = everything(&world, plane, &operator_log, &operator.metrics());
    assert!(seen.contains("alice@example.test") && seen.contains("CredentialsApplied"));
    for secret in ["SENTINEL", &bob, &rotated, "BEGIN PRIVATE", "BEGIN EC", "$argon2"] {
        let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
        assert!(!seen.contains(secret), "{secret} is shown");
        assert!(!seen.contains(encoded.trim_end_matches('=')), "{secret} is shown in base64");
    }
}
