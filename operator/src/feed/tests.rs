//! What a snapshot leaves in the catalog beside its objects: labels of namespaces, and passwords that were made up.

use mailwright_crds::Kind;
use mailwright_plan::{Observed, Settings};

use super::*;
use crate::source::{Options, Source};

const KEY: [u8; 32] = [7; 32];

const MAIL: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: a}}\n---\n\
    apiVersion: mailwright.dev/v1alpha1\nkind: MailServer\nmetadata: {name: main, namespace: mail}\nspec: {hostname: mail.example.test}\n---\n\
    apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {name: one, namespace: mail}\n\
    spec: {serverRef: {name: main}, domain: one.test, allowedMailboxes: {from: Selector, selector: {matchLabels: {team: a}}}}\n---\n\
    apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: alice, namespace: shop}\n\
    spec: {address: alice@one.test, credentials: {generate: {secretName: alice}}}\n";

fn fed(feed: &mut Feed, text: &str) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mail.yaml"), text).unwrap();
    let mut source = Source::open(dir.path().to_str().unwrap(), Options::default()).unwrap();
    let snapshot = source.load().unwrap().unwrap();
    feed.take(&snapshot, &KEY);
}

fn plan(feed: &Feed) -> mailwright_plan::Plan {
    let settings = Settings { fingerprint_key: KEY, ..Settings::new("test", chrono::DateTime::UNIX_EPOCH) };
    mailwright_plan::plan(&feed.catalog, &Observed::default(), &settings)
}

#[test]
fn labels_of_namespaces_come_from_their_documents_and_go_with_them() {
    let mut feed = Feed::default();
    for (labels, errors) in [("{team: a}", 0), ("{team: b}", 1), ("{team: a}", 0)] {
        fed(&mut feed, &MAIL.replace("{team: a}}\n---", &format!("{labels}}}\n---")));
        let found: Vec<String> = plan(&feed).errors().map(ToString::to_string).collect();
        assert_eq!(found.len(), errors, "{labels}: {found:?}");
    }
    let without = MAIL.split_once("---\n").unwrap().1;
    fed(&mut feed, without);
    assert!(feed.catalog.namespaces().is_empty());
    assert_eq!(plan(&feed).errors().count(), 1);
}

fn sets_password(feed: &Feed) -> Option<String> {
    plan(feed).operations.into_iter().find_map(|operation| match operation.change {
        mailwright_plan::Change::PutMailbox { credential, .. } => credential.map(|it| it.fingerprint),
        _ => None,
    })
}

fn generated(feed: &mut Feed, password: &'static str) {
    let answer = |mailbox: &Mailbox| {
        assert_eq!(mailbox.metadata.name.as_deref(), Some("alice"));
        Ok::<_, ()>(Some(SecretValue::new(password)))
    };
    feed.take_generated(&KEY, answer).unwrap();
}

#[test]
fn a_password_that_was_made_up_is_one_like_any_other() {
    let mut feed = Feed::default();
    fed(&mut feed, MAIL);
    assert_eq!(sets_password(&feed), None, "there is none yet");
    assert_eq!(plan(&feed).errors().count(), 0);
    generated(&mut feed, "one");
    let first = sets_password(&feed).unwrap();
    assert_eq!(first, mailwright_plan::fingerprint(&KEY, b"one"));
    generated(&mut feed, "two");
    assert_eq!(sets_password(&feed).unwrap(), mailwright_plan::fingerprint(&KEY, b"two"));
    fed(&mut feed, MAIL);
    assert_eq!(sets_password(&feed), None, "a snapshot brings none along");
    generated(&mut feed, "two");
    assert!(feed.secrets.value("shop", "alice", "password").is_some());
}

#[test]
fn a_secret_of_somebody_else_is_not_written_to() {
    let secret = |data: &str| {
        format!(
            "{MAIL}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: alice, namespace: shop}}\nstringData: {data}\n"
        )
    };
    let mut feed = Feed::default();
    fed(&mut feed, &secret("{password: theirs}"));
    generated(&mut feed, "ours");
    assert_eq!(sets_password(&feed).unwrap(), mailwright_plan::fingerprint(&KEY, b"theirs"));
    fed(&mut feed, &secret("{other: x}"));
    generated(&mut feed, "ours");
    assert_eq!(sets_password(&feed), None);
    let alice = ObjectRef { kind: Kind::Mailbox, namespace: "shop".into(), name: "alice".into() };
    let said: Vec<ProblemCode> = plan(&feed)
        .problems
        .iter()
        .filter(|problem| problem.object.as_ref() == Some(&alice))
        .map(|problem| problem.code)
        .collect();
    assert_eq!(said, [ProblemCode::SecretNotOurs]);
}
