//! APPEND (RFC 3501 §6.3.11, UIDPLUS RFC 4315 §3) of several messages (RFC 3502 §6.3.11), and REPLACE (RFC 8508 §3).

use sqlx::Row;

use crate::account::AccountId;
use crate::blob::{self, Blob};
use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::{FolderId, canonical, keywords, keywords_json};
use crate::message::deliver::present;
use crate::message::flags::{SYSTEM, resolve};
use crate::message::pack::uid;
use crate::message::{Append, Appended, MAX_FOLDER_MESSAGES, account_limit, remove, sql};
use crate::store::Store;

pub(super) async fn append(
    store: &Store,
    account: AccountId,
    name: &str,
    messages: Vec<Append>,
    replaces: Option<(FolderId, u32)>,
) -> Result<Vec<Appended>> {
    let Ok(name) = canonical(name) else { return Err(Error::NoSuchFolder) };
    store.shared.space.take(messages.iter().map(|append| append.raw.len() as u64).sum())?;
    let mut prepared = Vec::with_capacity(messages.len());
    for append in messages {
        let blob = blob::prepare(&store.shared.blobs, &append.raw).await?;
        prepared.push((append, blob));
    }
    store.write(AppendTo { account, name, messages: prepared, replaces }).await
}

struct AppendTo {
    account: AccountId,
    name: String,
    messages: Vec<(Append, Blob)>,
    replaces: Option<(FolderId, u32)>,
}

impl Verb for AppendTo {
    type Output = Vec<Appended>;

    async fn run(&self, tx: &mut Tx) -> Result<Vec<Appended>> {
        if let Some((folder, uid)) = self.replaces {
            // First, so that its bytes are free for what replaces it.
            self.remove(tx, folder, uid).await?;
        }
        let mut appended = Vec::with_capacity(self.messages.len());
        for (append, blob) in &self.messages {
            appended.push(self.one(tx, append, blob).await?);
        }
        Ok(appended)
    }
}

impl AppendTo {
    async fn one(&self, tx: &mut Tx, append: &Append, blob: &Blob) -> Result<Appended> {
        let mut target = target(tx, self.account, &self.name).await?;
        target.has_room_for(blob.size)?;
        target.takes(1)?;
        target.account_takes(1)?;
        let flags = (append.flags & SYSTEM) | resolve(&append.keywords, &mut target.keywords)?;
        let present = present(tx, blob, Some(&append.index.mime)).await?;
        let now = tx.now();
        let digest = append.index.digest.as_ref().filter(|_| present.is_none());
        let query = sqlx::query(sql::APPEND)
            .bind(target.folder.0)
            .bind(self.account.0)
            .bind(flags.cast_signed())
            .bind(keywords_json(&target.keywords))
            .bind(append.internal_date)
            .bind(now)
            .bind(blob.size)
            .bind(blob.hash.as_bytes().to_vec())
            .bind(blob.place as i64)
            .bind(append.index.mime.to_vec())
            .bind(blob.data.clone())
            .bind(present)
            .bind(digest.map(|digest| digest.preview.clone()))
            .bind(digest.map(|digest| digest.thread.to_vec()));
        tx.run(query).await?;
        let Target { folder, uid_validity, uid_next, modseq, .. } = target;
        tx.effects.touched.push((folder, modseq + 1));
        Ok(Appended { folder, uid_validity, uid: uid_next, modseq: modseq + 1 })
    }

    async fn remove(&self, tx: &mut Tx, folder: FolderId, uid: u32) -> Result<()> {
        let query = sqlx::query(sql::REPLACED).bind(folder.0).bind(i64::from(uid)).bind(self.account.0);
        let row = tx.row(query).await?.ok_or(Error::Cannot("the message to be replaced is gone"))?;
        let (size, blob): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        remove::remove(tx, folder, [uid].into_iter()).await?;
        remove::release(tx, Some(self.account.0), size.unsigned_abs(), [blob.unsigned_abs()].into_iter())
            .await
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
