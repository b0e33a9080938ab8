//! The account database as the reconcilers see it: observe, apply a batch, keep resources with their statuses. In one
//! process it is the server's management API called directly, between processes the same API over its socket or over
//! mTLS to a pod; all are given from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mailwright_crds::mail_server::Endpoint;
use mailwright_plan::{Batch, BatchReply, Fence, ObjectRef, Observed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::relay::RelayLogin;

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

/// What the account database's silence or refusal means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountsErrorKind {
    /// Nobody answered, or not in time: ask again later. What was asked may have happened.
    Unreachable,
    /// A newer leader has written: stop.
    Fenced,
    /// It is another database than the one that is bound: touch nothing until somebody accepts it.
    WrongDatabase,
    /// There is no space left for writing.
    StorageFull,
    /// Anything else; the message says what.
    Refused,
}

/// Why the account database gave no answer; nothing was changed, unless nobody answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AccountsError {
    /// What it means.
    pub kind: AccountsErrorKind,
    /// What happened and what to do, without secrets.
    pub message: String,
}

impl AccountsError {
    /// An error of a kind.
    pub fn new(kind: AccountsErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A refusal for a reason of its own.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(AccountsErrorKind::Refused, message)
    }

    /// Nobody answered.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(AccountsErrorKind::Unreachable, message)
    }
}

/// The account database.
pub trait Accounts: Send + Sync {
    /// Every row, in one read snapshot.
    fn observe(&self) -> impl Future<Output = Result<Observed, AccountsError>> + Send;
    /// The same, or `None` when the change counter is still this one.
    fn observe_since(
        &self,
        change_counter: Option<u64>,
    ) -> impl Future<Output = Result<Option<Observed>, AccountsError>> + Send {
        async move {
            let observed = self.observe().await?;
            Ok((Some(observed.change_counter) != change_counter).then_some(observed))
        }
    }
    /// The mailboxes and aliases of these addresses alone, in one read snapshot; `None` where that is no less work than reading
    /// every row.
    fn observe_addresses(
        &self,
        addresses: &BTreeSet<String>,
    ) -> impl Future<Output = Result<Option<Observed>, AccountsError>> + Send {
        let _ = addresses;
        async { Ok(None) }
    }
    /// Applies the operations of a plan in one transaction, each in a savepoint of its own.
    fn apply(&self, batch: Batch) -> impl Future<Output = Result<BatchReply, AccountsError>> + Send;
    /// Which resources are kept.
    fn record_keys(&self) -> impl Future<Output = Result<Vec<ObjectRef>, AccountsError>> + Send;
    /// Those of these resources that are kept, with their statuses.
    fn records(
        &self,
        objects: Vec<ObjectRef>,
    ) -> impl Future<Output = Result<Vec<Record>, AccountsError>> + Send;
    /// A number that moves by one with each call that writes or forgets a kept resource, by whomever; `None` where nobody can tell.
    fn records_version(&self) -> impl Future<Output = Result<Option<u64>, AccountsError>> + Send;
    /// Keeps resources; equal ones write nothing. Answers how many were written.
    fn put_records(&self, records: Vec<Record>) -> impl Future<Output = Result<usize, AccountsError>> + Send;
    /// Forgets resources that are declared no more.
    fn forget(&self, objects: Vec<ObjectRef>) -> impl Future<Output = Result<(), AccountsError>> + Send;
}

/// A database that there is no way to yet does not answer.
impl<A: Accounts> Accounts for Option<A> {
    async fn observe(&self) -> Result<Observed, AccountsError> {
        there(self)?.observe().await
    }

    async fn observe_since(&self, change_counter: Option<u64>) -> Result<Option<Observed>, AccountsError> {
        there(self)?.observe_since(change_counter).await
    }

    async fn observe_addresses(
        &self,
        addresses: &BTreeSet<String>,
    ) -> Result<Option<Observed>, AccountsError> {
        there(self)?.observe_addresses(addresses).await
    }

    async fn apply(&self, batch: Batch) -> Result<BatchReply, AccountsError> {
        there(self)?.apply(batch).await
    }

    async fn record_keys(&self) -> Result<Vec<ObjectRef>, AccountsError> {
        there(self)?.record_keys().await
    }

    async fn records(&self, objects: Vec<ObjectRef>) -> Result<Vec<Record>, AccountsError> {
        there(self)?.records(objects).await
    }

