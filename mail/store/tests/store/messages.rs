//! Messages: delivery, quota, append, copy, move, flags, expunge, fetch, changes.

use bytes::Bytes;
use mailwright_store::message::{ANSWERED, DELETED, FLAGGED, MAX_KEYWORDS, SEEN};
use mailwright_store::{
    AccountId, Change, Error, FlagOp, FolderId, Need, Outcome, Row, StoreFlags, Stored, UidRange,
};

use crate::support::*;

async fn flags(
    home: &Home,
    folder: FolderId,
    uids: &[u32],
    op: FlagOp,
    flags: u64,
    keywords: &[&str],
) -> Stored {
    let keywords = keywords.iter().map(|k| (*k).into()).collect();
    home.store
        .mail()
        .store_flags(folder, StoreFlags { uids: uids.to_vec(), op, flags, keywords })
        .await
        .unwrap()
}

async fn quota(home: &Home, address: &str, bytes: u64) -> AccountId {
    home.account(address).await;
    let mut row = mailbox_row(address);
    row.quota = Some(bytes);
    home.apply(put_mailbox(row)).await.unwrap();
    home.mailbox(address).await.id
}

#[tokio::test]
async fn one_message_for_many_is_one_blob() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let bob = home.account("bob@example.test").await;
    for raw in [message(1), large(1)] {
        let outcomes = home.store.mail().deliver(delivery(&[bob, alice, bob], raw.clone())).await.unwrap();
        let uid = home.uids(alice, "INBOX").await.len() as u32;
        assert_eq!(outcomes, [Outcome::Delivered { uid }; 3]);
        for account in [alice, bob] {
            let inbox = home.folder(account, "INBOX").await;
            assert_eq!(home.raw(inbox, uid).await.unwrap(), raw);
        }
    }
    assert_eq!(blob_files(home.dir.path()), 1);
    assert_eq!(home.store.stats().blobs_written, 1);
    assert_eq!(home.store.mail().deliver(delivery(&[], message(1))).await.unwrap(), []);
    let (used, limit) = home.store.mail().usage(bob).await.unwrap();
    assert_eq!((used, limit), (message(1).len() as u64 + 100_000, None));
    home.sound().await;
}

#[tokio::test]
async fn a_delivery_is_for_all_or_for_nobody() {
    use Outcome::{Delivered, Gone, OverQuota, Withheld};
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let bob = quota(&home, "bob@example.test", 5000).await;
    let gone = AccountId(99);
    let first = Delivered { uid: 1 };
    for (accounts, raw, expected) in [
        (vec![alice, bob], large(1), vec![Withheld, OverQuota]),
        (vec![bob, alice, alice], Bytes::from(vec![b'x'; 5001]), vec![OverQuota, Withheld, Withheld]),
        (vec![bob, gone, alice, bob], message(1), vec![Withheld, Gone, Withheld, Withheld]),
        (vec![alice, bob, gone], large(1), vec![Withheld, OverQuota, Gone]),
        (vec![bob, alice, bob], Bytes::from(vec![b'x'; 5000]), vec![first, first, first]),
        (vec![alice, bob], message(1), vec![Withheld, OverQuota]),
    ] {
        let outcomes = home.store.mail().deliver(delivery(&accounts, raw)).await.unwrap();
        assert_eq!(outcomes, expected, "{accounts:?}");
    }
    for account in [alice, bob] {
        assert_eq!(home.uids(account, "INBOX").await, [1]);
        assert_eq!(home.store.mail().usage(account).await.unwrap().0, 5000);
    }
    home.sound().await;
    assert_eq!(blob_files(home.dir.path()), 0);
}

