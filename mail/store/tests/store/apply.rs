//! Batches of account changes: idempotence, conflicts, order, deletion.

use mailwright_store::{Change, ChangeError, DeletionPolicy, Effect, Ownership, Target};
use serde_json::json;

use crate::support::*;

fn everything() -> Vec<Change> {
    let mut domain = domain_row("example.test");
    domain.aliases = vec!["example.net".into(), "example.org".into()];
    domain.catch_all = Some("alice@example.test".into());
    domain.settings = json!({"dmarc": {"policy": "Reject"}, "limits": null});
    let mut alice = mailbox_row("alice@example.test");
    alice.quota = Some(1 << 30);
    alice.display_name = "Alice".into();
    alice.send_as = vec!["sales@example.test".into()];
    alice.forward = vec!["alice@elsewhere.example".into()];
    alice.keep_copy = false;
    alice.deletion_policy = DeletionPolicy::Delete;
    vec![
        Change::PutServer(server_row("mail/main")),
        Change::PutDomain(domain),
        put_mailbox(alice),
        Change::PutAlias(alias_row("sales@example.test", &["alice@example.test"])),
    ]
}

#[tokio::test]
async fn what_was_put_is_observed_and_putting_it_again_writes_nothing() {
    let home = Home::new().await;
    let accounts = home.store.accounts();
    let results = accounts.apply(everything(), None).await.unwrap();
    assert!(results.iter().all(|r| *r == Ok(Effect::Written)), "{results:?}");
    let first = accounts.observe().await.unwrap();
    assert_eq!(first.change_counter, 4);
    let back: Vec<Change> = [Change::PutServer(first.servers[0].row.clone())]
        .into_iter()
        .chain(first.domains.iter().map(|d| Change::PutDomain(d.row.clone())))
        .chain(first.mailboxes.iter().map(|m| put_mailbox(m.row.clone())))
        .chain(first.aliases.iter().map(|a| Change::PutAlias(a.row.clone())))
        .collect();
    assert_eq!(back, everything());
    home.pass(100);
    let results = accounts.apply(back, None).await.unwrap();
    assert!(results.iter().all(|r| *r == Ok(Effect::Unchanged)), "{results:?}");
    assert_eq!(accounts.observe().await.unwrap(), first);
    assert_eq!(first.mailboxes[0].created_at, START);
    home.sound().await;
}

#[tokio::test]
async fn a_batch_in_any_order_ends_the_same() {
    let home = Home::new().await;
    let mut batch = everything();
    batch.reverse();
    let results = home.store.accounts().apply(batch, None).await.unwrap();
    assert!(results.iter().all(|r| *r == Ok(Effect::Written)), "{results:?}");
    assert_eq!(home.store.accounts().change_counter().await.unwrap(), 4);
}

#[tokio::test]
async fn each_field_is_compared() {
    let home = Home::new().await;
    home.store.accounts().apply(everything(), None).await.unwrap();
    let Change::PutMailbox { row: alice, .. } = everything().remove(2) else { panic!() };
    let moved = |line| Ownership { origin_line: line, ..alice.owner.clone().unwrap() };
    let renamed = Ownership { origin_file: "other.yaml".into(), ..alice.owner.clone().unwrap() };
    for (what, changed, expected) in [
        ("line", mailwright_store::MailboxRow { owner: Some(moved(9)), ..alice.clone() }, Effect::Unchanged),
        ("file", mailwright_store::MailboxRow { owner: Some(renamed), ..alice.clone() }, Effect::Written),
        ("name", mailwright_store::MailboxRow { display_name: "A".into(), ..alice.clone() }, Effect::Written),
        ("quota", mailwright_store::MailboxRow { quota: None, ..alice.clone() }, Effect::Written),
        ("enabled", mailwright_store::MailboxRow { enabled: false, ..alice.clone() }, Effect::Written),
        ("forward", mailwright_store::MailboxRow { forward: vec![], ..alice.clone() }, Effect::Written),
        ("keep copy", mailwright_store::MailboxRow { keep_copy: true, ..alice.clone() }, Effect::Written),
        ("send as", mailwright_store::MailboxRow { send_as: vec![], ..alice.clone() }, Effect::Written),
        (
            "retention",
            mailwright_store::MailboxRow { retain_for_seconds: 1, ..alice.clone() },
            Effect::Written,
        ),
        (
            "case",
            mailwright_store::MailboxRow { address: "Alice@EXAMPLE.test".into(), ..alice.clone() },
            Effect::Unchanged,
        ),
    ] {
        assert_eq!(home.apply(put_mailbox(changed)).await, Ok(expected), "{what}");
        home.apply(put_mailbox(alice.clone())).await.unwrap();
    }
}

