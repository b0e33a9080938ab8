//! What holds dangerous operations back. A guard stops only the operations that trip it and those that cannot be
//! applied without them; everything else goes on.
//!
//! Some guards yield to an approval of exactly this plan. Protected addresses and the empty source never do.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::digest;
use crate::domain::{domain_of, dropped_aliases};
use crate::draft::Draft;
use crate::effect::Views;
use crate::observed::{Observed, Owner};
use crate::operation::{Action, Change, Guard, Operation};
use crate::reach::{Key, Reach};
use crate::reference::Kind;
use crate::routes::Routes;
use crate::settings::RECENT;
use crate::simulate::Model;

/// The local parts that must go on being answered in every served domain (RFC 5321 §4.5.1, RFC 2142 §4).
pub const PROTECTED: [&str; 2] = ["postmaster", "abuse"];

/// Marks the operations that must not be applied.
pub(crate) fn apply(draft: &Draft<'_>, views: &Views<'_>, operations: &mut [Operation], digest: &str) {
    if draft.catalog.is_empty() {
        hold(
            operations,
            |operation| removals(views, operation) > 0 || loses_owner(operation),
            &Guard::EmptySource,
        );
    }
    settle(draft, views, operations);
    let approved = draft.settings.guards.approved.as_deref();
    if !approved.is_some_and(|approval| digest::approves(approval, digest)) {
        hold_removals(draft, views, operations);
        hold_last_targets(draft, views, operations);
        settle(draft, views, operations);
    }
}

