//! The declared resources with their statuses, kept for `mailwright get`.

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

    /// Which resources are kept, ordered.
    pub async fn resource_keys(&self) -> Result<Vec<ObjectRef>, ManagementError> {
        Ok(self.store.resources().keys().await?.into_iter().filter_map(object).collect())
    }

    /// Those of these resources that are kept.
    pub async fn resources_of(&self, objects: &[ObjectRef]) -> Result<Vec<ResourceRecord>, ManagementError> {
        let keys: Vec<ResourceKey> = objects.iter().map(key).collect();
        Ok(self.store.resources().some(&keys).await?.into_iter().filter_map(from_record).collect())
    }

    /// Moves by one with each call that writes or forgets, whoever makes it.
    pub fn resources_version(&self) -> u64 {
        self.store.resources().version()
    }

    /// Keeps these resources; those equal to what is kept are not written. Generation and creation are the
    /// store's own: changes of a spec counted from 1, the time of the first; those given are not looked at. Answers how many were written.
    pub async fn put_resources(&self, records: Vec<ResourceRecord>) -> Result<usize, ManagementError> {
        let records = records.into_iter().map(|it| (key(&it.object), it.spec, it.status)).collect();
        let written = self.store.resources().put(records).await?;
        Ok(usize::try_from(written).unwrap_or(usize::MAX))
    }

    /// Forgets these resources. Answers how many there were.
    pub async fn delete_resources(&self, objects: Vec<ObjectRef>) -> Result<usize, ManagementError> {
        let keys = objects.iter().map(key).collect();
        let forgotten = self.store.resources().forget(keys).await?;
        Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
    }
}

fn key(object: &ObjectRef) -> ResourceKey {
    ResourceKey {
        kind: object.kind.as_str().to_owned(),
        namespace: object.namespace.to_string(),
        name: object.name.to_string(),
    }
}

/// A kind that this version does not know is a later one's: left alone and not shown.
fn object(key: ResourceKey) -> Option<ObjectRef> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == key.kind)?;
    Some(ObjectRef { kind, namespace: key.namespace.into(), name: key.name.into() })
}

fn from_record(record: Record) -> Option<ResourceRecord> {
    Some(ResourceRecord {
        object: object(record.key)?,
        generation: record.generation,
        created: DateTime::from_timestamp(record.created_at, 0).unwrap_or_default(),
        spec: record.spec,
        status: record.status.unwrap_or(Value::Null),
    })
}
