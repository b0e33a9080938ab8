//! Opening and closing; the handles of the parts; what the writer and the readers share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::account::AccountStore;
use crate::blob::{Blobs, Hash};
use crate::commit::{Job, Pending, Tx, Verb, Writer};
use crate::crash::{self, Crash};
use crate::error::{Error, OpenError, Result};
use crate::history::HistoryStore;
use crate::mailbox::{Claims, FolderId, Snapshots};
use crate::options::{Clock, Options};
use crate::queue::QueueStore;
use crate::resource::ResourceStore;
use crate::watch::Watchers;

mod check;
mod lock;
mod open;
mod space;

pub(crate) use lock::Lock;
#[cfg(test)]
pub(crate) use open::WORK_TABLES;
pub(crate) use space::Space;

/// Jobs that wait for the writer; more writers than this wait in `send` instead, which bounds memory.
const QUEUE: usize = 1024;

/// The open database and its blobs. Share it as `Arc<Store>`.
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    pub(crate) readers: SqlitePool,
    /// Counts calls that declare or forget resources.
    pub(crate) resources: AtomicU64,
    jobs: RwLock<Option<mpsc::Sender<Box<dyn Job>>>>,
    writer: tokio::sync::Mutex<Option<JoinHandle<bool>>>,
}

/// Folders and messages; every method is one transaction or one snapshot.
#[derive(Clone, Copy)]
pub struct MailStore<'a> {
    pub(crate) store: &'a Store,
}

/// What the writer and everybody else share.
pub(crate) struct Shared {
    pub(crate) directory: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) crash: Arc<Crash>,
    pub(crate) space: Space,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) watchers: Watchers,
    pub(crate) accounts: watch::Sender<i64>,
    /// Counts commits by which something in the queue may be due sooner.
    pub(crate) queue: watch::Sender<u64>,
    /// The number of the last lease of queued recipients.
    pub(crate) leases: AtomicI64,
    pub(crate) counters: Counters,
    pub(crate) snapshots: Snapshots,
    pub(crate) claims: Claims,
    /// Doomed folders or unused blob files are left.
    pub(crate) cleaning: AtomicBool,
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

#[derive(Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    jobs: AtomicU64,
    pub(crate) failed: AtomicU64,
    commit_nanos: AtomicU64,
}

impl Counters {
    pub(crate) fn committed(&self, jobs: usize, failed: usize, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.jobs.fetch_add(jobs as u64, Ordering::Relaxed);
        self.failed.fetch_add(failed as u64, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.commit_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Shared {
    /// Removes a blob file that no row names; false: it is pinned, try later.
    pub(crate) async fn remove_blob(&self, hash: Hash) -> Result<bool> {
        self.crash.at(crash::UNLINK_BEFORE)?;
        let blobs = Arc::clone(&self.blobs);
        let removed = crate::blob::blocking(move || blobs.remove(hash)).await?;
        self.crash.at(crash::UNLINK_AFTER)?;
        Ok(removed)
    }
}

impl Store {
    /// Opens (or makes) the store in `dir`, migrates it, sweeps what a crash left.
    pub async fn open(dir: &Path, options: Options) -> Result<Store, OpenError> {
        let opened = open::open(dir, &options).await?;
        let shared = opened.shared;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let writer =
            Writer::new(Tx::new(opened.connection, Arc::clone(&shared)), receiver, &options, opened.lock);
        Ok(Store {
            shared,
            readers: opened.readers,
            resources: AtomicU64::new(0),
            jobs: RwLock::new(Some(sender)),
            writer: tokio::sync::Mutex::new(Some(tokio::spawn(writer.serve()))),
        })
    }

    /// Finishes what is queued, closes every connection and gives the directory free. A store that is only dropped
    /// does the same in the background.
    pub async fn close(&self) {
        drop(self.jobs.write().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().await.take();
        self.readers.close().await;
        let Some(writer) = writer else { return };
        // A simulated death may have happened outside the writer, between a blob and its row.
        if matches!(writer.await, Ok(true)) && !self.shared.crash.is_dead() {
            open::mark_clean(&self.shared.directory);
        }
    }

    /// Domains, accounts, credentials, aliases.
    pub fn accounts(&self) -> AccountStore<'_> {
        AccountStore { store: self }
    }

    /// Status records of declared resources.
    pub fn resources(&self) -> ResourceStore<'_> {
        ResourceStore { store: self }
    }

    /// What was done to accounts, and why.
    pub fn history(&self) -> HistoryStore<'_> {
        HistoryStore { store: self }
    }

    /// Folders and messages.
    pub fn mail(&self) -> MailStore<'_> {
        MailStore { store: self }
    }