#[tokio::test]
async fn quota_is_checked_inside_the_transaction() {
    let home = Home::new().await;
    let alice = quota(&home, "alice@example.test", 250).await;
    let bob = home.account("bob@example.test").await;
    let raw = || Bytes::from(vec![b'x'; 100]);
    let deliveries = (0..5).map(|_| {
        let store = std::sync::Arc::clone(&home.store);
        tokio::spawn(async move { store.mail().deliver(delivery(&[alice, bob], raw())).await.unwrap() })
    });
    let mut delivered = [0, 0];
    for outcomes in deliveries.collect::<Vec<_>>() {
        for (count, outcome) in delivered.iter_mut().zip(outcomes.await.unwrap()) {
            *count += usize::from(matches!(outcome, Outcome::Delivered { .. }));
        }
    }
    assert_eq!(delivered, [2, 2]);
    assert_eq!(home.store.mail().usage(alice).await.unwrap(), (200, Some(250)));
    let exact = home.store.mail().deliver(delivery(&[alice], raw().slice(..50))).await.unwrap();
    assert_eq!(exact, [Outcome::Delivered { uid: 3 }]);
    let append = home.store.mail().append(alice, "Sent", append(message(1), 0, &[])).await;
    assert!(matches!(append, Err(Error::OverQuota)));
    let inbox = home.folder(alice, "INBOX").await;
    assert!(matches!(home.store.mail().copy(inbox, &[1], "Sent").await, Err(Error::OverQuota)));
    assert_eq!(home.store.mail().r#move(inbox, &[1], "Sent").await.unwrap().uids, [(1, 1)]);
    home.sound().await;
}

#[tokio::test]
async fn a_large_message_that_nobody_takes_leaves_no_file() {
    let home = Home::new().await;
    let alice = quota(&home, "alice@example.test", 10).await;
    let outcomes = home.store.mail().deliver(delivery(&[alice, AccountId(9)], large(1))).await.unwrap();
    assert_eq!(outcomes, [Outcome::OverQuota, Outcome::Gone]);
    home.sound().await;
    assert_eq!(blob_files(home.dir.path()), 0);
    assert_eq!(home.store.stats().blobs_removed, 1);
}

#[tokio::test]
async fn disabled_accounts_get_nothing() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.apply(Change::DisableMailbox(target("alice@example.test"))).await.unwrap();
    assert_eq!(home.store.mail().deliver(delivery(&[alice], message(1))).await.unwrap(), [Outcome::Gone]);
    home.apply(put_mailbox(mailbox_row("alice@example.test"))).await.unwrap();
    home.apply(Change::DisableDomain(target("example.test"))).await.unwrap();
    assert_eq!(home.store.mail().deliver(delivery(&[alice], message(1))).await.unwrap(), [Outcome::Gone]);
    home.sound().await;
}

#[tokio::test]
async fn append_answers_where_it_went() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    home.pass(50);
    let given = append(message(7), SEEN | 1 << 40, &["$Forwarded", "work"]);
    let appended = mail.append(alice, "Sent", given).await.unwrap();
    let selected = mail.select(alice, "Sent", false).await.unwrap();
    assert_eq!((appended.folder, appended.uid_validity), (selected.folder, selected.uid_validity));
    assert_eq!(selected.rows, [Row { uid: 1, modseq: 2, flags: SEEN | 0b110_0000 }]);
    assert_eq!((appended.uid, appended.modseq), (1, 2));
    assert_eq!(selected.keywords, ["$Forwarded", "work"]);
    let all = Need { index: true, raw: true };
    let message = mail.fetch(appended.folder, &[1], all).await.unwrap().messages.remove(0);
    assert_eq!((message.internal_date, message.save_date), (START - 1000, START + 50));
    assert_eq!(
        (message.index.unwrap(), message.raw.unwrap()),
        (Bytes::from_static(b"index"), crate::support::message(7))
    );
    let missing = mail.append(alice, "None", append(large(3), 0, &[])).await;
    assert!(matches!(missing, Err(Error::NoSuchFolder)));
    home.sound().await;
    assert_eq!(blob_files(home.dir.path()), 0);
}

