//! Attempts at real repositories: what is taken, what is refused, and that nothing counts as taken before it is settled.

use std::path::Path;
use std::process::Command;

use mailwright_crds::{ConditionType, Reason, check_repository};
use serde_json::{Value, json};

use super::*;
use crate::repository::Prepared;
use crate::secrets::Secrets;

const MAILBOX: &str = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: NAME}\nspec: {address: NAME@example.test}\n";

fn git(dir: &Path, arguments: &[&str]) -> String {
    let identity =
        ["-c", "user.name=Carol", "-c", "user.email=carol@example.org", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(dir: &Path, name: &str, message: &str) -> String {
    std::fs::create_dir_all(dir.join("mail")).unwrap();
    std::fs::write(dir.join(format!("mail/{name}.yaml")), MAILBOX.replace("NAME", name)).unwrap();
    git(dir, &["add", "."]);
    git(dir, &["commit", "-q", "-m", message]);
    git(dir, &["rev-parse", "HEAD"])
}

fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "-b", "main"]);
    commit(dir.path(), "alice", "alice");
    dir
}

fn follow(dir: &Path, spec: &Value, last: Last) -> Follow {
    let mut whole =
        json!({"url": format!("file://{}", dir.display()), "ref": {"branch": "main"}, "path": "mail"});
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let manifest = json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
        "metadata": {"name": "company"}, "spec": whole});
    let prepared =
        Prepared::new(&check_repository(&manifest).unwrap(), &Secrets::default(), &dir.join("cache"))
            .unwrap();
    Follow::new(Source::open(&prepared.location, prepared.options.clone()).unwrap(), &prepared, last)
}

fn objects(revision: &Revision) -> Vec<&str> {
    revision.snapshot.objects.iter().map(|object| object.reference.name.as_str()).collect()
}

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

#[test]
fn revisions_come_one_after_another() {
    let dir = repository();
    let mut follow = follow(dir.path(), &json!({}), Last::default());
    let first = follow.load(now()).unwrap().unwrap();
    assert_eq!(objects(&first), ["alice"]);
    assert!(follow.last().applied.is_none(), "what was only read was not taken");
    assert!(follow.settle(&first) && !follow.settle(&first));
    assert!(follow.load(now()).unwrap().is_none());

    let second = commit(dir.path(), "bob", "bob\n\nMailwright-Approve: 0123456789abcdef");
    let third = commit(dir.path(), "dave", "dave");
    let revision = follow.load(now()).unwrap().unwrap();
    assert_eq!(objects(&revision), ["alice", "bob", "dave"]);
    assert_eq!(revision.snapshot.commit.as_ref().unwrap().id, third);
    let taken = revision.taken.as_ref().unwrap();
    assert_eq!(taken.commits.iter().map(|commit| commit.id.as_str()).collect::<Vec<_>>(), [&third, &second]);
    assert_eq!(revision.approvals(), ["0123456789abcdef"]);
    let signed_only = Revision { verified: true, ..revision.clone() };
    assert_eq!(signed_only.approvals(), Vec::<String>::new(), "nobody signed it");
    follow.settle(&revision);
    assert_eq!(follow.last().applied.as_ref(), Some(&third));
}

#[test]
fn what_goes_back_is_refused_until_it_is_allowed() {
    let dir = repository();
    commit(dir.path(), "bob", "bob");
    let mut before = follow(dir.path(), &json!({}), Last::default());
    let revision = before.load(now()).unwrap().unwrap();
    before.settle(&revision);
    git(dir.path(), &["reset", "-q", "--hard", "HEAD~1"]);

    let trouble = before.load(now()).unwrap_err();
    assert_eq!((trouble.aspect, trouble.reason), (ConditionType::Verified, Reason::RevisionRewound));
    assert!(trouble.revision.is_some() && trouble.message.contains("allowRewind"), "{trouble}");
    assert!(before.load(now()).is_err(), "asking again does not help");
    let mut restarted = follow(dir.path(), &json!({}), before.last().clone());
    assert_eq!(restarted.load(now()).unwrap_err().reason, Reason::RevisionRewound);
    let mut allowed = follow(dir.path(), &json!({"allowRewind": true}), before.last().clone());
    assert_eq!(objects(&allowed.load(now()).unwrap().unwrap()), ["alice"]);
    // A commit on top of the one that was taken is the way without allowing anything.
    git(dir.path(), &["reset", "-q", "--hard", "ORIG_HEAD"]);
    commit(dir.path(), "erin", "erin");
    assert_eq!(objects(&before.load(now()).unwrap().unwrap()), ["alice", "bob", "erin"]);
}

