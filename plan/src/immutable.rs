//! Fields that never change once their object runs. An API server refuses such a change by the rules of the CRDs; every
//! other way in must answer the same, or the same manifests would close one person's mailbox here and nothing there.
//!
//! What counts as the same object is who owns the row, so an object that was removed may return with anything.

use std::collections::HashMap;

use crate::draft::{Candidate, Draft};
use crate::observed::{DomainRow, Owner};
use crate::problem::{Problem, ProblemCode};
use crate::reference::ObjectRef;

/// The rows in service of one kind by the object that owns them; one that owns several once had another way in.
struct Owned<'a, R>(HashMap<&'a ObjectRef, Vec<(&'a str, &'a R)>>);

impl<'a, R> Owned<'a, R> {
    fn new(source_id: &str, rows: impl Iterator<Item = (&'a str, Option<&'a Owner>, &'a R)>) -> Self {
        let mut owned: HashMap<&ObjectRef, Vec<(&str, &R)>> = HashMap::new();
        for (key, owner, row) in rows {
            if let Some(owner) = owner.filter(|owner| owner.managed_by == source_id) {
                owned.entry(&owner.object).or_default().push((key, row));
            }
        }
        Self(owned)
    }

    /// The key that an object runs under, when it is not the declared one.
    fn other(&self, object: &ObjectRef, key: &str) -> Option<&'a str> {
        let rows = self.0.get(object)?;
        let same = rows.iter().any(|(other, _)| *other == key);
        rows.first().filter(|_| !same).map(|(other, _)| *other)
    }

    fn row(&self, object: &ObjectRef, key: &str) -> Option<&'a R> {
        self.0.get(object)?.iter().find(|(other, _)| *other == key).map(|(_, row)| *row)
    }
}

/// What declared objects change and may not.
pub(crate) fn check(draft: &Draft<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (observed, source_id) = (draft.observed, draft.settings.source_id.as_str());
    let rows = observed.mailboxes.iter().filter(|row| row.removed_at.is_none());
    let owned = Owned::new(
        source_id,
        rows.map(|row| (row.declared.address.as_str(), row.owner.as_deref(), &row.declared)),
    );
    for it in &draft.mailboxes {
        let to = &it.declared.address;
        problems.extend(owned.other(&it.object, to).map(|from| changed(it, "spec.address", from, to)));
    }
    let rows = observed.aliases.iter();
    let owned = Owned::new(
        source_id,
        rows.map(|row| (row.declared.address.as_str(), row.owner.as_deref(), &row.declared)),
    );
    for it in &draft.aliases {
        let to = &it.declared.address;
        problems.extend(owned.other(&it.object, to).map(|from| changed(it, "spec.address", from, to)));
    }
    let rows = observed.domains.iter().filter(|row| row.removed_at.is_none());
    let owned: Owned<'_, DomainRow> =
        Owned::new(source_id, rows.map(|row| (row.declared.domain.as_str(), row.owner.as_deref(), row)));
    for it in &draft.domains {
        let (domain, server) = (&it.declared.domain, &it.declared.server);
        problems.extend(owned.other(&it.object, domain).map(|from| changed(it, "spec.domain", from, domain)));
        let served_by = owned.row(&it.object, domain).map(|row| row.declared.server.as_str());
        if let Some(from) = served_by.filter(|from| from != server) {
            problems.push(changed(it, "spec.serverRef.name", from, server));
        }
    }
    problems
}

fn changed<T>(candidate: &Candidate<'_, T>, field: &str, from: &str, to: &str) -> Problem {
    candidate.error(
        field,
        ProblemCode::Immutable,
        format!("is immutable: {} runs with {from} and cannot become {to}", candidate.object),
        format!("declare a new object under another name, or write {from} again"),
    )
}