#[tokio::test]
async fn flags_replace_add_remove() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    for number in 0..3 {
        home.deliver(alice, message(number)).await;
    }
    let inbox = home.folder(alice, "INBOX").await;
    let stored = flags(&home, inbox, &[1, 2, 9], FlagOp::Add, SEEN, &["a"]).await;
    let expected = [Row { uid: 1, modseq: 5, flags: SEEN | 32 }, Row { uid: 2, modseq: 5, flags: SEEN | 32 }];
    assert_eq!(
        (stored.highest_modseq, &stored.rows[..], &stored.keywords[..]),
        (5, &expected[..], &["a".to_owned()][..])
    );
    // The same again changes nothing, not even the MODSEQ.
    let jobs = home.store.stats().jobs;
    let again = flags(&home, inbox, &[1, 2], FlagOp::Add, SEEN, &["A"]).await;
    assert_eq!((again, home.store.stats().jobs), (stored, jobs + 1));
    // Only the one that changes gets the new MODSEQ.
    let stored = flags(&home, inbox, &[1, 3], FlagOp::Add, SEEN | 32, &[]).await;
    assert_eq!(stored.rows, [expected[0], Row { uid: 3, modseq: 6, flags: SEEN | 32 }]);
    let stored = flags(&home, inbox, &[3], FlagOp::Replace, ANSWERED | FLAGGED, &["b"]).await;
    assert_eq!(stored.rows[0].flags, ANSWERED | FLAGGED | 64);
    let stored = flags(&home, inbox, &[3], FlagOp::Remove, FLAGGED, &["B", "unknown"]).await;
    assert_eq!((stored.rows[0].flags, stored.keywords.len()), (ANSWERED, 2));
    // No keyword for messages that are not there.
    assert_eq!(flags(&home, inbox, &[77], FlagOp::Add, 0, &["c"]).await.keywords.len(), 2);
    let missing = StoreFlags { uids: vec![1], op: FlagOp::Add, flags: SEEN, keywords: Vec::new() };
    assert!(matches!(home.store.mail().store_flags(FolderId(99), missing).await, Err(Error::NoSuchFolder)));
    home.sound().await;
}

#[tokio::test]
async fn a_folder_has_room_for_58_keywords() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    home.deliver(alice, message(1)).await;
    let inbox = home.folder(alice, "INBOX").await;
    let names: Vec<String> = (0..MAX_KEYWORDS).map(|i| format!("k{i}")).collect();
    let change = |keywords: Vec<String>| StoreFlags { uids: vec![1], op: FlagOp::Add, flags: 0, keywords };
    let stored = mail.store_flags(inbox, change(names.clone())).await.unwrap();
    assert_eq!((stored.rows[0].flags, &stored.keywords), (((1 << 63) - 1) & !31, &names));
    let full = mail.store_flags(inbox, change(vec!["more".into()])).await;
    assert!(matches!(full, Err(Error::Limit { limit: 58, .. })));
    let full = mail.append(alice, "INBOX", append(message(1), 0, &["more"])).await;
    assert!(matches!(full, Err(Error::Limit { limit: 58, .. })));
    // A copy into a full folder drops what has no room.
    home.append(alice, "Sent", SEEN, &["other", "k3"]).await;
    let sent = home.folder(alice, "Sent").await;
    mail.copy(sent, &[1], "INBOX").await.unwrap();
    let copied = mail.select(alice, "INBOX", false).await.unwrap().rows[1];
    assert_eq!(copied.flags, SEEN | 1 << 8);
    home.sound().await;
}

