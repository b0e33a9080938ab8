//! Observing and applying: the two halves of a reconciliation that need the database.

use std::collections::BTreeSet;
use std::sync::Arc;

use mailwright_plan::operation::{FailureReason, Material};
use mailwright_plan::{Batch, BatchReply, Change, Observed, Operation, Outcome, Verdict};
use mailwright_store::{ChangeError, Effect, NewPassword};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::convert::{self, Hashes};
use super::history;
use super::wire::{ErrorCode, Stats};
use super::{Management, ManagementError};
use crate::auth::hash::PasswordHash;

/// New passwords hashed at once, so that a large batch leaves checkers free for people who log in.
const HASHED_AT_ONCE: usize = 1;

impl Management {
    /// Every row of the account database in one snapshot.
    pub async fn observe(&self) -> Result<Observed, ManagementError> {
        convert::observed(self.store.accounts().observe().await?)
    }

    /// The same, or `None` while the change counter is still this one.
    pub async fn observe_since(&self, counter: Option<u64>) -> Result<Option<Observed>, ManagementError> {
        if let Some(counter) = counter {
            let now = self.store.accounts().change_counter().await?;
            if u64::try_from(now) == Ok(counter) {
                return Ok(None);
            }
        }
        self.observe().await.map(Some)
    }

    /// The mailboxes and aliases of these addresses and nothing else, in one snapshot.
    pub async fn observe_addresses(&self, addresses: &BTreeSet<String>) -> Result<Observed, ManagementError> {
        convert::observed(self.store.accounts().observe_addresses(addresses).await?)
    }

    /// Applies operations of one plan: one transaction, a savepoint per operation, and with [`Batch::whole`] all of them or none. Plain
    /// passwords are hashed here.
    pub async fn apply(&self, batch: Batch) -> Result<BatchReply, ManagementError> {
        if batch.operations.iter().any(|operation| operation.held.is_some()) {
            let message =
                "the batch contains operations that a guard holds back; approve the plan's digest first";
            return Err(ManagementError::new(ErrorCode::Refused, message));
        }
        let hashes = self.hashes(&batch).await?;
        let mut verdicts: Vec<Option<Verdict>> = vec![None; batch.operations.len()];
        let mut changes = Vec::new();
        let mut positions = Vec::new();
        for (position, operation) in batch.operations.iter().enumerate() {
            match to_change(operation, &batch, &hashes) {
                Ok(change) => {
                    changes.push((change, history::note(operation)));
                    positions.push(position);
                }
                Err(verdict) => verdicts[position] = Some(verdict),
            }
        }
        let fence = batch.fence.as_ref().map(convert::fence);
        let (acts, cause) = (history::acts(&batch), history::cause(&batch));
        let accounts = self.store.accounts();
        let results = match batch.whole {
            false => accounts.apply_noted(changes, acts, cause, fence).await?,
            true if positions.len() == verdicts.len() => {
                accounts.apply_whole(changes, acts, cause, fence).await?
            }
            true => positions.iter().map(|_| Err(ChangeError::NotAlone)).collect(),
        };
        let written = results.iter().filter(|made| matches!(made, Ok(Effect::Written))).count();
        for (position, result) in positions.into_iter().zip(results) {
            verdicts[position] = Some(match result {
                Ok(_) => Verdict::Applied,
                Err(error) => failed(failure(&error), error.to_string()),
            });
        }
        let unanswered = || failed(FailureReason::Database, "the database did not answer".into());
        let outcomes = batch.operations.iter().zip(verdicts);
        let outcomes =
            outcomes.map(|(operation, verdict)| Outcome::of(operation, verdict.unwrap_or_else(unanswered)));
        let outcomes = outcomes.collect();
        let change_counter = u64::try_from(self.store.accounts().change_counter().await?).unwrap_or_default();
        Ok(BatchReply { outcomes, change_counter, written: u64::try_from(written).ok() })
    }