#[test]
fn what_cannot_be_read_is_no_wish_to_remove_everything() {
    let dir = repository();
    let mut follow = follow(dir.path(), &json!({}), Last::default());
    let revision = follow.load(now()).unwrap().unwrap();
    follow.settle(&revision);
    let head = git(dir.path(), &["rev-parse", "HEAD"]);

    git(dir.path(), &["mv", "mail/alice.yaml", "mail/alice.txt"]);
    git(dir.path(), &["commit", "-q", "-m", "no manifest"]);
    let empty = follow.load(now()).unwrap_err();
    assert_eq!(empty.reason, Reason::SourceEmpty, "{empty}");
    git(dir.path(), &["rm", "-q", "-r", "mail"]);
    git(dir.path(), &["commit", "-q", "--allow-empty", "-m", "nothing at all"]);
    let empty = follow.load(now()).unwrap_err();
    assert_eq!(empty.reason, Reason::SourceEmpty, "{empty}");
    git(dir.path(), &["checkout", "-q", "-b", "other", &head]);
    git(dir.path(), &["branch", "-q", "-D", "main"]);
    let gone = follow.load(now()).unwrap_err();
    assert_eq!((gone.reason, gone.temporary), (Reason::RefNotFound, false), "{gone}");
    std::fs::rename(dir.path().join(".git"), dir.path().join("away")).unwrap();
    let away = follow.load(now()).unwrap_err();
    assert_eq!((away.reason, away.temporary), (Reason::FetchFailed, true), "{away}");
    for trouble in [empty, gone, away] {
        assert!(trouble.message.contains("the last state stays in force"), "{trouble}");
    }
}

/// A day of attempts, one a minute: each says the same, none moves anything, and the first that succeeds goes on where it ended.
#[test]
fn a_day_without_the_host_is_only_time() {
    let dir = repository();
    let mut follow = follow(dir.path(), &json!({}), Last::default());
    let revision = follow.load(now()).unwrap().unwrap();
    follow.settle(&revision);
    let before = follow.last().clone();
    let (there, away) = (dir.path().join(".git"), dir.path().join("away"));
    std::fs::rename(&there, &away).unwrap();
    let first = follow.load(now()).unwrap_err();
    for minute in 1..=24 * 60 {
        let later = follow.load(now() + chrono::Duration::minutes(minute)).unwrap_err();
        assert_eq!(later, first, "after {minute} minutes");
    }
    assert!(first.temporary && first.message.ends_with("the last state stays in force"), "{first}");
    assert_eq!(follow.last(), &before);
    std::fs::rename(&away, &there).unwrap();
    assert!(
        follow.load(now() + chrono::Duration::hours(25)).unwrap().is_none(),
        "what is in force is what is there"
    );
    commit(dir.path(), "bob", "bob");
    let revision = follow.load(now() + chrono::Duration::hours(26)).unwrap().unwrap();
    assert_eq!(objects(&revision), ["alice", "bob"]);
}

#[test]
fn an_unsigned_commit_is_refused_where_signatures_are_asked_for() {
    let dir = repository();
    let mut secrets = Secrets::default();
    let signers = "alice@example.test ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n";
    secrets.insert_value("default", "signers", "allowed_signers", crate::source::SecretValue::new(signers));
    let manifest = json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository", "metadata": {"name": "company"},
        "spec": {"url": format!("file://{}", dir.path().display()), "verify": {"secretRef": {"name": "signers"}}}});
    let prepared =
        Prepared::new(&check_repository(&manifest).unwrap(), &secrets, &dir.path().join("cache")).unwrap();
    let source = Source::open(&prepared.location, prepared.options.clone()).unwrap();
    let mut follow = Follow::new(source, &prepared, Last::default());
    assert!(follow.verifies());
    let trouble = follow.load(now()).unwrap_err();
    assert_eq!((trouble.aspect, trouble.reason), (ConditionType::Verified, Reason::SignatureMissing));
    assert!(follow.last().applied.is_none() && follow.last().verified.is_none());
}

#[test]
fn a_directory_has_no_history_and_is_read_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("alice.yaml"), MAILBOX.replace("NAME", "alice")).unwrap();
    let source = Source::open(dir.path().to_str().unwrap(), Options::default()).unwrap();
    let mut follow = Follow::plainly(source);
    let revision = follow.load(now()).unwrap().unwrap();
    assert_eq!((objects(&revision), revision.approvals()), (vec!["alice"], vec![]));
    assert!(!follow.settle(&revision) && !follow.remembers());
    assert!(follow.load(now()).unwrap().is_none());
}
