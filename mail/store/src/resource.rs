//! Status records of declared resources: what `mailwright get` shows when there is no API server to keep them.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::commit::{Query, Tx, Verb};
use crate::error::{Error, Result};
use crate::many::{MANY, parameters, tuples};
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
const KEYS: &str = "SELECT kind, namespace, name FROM resource ORDER BY kind, namespace, name";
const COLUMNS_OF_ONE: &str = "
    SELECT kind, namespace, name, generation, created_at, spec, status FROM resource
    WHERE kind = $1 AND namespace = $2 AND name = $3";
/// Those of a JSON array of `[kind, namespace, name]` that are there: one statement for a page of them.
const COLUMNS_OF_SOME: &str = "
    SELECT r.kind, r.namespace, r.name, r.generation, r.created_at, r.spec, r.status
    FROM json_each($1) j CROSS JOIN resource r
    ON r.kind = j.value ->> 0 AND r.namespace = j.value ->> 1 AND r.name = j.value ->> 2";
/// One record, and [`MANY`]: of each its key, its spec and its status, and when. A changed spec is a new generation; what is equal
/// is not written.
static PUT: LazyLock<String> = LazyLock::new(|| put(1));
static PUT_MANY: LazyLock<String> = LazyLock::new(|| put(MANY));
const FORGET: &str = "DELETE FROM resource WHERE kind = $1 AND namespace = $2 AND name = $3";

/// Status records.
#[derive(Clone, Copy)]
pub struct ResourceStore<'a> {
    pub(crate) store: &'a Store,
}

impl ResourceStore<'_> {
    /// Moves by one with each call that puts or forgets.
    pub fn version(&self) -> u64 {
        self.store.resources.load(Ordering::SeqCst)
    }

    /// Keeps specs with their statuses; equal ones write nothing. Answers how many were written.
    pub async fn put(&self, records: Vec<(ResourceKey, Value, Value)>) -> Result<u64> {
        if records.is_empty() {
            return Ok(0);
        }
        self.moved();
        let text =
            |(key, spec, status): (ResourceKey, Value, Value)| (key, spec.to_string(), status.to_string());
        self.store.write(Put(records.into_iter().map(text).collect())).await
    }

    /// One record.
    pub async fn get(&self, key: &ResourceKey) -> Result<Option<Record>> {
        let query = bind(COLUMNS_OF_ONE, key);
        query.fetch_optional(&self.store.readers).await?.as_ref().map(read).transpose()
    }

    /// Those of some that are there.
    pub async fn some(&self, keys: &[ResourceKey]) -> Result<Vec<Record>> {
        let wanted: Vec<[&str; 3]> = keys.iter().map(parts).collect();
        let query = sqlx::query(COLUMNS_OF_SOME).bind(json!(wanted).to_string());
        query.fetch_all(&self.store.readers).await?.iter().map(read).collect()
    }

    /// Which there are, ordered.
    pub async fn keys(&self) -> Result<Vec<ResourceKey>> {
        let rows = sqlx::query(KEYS).fetch_all(&self.store.readers).await?;
        let key = |row: &SqliteRow| {
            Ok(ResourceKey { kind: row.try_get(0)?, namespace: row.try_get(1)?, name: row.try_get(2)? })
        };
        rows.iter().map(key).collect()
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
        self.moved();
        self.store.write(Forget(keys)).await
    }

    /// Before anything is written: whoever reads the version after the write knows of it.
    fn moved(&self) {
        self.store.resources.fetch_add(1, Ordering::SeqCst);
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

fn parts(key: &ResourceKey) -> [&str; 3] {
    [&key.kind, &key.namespace, &key.name]
}

/// The key, the spec and the status.
const OF_RECORD: usize = 5;

fn put(records: usize) -> String {
    let now = records * OF_RECORD + 1;
    format!(
        "INSERT INTO resource (kind, namespace, name, spec, status, generation, created_at) VALUES {}
            ON CONFLICT (kind, namespace, name) DO UPDATE SET generation = generation + (spec <> excluded.spec),
                spec = excluded.spec, status = excluded.status
                WHERE spec <> excluded.spec OR status IS NOT excluded.status",
        tuples(records, |_| format!("{}, 1, ${now}", parameters(OF_RECORD)))
    )
}

fn bind(sql: &'static str, key: &ResourceKey) -> Query {
    sqlx::query(sql).bind(key.kind.clone()).bind(key.namespace.clone()).bind(key.name.clone())
}

struct Put(Vec<(ResourceKey, String, String)>);

impl Verb for Put {
    type Output = u64;

    async fn run(&self, tx: &mut Tx) -> Result<u64> {
        let (many, one) = self.0.as_chunks::<MANY>();
        let many = many.iter().map(|records| (PUT_MANY.as_str(), &records[..]));
        let pages = many.chain(one.iter().map(|record| (PUT.as_str(), std::slice::from_ref(record))));
        let mut written = 0;
        for (sql, records) in pages {
            let query = records.iter().fold(sqlx::query(sql), |query, (key, spec, status)| {
                let query = parts(key).map(str::to_owned).into_iter().fold(query, Query::bind);
                query.bind(spec.clone()).bind(status.clone())
            });
            written += tx.run(query.bind(tx.now())).await?;
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
