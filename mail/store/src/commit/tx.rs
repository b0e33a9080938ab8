//! The writer's connection inside a transaction, and what the transaction causes elsewhere.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::blob::Hash;
use crate::error::{Result, is_busy};
use crate::mailbox::FolderId;
use crate::options::UnixTime;
use crate::store::Shared;

/// A bound query with SQL known at compile time.
pub(crate) type Query = sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Pause before a lock held by a foreign process (a backup, the sqlite3 shell) is tried again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// What a transaction causes outside the database once it is committed.
#[derive(Default)]
pub(crate) struct Effects {
    /// Folders changed, with their MODSEQ; `u64::MAX` for a removed one.
    pub(crate) touched: Vec<(FolderId, u64)>,
    /// Blob files that may have lost their last row.
    pub(crate) garbage: Vec<Hash>,
    /// The account change counter, when it moved.
    pub(crate) accounts: Vec<i64>,
    /// There are doomed folders.
    pub(crate) doomed: bool,
    /// Something in the queue may be due sooner.
    pub(crate) queue: bool,
}

impl Effects {
    pub(crate) fn mark(&self) -> (usize, usize, usize, bool, bool) {
        (self.touched.len(), self.garbage.len(), self.accounts.len(), self.doomed, self.queue)
    }

    pub(crate) fn back_to(&mut self, mark: (usize, usize, usize, bool, bool)) {
        self.touched.truncate(mark.0);
        self.garbage.truncate(mark.1);
        self.accounts.truncate(mark.2);
        self.doomed = mark.3;
        self.queue = mark.4;
    }
}

/// The writer's connection inside a transaction.
pub(crate) struct Tx {
    pub(super) connection: SqliteConnection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) effects: Effects,
}

impl Tx {
    pub(crate) fn new(connection: SqliteConnection, shared: Arc<Shared>) -> Self {
        Self { connection, shared, effects: Effects::default() }
    }

    /// Runs a script (one round trip, however many statements) and returns all rows of all its statements.
    pub(crate) async fn rows(&mut self, query: Query) -> Result<Vec<SqliteRow>> {
        Ok(query.fetch_all(&mut self.connection).await?)
    }

    /// The only row, if there is one.
    pub(crate) async fn row(&mut self, query: Query) -> Result<Option<SqliteRow>> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Runs a script and returns the number of rows that all its statements wrote.
    pub(crate) async fn run(&mut self, query: Query) -> Result<u64> {
        Ok(query.execute(&mut self.connection).await?.rows_affected())
    }

    pub(crate) fn now(&self) -> UnixTime {
        (self.shared.clock)()
    }

    pub(crate) fn crash_at(&self, point: &'static str) -> Result<()> {
        self.shared.crash.at(point)
    }

    /// Runs a statement, waiting as long as a foreign process holds the database.
    pub(super) async fn patiently(&mut self, sql: &'static str) -> Result<()> {
        loop {
            match sqlx::query(sql).execute(&mut self.connection).await {
                Err(error) if is_busy(&error) => tokio::time::sleep(BUSY_PAUSE).await,
                other => return Ok(other.map(drop)?),
            }
        }
    }
}