#[tokio::test]
async fn copies_share_the_blob_and_keep_keywords_by_name() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    home.deliver(alice, large(1)).await;
    home.deliver(alice, message(2)).await;
    home.append(alice, "Sent", 0, &["x", "y"]).await;
    let inbox = home.folder(alice, "INBOX").await;
    flags(&home, inbox, &[2], FlagOp::Add, SEEN, &["y"]).await;
    let copied = mail.copy(inbox, &[2, 5, 1], "Sent").await.unwrap();
    assert_eq!((copied.uids, copied.source_modseq), (vec![(1, 2), (2, 3)], 0));
    let sent = mail.select(alice, "Sent", false).await.unwrap();
    assert_eq!((copied.folder, copied.uid_validity), (sent.folder, sent.uid_validity));
    assert_eq!(
        sent.rows[1..],
        [Row { uid: 2, modseq: 3, flags: 0 }, Row { uid: 3, modseq: 3, flags: SEEN | 64 }]
    );
    assert_eq!(home.raw(sent.folder, 2).await.unwrap(), large(1));
    assert_eq!(blob_files(home.dir.path()), 1);
    assert_eq!(home.uids(alice, "INBOX").await, [1, 2]);
    assert!(matches!(mail.copy(inbox, &[1], "None").await, Err(Error::NoSuchFolder)));
    assert!(matches!(mail.copy(FolderId(99), &[1], "Sent").await, Err(Error::NoSuchFolder)));
    assert_eq!(mail.copy(inbox, &[7], "Sent").await.unwrap().uids, []);
    assert_eq!(mail.status(alice, "Sent").await.unwrap().highest_modseq, 3);
    // Both are expunged before the file goes.
    for (name, uid) in [("INBOX", 1), ("Sent", 2)] {
        assert_eq!(blob_files(home.dir.path()), 1);
        let folder = home.folder(alice, name).await;
        flags(&home, folder, &[uid], FlagOp::Add, DELETED, &[]).await;
        assert_eq!(mail.expunge(folder, None).await.unwrap().uids, [uid]);
        home.sound().await;
    }
    assert_eq!(blob_files(home.dir.path()), 0);
}

#[tokio::test]
async fn copying_into_the_same_folder() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.deliver(alice, message(1)).await;
    home.deliver(alice, message(2)).await;
    let inbox = home.folder(alice, "INBOX").await;
    assert_eq!(home.store.mail().copy(inbox, &[1, 2], "INBOX").await.unwrap().uids, [(1, 3), (2, 4)]);
    assert_eq!(home.store.mail().r#move(inbox, &[1, 2], "INBOX").await.unwrap().uids, [(1, 5), (2, 6)]);
    assert_eq!(home.uids(alice, "INBOX").await, [3, 4, 5, 6]);
    assert_eq!(home.raw(inbox, 6).await.unwrap(), message(2));
    home.sound().await;
}

#[tokio::test]
async fn a_move_is_a_copy_and_an_expunge() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    for number in 0..4 {
        home.deliver(alice, message(number)).await;
    }
    let inbox = home.folder(alice, "INBOX").await;
    let used = mail.usage(alice).await.unwrap();
    let before = mail.status(alice, "INBOX").await.unwrap().highest_modseq;
    let moved = mail.r#move(inbox, &[1, 2, 4], "Archive").await.unwrap();
    assert_eq!((moved.uids, moved.source_modseq), (vec![(1, 1), (2, 2), (4, 3)], before + 1));
    assert_eq!(mail.usage(alice).await.unwrap(), used);
    let changes = mail.changes(inbox, before).await.unwrap();
    assert_eq!(changes.vanished, [UidRange { first: 1, last: 2 }, UidRange { first: 4, last: 4 }]);
    assert!(changes.rows.is_empty() && changes.highest_modseq == before + 1);
    assert_eq!(home.raw(home.folder(alice, "Archive").await, 3).await.unwrap(), message(3));
    assert_eq!(home.raw(inbox, 4).await, None);
    home.sound().await;
}

