//! What somebody must be allowed to do before an operation is applied in their name, in the words of Kubernetes' access control.
//!
//! Pure: which rights a plan needs. Who is asked whether they are there, and in whose name, is the operator's.

use std::collections::BTreeMap;
use std::fmt;

use crate::operation::{Action, Change, Operation};
use crate::reference::Kind;

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is taken away.
    Delete,
}

impl Verb {
    /// As an API server calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
        }
    }
}

/// A verb on the objects of a kind in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Right {
    /// The namespace.
    pub namespace: String,
    /// The kind.
    pub kind: Kind,
    /// What is done.
    pub verb: Verb,
}

/// `create mailboxes in the namespace sales`
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in the namespace {}", self.verb.as_str(), self.kind.plural(), self.namespace)
    }
}

/// What somebody may not do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denied {
    /// Who.
    pub who: String,
    /// The rights that are missing, each with what gives it.
    pub rights: BTreeMap<Right, String>,
}

impl Denied {
    /// The first right that an operation lacks, and what gives it.
    pub(crate) fn of(&self, operation: &Operation) -> Option<(Right, &str)> {
        if self.rights.is_empty() {
            return None;
        }
        needed(operation).into_iter().find_map(|right| {
            let remedy = self.rights.get(&right)?;
            Some((right, remedy.as_str()))
        })
    }
}

/// The rights that an operation needs: one on the object that asks for it, and where the row belonged to an object of another
/// namespace, the one to take it away there.
pub fn needed(operation: &Operation) -> Vec<Right> {
    let right =
        |namespace: &str, verb| Right { namespace: namespace.to_owned(), kind: operation.object.kind, verb };
    let own = &operation.object.namespace;
    let verb = match (&operation.change, operation.action) {
        (Change::PutServer { .. } | Change::PutDomain { .. }, Action::Create) => Verb::Create,
        (Change::PutMailbox { .. } | Change::PutAlias { .. }, Action::Create) => Verb::Create,
        (Change::PutServer { .. } | Change::PutDomain { .. }, _) => Verb::Update,
        (Change::PutMailbox { .. } | Change::PutAlias { .. }, _) => Verb::Update,
        (Change::DisableDomain { .. } | Change::DisableMailbox { .. } | Change::Release { .. }, _) => {
            Verb::Delete
        }
        (Change::DeleteServer { .. } | Change::DeleteDomain { .. }, _) => Verb::Delete,
        (Change::DeleteMailbox { .. } | Change::DeleteAlias { .. }, _) => Verb::Delete,
        // The API server judges by itself who may write its objects.
        (Change::Object { .. }, Action::Create) => Verb::Create,
        (Change::Object { digest: Some(_), .. }, _) => Verb::Update,
        (Change::Object { digest: None, .. }, _) => Verb::Delete,
    };
    match moved_from(operation).filter(|former| *former != own) {
        Some(former) => vec![right(own, Verb::Create), right(former, Verb::Delete)],
        None => vec![right(own, verb)],
    }
}

/// The namespace of the object that the row belonged to, where that is another object.
fn moved_from(operation: &Operation) -> Option<&str> {
    let moved = operation.changes.iter().find(|change| change.field == crate::operate::MOVED)?;
    moved.from.as_deref()?.split_once('/').map(|(namespace, _)| namespace)
}