/// Holds what cannot be applied without a held operation, and what would silence a protected address, until nothing
/// more needs to be held.
fn settle(draft: &Draft<'_>, views: &Views<'_>, operations: &mut [Operation]) {
    loop {
        if hold_dependents(&views.before, operations) {
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
        if !hold_protected(views, &after, operations) {
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

/// Holds every operation that could take mail away from a protected address which would be left without anybody.
fn hold_protected(views: &Views<'_>, end: &Observed, operations: &mut [Operation]) -> bool {
    let reach = Reach { before: &views.before, after: &views.after };
    let by_row = ByRow::new(operations);
    let routes = Routes::new(end);
    let mut any = false;
    for row in &end.domains {
        let domain = &row.declared.domain;
        for address in PROTECTED.map(|local| format!("{local}@{domain}")) {
            if !routes.takes_mail(domain) || routes.reaches_somebody(&address) {
                continue;
            }
            let Some(rows) = reach.rows(&address) else { continue };
            let guard = Guard::Protected { address };
            any |= by_row.hold(operations, &rows, |operation| reach.is_harmful(operation), &guard);
        }
    }
    any
}

/// The operations by the rows they change.
struct ByRow(HashMap<Key, Vec<usize>>);

impl ByRow {
    fn new(operations: &[Operation]) -> Self {
        let mut by_row: HashMap<Key, Vec<usize>> = HashMap::new();
        for (index, operation) in operations.iter().enumerate() {
            let (kind, key) = operation.change.key();
            by_row.entry((kind, key.to_owned())).or_default().push(index);
        }
        Self(by_row)
    }

    /// Holds the operations on some rows that a guard is about; says whether any was not held before.
    fn hold(
        &self,
        operations: &mut [Operation],
        rows: &BTreeSet<Key>,
        about: impl Fn(&Operation) -> bool,
        guard: &Guard,
    ) -> bool {
        let mut any = false;
        for index in rows.iter().filter_map(|row| self.0.get(row)).flatten() {
            let operation = &mut operations[*index];
            if operation.held.is_none() && about(operation) {
                operation.held = Some(guard.clone());
                any = true;
            }
        }
        any
    }
}

fn hold_removals(draft: &Draft<'_>, views: &Views<'_>, operations: &mut [Operation]) {
    let guards = &draft.settings.guards;
    let planned: usize = operations.iter().map(|operation| removals(views, operation)).sum();
    if planned == 0 {
        return;
    }
    let recent = recently_removed(draft, operations);
    let removed = planned + recent;
    let managed = managed(&[draft.observed, views.whole], &draft.settings.source_id) + recent;
    let guard = if removed > guards.max_removed {
        Guard::Count { removed, recent, limit: guards.max_removed }
    } else if removed > 1 && removed * 100 > managed * guards.max_percent as usize {
        Guard::Share { removed, recent, managed, limit: guards.max_percent }
    } else {
        return;
    };
    hold(operations, |operation| removals(views, operation) > 0, &guard);
}

/// How many mailboxes and domains of this source went out of service a short while ago and stay so. What the plan itself
/// changes is counted there.
fn recently_removed(draft: &Draft<'_>, operations: &[Operation]) -> usize {
    let settings = draft.settings;
    let since = settings.now - RECENT;
    let planned: BTreeSet<(Kind, &str)> = operations.iter().map(|operation| operation.change.key()).collect();
    let mailboxes = draft.observed.mailboxes.iter();
    let mailboxes =
        mailboxes.map(|row| (Kind::Mailbox, &row.declared.address, row.owner.as_ref(), row.removed_at));
    let domains = draft.observed.domains.iter();
    let domains =
        domains.map(|row| (Kind::MailDomain, &row.declared.domain, row.owner.as_ref(), row.removed_at));
    let recent = mailboxes.chain(domains).filter(|(kind, key, owner, removed_at)| {
        removed_at.is_some_and(|at| at > since)
            && owner.is_some_and(|owner| owner.managed_by == settings.source_id)
            && !planned.contains(&(*kind, key.as_str()))
    });
    recent.count()
}

/// How many rows this source has in service or would have. What is new counts too: else a held removal would go through
/// as soon as the rest of its plan is applied.
fn managed(states: &[&Observed], source_id: &str) -> usize {
    let mut keys: BTreeSet<(Kind, &str)> = BTreeSet::new();
    let mut add = |kind, key, owner: Option<&Owner>| {
        if owner.is_some_and(|owner| owner.managed_by == source_id) {
            keys.insert((kind, key));
        }
    };
    for state in states {
        state
            .servers
            .iter()
            .for_each(|row| add(Kind::MailServer, row.declared.name.as_str(), row.owner.as_ref()));
        for row in state.domains.iter().filter(|row| row.removed_at.is_none()) {
            add(Kind::MailDomain, row.declared.domain.as_str(), row.owner.as_ref());
        }
        for row in state.mailboxes.iter().filter(|row| row.removed_at.is_none()) {
            add(Kind::Mailbox, row.declared.address.as_str(), row.owner.as_ref());
        }
        state
            .aliases
            .iter()
            .for_each(|row| add(Kind::Alias, row.declared.address.as_str(), row.owner.as_ref()));
    }
    keys.len()
}

/// How many things an operation takes away from somebody who had them. An alias domain that another domain takes over
/// is not taken away, nor are the settings of a server that another has taken the place of.
fn removals(views: &Views<'_>, operation: &Operation) -> usize {
    match (operation.action, &operation.change) {
        (_, Change::DeleteServer { .. }) => 0,
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

/// Holds the removal of the last recipients of an alias that goes on being there.
fn hold_last_targets(draft: &Draft<'_>, views: &Views<'_>, operations: &mut [Operation]) {
    let Ok(end) = after(draft, operations) else { return };
    let end_routes = Routes::new(&end);
    let by_row = ByRow::new(operations);
    let reach = Reach { before: &views.before, after: &views.after };
    for row in end.aliases.iter().filter(|row| row.declared.enabled) {
        let alias = row.declared.address.as_str();
        let served = end_routes.takes_mail(domain_of(alias));
        if !served || row.declared.targets.iter().any(|target| end_routes.reaches_somebody(target)) {
            continue;
        }
        let ways = row.declared.targets.iter().filter_map(|target| reach.rows(target));
        let rows: BTreeSet<Key> = ways.flatten().collect();
        let guard = Guard::LastTarget { alias: alias.to_owned() };
        let removes = |operation: &Operation| matches!(operation.action, Action::Delete | Action::Disable);
        by_row.hold(operations, &rows, removes, &guard);
    }
}

/// Holds the operations that a guard is about.
fn hold(operations: &mut [Operation], about: impl Fn(&Operation) -> bool, guard: &Guard) {
    for operation in operations.iter_mut().filter(|operation| operation.held.is_none()) {
        if about(operation) {
            operation.held = Some(guard.clone());
        }
    }
}
