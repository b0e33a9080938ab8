//! The status of a MailRepository out of what was seen of it: pure, and equal to the last one when nothing changed.

use chrono::{DateTime, Utc};
use mailwright_crds::condition::{self, Condition};
use mailwright_crds::mail_repository::{
    AppliedRevision, Failure, MAX_FAILURES, MAX_HISTORY, PlanStatus, RepositoryMode, VerifiedCommit,
};
use mailwright_crds::{ConditionStatus, ConditionType, MailRepository, MailRepositoryStatus, Reason};
use mailwright_plan::operation::{Action, Guard};
use mailwright_plan::{Operation, Outcome, Plan, Problem, ProblemCode, Verdict, short_digest};

use super::{Revision, Trouble};
use crate::operator::{Gate, held};

/// What was seen of a repository.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// How it is declared; its generation is told with every condition.
    pub repository: &'a MailRepository,
    /// What of a plan is applied.
    pub gate: Gate,
    /// Whether it is left alone.
    pub suspended: bool,
    /// The revision that is in force or would be; `None` before one was read.
    pub revision: Option<&'a Revision>,
    /// Why the last attempt ended early.
    pub trouble: Option<&'a Trouble>,
    /// The last pass over that revision.
    pub applied: Option<Applied<'a>>,
    /// What is beside the revisions.
    pub beside: Beside<'a>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// What a status tells beside revisions and plans.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The path that webhooks are taken at.
    pub webhook_path: Option<&'a str>,
    /// What lets another source take over its rows.
    pub adoption_token: Option<&'a str>,
    /// Why webhooks are not taken or previews not made; what is followed is followed all the same.
    pub trouble: Option<&'a Trouble>,
}

/// A pass.
#[derive(Debug, Clone, Copy)]
pub struct Applied<'a> {
    /// What was planned.
    pub plan: &'a Plan,
    /// What became of it.
    pub outcomes: &'a [Outcome],
    /// Why the pass stopped.
    pub error: Option<&'a str>,
    /// How many objects are declared.
    pub objects: usize,
}

/// Writes the status.
pub fn judge(seen: &Seen<'_>, previous: &MailRepositoryStatus) -> MailRepositoryStatus {
    let generation = seen.repository.metadata.generation;
    let annotations = seen.repository.metadata.annotations.as_ref();
    let requested =
        annotations.and_then(|all| all.get(mailwright_crds::kind::REQUESTED_AT_ANNOTATION)).cloned();
    let mut status = MailRepositoryStatus {
        observed_generation: generation.unwrap_or(previous.observed_generation),
        last_handled_reconcile_at: requested.or_else(|| previous.last_handled_reconcile_at.clone()),
        ..previous.clone()
    };
    status.webhook_path = seen.beside.webhook_path.map(str::to_owned);
    status.adoption_token = seen.beside.adoption_token.map(str::to_owned);
    if seen.repository.spec.previews.is_none() {
        status.previews.clear();
    }
    let attempted = seen.trouble.and_then(|trouble| trouble.revision.clone());
    let read = seen.revision.map(|revision| revision.snapshot.revision.clone());
    if let Some(revision) = attempted.or_else(|| read.filter(|_| seen.trouble.is_none())) {
        status.last_attempted_revision = Some(revision);
    }
    let mut writer = Writer { conditions: &mut status.conditions, generation, now: seen.now };
    source(seen, &mut writer);
    if let Some(applied) = seen.applied.as_ref().filter(|applied| applied.error.is_none()) {
        let failures = failures(applied);
        plan_conditions(seen, applied, &failures, &mut writer);
        drifted(applied, &mut writer);
        figures(seen, applied, failures, previous, &mut status);
    }
    verified(seen, &mut status);
    summary(seen, &mut status, generation);
    status.conditions.sort_by_key(|condition| condition.type_);
    status
}

/// Where conditions go.
struct Writer<'a> {
    conditions: &'a mut Vec<Condition>,
    generation: Option<i64>,
    now: DateTime<Utc>,
}

impl Writer<'_> {
    fn set(
        &mut self,
        type_: ConditionType,
        status: impl Into<ConditionStatus>,
        reason: Reason,
        message: impl Into<String>,
    ) {
        let condition = Condition::new(type_, status, reason, message, self.now).observed(self.generation);
        condition::set(self.conditions, condition);
    }
}

