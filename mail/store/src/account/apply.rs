//! Applying a batch of changes: one transaction, a savepoint each, fenced, idempotent.

use sqlx::Row;

use crate::account::{Change, ChangeError, Effect, Fence, alias, domain, fence, mailbox, server, sql};
use crate::commit::{Tx, Verb};
use crate::crash;
use crate::error::{Error, Result};

/// What one change came to.
pub(super) type Attempt = std::result::Result<Effect, Refusal>;

/// Why a change was not made: its own fault, or the transaction's.
pub(super) enum Refusal {
    Change(ChangeError),
    Store(Error),
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        Self::Change(error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// The row that a change is about.
pub(super) fn named<T>(found: Option<T>, name: &str) -> std::result::Result<T, ChangeError> {
    found.ok_or_else(|| ChangeError::NotFound { name: name.into() })
}

pub(super) struct Apply {
    pub(super) batch: Vec<Change>,
    pub(super) fence: Option<Fence>,
}

impl Verb for Apply {
    type Output = Vec<std::result::Result<Effect, ChangeError>>;

    async fn run(&self, tx: &mut Tx) -> Result<Self::Output> {
        if let Some(fence) = &self.fence {
            fence::check(tx, fence).await?;
        }
        if self.batch.iter().any(Change::needs_room) {
            tx.shared.space.take_for_accounts()?;
        }
        let mut results: Vec<Option<Made>> = self.batch.iter().map(|_| None).collect();
        let mut written = 0;
        tx.run(sqlx::query(sql::CHANGE_BEGIN)).await?;
        // Whatever failed may have needed a later change of the batch: again, as long as something moves.
        loop {
            let mut moved = false;
            for (change, result) in self.batch.iter().zip(&mut results) {
                if matches!(result, Some(Ok(_))) {
                    continue;
                }
                let outcome = attempt(tx, change).await?;
                if let Ok(effect) = outcome {
                    moved = true;
                    written += i64::from(effect == Effect::Written);
                }
                *result = Some(outcome);
            }
            if !moved || results.iter().all(|result| matches!(result, Some(Ok(_)))) {
                break;
            }
        }
        tx.run(sqlx::query(sql::CHANGE_END)).await?;
        count(tx, written).await?;
        Ok(results.into_iter().flatten().collect())
    }
}

type Made = std::result::Result<Effect, ChangeError>;

/// Moves the change counter and lets the watchers know after the commit.
pub(super) async fn count(tx: &mut Tx, written: i64) -> Result<()> {
    if written > 0
        && let Some(row) = tx.row(sqlx::query(sql::COUNT_CHANGES).bind(written)).await?
    {
        tx.effects.accounts.push(row.try_get(0)?);
    }
    Ok(())
}

/// One change within its savepoint. An error is the transaction's, not the change's.
async fn attempt(tx: &mut Tx, change: &Change) -> Result<Made> {
    tx.crash_at(crash::CHANGE_BEFORE)?;
    let touched = tx.effects.touched.len();
    let outcome = match make(tx, change).await {
        Ok(Effect::Unchanged) => Ok(Effect::Unchanged),
        Ok(Effect::Written) => {
            tx.run(sqlx::query(sql::CHANGE_NEXT)).await?;
            Ok(Effect::Written)
        }
        Err(Refusal::Change(error)) => {
            tx.effects.touched.truncate(touched);
            tx.run(sqlx::query(sql::CHANGE_BACK)).await?;
            Err(error)
        }
        Err(Refusal::Store(error @ Error::Database(_))) => {
            tx.effects.touched.truncate(touched);
            tx.run(sqlx::query(sql::CHANGE_BACK)).await?;
            Err(ChangeError::Failed(error.to_string()))
        }
        Err(Refusal::Store(error)) => return Err(error),
    };
    tx.crash_at(crash::CHANGE_AFTER)?;
    Ok(outcome)
}

async fn make(tx: &mut Tx, change: &Change) -> Attempt {
    match change {
        Change::PutServer(row) => server::put(tx, row).await,
        Change::PutDomain(row) => domain::put(tx, row).await,
        Change::PutMailbox { row, credential } => mailbox::put(tx, row, credential.as_ref()).await,
        Change::PutAlias(row) => alias::put(tx, row).await,
        Change::DisableDomain(target) => domain::disable(tx, target).await,
        Change::DisableMailbox(target) => mailbox::disable(tx, target).await,
        Change::EnableMailbox(target) => mailbox::enable(tx, target).await,
        Change::DeleteServer(target) => server::delete(tx, target).await,
        Change::DeleteDomain(target) => domain::delete(tx, target).await,
        Change::DeleteMailbox { target, ignore_retention } => {
            mailbox::delete(tx, target, *ignore_retention).await
        }
        Change::DeleteAlias(target) => alias::delete(tx, target).await,
        Change::ReleaseServer(target) => server::release(tx, target).await,
        Change::ReleaseDomain(target) => domain::release(tx, target).await,
        Change::ReleaseMailbox(target) => mailbox::release(tx, target).await,
        Change::ReleaseAlias(target) => alias::release(tx, target).await,
    }
}
