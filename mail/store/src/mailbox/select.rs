//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2): a folder in one snapshot.

use sqlx::Row;

use crate::account::AccountId;
use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::status::number;
use crate::mailbox::{FolderId, Selected, canonical, keywords, sql};
use crate::message::rows_of;
use crate::store::Store;

pub(super) async fn select(store: &Store, account: AccountId, name: &str, claim: bool) -> Result<Selected> {
    let Ok(name) = canonical(name) else { return Err(Error::NoSuchFolder) };
    let query = sqlx::query(sql::SELECT).bind(account.0).bind(name);
    let row = query.fetch_optional(&store.readers).await?.ok_or(Error::NoSuchFolder)?;
    if row.try_get(1)? {
        return Err(Error::NotSelectable);
    }
    let mut selected = Selected {
        folder: FolderId(row.try_get(0)?),
        uid_validity: number(&row, 2)?,
        uid_next: number(&row, 3)?,
        highest_modseq: row.try_get::<i64, _>(4)?.unsigned_abs(),
        first_recent: number(&row, 5)?.saturating_add(1),
        keywords: keywords(row.try_get(6)?)?,
        rows: rows_of(row.try_get(7)?)?,
    };
    let has_recent = selected.first_recent < selected.uid_next;
    if claim && has_recent {
        // Of two sessions that saw the same recent messages the first to commit gets them (RFC 3501 §2.3.2).
        match store.write(ClaimRecent(selected.folder)).await {
            Ok(first) => selected.first_recent = first,
            // Recent is best effort; a full disk must not keep people from their mail, or nobody could delete any.
            Err(Error::NoSpace) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(selected)
}

struct ClaimRecent(FolderId);

impl Verb for ClaimRecent {
    type Output = u32;

    async fn run(&self, tx: &mut Tx) -> Result<u32> {
        let row = tx.row(sqlx::query(sql::CLAIM_RECENT).bind(self.0.0)).await?;
        Ok(number(&row.ok_or(Error::NoSuchFolder)?, 0)?.saturating_add(1))
    }
}
