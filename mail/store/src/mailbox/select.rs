//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2): a folder in one snapshot. The rows come out of the last snapshot of the
//! folder when nothing happened since, or with what happened since; else they are read.

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::account::AccountId;
use crate::error::{Error, Result};
use crate::mailbox::recent;
use crate::mailbox::snapshot::merge;
use crate::mailbox::status::number;
use crate::mailbox::{FolderId, Selected, canonical, keywords, sql};
use crate::message::{self, Row, rows_of_columns};
use crate::store::Store;

pub(super) async fn select(store: &Store, account: AccountId, name: &str, claim: bool) -> Result<Selected> {
    let Ok(name) = canonical(name) else { return Err(Error::NoSuchFolder) };
    let query = sqlx::query(sql::SELECT).bind(account.0).bind(name);
    let row = query.fetch_optional(&store.readers).await?.ok_or(Error::NoSuchFolder)?;
    if row.try_get(1)? {
        return Err(Error::NotSelectable);
    }
    let recent = number(&row, 5)?;
    let mut selected = Selected { uid_validity: number(&row, 2)?, ..head(&row)? };
    let rows = rows(store, &mut selected).await?;
    store.shared.snapshots.put(selected.folder, selected.highest_modseq, &rows);
    selected.rows = Arc::unwrap_or_clone(rows);
    let (folder, last) = (selected.folder, selected.uid_next.saturating_sub(1));
    selected.first_recent = match claim && recent < last {
        true => recent::claim(store, folder, recent, last),
        false => recent.max(store.shared.claims.last(folder)).saturating_add(1),
    };
    Ok(selected)
}

/// A folder by name, and nothing of its messages.
pub(super) async fn find(store: &Store, account: AccountId, name: &str) -> Result<FolderId> {
    let Ok(name) = canonical(name) else { return Err(Error::NoSuchFolder) };
    let query = sqlx::query(sql::SELECT).bind(account.0).bind(name);
    let row = query.fetch_optional(&store.readers).await?.ok_or(Error::NoSuchFolder)?;
    if row.try_get(1)? { Err(Error::NotSelectable) } else { Ok(FolderId(row.try_get(0)?)) }
}

/// The folder without its rows.
fn head(row: &SqliteRow) -> Result<Selected> {
    Ok(Selected {
        folder: FolderId(row.try_get(0)?),
        uid_validity: 0,
        uid_next: number(row, 3)?,
        highest_modseq: row.try_get::<i64, _>(4)?.unsigned_abs(),
        first_recent: 0,
        keywords: keywords(row.try_get(6)?)?,
        rows: Vec::new(),
    })
}

/// The rows of a folder; what the folder says of itself is taken from the snapshot that they are of.
async fn rows(store: &Store, selected: &mut Selected) -> Result<Arc<Vec<Row>>> {
    if let Some((modseq, rows)) = store.shared.snapshots.get(selected.folder) {
        if modseq == selected.highest_modseq {
            return Ok(rows);
        }
        let changes = message::changes_since(store, selected.folder, modseq).await?;
        selected.highest_modseq = changes.highest_modseq;
        selected.uid_next = changes.uid_next;
        let merged = merge(&rows, &changes);
        selected.keywords = changes.keywords;
        return Ok(Arc::new(merged));
    }
    let query = sqlx::query(sql::ROWS).bind(selected.folder.0);
    let row = query.fetch_optional(&store.readers).await?.ok_or(Error::NoSuchFolder)?;
    *selected = Selected { uid_validity: selected.uid_validity, ..head(&row)? };
    Ok(Arc::new(rows_of_columns([row.try_get(7)?, row.try_get(8)?, row.try_get(9)?])?))
}
