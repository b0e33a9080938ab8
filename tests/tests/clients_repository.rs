//! `mailwright up --config`: a MailRepository in a file, a real Git repository, and everything that goes wrong with one. Each
//! time there is a status, a message that says what to do, and no account is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use mailwright_tests::harness::{Followed, condition, git};
use serde_json::Value;

fn need_git() -> bool {
    mailwright_tests::harness::need(&["git"])
}

#[test]
fn a_repository_is_followed_and_its_status_is_shown() {
    if !need_git() {
        return;
    }
    let followed = Followed::started("");
    followed.everybody_is_there();
    let status = followed.until("Reconciled");
    let head = git(&followed.repository, &["rev-parse", "HEAD"]);
    assert_eq!(status["lastAppliedRevision"], format!("main@sha1:{head}"));
    assert_eq!(status["history"][0]["author"], "Carol <carol@example.org>");
    assert!(
        status["plan"]["create"].as_i64().unwrap() > 5 && status["inventory"].as_i64().unwrap() > 5,
        "{status}"
    );
    for (arguments, says) in [
        (vec!["get", "mrepo"], "Reconciled"),
        (vec!["get", "mailrepositories", "-o", "yaml"], "lastAppliedRevision: main@sha1:"),
        (vec!["describe", "mailrepository", "company", "-n", "mail"], "SourceReady"),
        (vec!["get", "all"], "company"),
    ] {
        followed.server.cli(&arguments).ok().says(says);
    }

    // Isolation: what is new is applied beside what is broken, and what is broken is not removed.
    followed.mailbox("fresh");
    followed.write("m0.yaml", "kind: [Mailbox\n");
    let m1 = std::fs::read_to_string(followed.repository.join("mail/m1.yaml")).unwrap();
    followed.write("m1.yaml", &m1.replace("spec:\n", "spec:\n  quota: 5GB\n"));
    followed.commit("mail: half of it is wrong");
    followed.until_rcpt("fresh", "250");
    let status = followed.told("PartiallyApplied", "mail/m0.yaml:1");
    let failures = status["failures"].as_array().unwrap();
    let of = |file: &str| {
        failures.iter().find(|failure| failure["file"] == file).unwrap_or_else(|| panic!("{failures:?}"))
    };
    assert_eq!(of("mail/m1.yaml")["line"], 5);
    assert!(of("mail/m1.yaml")["message"].as_str().unwrap().contains("write 5G"), "{failures:?}");
    assert_eq!(condition(&status, "PartiallyApplied")["status"], "True");
    followed.everybody_is_there();

    followed.mailbox("m0");
    followed.mailbox("m1");
    followed.commit("mail: mended");
    let status = followed.until("Reconciled");
    assert!(status.get("failures").is_none(), "{status}");
    assert_eq!(status["history"].as_array().unwrap().len(), 3);
}

#[test]
fn atomic_applies_nothing_while_anything_is_wrong() {
    if !need_git() {
        return;
    }
    let followed = Followed::started("  failurePolicy: Atomic\n");
    followed.until("Reconciled");
    followed.mailbox("fresh");
    followed.write("m0.yaml", "kind: [Mailbox\n");
    followed.commit("mail: half of it is wrong");
    let status = followed.told(
        "SourceBroken",
        "failurePolicy: Atomic applies nothing as long as anything is wrong: mail/m0.yaml:1",
    );
    assert_ne!(status["lastAppliedRevision"], status["lastAttemptedRevision"]);
    assert!(followed.rcpt("fresh").starts_with("550"), "nothing of it is applied");
    followed.everybody_is_there();
    followed.mailbox("m0");
    followed.commit("mail: mended");
    followed.until_rcpt("fresh", "250");
    followed.until("Reconciled");
}

#[test]
fn mode_plan_applies_nothing_and_tells_the_plan() {
    if !need_git() {
        return;
    }
    let mut followed = Followed::started("");
    followed.until("Reconciled");
    followed.server.stop();
    followed.declare("  mode: Plan\n");
    followed.mailbox("fresh");
    std::fs::remove_file(followed.repository.join("mail/m2.yaml")).unwrap();
    followed.commit("mail: one comes, one goes");
    followed.server.start();
    let status = followed.told("Planned", "2 changes, none of which is applied");
    assert_eq!(
        (&status["plan"]["create"], &status["plan"]["remove"]),
        (&Value::from(1), &Value::from(1)),
        "{status}"
    );
    assert_eq!(status["plan"]["digest"].as_str().unwrap().len(), 64);
    assert!(followed.rcpt("fresh").starts_with("550"));
    followed.everybody_is_there();
}

