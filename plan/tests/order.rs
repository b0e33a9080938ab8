//! The order of applying, ownership changes, and which rows stay although nothing declares them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::{Change, Observed, Plan, Text, Verdict, plan, simulate};
use support::{BASE, instead, running, with};

fn planned(observed: &Observed, repository: &str) -> Plan {
    let catalog = support::catalog(repository);
    let mut settings = support::settings("git", support::start());
    settings.guards.approved = vec![plan(&catalog, observed, &settings).digest];
    plan(&catalog, observed, &settings)
}

/// The operations in their order; and every one of them finds what it needs.
fn check(before: &str, after: &str, expected: &[&str]) {
    let observed = running(before);
    let plan = planned(&observed, after);
    assert_eq!(support::brief(&plan), expected, "{after}");
    let (_, outcomes) = simulate::apply_operations(&observed, "git", plan.applicable(), support::start());
    for outcome in outcomes {
        assert_eq!(outcome.verdict, Verdict::Applied, "{} {after}", outcome.subject);
    }
}

#[test]
fn what_is_needed_comes_first_and_what_is_removed_last() {
    check(
        "",
        BASE,
        &[
            "create mail.example.test",
            "create one.test",
            "create parked.test",
            "create two.test",
            "create alice@one.test",
            "create bob@one.test",
            "create postmaster@one.test",
            "create postmaster@two.test",
        ],
    );
    let before = with(
        "MailDomain three {serverRef: {name: main}, domain: three.test}\nMailbox carol {address: carol@three.test}\n\
         Alias team {address: team@three.test, targets: [carol@three.test]}",
    );
    let after = with(
        "MailDomain four {serverRef: {name: main}, domain: four.test}\nMailbox dave {address: dave@four.test}\n\
         Alias crew {address: crew@four.test, targets: [dave@four.test]}",
    );
    check(
        &before,
        &after,
        &[
            "create four.test",
            "create dave@four.test",
            "create crew@four.test",
            "delete team@three.test",
            "disable carol@three.test",
            "disable three.test",
        ],
    );
}

#[test]
fn a_name_is_freed_before_it_is_taken() {
    check(
        &with("Alias team {address: team@one.test, targets: [bob@one.test]}"),
        &with("Mailbox team {address: team@one.test}"),
        &["delete team@one.test", "create team@one.test"],
    );
    let three = "MailDomain three {serverRef: {name: main}, domain: three.test, aliases: [drei.test]}";
    let crew = "Alias crew {address: crew@three.test, targets: [bob@one.test]}";
    check(
        &with(&format!("{three}\n{crew}")),
        &instead("aliases: [eins.test]}", "aliases: [eins.test, three.test]}"),
        &["delete crew@three.test", "delete three.test", "update one.test"],
    );
    check(
        &with(three),
        &instead("aliases: [eins.test]}", "aliases: [eins.test, drei.test]}"),
        &["delete three.test", "update one.test"],
    );
}

#[test]
fn domains_hand_names_on_and_even_exchange_them() {
    let names = |one: &str, two: &str| {
        BASE.replace("aliases: [eins.test]", &format!("aliases: [{one}]"))
            .replace("domain: two.test}", &format!("domain: two.test, aliases: [{two}]}}"))
    };
    check(&names("a.test", "b.test"), &names("a.test, b.test", ""), &["update two.test", "update one.test"]);
    check(&names("a.test, b.test", ""), &names("a.test", "b.test"), &["update one.test", "update two.test"]);
    check(
        &names("a.test", "b.test"),
        &names("b.test", "a.test"),
        &["update one.test", "update two.test", "update one.test", "update two.test"],
    );
    check(&names("a.test", "b.test"), &names("b.test, c.test", ""), &["update two.test", "update one.test"]);
    let becomes_a_domain = names("", "b.test") + "MailDomain a {serverRef: {name: main}, domain: a.test}\n";
    check(&names("a.test", "b.test"), &becomes_a_domain, &["update one.test held", "create a.test held"]);
    let with_postmaster =
        becomes_a_domain + "Alias pa {address: postmaster@a.test, targets: [bob@one.test]}\n";
    let free = ["update one.test", "create a.test", "create postmaster@a.test"];
    check(&names("a.test", "b.test"), &with_postmaster, &free);
}

