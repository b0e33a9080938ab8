//! What was done to accounts, when, why and by whom: one row for each change that was made, in the change's own transaction.
//!
//! Owns the rows, their retention and the questions about them. Leaves out what the words in them mean (`plan/`); they are
//! opaque here, and nothing in them is a secret.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::account::{AliasRow, DomainRow, MailboxRow, ServerRow};
use crate::commit::{Query, Tx, Verb};
use crate::error::{Error, Result};
use crate::many::{MANY, parameters, tuples};
use crate::options::UnixTime;
use crate::store::Store;

/// How long a row is kept: a year that is asked about in the following one, with a month for the asking.
pub const KEEP_DAYS: i64 = 400;
/// Rows that are kept at most: a hundred thousand mailboxes made once and each changed nine times; some 400 MB.
pub const KEEP_ROWS: i64 = 1_000_000;
/// Rows that one write removes at most: a few milliseconds of the writer. More than a batch adds, so that it keeps up.
pub const PRUNE_SLICE: i64 = 1000;
/// Rows of one answer.
pub const MAX_PAGE: u32 = 1000;

const ADD_CAUSE: &str = "
    INSERT INTO history_cause (actor, source, revision, commit_id, author, signer, committed_at, digest, approved)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
/// Notes of [`MANY`] rows that were not there before; the last parameters are when and why.
static ADD_MANY: LazyLock<String> = LazyLock::new(|| {
    let (at, cause) = (MANY * OF_NOTE + 1, MANY * OF_NOTE + 2);
    let rows = tuples(MANY, |_| format!("${at}, ${cause}, {}, NULL", parameters(OF_NOTE)));
    format!("INSERT INTO history (at, cause, {COLUMNS_OF_NOTE}, before) VALUES {rows}")
});
const COLUMNS_OF_NOTE: &str = "action, risk, kind, key, domain, namespace, name, file, line, changes";
const OF_NOTE: usize = 10;
macro_rules! add {
    ($then:literal) => {
        concat!(
            "INSERT INTO history (at, cause, action, risk, kind, key, domain, namespace, name, file, line, changes, before)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            $then
        )
    };
}
const ADD: &str = add!("");
/// The savepoint of the change ends here, and that of the next one begins: one round trip instead of two, a hundred thousand times.
const ADD_AND_GO_ON: &str = add!("; RELEASE change; SAVEPOINT change");
/// Whether this act was noted before: $1 action, $2 key, $3 how.
const IS_NOTED: &str = "
    SELECT 1 FROM history h JOIN history_cause c ON c.id = h.cause
    WHERE h.key = $2 AND h.action = $1 AND c.approved IS $3 LIMIT 1";
/// Of the oldest rows those that are too old ($1) or too many ($2); then causes that nothing names any more.
const PRUNE: &str = "
    DELETE FROM history WHERE id IN (SELECT id FROM (SELECT id, at FROM history ORDER BY id LIMIT $3)
        WHERE at < $1 OR id <= (SELECT max(id) FROM history) - $2);
    DELETE FROM history_cause WHERE id < (SELECT cause FROM history ORDER BY id LIMIT 1)";
/// Newest first, with a first condition that has an index: $1 key, $2 domain, $3 revision or the beginning of commit or digest,
/// $4 below this id, $5 how many.
macro_rules! list {
    ($first:literal) => {
        concat!(
            "SELECT h.id, h.at, h.action, h.risk, h.kind, h.key, h.namespace, h.name, h.file, h.line, h.changes, h.before,
                c.actor, c.source, c.revision, c.commit_id, c.author, c.signer, c.committed_at, c.digest, c.approved
            FROM history h JOIN history_cause c ON c.id = h.cause
            WHERE ",
            $first,
            " AND ($1 IS NULL OR h.key = $1) AND ($2 IS NULL OR h.domain = $2)
                AND ($3 IS NULL OR c.revision = $3 OR substr(c.commit_id, 1, length($3)) = $3
                     OR substr(c.digest, 1, length($3)) = $3)
                AND ($4 IS NULL OR h.id < $4)
            ORDER BY h.id DESC LIMIT $5"
        )
    };
}
const LIST_KEY: &str = list!("h.key = $1");
const LIST_DOMAIN: &str = list!("h.domain = $2");
const LIST_REVISION: &str = list!(
    "h.cause IN (SELECT id FROM history_cause WHERE revision = $3 OR substr(commit_id, 1, length($3)) = $3
        OR substr(digest, 1, length($3)) = $3)"
);
const LIST_ALL: &str = list!("h.id > 0");

