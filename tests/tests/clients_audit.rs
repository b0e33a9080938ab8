//! `mailwright up` on a Git repository: who did what and why, the way back, and plans that wait for an approval.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, need, run, wait_for, wire};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const SENTINEL: &str = "a-sentinel-that-nobody-may-see";

fn git(dir: &Path, arguments: &[&str]) -> String {
    let identity =
        ["-c", "user.name=Carol", "-c", "user.email=carol@example.org", "-c", "commit.gpgsign=false"];
    run(Command::new("git").args(identity).args(arguments).current_dir(dir)).ok().stdout.trim().to_owned()
}

/// The quickstart in a repository that a server is to follow, not started; `None` without git.
fn repository(options: &[&str]) -> Option<(Server, PathBuf)> {
    if !need(&["git"]) {
        return None;
    }
    let mut server = Server::example("quickstart");
    let repository = server.scratch().join("repository");
    std::fs::create_dir_all(&repository).unwrap();
    git(&repository, &["init", "-q", "-b", "main"]);
    std::fs::rename(server.manifests.dir(), repository.join("mail")).unwrap();
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-q", "-m", "mail: quickstart"]);
    let place = repository.display().to_string();
    let follow = [&["--branch", "main", "--path", "mail", "--interval", "1s"], options].concat();
    server.follow(&place, &follow);
    Some((server, repository))
}

fn mailbox(repository: &Path, local: &str, spec: &str) {
    let text = format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: {local}}}\nspec:\n  address: \
         {local}@example.test\n{spec}"
    );
    std::fs::write(repository.join("mail").join(format!("{local}.yaml")), text).unwrap();
}

/// Commits everything; the commit.
fn commit(repository: &Path, message: &str) -> String {
    git(repository, &["add", "-A"]);
    git(repository, &["commit", "-q", "--allow-empty", "-m", message]);
    git(repository, &["rev-parse", "HEAD"])
}

fn until_rcpt(server: &Server, address: &str, code: &str) {
    wait_for(&format!("{code} for {address}"), PATIENCE, || {
        let mut wire = wire::smtp(server.ports.smtp).ok()?;
        wire.smtp("MAIL FROM:<carol@example.org>").ok()?;
        wire.smtp(&format!("RCPT TO:<{address}>")).ok()?.starts_with(code).then_some(())
    });
}

/// The digest of the plan that waits, in this mode.
fn waiting(server: &Server, repository: &Path, options: &[&str]) -> String {
    let place = repository.display().to_string();
    let plan = [&["plan", &place, "--branch", "main", "--path", "mail", "-o", "json"], options].concat();
    let plan: Value = serde_json::from_str(&server.cli(&plan).exits(3).stdout).unwrap();
    plan["digest"].as_str().unwrap().to_owned()
}

