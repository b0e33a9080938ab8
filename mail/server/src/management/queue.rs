//! The queue for those who manage it: list, show, hold, release, flush, delete.
//!
//! Works on the store, so that a queue can be looked at without a server; flushing a running one also makes it forget which
//! hosts failed.

use chrono::{DateTime, Utc};
use mailwright_store::UnixTime;

use super::wire::{
    ErrorCode, QueueChanged, QueueEntry, QueueFilter, QueueListing, QueueMessage, QueueRecipient, QueueState,
    QueueTotals,
};
use super::{Management, ManagementError};

/// Octets of a header that are shown.
const MAX_HEADER: usize = 64 * 1024;

impl Management {
    /// What is in the queue, the oldest first.
    pub async fn queue_list(&self, filter: &QueueFilter) -> Result<QueueListing, ManagementError> {
        let entries = self.store.queue().list(&selection(filter)).await?;
        let stats = self.store.queue().stats().await?;
        let totals = QueueTotals {
            messages: stats.messages,
            queued: stats.queued,
            active: stats.active,
            deferred: stats.deferred,
            held: stats.held,
            oldest: stats.oldest.map(date),
        };
        let queue = self.server.as_ref().and_then(|server| server.queue.get());
        let warnings = queue.map(|queue| queue.warnings()).unwrap_or_default();
        Ok(QueueListing { messages: entries.into_iter().map(entry).collect(), totals, warnings })
    }

    /// One message with its header.
    pub async fn queue_show(&self, id: &str) -> Result<QueueMessage, ManagementError> {
        let missing =
            || ManagementError::new(ErrorCode::NotFound, format!("there is no message {id} in the queue"));
        let filter = QueueFilter { ids: vec![id.to_owned()], ..QueueFilter::default() };
        let mut found = self.store.queue().list(&selection(&filter)).await?;
        let found = if found.is_empty() { return Err(missing()) } else { found.swap_remove(0) };
        let number = found.message.id;
        let raw = self.store.queue().raw(number).await?.ok_or_else(missing)?;
        let end = raw.windows(4).position(|window| window == b"\r\n\r\n").map_or(raw.len(), |end| end + 2);
        let header = String::from_utf8_lossy(&raw[..end.min(MAX_HEADER)]).into_owned();
        Ok(QueueMessage { entry: entry(found), header })
    }

    /// Keeps what the filter selects from being tried.
    pub async fn queue_hold(&self, filter: &QueueFilter) -> Result<QueueChanged, ManagementError> {
        Ok(changed(self.store.queue().hold(&selection(filter)).await?))
    }

    /// Gives free what was held.
    pub async fn queue_release(&self, filter: &QueueFilter) -> Result<QueueChanged, ManagementError> {
        Ok(changed(self.store.queue().release(&selection(filter)).await?))
    }

    /// Tries now what waits for its time.
    pub async fn queue_flush(&self, filter: &QueueFilter) -> Result<QueueChanged, ManagementError> {
        if let Some(queue) = self.server.as_ref().and_then(|server| server.queue.get()) {
            queue.forget_failures();
        }
        Ok(changed(self.store.queue().flush(&selection(filter)).await?))
    }

    /// Deletes without a report to the sender.
    pub async fn queue_delete(&self, filter: &QueueFilter) -> Result<QueueChanged, ManagementError> {
        Ok(changed(self.store.queue().delete(&selection(filter)).await?))
    }
}

/// The filter as the store knows it.
fn selection(filter: &QueueFilter) -> mailwright_store::QueueFilter {
    let sender = filter.sender.as_deref().map(|sender| sender.trim_matches(['<', '>']).to_owned());
    let before = |age| Utc::now().timestamp().saturating_sub(i64::try_from(age).unwrap_or(i64::MAX));
    mailwright_store::QueueFilter {
        ids: Vec::new(),
        traces: filter.ids.clone(),
        sender,
        recipient: filter.recipient.clone(),
        domain: filter.domain.clone(),
        state: filter.state.map(state),
        queued_before: filter.older_than.map(before),
        limit: filter.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0),
    }
}

fn entry(entry: mailwright_store::QueueEntry) -> QueueEntry {
    let message = entry.message;
    QueueEntry {
        id: message.trace,
        sender: message.reverse_path,
        size: message.size,
        queued: date(message.queued_at),
        expires: date(message.expires),
        recipients: entry.recipients.into_iter().map(recipient).collect(),
    }
}

fn recipient(recipient: mailwright_store::QueuedRecipient) -> QueueRecipient {
    use mailwright_store::QueueState as Stored;
    let state = match recipient.state {
        Stored::Queued => QueueState::Queued,
        Stored::Active => QueueState::Active,
        Stored::Deferred => QueueState::Deferred,
        Stored::Held => QueueState::Held,
    };
    QueueRecipient {
        address: recipient.address,
        state,
        attempts: recipient.attempts,
        next_attempt: (state != QueueState::Held).then(|| date(recipient.next_attempt)),
        last_reply: recipient.last_reply,
    }
}

fn state(state: QueueState) -> mailwright_store::QueueState {
    use mailwright_store::QueueState as Stored;
    match state {
        QueueState::Queued => Stored::Queued,
        QueueState::Active => Stored::Active,
        QueueState::Deferred => Stored::Deferred,
        QueueState::Held => Stored::Held,
    }
}

fn changed(changed: mailwright_store::QueueChanged) -> QueueChanged {
    QueueChanged { recipients: changed.recipients }
}

fn date(time: UnixTime) -> DateTime<Utc> {
    DateTime::from_timestamp(time, 0).unwrap_or_default()
}
