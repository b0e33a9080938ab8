//! What errors say: whose fault it is and what to do about it.

use mailwright_store::{ChangeError, Error, NameError, OpenError};

use crate::support::*;

#[test]
fn errors_say_what_to_do() {
    let text = |error: &dyn std::error::Error| error.to_string();
    let dir = || "data".into();
    for (found, expected) in [
        (text(&Error::NoSpace), "free disk space"),
        (text(&Error::HasInferiors), "delete those first"),
        (text(&Error::Fenced { seen: 3 }), "another leader is in charge"),
        (text(&Error::Limit { what: "keywords of a mailbox", limit: 58 }), "keywords of a mailbox (58)"),
        (text(&Error::Name(NameError::TooLong { limit: 1024 })), "longer than 1024 bytes"),
        (text(&Error::Name(NameError::Character('*'))), "'*'"),
        (text(&OpenError::Locked { dir: dir() }), "stop it or choose another"),
        (text(&OpenError::TooNew { needs: 2, known: 1 }), "upgrade"),
        (
            text(&ChangeError::Conflict { name: "a".into(), managed_by: "git".into() }),
            "managed by git; remove it there",
        ),
        (text(&ChangeError::NoSuchDomain { domain: "a.test".into() }), "declare it first"),
        (text(&ChangeError::NotDisabled { address: "a".into() }), "disable it before purging"),
        (text(&ChangeError::Taken { name: "a".into(), by: "an alias".into() }), "already an alias"),
    ] {
        assert!(found.contains(expected), "{found:?} lacks {expected:?}");
    }
}

#[tokio::test]
async fn a_change_that_the_database_refuses_fails_alone() {
    let home = Home::new().await;
    let path = home.dir.path().join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON mailbox WHEN new.address LIKE 'bob@%'
        BEGIN SELECT RAISE(ABORT, 'not bob'); END";
    sqlx::raw_sql(trigger).execute(&database).await.unwrap();
    let people =
        ["alice", "bob", "carol"].map(|name| put_mailbox(mailbox_row(&format!("{name}@example.test"))));
    let mut batch = vec![mailwright_store::Change::PutDomain(domain_row("example.test"))];
    batch.extend(people);
    let results = home.store.accounts().apply(batch, None).await.unwrap();
    assert!(matches!(&results[2], Err(ChangeError::Failed(why)) if why.contains("not bob")), "{results:?}");
    assert!(results[1].is_ok() && results[3].is_ok());
    let accounts = home.store.accounts().observe().await.unwrap();
    assert_eq!((accounts.mailboxes.len(), accounts.change_counter), (2, 3));
    home.sound().await;
}

#[tokio::test]
async fn a_folder_opens_although_its_recent_messages_cannot_be_claimed() {
    let home = Home::with(|options| options.max_pages = Some(200)).await;
    let alice = home.account("alice@example.test").await;
    home.deliver(alice, message(1)).await;
    let path = home.dir.path().join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let full = "CREATE TABLE ballast (bytes BLOB);
        CREATE TRIGGER full BEFORE UPDATE OF recent_uid ON folder
        BEGIN INSERT INTO ballast VALUES (zeroblob(4000000)); END";
    sqlx::raw_sql(full).execute(&database).await.unwrap();
    for first_recent in [1, 2] {
        let selected = home.store.mail().select(alice, "INBOX", true).await.unwrap();
        assert_eq!((selected.rows.len(), selected.first_recent), (1, first_recent), "claimed, and readable");
    }
    home.store.settle().await.unwrap();
    assert_eq!(home.store.stats().failed, 1);
    sqlx::raw_sql("DROP TRIGGER full").execute(&database).await.unwrap();
    home.deliver(alice, message(2)).await;
    for first_recent in [2, 3] {
        assert_eq!(home.store.mail().select(alice, "INBOX", true).await.unwrap().first_recent, first_recent);
    }
    home.sound().await;
}

#[tokio::test]
async fn a_batch_on_a_full_disk_is_refused_whole() {
    let home = Home::with(|options| options.max_pages = Some(90)).await;
    let mut batch = vec![mailwright_store::Change::PutDomain(domain_row("example.test"))];
    batch.extend((0..1000).map(|n| put_mailbox(mailbox_row(&format!("user{n}@example.test")))));
    let refused = home.store.accounts().apply(batch, None).await;
    assert!(matches!(refused, Err(Error::NoSpace)), "{refused:?}");
    let accounts = home.store.accounts().observe().await.unwrap();
    assert!(accounts.domains.is_empty() && accounts.mailboxes.is_empty());
    assert_eq!(accounts.change_counter, 0);
    home.account("alice@example.test").await;
    home.sound().await;
}
