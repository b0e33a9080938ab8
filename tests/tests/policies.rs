//! Policies from the command line: the tests of `examples/policies` pass, a test that does not hold says why, and validate, plan,
//! apply and up give one verdict.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use mailwright_tests::harness::{Server, mailwright, root, wait_for};
use serde_json::Value;

const SERVER: &str = "apiVersion: mailwright.dev/v1alpha1\nkind: MailServer\nmetadata: {name: mail}\nspec: {hostname: mail.example.test}\n---\n\
    apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {name: one}\nspec: {serverRef: {name: mail}, domain: example.test}\n---\n\
    apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: alice}\nspec: {address: alice@example.test}\n---\n\
    apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {name: postmaster}\nspec: {address: postmaster@example.test, targets: [alice@example.test]}\n";

fn run(directory: &Path, words: &[&str]) -> Output {
    let data = directory.join("data");
    Command::new(mailwright()).arg("--data").arg(data).args(words).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_examples_pass_their_tests() {
    let scratch = tempfile::tempdir().unwrap();
    let examples = root().join("examples/policies");
    let output = run(scratch.path(), &["policy", "test", examples.to_str().unwrap(), "-o", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    assert!(output.status.success() && said["passed"] == true, "{said:#}");
    assert!(said["cases"].as_array().unwrap().len() >= 26, "{said:#}");
}

#[test]
fn a_test_that_does_not_hold_says_why() {
    let scratch = tempfile::tempdir().unwrap();
    let manifests = scratch.path().join("m");
    std::fs::create_dir(&manifests).unwrap();
    let case = |name: &str, expect: &str| {
        format!(
            "  - {{name: {name}, expect: {expect}, object: {{kind: Mailbox, spec: {{address: a@example.test}}}}}}\n"
        )
    };
    let document = |kind: &str, spec: &str| {
        format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: names}}\nspec:\n{spec}---\n"
        )
    };
    let policy = document(
        "MailPolicy",
        "  kinds: [Mailbox]\n  expression: has(object.spec.displayName)\n  message: no name\n",
    );
    let tests = document(
        "MailPolicyTest",
        &format!("  cases:\n{}{}", case("right", "Denied"), case("wrong", "Allowed")),
    );
    std::fs::write(manifests.join("p.yaml"), policy + &tests).unwrap();
    let output = run(scratch.path(), &["policy", "test", manifests.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("Denied and not Allowed: no name (policy names at p.yaml:6)"),
        "{}",
        text(&output)
    );
    assert!(text(&output).contains("1 cases passed, 1 failed"), "{}", text(&output));
    // What does not compile is told with its place.
    let wrong = document("MailPolicy", "  kinds: [Mailbox]\n  expression: has(object.spec.displayNam)\n");
    std::fs::write(manifests.join("p.yaml"), wrong + &tests).unwrap();
    let output = run(scratch.path(), &["policy", "test", manifests.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("has no field displayNam; write displayName"), "{}", text(&output));
}

#[test]
fn every_command_gives_the_same_verdict() {
    let scratch = tempfile::tempdir().unwrap();
    let manifests = scratch.path().join("m");
    std::fs::create_dir(&manifests).unwrap();
    let examples = root().join("examples/policies");
    std::fs::write(manifests.join("mail.yaml"), SERVER).unwrap();
    std::fs::copy(examples.join("no-external-forward.yaml"), manifests.join("policy.yaml")).unwrap();
    let path = manifests.to_str().unwrap();
    let code = |words: &[&str]| run(scratch.path(), words).status.code();
    assert_eq!((code(&["validate", path]), code(&["apply", path])), (Some(0), Some(2)));
    let team = "---\napiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {name: team}\nspec: {address: team@example.test, targets: [eve@example.com]}\n";
    std::fs::write(manifests.join("mail.yaml"), SERVER.to_owned() + team).unwrap();
    let why = "mail for team@example.test would leave for eve@example.com; have it approved and label it (policy no-external-forward at policy.yaml:7)";
    for command in ["validate", "plan", "apply"] {
        let output = run(scratch.path(), &[command, path]);
        assert!(text(&output).contains(why), "{command}: {}", text(&output));
        assert!(text(&output).contains("mail.yaml:21"), "{command}: {}", text(&output));
        assert_eq!(output.status.code(), Some(1), "{command}");
    }
    // It is not there, and everything else is.
    let rows = text(&run(scratch.path(), &["observe", "-o", "json"]));
    assert!(rows.contains("alice@example.test") && !rows.contains("team@example.test"), "{rows}");
    let labelled = team.replace("{name: team}", "{name: team, labels: {approved: yes-2026}}");
    std::fs::write(manifests.join("mail.yaml"), SERVER.to_owned() + &labelled).unwrap();
    assert_eq!((code(&["validate", path]), code(&["apply", path])), (Some(0), Some(2)));
}

/// Follows a directory with a policy beside the manifests: what it denies is told by everyone, and is not applied.
#[test]
fn up_obeys_the_policies_that_plan_tells_of() {
    let server = Server::quickstart();
    let policy = "apiVersion: mailwright.dev/v1alpha1\nkind: MailPolicy\nmetadata: {name: small}\nspec:\n  kinds: [Mailbox]\n  \
                  matchLabels: {team: contractors}\n  expression: has(object.spec.quota) && quantity(object.spec.quota) <= quantity('10Gi')\n  \
                  message: contractors have a quota of at most 10Gi\n";
    server.manifests.write("policy.yaml", policy);
    let contractor = |quota: &str| {
        format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: heidi, labels: {{team: contractors}}}}\nspec: \
             {{address: heidi@example.test, quota: {quota}}}\n"
        )
    };
    server.manifests.write("heidi.yaml", &contractor("20Gi"));
    server.manifests.mailbox("ivan@example.test", "");
    let is_there = |address: &str| server.cli(&["observe", "-o", "json"]).ok().stdout.contains(address);
    let patience = Duration::from_secs(20);
    wait_for("ivan", patience, || is_there("ivan@example.test").then_some(()));
    assert!(!is_there("heidi@example.test"));
    let says = "contractors have a quota of at most 10Gi (policy small at policy.yaml:";
    wait_for("the log", patience, || server.logs().contains(says).then_some(()));
    let dir = server.manifests.dir().display().to_string();
    server.cli(&["plan", &dir]).exits(1).says(says).says("heidi.yaml:");
    server.cli(&["describe", "mailbox", "heidi"]).says("PolicyViolation");
    server.manifests.write("heidi.yaml", &contractor("10Gi"));
    wait_for("heidi", patience, || is_there("heidi@example.test").then_some(()));
    // And what runs stays as it is when a policy comes that would have denied it.
    server.manifests.write("policy.yaml", &policy.replace("10Gi", "5Gi"));
    server.cli(&["plan", &dir]).exits(1).says("at most 5Gi (policy small");
    assert!(is_there("heidi@example.test"));
}
