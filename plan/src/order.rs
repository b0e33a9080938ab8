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
pub(crate) fn arrange(observed: &Observed, operations: Vec<Operation>) -> Vec<Operation> {
    let domains = observed.domains.iter();
    let running: Running<'_> = domains.map(|row| (row.declared.domain.as_str(), &row.declared)).collect();
    let wanted: BTreeSet<Name> =
        operations.iter().flat_map(|operation| wanted(&running, &operation.change)).collect();
    let mut ranked: Vec<(u8, Operation)> = Vec::new();
    for operation in operations {
        match split(&running, &operation, &wanted) {
            Some((release, rest)) => {
                ranked.push((RELEASE_NAMES, release));
                ranked.extend(rest.map(|rest| (PUT_DOMAIN, rest)));
            }
            None => ranked.push((rank(&operation.change), operation)),
        }
    }
    let emptied: BTreeSet<String> = ranked
        .iter()
        .filter(|(_, operation)| matches!(operation.change, Change::DeleteDomain { .. }))
        .filter(|(_, operation)| frees(&running, &operation.change).iter().any(|name| wanted.contains(name)))
        .map(|(_, operation)| operation.subject.clone())
        .collect();
    for (rank, operation) in &mut ranked {
        let frees_wanted = frees(&running, &operation.change).iter().any(|name| wanted.contains(name));
        if is_delete(&operation.change) && (frees_wanted || emptied.contains(domain_of(&operation.subject))) {
            *rank -= FIRST_DELETE;
        }
    }
    ranked.sort_by(|(a, one), (b, other)| {
        (a, &one.subject, &one.object).cmp(&(b, &other.subject, &other.object))
    });
    ranked.into_iter().map(|(_, operation)| operation).collect()
}

const RELEASE_NAMES: u8 = 4;
const PUT_DOMAIN: u8 = 5;
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
        Change::Release { .. } => 11,
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
        Change::DeleteAlias { address } | Change::DeleteMailbox { address } => vec![(false, address.clone())],
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
        change: Change::PutDomain { declared: released, owner: owner.clone() },
        ..operation.clone()
    };
    Some((release, Some(rest)))
}
