//! Somebody leaves: login and mail off, mail kept, an alias in their place, back by a revert, or deleted in the end, unless a
//! legal hold says otherwise. In virtual time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use chrono::{DateTime, Duration, Utc};
use mailwright_plan::observed::{CredentialRow, MailboxRow, SetBy};
use mailwright_plan::{Catalog, Entry, FailureReason, Observed, Plan, Verdict, plan, simulate};
use support::{brief, catalog, start, with};

const CAROL: &str = "Mailbox carol {address: carol@one.test, deletionPolicy: Delete, retainFor: 48h, credentials: {secretRef: {name: pw}}}\n\
     Secret pw {password: one}";
const PLACE: &str = "Alias carol-left {address: carol@one.test, targets: [alice@one.test]}";

fn hours(hours: i64) -> DateTime<Utc> {
    start() + Duration::hours(hours)
}

/// The catalog of a text, with the label on carol.
fn held(text: &str, value: Option<&str>) -> Catalog {
    let mut catalog = catalog(text);
    let carol = support::object("Mailbox", "carol");
    if let (Some(entry), Some(value)) = (catalog.get(&carol).cloned(), value) {
        let mut entry: Entry = entry;
        let labels = entry.resource.metadata_mut().labels.get_or_insert_default();
        labels.insert("mailwright.dev/legal-hold".into(), value.into());
        catalog.apply(entry);
    }
    catalog
}

/// Plans, approves what can be approved, applies.
fn pass(observed: &mut Observed, catalog: &Catalog, now: DateTime<Utc>) -> Plan {
    let mut settings = support::settings("git", now);
    settings.guards.approved = vec![plan(catalog, observed, &settings).digest];
    let planned = plan(catalog, observed, &settings);
    *observed = simulate::apply(observed, &planned, now);
    planned
}

fn carol(observed: &Observed) -> Option<&MailboxRow> {
    observed.mailboxes.iter().find(|row| row.declared.address == "carol@one.test")
}

/// Carol works here, has set her own password and has mail.
fn employed(value: Option<&str>) -> Observed {
    let mut observed = Observed::default();
    pass(&mut observed, &held(&with(CAROL), value), start());
    let row = observed.mailboxes.iter_mut().find(|row| row.declared.address == "carol@one.test").unwrap();
    let fingerprint = row.credential.clone().unwrap().fingerprint;
    row.credential = Some(CredentialRow { fingerprint, set_by: SetBy::Owner });
    row.used_bytes = 4096;
    observed
}

#[test]
fn removed_kept_and_back_by_a_revert() {
    let mut observed = employed(None);
    let before = carol(&observed).unwrap().clone();
    let gone = pass(&mut observed, &catalog(&with("")), hours(1));
    assert_eq!(brief(&gone), ["disable carol@one.test"]);
    assert!(!carol(&observed).unwrap().is_active());
    assert_eq!(
        brief(&pass(&mut observed, &catalog(&with("")), hours(48))),
        Vec::<String>::new(),
        "not due yet"
    );
    let back = pass(&mut observed, &catalog(&with(CAROL)), hours(48));
    assert_eq!(brief(&back), ["enable carol@one.test"]);
    assert_eq!(carol(&observed).unwrap(), &before, "the same account, mail and password");
}

#[test]
fn deleted_after_retention_and_only_by_its_policy() {
    for (policy, deleted) in [("Delete", true), ("Disable", false)] {
        let text = with(&CAROL.replace("deletionPolicy: Delete", &format!("deletionPolicy: {policy}")));
        let mut observed = Observed::default();
        pass(&mut observed, &catalog(&text), start());
        pass(&mut observed, &catalog(&with("")), hours(1));
        let late = pass(&mut observed, &catalog(&with("")), hours(49));
        assert_eq!(brief(&late).len(), usize::from(deleted), "{policy}");
        assert_eq!(carol(&observed).is_none(), deleted, "{policy}");
    }
}

/// One commit takes the Mailbox out and puts an Alias of the same address in; the other way round it is a revert.
#[test]
fn an_alias_takes_the_place_of_who_left() {
    let mut observed = employed(None);
    let left = pass(&mut observed, &catalog(&with(PLACE)), hours(1));
    assert_eq!(brief(&left), ["disable carol@one.test", "create carol@one.test"]);
    assert_eq!(
        left.operations[0].effect,
        [
            "carol@one.test can no longer log in; its Alias gets mail for it",
            "its mail is kept for 48h and deleted then"
        ]
    );
    assert!(observed.aliases.iter().any(|row| row.declared.address == "carol@one.test"));
    assert_eq!(brief(&pass(&mut observed, &catalog(&with(PLACE)), hours(2))), Vec::<String>::new());
    let mut deleted = observed.clone();
    assert_eq!(brief(&pass(&mut deleted, &catalog(&with(PLACE)), hours(49))), ["delete carol@one.test"]);
    assert!(deleted.aliases.iter().any(|row| row.declared.address == "carol@one.test"), "the alias stays");
    let back = pass(&mut observed, &catalog(&with(CAROL)), hours(3));
    assert_eq!(brief(&back), ["delete carol@one.test", "enable carol@one.test"]);
    assert_eq!(carol(&observed).unwrap().credential.as_ref().unwrap().set_by, SetBy::Owner);
    assert!(!observed.aliases.iter().any(|row| row.declared.address == "carol@one.test"));
}

