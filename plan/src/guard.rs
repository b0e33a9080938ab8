//! What holds dangerous operations back. A guard stops only the operations that trip it and those that cannot be
//! applied without them; everything else goes on.
//!
//! Some guards yield to an approval of exactly this plan. Protected addresses and the empty source never do.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::approval::{self, Approval, Standing};
use crate::domain::{domain_of, dropped_aliases};
use crate::draft::Draft;
use crate::effect::Views;
use crate::observed::{Observed, Owner, Rows};
use crate::operation::{Action, Change, Guard, Operation};
use crate::reach::{Key, Reach};
use crate::reference::Kind;
use crate::routes::Routes;
use crate::settings::{DriftPolicy, RECENT};
use crate::simulate::After;

/// The local parts that must go on being answered in every served domain (RFC 5321 §4.5.1, RFC 2142 §4).
pub const PROTECTED: [&str; 2] = ["postmaster", "abuse"];

/// Marks the operations that must not be applied; what approvals came to.
pub(crate) fn apply(
    draft: &Draft<'_>,
    views: &Views<'_>,
    operations: &mut [Operation],
    digest: &str,
) -> Standing {
    hold_forbidden(draft, operations);
    if draft.catalog.is_empty() {
        hold(
            operations,
            |operation| removals(views, operation) > 0 || loses_owner(operation),
            &Guard::EmptySource,
        );
    }
    let mode = draft.settings.approval;
    let approved = &draft.settings.guards.approved;
    let accepted = approval::accepted(mode, approved, digest).map(str::to_owned);
    if draft.settings.drift == DriftPolicy::Report && accepted.is_none() {
        hold(operations, |operation| operation.drift, &Guard::Drift);
    }
    settle(draft, views, operations);
    if accepted.is_none() {
        hold_removals(draft, views, operations);
        hold_last_targets(draft, views, operations);
        settle(draft, views, operations);
        if mode == Approval::Always {
            hold(operations, |_| true, &Guard::Approval { digest: digest.to_owned() });
        }
    }
    let waits =
        operations.iter().filter_map(|operation| operation.held.as_deref()).any(Guard::can_be_approved);
    let stale = if waits { approval::readable(approved) } else { Vec::new() };
    Standing { mode, accepted, stale }
}

/// Holds what they may not do in whose name it would be applied. No approval lifts it: approving is no right.
fn hold_forbidden(draft: &Draft<'_>, operations: &mut [Operation]) {
    let denied = &draft.settings.denied;
    for operation in operations.iter_mut() {
        if let Some((right, remedy)) = denied.of(operation) {
            operation.held = Some(Box::new(Guard::Forbidden {
                who: denied.who.clone(),
                right: right.to_string(),
                remedy: remedy.to_owned(),
            }));
        }
    }
}

/// What approvals come to where there is nothing to hold back.
pub(crate) fn nothing_to_do(draft: &Draft<'_>, digest: &str) -> Standing {
    let mode = draft.settings.approval;
    let accepted = approval::accepted(mode, &draft.settings.guards.approved, digest).map(str::to_owned);
    Standing { mode, accepted, stale: Vec::new() }
}

/// Holds what cannot be applied without a held operation, and what would silence a protected address, until nothing
/// more needs to be held.
fn settle(draft: &Draft<'_>, views: &Views<'_>, operations: &mut [Operation]) {
    loop {
        if hold_dependents(&views.before, operations) {
            continue;
        }
        let is_whole = operations.iter().all(|operation| operation.held.is_none());
        let end = (!is_whole).then(|| after(draft, operations));
        let end = end.as_ref().unwrap_or(views.whole);
        if !end.refused.is_empty() {
            for (index, blocker) in &end.refused {
                operations[*index].held = Some(Box::new(Guard::After { subject: blocker.clone() }));
            }
            continue;
        }
        if !hold_protected(views, end, operations) {
            return;
        }
    }
}

