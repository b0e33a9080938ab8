//! The order of applying: what something needs comes before it, what frees a name before what takes it, and what
//! removes anything otherwise last, so that an interrupted plan has removed as little as possible.

use std::collections::{BTreeSet, HashMap};

use crate::domain::domain_of;
use crate::field;
use crate::observed::{DomainDeclared, Observed};
use crate::operation::{Action, Change, Operation};

/// Domains (and alias domains) apart from addresses.
type Name = (bool, String);

/// Sorts the operations, and splits a domain's where two domains exchange names.
pub(crate) fn arrange(observed: &Observed, mut operations: Vec<Operation>) -> Vec<Operation> {
    let domains = observed.domains.iter();
    let running: Running<'_> = domains.map(|row| (row.declared.domain.as_str(), &*row.declared)).collect();
    let wanted: BTreeSet<Name> =
        operations.iter().flat_map(|operation| wanted(&running, &operation.change)).collect();
    let mut releases = Vec::new();
    operations.retain_mut(|operation| {
        let Some((release, rest)) = split(&running, operation, &wanted) else { return true };
        releases.push(release);
        rest.map(|rest| *operation = rest).is_some()
    });
    let frees_wanted = |change: &Change| frees(&running, change).iter().any(|name| wanted.contains(name));
    let empties = |operation: &&Operation| {
        matches!(operation.change, Change::DeleteDomain { .. }) && frees_wanted(&operation.change)
    };
    let emptied = operations.iter().filter(empties).map(|operation| operation.subject.clone());
    let emptied: BTreeSet<String> = emptied.collect();
    let place = |operation: &Operation| match &operation.change {
        change @ Change::DisableMailbox { .. } if frees_wanted(change) => LEAVES,
        change if is_delete(change) => {
            let first = frees_wanted(change) || emptied.contains(domain_of(&operation.subject));
            rank(change) - if first { FIRST_DELETE } else { 0 }
        }
        change => rank(change),
    };
    let name = |operation: &Operation| (operation.subject.clone(), operation.object.clone());
    operations.sort_by_cached_key(|operation| (place(operation), name(operation)));
    releases.sort_by_cached_key(name);
    let at = operations.partition_point(|operation| place(operation) < RELEASE_NAMES);
    operations.splice(at..at, releases);
    operations
}

const RELEASE_NAMES: u8 = 4;
const PUT_DOMAIN: u8 = 5;
/// A mailbox goes out of service before the alias that takes its place comes.
const LEAVES: u8 = 6;
/// What deletions are ranked down by when their names are wanted: to before everything else.
const FIRST_DELETE: u8 = 8;

fn rank(change: &Change) -> u8 {
    match change {
        Change::PutServer { .. } => 3,
        Change::PutDomain { .. } => PUT_DOMAIN,
        Change::PutMailbox { .. } => 6,
        Change::PutAlias { .. } => 7,
        Change::DeleteAlias { .. } => FIRST_DELETE,
        Change::DeleteMailbox { .. } => FIRST_DELETE + 1,
        Change::DeleteDomain { .. } => FIRST_DELETE + 2,
        Change::Release { .. } | Change::Object { .. } => 11,
        Change::DisableMailbox { .. } => 12,
        Change::DisableDomain { .. } => 13,
        Change::DeleteServer { .. } => 14,
    }
}

fn is_delete(change: &Change) -> bool {
    matches!(change, Change::DeleteAlias { .. } | Change::DeleteMailbox { .. } | Change::DeleteDomain { .. })
}

fn domain_names(declared: &DomainDeclared) -> impl Iterator<Item = &String> {
    std::iter::once(&declared.domain).chain(&declared.aliases)
}

/// The domains as they run, by name.
type Running<'a> = HashMap<&'a str, &'a DomainDeclared>;

/// The names that a change takes and that its row does not have yet.
fn wanted(running: &Running<'_>, change: &Change) -> Vec<Name> {
    match change {
        Change::PutMailbox { declared, .. } => vec![(false, declared.address.clone())],
        Change::PutAlias { declared, .. } => vec![(false, declared.address.clone())],
        Change::PutDomain { declared, .. } => {
            let before: BTreeSet<&String> =
                running.get(declared.domain.as_str()).copied().into_iter().flat_map(domain_names).collect();
            let new = domain_names(declared).filter(|name| !before.contains(name));
            new.map(|name| (true, name.clone())).collect()
        }
        _ => Vec::new(),
    }
}

/// The names that a change gives up.
fn frees(running: &Running<'_>, change: &Change) -> Vec<Name> {
    match change {
        Change::DeleteAlias { address }
        | Change::DeleteMailbox { address }
        | Change::DisableMailbox { address } => vec![(false, address.clone())],
        Change::DeleteDomain { domain } => {
            let names = running.get(domain.as_str()).copied().into_iter().flat_map(domain_names);
            names.map(|name| (true, name.clone())).collect()
        }
        _ => Vec::new(),
    }
}

/// A domain that gives up names which others want does so first, and takes its own new names after that.
fn split(
    running: &Running<'_>,
    operation: &Operation,
    wanted: &BTreeSet<Name>,
) -> Option<(Operation, Option<Operation>)> {
    let Change::PutDomain { declared, owner } = &operation.change else { return None };
    let before = running.get(declared.domain.as_str())?;
    let gives_up = |name: &String| !declared.aliases.contains(name) && wanted.contains(&(true, name.clone()));
    if !before.aliases.iter().any(gives_up) {
        return None;
    }
    if declared.aliases.iter().all(|name| before.aliases.contains(name)) {
        return Some((operation.clone(), None));
    }
    let mut released = DomainDeclared::clone(before);
    released.aliases.retain(|name| !gives_up(name));
    let released_fields = field::diff(*before, &released);
    let mut rest = operation.clone();
    rest.changes.retain(|change| !released_fields.contains(change));
    let release = Operation {
        action: Action::Update,
        changes: released_fields,
        change: Change::PutDomain { declared: released.into(), owner: owner.clone() },
        ..operation.clone()
    };
    Some((release, Some(rest)))
}
