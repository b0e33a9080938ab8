//! Status records of declared resources: what `mailwright get` shows when there is no API server to keep them.

use serde_json::Value;

use crate::error::Result;
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
    /// The declaration.
    pub spec: Value,
    /// None until one is written.
    pub status: Option<Value>,
}

/// Status records.
#[derive(Clone, Copy)]
pub struct ResourceStore<'a> {
    pub(crate) store: &'a Store,
}

impl ResourceStore<'_> {
    /// Notes declarations and answers each one's generation; an equal spec writes nothing.
    pub async fn declare(&self, specs: Vec<(ResourceKey, Value)>) -> Result<Vec<i64>> {
        let _ = specs;
        todo!()
    }

    /// Writes statuses; an equal status writes nothing, one of an unknown resource is dropped. Answers how many were written.
    pub async fn set_status(&self, statuses: Vec<(ResourceKey, Value)>) -> Result<u64> {
        let _ = statuses;
        todo!()
    }

    /// One record.
    pub async fn get(&self, key: &ResourceKey) -> Result<Option<Record>> {
        let _ = key;
        todo!()
    }

    /// All records, or those of one kind, ordered by key.
    pub async fn list(&self, kind: Option<&str>) -> Result<Vec<Record>> {
        let _ = kind;
        todo!()
    }

    /// Forgets records. Answers how many there were.
    pub async fn forget(&self, keys: Vec<ResourceKey>) -> Result<u64> {
        let _ = keys;
        todo!()
    }
}
