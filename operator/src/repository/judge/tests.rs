//! What is told of every situation: a table of what was seen and the conditions that come of it.

use std::sync::Arc;

use mailwright_crds::check_repository;
use mailwright_plan::operation::{FailureReason, FieldChange};
use mailwright_plan::{Change, Kind, ObjectRef, Origin, Severity};
use serde_json::json;

use super::*;
use crate::source::verify::Taken;
use crate::source::{CommitInfo, Signer, Snapshot};

fn repository(mode: &str) -> MailRepository {
    let mut repository =
        check_repository(&json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
        "metadata": {"name": "company"}, "spec": {"url": "https://git.example.test/mail.git", "mode": mode}}))
        .unwrap();
    repository.metadata.generation = Some(3);
    repository
}

fn at(minute: u32) -> DateTime<Utc> {
    format!("2026-11-20T12:{minute:02}:00Z").parse().unwrap()
}

fn revision(name: &str) -> Revision {
    let head = CommitInfo {
        id: name.to_owned(),
        author: "carol <carol@example.org>".to_owned(),
        committed_at: at(0),
        subject: "mail".to_owned(),
        trailers: Vec::new(),
        signer: Some(Signer { principal: "alice@example.test".to_owned(), key: "SHA256:x".to_owned() }),
    };
    Revision {
        snapshot: Snapshot { revision: format!("main@sha1:{name}"), ..Snapshot::default() },
        taken: Some(Taken { head: Arc::new(head), commits: Vec::new() }),
        verified: true,
    }
}

fn operation(local: &str, action: Action, held: Option<Guard>) -> Operation {
    let address = format!("{local}@example.test");
    Operation {
        action,
        object: ObjectRef { kind: Kind::Mailbox, namespace: "default".into(), name: local.into() },
        subject: address.clone(),
        changes: vec![FieldChange { field: "spec.quota".into(), from: None, to: Some("1Gi".into()) }],
        risk: mailwright_plan::operation::Risk::None,
        effect: Vec::new(),
        origin: Some(Origin::new("mail/accounts.yaml", 7)),
        change: Change::DisableMailbox { address },
        held: held.map(Box::new),
        drift: false,
    }
}

fn problem(message: &str) -> Problem {
    Problem {
        origin: Some(Origin::new("mail/bad.yaml", 4)),
        object: None,
        field: "spec.quota".into(),
        code: ProblemCode::Invalid,
        severity: Severity::Error,
        message: message.into(),
        remedy: Some("write 5G".into()),
    }
}

fn plan(operations: Vec<Operation>, problems: Vec<Problem>) -> Plan {
    Plan { operations, problems, digest: "0123456789abcdef".repeat(4), ..Plan::default() }
}

fn applied(plan: &Plan) -> Vec<Outcome> {
    plan.applicable().map(|operation| Outcome::of(operation, Verdict::Applied)).collect()
}

/// One thing that was seen.
struct Case {
    mode: &'static str,
    gate: Gate,
    plan: Plan,
    outcomes: Vec<Outcome>,
    trouble: Option<Trouble>,
    beside: Option<Trouble>,
    error: Option<&'static str>,
    suspended: bool,
}

impl Case {
    fn of(plan: Plan) -> Case {
        let outcomes = applied(&plan);
        Case {
            mode: "Apply",
            gate: Gate::Everything,
            plan,
            outcomes,
            trouble: None,
            beside: None,
            error: None,
            suspended: false,
        }
    }

    fn told(&self, previous: &MailRepositoryStatus, name: &str, minute: u32) -> MailRepositoryStatus {
        let (repository, revision) = (repository(self.mode), revision(name));
        let seen = Seen {
            repository: &repository,
            gate: self.gate,
            suspended: self.suspended,
            revision: Some(&revision),
            trouble: self.trouble.as_ref(),
            beside: Beside { trouble: self.beside.as_ref(), ..Beside::default() },
            applied: Some(Applied {
                plan: &self.plan,
                outcomes: &self.outcomes,
                error: self.error,
                objects: 5,
            }),
            now: at(minute),
        };
        judge(&seen, previous)
    }
}

