//! A plan of the neighbourhood of a change is the plan of everything, or there is none.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Duration, Utc};
use mailwright_plan::nearby::{self, Moved, Nearby, Settled};
use mailwright_plan::status::{self, Facts};
use mailwright_plan::{Catalog, Changes, ObjectRef, Observed, Outcome, Plan, plan, simulate};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use support::random::{approving, cases, earlier, edited, edits, history, repository};

/// Repositories that were taken and applied, whatever came of it.
struct Taken {
    catalog: Catalog,
    observed: Observed,
    plan: Plan,
    outcomes: Vec<Outcome>,
}

fn take(repository: &str, observed: &Observed, now: DateTime<Utc>) -> Taken {
    let mut catalog = support::catalog(repository);
    assert_eq!(catalog.take_changes(), Changes::Everything);
    let plan = approving(&catalog, observed, support::settings("git", now)).0;
    let (observed, outcomes) = simulate::apply_operations(observed, "git", plan.applicable(), now);
    Taken { catalog, observed, plan, outcomes }
}

/// Plans what another repository changes, both ways.
fn both(taken: &mut Taken, repository: &str, now: DateTime<Utc>) -> (Option<Nearby>, Plan) {
    let before = taken.observed.clone();
    both_after(taken, repository, &before, now)
}

/// The same when rows changed meanwhile.
fn both_after(
    taken: &mut Taken,
    repository: &str,
    before: &Observed,
    now: DateTime<Utc>,
) -> (Option<Nearby>, Plan) {
    support::retake(&mut taken.catalog, repository);
    let (changes, moved) = (taken.catalog.take_changes(), Moved::between(before, &taken.observed));
    let settings = support::settings("git", now);
    let nearby = Settled::of(&taken.plan, &taken.outcomes).and_then(|settled| {
        nearby::plan(&taken.catalog, &taken.observed, &settings, &settled, &changes, &moved)
    });
    (nearby, plan(&taken.catalog, &taken.observed, &settings))
}

fn statuses(
    catalog: &Catalog,
    plan: &Plan,
    outcomes: &[Outcome],
    observed: &Observed,
) -> BTreeMap<ObjectRef, Value> {
    let (facts, now) = (Facts::default(), DateTime::UNIX_EPOCH);
    let input = status::Input { catalog, plan, outcomes, observed, facts: &facts, now };
    status::compute(&input, &BTreeMap::new()).into_iter().collect()
}

/// Random changes that were planned by their neighbourhood, and those that were not.
static NEAR: AtomicUsize = AtomicUsize::new(0);
static FAR: AtomicUsize = AtomicUsize::new(0);

