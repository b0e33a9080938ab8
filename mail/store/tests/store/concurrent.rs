//! Several handles at once: every session that follows `watch` and `changes` ends with the same view.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mailwright_store::message::{DELETED, FLAGGED, SEEN};
use mailwright_store::{AccountId, FlagOp, FolderId, Row, Store, StoreFlags};

use crate::support::*;

/// A generator that is good enough to choose operations (Knuth's constants).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

async fn writer(store: Arc<Store>, alice: AccountId, folder: FolderId, seed: u64) {
    let mut random = Random(seed);
    let mail = store.mail();
    for number in 0..60 {
        let uids: Vec<u32> = (0..4).map(|_| random.below(40) as u32 + 1).collect();
        let mut sorted = uids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        match random.below(8) {
            0..=2 => drop(mail.deliver(delivery(&[alice], message(number))).await.unwrap()),
            3 => drop(mail.append(alice, "INBOX", append(large(number as u8), SEEN, &["k"])).await.unwrap()),
            4 => drop(mail.copy(folder, &sorted, "INBOX").await.unwrap()),
            5 => drop(mail.r#move(folder, &sorted, "Archive").await.unwrap()),
            6 => drop(mail.expunge(folder, None).await.unwrap()),
            _ => {
                let flags = [SEEN, FLAGGED, DELETED][random.below(3) as usize];
                let op = [FlagOp::Add, FlagOp::Remove, FlagOp::Replace][random.below(3) as usize];
                let change = StoreFlags { uids: sorted, op, flags, keywords: Vec::new() };
                mail.store_flags(folder, change).await.unwrap();
            }
        }
    }
}

/// Follows the folder until nothing comes any more; every step must make sense.
async fn follower(store: Arc<Store>, alice: AccountId, done: Arc<AtomicBool>) -> BTreeMap<u32, Row> {
    let selected = store.mail().select(alice, "INBOX", false).await.unwrap();
    let mut watch = store.watch(selected.folder);
    let mut since = selected.highest_modseq;
    let mut rows: BTreeMap<u32, Row> = selected.rows.iter().map(|row| (row.uid, *row)).collect();
    loop {
        let last = done.load(Ordering::SeqCst);
        watch.mark_unchanged();
        let changes = store.mail().changes(selected.folder, since).await.unwrap();
        for row in changes.rows {
            assert!(row.modseq > since, "row {row:?} is older than {since}");
            assert!(changes.vanished.iter().all(|run| !(run.first..=run.last).contains(&row.uid)));
            rows.insert(row.uid, row);
        }
        rows.retain(|uid, _| !changes.vanished.iter().any(|run| (run.first..=run.last).contains(uid)));
        since = changes.highest_modseq;
        if last {
            return rows;
        }
        let _ = tokio::time::timeout(std::time::Duration::from_millis(20), watch.changed()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_that_follow_end_with_the_same_view() {
    for seed in 1..4 {
        let home = Home::new().await;
        let alice = home.account("alice@example.test").await;
        let inbox = home.folder(alice, "INBOX").await;
        let done = Arc::new(AtomicBool::new(false));
        let followers: Vec<_> = (0..2)
            .map(|_| tokio::spawn(follower(Arc::clone(&home.store), alice, Arc::clone(&done))))
            .collect();
        let writers: Vec<_> = (0..4)
            .map(|n| tokio::spawn(writer(Arc::clone(&home.store), alice, inbox, seed * 10 + n)))
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        let end = home.store.mail().select(alice, "INBOX", false).await.unwrap();
        for follower in followers {
            let view = follower.await.unwrap();
            assert!(view.values().eq(&end.rows), "seed {seed}");
        }
        home.sound().await;
        let stats = home.store.stats();
        assert!(stats.commits < stats.jobs, "seed {seed}: nothing was grouped");
    }
}