#[test]
fn another_server_takes_over_before_the_first_one_goes() {
    let moved = BASE.replace("MailServer main", "MailServer mail").replace("{name: main}", "{name: mail}");
    // The same objects cannot move; until they are declared anew, the server that they name stays.
    let refused = planned(&running(BASE), &moved);
    assert_eq!(support::brief(&refused), ["create mail.example.test"]);
    assert_eq!(support::codes(&refused)[0], "base.yaml:2 spec.serverRef.name Immutable");
    assert_eq!(refused.errors().count(), 3);
    assert_eq!(
        refused.kept[0].reason,
        "MailDomain one.test still names it in serverRef; its settings stay in force"
    );
    check(
        BASE,
        &moved.replace("MailDomain ", "MailDomain new-"),
        &[
            "create mail.example.test",
            "update one.test",
            "update parked.test",
            "update two.test",
            "delete mail.example.test",
        ],
    );
    let without: String =
        BASE.lines().filter(|line| !line.contains("MailServer")).map(|line| format!("{line}\n")).collect();
    let plan = planned(&running(BASE), &without);
    assert!(
        plan.operations.is_empty() && plan.problems.is_empty(),
        "the domains go on on the server that runs"
    );
    assert_eq!(plan.kept.len(), 1);
}

#[test]
fn a_row_belongs_to_whoever_declares_its_address() {
    let observed = running(BASE);
    let fields = |repository: &str| {
        let plan = planned(&observed, repository);
        let fields = plan.operations.iter().flat_map(|operation| &operation.changes);
        fields
            .map(|change| {
                let side = |side: &Option<Text>| side.clone().unwrap_or_else(|| "-".into());
                format!("{}: {} → {}", change.field, side(&change.from), side(&change.to))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        fields(&instead("Mailbox alice ", "Mailbox anna ")),
        ["metadata.name: default/alice → default/anna"]
    );
    assert_eq!(
        fields(&instead("Mailbox alice ", "Mailbox team/alice ")),
        ["metadata.name: default/alice → team/alice"]
    );
    let swapped = instead("alice {address: alice@", "alice {address: ALICE@")
        .replace("bob {address: bob@", "bob {address: alice@")
        .replace("ALICE@", "bob@");
    assert_eq!(fields(&swapped), [""; 0], "an address never changes under its name");
    let owner = |address: &str, observed: &Observed| {
        let row = observed.mailboxes.iter().find(|row| row.declared.address == address).unwrap();
        row.owner.as_ref().unwrap().object.name.clone()
    };
    let after =
        support::after(&observed, &instead("Mailbox alice ", "Mailbox anna "), "git", support::start());
    assert_eq!(
        (owner("alice@one.test", &after), owner("bob@one.test", &after)),
        ("anna".into(), "bob".into())
    );
    assert_eq!(
        after.mailboxes[0].account_id, observed.mailboxes[0].account_id,
        "an account follows its address"
    );
}

/// Which of three mailboxes in `more.yaml` a later repository removes, which it keeps with a reason, and which stay
/// because their object is there but not applied.
fn stays(later: &str, removed: &[&str], kept: &[&str]) {
    let people = "Mailbox carol {address: carol@two.test}\nMailbox dave {address: dave@two.test}\nMailbox erin {address: erin@two.test}\n";
    let plan = planned(&running(&with(people)), &format!("{BASE}{later}"));
    let gone =
        plan.operations.iter().filter(|operation| matches!(operation.change, Change::DisableMailbox { .. }));
    let gone: Vec<&str> = gone.map(|operation| operation.object.name.as_str()).collect();
    let reasons: Vec<String> =
        plan.kept.iter().map(|kept| format!("{}: {}", kept.object.name, kept.reason)).collect();
    assert_eq!(
        (gone.as_slice(), reasons),
        (removed, kept.iter().map(ToString::to_string).collect()),
        "{later}"
    );
}

#[test]
fn absent_is_not_empty() {
    let all = &["carol", "dave", "erin"][..];
    stays("", all, &[]);
    stays(
        "# more.yaml\nbroken x: [\n",
        &[],
        &[
            "carol: more.yaml, which declared it, cannot be understood",
            "dave: more.yaml, which declared it, cannot be understood",
            "erin: more.yaml, which declared it, cannot be understood",
        ],
    );
    stays("# other.yaml\nbroken x: [\n", all, &[]);
    stays(
        "# other.yaml\nbroken mail for Carol@Two.Test and erin: [\n",
        &["dave"],
        &[
            "carol: other.yaml, which cannot be understood, mentions it",
            "erin: other.yaml, which cannot be understood, mentions it",
        ],
    );
    stays("# other.yaml\nbroken erin2: [dave-3, caroline]\n", all, &[]);
    stays(
        "# other.yaml\nunreadable\n",
        &[],
        &[
            "carol: other.yaml cannot be read",
            "dave: other.yaml cannot be read",
            "erin: other.yaml cannot be read",
        ],
    );
    stays("# more.yaml\nwrong Mailbox dave\n", &["carol", "erin"], &[]);
    stays("# more.yaml\nMailbox suspended dave {address: dave@two.test}\n", &["carol", "erin"], &[]);
    stays("# more.yaml\nMailbox suspended dave {address: other@two.test}\n", &["carol", "erin"], &[]);
    stays("# more.yaml\nMailbox dave {address: dave@none.test}\n", &["carol", "erin"], &[]);
    stays(
        "# more.yaml\nMailbox new {address: dave@two.test, sendAs: [x@none.test]}\n",
        &["carol", "erin"],
        &[],
    );
    stays(
        "# more.yaml\nMailbox dave {address: dave@two.test}\n# again.yaml\nMailbox dave {address: dave@two.test}\n",
        &["carol", "erin"],
        &[],
    );
}

#[test]
fn what_a_broken_file_keeps_another_file_may_still_take_over() {
    let observed = running(&with("Mailbox carol {address: carol@two.test}"));
    let moved = format!(
        "{BASE}# more.yaml\nbroken carol: [\n# new.yaml\nMailbox carol {{address: carol@two.test, quota: 1Gi}}\n"
    );
    let plan = planned(&observed, &moved);
    assert_eq!(support::brief(&plan), ["update carol@two.test"]);
    assert!(plan.kept.is_empty());
}

#[test]
fn nobody_takes_the_row_of_an_object_that_is_merely_wrong() {
    let observed = running(&with("Mailbox carol {address: carol@two.test}"));
    let thief = format!(
        "{BASE}# more.yaml\nwrong Mailbox carol\n# new.yaml\nMailbox thief {{address: carol@two.test}}\n"
    );
    let plan = planned(&observed, &thief);
    assert!(plan.operations.is_empty(), "{:?}", support::brief(&plan));
    let problem = plan.problems.iter().find(|problem| problem.field == "spec.address").unwrap();
    assert_eq!(
        problem.to_string(),
        "new.yaml:1: spec.address: carol@two.test belongs to Mailbox default/carol at more.yaml:1, which stays as it is; \
         mend that object, or remove it"
    );
}

#[test]
fn other_sources_and_nobodys_rows_are_left_alone() {
    let mut observed = support::after(&Observed::default(), BASE, "other", support::start());
    let claims = "Mailbox carol {address: alice@one.test}\nAlias bob {address: bob@one.test, targets: [alice@one.test]}\n\
                  MailDomain one {serverRef: {name: main}, domain: one.test}\nMailDomain x {serverRef: {name: main}, domain: eins.test}\n\
                  Mailbox dave {address: dave@one.test}\n";
    let plan = planned(&observed, claims);
    assert_eq!(support::brief(&plan), ["create dave@one.test"]);
    let there = "not by git; remove it there first; until then that source keeps it";
    let here = "not by git; remove one of the two; to take it over, give the token of other, or set adoption";
    let found: Vec<String> = plan.errors().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            format!(
                "mail.yaml:1: spec.address: alice@one.test is managed by other (Mailbox default/alice at base.yaml:5), {here}"
            ),
            format!(
                "mail.yaml:2: spec.address: bob@one.test is managed by other (Mailbox default/bob at base.yaml:6), {there}"
            ),
            format!(
                "mail.yaml:3: spec.domain: one.test is managed by other (MailDomain default/one at base.yaml:2), {here}"
            ),
            format!(
                "mail.yaml:4: spec.domain: eins.test is managed by other (MailDomain default/one at base.yaml:2), {there}"
            ),
        ]
    );
    observed.mailboxes.iter_mut().for_each(|row| row.owner = None);
    observed.domains.iter_mut().for_each(|row| row.owner = None);
    let plan = planned(&observed, claims);
    assert_eq!(
        support::brief(&plan),
        ["adopt one.test held", "create eins.test held", "adopt alice@one.test", "create dave@one.test"]
    );
    let found: Vec<String> = plan.errors().map(|problem| problem.message.clone()).collect();
    assert_eq!(found, ["bob@one.test already exists as a Mailbox that nobody manages"]);
}
