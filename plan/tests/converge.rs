//! Properties of planning and applying, over random declarations and random earlier states: any order gives the same
//! plan, applying twice writes once, an interruption anywhere ends in the same state, nothing held is ever applied,
//! other sources are never touched, and postmaster@ never falls silent.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::BTreeSet;

use chrono::Duration;
use mailwright_plan::observed::{CredentialRow, MailboxRow, SetBy};
use mailwright_plan::{Catalog, Change, Observed, PROTECTED_LOCAL_PARTS, Plan, Settings, plan, simulate};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const DOMAINS: [&str; 3] = ["one.test", "two.test", "three.test"];
const LOCALS: [&str; 6] = ["alice", "bob", "carol", "postmaster", "abuse", "sales"];

/// A few people, each usually with their own address, so that references mostly resolve.
const PEOPLE: [&str; 6] =
    ["alice@one.test", "bob@one.test", "carol@two.test", "dave@two.test", "erin@one.test", "sales@two.test"];

/// One line of a repository in the language of [`support`].
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => (select(vec!["main", "main", "other"]), select(vec!["mail.one.test", "mx.two.test"]))
            .prop_map(|(name, host)| format!("MailServer {name} {{hostname: {host}}}")),
        6 => domain(),
        14 => mailbox(),
        10 => alias(),
        2 => select(vec!["Secret s {p: one}", "Secret s {p: two}"]).prop_map(str::to_owned),
        1 => select(vec!["wrong Mailbox alice", "wrong Alias list0", "wrong MailDomain one",
            "broken alice@one.test", "broken list1: [", "unreadable"]).prop_map(str::to_owned),
    ]
}

fn domain() -> impl Strategy<Value = String> {
    let alias = prop_oneof![3 => Just(String::new()), 2 => select(vec!["a.test", "b.test", "a.test, b.test", "three.test"]).prop_map(str::to_owned)];
    let extra = select(vec![
        "",
        "",
        ", catchAll: alice@one.test",
        ", limits: {mailboxes: 3, maxQuota: 1Gi, defaultQuota: 1Gi}",
        ", limits: {aliases: 2}",
        ", dmarc: {policy: Reject}",
    ]);
    (0..DOMAINS.len(), alias, extra, prop::bool::weighted(0.05)).prop_map(|(index, alias, extra, parked)| {
        let name = ["one", "two", "three"][index];
        let alias = if alias == DOMAINS[index] { String::new() } else { alias };
        let rest = if parked { ", parked: true".to_owned() } else { format!(", aliases: [{alias}]{extra}") };
        format!("MailDomain {name} {{serverRef: {{name: main}}, domain: {}{rest}}}", DOMAINS[index])
    })
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(PEOPLE.to_vec()).prop_map(str::to_owned),
        1 => (select(LOCALS.to_vec()), select(DOMAINS.to_vec())).prop_map(|(local, domain)| format!("{local}@{domain}")),
    ]
}

fn mailbox() -> impl Strategy<Value = String> {
    let extra = select(vec![
        "",
        "",
        "",
        ", enabled: false",
        ", quota: 2Gi",
        ", deletionPolicy: Delete, retainFor: 1h",
        ", deletionPolicy: Retain",
        ", credentials: {secretRef: {name: s, key: p}}",
        ", credentials: {secretRef: {name: s, key: p}, management: Enforced}",
    ]);
    let suspended = select(vec!["", "", "", "", "", "", "", "suspended "]);
    (0..PEOPLE.len(), prop::option::weighted(0.15, address()), extra, suspended).prop_map(
        |(who, other, extra, suspended)| {
            let (name, _) = PEOPLE[who].split_once('@').unwrap();
            let address = other.unwrap_or_else(|| PEOPLE[who].to_owned());
            format!("Mailbox {suspended}{name} {{address: {address}{extra}}}")
        },
    )
}

fn alias() -> impl Strategy<Value = String> {
    let role = (select(vec!["postmaster", "abuse", "team", "info"]), select(DOMAINS[..2].to_vec()));
    let own = prop_oneof![
        8 => role.prop_map(|(local, domain)| format!("{local}@{domain}")),
        1 => address(),
        1 => select(DOMAINS.to_vec()).prop_map(|domain| format!("'@{domain}'")),
    ];
    let target = prop_oneof![9 => address(), 1 => Just("team@one.test".to_owned()), 1 => Just("info@one.test".to_owned())];
    (0..7u8, own, prop::collection::btree_set(target, 1..3), prop::bool::weighted(0.9)).prop_map(
        |(number, own, mut targets, enabled)| {
            targets.remove(&own);
            if targets.is_empty() {
                targets
                    .insert(if own == "dave@two.test" { "bob@one.test" } else { "dave@two.test" }.to_owned());
            }
            let targets: Vec<String> = targets.into_iter().collect();
            format!(
                "Alias list{number} {{address: {own}, targets: [{}], enabled: {enabled}}}",
                targets.join(", ")
            )
        },
    )
}

