//! The fence of remote writers: a later leader locks the earlier ones out, and a database is written only by those who mean it.
//!
//! Leaves out who is the leader (the operator's Lease) and which database belongs to which installation (its status).

use sqlx::Row;

use crate::account::{Fence, sql};
use crate::commit::{Tx, Verb};
use crate::crash;
use crate::error::{Error, Result};

/// Checks a fence inside the transaction of the write that it guards, and notes a later term in the same transaction. Writes
/// nothing for a term that was seen.
pub(super) async fn check(tx: &mut Tx, fence: &Fence) -> Result<()> {
    let Some(row) = tx.row(sqlx::query(sql::FENCE)).await? else {
        return Err(Error::Damaged("the database does not say which it is".into()));
    };
    let (seen, database): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
    if let Some(meant) = &fence.database
        && *meant != database
    {
        return Err(Error::WrongDatabase { meant: meant.clone(), database });
    }
    let term = i64::try_from(fence.epoch).unwrap_or(i64::MAX);
    if term < seen {
        return Err(Error::Fenced { seen: seen.unsigned_abs() });
    }
    if term > seen {
        tx.run(sqlx::query(sql::RAISE_FENCE).bind(term)).await?;
    }
    tx.crash_at(crash::FENCE_CHECKED)
}

/// The fence alone, for a write that goes elsewhere.
pub(super) struct Check(pub(super) Fence);

impl Verb for Check {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        check(tx, &self.0).await
    }
}
