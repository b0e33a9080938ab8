//! Removing the mail of deleted folders and accounts, a slice per group, so that deliveries need not wait for it.

use sqlx::Row;

use crate::commit::{Tx, Verb};
use crate::crash;
use crate::error::Result;
use crate::message::pack::{groups, list, uid};
use crate::message::{remove, sql};

/// Messages per slice: some milliseconds of the writer.
const SLICE: i64 = 200;

/// Removes one slice; `effects.doomed` says that there is more.
pub(crate) struct PurgeSlice;

impl Verb for PurgeSlice {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let Some(row) = tx.row(sqlx::query(sql::DOOMED).bind(SLICE)).await? else { return Ok(()) };
        tx.crash_at(crash::PURGE_BEFORE)?;
        tx.effects.doomed = true;
        let folder: i64 = row.try_get(0)?;
        let messages = groups::<2>(row.try_get(1)?)?;
        if messages.is_empty() {
            tx.run(sqlx::query(sql::BURY).bind(folder)).await?;
            return Ok(());
        }
        let uids: Vec<u32> = messages.iter().map(|m| uid(m[0])).collect::<Result<_>>()?;
        tx.run(sqlx::query(sql::PURGE).bind(folder).bind(list(&uids))).await?;
        remove::release(tx, None, 0, messages.iter().map(|m| m[1])).await
    }
}
