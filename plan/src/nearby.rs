//! Planning after a small change without looking at everything: of a hundred thousand accounts a commit changes one.
//!
//! A plan that was applied to its end leaves everything as it is declared, but for what it says is wrong or kept ([`Settled`]). What
//! changed since then can only concern the objects that changed, those whose names or rows they meet, and where their mail goes on to.
//! [`plan`] makes a plan of that part alone. It answers only where [`crate::plan()`] would answer the same: what removes something, what
//! a guard holds, what counts all addresses of a domain and what is newly wrong needs a look at everything, and so does a part that is
//! most of it.

mod neighbours;

use std::collections::{BTreeSet, HashMap};

use crate::catalog::{Catalog, Changes};
use crate::observed::{AliasRow, MailboxRow, Observed, Owner};
use crate::operation::{Action, Change, Operation, Outcome, Plan, Verdict};
use crate::planner;
use crate::problem::{Problem, ProblemCode};
use crate::reference::{Kind, ObjectRef};
use crate::settings::Settings;
use neighbours::Neighbours;

/// A part of this size is small whatever the whole is.
const SMALL: usize = 1_000;

/// More rows than this are not told apart from everything.
const MANY: usize = 10_000;

/// The rows that are others than when they were read last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Moved {
    /// Any may be.
    #[default]
    Everything,
    /// Only the mailboxes and aliases of these addresses.
    Addresses(BTreeSet<String>),
}

impl Moved {
    /// None.
    pub fn none() -> Moved {
        Moved::Addresses(BTreeSet::new())
    }

    /// What is another between two readings, how much mail a mailbox holds apart.
    pub fn between(before: &Observed, after: &Observed) -> Moved {
        if before.servers != after.servers || before.domains != after.domains {
            return Moved::Everything;
        }
        let mut addresses = BTreeSet::new();
        let (old, new) = (&before.mailboxes, &after.mailboxes);
        differ(old, new, |row| &row.declared.address, is_still, &mut addresses);
        let (old, new) = (&before.aliases, &after.aliases);
        differ(old, new, |row| &row.declared.address, AliasRow::eq, &mut addresses);
        Moved::Addresses(addresses).few()
    }

    /// Everything, when it is many.
    fn few(self) -> Moved {
        match self {
            Moved::Addresses(addresses) if addresses.len() > MANY => Moved::Everything,
            few => few,
        }
    }

    /// These and those.
    pub fn and(self, others: Moved) -> Moved {
        match (self, others) {
            (Moved::Addresses(mut all), Moved::Addresses(others)) => {
                all.extend(others);
                Moved::Addresses(all).few()
            }
            _ => Moved::Everything,
        }
    }
}

fn is_still(before: &MailboxRow, after: &MailboxRow) -> bool {
    let MailboxRow { account_id, declared, owner, removed_at, credential, used_bytes: _ } = before;
    *account_id == after.account_id
        && *declared == after.declared
        && *owner == after.owner
        && *removed_at == after.removed_at
        && *credential == after.credential
}

fn differ<T>(
    before: &[T],
    after: &[T],
    key: impl Fn(&T) -> &str,
    same: impl Fn(&T, &T) -> bool,
    addresses: &mut BTreeSet<String>,
) {
    let mut old: HashMap<&str, &T> = before.iter().map(|row| (key(row), row)).collect();
    for row in after {
        if !old.remove(key(row)).is_some_and(|before| same(before, row)) {
            addresses.insert(key(row).to_owned());
        }
    }
    addresses.extend(old.into_keys().map(str::to_owned));
}

/// What a plan left behind that was applied to its end.
#[derive(Debug, Clone)]
pub struct Settled {
    problems: BTreeSet<Problem>,
    /// The objects that the plan says something about without doing anything.
    open: BTreeSet<ObjectRef>,
    /// Rows that stay although nothing declares them.
    kept: BTreeSet<String>,
}

impl Settled {
    /// Of a plan and what came of all its operations; `None` when something of it is still to be done, or when what is wrong can only
    /// be told by looking at everything.
    pub fn of(plan: &Plan, outcomes: &[Outcome]) -> Option<Settled> {
        let applied = |outcome: &Outcome| outcome.verdict == Verdict::Applied;
        let done = outcomes.len() == plan.operations.len() && outcomes.iter().all(applied);
        if !done || plan.problems.iter().any(|problem| needs_everything(problem.code)) {
            return None;
        }
        let open = plan.problems.iter().filter_map(|problem| problem.object.clone());
        Some(Settled {
            problems: plan.problems.iter().cloned().collect(),
            open: open.chain(plan.kept.iter().map(|kept| kept.object.clone())).collect(),
            kept: plan.kept.iter().map(|kept| kept.subject.clone()).collect(),
        })
    }
}

