//! Looking at the queue: filters, one message, its bytes, counts.

use bytes::Bytes;
use sqlx::Row;

use crate::blob;
use crate::commit::Query;
use crate::error::{Error, Result};
use crate::queue::{QueueEntry, QueueFilter, QueueId, QueueStats, row, sql};
use crate::store::Store;

/// Messages of one list, if the filter does not say less: what a person can look at, and some megabytes.
pub const LIST_MAX: usize = 10_000;

pub(super) async fn list(store: &Store, filter: &QueueFilter) -> Result<Vec<QueueEntry>> {
    let limit = if filter.limit == 0 { LIST_MAX } else { filter.limit.min(LIST_MAX) };
    let mut found: Vec<QueueEntry> = Vec::new();
    for row in matching(store, filter).fetch_all(&store.readers).await? {
        let id = QueueId(row.try_get(0)?);
        if found.last().is_none_or(|entry| entry.message.id != id) {
            if found.len() == limit {
                break;
            }
            found.push(QueueEntry { message: row::message(&row)?, recipients: Vec::new() });
        }
        if let Some(entry) = found.last_mut() {
            entry.recipients.push(row::recipient(&row)?);
        }
    }
    Ok(found)
}

/// `(recipient, message)` of all that a filter means.
pub(super) async fn matches(store: &Store, filter: &QueueFilter) -> Result<Vec<(i64, i64)>> {
    let limit = if filter.limit == 0 { usize::MAX } else { filter.limit };
    let (mut found, mut messages, mut last) = (Vec::new(), 0, None);
    for row in matching(store, filter).fetch_all(&store.readers).await? {
        let message: i64 = row.try_get(0)?;
        if last != Some(message) {
            messages += 1;
            last = Some(message);
        }
        if messages > limit {
            break;
        }
        found.push((row.try_get(11)?, message));
    }
    Ok(found)
}

fn matching(store: &Store, filter: &QueueFilter) -> Query {
    let named = !filter.ids.is_empty() || !filter.traces.is_empty();
    let query = sqlx::query(if named { sql::MATCHING_NAMED } else { sql::MATCHING })
        .bind((store.shared.clock)())
        .bind(filter.sender.clone())
        .bind(filter.recipient.clone())
        .bind(filter.domain.as_ref().map(|domain| domain.to_ascii_lowercase()))
        .bind(filter.state.map(|state| state.name()))
        .bind(filter.queued_before);
    match named {
        true => query
            .bind(row::numbers(filter.ids.iter().map(|id| id.0)))
            .bind(serde_json::Value::from(filter.traces.clone()).to_string()),
        false => query,
    }
}

pub(super) async fn show(store: &Store, id: QueueId) -> Result<Option<QueueEntry>> {
    let filter = QueueFilter { ids: vec![id], ..QueueFilter::default() };
    Ok(list(store, &filter).await?.pop())
}

pub(super) async fn raw(store: &Store, id: QueueId) -> Result<Option<Bytes>> {
    let Some(row) = sqlx::query(sql::RAW).bind(id.0).fetch_optional(&store.readers).await? else {
        return Ok(None);
    };
    let hash: Vec<u8> = row.try_get(1)?;
    let data: Option<Vec<u8>> = row.try_get(3)?;
    let blobs = &store.shared.blobs;
    match blob::read(blobs, row.try_get(0)?, &hash, row.try_get(2)?, data.unwrap_or_default()).await? {
        Some(raw) => Ok(Some(raw)),
        // It left between the row and the file; otherwise the file is missing.
        None if sqlx::query(sql::RAW).bind(id.0).fetch_optional(&store.readers).await?.is_none() => Ok(None),
        None => Err(Error::Damaged(format!("queued message {id} lacks its file"))),
    }
}

pub(super) async fn stats(store: &Store) -> Result<QueueStats> {
    let mut snapshot = store.readers.begin().await?;
    let recipients =
        sqlx::query(sql::COUNT_RECIPIENTS).bind((store.shared.clock)()).fetch_one(&mut *snapshot).await?;
    let messages = sqlx::query(sql::COUNT_MESSAGES).fetch_one(&mut *snapshot).await?;
    snapshot.commit().await?;
    let number = |index: usize| Ok::<u64, Error>(recipients.try_get::<i64, _>(index)?.unsigned_abs());
    let (active, held, queued) = (number(0)?, number(1)?, number(2)?);
    Ok(QueueStats {
        messages: messages.try_get::<i64, _>(0)?.unsigned_abs(),
        bytes: messages.try_get::<i64, _>(1)?.unsigned_abs(),
        queued,
        active,
        deferred: number(3)?.saturating_sub(active + held + queued),
        held,
        oldest: messages.try_get(2)?,
    })
}
