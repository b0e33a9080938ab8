//! Opening, closing, locking, sweeping, running full, committing in groups.

use std::sync::Arc;

use mailwright_store::{Error, OpenError, Options, Outcome, Stats, Store};

use crate::support::*;

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.deliver(alice, message(1)).await;
    home.deliver(alice, large(1)).await;
    let home = home.reopened().await;
    let inbox = home.folder(alice, "INBOX").await;
    assert_eq!(home.raw(inbox, 1).await.unwrap(), message(1));
    assert_eq!(home.raw(inbox, 2).await.unwrap(), large(1));
    assert_eq!(home.deliver(alice, message(3)).await, 3);
    home.sound().await;
}

#[tokio::test]
async fn a_second_process_is_told() {
    let home = Home::new().await;
    let Err(error) = Store::open(home.dir.path(), Options::default()).await else { panic!("opened twice") };
    assert!(matches!(error, OpenError::Locked { .. }));
    let text = error.to_string();
    assert!(text.contains("in use") && text.contains("--data"), "{text}");
    // A store that was only dropped lets go as well.
    let Home { dir, store, .. } = home;
    drop(store);
    Store::open(dir.path(), Options::default()).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.store.close().await;
    home.store.close().await;
    assert!(matches!(home.store.mail().deliver(delivery(&[alice], message(1))).await, Err(Error::Closed)));
    assert!(matches!(home.store.mail().subscribe(alice, "x").await, Err(Error::Closed)));
    assert!(home.store.mail().list(alice).await.is_err());
}

#[tokio::test]
async fn an_unusable_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let Err(error) = Store::open(&file, Options::default()).await else { panic!("opened a file") };
    assert!(error.to_string().contains("file"), "{error}");
    std::fs::write(dir.path().join("mailwright.db"), "this is not a database, as anybody can see").unwrap();
    assert!(matches!(Store::open(dir.path(), Options::default()).await, Err(OpenError::Database(_))));
}

#[tokio::test]
async fn orphans_of_a_crash_are_swept_and_strangers_stay() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.deliver(alice, large(1)).await;
    home.store.close().await;
    let orphan = home.dir.path().join("blobs/ab").join("cd".repeat(31));
    let stranger = home.dir.path().join("blobs/ab/readme");
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::write(&orphan, "left by a crash").unwrap();
    std::fs::write(&stranger, "put here by hand").unwrap();
    let home = home.reopened().await;
    assert!(orphan.exists(), "after a clean stop nothing is swept");
    assert_eq!(home.store.check().await.unwrap().len(), 1);
    home.store.close().await;
    std::fs::write(home.dir.path().join("dirty"), "").unwrap();
    let home = home.reopened().await;
    assert!(!orphan.exists() && stranger.exists());
    home.sound().await;
    let inbox = home.folder(alice, "INBOX").await;
    assert_eq!(home.raw(inbox, 1).await.unwrap(), large(1));
}

#[tokio::test]
async fn a_purge_that_was_interrupted_goes_on() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.deliver(alice, large(1)).await;
    home.store.close().await;
    let path = home.dir.path().join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let doom = "UPDATE account SET used_bytes = 0;
        INSERT INTO folder (account_id, name, uid_validity) SELECT account_id, 'x', 1 FROM folder WHERE name = 'INBOX';
        UPDATE folder SET account_id = NULL WHERE name = 'INBOX';
        UPDATE folder SET name = 'INBOX' WHERE name = 'x'";
    sqlx::raw_sql(doom).execute(&database).await.unwrap();
    database.close().await;
    let home = home.reopened().await;
    home.sound().await;
    assert_eq!(blob_files(home.dir.path()), 0);
}