/// Problems that depend on more than the objects they are of: they count addresses, look through all names for the one that was
/// meant, or end the judging of everything.
fn needs_everything(code: ProblemCode) -> bool {
    matches!(
        code,
        ProblemCode::TooMany
            | ProblemCode::UnknownTarget
            | ProblemCode::DeletionBlocked
            | ProblemCode::PolicyInvalid
    )
}

/// A plan, and the objects it looked at: everything else is as it was.
#[derive(Debug, Clone)]
pub struct Nearby {
    /// The plan, the same that [`crate::plan()`] makes.
    pub plan: Plan,
    /// Whatever the plan could say something new about.
    pub objects: BTreeSet<ObjectRef>,
}

/// Plans what a change can concern; `None` when everything has to be looked at.
pub fn plan(
    catalog: &Catalog,
    observed: &Observed,
    settings: &Settings,
    settled: &Settled,
    changes: &Changes,
    moved: &Moved,
) -> Option<Nearby> {
    let Changes::Some { objects: changed, addresses: before } = changes else { return None };
    let Moved::Addresses(moved) = moved else { return None };
    // What a server or a domain says is for everybody there, also what is in no row: who may have addresses, labels, policies.
    let of_everybody = |object: &ObjectRef| matches!(object.kind, Kind::MailServer | Kind::MailDomain);
    if changed.iter().any(of_everybody) || !is_plain(catalog, observed, settings) {
        return None;
    }
    let mut neighbours = Neighbours::new(catalog, observed);
    // Whose mail went there may be anybody.
    if moved.iter().any(|address| !neighbours.is_served(address)) {
        return None;
    }
    changed.iter().chain(&settled.open).for_each(|object| neighbours.add_object(object));
    moved.iter().chain(before).chain(&settled.kept).for_each(|address| neighbours.add_address(address));
    let limit = SMALL.max(catalog.len() / 4);
    let (objects, part) = neighbours.find(limit)?;
    let plan = planner::make(&catalog.part(&objects), &part, settings);
    let is_whole = plan.operations.iter().all(|operation| is_everyday(catalog, operation))
        && plan.problems.iter().filter(|it| it.is_error()).all(|it| settled.problems.contains(it))
        && !plan.problems.iter().any(|it| needs_everything(it.code));
    is_whole.then_some(Nearby { plan, objects })
}

/// Whether nothing is declared or runs that concerns rows far away.
fn is_plain(catalog: &Catalog, observed: &Observed, settings: &Settings) -> bool {
    let broken = !catalog.broken_files().is_empty() || !catalog.broken_objects().is_empty();
    let own = |owner: Option<&Owner>| owner.is_some_and(|it| it.managed_by == settings.source_id);
    let declared: BTreeSet<ObjectRef> = catalog.heads().map(|entry| entry.object()).collect();
    let stands = |owner: Option<&Owner>| owner.is_none_or(|it| declared.contains(&it.object));
    let domains = observed.domains.iter();
    let mut domains = domains
        .map(|row| row.removed_at.is_none() && (!own(row.owner.as_deref()) || stands(row.owner.as_deref())));
    let mut servers =
        observed.servers.iter().map(|row| !own(row.owner.as_deref()) || stands(row.owner.as_deref()));
    !broken
        && catalog.problems().is_empty()
        && settings.denied.rights.is_empty()
        && !declared.is_empty()
        && domains.all(|it| it)
        && servers.all(|it| it)
}

/// Whether an operation concerns only its own row: nothing is taken away, and nothing is counted.
fn is_everyday(catalog: &Catalog, operation: &Operation) -> bool {
    let puts = matches!(operation.change, Change::PutMailbox { .. } | Change::PutAlias { .. });
    let adds = || !catalog.heads().any(has_limits);
    let everyday = match operation.action {
        Action::Update => true,
        Action::Create | Action::Enable => adds(),
        Action::Disable | Action::Delete | Action::Adopt | Action::Release => false,
    };
    puts && everyday && operation.held.is_none() && operation.object.kind != Kind::MailRepository
}

fn has_limits(entry: &crate::catalog::Entry) -> bool {
    match &entry.resource {
        mailwright_crds::Resource::MailDomain(domain) => {
            domain.spec.limits.mailboxes.is_some() || domain.spec.limits.aliases.is_some()
        }
        _ => false,
    }
}
