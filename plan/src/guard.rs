//! What holds dangerous operations back. A guard stops only the operations that trip it and those that cannot be
//! applied without them; everything else goes on.
//!
//! Some guards yield to an approval of exactly this plan. Protected addresses and the empty source never do.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest;
use crate::domain::{domain_of, dropped_aliases};
use crate::draft::Draft;
use crate::effect::Views;
use crate::observed::Observed;
use crate::operation::{Action, Change, Guard, Operation};
use crate::reference::Kind;
use crate::routes::Routes;
use crate::simulate::Model;

/// The local parts that must go on being answered in every served domain (RFC 5321 §4.5.1, RFC 2142 §4).
pub const PROTECTED: [&str; 2] = ["postmaster", "abuse"];

/// Marks the operations that must not be applied.
pub(crate) fn apply(draft: &Draft<'_>, views: &Views<'_>, operations: &mut [Operation], digest: &str) {
    let before = &views.before;
    if draft.catalog.is_empty() {
        hold(
            operations,
            |operation| removals(views, operation) > 0 || loses_owner(operation),
            &Guard::EmptySource,
        );
    }
    settle(draft, before, operations);
    let approved = draft.settings.guards.approved.as_deref();
    if !approved.is_some_and(|approval| digest::approves(approval, digest)) {
        hold_removals(draft, views, operations);
        hold_last_targets(draft, before, operations);
        settle(draft, before, operations);
    }
}

/// Holds what cannot be applied without a held operation, and what would silence a protected address, until nothing
/// more needs to be held.
fn settle(draft: &Draft<'_>, before: &Routes<'_>, operations: &mut [Operation]) {
    loop {
        if hold_dependents(before, operations) {
            continue;
        }
        let after = match after(draft, operations) {
            Ok(after) => after,
            Err(refused) => {
                for (index, blocker) in refused {
                    operations[index].held = Some(Guard::After { subject: blocker });
                }
                continue;
            }
        };
        if !hold_protected(draft.observed, before, &Routes::new(&after), operations) {
            return;
        }
    }
}

/// The state after everything that is not held, or the operations that the database would refuse and why.
fn after(draft: &Draft<'_>, operations: &[Operation]) -> Result<Observed, Vec<(usize, String)>> {
    let mut model = Model::new(draft.observed);
    let mut refused = Vec::new();
    for (index, operation) in operations.iter().enumerate().filter(|(_, operation)| operation.held.is_none())
    {
        let result = model.apply(&draft.settings.source_id, &operation.change, draft.settings.now);
        refused.extend(result.err().map(|blocker| (index, blocker)));
    }
    if refused.is_empty() { Ok(model.finish()) } else { Err(refused) }
}

/// A domain stays as long as the removal of one of its addresses is held, and an address waits as long as its domain is
/// not served because its return is held.
fn hold_dependents(before: &Routes<'_>, operations: &mut [Operation]) -> bool {
    let held: Vec<(String, Change)> = operations
        .iter()
        .filter(|operation| operation.held.is_some())
        .map(|operation| (operation.subject.clone(), operation.change.clone()))
        .collect();
    let returns: BTreeSet<&str> = held
        .iter()
        .filter(|(domain, change)| matches!(change, Change::PutDomain { .. }) && !before.takes_mail(domain))
        .map(|(domain, _)| domain.as_str())
        .collect();
    let addressed: BTreeMap<&str, &str> =
        held.iter().rev().map(|(subject, change)| (domain_of(change.key().1), subject.as_str())).collect();
    let mut any = false;
    for operation in operations.iter_mut().filter(|operation| operation.held.is_none()) {
        let waits_for = match &operation.change {
            Change::DisableDomain { domain } | Change::DeleteDomain { domain } => {
                addressed.get(domain.as_str())
            }
            Change::PutMailbox { .. } | Change::PutAlias { .. } => {
                returns.get(domain_of(operation.change.key().1))
            }
            _ => None,
        };
        if let Some(subject) = waits_for {
            operation.held = Some(Guard::After { subject: (*subject).to_owned() });
            any = true;
        }
    }
    any
}

/// Holds every operation on the way of a protected address that was answered and would not be any more.
fn hold_protected(
    observed: &Observed,
    before: &Routes<'_>,
    after: &Routes<'_>,
    operations: &mut [Operation],
) -> bool {
    let mut any = false;
    for row in &observed.domains {
        let domain = &row.declared.domain;
        for address in PROTECTED.map(|local| format!("{local}@{domain}")) {
            let lost = after.takes_mail(domain) && !after.reaches_somebody(&address);
            if !lost || !before.reaches_somebody(&address) {
                continue;
            }
            let guard = Guard::Protected { address: address.clone() };
            let path = before.route(&address).path;
            let on_the_way = |operation: &Operation| {
                let (kind, key) = operation.change.key();
                path.contains(&(kind, key)) || (kind != Kind::MailDomain && key == address)
            };
            any |= hold(operations, on_the_way, &guard);
        }
    }
    any
}

