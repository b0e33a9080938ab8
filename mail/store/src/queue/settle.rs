//! The end of an attempt: who leaves, who waits, and the report about it, in one transaction, so that no message is
//! reported twice or gone without a report.

use std::collections::BTreeSet;

use sqlx::Row;

use crate::blob::Hash;
use crate::commit::{Tx, Verb};
use crate::crash;
use crate::error::{Error, Result};
use crate::message::{Deliver, Outcome};
use crate::queue::{Lease, QueueId, RecipientId, SettleOutcome, Settled, Settlement, row, sql};
use crate::store::Store;

pub(super) async fn settle(store: &Store, settlement: Settlement) -> Result<SettleOutcome> {
    let Settlement { lease, message, results, delivery } = settlement;
    let done = |(id, result): &(RecipientId, Settled)| (*result == Settled::Done).then_some(*id);
    let done: Vec<RecipientId> = results.iter().filter_map(done).collect();
    let mut verb = Settle { lease, message, results, report: None };
    let written = match delivery {
        None => return store.write(verb).await,
        Some(delivery) => match crate::message::prepare(store, delivery).await {
            Ok(report) => {
                verb.report = Some(report);
                store.write(verb).await
            }
            Err(error) => Err(error),
        },
    };
    if matches!(written, Err(Error::NoSpace)) && !done.is_empty() {
        // No room for the report: that some have the message is noted all the same, or they would get it again.
        let results = done.into_iter().map(|id| (id, Settled::Done)).collect();
        store.write(Settle { lease, message, results, report: None }).await?;
    }
    written
}

struct Settle {
    lease: Lease,
    message: QueueId,
    results: Vec<(RecipientId, Settled)>,
    report: Option<Deliver>,
}

impl Verb for Settle {
    type Output = SettleOutcome;

    async fn run(&self, tx: &mut Tx) -> Result<SettleOutcome> {
        tx.crash_at(crash::SETTLE_BEFORE)?;
        let mut outcome = SettleOutcome { lost: self.lost(tx).await?, ..SettleOutcome::default() };
        let done = |result: &Settled| *result == Settled::Done;
        self.leave(tx, done).await?;
        let blocked = self.results.iter().any(|(id, result)| !done(result) && outcome.lost.contains(id));
        if !blocked {
            if let Some(report) = &self.report {
                outcome.outcomes = report.run(tx).await?;
            }
            let stored = |outcome: &Outcome| matches!(outcome, Outcome::Delivered { .. });
            outcome.complete = outcome.outcomes.iter().all(stored);
        }
        if outcome.complete {
            self.leave(tx, |result| matches!(result, Settled::Failed { .. })).await?;
            self.defer(tx).await?;
        }
        drop_empty(tx, [self.message.0]).await?;
        // Whoever waits for a place at this destination looks again.
        tx.effects.queue = true;
        tx.crash_at(crash::SETTLE_AFTER)?;
        Ok(outcome)
    }
}

impl Settle {
    async fn lost(&self, tx: &mut Tx) -> Result<Vec<RecipientId>> {
        let ids = row::numbers(self.results.iter().map(|(id, _)| id.0));
        let query = sqlx::query(sql::LEASED).bind(self.message.0).bind(ids).bind(self.lease.0);
        let mut held = BTreeSet::new();
        for row in tx.rows(query).await? {
            held.insert(row.try_get::<i64, _>(0)?);
        }
        Ok(self.results.iter().map(|(id, _)| *id).filter(|id| !held.contains(&id.0)).collect())
    }

    async fn leave(&self, tx: &mut Tx, who: impl Fn(&Settled) -> bool) -> Result<()> {
        let ids: Vec<i64> =
            self.results.iter().filter(|(_, result)| who(result)).map(|(id, _)| id.0).collect();
        if !ids.is_empty() {
            tx.run(sqlx::query(sql::LEAVE).bind(self.message.0).bind(row::numbers(ids))).await?;
        }
        Ok(())
    }

    async fn defer(&self, tx: &mut Tx) -> Result<()> {
        let deferred = self.results.iter().filter_map(|(id, result)| match result {
            Settled::Deferred { next_attempt, reply, delay_reported } => {
                Some(serde_json::json!([id.0, next_attempt, row::reply(reply), i64::from(*delay_reported)]))
            }
            Settled::Done | Settled::Failed { .. } => None,
        });
        let deferred: Vec<_> = deferred.collect();
        if !deferred.is_empty() {
            tx.run(sqlx::query(sql::DEFER).bind(serde_json::Value::from(deferred).to_string())).await?;
        }
        Ok(())
    }
}

/// Messages without recipients leave, and their bytes with them.
pub(super) async fn drop_empty(tx: &mut Tx, messages: impl IntoIterator<Item = i64>) -> Result<u64> {
    let dropped = tx.rows(sqlx::query(sql::DROP_EMPTY).bind(row::numbers(messages))).await?;
    if dropped.is_empty() {
        return Ok(0);
    }
    let blobs: Vec<i64> = dropped.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    for row in tx.rows(sqlx::query(sql::DROP_BLOBS).bind(row::numbers(blobs))).await? {
        tx.effects.garbage.push(Hash::from_row(&row)?);
    }
    Ok(dropped.len() as u64)
}