fn is_the_same(
    history: &[(&'static str, String, u8)],
    repository: &str,
    edits: &[(Index, bool, String)],
    pick: &Index,
    drift: u8,
) -> Result<(), TestCaseError> {
    let now = support::start() + Duration::days(1);
    let mut taken = take(repository, &earlier(history, pick), now);
    let before = taken.observed.clone();
    let first = statuses(&taken.catalog, &taken.plan, &taken.outcomes, &before);
    if drift < 3 && !taken.observed.mailboxes.is_empty() {
        let row = pick.get_mut(&mut taken.observed.mailboxes);
        match drift {
            0 => row.declared.quota = Some(7 << 30),
            1 => row.removed_at = Some(now),
            _ => row.owner = None,
        }
    }
    let later = now + Duration::hours(2);
    let (nearby, whole) = both_after(&mut taken, &edited(repository, edits), &before, later);
    let Some(nearby) = nearby else {
        FAR.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    };
    NEAR.fetch_add(1, Ordering::Relaxed);
    prop_assert_eq!(&nearby.plan, &whole);
    // Whoever is not near has nothing new to say.
    let (after, outcomes) = simulate::apply_operations(&taken.observed, "git", whole.applicable(), later);
    let second = statuses(&taken.catalog, &whole, &outcomes, &after);
    let objects: BTreeSet<&ObjectRef> = first.keys().chain(second.keys()).collect();
    for object in objects.into_iter().filter(|object| !nearby.objects.contains(*object)) {
        prop_assert_eq!(first.get(object), second.get(object), "{}", object);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_neighbourhood_is_planned_like_everything(history in history(), repository in repository(), edits in edits(), pick in any::<Index>(), drift in 0..8u8) {
        is_the_same(&history, &repository, &edits, &pick, drift)?;
    }

    #[test]
    fn so_is_one_in_a_repository_without_a_fault(people in prop::collection::vec(any::<Index>(), 0..6), edits in edits(), pick in any::<Index>(), drift in 0..8u8) {
        is_the_same(&[], &sound(&people), &edits, &pick, drift)?;
        let (near, far) = (NEAR.load(Ordering::Relaxed), FAR.load(Ordering::Relaxed));
        // Most edits of these repositories are everyday ones.
        prop_assert!(near + far < 200 || near * 4 > far, "{} near, {} far", near, far);
    }
}

const SOUND: &str = "MailServer main {hostname: mail.one.test}\n\
    MailDomain one {serverRef: {name: main}, domain: one.test, aliases: [a.test]}\n\
    MailDomain two {serverRef: {name: main}, domain: two.test, catchAll: bob@one.test}\n\
    Secret s {p: one}\n\
    Alias list0 {address: postmaster@one.test, targets: [alice@one.test]}\n\
    Alias list1 {address: postmaster@two.test, targets: [alice@one.test, team@one.test]}\n\
    Alias list2 {address: team@one.test, targets: [bob+x@one.test, carol@two.test]}\n";

fn sound(people: &[Index]) -> String {
    let mut text = format!("# sound.yaml\n{SOUND}# people.yaml\n");
    for name in ["alice@one.test", "bob@one.test", "carol@two.test", "dave@two.test", "erin@one.test"] {
        let (local, _) = name.split_once('@').unwrap();
        let quota = people.first().map_or(1, |index| 1 + index.index(4));
        text.push_str(&format!("Mailbox {local} {{address: {name}, quota: {quota}Gi}}\n"));
    }
    text
}

/// Who is near, by name.
fn near(repository: &str, change: &str) -> Option<Vec<String>> {
    let now = support::start();
    let mut taken = take(repository, &Observed::default(), now);
    let (nearby, whole) = both(&mut taken, change, now + Duration::minutes(1));
    nearby.map(|nearby| {
        assert_eq!(nearby.plan, whole);
        nearby.objects.iter().map(|object| object.name.to_string()).collect()
    })
}

#[test]
fn an_edit_looks_at_those_it_can_concern() {
    let people: String = (0..50)
        .map(|number| format!("Mailbox user{number} {{address: user{number}@one.test, quota: 1Gi}}\n"))
        .collect();
    let repository = format!("{}# many.yaml\n{people}", sound(&[]));
    // Servers, domains and what answers for postmaster and for unknown addresses are looked at always.
    let always = ["main", "one", "two", "alice", "bob", "carol", "list0", "list1", "list2"];
    let check = |from: &str, to: &str, also: &[&str]| {
        assert!(repository.contains(from), "{from}");
        let mut names = near(&repository, &repository.replace(from, to)).unwrap();
        names.retain(|name| !always.contains(&name.as_str()));
        assert_eq!(names, also, "{from} → {to}");
    };
    let nobody: [&str; 0] = [];
    check("# many.yaml", "# many.yaml", &nobody);
    check("user7@one.test, quota: 1Gi", "user7@one.test, quota: 2Gi", &["user7"]);
    check("Mailbox user9 ", "Mailbox fresh {address: fresh@one.test}\nMailbox user9 ", &["fresh"]);
    check("bob+x@one.test", "bob+x@one.test, user3@a.test", &["user3"]);
    check(
        "user5@one.test, quota: 1Gi",
        "user5@one.test, quota: 1Gi, forward: {targets: [user6@one.test]}",
        &["user5", "user6"],
    );
    check("Secret s {p: one}", "Secret s {p: two}", &nobody);
}

#[test]
fn what_concerns_more_is_planned_whole() {
    let repository = format!("{}# x.yaml\nMailbox x {{address: x@one.test, enabled: true}}\n", sound(&[]));
    for (from, to, why) in [
        ("Mailbox x {address: x@one.test, enabled: true}", "", "somebody is removed"),
        ("enabled: true", "enabled: false", "somebody is taken out of service"),
        (": x@one.test,", ": alice@one.test,", "an address is claimed twice"),
        ("targets: [alice@one.test]", "targets: [nobody@one.test]", "a target is unknown"),
        ("aliases: [a.test]", "aliases: []", "a domain gives up a name"),
        ("aliases: [a.test]", "aliases: [a.test], allowedMailboxes: {from: All}", "who may have addresses"),
        ("# x.yaml", "# x.yaml\nbroken x@one.test", "a file is broken"),
    ] {
        assert_eq!(near(&repository, &repository.replace(from, to)), None, "{why}");
    }
    let limited = repository.replace("catchAll: bob@one.test", "limits: {mailboxes: 4}");
    let fresh = format!("{limited}Mailbox y {{address: y@two.test}}\n");
    assert_eq!(near(&limited, &fresh), None, "addresses are counted");
    let other = limited.replace(": x@one.test,", ": x@one.test, quota: 1Gi,");
    assert!(near(&limited, &other).is_some(), "a quota is no address");
}

#[test]
fn rows_that_moved_are_told_apart() {
    let taken = take(&sound(&[]), &Observed::default(), support::start());
    let moved = |edit: fn(&mut Observed)| {
        let mut after = taken.observed.clone();
        edit(&mut after);
        Moved::between(&taken.observed, &after)
    };
    let only = |address: &str| Moved::Addresses([address.to_owned()].into());
    assert_eq!(moved(|_| ()), Moved::none());
    assert_eq!(moved(|it| it.mailboxes[0].used_bytes = 9), Moved::none(), "mail comes in all the time");
    assert_eq!(moved(|it| it.mailboxes[0].owner = None), only("alice@one.test"));
    assert_eq!(moved(|it| drop(it.mailboxes.remove(1))), only("bob@one.test"));
    assert_eq!(moved(|it| it.aliases[0].declared.enabled = false), only("postmaster@one.test"));
    assert_eq!(moved(|it| it.domains[0].declared.parked = true), Moved::Everything);
    let two = Moved::none().and(only("a@b.test")).and(only("c@d.test"));
    assert_eq!(two, Moved::Addresses(["a@b.test".to_owned(), "c@d.test".to_owned()].into()));
    assert_eq!(Moved::Everything.and(only("a@b.test")), Moved::Everything);
}