/// SourceReady and Verified.
fn source(seen: &Seen<'_>, writer: &mut Writer<'_>) {
    match seen.trouble {
        Some(trouble) if trouble.aspect == ConditionType::Verified => {
            let found = trouble.revision.as_deref().unwrap_or_default();
            writer.set(ConditionType::SourceReady, true, Reason::RevisionFetched, format!("fetched {found}"));
            writer.set(ConditionType::Verified, false, trouble.reason, &trouble.message);
            return;
        }
        Some(trouble) if trouble.aspect == ConditionType::SourceReady => {
            writer.set(ConditionType::SourceReady, false, trouble.reason, &trouble.message);
            return;
        }
        // Whatever else is wrong says nothing of the source.
        _ => {}
    }
    let Some(revision) = seen.revision else { return };
    let name = &revision.snapshot.revision;
    writer.set(ConditionType::SourceReady, true, Reason::RevisionFetched, format!("fetched {name}"));
    match revision.verified {
        true => writer.set(ConditionType::Verified, true, Reason::SignatureVerified, signed(revision)),
        false => writer.conditions.retain(|condition| condition.type_ != ConditionType::Verified),
    }
}

fn signed(revision: &Revision) -> String {
    let signer = revision.taken.as_ref().and_then(|taken| taken.head.signer.as_ref());
    match signer {
        Some(signer) => format!("{} is signed by {}", revision.snapshot.revision, signer.principal),
        None => format!("{} is verified", revision.snapshot.revision),
    }
}

/// PlanAccepted and PartiallyApplied.
fn plan_conditions(seen: &Seen<'_>, applied: &Applied<'_>, failures: &[Failure], writer: &mut Writer<'_>) {
    let (accepted, reason, message) = acceptance(seen.gate, applied.plan, failures);
    writer.set(ConditionType::PlanAccepted, accepted, reason, message);
    let held = held(applied.plan).count();
    let failed = applied.outcomes.iter().any(|outcome| matches!(outcome.verdict, Verdict::Failed { .. }));
    let (partial, reason, message) = match (failures.first(), held) {
        (Some(first), _) if failed => (true, Reason::ApplyFailed, told(failures.len(), first)),
        (Some(first), _) => (true, broken(failures), told(failures.len(), first)),
        (None, 1..) => (true, Reason::HeldByGuard, format!("{held} changes are held back")),
        (None, 0) => (false, Reason::FullyApplied, "everything that is declared is in force".to_owned()),
    };
    match took(seen.gate, applied) {
        // Nothing is applied, so nothing is applied in part.
        false => writer.conditions.retain(|it| it.type_ != ConditionType::PartiallyApplied),
        true => writer.set(ConditionType::PartiallyApplied, partial, reason, message),
    }
}

/// Whether what the plan may change was changed, in full or in part.
fn took(gate: Gate, applied: &Applied<'_>) -> bool {
    let failed = |outcome: &Outcome| outcome.verdict != Verdict::Applied;
    gate.lets_through(applied.plan) && !(gate == Gate::Whole && applied.outcomes.iter().any(failed))
}

/// Drifted: what was changed behind the repository's back and is not undone by this pass.
fn drifted(applied: &Applied<'_>, writer: &mut Writer<'_>) {
    let undone = |operation: &Operation| {
        let same = |it: &&Outcome| it.object == operation.object && it.subject == operation.subject;
        applied.outcomes.iter().find(same).is_some_and(|outcome| outcome.verdict == Verdict::Applied)
    };
    let left: Vec<&Operation> = applied.plan.drift().filter(|operation| !undone(operation)).collect();
    match left.first() {
        None => {
            let message = "nothing was changed behind the repository's back";
            writer.set(ConditionType::Drifted, false, Reason::NoDrift, message);
        }
        Some(first) => {
            let fields: Vec<&str> = first.changes.iter().map(|change| change.field.as_str()).collect();
            let more = if left.len() > 1 { format!(" (and {} more)", left.len() - 1) } else { String::new() };
            let message = format!(
                "{} was changed behind the repository's back: {}{more}; take it over into the repository, or let it be undone with \
                 driftPolicy: Repair",
                first.subject,
                fields.join(", ")
            );
            writer.set(ConditionType::Drifted, true, Reason::DriftFound, message);
        }
    }
}

fn acceptance(gate: Gate, plan: &Plan, failures: &[Failure]) -> (bool, Reason, String) {
    let digest = short_digest(&plan.digest);
    let held: Vec<&Operation> = held(plan).collect();
    let waits = held.iter().any(|it| matches!(it.held.as_deref(), Some(Guard::Approval { .. })));
    let of = |count: usize| format!("{count} of {} changes", plan.operations.len());
    if waits {
        let message = format!(
            "{} wait for an approval: mailwright approve {digest}, or a commit with Mailwright-Approve: {digest}",
            of(held.len())
        );
        return (false, Reason::ApprovalNeeded, message);
    }
    if let Some(guard) = held.iter().find_map(|operation| operation.held.as_deref()) {
        return (
            false,
            Reason::HeldByGuard,
            format!("{} are held: {guard}; {}", of(held.len()), guard.remedy(&plan.digest)),
        );
    }
    match failures.first() {
        Some(first) if gate == Gate::Whole && plan.errors().next().is_some() => {
            let message = format!(
                "failurePolicy: Atomic applies nothing as long as anything is wrong: {}",
                told(failures.len(), first)
            );
            (false, broken(failures), message)
        }
        _ => (true, Reason::NothingHeld, "nothing is held back".to_owned()),
    }
}

