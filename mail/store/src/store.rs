//! Opening and closing; the handles of the parts.

use std::path::Path;

use crate::account::AccountStore;
use crate::error::{Error, OpenError, Result};
use crate::mailbox::FolderId;
use crate::options::Options;
use crate::resource::ResourceStore;

/// The open database and its blobs. Share it as `Arc<Store>`.
pub struct Store {
    _private: (),
}

/// Folders and messages; every method is one transaction or one snapshot.
#[derive(Clone, Copy)]
pub struct MailStore<'a> {
    pub(crate) store: &'a Store,
}

/// Counters since the store was opened, for metrics and tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions committed (one fsync each).
    pub commits: u64,
    /// Jobs (deliveries, flag changes, …) that were in them.
    pub jobs: u64,
    /// Jobs that failed and were rolled back alone.
    pub failed: u64,
    /// Time spent in COMMIT.
    pub commit_nanos: u64,
    /// Blob files written.
    pub blobs_written: u64,
    /// Blob files removed.
    pub blobs_removed: u64,
}

impl Store {
    /// Opens (or makes) the store in `dir`, migrates it, sweeps what a crash left.
    pub async fn open(dir: &Path, options: Options) -> Result<Store, OpenError> {
        let _ = (dir, options);
        todo!()
    }

    /// Finishes what is queued, closes every connection and gives the directory free.
    pub async fn close(&self) {
        todo!()
    }

    /// Domains, accounts, credentials, aliases.
    pub fn accounts(&self) -> AccountStore<'_> {
        AccountStore { store: self }
    }

    /// Status records of declared resources.
    pub fn resources(&self) -> ResourceStore<'_> {
        ResourceStore { store: self }
    }

    /// Folders and messages.
    pub fn mail(&self) -> MailStore<'_> {
        MailStore { store: self }
    }

    /// Counters since open.
    pub fn stats(&self) -> Stats {
        todo!()
    }

    /// Signals after each commit that touched the folder, with its highest MODSEQ.
    /// A removed folder is signalled with `u64::MAX`; asking for its changes then says `NoSuchFolder`.
    pub fn watch(&self, folder: FolderId) -> tokio::sync::watch::Receiver<u64> {
        let _ = folder;
        todo!()
    }

    /// Signals each change of account data with the change counter (log out who was disabled, drop caches).
    pub fn watch_accounts(&self) -> tokio::sync::watch::Receiver<i64> {
        todo!()
    }

    /// Reads everything and reports every broken rule; empty means sound. For tests and `fsck`: it takes its time.
    pub async fn check(&self) -> Result<Vec<String>> {
        todo!()
    }

    /// Waits until mail of deleted folders and accounts is gone and unused blob files are removed.
    pub async fn settle(&self) -> Result<()> {
        Err(Error::Closed)
    }
}
