//! Signatures: what nobody signed who is believed is not taken, and the last good revision stays in force, the repair of drift
//! included, also after another process took over.

use std::path::PathBuf;
use std::process::Command;

use mailwright_tests::cluster::ControlPlane;
use mailwright_tests::cluster::mail::condition;
use mailwright_tests::harness::{PATIENCE, git, need, run};
use serde_json::{Value, json};

use super::company::Company;

/// Keys of ssh-keygen, and who is believed.
struct Keys(PathBuf);

impl Keys {
    fn new(company: &Company<'_>) -> Keys {
        let directory = company.tree.path().join("keys");
        std::fs::create_dir_all(&directory).unwrap();
        for name in ["alice", "bob"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(directory.join(name));
            run(&mut keygen).ok();
        }
        Keys(directory)
    }

    /// The Secret with those who are believed.
    fn believe(&self, company: &Company<'_>, names: &[&str]) {
        let line = |name: &&str| {
            let key = std::fs::read_to_string(self.0.join(format!("{name}.pub"))).unwrap();
            format!("{name}@example.test {}\n", key.trim())
        };
        let lines: String = names.iter().map(line).collect();
        company.mail.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "signers"}, "stringData": {"allowed_signers": lines},
        }));
    }

    /// Commits everything, signed by somebody, and pushes it.
    fn push(&self, company: &Company<'_>, by: &str) -> String {
        let work = company.tree.path().join("work");
        if !work.join(".git").exists() {
            git(&work, &["init", "-q", "-b", "main"]);
        }
        let key = format!("user.signingkey={}", self.0.join(by).display());
        git(&work, &["add", "-A"]);
        let sign = ["-c", "gpg.format=ssh", "-c", &key, "commit", "-q", "-S", "--allow-empty", "-m", "mail"];
        git(&work, &sign);
        git(&work, &["push", "-q", "--force", &company.git.url(), "HEAD:refs/heads/main"]);
        git(&work, &["rev-parse", "HEAD"])
    }
}

/// Somebody edits an object behind the repository's back, and it is put back.
fn drift_is_put_back(company: &Company<'_>) {
    company.patch("mailbox/m0", &json!({"spec": {"quota": "9Gi"}}));
    let is_back = |found: &Value| found["spec"]["quota"].is_null();
    company.mail.kubectl.wait_until(&company.mail.namespace, "mailbox/m0", PATIENCE, is_back);
}

#[test]
fn what_nobody_signed_leaves_the_last_good_revision_in_force() {
    let Some(plane) = ControlPlane::shared() else { return };
    if !need(&["git", "ssh-keygen"]) {
        return;
    }
    let Some(company) = Company::new(plane, "signed") else { return };
    let keys = Keys::new(&company);
    keys.believe(&company, &["alice"]);
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    company.mailbox("m0", "");
    let first = keys.push(&company, "alice");
    company.follow(&json!({"verify": {"mode": "Range", "secretRef": {"name": "signers"}}}));
    let found = company.applied(&first);
    assert_eq!(condition(&found, "Verified")["reason"], "SignatureVerified");
    assert_eq!(found["status"]["lastVerified"]["signer"], "alice@example.test");

    // An unsigned commit below a signed one.
    company.mailbox("m1", "");
    let slipped = company.push("mail: slipped");
    company.mailbox("m2", "");
    let second = keys.push(&company, "alice");
    let found = company.attempted(&second, "SignatureMissing");
    let told = condition(&found, "Verified")["message"].as_str().unwrap().to_owned();
    assert!(told.contains(&slipped[..12]), "{told}");
    assert_eq!(found["status"]["lastAppliedRevision"], format!("main@sha1:{first}"));
    drift_is_put_back(&company);

    // Another process knows no more than the status, and holds the same.
    let _operator = company.another(operator);
    drift_is_put_back(&company);
    assert!(company.get("mailbox/m1").is_null() && company.get("mailbox/m2").is_null());
    let found = company.look_again("again");
    assert_eq!(condition(&found, "Ready")["reason"], "SignatureMissing");
    assert_eq!(found["status"]["lastVerified"]["commit"], first.as_str());

    // The right history, by somebody who is believed no more, and then by somebody who is.
    let work = company.tree.path().join("work");
    git(&work, &["reset", "-q", "--hard", &first]);
    keys.believe(&company, &["bob"]);
    company.mailbox("m3", "");
    let third = keys.push(&company, "alice");
    company.attempted(&third, "SignatureInvalid");
    assert!(company.get("mailbox/m3").is_null());
    company.everybody(&["m0"], "a removed key");
    git(&work, &["reset", "-q", "--hard", &first]);
    company.mailbox("m4", "");
    let fourth = keys.push(&company, "bob");
    let found = company.applied(&fourth);
    assert_eq!(found["status"]["lastVerified"]["signer"], "bob@example.test");
    company.mail.ready("mailbox/m4");
}
