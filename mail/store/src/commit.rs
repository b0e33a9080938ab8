//! Group commit: one writer runs all jobs that wait together in one transaction, each in a savepoint, commits once (one
//! fsync) and answers afterwards (DESIGN §5).
//!
//! A job that fails is rolled back alone. When the whole transaction is lost (full disk, failed COMMIT) every job of
//! the group is tried again alone, so that it gets its own answer. Nothing is answered before it is durable.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use sqlx::Connection;
use tokio::sync::mpsc;

use crate::blob::Hash;
use crate::crash;
use crate::error::{Error, Result};
use crate::message::purge::PurgeSlice;
use crate::options::Options;
use crate::store::Lock;

mod job;
mod tx;

pub(crate) use job::{Job, Pending, Verb};
pub(crate) use tx::{Effects, Query, Tx};

const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT job";
const NEXT: &str = "RELEASE job; SAVEPOINT job";
const BACK: &str = "ROLLBACK TO job";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
const STILL_USED: &str =
    "SELECT hash FROM blob WHERE place = 2 AND hash IN (SELECT unhex(value) FROM json_each($1))";

/// A checkpoint that waits for readers, but not long: deliveries wait with it.
const EMPTY_WAL: &str =
    "PRAGMA busy_timeout = 100; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = 60000";

/// The one task that writes.
pub(crate) struct Writer {
    tx: Tx,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    group: usize,
    max_wal: u64,
    candidates: BTreeSet<Hash>,
    doomed: bool,
    _lock: Lock,
}

impl Writer {
    pub(crate) fn new(tx: Tx, jobs: mpsc::Receiver<Box<dyn Job>>, options: &Options, lock: Lock) -> Self {
        let (group, max_wal) = (options.group.max(1), options.max_wal);
        // A purge may have been interrupted by the last stop: the first group looks.
        Self { tx, jobs, group, max_wal, candidates: BTreeSet::new(), doomed: true, _lock: lock }
    }

    /// Works until every sender is gone; true when nothing is left to sweep at the next open.
    pub(crate) async fn serve(mut self) -> bool {
        let mut batch = Vec::new();
        loop {
            let more = self.gather(&mut batch).await;
            if batch.is_empty() && !more {
                break;
            }
            let done = match self.commit(mem::take(&mut batch)).await {
                Ok(()) => self.tidy().await,
                crashed => crashed,
            };
            if done.is_err() {
                // Dropping the connection in the middle of a transaction is what a killed process does.
                return false;
            }
        }
        let clean = self.candidates.is_empty();
        if let Err(error) = self.tx.connection.close().await {
            tracing::warn!(%error, "closing the database");
        }
        clean
    }

    /// Takes what waits; waits itself only when there is nothing to purge. False: no job will come any more.
    async fn gather(&mut self, batch: &mut Vec<Box<dyn Job>>) -> bool {
        if self.doomed {
            while batch.len() < self.group {
                match self.jobs.try_recv() {
                    Ok(job) => batch.push(job),
                    Err(mpsc::error::TryRecvError::Disconnected) if batch.is_empty() => return false,
                    Err(_) => break,
                }
            }
            self.doomed = false;
            batch.push(Pending::job(PurgeSlice).0);
            return true;
        }
        self.jobs.recv_many(batch, self.group).await > 0
    }