#[test]
fn both_at_once_is_a_mistake_and_the_mailbox_stays() {
    let mut observed = employed(None);
    let both = pass(&mut observed, &catalog(&with(&format!("{CAROL}\n{PLACE}"))), hours(1));
    assert!(both.operations.is_empty(), "{:?}", brief(&both));
    let message = both.errors().next().unwrap().to_string();
    assert!(message.contains("carol@one.test is already declared by Mailbox default/carol"), "{message}");
}

#[test]
fn a_protected_address_may_pass_to_an_alias() {
    let text =
        with("Mailbox boss {address: postmaster@two.test}").replace("Alias postmaster2", "Alias other2");
    let text = text.replace("address: postmaster@two.test, targets", "address: info@two.test, targets");
    let mut observed = Observed::default();
    pass(&mut observed, &catalog(&text), start());
    let without = text.replace("Mailbox boss {address: postmaster@two.test}", "");
    let alone = plan(&catalog(&without), &observed, &support::settings("git", hours(1)));
    assert_eq!(alone.held().count(), 1, "nobody would get it: {:?}", brief(&alone));
    let alias = format!("{without}\nAlias boss {{address: postmaster@two.test, targets: [alice@one.test]}}");
    let passed = plan(&catalog(&alias), &observed, &support::settings("git", hours(1)));
    assert_eq!(brief(&passed), ["disable postmaster@two.test", "create postmaster@two.test"]);
}

#[test]
fn a_legal_hold_outlives_the_manifest_until_it_is_lifted() {
    let mut observed = employed(Some("true"));
    let gone = pass(&mut observed, &catalog(&with("")), hours(1));
    assert_eq!(gone.operations[0].effect[1], "its mail is kept by a legal hold");
    let due = pass(&mut observed, &catalog(&with("")), hours(1000));
    assert!(due.operations.is_empty());
    let kept: Vec<String> = due.kept.iter().map(|it| format!("{} {}", it.subject, it.reason)).collect();
    assert_eq!(
        kept,
        ["carol@one.test a legal hold keeps its mail; to lift it, declare it once without the label \
          mailwright.dev/legal-hold"]
    );
    let delete = mailwright_plan::Change::DeleteMailbox { address: "carol@one.test".into() };
    let operation = mailwright_plan::Operation { change: delete, ..gone.operations[0].clone() };
    let (_, outcomes) = simulate::apply_operations(&observed, "git", [&operation], hours(1000));
    let refused = matches!(outcomes[0].verdict, Verdict::Failed { reason: FailureReason::InUse, .. });
    assert!(refused, "the database refuses too");
    let lifted = with(&CAROL.replace("{address: carol@one.test", "{enabled: false, address: carol@one.test"));
    let lift = pass(&mut observed, &catalog(&lifted), hours(1001));
    let field = &lift.operations[0].changes.iter().find(|it| it.field.contains("legal-hold")).unwrap();
    assert_eq!((field.from.as_deref(), field.to.as_deref()), (Some("true"), None));
    let said = "the legal hold of carol@one.test is lifted: its mail may be deleted";
    assert!(lift.operations[0].effect.iter().any(|line| line == said), "{:?}", lift.operations[0].effect);
    pass(&mut observed, &catalog(&with("")), hours(1002));
    assert_eq!(brief(&pass(&mut observed, &catalog(&with("")), hours(1050))), ["delete carol@one.test"]);
}

#[test]
fn every_value_but_false_holds() {
    for (value, holds) in [
        (Some("true"), true),
        (Some("True"), true),
        (Some("yes"), true),
        (Some(""), true),
        (Some("false"), false),
        (None, false),
    ] {
        assert_eq!(carol(&employed(value)).unwrap().declared.legal_hold, holds, "{value:?}");
    }
}

/// Label and Mailbox taken out in one commit is no lifting: what the row says counts.
#[test]
fn removing_label_and_mailbox_at_once_lifts_nothing() {
    let mut observed = employed(Some("true"));
    pass(&mut observed, &catalog(&with("")), hours(1));
    assert!(carol(&observed).unwrap().declared.legal_hold);
    let text = with(PLACE);
    pass(&mut observed, &catalog(&text), hours(2));
    pass(&mut observed, &catalog(&text), hours(500));
    assert!(carol(&observed).is_some_and(|row| row.used_bytes == 4096), "kept beside the alias");
}
