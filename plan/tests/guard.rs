//! Guards: what each of them holds, what it lets through, what an approval lifts, and where the limits are.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use chrono::Duration;
use mailwright_plan::render::{Exit, exit};
use mailwright_plan::{Guard, Guards, Observed, Plan, plan, short_digest, simulate};
use support::{BASE, instead, running, with};

/// `action subject`, and the guard that holds it in a few words.
fn told(plan: &Plan) -> Vec<String> {
    let line = |(operation, brief): (&mailwright_plan::Operation, String)| {
        let guard = match operation.held.as_deref() {
            None => return brief,
            Some(Guard::Share { .. }) => "share".to_owned(),
            Some(Guard::Count { .. }) => "count".to_owned(),
            Some(Guard::EmptySource) => "empty".to_owned(),
            Some(Guard::LastTarget { alias }) => format!("last target of {alias}"),
            Some(Guard::Protected { address }) => format!("protects {address}"),
            Some(Guard::After { subject }) => format!("after {subject}"),
            Some(Guard::Approval { .. }) => "approval".to_owned(),
            Some(Guard::Forbidden { right, .. }) => format!("may not {right}"),
            Some(Guard::Drift) => "drift".to_owned(),
        };
        format!("{}: {guard}", brief.trim_end_matches(" held"))
    };
    plan.operations.iter().zip(support::brief(plan)).map(line).collect()
}

fn planned(observed: &Observed, repository: &str, approve: bool) -> Plan {
    let catalog = support::catalog(repository);
    let mut settings = support::settings("git", support::start());
    let first = plan(&catalog, observed, &settings);
    if !approve {
        return first;
    }
    settings.guards.approved = vec![short_digest(&first.digest).to_owned()];
    let approved = plan(&catalog, observed, &settings);
    assert_eq!(approved.digest, first.digest, "an approval does not change what it approves");
    approved
}

fn check(before: &str, after: &str, unapproved: &[&str], approved: &[&str]) {
    let observed = running(before);
    assert_eq!(told(&planned(&observed, after, false)), unapproved, "{after}");
    assert_eq!(told(&planned(&observed, after, true)), approved, "approved: {after}");
}

fn without(text: &str, names: &[&str]) -> String {
    let gone = |line: &&str| !names.iter().any(|name| line.contains(&format!(" {name} {{")));
    text.lines().filter(gone).map(|line| format!("{line}\n")).collect()
}

fn crowd(number: usize) -> String {
    let people = (0..number).map(|i| format!("Mailbox p{i} {{address: p{i}@two.test}}\n"));
    with(&people.collect::<String>())
}