/// `Ready=True/Reconciled …`, in the order of the types.
fn conditions(status: &MailRepositoryStatus) -> String {
    let told = status.conditions.iter().map(|it| format!("{}={}/{}", it.type_, it.status, it.reason));
    told.collect::<Vec<_>>().join(" ")
}

fn message(status: &MailRepositoryStatus) -> &str {
    &condition::find(&status.conditions, ConditionType::Ready).unwrap().message
}

#[track_caller]
fn check(case: &Case, expected: &str, says: &str) {
    let status = case.told(&MailRepositoryStatus::default(), "0a", 1);
    assert_eq!(conditions(&status), expected);
    assert!(message(&status).contains(says), "{}", message(&status));
    assert!(
        status.conditions.iter().all(|it| it.observed_generation == Some(3))
            && status.observed_generation == 3
    );
    // The definition's list of reasons, and nothing when the same is seen again.
    for it in &status.conditions {
        let of = condition::conditions_of(Kind::MailRepository);
        let info = of.iter().find(|info| info.type_ == it.type_).unwrap();
        assert!(info.reasons.contains(&it.reason), "{} {}", it.type_, it.reason);
    }
    assert_eq!(case.told(&status, "0a", 9), status, "nothing ticks");
}

const READ: &str = "SourceReady=True/RevisionFetched Verified=True/SignatureVerified";

#[test]
fn what_is_in_force_is_ready() {
    let case = Case::of(plan(vec![operation("a", Action::Create, None)], vec![]));
    check(
        &case,
        &format!(
            "Ready=True/Reconciled PlanAccepted=True/NothingHeld {READ} Drifted=False/NoDrift PartiallyApplied=False/FullyApplied"
        ),
        "main@sha1:0a is in force",
    );
}

#[test]
fn a_broken_file_leaves_the_rest_in_force() {
    let broken = || vec![problem("\"5GB\" is not a quantity"), problem("another")];
    let isolated = Case::of(plan(vec![operation("a", Action::Create, None)], broken()));
    check(
        &isolated,
        &format!(
            "Ready=False/PartiallyApplied PlanAccepted=True/NothingHeld {READ} Drifted=False/NoDrift \
             PartiallyApplied=True/SourceBroken Stalled=True/PartiallyApplied"
        ),
        "mail/bad.yaml:4: spec.quota: \"5GB\" is not a quantity; write 5G (and 1 more)",
    );
    let status = isolated.told(&MailRepositoryStatus::default(), "0a", 1);
    assert_eq!(
        (status.failures.len(), status.failures[0].file.as_str(), status.failures[0].line),
        (2, "mail/bad.yaml", Some(4))
    );
    assert_eq!(status.last_applied_revision.as_deref(), Some("main@sha1:0a"), "applied in part is applied");

    let atomic = Case {
        gate: Gate::Whole,
        outcomes: vec![],
        ..Case::of(plan(vec![operation("a", Action::Create, None)], broken()))
    };
    check(
        &atomic,
        &format!(
            "Ready=False/SourceBroken PlanAccepted=False/SourceBroken {READ} Drifted=False/NoDrift Stalled=True/SourceBroken"
        ),
        "failurePolicy: Atomic applies nothing as long as anything is wrong: mail/bad.yaml:4",
    );
    let status = atomic.told(&MailRepositoryStatus::default(), "0a", 1);
    assert_eq!((status.last_applied_revision, status.history.len()), (None, 0));
}

#[test]
fn what_waits_says_for_whom() {
    let digest = "0123456789abcdef".repeat(4);
    let removed = Guard::Count { removed: 30, recent: 0, limit: 20 };
    for (guard, reason, says) in [
        (
            removed,
            "HeldByGuard",
            "30 objects would be removed or disabled, more than 20; if that is meant: --approve 0123456789abcdef",
        ),
        (Guard::EmptySource, "HeldByGuard", "check branch and path"),
        (
            Guard::Approval { digest },
            "ApprovalNeeded",
            "1 of 2 changes wait for an approval: mailwright approve 0123456789abcdef, or a commit with Mailwright-Approve: 0123456789abcdef",
        ),
    ] {
        let operations =
            vec![operation("a", Action::Create, None), operation("b", Action::Disable, Some(guard))];
        check(
            &Case::of(plan(operations, vec![])),
            &format!(
                "Ready=False/{reason} PlanAccepted=False/{reason} {READ} Drifted=False/NoDrift PartiallyApplied=True/HeldByGuard \
                 Stalled=True/{reason}"
            ),
            says,
        );
    }
}