/// The state after everything that is not held.
pub(crate) fn after<'a>(draft: &Draft<'a>, operations: &[Operation]) -> After<'a> {
    let settings = draft.settings;
    let applied = |operation: &Operation| operation.held.is_none();
    After::new(draft.observed, &settings.source_id, operations, applied, settings.now)
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
            operation.held = Some(Box::new(Guard::After { subject: (*subject).to_owned() }));
            any = true;
        }
    }
    any
}

/// Holds every operation that could take mail away from a protected address which would be left without anybody.
fn hold_protected(views: &Views<'_>, end: &After<'_>, operations: &mut [Operation]) -> bool {
    let reach = Reach { before: &views.before, after: &views.after };
    let by_row = ByRow::new(operations);
    let routes = Routes::new(end);
    let mut any = false;
    for row in end.domains() {
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
                operation.held = Some(Box::new(guard.clone()));
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
    let managed = managed(draft.observed, views.whole, &draft.settings.source_id) + recent;
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
        mailboxes.map(|row| (Kind::Mailbox, &row.declared.address, row.owner.as_deref(), row.removed_at));
    let domains = draft.observed.domains.iter();
    let domains =
        domains.map(|row| (Kind::MailDomain, &row.declared.domain, row.owner.as_deref(), row.removed_at));
    let recent = mailboxes.chain(domains).filter(|(kind, key, owner, removed_at)| {
        removed_at.is_some_and(|at| at > since)
            && owner.is_some_and(|owner| owner.managed_by == settings.source_id)
            && !planned.contains(&(*kind, key.as_str()))
    });
    recent.count()
}

/// How many rows this source has in service or would have. What is new counts too: else a held removal would go through
/// as soon as the rest of its plan is applied.
fn managed(before: &Observed, whole: &After<'_>, source_id: &str) -> usize {
    let mut keys = BTreeSet::new();
    managed_in(before, source_id, &mut keys);
    managed_in(whole, source_id, &mut keys);
    keys.len()
}

fn managed_in<'a>(state: &'a impl Rows, source_id: &str, keys: &mut BTreeSet<(Kind, &'a str)>) {
    let mut add = |kind, key: &'a str, owner: Option<&Owner>| {
        if owner.is_some_and(|owner| owner.managed_by == source_id) {
            keys.insert((kind, key));
        }
    };
    state.servers().for_each(|row| add(Kind::MailServer, &row.declared.name, row.owner.as_deref()));
    for row in state.domains().filter(|row| row.removed_at.is_none()) {
        add(Kind::MailDomain, &row.declared.domain, row.owner.as_deref());
    }
    for row in state.mailboxes().filter(|row| row.removed_at.is_none()) {
        add(Kind::Mailbox, &row.declared.address, row.owner.as_deref());
    }
    state.aliases().for_each(|row| add(Kind::Alias, &row.declared.address, row.owner.as_deref()));
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
    let removes = |operation: &Operation| matches!(operation.action, Action::Delete | Action::Disable);
    if !operations.iter().any(|operation| operation.held.is_none() && removes(operation)) {
        return;
    }
    let end = after(draft, operations);
    if !end.refused.is_empty() {
        return;
    }
    let end_routes = Routes::new(&end);
    let by_row = ByRow::new(operations);
    let reach = Reach { before: &views.before, after: &views.after };
    for row in end.aliases().filter(|row| row.declared.enabled) {
        let alias = row.declared.address.as_str();
        let served = end_routes.takes_mail(domain_of(alias));
        if !served || row.declared.targets.iter().any(|target| end_routes.reaches_somebody(target)) {
            continue;
        }
        let ways = row.declared.targets.iter().filter_map(|target| reach.rows(target));
        let rows: BTreeSet<Key> = ways.flatten().collect();
        let guard = Guard::LastTarget { alias: alias.to_owned() };
        by_row.hold(operations, &rows, removes, &guard);
    }
}

/// Holds the operations that a guard is about.
fn hold(operations: &mut [Operation], about: impl Fn(&Operation) -> bool, guard: &Guard) {
    for operation in operations.iter_mut().filter(|operation| operation.held.is_none()) {
        if about(operation) {
            operation.held = Some(Box::new(guard.clone()));
        }
    }
}