#[tokio::test]
async fn the_first_source_keeps_an_address() {
    let home = Home::new().await;
    home.account("alice@example.test").await;
    let mut theirs = mailbox_row("alice@example.test");
    theirs.owner = owner("other");
    let conflict = Err(ChangeError::Conflict { name: "alice@example.test".into(), managed_by: "git".into() });
    assert_eq!(home.apply(put_mailbox(theirs.clone())).await, conflict);
    let other = Target { name: "alice@example.test".into(), managed_by: Some("other".into()) };
    assert_eq!(home.apply(Change::DisableMailbox(other)).await, conflict);
    assert_eq!(home.apply(Change::ReleaseMailbox(target("alice@example.test"))).await, Ok(Effect::Written));
    assert_eq!(home.apply(Change::ReleaseMailbox(target("alice@example.test"))).await, Ok(Effect::Unchanged));
    assert_eq!(home.mailbox("alice@example.test").await.row.owner, None);
    assert_eq!(home.apply(put_mailbox(theirs)).await, Ok(Effect::Written));
    assert_eq!(home.mailbox("alice@example.test").await.row.owner, owner("other"));
}

#[tokio::test]
async fn one_bad_change_holds_back_no_other() {
    let home = Home::new().await;
    let taken = |name: &str, by: &str| Err(ChangeError::Taken { name: name.into(), by: by.into() });
    let mut clash = domain_row("example.com");
    clash.aliases = vec!["example.test".into()];
    let mut thief = domain_row("thief.test");
    thief.aliases = vec!["example.net".into()];
    let mut twice = domain_row("twice.test");
    twice.aliases = vec!["a.test".into(), "A.test".into()];
    let batch = everything().into_iter().chain([
        put_mailbox(mailbox_row("sales@example.test")),
        Change::PutAlias(alias_row("alice@example.test", &["bob@example.test"])),
        Change::PutDomain(clash),
        Change::PutDomain(thief),
        Change::PutDomain(domain_row("example.org")),
        Change::PutDomain(twice),
        put_mailbox(mailbox_row("carol@nowhere.test")),
        put_mailbox(mailbox_row("carol at home")),
        put_mailbox(mailbox_row("bob@example.test")),
    ]);
    let results = home.store.accounts().apply(batch.collect(), None).await.unwrap();
    assert!(results[..4].iter().all(|r| *r == Ok(Effect::Written)));
    assert_eq!(results[4], taken("sales@example.test", "an alias"));
    assert_eq!(results[5], taken("alice@example.test", "a mailbox"));
    assert_eq!(results[6], taken("example.test", "a domain"));
    assert_eq!(results[7], taken("example.net", "an alias domain of example.test"));
    assert_eq!(results[8], taken("example.org", "an alias domain of example.test"));
    assert_eq!(results[9], taken("a.test", "an alias domain of twice.test"));
    assert_eq!(results[10], Err(ChangeError::NoSuchDomain { domain: "nowhere.test".into() }));
    assert_eq!(results[11], Err(ChangeError::Invalid { name: "carol at home".into() }));
    assert_eq!(results[12], Ok(Effect::Written));
    assert_eq!(home.store.accounts().change_counter().await.unwrap(), 5);
    home.sound().await;
}

#[tokio::test]
async fn alias_domains_can_change_hands_within_a_batch() {
    let home = Home::new().await;
    let with = |name: &str, aliases: &[&str]| {
        let mut row = domain_row(name);
        row.aliases = aliases.iter().map(|a| (*a).into()).collect();
        Change::PutDomain(row)
    };
    let before = vec![with("a.test", &["x.test"]), with("b.test", &[])];
    home.store.accounts().apply(before, None).await.unwrap();
    let after = vec![with("b.test", &["x.test"]), with("a.test", &[])];
    let results = home.store.accounts().apply(after, None).await.unwrap();
    assert_eq!(results, [Ok(Effect::Written), Ok(Effect::Written)]);
    let domains = home.store.accounts().observe().await.unwrap().domains;
    assert_eq!(
        (&domains[0].row.aliases[..], &domains[1].row.aliases[..]),
        (&[][..], &["x.test".to_owned()][..])
    );
}

#[tokio::test]
async fn a_removed_mailbox_keeps_its_mail_and_comes_back_with_it() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.deliver(alice, message(1)).await;
    let disable = || Change::DisableMailbox(target("alice@example.test"));
    assert_eq!(home.apply(disable()).await, Ok(Effect::Written));
    assert_eq!(home.apply(disable()).await, Ok(Effect::Unchanged));
    let disabled = home.mailbox("alice@example.test").await;
    assert_eq!((disabled.disabled_at, disabled.retain_until), (Some(START), Some(START + 3600)));
    assert!(!disabled.is_active());
    assert_eq!(home.apply(put_mailbox(mailbox_row("alice@example.test"))).await, Ok(Effect::Written));
    let back = home.mailbox("alice@example.test").await;
    assert!(back.is_active() && back.id == alice && back.used_bytes > 0);
    assert_eq!(home.uids(alice, "INBOX").await, [1]);
    home.apply(disable()).await.unwrap();
    let enable = || Change::EnableMailbox(target("alice@example.test"));
    assert_eq!(home.apply(enable()).await, Ok(Effect::Written));
    assert_eq!(home.apply(enable()).await, Ok(Effect::Unchanged));
}