#[test]
fn a_tenth_or_twenty() {
    // The base has eight objects.
    for (people, removed, expected) in [
        (2, 1, None),
        (2, 2, Some("share")),
        (12, 2, None),
        (11, 2, Some("share")),
        (22, 3, None),
        (21, 3, Some("share")),
        (192, 20, None),
        (191, 20, Some("share")),
        (192, 21, Some("count")),
        (30, 30, Some("count")),
    ] {
        let names: Vec<String> = (0..removed).map(|i| format!("p{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let before = crowd(people);
        let told = told(&planned(&running(&before), &without(&before, &names), false));
        assert_eq!(told.len(), removed);
        let held = |line: &String| line.rsplit_once(": ").map(|(_, guard)| guard.to_owned());
        assert!(told.iter().all(|line| held(line).as_deref() == expected), "{removed} of {people}: {told:?}");
    }
}

#[test]
fn removals_one_by_one_are_as_many() {
    let people = 60;
    let before = crowd(people);
    let mut observed = running(&before);
    let names: Vec<String> = (0..30).map(|i| format!("p{i}")).collect();
    let mut now = support::start();
    let mut gone: Vec<&str> = Vec::new();
    let mut last = Plan::default();
    for name in &names {
        gone.push(name);
        now += Duration::milliseconds(250);
        last = plan(&support::catalog(&without(&before, &gone)), &observed, &support::settings("git", now));
        observed = simulate::apply(&observed, &last, now);
    }
    let removed =
        |observed: &Observed| observed.mailboxes.iter().filter(|row| row.removed_at.is_some()).count();
    // The base has eight objects, and six are not more than a tenth of 68.
    assert_eq!(removed(&observed), 6);
    let text = "30 objects would be removed or disabled, with 6 of the last 10 minutes, more than 20";
    assert_eq!(last.held().next().unwrap().held.as_ref().unwrap().to_string(), text);

    // Whoever returns leaves the place to another, and an approval lets the rest through.
    let catalog = support::catalog(&without(&before, &gone[1..7]));
    let returning = plan(&catalog, &observed, &support::settings("git", now));
    assert_eq!(told(&returning), ["enable p0@two.test", "disable p6@two.test"]);
    let catalog = support::catalog(&without(&before, &gone));
    let mut settings = support::settings("git", now);
    settings.guards.approved = vec![last.digest.clone()];
    let approved = plan(&catalog, &observed, &settings);
    assert_eq!((approved.held().count(), approved.applicable().count()), (0, 24));

    // Ten minutes later a few more are everyday work again; what another source removed never counted.
    let few = support::catalog(&without(&before, &gone[..8]));
    let at = |minutes: i64| support::settings("git", now + Duration::minutes(minutes));
    assert_eq!(plan(&few, &observed, &at(9)).held().count(), 2);
    assert_eq!(plan(&few, &observed, &at(11)).held().count(), 0);
    observed.mailboxes.iter_mut().filter(|row| row.removed_at.is_some()).for_each(|row| {
        row.owner.as_mut().unwrap().managed_by = "other".to_owned();
    });
    assert_eq!(plan(&few, &observed, &at(0)).held().count(), 0);
}

#[test]
fn the_limits_can_be_set() {
    let before = crowd(12);
    let (catalog, observed) = (support::catalog(&without(&before, &["p0", "p1", "p2"])), running(&before));
    for (guards, held) in [
        (Guards { max_percent: 15, ..Guards::default() }, 0),
        (Guards { max_percent: 14, ..Guards::default() }, 3),
        (Guards { max_percent: 100, max_removed: 2, ..Guards::default() }, 3),
        (Guards { max_percent: 0, max_removed: 3, ..Guards::default() }, 3),
    ] {
        let mut settings = support::settings("git", support::start());
        settings.guards = guards.clone();
        assert_eq!(plan(&catalog, &observed, &settings).held().count(), held, "{guards:?}");
    }
}

#[test]
fn everything_else_goes_on_and_an_approval_is_for_one_plan() {
    let before = crowd(3);
    let after = without(&before, &["p0", "p1"]).replace("bob@one.test}", "bob@one.test, quota: 1Gi}");
    check(
        &before,
        &after,
        &["update bob@one.test", "disable p0@two.test: share", "disable p1@two.test: share"],
        &["update bob@one.test", "disable p0@two.test", "disable p1@two.test"],
    );
    let observed = running(&before);
    let other = planned(&observed, &without(&before, &["p0", "p2"]), false).digest;
    let mut settings = support::settings("git", support::start() + Duration::hours(1));
    settings.guards.approved = vec![other];
    assert_eq!(plan(&support::catalog(&after), &observed, &settings).held().count(), 2);
    let same = plan(&support::catalog(&after), &observed, &settings).digest;
    assert_eq!(same, planned(&observed, &after, false).digest, "time does not change a digest");
    settings.guards.approved = vec![same];
    assert_eq!(plan(&support::catalog(&after), &observed, &settings).held().count(), 0);
}

#[test]
fn alias_domains_and_parking_count_as_removals() {
    let rich = instead("aliases: [eins.test]}", "aliases: [a.test, b.test]}");
    check(
        &rich,
        &instead("aliases: [eins.test]}", "aliases: []}"),
        &["update one.test: share"],
        &["update one.test"],
    );
    check(
        &rich,
        &instead("aliases: [eins.test]}", "aliases: [a.test]}"),
        &["update one.test"],
        &["update one.test"],
    );
    let more = "MailDomain three {serverRef: {name: main}, domain: three.test}\nMailDomain four {serverRef: {name: main}, domain: four.test}";
    check(
        &with(more),
        &with(&more.replace("test}", "test, parked: true}")),
        &["update four.test: share", "update three.test: share"],
        &["update four.test", "update three.test"],
    );
}

#[test]
fn postmaster_and_abuse_stay() {
    // Directly, by way of a mailbox, an alias in between, a catch-all, or an alias domain's real domain.
    check(
        BASE,
        &without(BASE, &["postmaster2"]),
        &["delete postmaster@two.test: protects postmaster@two.test"],
        &["delete postmaster@two.test: protects postmaster@two.test"],
    );
    let own = with("Mailbox abuse {address: abuse@two.test}");
    check(
        &own,
        BASE,
        &["disable abuse@two.test: protects abuse@two.test"],
        &["disable abuse@two.test: protects abuse@two.test"],
    );
    let caught =
        with("MailDomain three {serverRef: {name: main}, domain: three.test, catchAll: bob@one.test}");
    let dropped = caught.replace(", catchAll: bob@one.test", "");
    let held = ["update three.test: protects postmaster@three.test"];
    check(&caught, &dropped, &held, &held);
    let replaced = dropped.clone()
        + "Alias abuse {address: abuse@three.test, targets: [bob@one.test]}\nAlias pm {address: postmaster@three.test, targets: [bob@one.test]}\n";
    let free = ["update three.test", "create abuse@three.test", "create postmaster@three.test"];
    check(&caught, &replaced, &free, &free);
    let shadowed = caught.clone() + "Mailbox abuse {address: abuse@three.test, enabled: false}\n";
    let held = ["create abuse@three.test: protects abuse@three.test"];
    check(&caught, &shadowed, &held, &held);
}

#[test]
fn only_what_is_in_the_way_is_held() {
    let chain = with(
        "Mailbox carol {address: carol@two.test}\nMailbox dave {address: dave@two.test}\n\
         Alias staff {address: staff@two.test, targets: [carol@two.test]}\n\
         Alias abuse {address: abuse@two.test, targets: [staff@two.test]}",
    );
    let off = chain
        .replace("carol@two.test}", "carol@two.test, enabled: false}")
        .replace("dave@two.test}", "dave@two.test, quota: 1Gi}");
    let held = ["disable carol@two.test: protects abuse@two.test", "update dave@two.test"];
    check(&chain, &off, &held, &held);
    let handed_over = off.replace("targets: [carol@two.test]", "targets: [carol@two.test, dave@two.test]");
    let free = ["disable carol@two.test", "update dave@two.test", "update staff@two.test"];
    check(&chain, &handed_over, &free, &free);
}

#[test]
fn with_its_domain_even_a_postmaster_may_go() {
    let lone = with(
        "MailDomain three {serverRef: {name: main}, domain: three.test}\nMailbox pm {address: postmaster@three.test}",
    );
    check(
        &lone,
        BASE,
        &["disable postmaster@three.test: share", "disable three.test: share"],
        &["disable postmaster@three.test", "disable three.test"],
    );
    check(&lone, &without(&lone, &["three"]), &[], &[]);
}

#[test]
fn a_domain_waits_for_its_addresses() {
    let three = "MailDomain three {serverRef: {name: main}, domain: three.test}\nMailbox carol {address: carol@three.test}\n\
                 Alias friends {address: friends@one.test, targets: [carol@three.test]}";
    check(
        &with(three),
        &with("Alias friends {address: friends@one.test, targets: [carol@three.test]}"),
        &["disable carol@three.test: share", "disable three.test: share"],
        &["disable carol@three.test", "disable three.test"],
    );
    let mut settings = support::settings("git", support::start());
    settings.guards.max_percent = 100;
    let catalog =
        support::catalog(&with("Alias friends {address: friends@one.test, targets: [carol@three.test]}"));
    assert_eq!(
        told(&plan(&catalog, &running(&with(three)), &settings)),
        [
            "disable carol@three.test: last target of friends@one.test",
            "disable three.test: last target of friends@one.test"
        ]
    );
}

#[test]
fn the_last_target_of_an_alias() {
    let team = "Mailbox carol {address: carol@one.test}\nAlias team {address: team@one.test, targets: [carol@one.test]}";
    let gone = with("Alias team {address: team@one.test, targets: [carol@one.test]}");
    check(
        &with(team),
        &gone,
        &["disable carol@one.test: last target of team@one.test"],
        &["disable carol@one.test"],
    );
    let off = with(&team.replace("carol@one.test}\n", "carol@one.test, enabled: false}\n"));
    check(
        &with(team),
        &off,
        &["disable carol@one.test: last target of team@one.test"],
        &["disable carol@one.test"],
    );
    let both_gone = ["delete team@one.test: share", "disable carol@one.test: share"];
    check(&with(team), BASE, &both_gone, &["delete team@one.test", "disable carol@one.test"]);
    let another = with("Alias team {address: team@one.test, targets: [bob@one.test]}");
    let free = ["update team@one.test", "disable carol@one.test"];
    check(&with(team), &another, &free, &free);
}

#[test]
fn a_replaced_server_is_no_removal() {
    // A MailDomain that names another server is another object, so it has another name.
    let renamed = |text: &str| {
        let text = text.replace("MailServer main", "MailServer mail").replace("{name: main}", "{name: mail}");
        ["one", "two", "parked"].iter().fold(text, |text, name| {
            text.replace(&format!("MailDomain {name} "), &format!("MailDomain new-{name} "))
        })
    };
    let before = crowd(3);
    let held = "disable p0@two.test: share";
    let expected = |held: [&str; 2]| {
        let moved = ["create mail.example.test", "update one.test", "update parked.test", "update two.test"];
        let mut all: Vec<String> = moved.map(str::to_owned).to_vec();
        all.extend(held.map(str::to_owned));
        all.push("delete mail.example.test".to_owned());
        all.sort();
        all
    };
    let mut told = told(&planned(&running(&before), &renamed(&without(&before, &["p0", "p1"])), false));
    told.sort();
    assert_eq!(told, expected([held, "disable p1@two.test: share"]));
}

#[test]
fn the_digest_of_a_first_plan_does_not_depend_on_a_key_that_is_made_later() {
    let people = "Mailbox carol {address: carol@one.test, credentials: {secretRef: {name: s, key: p}}}\nSecret s {p: one}";
    let repository = with(people);
    let digest = |key: u8, observed: &Observed| {
        // Secrets are fingerprinted with the key too.
        let mut catalog = support::catalog(&repository);
        let fingerprint = mailwright_plan::fingerprint(&[key; 32], b"one");
        let id = mailwright_plan::SecretId::new("default", "s", "p");
        catalog.set_secret(id, mailwright_plan::SecretState::Present { fingerprint });
        let mut settings = support::settings("git", support::start());
        settings.fingerprint_key = [key; 32];
        plan(&catalog, observed, &settings).digest
    };
    assert_eq!(digest(1, &Observed::default()), digest(2, &Observed::default()));
    let observed = running(&repository);
    assert_ne!(digest(1, &observed), digest(2, &observed), "another password is another plan");
}

#[test]
fn an_empty_source_removes_nothing() {
    let everything = [
        "delete postmaster@one.test: empty",
        "delete postmaster@two.test: empty",
        "disable alice@one.test: empty",
        "disable bob@one.test: empty",
        "disable one.test: empty",
        "delete parked.test: empty",
        "delete two.test: empty",
    ];
    let observed = running(BASE);
    for repository in ["", "Secret s {a: b}\n"] {
        let mut found = told(&planned(&observed, repository, true));
        let mut expected = everything.map(str::to_owned).to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{repository}");
    }
    let broken = planned(&observed, "broken nothing\n", true);
    assert_eq!(broken.applicable().count(), 0);
    let mut retained = running(&with("Mailbox carol {address: carol@one.test, deletionPolicy: Retain}"));
    retained.mailboxes.retain(|row| row.declared.address == "carol@one.test");
    assert!(told(&planned(&retained, "", true)).contains(&"release carol@one.test: empty".to_owned()));
}

#[test]
fn exits_tell_the_worst() {
    let observed = running(BASE);
    for (repository, expected) in [
        (BASE.to_owned(), Exit::Nothing),
        (with("Mailbox carol {address: carol@one.test}"), Exit::Changes),
        (without(BASE, &["postmaster"]), Exit::Refused),
        (without(BASE, &["postmaster"]) + "Mailbox carol {address: carol@none.test}\n", Exit::Error),
        (with("wrong Mailbox carol"), Exit::Error),
        (with("Mailbox suspended carol {address: carol@one.test}"), Exit::Nothing),
        (
            BASE.replace(
                "{hostname: mail.example.test}",
                "{hostname: mail.example.test, tls: {secretName: x}}",
            ),
            Exit::Changes,
        ),
    ] {
        let plan = planned(&observed, &repository, false);
        assert_eq!(exit(&plan), expected, "{repository}");
        assert_eq!(mailwright_plan::render::exit_code(&plan), expected as u8);
    }
    assert_eq!(
        [Exit::Nothing as u8, Exit::Error as u8, Exit::Changes as u8, Exit::Refused as u8],
        [0, 1, 2, 3]
    );
}
