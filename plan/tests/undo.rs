//! The way back: the plan that undoes a revision restores its rows as they were, says what that means, and leaves alone what
//! was changed again since.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use chrono::Duration;
use mailwright_plan::history::{Before, Record};
use mailwright_plan::{Action, Change, Kind, Observed, Operation, Plan, plan, simulate, undo};
use support::{BASE, instead, running, start, with};

/// The row that an operation is about, as the account database remembers it.
fn before(observed: &Observed, operation: &Operation) -> Option<Before> {
    let (kind, key) = operation.change.key();
    match kind {
        Kind::MailServer => {
            observed.servers.iter().find(|row| row.declared.name == key).cloned().map(Before::Server)
        }
        Kind::MailDomain => {
            observed.domains.iter().find(|row| row.declared.domain == key).cloned().map(Before::Domain)
        }
        Kind::Mailbox => {
            observed.mailboxes.iter().find(|row| row.declared.address == key).map(|row| Before::Mailbox {
                declared: row.declared.clone(),
                owner: row.owner.clone(),
                removed_at: row.removed_at,
            })
        }
        _ => observed.aliases.iter().find(|row| row.declared.address == key).cloned().map(Before::Alias),
    }
}

fn action(action: Action) -> String {
    serde_json::to_value(action).unwrap().as_str().unwrap().to_owned()
}

/// Applies a repository as one revision; what runs then, and the records of it.
fn applied(observed: &Observed, text: &str, revision: &str, first: i64) -> (Observed, Vec<Record>) {
    let now = start() + Duration::seconds(first);
    let catalog = support::catalog(text);
    let mut settings = support::settings("git", now);
    settings.guards.approved = vec![plan(&catalog, observed, &settings).digest];
    let planned = plan(&catalog, observed, &settings);
    assert_eq!(planned.held().count(), 0, "{text}");
    let record = |(number, operation): (usize, &Operation)| Record {
        id: first + number as i64,
        at: now,
        actor: "up".into(),
        source: "git".into(),
        revision: format!("main@sha1:{revision}"),
        commit: Some(revision.into()),
        author: None,
        signer: None,
        committed_at: None,
        digest: planned.digest.clone(),
        approved: None,
        action: action(operation.action),
        risk: "none".into(),
        kind: Some(operation.change.key().0),
        key: operation.change.key().1.to_owned(),
        object: Some(operation.object.clone()),
        origin: operation.origin.clone(),
        changes: operation.changes.clone(),
        before: before(observed, operation),
    };
    let records = planned.operations.iter().enumerate().map(record).collect();
    (simulate::apply(observed, &planned, now), records)
}

/// What is declared and in service: what undoing can restore.
fn essence(observed: &Observed) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(observed.servers.iter().map(|row| format!("{:?}", row.declared)));
    let domains = observed.domains.iter().filter(|row| row.removed_at.is_none());
    lines.extend(domains.map(|row| format!("{:?}", row.declared)));
    let mailboxes = observed.mailboxes.iter().filter(|row| row.removed_at.is_none());
    lines.extend(mailboxes.map(|row| format!("{:?}", row.declared)));
    lines.extend(observed.aliases.iter().map(|row| format!("{:?}", row.declared)));
    lines
}

fn check(one: &str, two: &str, expected: &[&str]) -> Plan {
    let before = running(one);
    let (after, records) = applied(&before, two, "bbbb", 100);
    let back = undo::undo(&records, &[], &after, start() + Duration::hours(1));
    assert_eq!(support::brief(&back), expected, "{two}");
    let restored = simulate::apply(&after, &back, start() + Duration::hours(1));
    assert_eq!(essence(&restored), essence(&before), "{two}");
    let again = undo::undo(&records, &[], &restored, start() + Duration::hours(2));
    assert_eq!(support::brief(&again), Vec::<String>::new(), "twice is once: {two}");
    back
}

