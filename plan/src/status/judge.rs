//! What can be said of any object, whatever its kind: is it applied, and if not, what stands in the way.

use std::collections::{BTreeMap, HashMap, HashSet};

use mailwright_crds::well_known::APPROVE_ANNOTATION;
use mailwright_crds::{ConditionStatus, Reason};

use super::{Aspect, DatabaseProblem, Input};
use crate::catalog::Entry;
use crate::domain::domain_of;
use crate::observed::{MailboxRow, Observed};
use crate::operation::{Action, Change, FailureReason, Guard, Operation, Outcome, Verdict};
use crate::problem::{Problem, ProblemCode};
use crate::reference::{Kind, ObjectRef};

/// Everything by object.
pub(super) struct Judge<'a> {
    pub(super) input: &'a Input<'a>,
    problems: BTreeMap<&'a ObjectRef, Vec<&'a Problem>>,
    held: HashMap<&'a ObjectRef, &'a Operation>,
    failed: HashMap<&'a ObjectRef, &'a Outcome>,
    /// Objects with operations that nothing is known to have come of.
    pending: HashSet<&'a ObjectRef>,
    mailboxes: HashMap<&'a str, &'a MailboxRow>,
    /// Mailboxes and aliases in service, by domain.
    counts: HashMap<&'a str, (i32, i32)>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(input: &'a Input<'a>) -> Self {
        let mut problems: BTreeMap<&ObjectRef, Vec<&Problem>> = BTreeMap::new();
        for problem in &input.plan.problems {
            if let Some(object) = &problem.object {
                problems.entry(object).or_default().push(problem);
            }
        }
        let failed = input.outcomes.iter().filter(|outcome| outcome.verdict != Verdict::Applied);
        let mailboxes = input.observed.mailboxes.iter();
        Self {
            input,
            problems,
            held: input.plan.held().map(|operation| (&operation.object, operation)).collect(),
            failed: failed.map(|outcome| (&outcome.object, outcome)).collect(),
            pending: pending(input),
            mailboxes: mailboxes.map(|row| (row.declared.address.as_str(), row)).collect(),
            counts: counts(input.observed),
        }
    }

    /// How many mailboxes and aliases a domain has.
    pub(super) fn counts(&self, domain: &str) -> (i32, i32) {
        self.counts.get(domain).copied().unwrap_or_default()
    }

    pub(super) fn observed(&self) -> &'a Observed {
        self.input.observed
    }

    pub(super) fn mailbox(&self, address: &str) -> Option<&'a MailboxRow> {
        self.mailboxes.get(address).copied()
    }

    /// The problems of an object, errors first.
    pub(super) fn problems(&self, object: &ObjectRef) -> Vec<&'a Problem> {
        let mut problems = self.problems.get(object).cloned().unwrap_or_default();
        problems.sort_by_key(|problem| problem.severity);
        problems
    }

    /// The first problem of one of these kinds.
    pub(super) fn problem(&self, object: &ObjectRef, codes: &[ProblemCode]) -> Option<&'a Problem> {
        self.problems(object).into_iter().find(|problem| codes.contains(&problem.code))
    }

    /// The first problem of a field.
    pub(super) fn problem_at(&self, object: &ObjectRef, field: &str) -> Option<&'a Problem> {
        self.problems(object).into_iter().find(|problem| problem.field == field)
    }

    /// Domains that stay served because of their addresses.
    pub(super) fn blocked(&self) -> impl Iterator<Item = (&'a ObjectRef, &'a Problem)> {
        let all =
            self.problems.iter().flat_map(|(object, problems)| problems.iter().map(|it| (*object, *it)));
        all.filter(|(_, problem)| problem.code == ProblemCode::DeletionBlocked)
    }

    /// `Ready` as far as it does not depend on the kind.
    pub(super) fn ready(&self, entry: &Entry) -> Aspect {
        let object = entry.object();
        if entry.resource.is_suspended() {
            let message = "the annotation mailwright.dev/reconcile leaves it as it is";
            return Aspect::new(ConditionStatus::Unknown, Reason::Suspended, message);
        }
        let errors = self.errors(&object);
        if let Some(first) = errors.first() {
            return Aspect::new(false, ready_reason(object.kind, first.code), messages(&errors));
        }
        if let Some(guard) = self.held.get(&object).and_then(|operation| operation.held.as_ref()) {
            return Aspect::new(false, Reason::HeldByGuard, format!("{guard}; {}", self.remedy(guard)));
        }
        match self.failed.get(&object).map(|outcome| &outcome.verdict) {
            Some(Verdict::Failed { reason: FailureReason::Conflict, message }) => {
                Aspect::new(false, Reason::OwnedByAnother, message)
            }
            Some(Verdict::Failed { message, .. }) => Aspect::new(false, Reason::ApplyFailed, message),
            _ if self.pending.contains(&object) => {
                Aspect::new(false, Reason::PendingApply, self.what_it_waits_for())
            }
            _ => Aspect::new(true, Reason::Reconciled, ""),
        }
    }

    /// Why something decided is not applied yet.
    fn what_it_waits_for(&self) -> String {
        let decided = "it is decided and not applied yet";
        match &self.input.facts.database_problem {
            Some(DatabaseProblem::StorageFull(why)) => format!("{decided}: {why}"),
            _ => decided.to_owned(),
        }
    }

    /// What to do about a guard, in the words of where the installation runs.
    pub(super) fn remedy(&self, guard: &Guard) -> String {
        let digest = &self.input.plan.digest;
        let servers = self.input.catalog.entries().map(Entry::object);
        match servers.into_iter().find(|object| object.kind == Kind::MailServer) {
            Some(server) if self.input.facts.in_cluster() && self.input.plan.can_be_approved(guard) => {
                format!(
                    "if that is meant: kubectl annotate --overwrite mailserver -n {} {} {APPROVE_ANNOTATION}={}",
                    server.namespace,
                    server.name,
                    crate::digest::short(digest)
                )
            }
            _ => self.input.plan.remedy(guard),
        }
    }

    /// What keeps an object from being taken as it is declared.
    pub(super) fn errors(&self, object: &ObjectRef) -> Vec<&'a Problem> {
        self.problems(object).into_iter().filter(|problem| problem.is_error()).collect()
    }

    /// Why the database refused the object as belonging to another source, if it did.
    pub(super) fn refused(&self, object: &ObjectRef) -> Option<&'a str> {
        match &self.failed.get(object)?.verdict {
            Verdict::Failed { reason: FailureReason::Conflict, message } => Some(message),
            _ => None,
        }
    }

    /// Why the declared password is not in force although it was to be set; whatever password is, if any, is an older one.
    pub(super) fn password_not_set(&self, object: &ObjectRef) -> Option<String> {
        let sets = |operation: &&Operation| match &operation.change {
            Change::PutMailbox { credential, .. } => credential.is_some() && operation.object == *object,
            _ => false,
        };
        let Verdict::Failed { message, .. } = &self.failed.get(object)?.verdict else { return None };
        let operation = self.input.plan.operations.iter().find(sets)?;
        Some(format!("the declared password of {} is not in force: {message}", operation.subject))
    }

    /// `Ready` of an object that the source could not make sense of.
    pub(super) fn broken(&self, object: &ObjectRef) -> Aspect {
        let errors = self.errors(object);
        let message = match errors.as_slice() {
            [] => "its declaration cannot be understood; the last good state stays in force".to_owned(),
            errors => messages(errors),
        };
        Aspect::new(false, Reason::Invalid, message)
    }
}