#[tokio::test]
async fn expunge_all_or_some() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    for number in 0..5 {
        home.deliver(alice, message(number)).await;
    }
    let inbox = home.folder(alice, "INBOX").await;
    flags(&home, inbox, &[1, 3, 4], FlagOp::Add, DELETED, &[]).await;
    let some = mail.expunge(inbox, Some(&[2, 3, 9])).await.unwrap();
    assert_eq!((some.uids, some.highest_modseq), (vec![3], 8));
    let rest = mail.expunge(inbox, None).await.unwrap();
    assert_eq!((rest.uids, rest.highest_modseq), (vec![1, 4], 9));
    let nothing = mail.expunge(inbox, None).await.unwrap();
    assert_eq!((nothing.uids, nothing.highest_modseq), (vec![], 9));
    assert_eq!(home.uids(alice, "INBOX").await, [2, 5]);
    assert_eq!(mail.usage(alice).await.unwrap().0, 2 * message(1).len() as u64);
    // UIDs are never given again.
    assert_eq!(home.deliver(alice, message(6)).await, 6);
    assert!(matches!(mail.expunge(FolderId(99), None).await, Err(Error::NoSuchFolder)));
    home.sound().await;
}

#[tokio::test]
async fn changes_since_any_modseq() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    for number in 0..4 {
        home.deliver(alice, message(number)).await;
    }
    let inbox = home.folder(alice, "INBOX").await;
    flags(&home, inbox, &[2, 3], FlagOp::Add, DELETED, &["k"]).await;
    mail.expunge(inbox, Some(&[3])).await.unwrap();
    mail.expunge(inbox, Some(&[2])).await.unwrap();
    let row = |uid, modseq| Row { uid, modseq, flags: 0 };
    for (since, rows, vanished) in [
        (0, vec![row(1, 2), row(4, 5)], vec![UidRange { first: 2, last: 3 }]),
        (4, vec![row(4, 5)], vec![UidRange { first: 2, last: 3 }]),
        (7, vec![], vec![UidRange { first: 2, last: 2 }]),
        (8, vec![], vec![]),
        (u64::MAX, vec![], vec![]),
    ] {
        let changes = mail.changes(inbox, since).await.unwrap();
        assert_eq!((changes.rows, changes.vanished), (rows, vanished), "since {since}");
        assert_eq!(
            (changes.highest_modseq, changes.uid_next, &changes.keywords[..]),
            (8, 5, &["k".to_owned()][..])
        );
    }
}

#[tokio::test]
async fn an_old_modseq_gets_all_gaps() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    for number in 0..4 {
        home.deliver(alice, message(number)).await;
    }
    let inbox = home.folder(alice, "INBOX").await;
    flags(&home, inbox, &[2, 4], FlagOp::Add, DELETED, &[]).await;
    mail.expunge(inbox, None).await.unwrap();
    let path = home.dir.path().join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let cut = "DELETE FROM expunged; UPDATE folder SET expunged_from = modseq";
    sqlx::raw_sql(cut).execute(&database).await.unwrap();
    let gaps = [UidRange { first: 2, last: 2 }, UidRange { first: 4, last: 4 }];
    assert_eq!(mail.changes(inbox, 3).await.unwrap().vanished, gaps);
    let now = mail.status(alice, "INBOX").await.unwrap().highest_modseq;
    assert!(mail.changes(inbox, now).await.unwrap().vanished.is_empty());
    home.sound().await;
}

#[tokio::test]
async fn the_log_of_expunges_is_cut() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.deliver(alice, message(1)).await;
    let inbox = home.folder(alice, "INBOX").await;
    let path = home.dir.path().join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100)
        INSERT INTO expunged (folder_id, modseq, first_uid, last_uid) SELECT $1, i, i + 1, i + 1 FROM n";
    sqlx::query(fill).bind(inbox.0).execute(&database).await.unwrap();
    // The next expunge gets a MODSEQ at which the log is looked at (a multiple of 64).
    let place = "UPDATE folder SET modseq = 12798, uid_next = 20000 WHERE id = $1";
    sqlx::query(place).bind(inbox.0).execute(&database).await.unwrap();
    flags(&home, inbox, &[1], FlagOp::Add, DELETED, &[]).await;
    home.store.mail().expunge(inbox, None).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM expunged").fetch_one(&database).await.unwrap();
    assert_eq!(left, 10_000);
    let changes = home.store.mail().changes(inbox, 5).await.unwrap();
    assert_eq!(changes.vanished, [UidRange { first: 1, last: 19_999 }]);
    home.sound().await;
}

