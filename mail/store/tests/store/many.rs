//! Large folders, and blob files that come and go at the same time.

use std::sync::Arc;

use mailwright_store::message::{
    DELETED, MAX_ACCOUNT_MESSAGES, MAX_FOLDER_MESSAGES, MAX_TRANSFER, MIN_ACCOUNT_MESSAGES, SEEN,
    account_limit,
};
use mailwright_store::{Change, Error, FlagOp, Need, Outcome, Row, StoreFlags, UidRange};

use crate::support::*;

const MANY: u32 = 3000;

#[tokio::test]
async fn a_folder_of_thousands_in_one_go() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    let deliveries: Vec<_> = (0..MANY)
        .map(|number| {
            let store = Arc::clone(&home.store);
            tokio::spawn(
                async move { store.mail().deliver(delivery(&[alice], message(number as usize))).await },
            )
        })
        .collect();
    for delivery in deliveries {
        assert!(matches!(delivery.await.unwrap().unwrap()[..], [Outcome::Delivered { .. }]));
    }
    let inbox = mail.select(alice, "INBOX", true).await.unwrap();
    let uids: Vec<u32> = inbox.rows.iter().map(|row| row.uid).collect();
    assert!(uids.iter().copied().eq(1..=MANY));
    assert!(inbox.rows.is_sorted_by_key(|row| row.modseq));
    let odd: Vec<u32> = uids.iter().copied().filter(|uid| uid % 2 == 1).collect();
    let change =
        StoreFlags { uids: odd.clone(), op: FlagOp::Add, flags: SEEN | DELETED, keywords: Vec::new() };
    let stored = mail.store_flags(inbox.folder, change).await.unwrap();
    let modseq = inbox.highest_modseq + 1;
    assert_eq!((stored.highest_modseq, stored.rows.len()), (modseq, odd.len()));
    assert!(stored.rows.iter().all(|row| *row == Row { uid: row.uid, modseq, flags: SEEN | DELETED }));
    let copied = mail.copy(inbox.folder, &uids, "Archive").await.unwrap();
    assert!(copied.uids.into_iter().eq(uids.iter().copied().zip(1..)));
    let expunged = mail.expunge(inbox.folder, None).await.unwrap();
    assert_eq!(expunged.uids, odd);
    let changes = mail.changes(inbox.folder, modseq).await.unwrap();
    assert_eq!(changes.vanished.len(), odd.len());
    assert_eq!(changes.vanished[1], UidRange { first: 3, last: 3 });
    let fetched = mail.fetch(inbox.folder, &uids, Need { index: true, raw: false }).await.unwrap();
    assert!(fetched.messages.iter().map(|m| m.uid).eq(uids.iter().copied().filter(|uid| uid % 2 == 0)));
    let moved = mail.r#move(inbox.folder, &uids, "Trash").await.unwrap();
    assert_eq!((moved.uids.len(), moved.uids[0]), (MANY as usize / 2, (2, 1)));
    assert_eq!(mail.status(alice, "Archive").await.unwrap().messages, MANY);
    home.sound().await;
}

