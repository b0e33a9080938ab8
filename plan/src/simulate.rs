//! What applying does, as a pure function: the model that the account database is tested against, and what guards and
//! effects ask about the state after a plan.
//!
//! The model refuses what the database refuses: rows of another source, names that are taken, domains that still have
//! addresses, mailboxes whose retention is not over.

mod tables;

use chrono::{DateTime, Utc};

use crate::observed::{Management, Observed, SetBy};
use crate::operation::{Batch, BatchReply, Change, FailureReason, Operation, Outcome, Plan, Verdict};
use tables::Tables;

/// The state after applying what the plan does not hold back.
pub fn apply(observed: &Observed, plan: &Plan, now: DateTime<Utc>) -> Observed {
    apply_operations(observed, &plan.source_id, plan.applicable(), now).0
}

/// The state after some operations, and what became of each.
pub fn apply_operations<'a>(
    observed: &Observed,
    source_id: &str,
    operations: impl IntoIterator<Item = &'a Operation>,
    now: DateTime<Utc>,
) -> (Observed, Vec<Outcome>) {
    let mut tables = Tables::from(observed);
    let outcomes = operations
        .into_iter()
        .map(|operation| Outcome::of(operation, tables.verdict(source_id, &operation.change, now)))
        .collect();
    (tables.into_observed(), outcomes)
}

/// What the management API would do with a batch: as [`apply_operations`], and passwords must have been handed over.
pub fn apply_batch(observed: &mut Observed, batch: &Batch, now: DateTime<Utc>) -> BatchReply {
    let mut tables = Tables::from(&*observed);
    let mut outcomes = Vec::new();
    for operation in &batch.operations {
        let verdict = match missing_material(batch, &operation.change) {
            Some(verdict) => verdict,
            None => tables.verdict(&batch.source_id, &operation.change, now),
        };
        outcomes.push(Outcome::of(operation, verdict));
    }
    *observed = tables.into_observed();
    BatchReply { outcomes, change_counter: observed.change_counter }
}

fn missing_material(batch: &Batch, change: &Change) -> Option<Verdict> {
    let Change::PutMailbox { credential: Some(credential), .. } = change else { return None };
    (!batch.credentials.contains_key(&credential.fingerprint)).then(|| Verdict::Failed {
        reason: FailureReason::Credential,
        message: "the password was not handed over with the plan".to_owned(),
    })
}

/// Why a change is refused, and which row stands in its way.
pub(crate) struct Refused {
    pub(crate) reason: FailureReason,
    pub(crate) blocker: String,
}

impl Tables {
    fn verdict(&mut self, source_id: &str, change: &Change, now: DateTime<Utc>) -> Verdict {
        match self.change(source_id, change, now) {
            Ok(()) => Verdict::Applied,
            Err(Refused { reason, blocker }) => {
                Verdict::Failed { reason, message: format!("{blocker} is in the way") }
            }
        }
    }

    /// Applies one change; counts it when it wrote something.
    pub(crate) fn change(
        &mut self,
        source_id: &str,
        change: &Change,
        now: DateTime<Utc>,
    ) -> Result<(), Refused> {
        let (kind, key) = change.key();
        if let Some(owner) = self.owner(kind, key)
            && owner.managed_by != source_id
        {
            return Err(Refused { reason: FailureReason::Conflict, blocker: key.to_owned() });
        }
        let wrote = match change {
            Change::PutServer { declared, owner } => self.put_server(declared, owner),
            Change::PutDomain { declared, owner } => self.put_domain(declared, owner)?,
            Change::PutMailbox { declared, owner, credential } => {
                let wrote = self.put_mailbox(declared, owner)?;
                let credential = credential.as_ref().filter(|credential| {
                    credential.management == Management::Enforced
                        || self.set_by(&declared.address) != Some(SetBy::Owner)
                });
                wrote
                    | credential.is_some_and(|credential| self.set_credential(&declared.address, credential))
            }
            Change::PutAlias { declared, owner } => self.put_alias(declared, owner)?,
            Change::DisableDomain { domain } => self.remove_domain_from_service(domain, now)?,
            Change::DisableMailbox { address } => self.remove_mailbox_from_service(address, now)?,
            Change::DeleteServer { name } => self.delete_server(name)?,
            Change::DeleteDomain { domain } => self.delete_domain(domain)?,
            Change::DeleteMailbox { address } => self.delete_mailbox(address, now)?,
            Change::DeleteAlias { address } => self.delete_alias(address),
            Change::Release { kind, key } => self.release(*kind, key)?,
        };
        self.change_counter += u64::from(wrote);
        Ok(())
    }
}

pub(crate) fn not_found(key: &str) -> Refused {
    Refused { reason: FailureReason::NotFound, blocker: key.to_owned() }
}

pub(crate) fn taken(key: &str) -> Refused {
    Refused { reason: FailureReason::Conflict, blocker: key.to_owned() }
}

pub(crate) fn in_use(by: &str) -> Refused {
    Refused { reason: FailureReason::InUse, blocker: by.to_owned() }
}

/// A state that operations are applied to one after the other, without rebuilding it in between.
pub(crate) struct Model(Tables);

impl Model {
    pub(crate) fn new(observed: &Observed) -> Self {
        Self(Tables::from(observed))
    }

    /// Applies one operation, or names the row that stands in its way.
    pub(crate) fn apply(
        &mut self,
        source_id: &str,
        change: &Change,
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        self.0.change(source_id, change, now).map_err(|refused| refused.blocker)
    }

    pub(crate) fn finish(self) -> Observed {
        self.0.into_observed()
    }
}