#[test]
fn what_came_goes_and_what_went_comes_back() {
    let more = "Mailbox carol {address: carol@two.test, quota: 1Gi}\n\
        Alias team {address: team@two.test, targets: [carol@two.test]}";
    for (one, two, expected) in [
        (BASE.to_owned(), with(more), vec!["delete team@two.test", "disable carol@two.test"]),
        (with(more), BASE.to_owned(), vec!["enable carol@two.test", "create team@two.test"]),
        (
            BASE.to_owned(),
            instead("alice@one.test}", "alice@one.test, quota: 2Gi, displayName: Alice}"),
            vec!["update alice@one.test"],
        ),
        (
            BASE.to_owned(),
            instead("bob@one.test}", "bob@one.test, enabled: false}"),
            vec!["update bob@one.test"],
        ),
        (BASE.to_owned(), instead("aliases: [eins.test]", "aliases: []"), vec!["update one.test"]),
        (BASE.to_owned(), instead("mail.example.test", "mx.example.test"), vec!["update default/main"]),
        (BASE.to_owned(), BASE.to_owned(), vec![]),
    ] {
        check(&one, &two, &expected);
    }
}

#[test]
fn it_says_what_it_means_for_mail_and_shows_the_fields() {
    let back = check(BASE, &instead("bob@one.test}", "bob@one.test, quota: 1Gi}"), &["update bob@one.test"]);
    let field = &back.operations[0].changes[0];
    assert_eq!(
        (field.field.as_str(), field.from.as_deref(), field.to.as_deref()),
        ("spec.quota", Some("1Gi"), None)
    );
    let more = with("Mailbox carol {address: carol@two.test}");
    let back = check(&more, BASE, &["enable carol@two.test"]);
    assert!(!back.operations[0].effect.is_empty(), "{back:?}");
    let back = check(BASE, &more, &["disable carol@two.test"]);
    let effect = back.operations[0].effect.join("\n");
    assert!(effect.contains("carol@two.test"), "{effect}");
    assert_eq!(back.source_id, "git");
}

#[test]
fn what_was_changed_again_is_left_to_whoever_decides() {
    let first = running(BASE);
    let two = instead("bob@one.test}", "bob@one.test, quota: 1Gi}")
        .replace("alice@one.test}\n", "alice@one.test, quota: 1Gi}\n");
    let (second, done) = applied(&first, &two, "bbbb", 100);
    let three = two.replace("bob@one.test, quota: 1Gi}", "bob@one.test, quota: 3Gi}");
    let (third, since) = applied(&second, &three, "cccc0123456789", 200);
    let back = undo::undo(&done, &since, &third, start() + Duration::hours(1));
    assert_eq!(support::brief(&back), ["update alice@one.test"]);
    assert_eq!(back.kept.len(), 1);
    assert_eq!(back.kept[0].subject, "bob@one.test");
    assert!(back.kept[0].reason.contains("changed again by cccc01234567"), "{:?}", back.kept);
}

#[test]
fn passwords_and_deleted_mail_do_not_come_back() {
    let first =
        running(&with("Mailbox carol {address: carol@two.test, deletionPolicy: Delete, retainFor: 0s}"));
    let (second, done) = applied(&first, BASE, "bbbb", 100);
    let (third, mut deleted) = applied(&second, BASE, "bbbb", 200);
    assert_eq!(third.mailboxes.len(), 2, "its retention was over: {deleted:?}");
    deleted.extend(done);
    deleted[0].changes = vec![mailwright_plan::FieldChange {
        field: "spec.credentials".into(),
        from: None,
        to: Some("[redacted]".into()),
    }];
    let of_mail: Vec<Record> = deleted.iter().filter(|record| record.action == "delete").cloned().collect();
    assert_eq!(of_mail.len(), 1);
    // Its row was out of service already when its mail went: there is nothing to restore it to.
    let back = undo::undo(&of_mail, &[], &third, start() + Duration::hours(1));
    assert_eq!(back.operations, []);
    let back = undo::undo(&deleted, &[], &third, start() + Duration::hours(1));
    assert_eq!(support::brief(&back), ["create carol@two.test"]);
    assert!(matches!(&back.operations[0].change, Change::PutMailbox { credential: None, .. }));
}

#[test]
fn records_travel_whole() {
    let (_, records) = applied(&running(BASE), &with("Mailbox carol {address: carol@two.test}"), "bbbb", 1);
    let (_, removed) =
        applied(&running(BASE), &BASE.replace("Mailbox bob {address: bob@one.test}\n", ""), "bbbb", 1);
    for record in records.into_iter().chain(removed) {
        let wire = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&wire).unwrap(), record, "{wire}");
    }
}
