//! Reading messages: one statement for all of them, files beside it.

use std::collections::HashMap;

use bytes::Bytes;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::blob;
use crate::error::{Error, Result};
use crate::mailbox::FolderId;
use crate::message::pack::{list, uid};
use crate::message::{Digest, Fetched, Message, Need, sql};
use crate::store::Store;

/// Bytes of messages after which an answer ends and the rest is left to the next call: bounds the memory of a session
/// that fetches a folder of large messages.
const BYTES_MAX: i64 = 8 * 1024 * 1024;

pub(super) async fn fetch(store: &Store, folder: FolderId, uids: &[u32], need: Need) -> Result<Fetched> {
    let sql = match need {
        Need { raw: true, .. } => sql::FETCH_RAW,
        Need { index: true, .. } => sql::FETCH_INDEX,
        _ => sql::FETCH,
    };
    let mut query = sqlx::query(sql).bind(folder.0).bind(list(uids));
    if need.raw {
        query = query.bind(BYTES_MAX);
    }
    let rows = query.fetch_all(&store.readers).await?;
    let mut fetched = Fetched { messages: Vec::with_capacity(rows.len()), rest: Vec::new() };
    let (mut bytes, mut last) = (0, 0);
    for row in rows {
        let mut message = read(&row, need)?;
        (bytes, last) = (bytes + i64::from(message.size), message.uid);
        if need.raw {
            message.raw = raw(store, folder, &row, message.uid).await?;
            if message.raw.is_none() {
                continue;
            }
        }
        fetched.messages.push(message);
    }
    if need.raw && bytes >= BYTES_MAX {
        fetched.rest = uids.iter().copied().filter(|uid| *uid > last).collect();
    }
    Ok(fetched)
}

/// Digests of messages; those that the release before stored have none.
pub(super) async fn digests(store: &Store, folder: FolderId, uids: &[u32]) -> Result<HashMap<u32, Digest>> {
    let query = sqlx::query(sql::FETCH_DIGEST).bind(folder.0).bind(list(uids));
    let mut digests = HashMap::new();
    for row in query.fetch_all(&store.readers).await? {
        let thread = row.try_get::<Vec<u8>, _>(2)?;
        let Ok(thread) = thread.try_into() else { continue };
        let digest = Digest { preview: row.try_get(1)?, thread };
        digests.insert(uid(row.try_get::<i64, _>(0)?.unsigned_abs())?, digest);
    }
    Ok(digests)
}

fn read(row: &SqliteRow, need: Need) -> Result<Message> {
    let index = if need.index { Some(Bytes::from(row.try_get::<Vec<u8>, _>(6)?)) } else { None };
    // Of the columns of FETCH_RAW the hash is the ninth.
    let hash = match need {
        Need { raw: true, .. } => Some(row.try_get::<Vec<u8>, _>(8)?),
        Need { index: true, .. } => Some(row.try_get::<Vec<u8>, _>(7)?),
        _ => None,
    };
    let hash = hash.and_then(|hash| hash.try_into().ok());
    Ok(Message {
        uid: uid(row.try_get::<i64, _>(0)?.unsigned_abs())?,
        modseq: row.try_get::<i64, _>(1)?.unsigned_abs(),
        flags: row.try_get::<i64, _>(2)?.unsigned_abs(),
        internal_date: row.try_get(3)?,
        save_date: row.try_get(4)?,
        size: uid(row.try_get::<i64, _>(5)?.unsigned_abs())?,
        index,
        raw: None,
        hash,
    })
}

/// None: expunged between the snapshot and now.
async fn raw(store: &Store, folder: FolderId, row: &SqliteRow, uid: u32) -> Result<Option<Bytes>> {
    let data: Option<Vec<u8>> = row.try_get(9)?;
    let (place, size) = (row.try_get(7)?, row.try_get(5)?);
    let bytes =
        blob::read(&store.shared.blobs, place, row.try_get(8)?, size, data.unwrap_or_default()).await?;
    if bytes.is_none() {
        let query = sqlx::query(sql::STILL_THERE).bind(folder.0).bind(i64::from(uid));
        if query.fetch_optional(&store.readers).await?.is_some() {
            return Err(Error::Damaged(format!("the blob file of message {uid} is missing")));
        }
    }
    Ok(bytes)
}