#[tokio::test]
async fn fetch_gives_what_is_needed_and_no_more() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.deliver(alice, message(1)).await;
    home.deliver(alice, large(2)).await;
    let inbox = home.folder(alice, "INBOX").await;
    for (index, raw) in [(false, false), (true, false), (false, true), (true, true)] {
        let fetched = home.store.mail().fetch(inbox, &[2, 1, 3], Need { index, raw }).await.unwrap();
        let found: Vec<_> =
            fetched.messages.iter().map(|m| (m.uid, m.index.is_some(), m.raw.is_some())).collect();
        assert_eq!(found, [(1, index, raw), (2, index, raw)]);
        assert_eq!(fetched.messages[1].size, 100_000);
        assert!(fetched.rest.is_empty());
    }
    let nothing = home.store.mail().fetch(FolderId(99), &[1], Need::default()).await.unwrap();
    assert!(nothing.messages.is_empty());
}

#[tokio::test]
async fn a_large_answer_leaves_the_rest_for_the_next_call() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    for seed in 0..5 {
        home.deliver(alice, vec![seed; 3 << 20]).await;
    }
    let inbox = home.folder(alice, "INBOX").await;
    let raw = Need { raw: true, index: false };
    let (mut wanted, mut sizes) = ((1..=5).collect::<Vec<u32>>(), Vec::new());
    while !wanted.is_empty() {
        let fetched = home.store.mail().fetch(inbox, &wanted, raw).await.unwrap();
        for message in &fetched.messages {
            assert_eq!(message.raw.as_ref().unwrap()[0], message.uid as u8 - 1);
        }
        sizes.push(fetched.messages.len());
        wanted = fetched.rest;
    }
    assert_eq!(sizes, [3, 2]);
}

#[tokio::test]
async fn a_lost_blob_file_is_damage_and_not_an_empty_message() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.deliver(alice, large(1)).await;
    let blobs = home.dir.path().join("blobs");
    for shard in std::fs::read_dir(blobs).unwrap() {
        for file in std::fs::read_dir(shard.unwrap().path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
    let inbox = home.folder(alice, "INBOX").await;
    let fetched = home.store.mail().fetch(inbox, &[1], Need { raw: true, index: false }).await;
    assert!(matches!(fetched, Err(Error::Damaged(_))), "{fetched:?}");
    assert_eq!(home.store.check().await.unwrap(), ["blob 1 lacks its file"]);
}

#[tokio::test]
async fn every_change_is_signalled_after_its_commit() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    let (inbox, sent) = (home.folder(alice, "INBOX").await, home.folder(alice, "Sent").await);
    let (mut one, mut two) = (home.store.watch(inbox), home.store.watch(sent));
    home.deliver(alice, message(1)).await;
    assert_eq!(*one.borrow_and_update(), 2);
    flags(&home, inbox, &[1], FlagOp::Add, DELETED, &[]).await;
    assert_eq!(*one.borrow_and_update(), 3);
    mail.copy(inbox, &[1], "Sent").await.unwrap();
    assert!(!one.has_changed().unwrap());
    assert_eq!(*two.borrow_and_update(), 2);
    mail.expunge(inbox, None).await.unwrap();
    assert_eq!(*one.borrow_and_update(), 4);
    flags(&home, inbox, &[1], FlagOp::Add, DELETED, &[]).await;
    mail.expunge(inbox, None).await.unwrap();
    assert!(!one.has_changed().unwrap());
    home.append(alice, "Sent", 0, &[]).await;
    assert_eq!(*two.borrow_and_update(), 3);
}