fn pending<'a>(input: &Input<'a>) -> HashSet<&'a ObjectRef> {
    let settled: HashSet<(&ObjectRef, &str, Action)> = input
        .outcomes
        .iter()
        .map(|outcome| (&outcome.object, outcome.subject.as_str(), outcome.action))
        .collect();
    let open = input.plan.applicable().filter(|operation| {
        !settled.contains(&(&operation.object, operation.subject.as_str(), operation.action))
    });
    open.map(|operation| &operation.object).collect()
}

fn counts(observed: &Observed) -> HashMap<&str, (i32, i32)> {
    let mut counts: HashMap<&str, (i32, i32)> = HashMap::new();
    for row in observed.mailboxes.iter().filter(|row| row.removed_at.is_none()) {
        counts.entry(domain_of(&row.declared.address)).or_default().0 += 1;
    }
    for row in &observed.aliases {
        counts.entry(domain_of(&row.declared.address)).or_default().1 += 1;
    }
    counts
}

/// All of them at once, as a person would want to read them.
pub(super) fn messages(problems: &[&Problem]) -> String {
    problems.iter().map(|problem| problem.of_its_object()).collect::<Vec<_>>().join("\n")
}

/// The reason that a problem gives `Ready`: what another condition of the kind explains, `Ready` only sums up.
fn ready_reason(kind: Kind, code: ProblemCode) -> Reason {
    match (kind, code) {
        (Kind::MailServer | Kind::MailDomain, ProblemCode::Conflict) => Reason::OwnedByAnother,
        (Kind::MailDomain, ProblemCode::Duplicate | ProblemCode::CatchAllTwice) => Reason::DuplicateAddress,
        (Kind::MailDomain, ProblemCode::UnknownServer) => Reason::ServerNotFound,
        (Kind::MailDomain, ProblemCode::DomainNotAllowed) => Reason::DomainNotAllowed,
        (Kind::Mailbox | Kind::Alias, ProblemCode::AddressNotAllowed) => Reason::AddressNotAllowed,
        (Kind::Mailbox | Kind::Alias, ProblemCode::Conflict) => Reason::OwnedByAnother,
        (Kind::Mailbox | Kind::Alias, ProblemCode::Duplicate | ProblemCode::CatchAllTwice) => {
            Reason::DuplicateAddress
        }
        (_, ProblemCode::PolicyViolation) => Reason::PolicyViolation,
        (_, ProblemCode::UnknownDomain | ProblemCode::UnknownTarget) => Reason::DependencyNotReady,
        (Kind::MailDomain, ProblemCode::DeletionBlocked) => Reason::DependencyNotReady,
        _ => Reason::Invalid,
    }
}

