//! Approvals: what each mode holds, which approval lifts what, and that an approval dies with the plan it was given for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::render::{self, Exit, exit};
use mailwright_plan::{Approval, Guard, Observed, Plan, plan, short_digest};
use support::{BASE, running, with};

fn planned(observed: &Observed, repository: &str, mode: Approval, approved: &[&str]) -> Plan {
    let mut settings = support::settings("git", support::start());
    settings.approval = mode;
    settings.guards.approved = approved.iter().map(|digest| (*digest).to_owned()).collect();
    plan(&support::catalog(repository), observed, &settings)
}

/// `action subject: guard` for each operation.
fn told(plan: &Plan) -> Vec<String> {
    let line = |(operation, brief): (&mailwright_plan::Operation, String)| {
        let guard = match operation.held.as_deref() {
            None => return brief,
            Some(Guard::Approval { digest }) if *digest == plan.digest => "approval",
            Some(Guard::Count { .. } | Guard::Share { .. }) => "too many",
            Some(Guard::LastTarget { .. }) => "last target",
            Some(Guard::Protected { .. }) => "protected",
            Some(Guard::EmptySource) => "empty",
            Some(other) => return format!("{brief}: {other:?}"),
        };
        format!("{}: {guard}", brief.trim_end_matches(" held"))
    };
    plan.operations.iter().zip(support::brief(plan)).map(line).collect()
}

const PEOPLE: &str = "Mailbox p0 {address: p0@two.test}\nMailbox p1 {address: p1@two.test}";
const LATER: &str = "Mailbox carol {address: carol@two.test}";

#[test]
fn each_mode_holds_its_own() {
    let observed = running(&with(PEOPLE));
    let after = with(LATER);
    let digest = planned(&observed, &after, Approval::OnGuard, &[]).digest;
    let other = "fedcba9876543210";
    let free = ["create carol@two.test", "disable p0@two.test", "disable p1@two.test"];
    let guarded = ["create carol@two.test", "disable p0@two.test: too many", "disable p1@two.test: too many"];
    let all =
        ["create carol@two.test: approval", "disable p0@two.test: too many", "disable p1@two.test: too many"];
    let short = short_digest(&digest);
    for (mode, approved, expected) in [
        (Approval::Never, vec![], guarded),
        (Approval::Never, vec![digest.as_str()], guarded),
        (Approval::OnGuard, vec![], guarded),
        (Approval::OnGuard, vec![other], guarded),
        (Approval::OnGuard, vec![other, short], free),
        (Approval::Always, vec![], all),
        (Approval::Always, vec![other], all),
        (Approval::Always, vec![&digest[..15]], all),
        (Approval::Always, vec![short], free),
        (Approval::Always, vec![other, &digest], free),
    ] {
        let plan = planned(&observed, &after, mode, &approved);
        assert_eq!(told(&plan), expected, "{mode:?} {approved:?}");
        assert_eq!(plan.digest, digest, "neither mode nor approval changes what is to be approved");
        assert_eq!(plan.approval.mode, mode);
        assert_eq!(plan.approval.accepted.is_some(), expected == free, "{mode:?} {approved:?}");
    }
}

#[test]
fn always_holds_what_no_guard_would() {
    for (before, after) in [
        (String::new(), BASE.to_owned()),
        (BASE.to_owned(), with(LATER)),
        (BASE.to_owned(), BASE.replace("alice@one.test}\n", "alice@one.test, quota: 1Gi}\n")),
    ] {
        let observed = running(&before);
        let plan = planned(&observed, &after, Approval::Always, &[]);
        assert!(!plan.operations.is_empty());
        assert_eq!(plan.applicable().count(), 0, "{after}");
        assert_eq!(exit(&plan), Exit::Refused);
        let approved = planned(&observed, &after, Approval::Always, &[&plan.digest]);
        assert_eq!(approved.held().count(), 0, "{after}");
    }
    let nothing = planned(&running(BASE), BASE, Approval::Always, &[]);
    assert_eq!((nothing.operations.len(), nothing.approval.stale.len()), (0, 0));
}

#[test]
fn what_no_approval_lifts_stays_in_every_mode() {
    let observed = running(BASE);
    let silent =
        BASE.replace("Alias postmaster {address: postmaster@one.test, targets: [alice@one.test]}\n", "");
    for mode in [Approval::Never, Approval::OnGuard, Approval::Always] {
        for repository in [silent.as_str(), ""] {
            let digest = planned(&observed, repository, mode, &[]).digest;
            let plan = planned(&observed, repository, mode, &[&digest]);
            assert!(plan.held().count() > 0, "{mode:?} {repository}");
            assert!(
                plan.held().all(|operation| operation.held.as_ref().is_some_and(|g| !g.can_be_approved()))
            );
        }
    }
}

/// Every change of the set of operations makes another plan; what was approved before lifts nothing of it.
#[test]
fn an_approval_dies_when_the_plan_changes() {
    let observed = running(&with(PEOPLE));
    let repositories = [
        BASE.to_owned(),
        with(LATER),
        with("Mailbox carol {address: carol@two.test, quota: 1Gi}"),
        with("Mailbox dave {address: dave@two.test}"),
        BASE.replace("Mailbox bob {address: bob@one.test}\n", ""),
    ];
    let digests: Vec<String> =
        repositories.iter().map(|it| planned(&observed, it, Approval::OnGuard, &[]).digest).collect();
    for mode in [Approval::OnGuard, Approval::Always] {
        for (given, digest) in digests.iter().enumerate() {
            for (meant, repository) in repositories.iter().enumerate() {
                let plan = planned(&observed, repository, mode, &[digest]);
                assert_eq!(plan.held().count() == 0, given == meant, "{given} for {meant} in {mode:?}");
                assert_eq!(plan.approval.stale.is_empty(), given == meant);
            }
        }
        let all: Vec<&str> = digests.iter().map(String::as_str).collect();
        for repository in &repositories {
            assert_eq!(planned(&observed, repository, mode, &all).held().count(), 0, "several at once");
        }
    }
}

#[test]
fn a_stale_approval_is_told() {
    let observed = running(&with(PEOPLE));
    let plan =
        planned(&observed, BASE, Approval::OnGuard, &["FEDCBA9876543210", "hunter2", "0123456789abcde"]);
    let text = render::text(&plan, false);
    let expected = format!("approved fedcba9876543210…, but the plan is {}… now", short_digest(&plan.digest));
    assert!(text.contains(&expected), "{text}");
    assert!(
        !text.contains("hunter2") && !text.contains("0123456789abcde,"),
        "what is no digest is not repeated"
    );
    let json: serde_json::Value = serde_json::from_str(&render::json(&plan)).unwrap();
    assert_eq!(json["approval"]["stale"], serde_json::json!(["fedcba9876543210"]));
    let quiet = planned(&running(BASE), &with(LATER), Approval::OnGuard, &["fedcba9876543210"]);
    assert!(quiet.approval.stale.is_empty(), "nothing waits, so nobody needs to be told");
    let never = planned(&observed, BASE, Approval::Never, &[]);
    assert!(render::text(&never, false).contains("no approval lifts this (approval: Never)"));
    assert!(!render::text(&never, false).contains("--approve"));
}
