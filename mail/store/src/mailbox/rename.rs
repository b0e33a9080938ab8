//! RENAME (RFC 3501 §6.3.5).

use sqlx::Row;

use crate::account::AccountId;
use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::create::{existing, make};
use crate::mailbox::name::{INBOX, inferiors, lineage};
use crate::mailbox::{FolderId, canonical, delete, sql};

pub(super) struct Rename {
    pub(super) account: AccountId,
    pub(super) from: String,
    pub(super) to: String,
}

impl Verb for Rename {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let (low, high) = inferiors(&self.from);
        if self.to >= low && self.to < high && self.from != INBOX {
            return Err(Error::Cannot("a mailbox cannot be moved below itself"));
        }
        let (known, count) = existing(tx, self.account, lineage(&self.to)).await?;
        let found = delete::find(tx, self.account, &self.from).await?;
        if known.contains_key(&self.to) {
            return Err(Error::FolderExists);
        }
        let missing = lineage(&self.to).filter(|name| !known.contains_key(*name)).map(|name| (name, false));
        if self.from == INBOX {
            let target = make(tx, self.account, missing.collect(), count).await?;
            return empty_inbox(tx, found.folder, target).await;
        }
        self.fits(tx, &low, &high).await?;
        let superiors: Vec<_> = missing.filter(|(name, _)| *name != self.to).collect();
        if !superiors.is_empty() {
            make(tx, self.account, superiors, count).await?;
        }
        let query = sqlx::query(sql::RENAME)
            .bind(self.account.0)
            .bind(self.from.clone())
            .bind(self.to.clone())
            .bind(low)
            .bind(high);
        tx.run(query).await?;
        Ok(())
    }
}

impl Rename {
    /// Every new name of the family keeps the limits.
    async fn fits(&self, tx: &mut Tx, low: &str, high: &str) -> Result<()> {
        let query = sqlx::query(sql::FAMILY)
            .bind(self.account.0)
            .bind(self.from.clone())
            .bind(low.to_owned())
            .bind(high.to_owned());
        for row in tx.rows(query).await? {
            let name: &str = row.try_get(1)?;
            canonical(&format!("{}{}", self.to, &name[self.from.len()..]))?;
        }
        Ok(())
    }
}

/// INBOX itself stays, and so do its inferiors; only the messages move.
async fn empty_inbox(tx: &mut Tx, inbox: FolderId, target: FolderId) -> Result<()> {
    let now = tx.now();
    let row = tx.row(sqlx::query(sql::EMPTY_INBOX).bind(inbox.0).bind(target.0).bind(now)).await?;
    let modseq: i64 = row.map_or(Ok(0), |row| row.try_get(0))?;
    tx.effects.touched.push((inbox, modseq.unsigned_abs()));
    Ok(())
}
