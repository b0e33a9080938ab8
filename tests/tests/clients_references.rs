//! `mailwright up --config` on a branch, a tag, a range of versions and one commit of a real Git server over HTTP; and a server that
//! is not there for a day.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use mailwright_tests::harness::{GitServer, Server, condition, run, wait_for, wire};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(40);

/// A server that follows what its MailRepository refers to.
struct Bed {
    git: GitServer,
    server: Server,
    runs: bool,
}

impl Bed {
    /// The quickstart in a remote repository; nothing follows it yet.
    fn new() -> Option<Bed> {
        let git = GitServer::start()?;
        let mut server = Server::example("quickstart");
        git.push(server.manifests.dir(), "the quickstart");
        let config = server.scratch().join("mailwright.yaml");
        server.follow("--config", &[config.to_str().unwrap()]);
        Some(Bed { git, server, runs: false })
    }

    /// Starts with this reference, or starts anew.
    fn refer(&mut self, spec: &str) {
        let text = format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: MailRepository\nmetadata: {{name: company, namespace: mail}}\nspec:\n  \
             url: {}\n  interval: 5s\n{spec}",
            self.git.url()
        );
        if std::mem::replace(&mut self.runs, true) {
            self.server.stop();
        }
        std::fs::write(self.server.scratch().join("mailwright.yaml"), text).unwrap();
        self.server.start();
    }

    /// Pushes one more mailbox; the commit.
    fn push(&self, local: &str) -> String {
        self.server.manifests.mailbox(&format!("{local}@example.test"), "");
        self.git.push(self.server.manifests.dir(), local)
    }

    /// Runs git where the repository is.
    fn remote(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.git.path()).args([
            "-c",
            "user.name=alice",
            "-c",
            "user.email=alice@example.test",
        ]);
        run(command.args(arguments)).ok();
    }

    fn status(&self) -> Value {
        let shown = self.server.cli(&["get", "mailrepositories", "company", "-o", "json"]).ok().stdout;
        let list: Value = serde_json::from_str(&shown).unwrap();
        list.pointer("/items/0/status").or_else(|| list.get("status")).cloned().unwrap_or_default()
    }

    fn until_applied(&self, revision: &str) {
        wait_for(revision, PATIENCE, || {
            let status = self.status();
            let ready = condition(&status, "Ready")["reason"] == "Reconciled";
            (status["lastAppliedRevision"] == revision && ready).then_some(())
        });
    }

    /// Waits until Ready says this; the reason.
    fn told(&self, says: &str) -> String {
        let ready = wait_for(says, PATIENCE, || {
            let ready = condition(&self.status(), "Ready").clone();
            ready["message"].as_str()?.contains(says).then_some(ready)
        });
        ready["reason"].as_str().unwrap().to_owned()
    }

    /// Longer than two looks at the repository.
    fn looks(&self) {
        let before = self.git.fetches();
        wait_for("two looks", PATIENCE, || (self.git.fetches() >= before + 2).then_some(()));
    }

    fn rcpt(&self, local: &str) -> String {
        let mut wire = wire::smtp(self.server.ports.smtp).unwrap();
        wire.smtp("MAIL FROM:<carol@example.org>").unwrap();
        wire.smtp(&format!("RCPT TO:<{local}@example.test>")).unwrap()
    }

    /// Who is taken, of those who were ever pushed; the people of the quickstart always are.
    fn has(&self, expected: &[&str]) {
        for local in ["one", "two", "three", "four", "five"] {
            let answer = self.rcpt(local);
            let code = if expected.contains(&local) { "250" } else { "550" };
            assert!(answer.starts_with(code), "{local}: {answer}, expected {expected:?}");
        }
        for local in ["alice", "bob"] {
            assert!(self.rcpt(local).starts_with("250"), "{local}");
        }
    }
}