#[tokio::test]
async fn a_doomed_folder_goes_slice_by_slice_between_deliveries() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    home.append(alice, "Sent", 0, &[]).await;
    let sent = home.folder(alice, "Sent").await;
    for _ in 0..10 {
        let uids = home.uids(alice, "Sent").await;
        mail.copy(sent, &uids, "Sent").await.unwrap();
    }
    assert_eq!(home.uids(alice, "Sent").await.len(), 1024);
    home.store.settle().await.unwrap();
    let before = home.store.stats().commits;
    mail.delete(alice, "Sent").await.unwrap();
    assert_eq!(mail.usage(alice).await.unwrap().0, 0);
    home.deliver(alice, message(1)).await;
    assert!(home.store.stats().commits - before < 6, "the delivery waited for the whole purge");
    home.sound().await;
    assert!(home.store.stats().commits - before >= 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_blob_file_is_delivered_and_expunged_at_once() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let inbox = home.folder(alice, "INBOX").await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let store = Arc::clone(&home.store);
            tokio::spawn(async move {
                let mail = store.mail();
                for _ in 0..25 {
                    let [Outcome::Delivered { uid }] =
                        mail.deliver(delivery(&[alice], large(1))).await.unwrap()[..]
                    else {
                        panic!("not delivered")
                    };
                    let raw = Need { raw: true, index: false };
                    let fetched = mail.fetch(inbox, &[uid], raw).await.unwrap();
                    assert_eq!(fetched.messages[0].raw.as_ref().unwrap(), &large(1));
                    let change =
                        StoreFlags { uids: vec![uid], op: FlagOp::Add, flags: DELETED, keywords: Vec::new() };
                    mail.store_flags(inbox, change).await.unwrap();
                    assert_eq!(mail.expunge(inbox, Some(&[uid])).await.unwrap().uids, [uid]);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    home.sound().await;
    assert_eq!(blob_files(home.dir.path()), 0);
    let stats = home.store.stats();
    // Two that write the same file at once replace one another's.
    assert!(stats.blobs_removed > 0 && stats.blobs_written >= stats.blobs_removed, "{stats:?}");
}

#[tokio::test]
async fn hundreds_of_accounts_in_one_batch() {
    let home = Home::new().await;
    let mut batch = vec![Change::PutDomain(domain_row("example.test"))];
    batch.extend((0..400).map(|n| put_mailbox(mailbox_row(&format!("user{n:03}@example.test")))));
    let before = home.store.stats().commits;
    let results = home.store.accounts().apply(batch, None).await.unwrap();
    assert!(results.len() == 401 && results.iter().all(Result::is_ok));
    assert!(home.store.stats().commits - before <= 2);
    let accounts = home.store.accounts().observe().await.unwrap();
    assert!(accounts.mailboxes.is_sorted_by(|a, b| a.row.address < b.row.address && a.id < b.id));
    assert_eq!((accounts.mailboxes.len(), accounts.change_counter), (400, 401));
    let everybody: Vec<_> = accounts.mailboxes.iter().map(|m| m.id).collect();
    let outcomes = home.store.mail().deliver(delivery(&everybody, large(7))).await.unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Delivered { uid: 1 }));
    assert_eq!(blob_files(home.dir.path()), 1);
    home.sound().await;
}

async fn database(home: &Home) -> sqlx::SqlitePool {
    sqlx::SqlitePool::connect(home.dir.path().join("mailwright.db").to_str().unwrap()).await.unwrap()
}

#[tokio::test]
async fn doubling_a_folder_ends_and_never_holds_the_writer_for_long() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    home.append(alice, "Sent", 0, &[]).await;
    let sent = home.folder(alice, "Sent").await;
    let refused = loop {
        let uids = home.uids(alice, "Sent").await;
        let begun = std::time::Instant::now();
        match mail.copy(sent, &uids, "Sent").await {
            Ok(_) => assert!(begun.elapsed().as_secs() < 10, "{} took {:?}", uids.len(), begun.elapsed()),
            Err(error) => break error,
        }
        assert!(uids.len() <= MAX_TRANSFER);
    };
    assert!(matches!(refused, Error::Limit { limit, .. } if limit == MAX_TRANSFER as u64), "{refused:?}");
    assert_eq!(home.uids(alice, "Sent").await.len(), 32_768);
    let all = home.uids(alice, "Sent").await;
    assert!(matches!(mail.r#move(sent, &all, "Trash").await, Err(Error::Limit { .. })));
    assert_eq!(mail.r#move(sent, &all[..MAX_TRANSFER], "Trash").await.unwrap().uids.len(), MAX_TRANSFER);
    home.sound().await;
    mail.delete(alice, "Trash").await.unwrap();
    home.sound().await;
}

#[tokio::test]
async fn folders_and_accounts_have_a_limit_of_messages() {
    for (table, limit, move_fits) in
        [("folder", MAX_FOLDER_MESSAGES, false), ("account", MAX_ACCOUNT_MESSAGES, true)]
    {
        let home = Home::new().await;
        let alice = home.account("alice@example.test").await;
        let bob = home.account("bob@example.test").await;
        let mail = home.store.mail();
        home.deliver(alice, message(1)).await;
        let sent = home.append(alice, "Sent", 0, &[]).await;
        let folder = home.folder(alice, "Sent").await;
        let database = database(&home).await;
        let counted =
            |sql: &str| sqlx::AssertSqlSafe(format!("UPDATE {table} SET messages = messages {sql}"));
        // As if there were as many messages as are allowed, but one; Sent and bob do not count.
        let more = limit - if table == "account" { 3 } else { 2 };
        let but = if table == "account" { "WHERE id = 1" } else { "WHERE name = 'INBOX' AND account_id = 1" };
        sqlx::raw_sql(counted(&format!("+ {more} {but}"))).execute(&database).await.unwrap();
        home.deliver(alice, message(2)).await;
        let outcomes = mail.deliver(delivery(&[alice, bob], message(3))).await.unwrap();
        assert_eq!(outcomes, [Outcome::OverQuota, Outcome::Withheld], "{table}");
        let found = home.store.accounts().lookup_recipient("alice@example.test").await.unwrap();
        assert!(matches!(found, mailwright_store::Recipient::Mailbox { quota: Some(0), .. }), "{found:?}");
        let refused = mail.append(alice, "INBOX", append(message(4), 0, &[])).await;
        assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
        let refused = mail.copy(folder, &[sent], "INBOX").await;
        assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
        let moved = mail.r#move(folder, &[sent], "INBOX").await;
        assert_eq!(moved.is_ok(), move_fits, "{table}: {moved:?}");
        sqlx::raw_sql(counted(&format!("- {more} {but}"))).execute(&database).await.unwrap();
        home.deliver(alice, message(5)).await;
        home.sound().await;
    }
}

#[tokio::test]
async fn a_quota_is_not_for_any_number_of_small_messages() {
    for (quota, expected) in [
        (None, MAX_ACCOUNT_MESSAGES),
        (Some(0), MIN_ACCOUNT_MESSAGES),
        (Some(1500 * 1024 + 1), 1500),
        (Some(i64::MAX), MAX_ACCOUNT_MESSAGES),
    ] {
        assert_eq!(account_limit(quota), expected, "{quota:?}");
    }
    // Both ways of counting, in SQL and here, end at the same message.
    for (quota, limit) in [(512 * 1024u64, 1000), (1100 * 1024, 1100)] {
        let home = Home::new().await;
        let alice = home.account("alice@example.test").await;
        let mut row = mailbox_row("alice@example.test");
        row.quota = Some(quota);
        home.apply(put_mailbox(row)).await.unwrap();
        let mail = home.store.mail();
        home.deliver(alice, "x").await;
        let inbox = home.folder(alice, "INBOX").await;
        while let uids = home.uids(alice, "INBOX").await
            && uids.len() < limit - 1
        {
            let more = uids.len().min(limit - 1 - uids.len());
            mail.copy(inbox, &uids[..more], "INBOX").await.unwrap();
        }
        let refused = mail.copy(inbox, &[1, 2], "Sent").await;
        assert!(matches!(refused, Err(Error::Limit { limit: at, .. }) if at == limit as u64), "{refused:?}");
        home.deliver(alice, "x").await;
        let outcomes = mail.deliver(delivery(&[alice], "x")).await.unwrap();
        assert_eq!(outcomes, [Outcome::OverQuota]);
        let found = home.store.accounts().lookup_recipient("alice@example.test").await.unwrap();
        assert!(matches!(found, mailwright_store::Recipient::Mailbox { quota: Some(0), .. }), "{found:?}");
        assert!(matches!(
            mail.append(alice, "Sent", append(message(1), 0, &[])).await,
            Err(Error::Limit { .. })
        ));
        assert!(mail.r#move(inbox, &[1], "Sent").await.is_ok());
        home.sound().await;
    }
}