#[tokio::test]
async fn a_full_disk_is_no_space_and_nothing_is_half_written() {
    let home = Home::with(|options| options.max_pages = Some(100)).await;
    let alice = home.account("alice@example.test").await;
    let mut delivered = 0;
    let noise = |seed: u8| large(seed).slice(..20_000);
    let full = loop {
        match home.store.mail().deliver(delivery(&[alice], noise(delivered))).await {
            Ok(outcomes) => assert_eq!(outcomes, [Outcome::Delivered { uid: u32::from(delivered) + 1 }]),
            Err(error) => break error,
        }
        delivered += 1;
    };
    assert!(matches!(full, Error::NoSpace), "{full:?}");
    assert!(delivered > 3);
    // Neighbours in one group: each gets its own answer, small ones still fit.
    let mut results = Vec::new();
    for seed in 0..6 {
        let (store, raw) = (Arc::clone(&home.store), if seed % 2 == 0 { noise(seed) } else { message(1) });
        results.push(tokio::spawn(async move { store.mail().deliver(delivery(&[alice], raw)).await }));
    }
    for (seed, result) in results.into_iter().enumerate() {
        let result = result.await.unwrap();
        match seed % 2 {
            0 => assert!(matches!(result, Err(Error::NoSpace)), "{result:?}"),
            _ => assert!(result.is_ok(), "{result:?}"),
        }
    }
    assert_eq!(home.uids(alice, "INBOX").await.len(), usize::from(delivered) + 3);
    home.sound().await;
    assert!(home.store.stats().failed >= 4);
}

#[tokio::test]
async fn waiting_deliveries_share_a_commit() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    home.store.settle().await.unwrap();
    let Stats { commits: before, jobs, .. } = home.store.stats();
    let deliveries: Vec<_> = (0..200)
        .map(|number| {
            let store = Arc::clone(&home.store);
            tokio::spawn(
                async move { store.mail().deliver(delivery(&[alice], message(number))).await.unwrap() },
            )
        })
        .collect();
    for delivery in deliveries {
        assert!(matches!(delivery.await.unwrap()[..], [Outcome::Delivered { .. }]));
    }
    let stats = home.store.stats();
    assert_eq!(stats.jobs - jobs, 200);
    assert!(stats.commits - before <= 20, "{} commits for 200 deliveries", stats.commits - before);
    assert!(stats.commit_nanos > 0);
    assert_eq!(home.uids(alice, "INBOX").await, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn groups_are_bounded() {
    let home = Home::with(|options| options.group = 10).await;
    let alice = home.account("alice@example.test").await;
    home.store.settle().await.unwrap();
    let before = home.store.stats().commits;
    let deliveries: Vec<_> = (0..40)
        .map(|number| {
            let store = Arc::clone(&home.store);
            tokio::spawn(
                async move { store.mail().deliver(delivery(&[alice], message(number))).await.unwrap() },
            )
        })
        .collect();
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    assert!(home.store.stats().commits - before >= 4);
}

#[tokio::test]
async fn one_failing_job_leaves_its_neighbours_alone() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let jobs: Vec<_> = (0..30)
        .map(|number| {
            let store = Arc::clone(&home.store);
            let name = if number % 3 == 0 { "Nowhere" } else { "Sent" };
            tokio::spawn(
                async move { store.mail().append(alice, name, append(message(number), 0, &[])).await },
            )
        })
        .collect();
    for (number, job) in jobs.into_iter().enumerate() {
        let result = job.await.unwrap();
        assert_eq!(result.is_err(), number % 3 == 0, "{result:?}");
    }
    assert_eq!(home.uids(alice, "Sent").await, (1..=20).collect::<Vec<_>>());
    assert_eq!(home.store.stats().failed, 10);
    home.sound().await;
}

#[tokio::test]
async fn a_lock_of_somebody_else_is_waited_for() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let path = home.dir.path().join("mailwright.db");
    let backup = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let mut lock = backup.acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *lock).await.unwrap();
    let store = Arc::clone(&home.store);
    let waiting = tokio::spawn(async move { store.mail().deliver(delivery(&[alice], message(1))).await });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    sqlx::query("ROLLBACK").execute(&mut *lock).await.unwrap();
    assert!(waiting.await.unwrap().is_ok());
}
