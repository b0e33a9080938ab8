//! Readers beside the writer see one moment each: never half of a change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mailwright_store::message::{DELETED, SEEN};
use mailwright_store::{AccountId, Change, Error, FlagOp, FolderId, Store, StoreFlags};

use crate::support::*;

/// Changes the folder in ways that a torn reader would notice: all messages always have the same flags, and there are
/// always ten of them.
async fn churn(store: Arc<Store>, alice: AccountId, folder: FolderId) {
    let mail = store.mail();
    for round in 0..40u64 {
        let uids: Vec<u32> =
            mail.select(alice, "INBOX", false).await.unwrap().rows.iter().map(|row| row.uid).collect();
        let flags = if round % 2 == 0 { SEEN } else { 0 };
        let change = StoreFlags { uids: uids.clone(), op: FlagOp::Replace, flags, keywords: Vec::new() };
        mail.store_flags(folder, change).await.unwrap();
        if round % 4 == 0 {
            mail.r#move(folder, &uids, "INBOX").await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn select_changes_and_status_are_never_torn() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    for number in 0..10 {
        home.deliver(alice, message(number)).await;
    }
    let inbox = home.folder(alice, "INBOX").await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, done) = (Arc::clone(&home.store), Arc::clone(&done));
            tokio::spawn(async move {
                let (mut reads, mut newest) = (0, 0);
                while !done.load(Ordering::SeqCst) {
                    let selected = store.mail().select(alice, "INBOX", false).await.unwrap();
                    assert_eq!(selected.rows.len(), 10);
                    assert!(selected.rows.iter().all(|row| row.flags == selected.rows[0].flags));
                    assert!(selected.rows.iter().all(|row| row.modseq <= selected.highest_modseq));
                    assert!(selected.rows.iter().all(|row| row.uid < selected.uid_next));
                    assert!(selected.highest_modseq >= newest, "a reader went back in time");
                    newest = selected.highest_modseq;
                    let status = store.mail().status(alice, "INBOX").await.unwrap();
                    assert_eq!(status.messages, 10);
                    assert!(status.unseen == 0 || status.unseen == 10, "{status:?}");
                    let changes = store.mail().changes(inbox, newest).await.unwrap();
                    assert!(changes.rows.is_empty() || changes.rows.len() == 10);
                    reads += 1;
                }
                reads
            })
        })
        .collect();
    churn(Arc::clone(&home.store), alice, inbox).await;
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    home.sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_is_seen_by_everybody_at_once() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let inbox = home.folder(alice, "INBOX").await;
    let mut watch = home.store.watch(inbox);
    for number in 1..=30u32 {
        assert_eq!(home.deliver(alice, message(number as usize)).await, number);
        assert!(watch.has_changed().unwrap());
        let modseq = *watch.borrow_and_update();
        let changes = home.store.mail().changes(inbox, modseq - 1).await.unwrap();
        assert_eq!((changes.highest_modseq, changes.rows[0].uid), (modseq, number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn observing_sees_whole_batches() {
    let home = Home::new().await;
    home.account("alice@example.test").await;
    let store = Arc::clone(&home.store);
    let writer = tokio::spawn(async move {
        for round in 0..30 {
            let batch = (0..5).map(|n| {
                let mut row = mailbox_row(&format!("user{n}@example.test"));
                row.display_name = format!("round {round}");
                put_mailbox(row)
            });
            store.accounts().apply(batch.collect(), None).await.unwrap();
        }
    });
    let start = home.store.accounts().change_counter().await.unwrap();
    while !writer.is_finished() {
        let accounts = home.store.accounts().observe().await.unwrap();
        let rounds: Vec<_> = accounts
            .mailboxes
            .iter()
            .filter(|m| m.row.address != "alice@example.test")
            .map(|m| &m.row.display_name)
            .collect();
        assert!(rounds.is_empty() || rounds.len() == 5);
        assert!(rounds.iter().all(|round| *round == rounds[0]), "{rounds:?}");
        assert_eq!((accounts.change_counter - 2) % 5, 0);
    }
    writer.await.unwrap();
    assert!(home.store.accounts().change_counter().await.unwrap() >= start);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn folders_change_under_a_session() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let store = Arc::clone(&home.store);
            tokio::spawn(async move {
                let mail = store.mail();
                for round in 0..15 {
                    let (one, two) = (format!("f{}", round % 3), format!("f{}/g{task}", (round + 1) % 3));
                    let results = [
                        mail.create(alice, &one).await.map(drop),
                        mail.append(alice, &one, append(message(round), DELETED, &["k"])).await.map(drop),
                        mail.rename(alice, &one, &two).await,
                        mail.append(alice, &two, append(large(round as u8), 0, &[])).await.map(drop),
                        mail.delete(alice, if round % 2 == 0 { &two } else { &one }).await,
                    ];
                    for result in results {
                        let refused = matches!(
                            result,
                            Ok(())
                                | Err(Error::FolderExists
                                    | Error::NoSuchFolder
                                    | Error::NotSelectable
                                    | Error::HasInferiors
                                    | Error::Cannot(_))
                        );
                        assert!(refused, "{result:?}");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    home.sound().await;
    let purge = vec![
        Change::DisableMailbox(target("alice@example.test")),
        Change::DeleteMailbox { target: target("alice@example.test"), ignore_retention: true },
    ];
    assert!(home.store.accounts().apply(purge, None).await.unwrap().iter().all(Result::is_ok));
    home.sound().await;
    assert_eq!(blob_files(home.dir.path()), 0);
}
