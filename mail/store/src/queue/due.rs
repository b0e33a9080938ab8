//! Whose time has come: leasing, renewing, giving back.
//!
//! Readers look for candidates along an index, so that the writer, for which deliveries wait, only takes those by number. A
//! lease belongs to this run of the process: the directory's lock keeps others away, and opening voids what a dead one left.
//! (On PostgreSQL the two steps are one `SELECT … FOR UPDATE SKIP LOCKED` with an owner beside the lease.)

use std::sync::atomic::Ordering;

use sqlx::Row;

use crate::commit::{Tx, Verb};
use crate::crash;
use crate::error::Result;
use crate::options::UnixTime;
use crate::queue::{Due, Lease, QueueId, RecipientId, row, sql};
use crate::store::Store;

pub(super) async fn due(
    store: &Store,
    now: UnixTime,
    limit: usize,
    until: UnixTime,
    busy: &[String],
) -> Result<Vec<Due>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let busy = serde_json::Value::from(busy).to_string();
    let mut ids: Vec<i64> = Vec::new();
    for statement in [sql::EXPIRED, sql::WAITING] {
        let left = limit - ids.len() as i64;
        let query = sqlx::query(statement).bind(now).bind(busy.clone()).bind(left);
        for row in query.fetch_all(&store.readers).await? {
            ids.push(row.try_get(0)?);
        }
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let lease = Lease(store.shared.leases.fetch_add(1, Ordering::Relaxed) + 1);
    store.write(Take { ids: row::numbers(ids), now, until, lease }).await
}

struct Take {
    ids: String,
    now: UnixTime,
    until: UnixTime,
    lease: Lease,
}

impl Verb for Take {
    type Output = Vec<Due>;

    async fn run(&self, tx: &mut Tx) -> Result<Vec<Due>> {
        let query =
            sqlx::query(sql::LEASE).bind(self.now).bind(self.ids.clone()).bind(self.lease.0).bind(self.until);
        let mut found: Vec<Due> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for row in tx.rows(query).await? {
            let id = QueueId(row.try_get(0)?);
            let place = match places.get(&id) {
                Some(place) => *place,
                None => {
                    let message = row::message(&row)?;
                    found.push(Due { lease: self.lease, message, recipients: Vec::new() });
                    places.insert(id, found.len() - 1);
                    found.len() - 1
                }
            };
            found[place].recipients.push(row::recipient(&row)?);
        }
        tx.crash_at(crash::LEASE_AFTER)?;
        Ok(found)
    }
}

pub(super) struct Renew {
    pub(super) held: Vec<(Lease, QueueId)>,
    pub(super) until: UnixTime,
}

impl Verb for Renew {
    type Output = u64;

    async fn run(&self, tx: &mut Tx) -> Result<u64> {
        let pairs = self.held.iter().map(|(lease, message)| serde_json::json!([lease.0, message.0]));
        let pairs = pairs.collect::<serde_json::Value>().to_string();
        tx.run(sqlx::query(sql::RENEW).bind(pairs).bind(self.until)).await
    }
}

pub(super) struct GiveBack {
    pub(super) lease: Lease,
    pub(super) recipients: Vec<RecipientId>,
}

impl Verb for GiveBack {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let ids = row::numbers(self.recipients.iter().map(|id| id.0));
        if tx.run(sqlx::query(sql::GIVE_BACK).bind(self.lease.0).bind(ids)).await? > 0 {
            tx.effects.queue = true;
        }
        Ok(())
    }
}

pub(super) async fn next(store: &Store, busy: &[String]) -> Result<Option<UnixTime>> {
    let busy = serde_json::Value::from(busy).to_string();
    let waiting: Option<UnixTime> =
        sqlx::query_scalar(sql::NEXT_DUE).bind(busy).fetch_optional(&store.readers).await?;
    let expiring: Option<UnixTime> =
        sqlx::query_scalar(sql::NEXT_EXPIRED).fetch_optional(&store.readers).await?;
    Ok([waiting, expiring].into_iter().flatten().min())
}
