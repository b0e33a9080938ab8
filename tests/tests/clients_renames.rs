//! The same address in another file, another directory, under another name, in another namespace or in another repository is the same
//! account: its number, its mail and the password that its owner set stay, and nobody is turned away in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mailwright_tests::harness::{Followed, git, mailwright, need, run_with_input, wait_for, wire};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);
const M0: &str = "m0@example.test";
/// The password that its owner set, which no manifest knows.
const OWN: &str = "a-password-of-their-own";

/// Somebody who has mail and a password of their own, and their account's number.
struct Person {
    followed: Followed,
    account: i64,
}

impl Person {
    fn new(spec: &str) -> Person {
        let followed = Followed::started(spec);
        followed.until("Reconciled");
        let kept = "From: carol@example.org\r\nSubject: kept\r\nX-Id: kept\r\n\r\nKept.\r\n";
        let reply = wire::deliver(followed.server.ports.smtp, "carol@example.org", &[M0], kept).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
        let mut passwd = Command::new(mailwright());
        passwd.args(["passwd", M0, "--stdin", "--data"]).arg(followed.server.data());
        run_with_input(&mut passwd, &format!("{OWN}\n")).ok();
        let account = number(&followed, M0).expect("an account");
        Person { followed, account }
    }

    /// Waits for the commit that was made last, and says what `why` does.
    fn applied(&self) -> String {
        let head = git(&self.followed.repository, &["rev-parse", "HEAD"]);
        wait_for("the newest commit", PATIENCE, || {
            let status = self.followed.status();
            let is_it = status["lastAppliedRevision"].as_str()?.ends_with(&head);
            (is_it && status["conditions"].to_string().contains("\"Reconciled\"")).then_some(())
        });
        self.followed.server.cli(&["why", M0]).ok().stdout
    }

    fn is_the_same(&self) {
        assert_eq!(number(&self.followed, M0), Some(self.account), "another account");
        let login = |password: &str| self.followed.server.script("login.py", &[M0, password]).ok().stdout;
        assert!(login(OWN).starts_with("in") && login("mailwright").starts_with("refused"));
        self.followed.server.cli(&["fetch", M0, "hdr.subject"]).ok().says("kept");
        let history = self.followed.server.cli(&["history", M0, "-o", "json"]).ok().stdout;
        let history: Vec<Value> = serde_json::from_str(&history).unwrap();
        let actions: Vec<&str> = history.iter().filter_map(|record| record["action"].as_str()).collect();
        assert_eq!(actions.iter().filter(|action| **action == "create").count(), 1, "{actions:?}");
        assert!(
            !actions.iter().any(|action| matches!(*action, "disable" | "enable" | "delete")),
            "{actions:?}"
        );
        self.followed.everybody_is_there();
    }
}

fn number(followed: &Followed, address: &str) -> Option<i64> {
    let rows: Value =
        serde_json::from_str(&followed.server.cli(&["observe", "-o", "json"]).ok().stdout).unwrap();
    let rows = rows["mailboxes"].as_array().unwrap();
    rows.iter().find(|row| row["declared"]["address"] == address)?["accountId"].as_i64()
}

/// Asks for the address again and again while something is done; how often it was taken. A refusal fails.
fn while_asked(followed: &Followed, work: impl FnOnce()) -> usize {
    let (done, taken) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let answer = followed.rcpt("m0");
                assert!(answer.starts_with("250"), "{answer}");
                taken.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        work();
        done.store(true, Ordering::SeqCst);
        asking.join().unwrap();
    });
    taken.load(Ordering::SeqCst)
}

