//! Folders: RFC 3501 §6.3.1 to §6.3.10.

use mailwright_store::mailbox::{FOLDERS_MAX, SUBSCRIPTIONS_MAX};
use mailwright_store::message::{DELETED, SEEN};
use mailwright_store::{AccountId, Error, FlagOp, NameError, SpecialUse, StoreFlags, UidRange};

use crate::support::*;

async fn names(home: &Home, account: AccountId) -> Vec<String> {
    let listing = home.store.mail().list(account).await.unwrap();
    listing.folders.into_iter().map(|folder| folder.name).collect()
}

#[tokio::test]
async fn a_new_account_has_its_folders() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let listing = home.store.mail().list(alice).await.unwrap();
    let found: Vec<_> = listing.folders.iter().map(|f| (&f.name[..], f.special_use)).collect();
    let expected = [
        ("INBOX", None),
        ("Archive", Some(SpecialUse::Archive)),
        ("Drafts", Some(SpecialUse::Drafts)),
        ("Junk", Some(SpecialUse::Junk)),
        ("Sent", Some(SpecialUse::Sent)),
        ("Trash", Some(SpecialUse::Trash)),
    ];
    assert_eq!(found, expected);
    assert!(listing.folders.iter().all(|f| f.subscribed && !f.noselect && !f.has_children));
    assert_eq!(listing.subscriptions, ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]);
    let selected = home.store.mail().select(alice, "inbox", true).await.unwrap();
    assert_eq!((selected.uid_next, selected.highest_modseq, selected.first_recent), (1, 1, 1));
    assert!(selected.rows.is_empty() && selected.keywords.is_empty());
    assert!(home.store.mail().list(AccountId(99)).await.unwrap().folders.is_empty());
}

#[tokio::test]
async fn create_makes_superiors() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    mail.create(alice, "work/2026/plans/").await.unwrap();
    mail.create(alice, "inbox/Sub").await.unwrap();
    let listing = mail.list(alice).await.unwrap();
    let children: Vec<_> = listing.folders.iter().filter(|f| f.has_children).map(|f| &f.name[..]).collect();
    assert_eq!(children, ["INBOX", "work", "work/2026"]);
    assert!(listing.folders.iter().any(|f| f.name == "INBOX/Sub" && !f.subscribed));
    assert!(matches!(mail.create(alice, "work").await, Err(Error::FolderExists)));
    assert!(matches!(mail.create(alice, "INBOX").await, Err(Error::FolderExists)));
    assert!(matches!(mail.create(alice, "a//b").await, Err(Error::Name(NameError::Empty))));
    assert!(matches!(mail.create(AccountId(99), "x").await, Err(Error::NoSuchAccount)));
    home.sound().await;
}

#[tokio::test]
async fn a_folder_made_again_has_a_new_uidvalidity_and_its_use() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    let mut seen = vec![mail.status(alice, "Trash").await.unwrap().uid_validity];
    for _ in 0..3 {
        mail.delete(alice, "Trash").await.unwrap();
        mail.create(alice, "Trash").await.unwrap();
        let now = mail.status(alice, "Trash").await.unwrap().uid_validity;
        assert!(seen.iter().all(|before| *before < now));
        seen.push(now);
    }
    let listing = mail.list(alice).await.unwrap();
    assert!(listing.folders.iter().any(|f| f.special_use == Some(SpecialUse::Trash)));
    home.sound().await;
}

