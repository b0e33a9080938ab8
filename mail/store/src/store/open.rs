//! Opening: lock, blobs, connections, migrations, and the sweep after a crash.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Executor, SqlitePool};
use tokio::sync::watch;

use crate::blob::{Blobs, Hash, shards, sync_directory};
use crate::crash::Crash;
use crate::error::OpenError;
use crate::migrate::migrate;
use crate::options::Options;
use crate::store::{Lock, Shared, Space};

/// Longer than any checkpoint; a reader that waits for a foreign lock is patient rather than wrong.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);
/// Waiting for a reader means load, not failure.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(600);
/// All scripts of the store, each with several statements, with room.
const STATEMENTS: usize = 256;
/// A large answer leaves the SQLite thread in few wake-ups of the asker.
const ROW_BUFFER: usize = 256;

/// The recipients of the delivery in progress (see `message::deliver`).
pub(crate) const WORK_TABLES: &str = "CREATE TEMP TABLE delivered (
    account_id INTEGER PRIMARY KEY,
    fits       INTEGER NOT NULL
)";
/// What a process that died was sending is to be sent by this one.
const VOID_LEASES: &str =
    "UPDATE queue_recipient SET lease = NULL, lease_until = NULL WHERE lease IS NOT NULL";
const CHANGE_COUNTER: &str = "SELECT value FROM meta WHERE key = 'change_counter'";
const FILES_OF_SHARD: &str = "SELECT hash FROM blob WHERE place = 2 AND hash BETWEEN unhex($1) AND unhex($2)";

pub(super) struct Opened {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: SqliteConnection,
    pub(super) readers: SqlitePool,
    pub(super) lock: Lock,
}

pub(super) async fn open(directory: &Path, options: &Options) -> Result<Opened, OpenError> {
    let io = |source| OpenError::Io { path: directory.to_owned(), source };
    private_directory(directory).map_err(io)?;
    private_file(&directory.join(DATABASE)).map_err(io)?;
    let lock = Lock::take(directory).await?;
    let crash = Arc::new(Crash::new(options.crash.clone()));
    let blobs = Arc::new(Blobs::open(&directory.join("blobs"), Arc::clone(&crash)).map_err(io)?);
    let mut connection = connect_options(directory).create_if_missing(true).connect().await?;
    migrate(&mut connection).await?;
    connection.execute(WORK_TABLES).await?;
    connection.execute(VOID_LEASES).await?;
    if let Some(pages) = options.max_pages {
        // PRAGMA takes no parameters; the number is ours.
        connection.execute(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).await?;
    }
    if directory.join(DIRTY).exists() {
        sweep(&mut connection, &blobs).await?;
    }
    mark_dirty(directory).map_err(io)?;
    let counter: i64 = sqlx::query_scalar(CHANGE_COUNTER).fetch_one(&mut connection).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(options.readers.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(connect_options(directory).pragma("query_only", "ON"))
        .await?;
    let shared = Arc::new(Shared {
        directory: directory.to_owned(),
        clock: Arc::clone(&options.clock),
        crash,
        space: Space::new(directory.to_owned(), options.reserve),
        blobs,
        watchers: Default::default(),
        accounts: watch::Sender::new(counter),
        queue: watch::Sender::new(0),
        leases: Default::default(),
        counters: Default::default(),
        snapshots: Default::default(),
        claims: Default::default(),
        cleaning: true.into(),
    });
    Ok(Opened { shared, connection, readers, lock })
}

/// The database; SQLite gives its log and its index the same mode.
const DATABASE: &str = "mailwright.db";

/// Makes a directory that only its owner enters: mail and password hashes are in it.
fn private_directory(directory: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Makes the file if need be, and takes it away from everybody but its owner if it is older than this rule.
fn private_file(path: &Path) -> std::io::Result<()> {
    fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

fn connect_options(directory: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(directory.join(DATABASE))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(ROW_BUFFER)
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// Present while a store is open: found at open, the last process did not close it.
const DIRTY: &str = "dirty";

fn mark_dirty(directory: &Path) -> std::io::Result<()> {
    fs::File::create(directory.join(DIRTY))?;
    sync_directory(directory)
}

/// After this the next open trusts the blob directory.
pub(super) fn mark_clean(directory: &Path) {
    if let Err(error) = fs::remove_file(directory.join(DIRTY)) {
        tracing::warn!(%error, "cannot remove the mark of an open store; the next start sweeps once more");
    }
}

/// Removes blob files without a row: deliveries that a crash stopped before their commit, removals it stopped after.
async fn sweep(connection: &mut SqliteConnection, blobs: &Blobs) -> Result<(), OpenError> {
    for shard in shards() {
        let io = |source| OpenError::Io { path: Path::new("blobs").join(&shard), source };
        let files = blobs.list(&shard).map_err(io)?;
        if files.is_empty() {
            continue;
        }
        let rows = sqlx::query(FILES_OF_SHARD)
            .bind(format!("{shard}{}", "00".repeat(31)))
            .bind(format!("{shard}{}", "ff".repeat(31)))
            .fetch_all(&mut *connection)
            .await?;
        let used: BTreeSet<Hash> = rows.iter().filter_map(|row| Hash::from_row(row).ok()).collect();
        let orphans = files.difference(&used).filter(|hash| blobs.remove(**hash)).count();
        if orphans > 0 {
            tracing::info!(shard, orphans, "removed blob files that no message names");
        }
    }
    Ok(())
}
