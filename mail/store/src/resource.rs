//! Status records of declared resources: what `mailwright get` shows when there is no API server to keep them.

use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::options::UnixTime;
use crate::store::Store;

/// Names one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// `Mailbox`, `MailDomain`, …
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// A resource as last declared, and its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Which.
    pub key: ResourceKey,
    /// Counts changes of the spec, from 1.
    pub generation: i64,
    /// When it was first declared.
    pub created_at: UnixTime,
    /// The declaration.
    pub spec: Value,
    /// None until one is written.
    pub status: Option<Value>,
}

const COLUMNS_OF_ALL: &str = "
    SELECT kind, namespace, name, generation, created_at, spec, status FROM resource ORDER BY kind, namespace, name";
const COLUMNS_OF_KIND: &str = "
    SELECT kind, namespace, name, generation, created_at, spec, status FROM resource
    WHERE kind = $1 ORDER BY namespace, name";
const COLUMNS_OF_ONE: &str = "
    SELECT kind, namespace, name, generation, created_at, spec, status FROM resource
    WHERE kind = $1 AND namespace = $2 AND name = $3";
/// A changed spec is a new generation.
const DECLARE: &str = "
    INSERT INTO resource (kind, namespace, name, generation, spec, created_at) VALUES ($1, $2, $3, 1, $4, $5)
        ON CONFLICT (kind, namespace, name) DO UPDATE SET spec = $4, generation = generation + 1 WHERE spec <> $4;
    SELECT generation FROM resource WHERE kind = $1 AND namespace = $2 AND name = $3";
const SET_STATUS: &str = "UPDATE resource SET status = $4
    WHERE kind = $1 AND namespace = $2 AND name = $3 AND status IS NOT $4";
const FORGET: &str = "DELETE FROM resource WHERE kind = $1 AND namespace = $2 AND name = $3";

/// Status records.
#[derive(Clone, Copy)]
pub struct ResourceStore<'a> {
    pub(crate) store: &'a Store,
}

impl ResourceStore<'_> {
    /// Notes declarations and answers each one's generation; an equal spec writes nothing.
    pub async fn declare(&self, specs: Vec<(ResourceKey, Value)>) -> Result<Vec<i64>> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        self.store.write(Declare(specs)).await
    }

    /// Writes statuses; an equal status writes nothing, one of an unknown resource is dropped. Answers how many were written.
    pub async fn set_status(&self, statuses: Vec<(ResourceKey, Value)>) -> Result<u64> {
        if statuses.is_empty() {
            return Ok(0);
        }
        self.store.write(SetStatus(statuses)).await
    }

    /// One record.
    pub async fn get(&self, key: &ResourceKey) -> Result<Option<Record>> {
        let query = bind(COLUMNS_OF_ONE, key);
        query.fetch_optional(&self.store.readers).await?.as_ref().map(read).transpose()
    }

    /// All records, or those of one kind, ordered by key.
    pub async fn list(&self, kind: Option<&str>) -> Result<Vec<Record>> {
        let query = match kind {
            Some(kind) => sqlx::query(COLUMNS_OF_KIND).bind(kind.to_owned()),
            None => sqlx::query(COLUMNS_OF_ALL),
        };
        query.fetch_all(&self.store.readers).await?.iter().map(read).collect()
    }

    /// Forgets records. Answers how many there were.
    pub async fn forget(&self, keys: Vec<ResourceKey>) -> Result<u64> {
        if keys.is_empty() {
            return Ok(0);
        }
        self.store.write(Forget(keys)).await
    }
}

fn read(row: &SqliteRow) -> Result<Record> {
    let json = |text: String| {
        serde_json::from_str(&text)
            .map_err(|error| Error::Damaged(format!("a resource is not JSON: {error}")))
    };
    Ok(Record {
        key: ResourceKey { kind: row.try_get(0)?, namespace: row.try_get(1)?, name: row.try_get(2)? },
        generation: row.try_get(3)?,
        created_at: row.try_get(4)?,
        spec: json(row.try_get(5)?)?,
        status: row.try_get::<Option<String>, _>(6)?.map(json).transpose()?,
    })
}

fn bind(sql: &'static str, key: &ResourceKey) -> crate::commit::Query {
    sqlx::query(sql).bind(key.kind.clone()).bind(key.namespace.clone()).bind(key.name.clone())
}

struct Declare(Vec<(ResourceKey, Value)>);

impl Verb for Declare {
    type Output = Vec<i64>;

    async fn run(&self, tx: &mut Tx) -> Result<Vec<i64>> {
        let now = tx.now();
        let mut generations = Vec::with_capacity(self.0.len());
        for (key, spec) in &self.0 {
            let row = tx.row(bind(DECLARE, key).bind(spec.to_string()).bind(now)).await?;
            generations.push(row.map_or(Ok(0), |row| row.try_get(0))?);
        }
        Ok(generations)
    }
}

struct SetStatus(Vec<(ResourceKey, Value)>);

impl Verb for SetStatus {
    type Output = u64;

    async fn run(&self, tx: &mut Tx) -> Result<u64> {
        let mut written = 0;
        for (key, status) in &self.0 {
            written += tx.run(bind(SET_STATUS, key).bind(status.to_string())).await?;
        }
        Ok(written)
    }
}

struct Forget(Vec<ResourceKey>);

impl Verb for Forget {
    type Output = u64;

    async fn run(&self, tx: &mut Tx) -> Result<u64> {
        let mut forgotten = 0;
        for key in &self.0 {
            forgotten += tx.run(bind(FORGET, key)).await?;
        }
        Ok(forgotten)
    }
}
