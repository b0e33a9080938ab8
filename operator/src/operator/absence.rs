//! What seems to be gone, and whether it is: nothing is taken out of service because a source was read in part.

use std::collections::BTreeSet;
use std::future::Future;

use mailwright_plan::right::{Denied, Right};
use mailwright_plan::{Kind, ObjectRef, Operation, Plan};

/// A row that would go out of service because nothing seems to declare it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removal {
    /// The object that declared it.
    pub object: ObjectRef,
    /// The kind of the row.
    pub kind: Kind,
    /// The key of the row: `namespace/name`, a domain, an address.
    pub key: String,
}

/// Whether what seems to be gone is gone. A source that is read whole knows; a cache may be stale and asks once more.
pub trait Absence: Sync {
    /// For each removal, in their order, whether it may happen. Not knowing is no.
    fn verify(&self, removals: &[Removal]) -> impl Future<Output = Vec<bool>> + Send;

    /// Which of these rights those lack in whose name is applied; an error where nobody could be asked.
    fn denied(&self, rights: &BTreeSet<Right>) -> impl Future<Output = Result<Denied, String>> + Send {
        let _ = rights;
        async { Ok(Denied::default()) }
    }
}

/// The source was read whole: what it does not declare is gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadWhole;

impl Absence for ReadWhole {
    async fn verify(&self, removals: &[Removal]) -> Vec<bool> {
        vec![true; removals.len()]
    }
}

/// Takes out of a plan what removes rows of objects that exist after all.
pub(super) async fn verify(plan: &mut Plan, absence: &impl Absence) {
    let removals: Vec<Removal> = plan.applicable().filter_map(removal).collect();
    if removals.is_empty() {
        return;
    }
    let verdicts = absence.verify(&removals).await;
    let exists = removals.iter().zip(verdicts.into_iter().chain(std::iter::repeat(false)));
    let kept: BTreeSet<&Removal> = exists.filter(|(_, gone)| !gone).map(|(removal, _)| removal).collect();
    if !kept.is_empty() {
        tracing::info!(removals = kept.len(), "not removed, since not everything is known to be gone");
    }
    plan.operations.retain(|operation| removal(operation).is_none_or(|removal| !kept.contains(&removal)));
}

/// The row that an operation takes out of service for want of a declaration.
pub(super) fn removal(operation: &Operation) -> Option<Removal> {
    use mailwright_plan::Change;
    let removes = match &operation.change {
        Change::PutServer { .. } | Change::PutDomain { .. } => false,
        Change::PutMailbox { .. } | Change::PutAlias { .. } => false,
        Change::DisableDomain { .. } | Change::DisableMailbox { .. } | Change::Release { .. } => true,
        Change::Object { .. } => false,
        Change::DeleteServer { .. } | Change::DeleteDomain { .. } => true,
        Change::DeleteMailbox { .. } | Change::DeleteAlias { .. } => true,
    };
    let (kind, key) = operation.change.key();
    removes.then(|| Removal { object: operation.object.clone(), kind, key: key.to_owned() })
}
