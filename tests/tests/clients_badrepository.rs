//! `mailwright up --config` and repositories that somebody means ill with: bombs, commits that nobody signed, keys that were taken
//! away, addresses of others. Each time there is a status and a message, what is right is applied, and no account is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

use mailwright_tests::harness::pod::accounts;
use mailwright_tests::harness::{Followed, PATIENCE, condition, git, need, run, run_with_input, wait_for};

#[test]
fn what_is_too_large_is_refused_and_what_is_too_deep_stays_alone() {
    if !need(&["git"]) {
        return;
    }
    let followed = Followed::started("");
    let good = followed.until("Reconciled")["lastAppliedRevision"].clone();
    let back = || {
        git(
            &followed.repository,
            &["reset", "-q", "--hard", good.as_str().unwrap().split_once("sha1:").unwrap().1],
        );
        followed.until("Reconciled");
    };
    let refused = |says: &str| {
        let status = followed.told("LimitExceeded", says);
        assert_eq!(condition(&status, "SourceReady")["reason"], "LimitExceeded", "{status}");
        assert_eq!(
            (&status["lastAppliedRevision"], condition(&status, "Stalled")["status"].as_str()),
            (&good, Some("True"))
        );
        followed.everybody_is_there();
    };

    git(&followed.repository, &["config", "core.compression", "1"]);
    git(&followed.repository, &["config", "core.bigFileThreshold", "1m"]);
    let image = std::fs::File::create(followed.repository.join("mail/disk.yaml")).unwrap();
    image.set_len(1 << 30).unwrap();
    followed.commit("mail: a gibibyte");
    refused("the size of all manifests exceeds the limit of 536870912");
    back();

    let tree = |lines: &str| {
        let mut git = Command::new("git");
        run_with_input(git.arg("mktree").current_dir(&followed.repository), lines)
            .ok()
            .stdout
            .trim()
            .to_owned()
    };
    let blob = git(&followed.repository, &["hash-object", "-w", "mail/m0.yaml"]);
    let mut bomb = tree(&format!("100644 blob {blob}\ta.yaml\n"));
    for _ in 0..8 {
        bomb = tree(&(0..16).map(|n| format!("040000 tree {bomb}\td{n}\n")).collect::<String>());
    }
    let root = tree(&format!("040000 tree {bomb}\tmail\n"));
    let commit =
        git(&followed.repository, &["commit-tree", &root, "-p", "HEAD", "-m", "mail: four billion files"]);
    git(&followed.repository, &["update-ref", "refs/heads/main", &commit]);
    refused("the number of manifest files exceeds the limit of 200000");
    back();

    // An alias bomb is one file: what is beside it is applied, and what it declared before stays.
    let mut bomb = "a0: &a0 [lol, lol]\n".to_owned();
    for level in 1..40 {
        let before = level - 1;
        bomb += &format!("a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}]\n");
    }
    followed.write("m0.yaml", &bomb);
    followed.mailbox("fresh");
    followed.commit("mail: a bomb");
    followed.until_rcpt("fresh", "250");
    let status = followed.told("PartiallyApplied", "mail/m0.yaml:");
    assert_eq!(
        (&status["failures"][0]["file"], &status["failures"][1]),
        (&"mail/m0.yaml".into(), &serde_json::Value::Null)
    );
    followed.everybody_is_there();
}

/// A followed repository whose commits are signed with keys of ssh-keygen.
struct Signed {
    followed: Followed,
    keys: PathBuf,
}

impl Signed {
    fn new() -> Signed {
        let followed = Followed::new("");
        let keys = followed.server.scratch();
        for name in ["alice", "bob"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(keys.join(name));
            run(&mut keygen).ok();
        }
        Signed { followed, keys }
    }

    /// Declares whose signatures count.
    fn believe(&self, names: &[&str]) {
        let line = |name: &&str| {
            let key = std::fs::read_to_string(self.keys.join(format!("{name}.pub"))).unwrap();
            format!("    {name}@example.test {}\n", key.trim())
        };
        let lines: String = names.iter().map(line).collect();
        self.followed.declare(&format!(
            "  verify: {{mode: Range, secretRef: {{name: signers}}}}\n---\napiVersion: v1\nkind: Secret\n\
             metadata: {{name: signers, namespace: mail}}\nstringData:\n  allowed_signers: |\n{lines}"
        ));
    }

    /// A commit with a new mailbox, signed by someone.
    fn commit(&self, local: &str, by: &str) -> String {
        self.followed.mailbox(local);
        let key = format!("user.signingkey={}", self.keys.join(by).display());
        git(&self.followed.repository, &["add", "-A"]);
        let sign = ["-c", "gpg.format=ssh", "-c", &key, "commit", "-q", "-S", "--allow-empty", "-m", local];
        git(&self.followed.repository, &sign);
        git(&self.followed.repository, &["rev-parse", "HEAD"])
    }

    fn back(&self, commit: &str) {
        git(&self.followed.repository, &["reset", "-q", "--hard", commit]);
    }

    fn restart(&mut self) {
        self.followed.server.stop();
        self.followed.server.start();
    }