    async fn records_version(&self) -> Result<Option<u64>, AccountsError> {
        there(self)?.records_version().await
    }

    async fn put_records(&self, records: Vec<Record>) -> Result<usize, AccountsError> {
        there(self)?.put_records(records).await
    }

    async fn forget(&self, objects: Vec<ObjectRef>) -> Result<(), AccountsError> {
        there(self)?.forget(objects).await
    }
}

fn there<A>(accounts: &Option<A>) -> Result<&A, AccountsError> {
    accounts.as_ref().ok_or_else(|| AccountsError::unreachable("there is no connection yet"))
}

/// The account database of an installation in another process, with what only that process knows and needs to be told.
pub trait Remote: Accounts + Clone + 'static {
    /// Which database and which program answer.
    fn identity(&self) -> impl Future<Output = Result<Identity, AccountsError>> + Send;
    /// Puts keys, policies and the smarthost's login in force. Equal ones write nothing.
    fn serve(&self, pushed: &Pushed) -> impl Future<Output = Result<(), AccountsError>> + Send;
    /// What the running server is up to.
    fn health(&self) -> impl Future<Output = Result<Health, AccountsError>> + Send;
}

/// Makes the way to an installation. Making it asks nobody: the first question does.
pub trait Connector: Clone + Send + Sync + 'static {
    /// The way.
    type Remote: Remote;
    /// A way to this target, with these certificates, under this fence.
    fn connect(&self, target: Target) -> Self::Remote;
}

/// Who answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The database: a UUID made when it was first opened, never changed since.
    pub database: String,
    /// The program's version.
    pub version: String,
    /// The number of the newest migration.
    pub schema: i64,
}

/// Where an installation answers, and who asks.
#[derive(Debug, Clone)]
pub struct Target {
    /// The MailServer, as `namespace/name`.
    pub server: String,
    /// `host:port`.
    pub address: String,
    /// The name that the server's certificate must be for.
    pub name: String,
    /// Who asks.
    pub identity: Arc<ClientIdentity>,
    /// What every write carries.
    pub fence: Fence,
}

/// The certificates of one side of a management connection.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The authority of both sides, PEM; several while one replaces another.
    pub ca_pem: String,
    /// The certificate of the one who asks, PEM.
    pub certificate_pem: String,
    /// Its key, PEM.
    pub key_pem: String,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").finish_non_exhaustive()
    }
}

/// What a server needs beside its configuration file and its certificate: secrets and what is published over HTTP.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pushed {
    /// What the push carries, as every write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<Fence>,
    /// The keys that sign a domain's mail, by domain and alias domain.
    pub dkim: BTreeMap<String, Vec<PushedKey>>,
    /// The MTA-STS policies by domain (RFC 8461 §3.2).
    pub mta_sts: BTreeMap<String, String>,
    /// The login at the smarthost.
    pub relay_login: Option<RelayLogin>,
}

impl fmt::Debug for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pushed")
            .field("dkim", &self.dkim.keys().collect::<Vec<_>>())
            .field("mta_sts", &self.mta_sts.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// One DKIM key on its way to the server that signs with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushedKey {
    /// The selector.
    pub selector: String,
    /// The algorithm.
    pub algorithm: mailwright_crds::mail_domain::DkimAlgorithm,
    /// PKCS #8 in PEM.
    pub private_pem: String,
}

impl fmt::Debug for PushedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushedKey").field("selector", &self.selector).finish_non_exhaustive()
    }
}

/// What a running server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    /// The listeners that are open.
    pub endpoints: Vec<Endpoint>,
    /// Why one could not be opened, or why the last configuration is not in force.
    pub listener_error: Option<String>,
    /// The certificate that is presented.
    pub certificate: Option<Presented>,
    /// Messages in the queue.
    pub queued: u64,
    /// When the oldest of them came in.
    pub oldest_queued: Option<DateTime<Utc>>,
    /// The digest of the configuration file that is in force.
    pub config_digest: Option<String>,
    /// The digest of what was pushed last; `None` when nothing ever was.
    pub pushed_digest: Option<String>,
    /// The account database's change counter.
    pub change_counter: Option<u64>,
    /// New mail and changes are refused for lack of space on the data volume.
    pub storage_full: bool,
}

/// A certificate as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presented {
    /// SHA-256 of the certificate, as in `status.certificate`.
    pub fingerprint: String,
    /// When it ends.
    pub not_after: DateTime<Utc>,
}