/// The reason that a problem gives the condition that is about it.
pub(super) fn reason(problem: &Problem) -> Reason {
    match problem.code {
        ProblemCode::Duplicate | ProblemCode::CatchAllTwice => Reason::DuplicateAddress,
        ProblemCode::Conflict => Reason::OwnedByAnother,
        ProblemCode::UnknownDomain => Reason::DomainNotFound,
        ProblemCode::ParkedDomain => Reason::DomainParked,
        ProblemCode::UnknownTarget => Reason::TargetNotFound,
        ProblemCode::ForeignTarget => Reason::TargetForeign,
        ProblemCode::AliasLoop => Reason::AliasLoop,
        ProblemCode::QuotaAboveLimit => Reason::QuotaAboveLimit,
        ProblemCode::PolicyViolation => Reason::PolicyViolation,
        ProblemCode::AddressNotAllowed => Reason::AddressNotAllowed,
        ProblemCode::SecretNotOurs => Reason::SecretNotOurs,
        ProblemCode::SecretNotFound => Reason::SecretNotFound,
        ProblemCode::SecretKeyNotFound => Reason::SecretKeyNotFound,
        ProblemCode::SecretInvalid => Reason::SecretInvalid,
        ProblemCode::TooMany => match problem.object.as_ref().map(|object| object.kind) {
            Some(Kind::Alias) => Reason::TooManyAliases,
            _ => Reason::TooManyMailboxes,
        },
        _ => Reason::Invalid,
    }
}