#[test]
fn whatever_happens_to_the_repository_nobody_loses_an_account() {
    if !need_git() {
        return;
    }
    let mut followed = Followed::started("");
    followed.until("Reconciled");
    let head = git(&followed.repository, &["rev-parse", "HEAD"]);
    let away = followed.server.scratch().join("away");

    std::fs::rename(&followed.repository, &away).unwrap();
    followed.told("FetchFailed", "the last state stays in force");
    followed.everybody_is_there();
    // A day later the host is still away, and the process starts anew.
    followed.server.stop();
    followed.server.start();
    followed.told("FetchFailed", "the last state stays in force");
    followed.everybody_is_there();
    std::fs::rename(&away, &followed.repository).unwrap();
    followed.until("Reconciled");

    git(&followed.repository, &["checkout", "-q", "-b", "other"]);
    git(&followed.repository, &["branch", "-q", "-D", "main"]);
    followed.told("RefNotFound", "it may have been deleted or renamed");
    followed.everybody_is_there();
    git(&followed.repository, &["checkout", "-q", "-b", "main"]);

    git(&followed.repository, &["rm", "-q", "-r", "mail"]);
    followed.commit("mail: gone");
    followed.told("SourceEmpty", "check the path, or push a commit that has it");
    followed.everybody_is_there();

    // Somebody with a right to push brings back a commit from before m2 was declared, as an attacker would.
    git(&followed.repository, &["checkout", "-q", "--orphan", "forged", &head]);
    git(&followed.repository, &["rm", "-q", "-f", "mail/m2.yaml"]);
    followed.commit("mail: forged");
    git(&followed.repository, &["branch", "-q", "-f", "main", "HEAD"]);
    let status = followed.told("RevisionRewound", "allowRewind");
    assert_eq!(condition(&status, "Verified")["status"], "False");
    assert_eq!(status["lastAppliedRevision"], format!("main@sha1:{head}"));
    followed.everybody_is_there();

    // A restart has not forgotten what was applied.
    followed.server.stop();
    followed.server.start();
    followed.told("RevisionRewound", "allowRewind");
    followed.everybody_is_there();
    git(&followed.repository, &["checkout", "-q", "main"]);
    git(&followed.repository, &["reset", "-q", "--hard", &head]);
    followed.until("Reconciled");
}

#[test]
fn what_is_suspended_is_left_alone() {
    if !need_git() {
        return;
    }
    let mut followed = Followed::started("");
    followed.until("Reconciled");
    followed.server.stop();
    followed.declare("  suspend: true\n");
    followed.mailbox("fresh");
    followed.commit("mail: fresh");
    followed.server.start();
    followed.told("Suspended", "nothing is fetched, planned or applied");
    std::thread::sleep(Duration::from_secs(6));
    assert!(followed.rcpt("fresh").starts_with("550"));
    followed.everybody_is_there();
}

#[test]
fn the_file_serves_the_other_commands_too_and_says_what_is_wrong_in_it() {
    if !need_git() {
        return;
    }
    let followed = Followed::new("");
    let config = followed.config.display().to_string();
    followed.server.cli(&["validate", "--config", &config]).ok().says("0 errors");
    followed.server.cli(&["plan", "--config", &config]).exits(2).says("m0@example.test");
    followed.server.cli(&["apply", "--config", &config]).exits(2).says("m0@example.test");
    followed.server.cli(&["plan", "--config", &config]).exits(0);
    for (spec, says) in [
        ("  intervall: 5s\n", "spec.intervall: unknown field"),
        ("  secretRef: {name: git}\n", "Secret mail/git does not exist; make it"),
        ("  verify: {mode: Tag, secretRef: {name: signers}}\n", "set ref.tag or ref.semver"),
    ] {
        followed.declare(spec);
        followed.server.cli(&["plan", "--config", &config]).exits(1).says(says);
    }
    followed.server.cli(&["plan", "--config", &config, "elsewhere"]).exits(1).says("cannot be used with");
    followed.server.cli(&["plan", "--config", "/nonexistent"]).exits(1).says("--config names a file");
}