#[test]
fn a_file_a_directory_a_name_and_a_namespace_are_only_places() {
    if !need(&["git", "python3"]) {
        return;
    }
    let person = Person::new("");
    let repository = person.followed.repository.as_path();
    let moved = |from: &str, to: &str, place: &str| {
        std::fs::create_dir_all(repository.join(to).parent().unwrap()).unwrap();
        git(repository, &["mv", from, to]);
        person.followed.commit(&format!("mail: {from} is {to} now"));
        let why = person.applied();
        assert!(why.contains(&format!("declared at: {place}")), "{why}");
        person.is_the_same();
    };
    let edited = |file: &str, from: &str, to: &str, object: &str| {
        let text = std::fs::read_to_string(repository.join(file)).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(repository.join(file), text.replace(from, to)).unwrap();
        person.followed.commit(&format!("mail: it is called {object}"));
        let why = person.applied();
        assert!(why.contains(&format!("{M0}: mailbox {object}, in service")), "{why}");
        person.is_the_same();
    };
    let asked = while_asked(&person.followed, || {
        moved("mail/m0.yaml", "mail/zero.yaml", "mail/zero.yaml:1");
        moved("mail/zero.yaml", "mail/people/here/zero.yaml", "mail/people/here/zero.yaml:1");
        edited("mail/people/here/zero.yaml", "name: m0", "name: zero", "default/zero");
    });
    assert!(asked > 20, "{asked}");

    // The password in force is the owner's: the Secret of the other namespace is not needed, and the domain has to allow it.
    let domains = std::fs::read_to_string(repository.join("mail/domains.yaml")).unwrap();
    let allowing = domains.replacen(
        "  domain: example.test\n",
        "  domain: example.test\n  allowedMailboxes: {from: All}\n",
        1,
    );
    assert_ne!(allowing, domains);
    std::fs::write(repository.join("mail/domains.yaml"), allowing).unwrap();
    let file = "mail/people/here/zero.yaml";
    let text = std::fs::read_to_string(repository.join(file)).unwrap();
    let (text, _) = text.split_once("  credentials:").unwrap();
    std::fs::write(repository.join(file), text).unwrap();
    edited(file, "{name: zero}", "{name: zero, namespace: people}", "people/zero");

    // Everything at once, beside somebody new who takes the old name and the old file.
    git(repository, &["mv", file, "mail/all.yaml"]);
    let text = std::fs::read_to_string(repository.join("mail/all.yaml")).unwrap();
    std::fs::write(
        repository.join("mail/all.yaml"),
        text.replace("{name: zero, namespace: people}", "{name: nought}"),
    )
    .unwrap();
    let newcomer = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: m0}\nspec: {address: newcomer@example.test}\n";
    std::fs::write(repository.join("mail/m0.yaml"), newcomer).unwrap();
    person.followed.commit("mail: somebody new is m0");
    person.followed.until_rcpt("newcomer", "250");
    assert!(person.applied().contains(&format!("{M0}: mailbox default/nought, in service")));
    person.is_the_same();
    assert_ne!(number(&person.followed, "newcomer@example.test"), Some(person.account));
}

/// A repository with another history that declares the same installation in other files.
fn another(followed: &Followed) -> std::path::PathBuf {
    let other = followed.server.scratch().join("other");
    std::fs::create_dir_all(other.join("mail")).unwrap();
    git(&other, &["init", "-q", "-b", "main"]);
    let mut all = String::new();
    for entry in std::fs::read_dir(followed.repository.join("mail")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        all += &format!("{}\n---\n", text.replace("metadata: {name: m0}", "metadata: {name: moved}"));
    }
    std::fs::write(other.join("mail/all.yaml"), all).unwrap();
    git(&other, &["add", "-A"]);
    git(&other, &["commit", "-q", "-m", "mail: begun anew"]);
    other
}

/// The same file of --config with another place.
fn point(config: &Path, to: &Path, more: &str) {
    let text = std::fs::read_to_string(config).unwrap();
    let (before, after) = text.split_once("  url: ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    std::fs::write(config, format!("{before}  url: file://{}\n{more}{after}", to.display())).unwrap();
}

#[test]
fn a_whole_repository_moves_to_another() {
    if !need(&["git", "python3"]) {
        return;
    }
    let mut person = Person::new("");
    let other = another(&person.followed);
    person.followed.server.stop();
    point(&person.followed.config, &other, "");
    person.followed.server.start();
    // Another history might be an attacker's: it is not taken before somebody says that it is meant.
    person.followed.told("RevisionRewound", "allowRewind");
    person.is_the_same();
    person.followed.server.stop();
    point(&person.followed.config, &other, "  allowRewind: true\n");
    person.followed.repository = other;
    person.followed.server.start();
    let why = person.applied();
    assert!(why.contains(&format!("{M0}: mailbox default/moved, in service")), "{why}");
    assert!(why.contains("declared at: mail/all.yaml:"), "{why}");
    person.is_the_same();
}
