//! The queue of messages that leave for elsewhere: durable rows, leases, filters.
//!
//! A recipient is the unit that is tried, held, deferred and settled; a message leaves with its last recipient. Its bytes are a
//! blob as those of stored messages. Leaves out every decision about when and where to try (`mail/flow`), and connections.

use bytes::Bytes;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::options::UnixTime;
use crate::store::Store;

mod types;

pub use types::{
    Due, Lease, Notify, Outgoing, OutgoingRecipient, QueueChanged, QueueEntry, QueueFilter, QueueId,
    QueueState, QueueStats, Queued, QueuedRecipient, RecipientId, Ret, SettleOutcome, Settled, Settlement,
};

/// Messages on their way out.
#[derive(Clone, Copy)]
pub struct QueueStore<'a> {
    pub(crate) store: &'a Store,
}

const NOT_YET: Error = Error::Cannot("the queue is being built");

impl QueueStore<'_> {
    /// Queues a message; answers after the commit. `Delivery::outgoing` does it together with local copies.
    pub async fn enqueue(&self, outgoing: Outgoing) -> Result<QueueId> {
        drop(outgoing);
        Err(NOT_YET)
    }

    /// Leases at most `limit` recipients whose time has come until `lease_until`, oldest first, grouped by message. Recipients in one of the
    /// `busy` domains (lower case) are left for later, so that a slow destination never hides the others.
    pub async fn due(
        &self,
        now: UnixTime,
        limit: usize,
        lease_until: UnixTime,
        busy: &[String],
    ) -> Result<Vec<Due>> {
        let _ = (now, limit, lease_until, busy);
        Err(NOT_YET)
    }

    /// Puts off the end of leases while attempts go on; answers how many recipients are still held by them.
    pub async fn renew(&self, leases: &[Lease], lease_until: UnixTime) -> Result<u64> {
        let _ = (leases, lease_until);
        Err(NOT_YET)
    }

    /// Gives leased recipients back untried (graceful end).
    pub async fn give_back(&self, lease: Lease, recipients: &[RecipientId]) -> Result<()> {
        let _ = (lease, recipients);
        Err(NOT_YET)
    }

    /// Ends an attempt: results and report in one transaction.
    pub async fn settle(&self, settlement: Settlement) -> Result<SettleOutcome> {
        drop(settlement);
        Err(NOT_YET)
    }

    /// The message's bytes; `None` when it has left.
    pub async fn raw(&self, id: QueueId) -> Result<Option<Bytes>> {
        let _ = id;
        Err(NOT_YET)
    }

    /// When the next recipient's time comes (or a lease ends); `None`: nothing waits for a time.
    pub async fn next_due(&self) -> Result<Option<UnixTime>> {
        Err(NOT_YET)
    }

    /// Messages with those recipients that the filter means, oldest first.
    pub async fn list(&self, filter: &QueueFilter) -> Result<Vec<QueueEntry>> {
        let _ = filter;
        Err(NOT_YET)
    }

    /// One message with all its recipients.
    pub async fn show(&self, id: QueueId) -> Result<Option<QueueEntry>> {
        let _ = id;
        Err(NOT_YET)
    }

    /// Holds recipients: they are not tried until released. An attempt that runs goes on.
    pub async fn hold(&self, filter: QueueFilter) -> Result<QueueChanged> {
        drop(filter);
        Err(NOT_YET)
    }

    /// Releases held recipients; they are due at once.
    pub async fn release(&self, filter: QueueFilter) -> Result<QueueChanged> {
        drop(filter);
        Err(NOT_YET)
    }

    /// Makes waiting recipients due at once; held ones stay held.
    pub async fn flush(&self, filter: QueueFilter) -> Result<QueueChanged> {
        drop(filter);
        Err(NOT_YET)
    }

    /// Removes recipients without a report, and messages that have none left.
    pub async fn delete(&self, filter: QueueFilter) -> Result<QueueChanged> {
        drop(filter);
        Err(NOT_YET)
    }

    /// Counts.
    pub async fn stats(&self) -> Result<QueueStats> {
        Err(NOT_YET)
    }

    /// Changes after each commit by which something may be due sooner.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.store.shared.queue.subscribe()
    }
}