#[test]
fn what_the_database_refuses_is_told_with_its_place() {
    let case = Case::of(plan(
        vec![operation("a", Action::Create, None), operation("b", Action::Create, None)],
        vec![],
    ));
    let mut outcomes = case.outcomes.clone();
    outcomes[1].verdict =
        Verdict::Failed { reason: FailureReason::Database, message: "disk I/O error".into() };
    check(
        &Case { outcomes, ..case },
        &format!(
            "Ready=False/PartiallyApplied PlanAccepted=True/NothingHeld {READ} Drifted=False/NoDrift \
             PartiallyApplied=True/ApplyFailed Stalled=True/PartiallyApplied"
        ),
        "mail/accounts.yaml:7: b@example.test: disk I/O error",
    );
    let operations = vec![operation("a", Action::Create, None), operation("b", Action::Create, None)];
    let case = Case::of(plan(operations, vec![]));
    let mut outcomes = case.outcomes.clone();
    outcomes[0].verdict = Verdict::not_alone();
    outcomes[1].verdict =
        Verdict::Failed { reason: FailureReason::Conflict, message: "managed by another".into() };
    let whole = Case { outcomes, gate: Gate::Whole, ..case };
    check(
        &whole,
        &format!(
            "Ready=False/ApplyFailed PlanAccepted=True/NothingHeld {READ} Drifted=False/NoDrift Reconciling=True/ApplyFailed"
        ),
        "Atomic applies all or nothing, and this failed: mail/accounts.yaml:7: b@example.test: managed by another",
    );
    let status = whole.told(&MailRepositoryStatus::default(), "0a", 1);
    assert_eq!((status.last_applied_revision, status.failures.len(), status.history.len()), (None, 1, 0));
    let away = Case { error: Some("the account database: nobody answers"), ..Case::of(plan(vec![], vec![])) };
    check(&away, &format!("Ready=False/ApplyFailed {READ} Reconciling=True/ApplyFailed"), "nobody answers");
}

#[test]
fn files_that_do_not_open_are_told_apart_from_broken_ones() {
    let sealed = || Problem { code: ProblemCode::DecryptionFailed, ..problem("the MAC does not fit") };
    for (gate, problems, expected) in [
        (
            Gate::Everything,
            vec![sealed()],
            "Ready=False/PartiallyApplied PlanAccepted=True/NothingHeld READ PartiallyApplied=True/DecryptionFailed",
        ),
        (
            Gate::Everything,
            vec![sealed(), problem("x")],
            "Ready=False/PartiallyApplied PlanAccepted=True/NothingHeld READ PartiallyApplied=True/SourceBroken",
        ),
        (
            Gate::Whole,
            vec![sealed()],
            "Ready=False/DecryptionFailed PlanAccepted=False/DecryptionFailed READ",
        ),
        (Gate::Nothing, vec![sealed()], "Ready=False/DecryptionFailed PlanAccepted=True/NothingHeld READ"),
    ] {
        let case = Case { gate, ..Case::of(plan(vec![], problems)) };
        let status = case.told(&MailRepositoryStatus::default(), "0a", 1);
        let expected = expected.replace("READ", &format!("{READ} Drifted=False/NoDrift"));
        assert!(conditions(&status).starts_with(&expected), "{}", conditions(&status));
        assert_eq!(status.failures[0].reason, "DecryptionFailed");
    }
}