    /// Rows of the account database, as SQL sees or changes them.
    fn sql(&self, statement: &str) -> String {
        let database = self.followed.server.data().join("mailwright.db");
        let statement = format!("PRAGMA busy_timeout = 5000; {statement};");
        run(Command::new("sqlite3").arg(database).arg(statement)).ok().stdout
    }
}

#[test]
fn nothing_is_applied_that_nobody_believed_signed() {
    if !need(&["git", "ssh-keygen", "sqlite3"]) {
        return;
    }
    let mut signed = Signed::new();
    signed.believe(&["alice"]);
    let first = signed.commit("first", "alice");
    signed.followed.server.start();
    let status = signed.followed.until("Reconciled");
    assert_eq!(condition(&status, "Verified")["reason"], "SignatureVerified");
    assert_eq!(
        (&status["lastVerified"]["commit"], &status["lastVerified"]["signer"]),
        (&first.as_str().into(), &"alice@example.test".into())
    );
    assert_eq!(status["history"][0]["signer"], "alice@example.test");

    // Somebody slips an unsigned commit below one of alice's.
    signed.followed.mailbox("slipped");
    let slipped = signed.followed.commit("slipped");
    signed.commit("second", "alice");
    let status = signed.followed.told("SignatureMissing", "is not signed; sign it");
    let message = condition(&status, "Verified")["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&slipped[..12]) && message.contains("(slipped)"), "{message}");
    assert_eq!(status["lastAppliedRevision"], format!("main@sha1:{first}"));
    assert!(
        signed.followed.rcpt("slipped").starts_with("550")
            && signed.followed.rcpt("second").starts_with("550")
    );
    signed.followed.everybody_is_there();
    // What is in force is put back, also by a process that has never read anything else than what it refuses.
    signed.followed.server.stop();
    signed.sql("UPDATE mailbox SET quota = 7 WHERE address LIKE 'first@%'");
    signed.followed.server.start();
    wait_for("the quota to be put back", PATIENCE, || {
        let quotas = signed.sql("SELECT quota IS 7 FROM mailbox WHERE address LIKE 'first@%'");
        quotas.trim().ends_with('0').then_some(())
    });
    let status = signed.followed.told("SignatureMissing", &slipped[..12]);
    assert_eq!(status["lastAppliedRevision"], format!("main@sha1:{first}"));
    signed.followed.everybody_is_there();
    signed.back(&first);
    signed.followed.until("Reconciled");

    // Alice leaves: her key signs nothing new, and what she signed stays in force.
    signed.believe(&["bob"]);
    signed.restart();
    signed.followed.until("Reconciled");
    signed.commit("third", "alice");
    let status = signed.followed.told("SignatureInvalid", "has a signature by a removed key");
    assert_eq!(status["lastAppliedRevision"], format!("main@sha1:{first}"));
    assert!(signed.followed.rcpt("third").starts_with("550"));
    signed.followed.everybody_is_there();
    assert!(signed.followed.rcpt("first").starts_with("250"));
    signed.back(&first);
    let fourth = signed.commit("fourth", "bob");
    signed.followed.until_rcpt("fourth", "250");
    let status = signed.followed.until("Reconciled");
    assert_eq!(status["lastVerified"]["commit"], fourth);
}

#[test]
fn an_address_of_another_repository_stays_with_it() {
    if !need(&["git", "curl"]) {
        return;
    }
    let followed = Followed::started("");
    followed.until("Reconciled");
    let mut batch = accounts(1, &["rival"]);
    batch.fence = None;
    batch.operations.drain(..2);
    let batch = serde_json::to_string(&batch).unwrap().replace("\"kubernetes\"", "\"repository/mail/other\"");
    let socket = followed.server.data().join("mailwright.sock");
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--header",
        "Content-Type: application/json",
        "--data",
        "@-",
        "--unix-socket",
    ]);
    let answer = run_with_input(curl.arg(socket).arg("http://localhost/v1/apply"), &batch).ok().stdout;
    assert!(answer.contains("applied"), "{answer}");
    followed.until_rcpt("rival", "250");

    followed.mailbox("rival");
    followed.mailbox("fresh");
    followed.commit("mail: two repositories declare one address");
    followed.until_rcpt("fresh", "250");
    let status = followed.told("PartiallyApplied", "repository/mail/other");
    assert_eq!(
        (&status["failures"][0]["reason"], &status["failures"][0]["file"]),
        (&"Conflict".into(), &"mail/rival.yaml".into())
    );
    followed.everybody_is_there();
    assert!(followed.rcpt("rival").starts_with("250"), "whoever was first keeps it");

    // Taking it out again removes nothing of the other's.
    git(&followed.repository, &["rm", "-q", "mail/rival.yaml"]);
    followed.commit("mail: it is theirs");
    followed.until("Reconciled");
    assert!(followed.rcpt("rival").starts_with("250"));

    // With its token, or by decision, the row comes over with its mail and its password.
    followed.mailbox("rival");
    followed.commit("mail: now it is ours");
    followed.told("PartiallyApplied", "repository/mail/other");
    let mut followed = followed;
    followed.server.stop();
    followed.declare("  adoption: Force\n");
    followed.server.start();
    let status = followed.until("Reconciled");
    assert_eq!(status["adoptionToken"].as_str().map(str::len), Some(32), "{status}");
    assert!(followed.rcpt("rival").starts_with("250"));
}