#[tokio::test]
async fn purging_is_a_second_act_after_retention() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    for number in 0..3 {
        home.deliver(alice, message(number)).await;
    }
    home.deliver(alice, large(1)).await;
    let delete =
        |ignore_retention| Change::DeleteMailbox { target: target("alice@example.test"), ignore_retention };
    let address = || "alice@example.test".to_owned();
    assert_eq!(home.apply(delete(true)).await, Err(ChangeError::NotDisabled { address: address() }));
    home.apply(Change::DisableMailbox(target("alice@example.test"))).await.unwrap();
    home.pass(3599);
    let retained = Err(ChangeError::Retained { address: address(), until: START + 3600 });
    assert_eq!(home.apply(delete(false)).await, retained);
    home.pass(1);
    let watch = home.store.watch(home.folder(alice, "INBOX").await);
    assert_eq!(home.apply(delete(false)).await, Ok(Effect::Written));
    assert_eq!(home.apply(delete(false)).await, Ok(Effect::Unchanged));
    assert_eq!(*watch.borrow(), u64::MAX);
    home.sound().await;
    assert_eq!(blob_files(home.dir.path()), 0);
    let again = home.account("alice@example.test").await;
    assert!(again > alice);
    assert_eq!(home.uids(again, "INBOX").await, Vec::<u32>::new());
}

#[tokio::test]
async fn retention_can_be_overruled() {
    let home = Home::new().await;
    home.account("alice@example.test").await;
    home.apply(Change::DisableMailbox(target("alice@example.test"))).await.unwrap();
    let by_hand = Target { name: "alice@example.test".into(), managed_by: None };
    let delete = Change::DeleteMailbox { target: by_hand, ignore_retention: true };
    assert_eq!(home.apply(delete).await, Ok(Effect::Written));
    assert!(home.store.accounts().observe().await.unwrap().mailboxes.is_empty());
    home.sound().await;
}

#[tokio::test]
async fn what_is_used_is_not_deleted() {
    let home = Home::new().await;
    home.store.accounts().apply(everything(), None).await.unwrap();
    let in_use = |name: &str, count| Err(ChangeError::InUse { name: name.into(), count });
    assert_eq!(home.apply(Change::DeleteDomain(target("example.test"))).await, in_use("example.test", 2));
    assert_eq!(home.apply(Change::DeleteServer(target("mail/main"))).await, in_use("mail/main", 1));
    home.apply(Change::DisableMailbox(target("alice@example.test"))).await.unwrap();
    let gone = vec![
        Change::DeleteServer(target("mail/main")),
        Change::DeleteDomain(target("example.test")),
        Change::DeleteMailbox { target: target("alice@example.test"), ignore_retention: true },
        Change::DeleteAlias(target("sales@example.test")),
    ];
    let results = home.store.accounts().apply(gone.clone(), None).await.unwrap();
    assert!(results.iter().all(|r| *r == Ok(Effect::Written)), "{results:?}");
    let results = home.store.accounts().apply(gone, None).await.unwrap();
    assert!(results.iter().all(|r| *r == Ok(Effect::Unchanged)), "{results:?}");
    let left = home.store.accounts().observe().await.unwrap();
    assert!(left.servers.is_empty() && left.domains.is_empty() && left.aliases.is_empty());
    home.sound().await;
}

#[tokio::test]
async fn disabling_releasing_and_missing_rows() {
    let home = Home::new().await;
    home.store.accounts().apply(everything(), None).await.unwrap();
    for (change, first, second) in [
        (Change::DisableDomain(target("example.test")), Effect::Written, Effect::Unchanged),
        (Change::ReleaseDomain(target("example.test")), Effect::Written, Effect::Unchanged),
        (Change::ReleaseServer(target("mail/main")), Effect::Written, Effect::Unchanged),
        (Change::ReleaseAlias(target("sales@example.test")), Effect::Written, Effect::Unchanged),
    ] {
        assert_eq!(home.apply(change.clone()).await, Ok(first), "{change:?}");
        assert_eq!(home.apply(change.clone()).await, Ok(second), "{change:?}");
    }
    assert_eq!(home.alias("sales@example.test").await.row.owner, None);
    let not_found = |name: &str| Err(ChangeError::NotFound { name: name.into() });
    assert_eq!(home.apply(Change::DisableDomain(target("no.test"))).await, not_found("no.test"));
    assert_eq!(home.apply(Change::DisableMailbox(target("n@no.test"))).await, not_found("n@no.test"));
    assert_eq!(home.apply(Change::ReleaseAlias(target("n@no.test"))).await, not_found("n@no.test"));
    assert_eq!(home.apply(Change::ReleaseServer(target("no/no"))).await, not_found("no/no"));
}

#[tokio::test]
async fn watchers_see_the_counter_move() {
    let home = Home::new().await;
    let mut watch = home.store.watch_accounts();
    home.store.accounts().apply(everything(), None).await.unwrap();
    assert!(watch.has_changed().unwrap());
    assert_eq!(*watch.borrow_and_update(), 4);
    home.store.accounts().apply(everything(), None).await.unwrap();
    assert!(!watch.has_changed().unwrap());
}
