//! STATUS (RFC 3501 §6.3.10) and quota usage.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::account::AccountId;
use crate::error::{Error, Result};
use crate::mailbox::{FolderId, Quota, Status, canonical, sql};
use crate::message::account_limit;
use crate::store::Store;

pub(super) async fn status(store: &Store, account: AccountId, name: &str) -> Result<Status> {
    let Ok(name) = canonical(name) else { return Err(Error::NoSuchFolder) };
    let query = sqlx::query(sql::STATUS).bind(account.0).bind(name);
    let row = query.fetch_optional(&store.readers).await?.ok_or(Error::NoSuchFolder)?;
    if row.try_get(1)? {
        return Err(Error::NotSelectable);
    }
    let (folder, uid_next) = (FolderId(row.try_get(0)?), number(&row, 2)?);
    // A claim that is not committed yet: what came after it is recent.
    let unclaimed = uid_next.saturating_sub(store.shared.claims.last(folder)).saturating_sub(1);
    Ok(Status {
        folder,
        uid_next,
        uid_validity: number(&row, 3)?,
        highest_modseq: row.try_get::<i64, _>(4)?.unsigned_abs(),
        messages: number(&row, 5)?,
        recent: number(&row, 6)?.min(unclaimed),
        unseen: number(&row, 7)?,
        size: row.try_get::<i64, _>(8)?.unsigned_abs(),
        deleted: number(&row, 9)?,
    })
}

/// A column that is a 32 bit number by construction (UIDs, UIDVALIDITY, counts of UIDs).
pub(super) fn number(row: &SqliteRow, column: usize) -> Result<u32> {
    let value: i64 = row.try_get(column)?;
    u32::try_from(value).map_err(|_| Error::Damaged(format!("{value} is not a 32 bit number")))
}

/// Usage and limits of an account.
pub(super) async fn quota(store: &Store, account: AccountId) -> Result<Quota> {
    let query = sqlx::query(sql::USAGE).bind(account.0);
    let row = query.fetch_optional(&store.readers).await?.ok_or(Error::NoSuchAccount)?;
    let limit: Option<i64> = row.try_get(1)?;
    Ok(Quota {
        bytes: row.try_get::<i64, _>(0)?.unsigned_abs(),
        bytes_limit: limit.map(i64::unsigned_abs),
        messages: row.try_get::<i64, _>(2)?.unsigned_abs(),
        messages_limit: account_limit(limit).unsigned_abs(),
    })
}

pub(super) async fn usage(store: &Store, account: AccountId) -> Result<(u64, Option<u64>)> {
    let query = sqlx::query(sql::USAGE).bind(account.0);
    let row = query.fetch_optional(&store.readers).await?.ok_or(Error::NoSuchAccount)?;
    Ok((row.try_get::<i64, _>(0)?.unsigned_abs(), row.try_get::<Option<i64>, _>(1)?.map(i64::unsigned_abs)))
}