#[test]
fn a_plan_is_only_told_where_nothing_is_to_be_applied() {
    let case = Case {
        mode: "Plan",
        gate: Gate::Nothing,
        outcomes: vec![],
        ..Case::of(plan(
            vec![operation("a", Action::Create, None), operation("b", Action::Disable, None)],
            vec![],
        ))
    };
    check(
        &case,
        &format!("Ready=True/Planned PlanAccepted=True/NothingHeld {READ} Drifted=False/NoDrift"),
        "planned main@sha1:0a: 2 changes, none of which is applied",
    );
    let status = case.told(&MailRepositoryStatus::default(), "0a", 1);
    let plan = status.plan.unwrap();
    assert_eq!((plan.create, plan.update, plan.remove, plan.held, plan.digest.len()), (1, 0, 1, 0, 64));
    assert_eq!((status.last_applied_revision, status.history.len()), (None, 0));
    assert_eq!(status.last_attempted_revision.as_deref(), Some("main@sha1:0a"));
}

#[test]
fn trouble_keeps_what_was_known() {
    let good = Case::of(plan(vec![operation("a", Action::Create, None)], vec![]));
    let before = good.told(&MailRepositoryStatus::default(), "0a", 1);
    let lasting =
        |aspect, reason, message: &str| Trouble::lasting(aspect, reason, message).of("main@sha1:0b");
    let moment = Trouble {
        temporary: true,
        revision: None,
        ..lasting(ConditionType::SourceReady, Reason::FetchFailed, "cannot be reached")
    };
    for (trouble, source, verified, abnormal) in [
        (moment, "False/FetchFailed", "True/SignatureVerified", "Reconciling=True/FetchFailed"),
        (
            lasting(ConditionType::SourceReady, Reason::RefNotFound, "there is no branch main"),
            "False/RefNotFound",
            "True/SignatureVerified",
            "Stalled=True/RefNotFound",
        ),
        (
            lasting(ConditionType::Verified, Reason::SignatureMissing, "commit 0b is not signed; sign it"),
            "True/RevisionFetched",
            "False/SignatureMissing",
            "Stalled=True/SignatureMissing",
        ),
    ] {
        let reason = trouble.reason;
        let repository = repository("Apply");
        let seen = Seen {
            repository: &repository,
            gate: Gate::Everything,
            suspended: false,
            revision: None,
            trouble: Some(&trouble),
            beside: Beside::default(),
            applied: None,
            now: at(5),
        };
        let after = judge(&seen, &before);
        assert_eq!(
            conditions(&after),
            format!(
                "Ready=False/{reason} PlanAccepted=True/NothingHeld SourceReady={source} Verified={verified} Drifted=False/NoDrift \
                 PartiallyApplied=False/FullyApplied {abnormal}"
            )
        );
        assert_eq!(message(&after), trouble.message);
        assert_eq!(
            (&after.last_applied_revision, &after.history, &after.plan),
            (&before.last_applied_revision, &before.history, &before.plan)
        );
        let attempted = trouble.revision.clone().or_else(|| before.last_attempted_revision.clone());
        assert_eq!(after.last_attempted_revision, attempted);
        assert_eq!(judge(&Seen { now: at(6), ..seen }, &after), after);
        assert_eq!(conditions(&good.told(&after, "0a", 7)), conditions(&before), "and it passes");
    }
}

#[test]
fn one_that_is_left_alone_says_so() {
    let case = Case { suspended: true, ..Case::of(plan(vec![], vec![])) };
    let status = case.told(&MailRepositoryStatus::default(), "0a", 1);
    assert!(conditions(&status).starts_with("Ready=Unknown/Suspended "), "{}", conditions(&status));
    let repository = repository("Apply");
    let seen = Seen {
        repository: &repository,
        gate: Gate::Everything,
        suspended: true,
        revision: None,
        trouble: None,
        beside: Beside::default(),
        applied: None,
        now: at(1),
    };
    assert_eq!(conditions(&judge(&seen, &MailRepositoryStatus::default())), "Ready=Unknown/Suspended");
}

