//! Properties of planning and applying, over random declarations and random earlier states: any order gives the same
//! plan, applying twice writes once, an interruption anywhere ends in the same state, nothing held is ever applied,
//! other sources are never touched, and postmaster@ never falls silent.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use chrono::Duration;
use mailwright_plan::{Change, Observed, PROTECTED_LOCAL_PARTS, plan, simulate};
use proptest::prelude::*;
use proptest::sample::Index;
use support::random::{approving, cases, earlier, history, repository, shuffled, state};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn any_order_gives_the_same_plan(history in history(), repository in repository(), seed in any::<usize>(), pick in any::<Index>()) {
        let observed = earlier(&history, &pick);
        let settings = support::settings("git", support::start() + Duration::days(1));
        let one = plan(&support::catalog(&repository), &observed, &settings);
        let other = plan(&shuffled(&repository, seed), &observed, &settings);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn applying_twice_writes_once(history in history(), repository in repository(), approve in any::<bool>(), pick in any::<Index>()) {
        let observed = earlier(&history, &pick);
        let now = support::start() + Duration::days(1);
        let catalog = support::catalog(&repository);
        let settings = support::settings("git", now);
        let (first, settings) = match approve {
            true => approving(&catalog, &observed, settings),
            false => (plan(&catalog, &observed, &settings), settings),
        };
        let (after, outcomes) = simulate::apply_operations(&observed, "git", first.applicable(), now);
        for outcome in &outcomes {
            prop_assert_eq!(&outcome.verdict, &mailwright_plan::Verdict::Applied, "{:?}", outcome);
        }
        let again = plan(&catalog, &after, &settings);
        let left: Vec<_> = again.applicable().map(|operation| format!("{:?} {}", operation.action, operation.subject)).collect();
        prop_assert!(left.is_empty(), "left to do: {:?}", left);
        let repeated = simulate::apply(&after, &first, now);
        prop_assert_eq!(&repeated, &after);
    }

    #[test]
    fn an_interruption_anywhere_ends_the_same(history in history(), repository in repository(), approve in any::<bool>(), cut in any::<Index>(), pick in any::<Index>()) {
        let observed = earlier(&history, &pick);
        let now = support::start() + Duration::days(1);
        let catalog = support::catalog(&repository);
        let decide = |observed: &Observed| {
            let settings = support::settings("git", now);
            if approve { approving(&catalog, observed, settings).0 } else { plan(&catalog, observed, &settings) }
        };
        let whole = decide(&observed);
        let straight = simulate::apply(&observed, &whole, now);
        let some = cut.index(whole.applicable().count() + 1);
        let (half, _) = simulate::apply_operations(&observed, "git", whole.applicable().take(some), now);
        let resumed = simulate::apply(&half, &decide(&half), now);
        prop_assert_eq!(state(&resumed), state(&straight));
    }

    #[test]
    fn guards_hold(history in history(), repository in repository(), approve in any::<bool>(), pick in any::<Index>()) {
        let observed = earlier(&history, &pick);
        let now = support::start() + Duration::days(1);
        let catalog = support::catalog(&repository);
        let settings = support::settings("git", now);
        let planned = match approve {
            true => approving(&catalog, &observed, settings).0,
            false => plan(&catalog, &observed, &settings),
        };
        let after = simulate::apply(&observed, &planned, now);
        postmasters_stay(&observed, &after)?;
        others_stay(&observed, &after)?;
        if catalog.is_empty() || catalog.broken_files().values().any(|broken| broken.text.is_none()) {
            let in_service = |observed: &Observed| observed.mailboxes.iter().filter(|row| row.is_active()).count();
            let lost = planned.applicable().filter(|operation| {
                matches!(operation.change, Change::DisableMailbox { .. } | Change::DeleteMailbox { .. }
                    | Change::DeleteAlias { .. } | Change::DisableDomain { .. } | Change::DeleteDomain { .. })
            });
            let due = |change: &Change| matches!(change, Change::DeleteMailbox { .. });
            prop_assert_eq!(lost.filter(|operation| !due(&operation.change)).count(), 0);
            prop_assert!(in_service(&after) > 0 || in_service(&observed) == 0 || !catalog.is_empty());
        }
        if !approve {
            let removed = planned.applicable().filter(|operation| {
                matches!(operation.change, Change::DisableMailbox { .. } | Change::DeleteAlias { .. })
            }).count();
            prop_assert!(removed <= 20);
        }
        let fingerprints: Vec<_> = planned.operations.iter().filter_map(|operation| match &operation.change {
            Change::PutMailbox { credential, .. } => credential.as_ref().map(|credential| credential.fingerprint.clone()),
            _ => None,
        }).collect();
        let shown = format!("{}{}", mailwright_plan::render::text(&planned, true), mailwright_plan::render::json(&planned));
        prop_assert!(fingerprints.iter().all(|fingerprint| !shown.contains(fingerprint)));
    }
}

