//! Taking messages out of a folder: the rows, the log of expunged UIDs, and what they leave behind.

use sqlx::Row;

use crate::blob::Hash;
use crate::commit::Tx;
use crate::error::{Error, Result};
use crate::mailbox::FolderId;
use crate::message::{pack, sql};

/// Runs of expunged UIDs that a folder remembers. A session that was away for longer gets all missing UIDs instead, so
/// the log need not grow with years of expunging.
pub(super) const LOG_MAX: i64 = 10_000;

/// Removes rows (ascending UIDs) and answers the MODSEQ of it.
pub(super) async fn remove(tx: &mut Tx, folder: FolderId, uids: impl Iterator<Item = u32>) -> Result<u64> {
    let uids: Vec<u32> = uids.collect();
    let runs = pack::runs(uids.iter().copied());
    let query = sqlx::query(sql::REMOVE)
        .bind(folder.0)
        .bind(pack::list(&uids))
        .bind(pack::runs_json(&runs))
        .bind(LOG_MAX);
    let row = tx.row(query).await?.ok_or(Error::NoSuchFolder)?;
    let modseq = row.try_get::<i64, _>(0)?.unsigned_abs();
    tx.effects.touched.push((folder, modseq));
    Ok(modseq)
}

/// Gives bytes back to the account (none for a doomed folder) and drops blobs without a message.
pub(super) async fn release(
    tx: &mut Tx,
    account: Option<i64>,
    bytes: u64,
    blobs: impl Iterator<Item = u64>,
) -> Result<()> {
    let blobs = serde_json::Value::from_iter(blobs).to_string();
    let query = sqlx::query(sql::RELEASE).bind(account).bind(bytes.cast_signed()).bind(blobs);
    for row in tx.rows(query).await? {
        tx.effects.garbage.push(Hash::from_row(&row)?);
    }
    Ok(())
}