/// Why something is done: what all changes of a batch have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// What acts: `up`, `apply`, `operator`, `passwd`, `purge`, `approve`.
    pub actor: String,
    /// The source of the batch.
    pub source: String,
    /// What was read of it.
    pub revision: String,
    /// The commit.
    pub commit: Option<String>,
    /// Its author.
    pub author: Option<String>,
    /// Who signed it.
    pub signer: Option<String>,
    /// When it was committed.
    pub committed_at: Option<UnixTime>,
    /// The digest of the plan.
    pub digest: String,
    /// Who approved the plan, and how.
    pub approved: Option<String>,
}

/// What is noted of one change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Note {
    /// What was done: `create`, `update`, …
    pub action: String,
    /// What could be lost.
    pub risk: String,
    /// The kind of the row.
    pub kind: String,
    /// The key of the row: address, domain, server.
    pub key: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// File that the object stands or stood in.
    pub file: String,
    /// Its line.
    pub line: u32,
    /// The fields that changed, redacted.
    pub changes: Value,
}

/// A row before its change, without its password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Before {
    /// A server's settings.
    Server {
        /// The row.
        row: ServerRow,
    },
    /// A domain.
    Domain {
        /// The row.
        row: DomainRow,
        /// Out of service since.
        disabled_at: Option<UnixTime>,
    },
    /// A mailbox.
    Mailbox {
        /// The row.
        row: MailboxRow,
        /// Out of service since.
        disabled_at: Option<UnixTime>,
    },
    /// An alias.
    Alias {
        /// The row.
        row: AliasRow,
    },
}

/// One row of the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Grows with time.
    pub id: i64,
    /// When it was done.
    pub at: UnixTime,
    /// Why.
    pub cause: Cause,
    /// What.
    pub note: Note,
    /// The row before; None for what was new, and for acts without a row.
    pub before: Option<Before>,
}

/// Which rows; every field that is set narrows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Of this address, domain or server.
    pub key: Option<String>,
    /// Of this domain and every address in it.
    pub domain: Option<String>,
    /// Of this revision, or of commits or digests that begin like this.
    pub revision: Option<String>,
    /// Older than the row of this id: the next page.
    pub below: Option<i64>,
    /// At most so many; 0 and what is above [`MAX_PAGE`] is that.
    pub limit: u32,
}

/// The history.
#[derive(Clone, Copy)]
pub struct HistoryStore<'a> {
    pub(crate) store: &'a Store,
}

impl HistoryStore<'_> {
    /// Rows, the newest first.
    pub async fn list(&self, filter: &HistoryFilter) -> Result<Vec<Entry>> {
        let limit = match filter.limit {
            0 => MAX_PAGE,
            limit => limit.min(MAX_PAGE),
        };
        let list = match filter {
            HistoryFilter { key: Some(_), .. } => LIST_KEY,
            HistoryFilter { domain: Some(_), .. } => LIST_DOMAIN,
            HistoryFilter { revision: Some(_), .. } => LIST_REVISION,
            _ => LIST_ALL,
        };
        let query = sqlx::query(list)
            .bind(filter.key.clone())
            .bind(filter.domain.clone())
            .bind(filter.revision.clone())
            .bind(filter.below)
            .bind(limit);
        query.fetch_all(&self.store.readers).await?.iter().map(read).collect()
    }

    /// Notes an act that changes no row: an approval, a database that was accepted. The same act twice is one row.
    pub async fn note(&self, cause: Cause, note: Note) -> Result<()> {
        self.store.write(Act { cause, note }).await
    }
}

struct Act {
    cause: Cause,
    note: Note,
}

impl Verb for Act {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let mut book = Book::new(self.cause.clone());
        book.act(tx, &self.note).await
    }
}

/// Writes the notes of one batch. The cause is written with the first of them, so that a batch without a change leaves nothing.
pub(crate) struct Book {
    cause: Cause,
    id: Option<i64>,
}

impl Book {
    pub(crate) fn new(cause: Cause) -> Self {
        Self { cause, id: None }
    }

    /// What to give to [`Book::back_to`] when the savepoint that follows is rolled back.
    pub(crate) fn mark(&self) -> Option<i64> {
        self.id
    }

    pub(crate) fn back_to(&mut self, mark: Option<i64>) {
        self.id = mark;
    }

    /// Notes a change that was made.
    pub(crate) async fn write(&mut self, tx: &mut Tx, note: &Note, before: Option<&Before>) -> Result<()> {
        self.add(ADD, tx, note, before).await
    }