#[test]
fn what_is_beside_the_revisions_is_told_and_holds_up_nothing() {
    let message_of = "Secret mail/hook does not exist; make it, with the key token";
    let trouble = Trouble::lasting(ConditionType::Ready, Reason::SecretNotFound, message_of);
    let case = Case { beside: Some(trouble), ..Case::of(plan(vec![], vec![])) };
    let status = case.told(&MailRepositoryStatus::default(), "0a", 1);
    assert_eq!(
        conditions(&status),
        "Ready=False/SecretNotFound PlanAccepted=True/NothingHeld SourceReady=True/RevisionFetched Verified=True/SignatureVerified \
         Drifted=False/NoDrift PartiallyApplied=False/FullyApplied Stalled=True/SecretNotFound"
    );
    assert_eq!(message(&status), message_of);
    assert_eq!(status.last_applied_revision.as_deref(), Some("main@sha1:0a"));
    let (repository, revision) = (repository("Apply"), revision("0a"));
    let beside = Beside { webhook_path: Some("/hook/00"), adoption_token: Some("11"), trouble: None };
    let seen = Seen {
        repository: &repository,
        gate: Gate::Everything,
        suspended: false,
        revision: Some(&revision),
        trouble: None,
        applied: None,
        beside,
        now: at(2),
    };
    let stale = mailwright_crds::mail_repository::PreviewStatus {
        reference: "refs/pull/7/head".to_owned(),
        commit: "0b".to_owned(),
        digest: "d".to_owned(),
        posted_at: None,
    };
    let status = judge(&seen, &MailRepositoryStatus { previews: vec![stale], ..status });
    assert_eq!(
        (status.webhook_path.as_deref(), status.adoption_token.as_deref(), status.previews.len()),
        (Some("/hook/00"), Some("11"), 0)
    );
    let status = judge(&Seen { beside: Beside::default(), ..seen }, &status);
    assert_eq!((status.webhook_path, status.adoption_token), (None, None));
}

#[test]
fn drift_is_told_until_it_is_undone() {
    let drifted = |held| Operation { drift: true, ..operation("a", Action::Update, held) };
    let reported = Case::of(plan(vec![drifted(Some(Guard::Drift))], vec![]));
    let status = reported.told(&MailRepositoryStatus::default(), "0a", 1);
    let told = condition::find(&status.conditions, ConditionType::Drifted).unwrap();
    assert_eq!((told.status, told.reason), (ConditionStatus::True, Reason::DriftFound));
    assert!(
        told.message.contains("a@example.test was changed behind the repository's back: spec.quota"),
        "{}",
        told.message
    );
    assert_eq!(condition::find(&status.conditions, ConditionType::Ready).unwrap().reason, Reason::Reconciled);
    assert_eq!(status.plan.as_ref().unwrap().held, 0, "it is left alone, not held back");
    let repaired = Case::of(plan(vec![drifted(None)], vec![]));
    let status = repaired.told(&status, "0a", 2);
    assert_eq!(condition::find(&status.conditions, ConditionType::Drifted).unwrap().reason, Reason::NoDrift);
}

#[test]
fn history_has_the_last_ten_that_changed_something_or_came_anew() {
    let mut status = MailRepositoryStatus::default();
    for number in 0..12 {
        let case = Case::of(plan(vec![operation("a", Action::Update, None)], vec![]));
        status = case.told(&status, &format!("{number:02}"), number);
        let spent = Case::of(plan(vec![], vec![]));
        let after = spent.told(&status, &format!("{number:02}"), number);
        assert_eq!(after.history, status.history, "a pass without a change is no history");
        assert_eq!(after.plan, status.plan, "what was applied is told on");
    }
    assert_eq!(status.history.len(), MAX_HISTORY);
    let newest = &status.history[0];
    assert_eq!((newest.revision.as_str(), newest.operations), ("main@sha1:11", 1));
    assert_eq!(
        (newest.author.as_deref(), newest.signer.as_deref()),
        (Some("carol <carol@example.org>"), Some("alice@example.test"))
    );
    assert_eq!(status.history[9].revision, "main@sha1:02");
    assert_eq!(status.last_verified.as_ref().unwrap().commit, "11");
    let many: Vec<Problem> = (0..50).map(|number| problem(&format!("wrong {number}"))).collect();
    let status = Case::of(plan(vec![], many)).told(&status, "12", 13);
    assert_eq!(status.failures.len(), MAX_FAILURES);
    assert!(message(&status).ends_with("(and 49 more)"), "{}", message(&status));
}
