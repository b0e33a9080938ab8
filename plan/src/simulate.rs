//! What applying does, as a pure function: the model that the account database is tested against, and what guards and
//! effects ask about the state after a plan.
//!
//! The model refuses what the database refuses: rows of another source, names that are taken, domains that still have
//! addresses, mailboxes whose retention is not over.

mod tables;

use chrono::{DateTime, Utc};

use crate::observed::{AliasRow, DomainRow, MailboxRow, Management, Observed, Rows, ServerRow, SetBy};
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

/// What the management API would do with a batch: as [`apply_operations`], and passwords must have been handed over; with
/// [`Batch::whole`] all of it or nothing.
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
    let failed = |outcome: &Outcome| outcome.verdict != Verdict::Applied;
    if batch.whole && outcomes.iter().any(failed) {
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.verdict == Verdict::Applied) {
            outcome.verdict = Verdict::not_alone();
        }
        return BatchReply { outcomes, change_counter: observed.change_counter, written: Some(0) };
    }
    let before = observed.change_counter;
    *observed = tables.into_observed();
    let written = observed.change_counter.checked_sub(before);
    BatchReply { outcomes, change_counter: observed.change_counter, written }
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

impl Tables<'_> {
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
            && change.takes_from() != Some(&owner.managed_by)
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
            Change::Object { key, .. } => return Err(not_found(key)),
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

/// The state after some operations, for questions about it.
pub(crate) struct After<'a> {
    tables: Tables<'a>,
    /// What the database would refuse: places in the list of operations, each with the row that stands in the way.
    pub(crate) refused: Vec<(usize, String)>,
}

impl<'a> After<'a> {
    /// Applies those operations that `which` chooses, one after the other.
    pub(crate) fn new(
        observed: &'a Observed,
        source_id: &str,
        operations: &[Operation],
        which: impl Fn(&Operation) -> bool,
        now: DateTime<Utc>,
    ) -> After<'a> {
        let mut tables = Tables::from(observed);
        let mut refused = Vec::new();
        for (index, operation) in operations.iter().enumerate().filter(|(_, operation)| which(operation)) {
            let result = tables.change(source_id, &operation.change, now);
            refused.extend(result.err().map(|refused| (index, refused.blocker)));
        }
        After { tables, refused }
    }
}

impl Rows for After<'_> {
    fn servers(&self) -> impl Iterator<Item = &ServerRow> {
        self.tables.servers()
    }

    fn domains(&self) -> impl Iterator<Item = &DomainRow> {
        self.tables.domains()
    }

    fn mailboxes(&self) -> impl Iterator<Item = &MailboxRow> {
        self.tables.mailboxes()
    }

    fn aliases(&self) -> impl Iterator<Item = &AliasRow> {
        self.tables.aliases()
    }
}
