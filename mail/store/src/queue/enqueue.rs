//! Into the queue: alone, with local copies ([`crate::Delivery::outgoing`]), or as the report of a settlement.

use sqlx::Row;

use crate::blob::{self, Blob};
use crate::commit::{Tx, Verb};
use crate::crash;
use crate::error::{Error, Result};
use crate::message::present;
use crate::queue::{Outgoing, QueueId, row, sql};
use crate::store::Store;

/// Recipients of one queued message: ten times what MAIL takes (RFC 5321 §4.5.3.1.8 asks for 100), for lists that are
/// expanded here; more is a mailing list.
pub const MAX_RECIPIENTS: usize = 10_000;

/// A message with its bytes ready for the transaction.
pub(crate) struct Prepared {
    outgoing: Outgoing,
    recipients: String,
    blob: Blob,
}

pub(crate) async fn prepare(store: &Store, mut outgoing: Outgoing) -> Result<Prepared> {
    match outgoing.recipients.len() {
        0 => return Err(Error::Cannot("a queued message needs a recipient")),
        1..=MAX_RECIPIENTS => {}
        _ => {
            let limit = MAX_RECIPIENTS as u64;
            return Err(Error::Limit { what: "recipients of a queued message", limit });
        }
    }
    let raw = std::mem::take(&mut outgoing.raw);
    store.shared.space.take(raw.len() as u64)?;
    let blob = blob::prepare(&store.shared.blobs, &raw).await?;
    Ok(Prepared { recipients: row::recipients_json(&outgoing.recipients), outgoing, blob })
}

pub(crate) async fn insert(tx: &mut Tx, prepared: &Prepared) -> Result<QueueId> {
    let Prepared { outgoing, recipients, blob } = prepared;
    tx.crash_at(crash::ENQUEUE_BEFORE)?;
    let present = present(tx, blob, None).await?;
    let now = tx.now();
    let query = sqlx::query(sql::ENQUEUE)
        .bind(blob.hash.as_bytes().to_vec())
        .bind(blob.size)
        .bind(blob.place as i64)
        .bind(blob.data.clone())
        .bind(present)
        .bind(outgoing.id.clone())
        .bind(outgoing.reverse_path.clone())
        .bind(row::ret_number(outgoing.ret))
        .bind(outgoing.envelope_id.clone())
        .bind(outgoing.smtputf8)
        .bind(outgoing.eight_bit)
        .bind(outgoing.submitted_by.map(|account| account.0))
        .bind(now)
        .bind(outgoing.expires)
        .bind(outgoing.next_attempt)
        .bind(recipients.clone());
    let id = tx.row(query).await?.ok_or_else(|| Error::Damaged("a queued message is not there".into()))?;
    tx.effects.queue = true;
    tx.crash_at(crash::ENQUEUE_AFTER)?;
    Ok(QueueId(id.try_get(0)?))
}

pub(super) struct Enqueue(pub(super) Prepared);

impl Verb for Enqueue {
    type Output = QueueId;

    async fn run(&self, tx: &mut Tx) -> Result<QueueId> {
        insert(tx, &self.0).await
    }
}
