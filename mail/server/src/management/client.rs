//! Asks the management API of a running server over the Unix socket of its data directory.

use std::path::{Path, PathBuf};

use mailwright_plan::{Batch, BatchReply, ObjectRef, Observed};

use super::ManagementError;
use super::wire::{Purged, ResourceRecord, SessionInfo, Stats, Status};

/// A client of the management socket; each request opens it anew, so it survives restarts of the server.
#[derive(Debug, Clone)]
pub struct ManagementClient {
    socket: PathBuf,
}

impl ManagementClient {
    /// For the server of this data directory.
    #[must_use]
    pub fn new(data_dir: &Path) -> ManagementClient {
        ManagementClient { socket: data_dir.join(super::SOCKET) }
    }

    /// Whether a server answers on the socket.
    pub async fn is_running(&self) -> bool {
        let _ = &self.socket;
        todo!()
    }

    /// See [`super::Management::observe`].
    pub async fn observe(&self) -> Result<Observed, ManagementError> {
        todo!()
    }

    /// See [`super::Management::apply`].
    pub async fn apply(&self, batch: &Batch) -> Result<BatchReply, ManagementError> {
        let _ = batch;
        todo!()
    }

    /// See [`super::Management::resources`].
    pub async fn resources(&self) -> Result<Vec<ResourceRecord>, ManagementError> {
        todo!()
    }

    /// See [`super::Management::put_resources`].
    pub async fn put_resources(&self, records: &[ResourceRecord]) -> Result<usize, ManagementError> {
        let _ = records;
        todo!()
    }

    /// See [`super::Management::delete_resources`].
    pub async fn delete_resources(&self, objects: &[ObjectRef]) -> Result<usize, ManagementError> {
        let _ = objects;
        todo!()
    }

    /// See [`super::Management::set_password`].
    pub async fn set_password(&self, address: &str, password: &str) -> Result<(), ManagementError> {
        let _ = (address, password);
        todo!()
    }

    /// See [`super::Management::purge`].
    pub async fn purge(&self, address: &str, force: bool) -> Result<Purged, ManagementError> {
        let _ = (address, force);
        todo!()
    }

    /// See [`super::Management::stats`].
    pub async fn stats(&self) -> Result<Stats, ManagementError> {
        todo!()
    }

    /// See [`super::Management::status`].
    pub async fn status(&self) -> Result<Status, ManagementError> {
        todo!()
    }

    /// See [`super::Management::sessions`].
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>, ManagementError> {
        todo!()
    }

    /// See [`super::Management::kick`].
    pub async fn kick(&self, id: u64) -> Result<(), ManagementError> {
        let _ = id;
        todo!()
    }

    /// See [`super::Management::reconcile`].
    pub async fn reconcile(&self) -> Result<(), ManagementError> {
        todo!()
    }
}
