//! Groups whose jobs fail in every way: alone, with the transaction, at the commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::mailbox::FolderId;
use crate::options::Options;
use crate::resource::ResourceKey;
use crate::store::Store;

const NOTE: &str = "INSERT INTO resource (kind, namespace, name, generation, created_at, spec)
    VALUES ('K', 'n', $1, 1, 0, '{}')";
const BREAK_RULE: &str =
    "INSERT INTO message (folder_id, uid, modseq, flags, internal_date, save_date, size, blob_id)
    VALUES (77, 1, 1, 0, 0, 0, 0, 77)";

/// What a job does after it wrote its note.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Then {
    Succeed,
    Fail,
    /// As SQLite does on a full disk: the whole transaction is gone.
    LoseTransaction,
    /// A constraint fails in the middle of a script.
    BreakRule,
    /// Takes effect at COMMIT, which then fails.
    BreakCommit,
}

struct Note {
    name: String,
    then: Then,
    runs: Arc<AtomicU32>,
}

impl Verb for Note {
    type Output = String;

    async fn run(&self, tx: &mut Tx) -> Result<String> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        tx.run(sqlx::query(NOTE).bind(self.name.clone())).await?;
        tx.effects.touched.push((FolderId(i64::from(self.runs.load(Ordering::SeqCst))), 1));
        match self.then {
            Then::Succeed => {}
            Then::Fail => return Err(Error::OverQuota),
            Then::LoseTransaction => {
                tx.patiently(ROLLBACK).await?;
                return Err(Error::NoSpace);
            }
            Then::BreakRule => drop(tx.run(sqlx::query(BREAK_RULE)).await?),
            Then::BreakCommit => {
                tx.run(sqlx::query("PRAGMA defer_foreign_keys = ON")).await?;
                tx.run(sqlx::query(BREAK_RULE)).await?;
            }
        }
        Ok(self.name.clone())
    }
}

/// Runs these jobs as one group behind a lock that makes them wait for each other; who succeeded, and how often each ran.
async fn group(store: &Arc<Store>, jobs: &[Then]) -> (Vec<bool>, Vec<u32>) {
    let path = store.shared.directory.join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let mut lock = database.acquire().await.unwrap();
    sqlx::query(BEGIN).execute(&mut *lock).await.unwrap();
    let (mut waiting, mut counters) = (Vec::new(), Vec::new());
    let first = Note { name: "gate".into(), then: Then::Succeed, runs: Arc::default() };
    let gate = tokio::spawn({
        let store = Arc::clone(store);
        async move { store.write(first).await }
    });
    // The gate's group waits for the lock; whatever comes now is in the next one.
    tokio::time::sleep(Duration::from_millis(50)).await;
    for (number, then) in jobs.iter().enumerate() {
        let runs = Arc::new(AtomicU32::new(0));
        counters.push(Arc::clone(&runs));
        let note = Note { name: format!("job {number}"), then: *then, runs };
        let store = Arc::clone(store);
        waiting.push(tokio::spawn(async move { store.write(note).await }));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    sqlx::query(ROLLBACK).execute(&mut *lock).await.unwrap();
    gate.await.unwrap().unwrap();
    let mut succeeded = Vec::new();
    for (number, job) in waiting.into_iter().enumerate() {
        let result = job.await.unwrap();
        if let Ok(name) = &result {
            assert_eq!(*name, format!("job {number}"));
        }
        succeeded.push(result.is_ok());
    }
    (succeeded, counters.iter().map(|runs| runs.load(Ordering::SeqCst)).collect())
}

async fn noted(store: &Store, number: usize) -> bool {
    let key = ResourceKey { kind: "K".into(), namespace: "n".into(), name: format!("job {number}") };
    store.resources().get(&key).await.unwrap().is_some()
}

#[tokio::test]
async fn a_job_that_fails_is_alone_in_it() {
    use Then::{BreakCommit, BreakRule, Fail, LoseTransaction, Succeed};
    for (jobs, runs, groups) in [
        (vec![Succeed, Succeed, Succeed], vec![1, 1, 1], 1),
        (vec![Succeed, Fail, Succeed], vec![1, 1, 1], 1),
        (vec![Fail, Fail], vec![1, 1], 1),
        (vec![Succeed, BreakRule, Succeed], vec![1, 1, 1], 1),
        // The transaction is lost: those before and it run again alone, those after for the first time.
        (vec![Succeed, LoseTransaction, Succeed], vec![2, 2, 1], 2),
        (vec![LoseTransaction, Succeed], vec![2, 1], 1),
        // COMMIT fails: everybody runs again alone.
        (vec![Succeed, BreakCommit, Succeed], vec![2, 2, 2], 2),
        (vec![BreakCommit], vec![1], 0),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(dir.path(), Options::default()).await.unwrap());
        store.settle().await.unwrap();
        let before = store.stats();
        let (succeeded, ran) = group(&store, &jobs).await;
        let expected: Vec<bool> = jobs.iter().map(|then| *then == Succeed).collect();
        assert_eq!((succeeded, ran), (expected.clone(), runs), "{jobs:?}");
        for (number, there) in expected.iter().enumerate() {
            assert_eq!(noted(&store, number).await, *there, "{jobs:?} {number}");
        }
        let after = store.stats();
        assert_eq!(after.commits - before.commits, groups + 1, "{jobs:?}");
        assert_eq!(after.failed as usize, expected.iter().filter(|ok| !**ok).count(), "{jobs:?}");
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        store.close().await;
    }
}

#[tokio::test]
async fn a_failed_job_signals_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path(), Options::default()).await.unwrap());
    // Every note touches folder 1 in its first run.
    for (then, signalled) in [(Then::Fail, 0), (Then::LoseTransaction, 0), (Then::Succeed, 1)] {
        let watch = store.watch(FolderId(1));
        let note = Note { name: format!("{then:?}"), then, runs: Arc::default() };
        let result = store.write(note).await;
        assert_eq!((result.is_ok(), *watch.borrow()), (signalled == 1, signalled), "{then:?}");
    }
}

#[tokio::test]
async fn whoever_goes_away_does_not_stop_the_job() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path(), Options::default()).await.unwrap());
    let note = Note { name: "job 0".into(), then: Then::Succeed, runs: Arc::default() };
    let asked_once = tokio::select! {
        biased;
        _ = store.write(note) => false,
        () = std::future::ready(()) => true,
    };
    store.settle().await.unwrap();
    assert!(asked_once && noted(&store, 0).await);
}

#[test]
fn effects_go_back_with_the_savepoint() {
    let mut effects = Effects::default();
    effects.touched.push((FolderId(1), 1));
    let mark = effects.mark();
    effects.touched.push((FolderId(2), 1));
    effects.garbage.push(Hash::of(b"x"));
    effects.accounts.push(3);
    effects.doomed = true;
    effects.back_to(mark);
    assert_eq!(effects.touched, [(FolderId(1), 1)]);
    assert!(effects.garbage.is_empty() && effects.accounts.is_empty() && !effects.doomed);
}