/// What is wrong with the files, in one word: keys, when nothing else is.
fn broken(failures: &[Failure]) -> Reason {
    let sealed = Reason::DecryptionFailed.to_string();
    match failures.iter().all(|failure| failure.reason == sealed) {
        true => Reason::DecryptionFailed,
        false => Reason::SourceBroken,
    }
}

/// The first of several failures, and how many there are.
fn told(count: usize, first: &Failure) -> String {
    let place = match (first.file.as_str(), first.line) {
        ("", _) => String::new(),
        (file, None) => format!("{file}: "),
        (file, Some(line)) => format!("{file}:{line}: "),
    };
    let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
    format!("{place}{}{more}", first.message)
}

/// Everything that is wrong, what the files have before what the database refused.
fn failures(applied: &Applied<'_>) -> Vec<Failure> {
    let of_problem = |problem: &Problem| {
        let said = Problem { origin: None, object: problem.object.clone(), ..problem.clone() };
        Failure {
            file: problem.origin.as_ref().map(|origin| origin.file.to_string()).unwrap_or_default(),
            line: problem
                .origin
                .as_ref()
                .and_then(|origin| i32::try_from(origin.line).ok())
                .filter(|line| *line > 0),
            reason: match problem.code {
                ProblemCode::Invalid => Reason::Invalid.to_string(),
                code => format!("{code:?}"),
            },
            message: said.to_string(),
        }
    };
    let operations = &applied.plan.operations;
    let of_outcome = |outcome: &Outcome| {
        let Verdict::Failed { message, .. } = &outcome.verdict else { return None };
        if outcome.verdict.is_for_another() {
            return None;
        }
        let operation =
            operations.iter().find(|it| it.object == outcome.object && it.subject == outcome.subject);
        let origin = operation.and_then(|operation| operation.origin.as_ref());
        Some(Failure {
            file: origin.map(|origin| origin.file.to_string()).unwrap_or_default(),
            line: origin.and_then(|origin| i32::try_from(origin.line).ok()),
            reason: Reason::ApplyFailed.to_string(),
            message: format!("{}: {message}", outcome.subject),
        })
    };
    let wrong = applied.plan.errors().map(of_problem);
    wrong.chain(applied.outcomes.iter().filter_map(of_outcome)).collect()
}

/// The plan in figures, failures, history, what is in force.
fn figures(
    seen: &Seen<'_>,
    applied: &Applied<'_>,
    failures: Vec<Failure>,
    previous: &MailRepositoryStatus,
    status: &mut MailRepositoryStatus,
) {
    let plan = figures_of(applied.plan);
    let same_revision = previous.last_attempted_revision == status.last_attempted_revision;
    // After a plan is applied the next one is empty; what people look for is the one before.
    let spent = previous.plan.as_ref().is_some_and(|before| before.held == 0);
    if !(same_revision && spent && applied.plan.operations.is_empty() && seen.gate != Gate::Nothing) {
        status.plan = Some(plan);
    }
    status.failures = failures;
    status.failures.truncate(MAX_FAILURES);
    status.inventory = i32::try_from(applied.objects).ok();
    let Some(revision) = seen.revision else { return };
    if !took(seen.gate, applied) {
        return;
    }
    let name = &revision.snapshot.revision;
    let applied_now = applied.outcomes.iter().filter(|it| it.verdict == Verdict::Applied).count();
    let is_news = status.last_applied_revision.as_ref() != Some(name);
    status.last_applied_revision = Some(name.clone());
    let known =
        status.history.first().is_some_and(|it| it.revision == *name && it.digest == applied.plan.digest);
    if !known && (is_news || applied_now > 0) {
        let commit = revision.taken.as_ref().map(|taken| &taken.head);
        let entry = AppliedRevision {
            revision: name.clone(),
            digest: applied.plan.digest.clone(),
            applied_at: seen.now.into(),
            author: commit.map(|commit| commit.author.clone()),
            signer: commit.and_then(|commit| commit.signer.as_ref()).map(|signer| signer.principal.clone()),
            operations: i32::try_from(applied_now).unwrap_or(i32::MAX),
        };
        status.history.insert(0, entry);
        status.history.truncate(MAX_HISTORY);
    }
}