#[test]
fn who_did_what_and_the_way_back() {
    let Some((mut server, repository)) = repository(&[]) else { return };
    server.start();
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: grace}}\nstringData: {{password: {SENTINEL}}}\n"
    );
    mailbox(&repository, "grace", &format!("  credentials: {{secretRef: {{name: grace}}}}\n{secret}"));
    let commit_id = commit(&repository, "mail: add grace");
    until_rcpt(&server, "grace@example.test", "250");

    let why = server.cli(&["why", "Grace@example.test"]).ok();
    for expected in [
        "mailbox default/grace, in service",
        "mail/grace.yaml:1",
        commit_id.as_str(),
        "Carol <carol@example.org>",
        "nobody whose signature was verified",
        "by up",
        "mailbox default/grace is Ready",
    ] {
        assert!(why.stdout.contains(expected), "{expected:?}:\n{}", why.stdout);
    }
    server.cli(&["why", "nobody@example.test"]).exits(1).says("nothing is known");
    server.cli(&["history", "grace@example.test"]).ok().says("create").says(&commit_id[..12]);
    let of_commit = server.cli(&["history", "--revision", &commit_id[..10], "-o", "json"]).ok().stdout;
    let of_commit: Value = serde_json::from_str(&of_commit).unwrap();
    assert_eq!(of_commit.as_array().unwrap().len(), 1, "{of_commit}");
    assert_eq!(of_commit[0]["author"], "Carol <carol@example.org>");
    assert_eq!(of_commit[0]["origin"]["file"], "mail/grace.yaml");

    mailbox(
        &repository,
        "grace",
        &format!("  quota: 2Gi\n  credentials: {{secretRef: {{name: grace}}}}\n{secret}"),
    );
    let second = commit(&repository, "mail: grace gets a quota");
    wait_for("the quota", PATIENCE, || {
        server.cli(&["history", "grace@example.test"]).stdout.contains("spec.quota: 1Gi → 2Gi").then_some(())
    });

    let back = server.cli(&["undo", &second[..12]]).exits(2);
    for expected in ["update", "grace@example.test", "spec.quota: 2Gi → 1Gi", &format!("git revert {second}")]
    {
        assert!(back.all().contains(expected), "{expected:?}:\n{}", back.all());
    }
    server
        .cli(&["undo", &commit_id])
        .says("it was changed again by")
        .says(&second[..12])
        .says(&format!("git revert {commit_id}"));
    server.cli(&["undo", "0123456789"]).exits(1).says("nothing is known");
    let clone = repository.display().to_string();
    let undo = ["undo", &second, "--repository", &clone, "--path", "mail"];
    server.cli(&undo).exits(2).says("-  quota: 2Gi").says("1 to update");
    git(&repository, &["config", "user.name", "Carol"]);
    git(&repository, &["config", "user.email", "carol@example.org"]);
    let branch = format!("undo-{}", &second[..12]);
    server.cli(&[&undo[..], &["--write"]].concat()).exits(2).says(&branch);
    git(&repository, &["merge", "-q", "--ff-only", &branch]);
    let third = git(&repository, &["rev-parse", "HEAD"]);
    wait_for("the revert", PATIENCE, || {
        server.cli(&["why", "grace@example.test"]).stdout.contains(&third).then_some(())
    });
    server.cli(&["undo", &second]).says("changed again by");

    let everything = server.cli(&["history", "-o", "json", "--limit", "1000"]).ok().stdout;
    assert!(everything.contains("grace@example.test") && !everything.contains(SENTINEL));
    let database = std::fs::read(server.data().join("mailwright.db")).unwrap();
    assert!(!database.windows(SENTINEL.len()).any(|part| part == SENTINEL.as_bytes()));
    // What is remembered outlives the process, and is told without it.
    server.stop();
    server.cli(&["why", "grace@example.test"]).ok().says(&third);
}

#[test]
fn a_guarded_plan_is_approved_by_a_trailer() {
    let Some((mut server, repository)) = repository(&[]) else { return };
    for number in 0..8 {
        mailbox(&repository, &format!("m{number}"), "");
    }
    commit(&repository, "mail: eight more");
    server.start();
    until_rcpt(&server, "m7@example.test", "250");
    for number in 0..8 {
        std::fs::remove_file(repository.join(format!("mail/m{number}.yaml"))).unwrap();
    }
    mailbox(&repository, "fresh", "");
    commit(&repository, "mail: eight less, one more");
    until_rcpt(&server, "fresh@example.test", "250");
    until_rcpt(&server, "m3@example.test", "250");
    let digest = waiting(&server, &repository, &[]);

    // Another plan's digest, and one that is too short: nothing moves, and it is said.
    commit(&repository, "mail: approve\n\nMailwright-Approve: fedcba9876543210\nMailwright-Approve: fedc");
    let place = repository.display().to_string();
    let plan = server.cli(&["plan", &place, "--branch", "main", "--path", "mail"]).exits(3);
    let complaint = format!("approved fedcba9876543210…, but the plan is {}… now", &digest[..16]);
    assert!(plan.stdout.contains(&complaint), "{}", plan.stdout);
    assert_eq!(waiting(&server, &repository, &[]), digest);
    // The refused approval must have been looked at before the right one comes.
    std::thread::sleep(Duration::from_secs(2));
    until_rcpt(&server, "m3@example.test", "250");

    let id = commit(&repository, &format!("mail: eight leave\n\nMailwright-Approve: {}", &digest[..16]));
    until_rcpt(&server, "m3@example.test", "550 5.2.1");
    let trailer = format!("trailer of commit {} by Carol <carol@example.org>", &id[..12]);
    server.cli(&["why", "m3@example.test"]).ok().says("out of service").says(&trailer).says(&digest);
    let history = server.cli(&["history"]).ok();
    assert!(history.stdout.contains("approve") && history.stdout.contains(&trailer), "{}", history.stdout);
}

