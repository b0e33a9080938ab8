//! What opening sets up and closing leaves, seen from inside.

use sqlx::Row as _;

use super::*;

async fn open(directory: &Path) -> Store {
    Store::open(directory, Options::default()).await.unwrap()
}

/// Answers a PRAGMA as the writer sees it.
struct Pragma(&'static str);

impl Verb for Pragma {
    type Output = String;

    async fn run(&self, tx: &mut Tx) -> Result<String> {
        let row = tx.row(sqlx::query(self.0)).await?.unwrap();
        Ok(row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string())).unwrap())
    }
}

#[tokio::test]
async fn the_writer_is_durable_and_checks_foreign_keys() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for (pragma, expected) in [
        ("PRAGMA journal_mode", "wal"),
        // 2 is FULL: the WAL is synced at every commit.
        ("PRAGMA synchronous", "2"),
        ("PRAGMA foreign_keys", "1"),
        // 2 is MEMORY: the list of recipients never touches the disk.
        ("PRAGMA temp_store", "2"),
    ] {
        assert_eq!(store.write(Pragma(pragma)).await.unwrap(), expected, "{pragma}");
    }
}

#[tokio::test]
async fn a_log_that_readers_held_is_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_wal: 300_000, ..Options::default() };
    let store = Store::open(dir.path(), options).await.unwrap();
    let size = || std::fs::metadata(dir.path().join("mailwright.db-wal")).unwrap().len();
    let key = |name: String| crate::ResourceKey { kind: "K".into(), namespace: "n".into(), name };
    let resources = store.resources();
    let write = |n: usize| {
        resources.put(vec![(key(n.to_string()), "x".repeat(9000).into(), serde_json::Value::Null)])
    };
    let mut reader = store.readers.begin().await.unwrap();
    sqlx::query("SELECT * FROM meta").fetch_all(&mut *reader).await.unwrap();
    for n in 0..25 {
        write(n).await.unwrap();
    }
    let held = size();
    assert!(held > 300_000, "{held}");
    reader.commit().await.unwrap();
    write(99).await.unwrap();
    store.settle().await.unwrap();
    assert!(size() < 100_000, "{} after {held}", size());
    assert_eq!(store.write(Pragma("PRAGMA busy_timeout")).await.unwrap(), "60000");
}

#[tokio::test]
async fn readers_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let result = sqlx::query("DELETE FROM meta").execute(&store.readers).await;
    assert!(result.unwrap_err().to_string().contains("readonly"));
}

#[tokio::test]
async fn the_mark_of_an_open_store_goes_with_a_clean_stop_only() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("dirty");
    let store = open(dir.path()).await;
    assert!(mark.exists());
    store.close().await;
    assert!(!mark.exists());
    let dies = Options { crash: Some(Arc::new(|point| point == crash::JOB_BEFORE)), ..Options::default() };
    let store = Store::open(dir.path(), dies).await.unwrap();
    assert!(matches!(store.write(Nothing).await, Err(Error::Crashed)));
    store.close().await;
    assert!(mark.exists());
    open(dir.path()).await.close().await;
    assert!(!mark.exists());
}

#[tokio::test]
async fn the_release_before_opens_what_was_only_expanded() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).await.close().await;
    let path = dir.path().join("mailwright.db");
    let database = SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let expand = "ALTER TABLE mailbox ADD COLUMN later TEXT; CREATE TABLE later (id INTEGER PRIMARY KEY);
        INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (99, 'later', 1, x'00', 1)";
    sqlx::raw_sql(expand).execute(&database).await.unwrap();
    open(dir.path()).await.close().await;
    let contract = "UPDATE meta SET value = 99 WHERE key = 'needs_schema'";
    sqlx::query(contract).execute(&database).await.unwrap();
    let Err(error) = Store::open(dir.path(), Options::default()).await else { panic!("opened") };
    assert!(matches!(error, OpenError::TooNew { needs: 99, .. }), "{error}");
    assert!(error.to_string().contains("upgrade"));
}

#[tokio::test]
async fn queued_jobs_are_finished_before_closing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()).await);
    let jobs: Vec<_> = (0..50)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.write(Nothing).await })
        })
        .collect();
    tokio::task::yield_now().await;
    store.close().await;
    let mut finished = 0;
    for job in jobs {
        match job.await.unwrap() {
            Ok(()) => finished += 1,
            Err(error) => assert!(matches!(error, Error::Closed), "{error}"),
        }
    }
    assert_eq!(store.stats().jobs, finished + 1, "and the first purge");
}
