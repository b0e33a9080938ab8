//! The declared resources with their statuses, kept for `mailwright get`.

use std::collections::HashMap;

use chrono::DateTime;
use mailwright_plan::{Kind, ObjectRef};
use mailwright_store::{Record, ResourceKey};
use serde_json::Value;

use super::wire::ResourceRecord;
use super::{Management, ManagementError};

impl Management {
    /// Every kept resource with its status.
    pub async fn resources(&self) -> Result<Vec<ResourceRecord>, ManagementError> {
        let records = self.store.resources().list(None).await?;
        Ok(records.into_iter().filter_map(from_record).collect())
    }

    /// Keeps these resources; those equal to what is kept are not written. Generation and creation are the
    /// store's own: changes of a spec counted from 1, the time of the first; those given are not looked at. Answers how many were written.
    pub async fn put_resources(&self, records: Vec<ResourceRecord>) -> Result<usize, ManagementError> {
        let kept = self.store.resources().list(None).await?;
        let kept: HashMap<ResourceKey, Record> =
            kept.into_iter().map(|record| (record.key.clone(), record)).collect();
        let changed: Vec<(ResourceKey, ResourceRecord)> = records
            .into_iter()
            .map(|record| (key(&record.object), record))
            .filter(|(key, record)| kept.get(key).is_none_or(|kept| !is_same(kept, record)))
            .collect();
        if changed.is_empty() {
            return Ok(0);
        }
        let specs = changed.iter().map(|(key, record)| (key.clone(), record.spec.clone())).collect();
        self.store.resources().declare(specs).await?;
        let written = changed.len();
        let statuses = changed.into_iter().map(|(key, record)| (key, record.status)).collect();
        self.store.resources().set_status(statuses).await?;
        Ok(written)
    }

    /// Forgets these resources. Answers how many there were.
    pub async fn delete_resources(&self, objects: Vec<ObjectRef>) -> Result<usize, ManagementError> {
        let keys = objects.iter().map(key).collect();
        let forgotten = self.store.resources().forget(keys).await?;
        Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
    }
}

fn is_same(kept: &Record, record: &ResourceRecord) -> bool {
    kept.spec == record.spec && kept.status.as_ref().unwrap_or(&Value::Null) == &record.status
}

fn key(object: &ObjectRef) -> ResourceKey {
    ResourceKey {
        kind: object.kind.as_str().to_owned(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    }
}

/// A kind that this version does not know is a later one's: left alone and not shown.
fn from_record(record: Record) -> Option<ResourceRecord> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == record.key.kind)?;
    Some(ResourceRecord {
        object: ObjectRef { kind, namespace: record.key.namespace, name: record.key.name },
        generation: record.generation,
        created: DateTime::from_timestamp(record.created_at, 0).unwrap_or_default(),
        spec: record.spec,
        status: record.status.unwrap_or(Value::Null),
    })
}
