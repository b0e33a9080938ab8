//! The queue of messages that leave for elsewhere: durable rows, leases, filters.
//!
//! A recipient is the unit that is tried, held, deferred and settled; a message leaves with its last recipient. Its bytes are a
//! blob as those of stored messages. Leaves out every decision about when and where to try (`mail/flow`), and connections.

use bytes::Bytes;
use tokio::sync::watch;

use crate::error::Result;
use crate::options::UnixTime;
use crate::queue::change::What;
use crate::store::Store;

mod change;
mod due;
mod list;
mod row;
mod settle;
mod sql;
mod types;

pub(crate) mod enqueue;

pub use enqueue::MAX_RECIPIENTS;
pub use list::LIST_MAX;
pub use types::{
    Due, Lease, Notify, Outgoing, OutgoingRecipient, QueueChanged, QueueEntry, QueueFilter, QueueId,
    QueueState, QueueStats, Queued, QueuedRecipient, RecipientId, Ret, SettleOutcome, Settled, Settlement,
};

/// Messages on their way out.
#[derive(Clone, Copy)]
pub struct QueueStore<'a> {
    pub(crate) store: &'a Store,
}

impl QueueStore<'_> {
    /// Queues a message; answers after the commit. `Delivery::outgoing` does it together with local copies.
    pub async fn enqueue(&self, outgoing: Outgoing) -> Result<QueueId> {
        let prepared = enqueue::prepare(self.store, outgoing).await?;
        self.store.write(enqueue::Enqueue(prepared)).await
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
        due::due(self.store, now, limit, lease_until, busy).await
    }

    /// Puts off the end of leases while attempts go on; answers how many recipients are still held by them.
    pub async fn renew(&self, held: &[(Lease, QueueId)], lease_until: UnixTime) -> Result<u64> {
        self.store.write(due::Renew { held: held.to_vec(), until: lease_until }).await
    }

    /// Gives leased recipients back untried (graceful end).
    pub async fn give_back(&self, lease: Lease, recipients: &[RecipientId]) -> Result<()> {
        self.store.write(due::GiveBack { lease, recipients: recipients.to_vec() }).await
    }

    /// Ends an attempt: results and report in one transaction.
    pub async fn settle(&self, settlement: Settlement) -> Result<SettleOutcome> {
        settle::settle(self.store, settlement).await
    }

    /// The message's bytes; `None` when it has left.
    pub async fn raw(&self, id: QueueId) -> Result<Option<Bytes>> {
        list::raw(self.store, id).await
    }

    /// When the next recipient's time comes (or a lease ends), the `busy` domains aside; `None`: nothing waits for a time.
    pub async fn next_due(&self, busy: &[String]) -> Result<Option<UnixTime>> {
        due::next(self.store, busy).await
    }

    /// Messages with those recipients that the filter means, oldest first.
    pub async fn list(&self, filter: &QueueFilter) -> Result<Vec<QueueEntry>> {
        list::list(self.store, filter).await
    }

    /// One message with all its recipients.
    pub async fn show(&self, id: QueueId) -> Result<Option<QueueEntry>> {
        list::show(self.store, id).await
    }

    /// Holds recipients: they are not tried until released. An attempt that runs goes on.
    pub async fn hold(&self, filter: &QueueFilter) -> Result<QueueChanged> {
        change::change(self.store, What::Hold, filter).await
    }

    /// Releases held recipients; they are due at once.
    pub async fn release(&self, filter: &QueueFilter) -> Result<QueueChanged> {
        change::change(self.store, What::Release, filter).await
    }

    /// Makes waiting recipients due at once; held ones stay held.
    pub async fn flush(&self, filter: &QueueFilter) -> Result<QueueChanged> {
        change::change(self.store, What::Flush, filter).await
    }

    /// Removes recipients without a report, and messages that have none left.
    pub async fn delete(&self, filter: &QueueFilter) -> Result<QueueChanged> {
        change::change(self.store, What::Delete, filter).await
    }

    /// Counts.
    pub async fn stats(&self) -> Result<QueueStats> {
        list::stats(self.store).await
    }

    /// Changes after each commit by which something may be due sooner.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.store.shared.queue.subscribe()
    }
}
