//! CREATE (RFC 3501 §6.3.3).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::Row;

use crate::account::AccountId;
use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::folder::{use_name, use_of_name};
use crate::mailbox::name::{FOLDERS_MAX, lineage};
use crate::mailbox::{FolderId, SpecialUse, sql};

pub(super) struct Create {
    pub(super) account: AccountId,
    pub(super) name: String,
    /// Asked for by the client; a name may have one of its own.
    pub(super) special_use: Option<SpecialUse>,
}

impl Verb for Create {
    type Output = FolderId;

    async fn run(&self, tx: &mut Tx) -> Result<FolderId> {
        let (existing, count) = existing(tx, self.account, lineage(&self.name)).await?;
        if let Some(special) = self.special_use {
            let query = sqlx::query(sql::HAS_USE).bind(self.account.0).bind(use_name(special));
            if tx.row(query).await?.is_some() {
                return Err(Error::SpecialUseTaken);
            }
        }
        let folder = match existing.get(&self.name) {
            Some((_, false)) => return Err(Error::FolderExists),
            Some((folder, true)) => {
                let now = tx.now();
                tx.run(sqlx::query(sql::REVIVE).bind(folder.0).bind(now)).await?;
                *folder
            }
            None => {
                let missing = lineage(&self.name).filter(|name| !existing.contains_key(*name));
                make(tx, self.account, missing.map(|name| (name, false)).collect(), count).await?
            }
        };
        if let Some(special) = self.special_use {
            tx.run(sqlx::query(sql::GIVE_USE).bind(folder.0).bind(use_name(special))).await?;
        }
        Ok(folder)
    }
}

/// Which of these names exist (and whether they are \Noselect), and how many folders the account has.
pub(super) async fn existing(
    tx: &mut Tx,
    account: AccountId,
    names: impl Iterator<Item = &str> + Send,
) -> Result<(BTreeMap<String, (FolderId, bool)>, u64)> {
    let names = Value::from_iter(names).to_string();
    let rows = tx.rows(sqlx::query(sql::EXISTING).bind(account.0).bind(names)).await?;
    let Some(first) = rows.first() else { return Err(Error::NoSuchAccount) };
    let count: i64 = first.try_get(3)?;
    let mut existing = BTreeMap::new();
    for row in &rows {
        if let Some(id) = row.try_get(0)? {
            existing.insert(row.try_get(1)?, (FolderId(id), row.try_get(2)?));
        }
    }
    Ok((existing, count.unsigned_abs()))
}

/// Makes folders `(name, noselect)`; answers the last one's id.
pub(super) async fn make(
    tx: &mut Tx,
    account: AccountId,
    names: Vec<(&str, bool)>,
    count: u64,
) -> Result<FolderId> {
    if count + names.len() as u64 > FOLDERS_MAX {
        return Err(Error::Limit { what: "mailboxes of an account", limit: FOLDERS_MAX });
    }
    let last = names.last().map(|(name, _)| (*name).to_owned());
    let rows = Value::from_iter(names.iter().map(|(name, noselect)| {
        json!([name, use_of_name(name).filter(|_| !noselect), i64::from(*noselect)])
    }));
    let now = tx.now();
    let query = sqlx::query(sql::CREATE).bind(account.0).bind(now).bind(rows.to_string()).bind(last);
    match tx.row(query).await? {
        Some(row) => Ok(FolderId(row.try_get(0)?)),
        None => Err(Error::NoSuchAccount),
    }
}
