//! Conditional flag changes and what vanished (RFC 7162 §3.1.3, §3.2.5.2).

use mailwright_store::message::{DELETED, FLAGGED, SEEN};
use mailwright_store::{Error, FlagOp, FolderId, StoreFlags, Stored, UidRange};

use crate::support::{Home, message};

async fn store(
    home: &Home,
    folder: FolderId,
    uids: &[u32],
    flags: u64,
    unchanged_since: Option<u64>,
) -> Stored {
    let change = StoreFlags { uids: uids.to_vec(), op: FlagOp::Add, flags, keywords: Vec::new() };
    home.store.mail().store_flags_unchanged(folder, change, unchanged_since).await.unwrap()
}

async fn inbox(home: &Home, messages: usize) -> FolderId {
    let alice = home.account("alice@example.test").await;
    for number in 0..messages {
        home.deliver(alice, message(number)).await;
    }
    home.folder(alice, "INBOX").await
}

#[tokio::test]
async fn messages_that_changed_since_are_left_alone_and_named() {
    let home = Home::new().await;
    let inbox = inbox(&home, 3).await;
    let before = home.store.mail().changes(inbox, 0).await.unwrap();
    let known = before.highest_modseq;
    let changed = store(&home, inbox, &[2], FLAGGED, None).await;
    assert_eq!((changed.modified.as_slice(), changed.highest_modseq), ([].as_slice(), known + 1));

    let stored = store(&home, inbox, &[1, 2, 3, 9], SEEN, Some(known)).await;
    assert_eq!(stored.modified, [2]);
    let now: Vec<_> = stored.rows.iter().map(|row| (row.uid, row.flags, row.modseq)).collect();
    assert_eq!(now, [(1, SEEN, known + 2), (2, FLAGGED, known + 1), (3, SEEN, known + 2)]);

    // Nothing is below zero, and a change of nothing takes no MODSEQ.
    let stored = store(&home, inbox, &[1, 2, 3], DELETED, Some(0)).await;
    assert_eq!((stored.modified.as_slice(), stored.highest_modseq), ([1, 2, 3].as_slice(), known + 2));
    let stored = store(&home, inbox, &[1], SEEN, Some(known + 2)).await;
    assert_eq!((stored.modified.len(), stored.highest_modseq), (0, known + 2));
    home.sound().await;
}

#[tokio::test]
async fn what_vanished_is_the_same_as_in_the_changes() {
    let home = Home::new().await;
    let inbox = inbox(&home, 8).await;
    let mail = home.store.mail();
    for uids in [[2, 3], [5, 8], [1, 6]] {
        store(&home, inbox, &uids, DELETED, None).await;
        mail.expunge(inbox, Some(&uids)).await.unwrap();
    }
    let now = mail.changes(inbox, 0).await.unwrap().highest_modseq;
    for since in 0..=now + 1 {
        let changes = mail.changes(inbox, since).await.unwrap();
        assert_eq!(mail.vanished(inbox, since).await.unwrap(), changes.vanished, "{since}");
    }
    let all = [(1, 3), (5, 6), (8, 8)].map(|(first, last)| UidRange { first, last });
    assert_eq!(mail.vanished(inbox, 1).await.unwrap(), all);
    assert_eq!(mail.vanished(inbox, u64::MAX).await.unwrap(), []);
    assert!(matches!(mail.vanished(FolderId(999), 1).await, Err(Error::NoSuchFolder)));
    home.sound().await;
}

/// A client that was away for longer than the log reaches is told all that is not there.
#[tokio::test]
async fn beyond_the_log_everything_else_vanished() {
    let home = Home::new().await;
    let inbox = inbox(&home, 4).await;
    let path = home.dir.path().join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let cut = "UPDATE folder SET expunged_from = modseq";
    store(&home, inbox, &[1, 3], DELETED, None).await;
    home.store.mail().expunge(inbox, None).await.unwrap();
    sqlx::raw_sql(cut).execute(&database).await.unwrap();
    let gaps = [1, 3].map(|uid| UidRange { first: uid, last: uid });
    assert_eq!(home.store.mail().vanished(inbox, 2).await.unwrap(), gaps);
}