fn hold_removals(draft: &Draft<'_>, views: &Views<'_>, operations: &mut [Operation]) {
    let guards = &draft.settings.guards;
    let removed: usize = operations.iter().map(|operation| removals(views, operation)).sum();
    // What is new counts too: else a held removal would go through as soon as the rest of its plan is applied.
    let new = operations
        .iter()
        .filter(|operation| matches!(operation.action, Action::Create | Action::Adopt))
        .count();
    let managed = managed(draft.observed, &draft.settings.source_id) + new;
    let guard = if removed > guards.max_removed {
        Guard::Count { removed, limit: guards.max_removed }
    } else if removed > 1 && removed * 100 > managed * guards.max_percent as usize {
        Guard::Share { removed, managed, limit: guards.max_percent }
    } else {
        return;
    };
    hold(operations, |operation| removals(views, operation) > 0, &guard);
}

/// How many rows this source has in service.
fn managed(observed: &Observed, source_id: &str) -> usize {
    let servers = observed.servers.iter().map(|row| row.owner.as_ref());
    let domains =
        observed.domains.iter().filter(|row| row.removed_at.is_none()).map(|row| row.owner.as_ref());
    let mailboxes =
        observed.mailboxes.iter().filter(|row| row.removed_at.is_none()).map(|row| row.owner.as_ref());
    let aliases = observed.aliases.iter().map(|row| row.owner.as_ref());
    let owners = servers.chain(domains).chain(mailboxes).chain(aliases);
    owners.filter(|owner| owner.is_some_and(|owner| owner.managed_by == source_id)).count()
}

/// How many things an operation takes away from somebody who had them. An alias domain that another domain takes over
/// is not taken away.
fn removals(views: &Views<'_>, operation: &Operation) -> usize {
    match (operation.action, &operation.change) {
        (Action::Delete | Action::Disable, _) => 1,
        (Action::Update | Action::Adopt, Change::PutDomain { declared, .. }) => {
            let gone = dropped_aliases(operation).filter(|alias| !views.after.takes_mail(alias)).count();
            let parks = declared.parked && views.before.takes_mail(&declared.domain);
            gone + usize::from(parks)
        }
        _ => 0,
    }
}

fn loses_owner(operation: &Operation) -> bool {
    operation.action == Action::Release
}

/// Holds the removal of the last recipients of an alias that goes on being declared.
fn hold_last_targets(draft: &Draft<'_>, before: &Routes<'_>, operations: &mut [Operation]) {
    let Ok(after) = after(draft, operations) else { return };
    let after = Routes::new(&after);
    let lost: Vec<&str> = draft
        .observed
        .aliases
        .iter()
        .map(|row| row.declared.address.as_str())
        .filter(|alias| after.alias(alias).is_some_and(|row| row.declared.enabled))
        .filter(|alias| after.takes_mail(domain_of(alias)))
        .filter(|alias| !after.reaches_somebody(alias))
        .filter(|alias| before.alias(alias).is_some_and(|row| reaches(before, &row.declared.targets)))
        .collect();
    for alias in lost {
        let targets = before.alias(alias).map(|row| row.declared.targets.as_slice()).unwrap_or_default();
        let paths: BTreeSet<(Kind, &str)> =
            targets.iter().flat_map(|target| before.route(target).path).collect();
        let guard = Guard::LastTarget { alias: alias.to_owned() };
        let removes_target = |operation: &Operation| {
            matches!(operation.action, Action::Delete | Action::Disable)
                && paths.contains(&operation.change.key())
        };
        hold(operations, removes_target, &guard);
    }
}

fn reaches(routes: &Routes<'_>, targets: &[String]) -> bool {
    targets.iter().any(|target| routes.reaches_somebody(target))
}

/// Holds the operations that a guard is about; says whether any was not held before.
fn hold(operations: &mut [Operation], about: impl Fn(&Operation) -> bool, guard: &Guard) -> bool {
    let mut any = false;
    for operation in operations.iter_mut().filter(|operation| operation.held.is_none()) {
        if about(operation) {
            operation.held = Some(guard.clone());
            any = true;
        }
    }
    any
}
