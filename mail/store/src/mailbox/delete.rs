//! DELETE (RFC 3501 §6.3.4). The folder is gone at once; its messages go slice by slice (`message::purge`).

use sqlx::Row;

use crate::account::AccountId;
use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::create::make;
use crate::mailbox::name::{INBOX, inferiors};
use crate::mailbox::{FolderId, sql};
use crate::watch::REMOVED;

pub(super) struct Delete {
    pub(super) account: AccountId,
    pub(super) name: String,
}

impl Verb for Delete {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        if self.name == INBOX {
            return Err(Error::Cannot("INBOX cannot be deleted"));
        }
        let found = find(tx, self.account, &self.name).await?;
        if found.noselect && found.has_children {
            return Err(Error::HasInferiors);
        }
        tx.run(sqlx::query(sql::DOOM).bind(self.account.0).bind(found.folder.0)).await?;
        tx.effects.doomed = true;
        tx.effects.touched.push((found.folder, REMOVED));
        if found.has_children {
            make(tx, self.account, vec![(&self.name, true)], 0).await?;
        }
        Ok(())
    }
}

pub(super) struct Found {
    pub(super) folder: FolderId,
    pub(super) noselect: bool,
    pub(super) has_children: bool,
}

pub(super) async fn find(tx: &mut Tx, account: AccountId, name: &str) -> Result<Found> {
    let (low, high) = inferiors(name);
    let query = sqlx::query(sql::FIND).bind(account.0).bind(name.to_owned()).bind(low).bind(high);
    let row = tx.row(query).await?.ok_or(Error::NoSuchFolder)?;
    Ok(Found { folder: FolderId(row.try_get(0)?), noselect: row.try_get(1)?, has_children: row.try_get(3)? })
}
