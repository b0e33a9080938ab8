//! Delivery: one message, all its recipients, one round trip inside the group's transaction.
//!
//! All or nothing: when one of the accounts cannot have the message nothing is written for any and nothing is queued, so
//! that a sender who is told to try again never delivers a second copy to the others.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use sqlx::Row;

use crate::account::AccountId;
use crate::blob::{self, Blob, Place};
use crate::commit::{Tx, Verb};
use crate::error::Result;
use crate::mailbox::FolderId;
use crate::message::pack::uid;
use crate::message::{Delivery, Index, MAX_ACCOUNT_MESSAGES, MAX_FOLDER_MESSAGES, Outcome, sql};
use crate::options::UnixTime;
use crate::queue::enqueue::{self, Prepared};
use crate::store::Store;

pub(super) async fn deliver(store: &Store, delivery: Delivery) -> Result<Vec<Outcome>> {
    if delivery.accounts.is_empty() && delivery.outgoing.is_empty() {
        return Ok(Vec::new());
    }
    let deliver = prepare(store, delivery).await?;
    store.write(deliver).await
}

/// Everything that can be done before the transaction.
pub(crate) async fn prepare(store: &Store, delivery: Delivery) -> Result<Deliver> {
    let Delivery { accounts, raw, index, internal_date, outgoing } = delivery;
    let blob = match accounts.is_empty() {
        true => None,
        false => {
            store.shared.space.take(raw.len() as u64)?;
            Some(blob::prepare(&store.shared.blobs, &raw).await?)
        }
    };
    let mut prepared = Vec::with_capacity(outgoing.len());
    for outgoing in outgoing {
        prepared.push(enqueue::prepare(store, outgoing).await?);
    }
    Ok(Deliver { accounts, index, internal_date, blob, outgoing: prepared })
}

/// `delivered.fits` of an account that got the message.
const FITS: i64 = 1;
/// `delivered.fits` of an account that would have got it.
const WITHHELD: i64 = 2;

/// A delivery whose bytes are ready.
pub(crate) struct Deliver {
    accounts: Vec<AccountId>,
    index: Index,
    internal_date: UnixTime,
    /// None: nobody here gets it.
    blob: Option<Blob>,
    outgoing: Vec<Prepared>,
}

impl Verb for Deliver {
    type Output = Vec<Outcome>;

    async fn run(&self, tx: &mut Tx) -> Result<Vec<Outcome>> {
        let outcomes = match &self.blob {
            Some(blob) => self.store(tx, blob).await?,
            None => Vec::new(),
        };
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Delivered { .. })) {
            for outgoing in &self.outgoing {
                enqueue::insert(tx, outgoing).await?;
            }
        }
        Ok(outcomes)
    }
}

impl Deliver {
    async fn store(&self, tx: &mut Tx, blob: &Blob) -> Result<Vec<Outcome>> {
        let present = present(tx, blob, Some(&self.index.mime)).await?;
        let distinct: BTreeSet<i64> = self.accounts.iter().map(|account| account.0).collect();
        let number = distinct.len() as i64;
        let accounts = serde_json::Value::from_iter(distinct);
        let now = tx.now();
        let digest = self.index.digest.as_ref();
        let query = sqlx::query(sql::DELIVER)
            .bind(accounts.to_string())
            .bind(blob.size)
            .bind(blob.hash.as_bytes().to_vec())
            .bind(blob.place as i64)
            .bind(self.index.mime.to_vec())
            .bind(blob.data.clone())
            .bind(self.internal_date)
            .bind(now)
            .bind(present)
            .bind(number)
            .bind(MAX_ACCOUNT_MESSAGES)
            .bind(MAX_FOLDER_MESSAGES)
            .bind(digest.map(|digest| digest.preview.clone()))
            .bind(digest.map(|digest| digest.thread.to_vec()));
        let mut outcomes = HashMap::new();
        for row in tx.rows(query).await? {
            let account = AccountId(row.try_get(0)?);
            let outcome = match row.try_get(1)? {
                FITS => {
                    let modseq: i64 = row.try_get(4)?;
                    tx.effects.touched.push((FolderId(row.try_get(2)?), modseq.unsigned_abs()));
                    Outcome::Delivered { uid: uid(row.try_get::<i64, _>(3)?.unsigned_abs())? }
                }
                WITHHELD => Outcome::Withheld,
                _ => Outcome::OverQuota,
            };
            outcomes.insert(account, outcome);
        }
        Ok(self
            .accounts
            .iter()
            .map(|account| outcomes.get(account).copied().unwrap_or(Outcome::Gone))
            .collect())
    }
}

/// The row of a blob file that other messages have already. One that only the queue had gets the index of a stored message.
pub(crate) async fn present(tx: &mut Tx, blob: &Blob, index: Option<&Bytes>) -> Result<Option<i64>> {
    if blob.place != Place::File {
        return Ok(None);
    }
    if let Some(index) = index {
        let query = sqlx::query(sql::INDEX_BLOB).bind(blob.hash.as_bytes().to_vec()).bind(index.to_vec());
        tx.run(query).await?;
    }
    let row = tx.row(sqlx::query(sql::FIND_BLOB).bind(blob.hash.as_bytes().to_vec())).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}
