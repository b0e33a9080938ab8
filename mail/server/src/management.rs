//! The management interface: what the operator and the CLI may ask of a running (or merely opened) installation.
//! [`Management`] answers in process; [`routes`] offers the same over the Unix socket of the data directory and
//! [`client::ManagementClient`] asks there. The bodies are plan's serde types and those of [`wire`].
//!
//! Whoever can open the socket (mode 0600, the server's own user) may do everything; passwords go in and never come out.

pub mod client;
pub mod wire;

pub use client::ManagementClient;
pub use wire::{ErrorBody, ErrorCode, Purged, ResourceRecord, SessionInfo, Stats, Status};

use std::sync::Arc;

use chrono::{DateTime, Utc};
use mailwright_plan::{Batch, BatchReply, ObjectRef, Observed};
use mailwright_store::Store;

/// Name of the management socket in the data directory.
pub const SOCKET: &str = "mailwright.sock";

/// The management interface on an opened store. Constructible without a server: then there are no sessions, and
/// reconciling on request is refused.
pub struct Management {
    store: Arc<Store>,
}

/// Why the management interface refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ManagementError {
    /// What kind of failure, for programs.
    pub code: ErrorCode,
    /// What is wrong and what to do, for people; without secrets.
    pub message: String,
}

impl Management {
    /// On an opened store alone.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Management {
        Management { store }
    }

    /// Every row of the account database in one snapshot.
    pub async fn observe(&self) -> Result<Observed, ManagementError> {
        let _ = &self.store;
        todo!()
    }

    /// Applies operations of one plan: one transaction, a savepoint per operation. Plain passwords are hashed here.
    pub async fn apply(&self, batch: Batch) -> Result<BatchReply, ManagementError> {
        let _ = batch;
        todo!()
    }

    /// Every kept resource with its status.
    pub async fn resources(&self) -> Result<Vec<ResourceRecord>, ManagementError> {
        todo!()
    }

    /// Keeps these resources; those equal to what is kept are not written. Answers how many were written.
    pub async fn put_resources(&self, records: Vec<ResourceRecord>) -> Result<usize, ManagementError> {
        let _ = records;
        todo!()
    }

    /// Forgets these resources. Answers how many there were.
    pub async fn delete_resources(&self, objects: Vec<ObjectRef>) -> Result<usize, ManagementError> {
        let _ = objects;
        todo!()
    }

    /// Sets a password as its owner: no `management: Initial` manifest overwrites it afterwards.
    pub async fn set_password(&self, address: &str, password: &str) -> Result<(), ManagementError> {
        let _ = (address, password);
        todo!()
    }

    /// Deletes a removed mailbox with its mail; refused before `retainFor` has passed unless forced, and always for a
    /// mailbox in service.
    pub async fn purge(
        &self,
        address: &str,
        force: bool,
        now: DateTime<Utc>,
    ) -> Result<Purged, ManagementError> {
        let _ = (address, force, now);
        todo!()
    }

    /// Counts for people and dashboards.
    pub async fn stats(&self) -> Result<Stats, ManagementError> {
        todo!()
    }

    /// What runs here; `None` without a server.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        todo!()
    }

    /// The open SMTP and IMAP sessions.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        todo!()
    }

    /// Ends a session. False when there is none of that number.
    #[must_use]
    pub fn kick(&self, id: u64) -> bool {
        let _ = id;
        todo!()
    }

    /// Asks for a reconciliation now: runs what [`Management::on_reconcile`] registered.
    pub fn reconcile(&self) -> Result<(), ManagementError> {
        todo!()
    }

    /// Registers what [`Management::reconcile`] runs; it must only signal, not work.
    pub fn on_reconcile(&self, hook: impl Fn() + Send + Sync + 'static) {
        let _ = Box::new(hook);
        todo!()
    }
}