    /// One group. An error here means that the store is dead (crash hook).
    async fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) -> Result<()> {
        match self.together(&mut batch).await {
            Ok(failures) => {
                self.publish();
                for (job, failure) in batch.into_iter().zip(failures) {
                    job.answer(failure);
                }
                Ok(())
            }
            Err(Error::Crashed) => {
                batch.into_iter().for_each(|job| job.answer(Some(Error::Crashed)));
                Err(Error::Crashed)
            }
            Err(error) => {
                tracing::warn!(%error, jobs = batch.len(), "transaction lost");
                // It may have been rolled back by SQLite already.
                let _ = self.tx.patiently(ROLLBACK).await;
                self.one_by_one(batch, error).await
            }
        }
    }

    async fn one_by_one(&mut self, mut batch: Vec<Box<dyn Job>>, error: Error) -> Result<()> {
        if batch.len() == 1 {
            self.tx.shared.counters.failed.fetch_add(1, Ordering::Relaxed);
            if let Some(job) = batch.pop() {
                job.answer(Some(error));
            }
            return Ok(());
        }
        let mut dead = Ok(());
        for job in batch {
            match dead {
                Ok(()) => dead = Box::pin(self.commit(vec![job])).await,
                Err(_) => job.answer(Some(Error::Crashed)),
            }
        }
        dead
    }

    /// Runs and commits a group; each job's failure in its place. An error means that nothing of it is committed (or,
    /// for a crash, that nobody may be told).
    async fn together(&mut self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Option<Error>>> {
        let tx = &mut self.tx;
        tx.effects = Effects::default();
        tx.patiently(BEGIN).await?;
        let mut failures = Vec::with_capacity(batch.len());
        let last = batch.len() - 1;
        for (i, job) in batch.iter_mut().enumerate() {
            tx.crash_at(crash::JOB_BEFORE)?;
            let mark = tx.effects.mark();
            let failure = match job.run(tx).await {
                Ok(()) if i < last => tx.patiently(NEXT).await.map(|()| None)?,
                Ok(()) => None,
                Err(Error::Crashed) => return Err(Error::Crashed),
                Err(error) => {
                    tx.effects.back_to(mark);
                    // Without its savepoint the transaction is gone, and the neighbours' work with it.
                    if tx.patiently(BACK).await.is_err() {
                        return Err(error);
                    }
                    Some(error)
                }
            };
            failures.push(failure);
            tx.crash_at(crash::JOB_AFTER)?;
        }
        tx.crash_at(crash::COMMIT_BEFORE)?;
        let start = Instant::now();
        tx.patiently(COMMIT).await?;
        let failed = failures.iter().filter(|f| f.is_some()).count();
        tx.shared.counters.committed(batch.len(), failed, start.elapsed());
        tx.crash_at(crash::COMMIT_AFTER)?;
        Ok(failures)
    }

    /// Tells the watchers; notes what there is to sweep, before anybody is answered.
    fn publish(&mut self) {
        let effects = mem::take(&mut self.tx.effects);
        let shared = &self.tx.shared;
        shared.watchers.publish(&effects.touched);
        if let Some(&counter) = effects.accounts.last() {
            shared.accounts.send_replace(counter);
        }
        if effects.queue {
            shared.queue.send_modify(|commits| *commits += 1);
        }
        self.candidates.extend(effects.garbage);
        self.doomed |= effects.doomed;
        self.note_cleaning();
    }

    fn note_cleaning(&self) {
        let cleaning = self.doomed || !self.candidates.is_empty() || self.tx.shared.blobs.has_released();
        self.tx.shared.cleaning.store(cleaning, Ordering::SeqCst);
    }

    /// Empties a log that the readers kept from being emptied; SQLite's own checkpoints never wait for them.
    async fn bound_wal(&mut self) {
        let log = self.tx.shared.directory.join("mailwright.db-wal");
        if std::fs::metadata(log).is_ok_and(|log| log.len() > self.max_wal)
            && let Err(error) = self.tx.run(sqlx::query(EMPTY_WAL)).await
        {
            tracing::warn!(%error, "cannot empty the write-ahead log");
        }
    }

    /// Removes blob files that no row names and no delivery is about to name.
    async fn tidy(&mut self) -> Result<()> {
        self.bound_wal().await;
        let shared = Arc::clone(&self.tx.shared);
        self.candidates.extend(shared.blobs.take_released());
        if !self.candidates.is_empty() {
            let kept = self.still_used().await;
            let mut left = BTreeSet::new();
            for hash in mem::take(&mut self.candidates) {
                match &kept {
                    Ok(used) if used.contains(&hash) => {}
                    Ok(_) if shared.remove_blob(hash).await? => {}
                    _ => drop(left.insert(hash)),
                }
            }
            self.candidates = left;
        }
        self.note_cleaning();
        Ok(())
    }

    async fn still_used(&mut self) -> Result<BTreeSet<Hash>> {
        let names: Vec<String> = self.candidates.iter().map(|hash| hash.to_hex()).collect();
        let names = serde_json::Value::from(names).to_string();
        self.tx.rows(sqlx::query(STILL_USED).bind(names)).await?.iter().map(Hash::from_row).collect()
    }
}

#[cfg(test)]
mod tests;