#[test]
fn versions_are_followed_within_their_range() {
    let Some(mut bed) = Bed::new() else { return };
    let one = bed.push("one");
    bed.remote(&["tag", "v1.0.0", &one]);
    let two = bed.push("two");
    bed.refer("  ref: {semver: \">=1.0.0, <2.0.0\"}\n");
    bed.until_applied(&format!("v1.0.0@sha1:{one}"));
    bed.has(&["one"]);
    assert!(bed.rcpt("two").starts_with("550"), "a branch alone is no version");

    // Annotated, without the v, a release candidate, and one above the range.
    bed.remote(&["tag", "-a", "-m", "two people", "1.1.0", &two]);
    bed.until_applied(&format!("1.1.0@sha1:{two}"));
    bed.has(&["one", "two"]);
    let three = bed.push("three");
    bed.remote(&["tag", "v1.2.0-rc.1", &three]);
    bed.remote(&["tag", "v2.0.0", &three]);
    bed.looks();
    bed.has(&["one", "two"]);

    // The newest version is taken away: nobody is offboarded by a deleted tag.
    bed.remote(&["tag", "-d", "1.1.0"]);
    assert_eq!(bed.told("allowRewind"), "RevisionRewound");
    bed.has(&["one", "two"]);
    bed.remote(&["tag", "-d", "v1.0.0"]);
    assert_eq!(bed.told("no tag is a version within"), "RefNotFound");
    let told = condition(&bed.status(), "Ready")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("2.0.0") && told.contains("the last state stays in force"), "{told}");
    bed.has(&["one", "two"]);

    bed.remote(&["tag", "v1.2.0", &three]);
    bed.until_applied(&format!("v1.2.0@sha1:{three}"));
    bed.has(&["one", "two", "three"]);
}

#[test]
fn a_tag_a_commit_and_the_default_branch_are_followed() {
    let Some(mut bed) = Bed::new() else { return };
    let one = bed.push("one");
    bed.remote(&["tag", "-a", "-m", "one person", "production", &one]);
    bed.refer("  ref: {tag: production}\n");
    bed.until_applied(&format!("production@sha1:{one}"));
    let two = bed.push("two");
    bed.looks();
    bed.has(&["one"]);
    bed.remote(&["tag", "-f", "production", &two]);
    bed.until_applied(&format!("production@sha1:{two}"));
    bed.has(&["one", "two"]);
    // Moved back, as somebody would who wants an old password to be good again.
    bed.remote(&["tag", "-f", "production", &one]);
    assert_eq!(bed.told("allowRewind"), "RevisionRewound");
    bed.has(&["one", "two"]);

    let three = bed.push("three");
    bed.push("four");
    bed.refer(&format!("  ref: {{commit: \"{three}\"}}\n"));
    wait_for("the commit", PATIENCE, || bed.rcpt("three").starts_with("250").then_some(()));
    let applied = bed.status()["lastAppliedRevision"].as_str().unwrap().to_owned();
    assert!(applied.ends_with(&format!("sha1:{three}")), "{applied}");
    // A commit never moves: nobody asks the server again.
    std::thread::sleep(Duration::from_secs(7));
    bed.has(&["one", "two", "three"]);
    bed.refer("  ref: {commit: \"0123456789012345678901234567890123456789\"}\n");
    assert_eq!(bed.told("0123456789012345678901234567890123456789"), "RefNotFound", "{}", bed.status());
    bed.has(&["one", "two", "three"]);

    bed.refer("");
    let five = bed.push("five");
    bed.until_applied(&format!("main@sha1:{five}"));
    bed.has(&["one", "two", "three", "four", "five"]);
}

#[test]
fn a_host_that_is_away_takes_nobody_with_it() {
    let Some(mut bed) = Bed::new() else { return };
    let one = bed.push("one");
    bed.refer("  ref: {branch: main}\n");
    bed.until_applied(&format!("main@sha1:{one}"));
    let before = bed.status();

    bed.git.leave();
    assert_eq!(bed.told("cannot be reached"), "FetchFailed");
    let away = bed.status();
    for type_ in ["Ready", "SourceReady"] {
        assert_eq!(condition(&away, type_)["status"], "False", "{away}");
        let message = condition(&away, type_)["message"].as_str().unwrap();
        assert!(message.contains("the last state stays in force"), "{message}");
    }
    // It may come back by itself, so nobody has to act: it is no deadlock.
    assert_ne!(condition(&away, "Stalled")["status"], "True", "{away}");
    assert_eq!(away["lastAppliedRevision"], before["lastAppliedRevision"]);
    bed.has(&["one"]);
    // Mail and logins go on, a change behind the manifests' back included, and so does a process that starts anew.
    bed.server.stop();
    bed.server.start();
    assert_eq!(bed.told("cannot be reached"), "FetchFailed");
    bed.has(&["one"]);
    let text = "From: carol@example.org\r\nSubject: meanwhile\r\n\r\nHello.\r\n";
    let reply =
        wire::deliver(bed.server.ports.smtp, "carol@example.org", &["one@example.test"], text).unwrap();
    assert!(reply.starts_with("250"), "{reply}");

    bed.git.come_back();
    let two = bed.push("two");
    bed.until_applied(&format!("main@sha1:{two}"));
    bed.has(&["one", "two"]);
}