/// Whoever answered postmaster@ and abuse@ of a domain that is still served, here: somebody answers still, here or at another
/// server. Where only another server answered, a domain that is declared anew may take the address home to nobody. A guard
/// against it would hold for good a domain that failed once after its alias was applied: the rows are the same
/// (`failures_hold_nothing_else_up`).
fn postmasters_stay(before: &Observed, after: &Observed) -> Result<(), TestCaseError> {
    for domain in &before.domains {
        let name = &domain.declared.domain;
        let served = after.domains.iter().find(|row| row.declared.domain == *name);
        if served.is_none_or(|row| row.removed_at.is_some() || row.declared.parked) {
            continue;
        }
        for local in PROTECTED_LOCAL_PARTS {
            let address = format!("{local}@{name}");
            prop_assert!(
                !answered(before, &address, Abroad::Nobody, 8)
                    || answered(after, &address, Abroad::Somebody, 8),
                "{} fell silent",
                address
            );
        }
    }
    Ok(())
}

/// Whether somebody at another server counts.
#[derive(Clone, Copy, PartialEq)]
enum Abroad {
    Nobody,
    Somebody,
}

/// A second, plainer reading of routing, so that the planner's own is not its judge.
fn answered(observed: &Observed, address: &str, abroad: Abroad, depth: u8) -> bool {
    let Some((local, name)) = address.split_once('@') else { return false };
    let serves = |row: &&mailwright_plan::observed::DomainRow| {
        row.declared.domain == name || row.declared.aliases.iter().any(|alias| alias == name)
    };
    let Some(domain) = observed.domains.iter().find(serves) else { return abroad == Abroad::Somebody };
    if depth == 0 || domain.removed_at.is_some() || domain.declared.parked {
        return false;
    }
    let address = format!("{local}@{}", domain.declared.domain);
    if let Some(mailbox) = observed.mailboxes.iter().find(|row| row.declared.address == address) {
        return mailbox.is_active();
    }
    let alias = |address: &str| observed.aliases.iter().find(|row| row.declared.address == address);
    if let Some(row) = alias(&address).or_else(|| alias(&format!("@{}", domain.declared.domain))) {
        let mut targets = row.declared.targets.iter();
        return row.declared.enabled && targets.any(|target| answered(observed, target, abroad, depth - 1));
    }
    domain.declared.catch_all.as_ref().is_some_and(|target| answered(observed, target, abroad, depth - 1))
}

/// Rows of another source, and rows of nobody that nothing here declares, are as they were.
fn others_stay(before: &Observed, after: &Observed) -> Result<(), TestCaseError> {
    for row in before
        .mailboxes
        .iter()
        .filter(|row| row.owner.as_ref().is_some_and(|owner| owner.managed_by == "other"))
    {
        prop_assert!(after.mailboxes.contains(row), "{:?}", row);
    }
    for row in before
        .aliases
        .iter()
        .filter(|row| row.owner.as_ref().is_some_and(|owner| owner.managed_by == "other"))
    {
        prop_assert!(after.aliases.contains(row), "{:?}", row);
    }
    for row in before
        .domains
        .iter()
        .filter(|row| row.owner.as_ref().is_some_and(|owner| owner.managed_by == "other"))
    {
        prop_assert!(after.domains.contains(row), "{:?}", row);
    }
    Ok(())
}