#[tokio::test]
async fn delete_follows_rfc_3501_section_6_3_4() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    mail.create(alice, "foo/bar").await.unwrap();
    home.append(alice, "foo", 0, &[]).await;
    let (used, _) = mail.usage(alice).await.unwrap();
    assert!(used > 0);
    let before = home.folder(alice, "foo").await;
    let watch = home.store.watch(before);
    mail.delete(alice, "foo").await.unwrap();
    assert_eq!(*watch.borrow(), u64::MAX);
    assert_eq!(mail.usage(alice).await.unwrap(), (0, None));
    assert!(matches!(mail.changes(before, 0).await, Err(Error::NoSuchFolder)));
    assert!(matches!(mail.select(alice, "foo", false).await, Err(Error::NotSelectable)));
    assert!(matches!(mail.status(alice, "foo").await, Err(Error::NotSelectable)));
    assert!(matches!(mail.append(alice, "foo", append(message(1), 0, &[])).await, Err(Error::NotSelectable)));
    assert!(matches!(mail.delete(alice, "foo").await, Err(Error::HasInferiors)));
    // CREATE makes the name a mailbox again.
    mail.create(alice, "foo").await.unwrap();
    assert_eq!(mail.status(alice, "foo").await.unwrap().messages, 0);
    mail.delete(alice, "foo").await.unwrap();
    mail.delete(alice, "foo/bar").await.unwrap();
    mail.delete(alice, "foo").await.unwrap();
    assert!(matches!(mail.delete(alice, "foo").await, Err(Error::NoSuchFolder)));
    assert!(matches!(mail.delete(alice, "Inbox").await, Err(Error::Cannot(_))));
    assert!(matches!(mail.delete(alice, "a//b").await, Err(Error::NoSuchFolder)));
    assert_eq!(names(&home, alice).await.len(), 6);
    home.sound().await;
}

#[tokio::test]
async fn rename_takes_inferiors_along() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    for name in ["a/b/c", "ab", "a b", "ä/x"] {
        mail.create(alice, name).await.unwrap();
    }
    home.append(alice, "a/b", 0, &[]).await;
    let before = mail.status(alice, "a/b").await.unwrap();
    mail.rename(alice, "a", "new/place").await.unwrap();
    assert_eq!(mail.status(alice, "new/place/b").await.unwrap(), before);
    mail.rename(alice, "ä", "ö").await.unwrap();
    let found = names(&home, alice).await;
    for expected in ["new", "new/place", "new/place/b", "new/place/b/c", "ab", "a b", "ö", "ö/x"] {
        assert!(found.iter().any(|name| name == expected), "{expected} in {found:?}");
    }
    assert_eq!(found.len(), 14);
    for (from, to, why) in [
        ("none", "x", "NoSuchFolder"),
        ("ab", "new", "FolderExists"),
        ("ab", "inbox", "FolderExists"),
        ("new", "new/deeper", "Cannot"),
        ("new", "a//b", "Name"),
        ("x//y", "z", "NoSuchFolder"),
    ] {
        let error = format!("{:?}", mail.rename(alice, from, to).await.unwrap_err());
        assert!(error.starts_with(why), "{from} to {to}: {error}");
    }
    home.sound().await;
}

#[tokio::test]
async fn rename_keeps_the_limits_for_inferiors() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    mail.create(alice, &["a"; 20].join("/")).await.unwrap();
    let deep = ["b"; 20].join("/");
    let before = names(&home, alice).await;
    assert!(matches!(mail.rename(alice, "a", &deep).await, Err(Error::Name(NameError::TooDeep { .. }))));
    assert_eq!(names(&home, alice).await, before);
}

#[tokio::test]
async fn renaming_inbox_moves_its_messages() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    mail.create(alice, "INBOX/sub").await.unwrap();
    for number in 0..3 {
        home.deliver(alice, message(number)).await;
    }
    let inbox = mail.select(alice, "INBOX", false).await.unwrap();
    let keywords = vec!["$label".into()];
    let change = StoreFlags { uids: vec![2], op: FlagOp::Add, flags: SEEN, keywords };
    mail.store_flags(inbox.folder, change).await.unwrap();
    let before = mail.select(alice, "INBOX", false).await.unwrap();
    mail.rename(alice, "INBOX", "old/mail").await.unwrap();
    let moved = mail.select(alice, "old/mail", false).await.unwrap();
    assert_eq!((&moved.rows, &moved.keywords), (&before.rows, &before.keywords));
    let after = mail.select(alice, "INBOX", false).await.unwrap();
    assert_eq!((after.folder, after.uid_validity, after.uid_next), (before.folder, before.uid_validity, 4));
    assert!(after.rows.is_empty() && after.highest_modseq > before.highest_modseq);
    let changes = mail.changes(inbox.folder, before.highest_modseq).await.unwrap();
    assert_eq!(changes.vanished, [UidRange { first: 1, last: 3 }]);
    assert!(names(&home, alice).await.contains(&"INBOX/sub".to_owned()));
    assert_eq!(home.deliver(alice, message(9)).await, 4);
    // Empty, and below itself, works as well.
    mail.rename(alice, "INBOX", "INBOX/older").await.unwrap();
    mail.rename(alice, "INBOX", "nothing").await.unwrap();
    assert_eq!(home.uids(alice, "INBOX/older").await, [4]);
    assert_eq!(home.uids(alice, "nothing").await, Vec::<u32>::new());
    home.sound().await;
}

