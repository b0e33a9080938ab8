//! APPEND (RFC 3501 §6.3.11, UIDPLUS RFC 4315 §3).

use sqlx::Row;

use crate::account::AccountId;
use crate::blob::{self, Blob};
use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::{FolderId, canonical, keywords, keywords_json};
use crate::message::deliver::present;
use crate::message::flags::{SYSTEM, resolve};
use crate::message::pack::uid;
use crate::message::{Append, Appended, MAX_FOLDER_MESSAGES, account_limit, sql};
use crate::store::Store;

pub(super) async fn append(
    store: &Store,
    account: AccountId,
    name: &str,
    append: Append,
) -> Result<Appended> {
    let Ok(name) = canonical(name) else { return Err(Error::NoSuchFolder) };
    store.shared.space.take(append.raw.len() as u64)?;
    let blob = blob::prepare(&store.shared.blobs, &append.raw).await?;
    store.write(AppendTo { account, name, append, blob }).await
}

struct AppendTo {
    account: AccountId,
    name: String,
    append: Append,
    blob: Blob,
}

impl Verb for AppendTo {
    type Output = Appended;

    async fn run(&self, tx: &mut Tx) -> Result<Appended> {
        let mut target = target(tx, self.account, &self.name).await?;
        target.has_room_for(self.blob.size)?;
        target.takes(1)?;
        target.account_takes(1)?;
        let flags = (self.append.flags & SYSTEM) | resolve(&self.append.keywords, &mut target.keywords)?;
        let present = present(tx, &self.blob, Some(&self.append.index)).await?;
        let now = tx.now();
        let query = sqlx::query(sql::APPEND)
            .bind(target.folder.0)
            .bind(self.account.0)
            .bind(flags.cast_signed())
            .bind(keywords_json(&target.keywords))
            .bind(self.append.internal_date)
            .bind(now)
            .bind(self.blob.size)
            .bind(self.blob.hash.as_bytes().to_vec())
            .bind(self.blob.place as i64)
            .bind(self.append.index.to_vec())
            .bind(self.blob.data.clone())
            .bind(present);
        tx.run(query).await?;
        let Target { folder, uid_validity, uid_next, modseq, .. } = target;
        tx.effects.touched.push((folder, modseq + 1));
        Ok(Appended { folder, uid_validity, uid: uid_next, modseq: modseq + 1 })
    }
}

/// A folder that messages go to.
pub(super) struct Target {
    pub(super) folder: FolderId,
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    pub(super) modseq: u64,
    pub(super) keywords: Vec<String>,
    used: i64,
    quota: Option<i64>,
    messages: i64,
    account_messages: i64,
}

impl Target {
    pub(super) fn has_room_for(&self, bytes: i64) -> Result<()> {
        match self.quota {
            Some(quota) if self.used.saturating_add(bytes) > quota => Err(Error::OverQuota),
            _ => Ok(()),
        }
    }

    /// The folder's limit.
    pub(super) fn takes(&self, messages: usize) -> Result<()> {
        within("messages of a mailbox", self.messages, messages, MAX_FOLDER_MESSAGES)
    }

    /// The account's limit, for messages that are new in it.
    pub(super) fn account_takes(&self, messages: usize) -> Result<()> {
        within("messages of an account", self.account_messages, messages, account_limit(self.quota))
    }
}

fn within(what: &'static str, present: i64, more: usize, limit: i64) -> Result<()> {
    let fits = i64::try_from(more).is_ok_and(|more| present.saturating_add(more) <= limit);
    if fits { Ok(()) } else { Err(Error::Limit { what, limit: limit.unsigned_abs() }) }
}

pub(super) async fn target(tx: &mut Tx, account: AccountId, name: &str) -> Result<Target> {
    let query = sqlx::query(sql::TARGET).bind(account.0).bind(name.to_owned());
    let row = tx.row(query).await?.ok_or(Error::NoSuchFolder)?;
    if row.try_get(1)? {
        return Err(Error::NotSelectable);
    }
    Ok(Target {
        folder: FolderId(row.try_get(0)?),
        uid_validity: uid(row.try_get::<i64, _>(2)?.unsigned_abs())?,
        uid_next: uid(row.try_get::<i64, _>(3)?.unsigned_abs())?,
        modseq: row.try_get::<i64, _>(4)?.unsigned_abs(),
        keywords: keywords(row.try_get(5)?)?,
        used: row.try_get(6)?,
        quota: row.try_get(7)?,
        messages: row.try_get(8)?,
        account_messages: row.try_get(9)?,
    })
}