    /// The hash of every password that the batch sets, by fingerprint; one that is not usable is left out.
    async fn hashes(&self, batch: &Batch) -> Result<Hashes, ManagementError> {
        let mut hashes = Hashes::new();
        let mut work = JoinSet::new();
        for fingerprint in batch.operations.iter().filter_map(fingerprint) {
            let Some(material) = batch.credentials.get(fingerprint) else { continue };
            match material {
                Material::Hash(hash) => {
                    if PasswordHash::parse(hash).is_ok() {
                        let password = NewPassword { hash: hash.clone(), scram: None };
                        hashes.insert(fingerprint.to_owned(), password);
                    }
                }
                Material::Plain(password) => {
                    if work.len() >= HASHED_AT_ONCE {
                        finish(&mut work, &mut hashes).await;
                    }
                    let hasher = Arc::clone(&self.hasher);
                    let (fingerprint, password) = (fingerprint.to_owned(), Zeroizing::new(password.clone()));
                    work.spawn(async move { (fingerprint, hasher.hash(password).await) });
                }
            }
        }
        while !work.is_empty() {
            finish(&mut work, &mut hashes).await;
        }
        Ok(hashes)
    }

    /// Counts for people and dashboards.
    pub async fn stats(&self) -> Result<Stats, ManagementError> {
        let accounts = self.store.accounts().observe().await?;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let active = accounts.mailboxes.iter().filter(|mailbox| mailbox.is_active()).count();
        Ok(Stats {
            domains: count(accounts.domains.iter().filter(|domain| domain.disabled_at.is_none()).count()),
            mailboxes: count(active),
            disabled_mailboxes: count(accounts.mailboxes.len() - active),
            aliases: count(accounts.aliases.len()),
            used_bytes: accounts.mailboxes.iter().map(|mailbox| mailbox.used_bytes).sum(),
            sessions: count(self.sessions().len()),
            change_counter: u64::try_from(accounts.change_counter).unwrap_or_default(),
        })
    }
}

async fn finish(
    work: &mut JoinSet<(String, Result<NewPassword, crate::auth::hash::HashError>)>,
    hashes: &mut Hashes,
) {
    match work.join_next().await {
        Some(Ok((fingerprint, Ok(hash)))) => {
            hashes.insert(fingerprint, hash);
        }
        Some(Ok((_, Err(error)))) => tracing::warn!(%error, "a declared password cannot be hashed"),
        Some(Err(_)) | None => {}
    }
}

fn fingerprint(operation: &Operation) -> Option<&str> {
    match &operation.change {
        Change::PutMailbox { credential: Some(credential), .. } => Some(&credential.fingerprint),
        _ => None,
    }
}

fn to_change(
    operation: &Operation,
    batch: &Batch,
    hashes: &Hashes,
) -> Result<mailwright_store::Change, Verdict> {
    let hash = fingerprint(operation).and_then(|fingerprint| hashes.get(fingerprint)).cloned();
    convert::change(&operation.change, &batch.source_id, hash).ok_or_else(|| {
        let material = fingerprint(operation).and_then(|fingerprint| batch.credentials.get(fingerprint));
        let why = match material {
            None => "its password was not handed over".to_owned(),
            Some(Material::Plain(_)) => "its password is empty or longer than 1024 bytes".to_owned(),
            Some(Material::Hash(hash)) => PasswordHash::parse(hash)
                .err()
                .map_or_else(|| "its password hash is not usable".to_owned(), |error| error.to_string()),
        };
        failed(FailureReason::Credential, why)
    })
}

fn failed(reason: FailureReason, message: String) -> Verdict {
    Verdict::Failed { reason, message }
}

fn failure(error: &ChangeError) -> FailureReason {
    match error {
        ChangeError::Conflict { .. } | ChangeError::Taken { .. } => FailureReason::Conflict,
        ChangeError::NoSuchDomain { .. } | ChangeError::NotFound { .. } => FailureReason::NotFound,
        ChangeError::InUse { .. } | ChangeError::NotDisabled { .. } => FailureReason::InUse,
        ChangeError::Retained { .. } | ChangeError::Held { .. } => FailureReason::InUse,
        ChangeError::NotAlone => FailureReason::NotAlone,
        ChangeError::Invalid { .. } | ChangeError::Failed(_) => FailureReason::Database,
    }
}