#[tokio::test]
async fn subscriptions_outlive_folders() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    mail.subscribe(alice, "news").await.unwrap();
    mail.subscribe(alice, "news").await.unwrap();
    mail.unsubscribe(alice, "Junk").await.unwrap();
    mail.unsubscribe(alice, "Junk").await.unwrap();
    mail.unsubscribe(alice, "a//b").await.unwrap();
    mail.delete(alice, "Sent").await.unwrap();
    let listing = mail.list(alice).await.unwrap();
    assert_eq!(listing.subscriptions, ["Archive", "Drafts", "INBOX", "Sent", "Trash", "news"]);
    assert!(listing.folders.iter().any(|f| f.name == "Junk" && !f.subscribed));
    assert!(mail.subscribe(alice, "").await.is_err());
}

#[tokio::test]
async fn folders_and_subscriptions_are_counted() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    let path = home.dir.path().join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
        INSERT INTO folder (account_id, name, uid_validity) SELECT $1, 'f' || i, i FROM n";
    let folders = FOLDERS_MAX as i64 - 6;
    sqlx::query(fill).bind(alice.0).bind(folders).execute(&database).await.unwrap();
    let full = mail.create(alice, "one more").await;
    assert!(matches!(full, Err(Error::Limit { limit: FOLDERS_MAX, .. })), "{full:?}");
    let fill = "INSERT INTO subscription (account_id, name) SELECT $1, name FROM folder WHERE name GLOB 'f*' LIMIT $2";
    let subscriptions = SUBSCRIPTIONS_MAX as i64 - 6;
    sqlx::query(fill).bind(alice.0).bind(subscriptions).execute(&database).await.unwrap();
    let full = mail.subscribe(alice, "one more").await;
    assert!(matches!(full, Err(Error::Limit { limit: SUBSCRIPTIONS_MAX, .. })), "{full:?}");
    mail.subscribe(alice, "f1").await.unwrap();
}

#[tokio::test]
async fn status_counts() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    home.append(alice, "Sent", SEEN, &[]).await;
    home.append(alice, "Sent", DELETED, &[]).await;
    home.append(alice, "Sent", 0, &[]).await;
    let status = mail.status(alice, "Sent").await.unwrap();
    assert_eq!((status.messages, status.recent, status.unseen), (3, 3, 2));
    assert_eq!((status.uid_next, status.highest_modseq, status.size), (4, 4, 3 * message(1).len() as u64));
    let empty = mail.status(alice, "Junk").await.unwrap();
    assert_eq!((empty.messages, empty.recent, empty.unseen, empty.uid_next, empty.size), (0, 0, 0, 1, 0));
    for missing in ["Nothing", "a//b", "sent"] {
        assert!(matches!(mail.status(alice, missing).await, Err(Error::NoSuchFolder)), "{missing}");
    }
    assert!(matches!(mail.usage(AccountId(99)).await, Err(Error::NoSuchAccount)));
}

#[tokio::test]
async fn recent_messages_belong_to_the_first_session() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    home.deliver(alice, message(1)).await;
    home.deliver(alice, message(2)).await;
    assert_eq!(mail.select(alice, "INBOX", false).await.unwrap().first_recent, 1);
    assert_eq!(mail.status(alice, "INBOX").await.unwrap().recent, 2);
    assert_eq!(mail.select(alice, "INBOX", true).await.unwrap().first_recent, 1);
    assert_eq!(mail.select(alice, "INBOX", true).await.unwrap().first_recent, 3);
    assert_eq!(mail.status(alice, "INBOX").await.unwrap().recent, 0);
    home.deliver(alice, message(3)).await;
    assert_eq!(mail.select(alice, "INBOX", false).await.unwrap().first_recent, 3);
}