#[test]
fn in_always_mode_every_plan_waits_for_its_command() {
    let Some((mut server, repository)) = repository(&["--approval", "always"]) else { return };
    let always = ["--approval", "always"];
    let first = waiting(&server, &repository, &always);
    let place = repository.display().to_string();
    let never = ["plan", &place, "--branch", "main", "--path", "mail"];
    server.cli(&[&never[..], &always, &["--approve", "0123456789abcdef"]].concat()).exits(3);
    let follow = ["--branch", "main", "--path", "mail", "--interval", "1s", "--approval", "always"];
    server.follow(&place, &[&follow[..], &["--approve", &first]].concat());
    server.start();
    until_rcpt(&server, "alice@example.test", "250");

    mailbox(&repository, "grace", "");
    commit(&repository, "mail: add grace");
    let digest = waiting(&server, &repository, &always);
    server.cli(&["approve", &digest[..15]]).exits(1).says("at least its first 16 characters");
    server.cli(&["approve", "fedcba9876543210"]).ok().says("lifts nothing of any other");
    // Longer than two looks at the branch.
    std::thread::sleep(Duration::from_secs(3));
    until_rcpt(&server, "grace@example.test", "550 5.1.1");

    // The plan changes: what was approved of it is worth nothing, and the new one has a digest of its own.
    mailbox(&repository, "heidi", "");
    commit(&repository, "mail: add heidi");
    let both = waiting(&server, &repository, &always);
    assert_ne!(both, digest);
    server.cli(&["approve", &digest]).ok();
    std::thread::sleep(Duration::from_secs(3));
    until_rcpt(&server, "grace@example.test", "550 5.1.1");
    server.cli(&["approve", &both[..16]]).ok();
    until_rcpt(&server, "grace@example.test", "250");
    until_rcpt(&server, "heidi@example.test", "250");
    server.cli(&["why", "heidi@example.test"]).ok().says("mailwright approve by").says(&both);
    let approvals = server.cli(&["history", "-o", "json"]).ok().stdout;
    let approvals: Vec<Value> = serde_json::from_str(&approvals).unwrap();
    let approvals: Vec<&Value> = approvals.iter().filter(|record| record["action"] == "approve").collect();
    assert_eq!(
        approvals.len(),
        4,
        "the start's, the strange one, the stale one, the right one: {approvals:?}"
    );
    server.stop();
    server.cli(&["approve", &both]).exits(1).says("mailwright up");
}

#[test]
fn in_never_mode_no_approval_lifts_a_guard() {
    let Some((mut server, repository)) = repository(&["--approval", "never"]) else { return };
    for number in 0..8 {
        mailbox(&repository, &format!("m{number}"), "");
    }
    commit(&repository, "mail: eight more");
    server.start();
    until_rcpt(&server, "m7@example.test", "250");
    for number in 0..8 {
        std::fs::remove_file(repository.join(format!("mail/m{number}.yaml"))).unwrap();
    }
    commit(&repository, "mail: eight less");
    let never = ["--approval", "never"];
    let digest = waiting(&server, &repository, &never);
    let place = repository.display().to_string();
    let plan = ["plan", &place, "--branch", "main", "--path", "mail", "--approve", &digest];
    server.cli(&[&plan[..], &never].concat()).exits(3).says("no approval lifts this");
    server.cli(&["approve", &digest]).ok();
    std::thread::sleep(Duration::from_secs(3));
    until_rcpt(&server, "m3@example.test", "250");
}