    /// Messages on their way out.
    pub fn queue(&self) -> QueueStore<'_> {
        QueueStore { store: self }
    }

    /// Whether there is room for a new message of this size; without it `deliver`, `append` and `copy` are `NoSpace`.
    pub fn has_space(&self, bytes: u64) -> bool {
        self.shared.space.has(bytes)
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// The schema that this program brings a database to.
    pub fn schema(&self) -> i64 {
        crate::migrate::known()
    }

    /// Octets that the file system of the data directory has left; `None` where it does not say.
    pub fn free_space(&self) -> Option<u64> {
        self.shared.space.free()
    }

    /// Counters since open.
    pub fn stats(&self) -> Stats {
        let counters = &self.shared.counters;
        let blobs = &self.shared.blobs;
        Stats {
            commits: counters.commits.load(Ordering::Relaxed),
            jobs: counters.jobs.load(Ordering::Relaxed),
            failed: counters.failed.load(Ordering::Relaxed),
            commit_nanos: counters.commit_nanos.load(Ordering::Relaxed),
            blobs_written: blobs.written.load(Ordering::Relaxed),
            blobs_removed: blobs.removed.load(Ordering::Relaxed),
        }
    }

    /// Signals after each commit that touched the folder, with its highest MODSEQ.
    /// A removed folder is signalled with `u64::MAX`; asking for its changes then says `NoSuchFolder`.
    pub fn watch(&self, folder: FolderId) -> watch::Receiver<u64> {
        self.shared.watchers.watch(folder)
    }

    /// Signals each change of account data with the change counter (log out who was disabled, drop caches).
    pub fn watch_accounts(&self) -> watch::Receiver<i64> {
        self.shared.accounts.subscribe()
    }

    /// Reads everything and reports every broken rule; empty means sound. For tests and `fsck`: it takes its time.
    pub async fn check(&self) -> Result<Vec<String>> {
        check::check(self).await
    }

    /// Waits until mail of deleted folders and accounts is gone and unused blob files are removed.
    pub async fn settle(&self) -> Result<()> {
        loop {
            self.write(Nothing).await?;
            if !self.shared.cleaning.load(Ordering::SeqCst) {
                return Ok(());
            }
        }
    }

    /// Hands a job to the writer and waits for its commit. The job runs even if the caller goes away meanwhile.
    pub(crate) async fn write<V: Verb>(&self, verb: V) -> Result<V::Output> {
        let sender = self.jobs.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (job, answer) = Pending::job(verb);
        let sent = match sender {
            Some(sender) => sender.send(job).await.is_ok(),
            None => false,
        };
        let gone = if self.shared.crash.is_dead() { Error::Crashed } else { Error::Closed };
        if !sent {
            return Err(gone);
        }
        // A writer that died with the job in its queue answers nothing.
        answer.await.unwrap_or_else(|_| Err(if self.shared.crash.is_dead() { Error::Crashed } else { gone }))
    }
}

impl Store {
    /// Hands a job to the writer and does not wait; `None` when the writer has more than enough to do.
    pub(crate) fn write_later<V: Verb>(&self, verb: V) -> Option<oneshot::Receiver<Result<V::Output>>> {
        let sender = self.jobs.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (job, answer) = Pending::job(verb);
        sender.try_send(job).ok().map(|()| answer)
    }
}

/// Comes back after everything before it was committed and tidied.
struct Nothing;

impl Verb for Nothing {
    type Output = ();

    async fn run(&self, _: &mut Tx) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
