//! What happened in a folder since a MODSEQ (the shape of RFC 7162 §3.2.5 QRESYNC, used for every session's sync).

use sqlx::Row as _;

use crate::error::{Error, Result};
use crate::mailbox::{FolderId, keywords};
use crate::message::pack::{complement, groups, rows_of, uid};
use crate::message::{Changes, UidRange, sql};
use crate::store::Store;

pub(crate) async fn changes(store: &Store, folder: FolderId, since: u64) -> Result<Changes> {
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let query = sqlx::query(sql::CHANGES).bind(folder.0).bind(since);
    let row = query.fetch_optional(&store.readers).await?.ok_or(Error::NoSuchFolder)?;
    let uid_next = uid(row.try_get::<i64, _>(1)?.unsigned_abs())?;
    let vanished = match row.try_get::<Option<&str>, _>(5)? {
        Some(all) => everything_else(all, uid_next)?,
        None => merge(groups::<2>(row.try_get(4)?)?)?,
    };
    Ok(Changes {
        highest_modseq: row.try_get::<i64, _>(0)?.unsigned_abs(),
        uid_next,
        rows: rows_of(row.try_get(3)?)?,
        vanished,
        keywords: keywords(row.try_get(2)?)?,
    })
}

pub(super) async fn vanished(store: &Store, folder: FolderId, since: u64) -> Result<Vec<UidRange>> {
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let query = sqlx::query(sql::VANISHED).bind(folder.0).bind(since);
    let row = query.fetch_optional(&store.readers).await?.ok_or(Error::NoSuchFolder)?;
    match row.try_get::<Option<&str>, _>(2)? {
        Some(all) => everything_else(all, uid(row.try_get::<i64, _>(0)?.unsigned_abs())?),
        None => merge(groups::<2>(row.try_get(1)?)?),
    }
}

fn everything_else(all: &str, uid_next: u32) -> Result<Vec<UidRange>> {
    let mut present: Vec<u32> =
        groups::<1>(Some(all))?.into_iter().map(|[n]| uid(n)).collect::<Result<_>>()?;
    present.sort_unstable();
    Ok(complement(present, uid_next))
}

/// Runs of several expunges in one ascending list.
fn merge(mut logged: Vec<[u64; 2]>) -> Result<Vec<UidRange>> {
    logged.sort_unstable();
    let mut runs: Vec<UidRange> = Vec::new();
    for [first, last] in logged {
        let (first, last) = (uid(first)?, uid(last)?);
        match runs.last_mut() {
            Some(run) if first <= run.last.saturating_add(1) => run.last = run.last.max(last),
            _ => runs.push(UidRange { first, last }),
        }
    }
    Ok(runs)
}
