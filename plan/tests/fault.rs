//! Where a fault ends: what it stops, what goes on beside it, and how what follows from it is told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::{Observed, plan};
use support::{BASE, check, check_on, instead, running, with};

#[test]
fn a_lost_claim_on_a_served_domain_is_an_error_of_the_claim_alone() {
    let people: String = (0..60).map(|i| format!("Mailbox p{i} {{address: p{i}@two.test}}\n")).collect();
    let served = with(&people);
    let claim =
        "# a.yaml\nMailDomain real {serverRef: {name: main}, domain: real.test, aliases: [two.test]}\n";
    let more = "# z.yaml\nMailbox new {address: new@two.test}\nAlias list {address: list@two.test, targets: [p1@two.test]}\n";
    let error = "a.yaml:1: spec.aliases[0]: two.test is already declared by MailDomain default/two at base.yaml:3; \
                 remove one of the two";
    let repository = format!("{claim}{served}{more}");
    check_on(&running(&served), &repository, &[error]);
    let settings = support::settings("git", support::start());
    let planned = plan(&support::catalog(&repository), &running(&served), &settings);
    assert_eq!(support::brief(&planned), ["create new@two.test", "create list@two.test"]);
    // The domain's own object may be wrong at the same time: its row serves on.
    let wrong = repository.replace("domain: two.test}", "domain: two.test, catchAll: nobody@two.test}");
    let planned = plan(&support::catalog(&wrong), &running(&served), &settings);
    assert_eq!(planned.errors().count(), 2, "{:?}", planned.problems);
    assert_eq!(support::brief(&planned), ["create new@two.test", "create list@two.test"]);
}

#[test]
fn fields_that_cannot_change_are_refused_and_their_objects_stay() {
    let remedy = |from: &str| format!("declare a new object under another name, or write {from} again");
    for (from, to, place, subject, old, new) in [
        (
            "alice {address: alice@",
            "alice {address: anna@",
            "base.yaml:5: spec.address",
            "Mailbox default/alice",
            "alice@one.test",
            "anna@one.test",
        ),
        (
            "postmaster {address: postmaster@",
            "postmaster {address: abuse@",
            "base.yaml:7: spec.address",
            "Alias default/postmaster",
            "postmaster@one.test",
            "abuse@one.test",
        ),
        (
            "domain: two.test",
            "domain: zwei.test",
            "base.yaml:3: spec.domain",
            "MailDomain default/two",
            "two.test",
            "zwei.test",
        ),
        (
            "{name: main}, domain: two.test",
            "{name: none}, domain: two.test",
            "base.yaml:3: spec.serverRef.name",
            "MailDomain default/two",
            "default/main",
            "default/none",
        ),
    ] {
        let error = format!(
            "{place}: is immutable: {subject} runs with {old} and cannot become {new}; {}",
            remedy(old)
        );
        let repository = instead(from, to);
        check_on(&running(BASE), &repository, &[&error]);
        let settings = support::settings("git", support::start());
        assert_eq!(support::brief(&plan(&support::catalog(&repository), &running(BASE), &settings)), [""; 0]);
    }
    // What was removed before may return as something else, and what another source runs is another object.
    let carol = running(&with("Mailbox carol {address: carol@one.test}"));
    let gone = support::after(&carol, BASE, "git", support::start());
    check_on(&gone, &with("Mailbox carol {address: other@one.test}"), &[]);
    let foreign = support::after(
        &running(BASE),
        "Mailbox carol {address: carol@one.test}\n",
        "other",
        support::start(),
    );
    check_on(&foreign, &with("Mailbox carol {address: other@one.test}"), &[]);
    // An alias of the address that is not applied says so, and does not blame the domain, which is served.
    check_on(
        &carol,
        &with(
            "Mailbox carol {address: other@one.test}\nAlias team {address: team@one.test, targets: [other@one.test]}",
        ),
        &[
            &format!(
                "more.yaml:1: spec.address: is immutable: Mailbox default/carol runs with carol@one.test and cannot become \
                 other@one.test; {}",
                remedy("carol@one.test")
            ),
            "more.yaml:2: spec.targets[0]: the Mailbox other@one.test at more.yaml:1 is not applied; mend that first",
        ],
    );
}

#[test]
fn what_is_declared_but_not_understood_is_pointed_at() {
    let broken = |lines: &str, expected: &[&str]| check(&with(lines), expected);
    let cannot = "cannot be understood";
    check(
        "wrong MailServer main\nMailDomain one {serverRef: {name: main}, domain: one.test}",
        &[
            &format!("mail.yaml:1: {cannot}"),
            &format!(
                "mail.yaml:2: spec.serverRef.name: the MailServer default/main at mail.yaml:1 {cannot}; mend that first"
            ),
        ],
    );
    broken(
        "wrong MailDomain three-test\nMailbox carol {address: carol@three.test}",
        &[
            &format!("more.yaml:1: {cannot}"),
            &format!(
                "more.yaml:2: spec.address: the MailDomain default/three-test at more.yaml:1 {cannot}; mend that first"
            ),
        ],
    );
    for kind in ["Mailbox", "Alias"] {
        broken(
            &format!("wrong {kind} carol\nAlias team {{address: team@one.test, targets: [carol@one.test]}}"),
            &[
                &format!("more.yaml:1: {cannot}"),
                &format!(
                    "more.yaml:2: spec.targets[0]: the {kind} default/carol at more.yaml:1 {cannot}; mend that first"
                ),
            ],
        );
    }
    // Another name is another object.
    broken(
        "wrong Mailbox dave\nAlias team {address: team@one.test, targets: [carol@one.test]}",
        &[
            &format!("more.yaml:1: {cannot}"),
            "more.yaml:2: spec.targets[0]: there is no mailbox and no alias carol@one.test; declare it, or take it out",
        ],
    );
}

#[test]
fn what_follows_from_one_fault_is_one_line() {
    let people: String = (0..200).map(|i| format!("Mailbox p{i} {{address: p{i}@three.test}}\n")).collect();
    let fault = "MailDomain three {serverRef: {name: none}, domain: three.test}\n";
    let planned = plan(
        &support::catalog(&with(&format!("{fault}{people}Mailbox last {{address: last@unknown.test}}"))),
        &Observed::default(),
        &support::settings("git", support::start()),
    );
    assert_eq!(planned.errors().count(), 202, "each object is told in its own status");
    let expected = [
        "more.yaml:1: spec.serverRef.name: there is no MailServer default/none; the MailServers are default/main",
        "more.yaml:2: spec.address: the MailDomain three.test at more.yaml:1 is not applied; mend that first (and 199 more \
         for the same reason)",
        "more.yaml:202: spec.address: there is no MailDomain for unknown.test; declare one",
    ];
    let text = mailwright_plan::render::problems(&planned.problems, false);
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    let whole = mailwright_plan::render::text(&planned, false);
    assert!(
        whole.contains("(and 199 more for the same reason)\n") && !whole.contains("more.yaml:3:"),
        "{whole}"
    );
}