/// A repository in up to three files, usually with a server and a domain, and usually with each name once.
fn repository() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec((0..3u8, line()), 0..18);
    (prop::bool::weighted(0.9), prop::bool::weighted(0.9), lines).prop_map(move |(sound, unique, lines)| {
        let sound = if sound { SOUND } else { "" };
        let mut text = format!("# sound.yaml\n{sound}");
        let mut seen: BTreeSet<String> = sound.lines().map(name_of).collect();
        for file in 0..3 {
            text.push_str(&format!("# file{file}.yaml\n"));
            for (_, line) in lines.iter().filter(|(at, _)| *at == file) {
                if seen.insert(name_of(line)) || !unique {
                    text.push_str(&format!("{line}\n"));
                }
            }
        }
        text
    })
}

const SOUND: &str = "MailServer main {hostname: mail.one.test}\n\
    MailDomain one {serverRef: {name: main}, domain: one.test}\n\
    MailDomain two {serverRef: {name: main}, domain: two.test}\n\
    Alias list0 {address: postmaster@one.test, targets: [alice@one.test]}\n";

fn name_of(line: &str) -> String {
    line.replace("suspended ", "").split(' ').take(2).collect()
}

/// What happened before: repositories of two sources applied one after the other, passwords changed, rows released.
fn history() -> impl Strategy<Value = Vec<(&'static str, String, u8)>> {
    prop::collection::vec((select(vec!["git", "git", "other"]), repository(), 0..4u8), 0..4)
}

fn approving(catalog: &Catalog, observed: &Observed, mut settings: Settings) -> (Plan, Settings) {
    let planned = plan(catalog, observed, &settings);
    settings.guards.approved = Some(planned.digest);
    (plan(catalog, observed, &settings), settings)
}

fn earlier(history: &[(&'static str, String, u8)], pick: &Index) -> Observed {
    let (mut observed, mut now) = (Observed::default(), support::start());
    for (source, repository, approve) in history {
        now += Duration::hours(2);
        let catalog = support::catalog(repository);
        let settings = support::settings(source, now);
        let planned = match approve {
            0 => plan(&catalog, &observed, &settings),
            _ => approving(&catalog, &observed, settings).0,
        };
        observed = simulate::apply(&observed, &planned, now);
    }
    if !observed.mailboxes.is_empty() {
        let row: &mut MailboxRow = pick.get_mut(&mut observed.mailboxes);
        match row.account_id % 3 {
            0 => row.owner = None,
            1 => row.credential = Some(CredentialRow { fingerprint: None, set_by: SetBy::Owner }),
            _ => row.used_bytes = 3 << 30,
        }
    }
    observed
}

/// The same declarations, taken in in another order and partly twice.
fn shuffled(repository: &str, seed: usize) -> Catalog {
    let straight = support::catalog(repository);
    let mut catalog = straight.clone();
    let mut entries: Vec<_> = straight.entries().cloned().collect();
    for entry in &entries {
        catalog.delete(&entry.object());
    }
    let length = entries.len().max(1);
    entries.rotate_left(seed % length);
    if seed.is_multiple_of(2) {
        entries.reverse();
    }
    let mut by_file: Vec<(String, Vec<_>)> = Vec::new();
    for entry in entries {
        match by_file.iter_mut().find(|(file, _)| *file == entry.origin.file) {
            Some((_, list)) => list.push(entry),
            None => by_file.push((entry.origin.file.clone(), vec![entry])),
        }
    }
    // Taking a file in anew forgets what was broken in it, so that is told again.
    for (file, list) in by_file {
        catalog.replace_file(&file, list);
    }
    for (object, origins) in straight.broken_objects() {
        origins.iter().for_each(|origin| catalog.set_broken_object(object.clone(), origin.clone()));
    }
    for (file, broken) in straight.broken_files() {
        catalog.set_broken_file(file.clone(), broken.text.clone());
    }
    straight.problems().iter().for_each(|problem| catalog.add_problem(problem.clone()));
    catalog
}

/// Everything but the counter, which counts writes and so depends on the way.
fn state(observed: &Observed) -> Observed {
    let mut state = Observed { change_counter: 0, ..observed.clone() };
    // Numbers follow the order of creation, which an interruption may change.
    state.mailboxes.iter_mut().for_each(|row| row.account_id = 0);
    state
}

/// Enough in every run to find what is common; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150)
}

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

/// Whoever answered postmaster@ and abuse@ of a domain that is still served: somebody answers still.
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
                !answered(before, &address, 8) || answered(after, &address, 8),
                "{} fell silent",
                address
            );
        }
    }
    Ok(())
}

/// A second, plainer reading of routing, so that the planner's own is not its judge.
fn answered(observed: &Observed, address: &str, depth: u8) -> bool {
    let Some((local, name)) = address.split_once('@') else { return false };
    let serves = |row: &&mailwright_plan::observed::DomainRow| {
        row.declared.domain == name || row.declared.aliases.iter().any(|alias| alias == name)
    };
    let Some(domain) = observed.domains.iter().find(serves) else { return false };
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
        return row.declared.enabled && targets.any(|target| answered(observed, target, depth - 1));
    }
    domain.declared.catch_all.as_ref().is_some_and(|target| answered(observed, target, depth - 1))
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
