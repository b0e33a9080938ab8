//! The account database as the reconcilers see it: observe, apply a batch, keep resources with their statuses. In one
//! process it is the server's management API called directly, between processes the same API over its socket; both are
//! given from outside.

use std::future::Future;

use chrono::{DateTime, Utc};
use mailwright_plan::{Batch, BatchReply, ObjectRef, Observed};
use serde_json::Value;

/// A declared resource with its status, as kept for `mailwright get`.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Which resource.
    pub object: ObjectRef,
    /// Counts changes of the spec, from 1.
    pub generation: i64,
    /// When it was first declared.
    pub created: DateTime<Utc>,
    /// The spec as last declared, defaults filled in; secrets are references.
    pub spec: Value,
    /// Its status.
    pub status: Value,
}

/// Why the account database gave no answer; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AccountsError(pub String);

/// The account database.
pub trait Accounts: Send + Sync {
    /// Every row, in one read snapshot.
    fn observe(&self) -> impl Future<Output = Result<Observed, AccountsError>> + Send;
    /// Applies the operations of a plan in one transaction, each in a savepoint of its own.
    fn apply(&self, batch: Batch) -> impl Future<Output = Result<BatchReply, AccountsError>> + Send;
    /// Every declared resource with its status.
    fn records(&self) -> impl Future<Output = Result<Vec<Record>, AccountsError>> + Send;
    /// Keeps resources; equal ones write nothing. Answers how many were written.
    fn put_records(&self, records: Vec<Record>) -> impl Future<Output = Result<usize, AccountsError>> + Send;
    /// Forgets resources that are declared no more.
    fn forget(&self, objects: Vec<ObjectRef>) -> impl Future<Output = Result<(), AccountsError>> + Send;
}