    /// The same, and what follows is a savepoint of its own.
    pub(crate) async fn write_and_go_on(
        &mut self,
        tx: &mut Tx,
        note: &Note,
        before: Option<&Before>,
    ) -> Result<()> {
        self.add(ADD_AND_GO_ON, tx, note, before).await
    }

    async fn add(
        &mut self,
        sql: &'static str,
        tx: &mut Tx,
        note: &Note,
        before: Option<&Before>,
    ) -> Result<()> {
        let cause = self.cause(tx).await?;
        let before = before.map(serde_json::to_string).transpose();
        let before = before.map_err(|error| Error::Damaged(format!("a row is no JSON: {error}")))?;
        let query = bind(sqlx::query(sql).bind(tx.now()).bind(cause), note).bind(before);
        tx.run(query).await.map(drop)
    }

    /// Notes [`MANY`] rows that were not there before.
    pub(crate) async fn write_many(&mut self, tx: &mut Tx, notes: &[Note]) -> Result<()> {
        let cause = self.cause(tx).await?;
        let query = notes.iter().fold(sqlx::query(ADD_MANY.as_str()), bind).bind(tx.now()).bind(cause);
        tx.run(query).await.map(drop)
    }

    /// Notes what changes no row, once.
    pub(crate) async fn act(&mut self, tx: &mut Tx, note: &Note) -> Result<()> {
        let query = sqlx::query(IS_NOTED)
            .bind(note.action.clone())
            .bind(note.key.clone())
            .bind(self.cause.approved.clone());
        if tx.row(query).await?.is_none() {
            self.write(tx, note, None).await?;
        }
        Ok(())
    }

    /// Makes room, when something was written: the oldest go first, a slice at a time.
    pub(crate) async fn prune(&self, tx: &mut Tx) -> Result<()> {
        if self.id.is_none() {
            return Ok(());
        }
        let since = tx.now().saturating_sub(KEEP_DAYS * 86400);
        tx.run(sqlx::query(PRUNE).bind(since).bind(KEEP_ROWS).bind(PRUNE_SLICE)).await.map(drop)
    }

    async fn cause(&mut self, tx: &mut Tx) -> Result<i64> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        let cause = self.cause.clone();
        let query = sqlx::query(ADD_CAUSE)
            .bind(cause.actor)
            .bind(cause.source)
            .bind(cause.revision)
            .bind(cause.commit)
            .bind(cause.author)
            .bind(cause.signer)
            .bind(cause.committed_at)
            .bind(cause.digest)
            .bind(cause.approved);
        let row = tx.row(query).await?;
        let row = row.ok_or_else(|| Error::Damaged("a new row is not there".into()))?;
        let id = row.try_get(0)?;
        self.id = Some(id);
        Ok(id)
    }
}

/// Binds what is noted.
fn bind(query: Query, note: &Note) -> Query {
    query
        .bind(note.action.clone())
        .bind(note.risk.clone())
        .bind(note.kind.clone())
        .bind(note.key.clone())
        .bind(domain_of(note))
        .bind(note.namespace.clone())
        .bind(note.name.clone())
        .bind(note.file.clone())
        .bind(note.line)
        .bind(note.changes.to_string())
}

/// The domain of an address, or the domain itself; a server and a plan are in none.
fn domain_of(note: &Note) -> String {
    match note.key.rsplit_once('@') {
        Some((_, domain)) => domain.to_owned(),
        None if note.kind == "MailDomain" => note.key.clone(),
        None => String::new(),
    }
}

fn read(row: &SqliteRow) -> Result<Entry> {
    let before: Option<&str> = row.try_get(11)?;
    let damaged = |error| Error::Damaged(format!("the history is not JSON: {error}"));
    Ok(Entry {
        id: row.try_get(0)?,
        at: row.try_get(1)?,
        note: Note {
            action: row.try_get(2)?,
            risk: row.try_get(3)?,
            kind: row.try_get(4)?,
            key: row.try_get(5)?,
            namespace: row.try_get(6)?,
            name: row.try_get(7)?,
            file: row.try_get(8)?,
            line: row.try_get(9)?,
            changes: serde_json::from_str(row.try_get(10)?).map_err(damaged)?,
        },
        // What a later release wrote of a row is not ours to understand.
        before: before.and_then(|text| serde_json::from_str(text).ok()),
        cause: Cause {
            actor: row.try_get(12)?,
            source: row.try_get(13)?,
            revision: row.try_get(14)?,
            commit: row.try_get(15)?,
            author: row.try_get(16)?,
            signer: row.try_get(17)?,
            committed_at: row.try_get(18)?,
            digest: row.try_get(19)?,
            approved: row.try_get(20)?,
        },
    })
}