fn figures_of(plan: &Plan) -> PlanStatus {
    let count = |which: &[Action]| {
        let found = plan.operations.iter().filter(|operation| which.contains(&operation.action)).count();
        i32::try_from(found).unwrap_or(i32::MAX)
    };
    PlanStatus {
        digest: plan.digest.clone(),
        create: count(&[Action::Create, Action::Adopt]),
        update: count(&[Action::Update, Action::Enable]),
        remove: count(&[Action::Disable, Action::Delete, Action::Release]),
        held: i32::try_from(held(plan).count()).unwrap_or(i32::MAX),
    }
}

fn verified(seen: &Seen<'_>, status: &mut MailRepositoryStatus) {
    let taken = seen.revision.filter(|revision| revision.verified).and_then(|it| it.taken.as_ref());
    let Some(head) = taken.map(|taken| &taken.head) else { return };
    let known = status.last_verified.as_ref().is_some_and(|before| before.commit == head.id);
    if let Some(signer) = head.signer.as_ref().filter(|_| !known) {
        status.last_verified = Some(VerifiedCommit {
            commit: head.id.clone(),
            signer: signer.principal.clone(),
            at: seen.now.into(),
        });
    }
}

/// Ready, and Reconciling or Stalled while it is not.
fn summary(seen: &Seen<'_>, status: &mut MailRepositoryStatus, generation: Option<i64>) {
    let (ready, reason, message, waits) = readiness(seen, status);
    let abnormal = match (ready, waits) {
        (ConditionStatus::False, true) => Some(ConditionType::Reconciling),
        (ConditionStatus::False, false) => Some(ConditionType::Stalled),
        _ => None,
    };
    status.conditions.retain(|condition| {
        !matches!(condition.type_, ConditionType::Reconciling | ConditionType::Stalled)
            || Some(condition.type_) == abnormal
    });
    let mut writer = Writer { conditions: &mut status.conditions, generation, now: seen.now };
    if let Some(type_) = abnormal {
        writer.set(type_, true, reason, message.as_str());
    }
    writer.set(ConditionType::Ready, ready, reason, message);
}

/// Whether all is well, why not, and whether that passes by itself.
fn readiness(seen: &Seen<'_>, status: &MailRepositoryStatus) -> (ConditionStatus, Reason, String, bool) {
    if seen.suspended {
        let message =
            "suspend is set: nothing is fetched, planned or applied; what is in force stays".to_owned();
        return (ConditionStatus::Unknown, Reason::Suspended, message, false);
    }
    if let Some(trouble) = seen.trouble {
        return (ConditionStatus::False, trouble.reason, trouble.message.clone(), trouble.temporary);
    }
    let Some(applied) = &seen.applied else {
        let message = "nothing was read yet".to_owned();
        return (ConditionStatus::Unknown, Reason::FetchFailed, message, true);
    };
    if let Some(error) = applied.error {
        return (ConditionStatus::False, Reason::ApplyFailed, error.to_owned(), true);
    }
    let plan = condition::find(&status.conditions, ConditionType::PlanAccepted);
    if let Some(refused) =
        plan.filter(|it| it.status == ConditionStatus::False && it.reason != Reason::HeldByGuard)
    {
        return (ConditionStatus::False, refused.reason, refused.message.clone(), false);
    }
    if let Some(first) = status.failures.first() {
        let message = told(failures(applied).len(), first);
        return match seen.gate {
            Gate::Everything => (ConditionStatus::False, Reason::PartiallyApplied, message, false),
            Gate::Nothing => (ConditionStatus::False, broken(&status.failures), message, false),
            Gate::Whole => {
                let message =
                    format!("failurePolicy: Atomic applies all or nothing, and this failed: {message}");
                (ConditionStatus::False, Reason::ApplyFailed, message, true)
            }
        };
    }
    if let Some(refused) = plan.filter(|it| it.status == ConditionStatus::False) {
        return (ConditionStatus::False, refused.reason, refused.message.clone(), false);
    }
    if let Some(trouble) = seen.beside.trouble {
        return (ConditionStatus::False, trouble.reason, trouble.message.clone(), trouble.temporary);
    }
    let name = seen.revision.map(|revision| revision.snapshot.revision.as_str()).unwrap_or_default();
    match seen.repository.spec.mode {
        RepositoryMode::Plan => {
            let message = format!(
                "planned {name}: {} changes, none of which is applied with mode: Plan",
                applied.plan.operations.len()
            );
            (ConditionStatus::True, Reason::Planned, message, false)
        }
        RepositoryMode::Apply => {
            (ConditionStatus::True, Reason::Reconciled, format!("{name} is in force"), false)
        }
    }
}

#[cfg(test)]
mod tests;
