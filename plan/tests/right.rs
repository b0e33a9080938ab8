//! What a plan needs rights for, and what becomes of operations without them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use mailwright_plan::right::{Denied, Right, Verb, needed};
use mailwright_plan::{Guard, Kind, Observed, Plan, Settings, plan, simulate};
use support::{catalog, settings, start};

const INSTALLATION: &str = "
    MailServer mail/main {hostname: mail.example.test, allowedDomains: {from: All}}
    MailDomain mail/example {serverRef: {name: main}, domain: example.test, allowedMailboxes: {from: All}}
    Mailbox mail/postmaster {address: postmaster@example.test}
    Mailbox sales/alice {address: alice@example.test}
    Alias sales/team {address: sales@example.test, targets: [alice@example.test]}";

fn applied(text: &str) -> Observed {
    let planned = plan(&catalog(text), &Observed::default(), &settings("repo", start()));
    assert_eq!(planned.held().count(), 0, "{planned:?}");
    simulate::apply(&Observed::default(), &planned, start())
}

fn planned(observed: &Observed, text: &str, denied: &[(&str, Kind, Verb)]) -> Plan {
    let rights = denied.iter().map(|(namespace, kind, verb)| {
        let right = Right { namespace: (*namespace).to_owned(), kind: *kind, verb: *verb };
        (right, "make a RoleBinding".to_owned())
    });
    let denied = Denied { who: "mail/deployer".to_owned(), rights: rights.collect() };
    plan(&catalog(text), observed, &Settings { denied, ..settings("repo", start()) })
}

fn rights(planned: &Plan) -> BTreeMap<String, Vec<String>> {
    let of = |operation| needed(operation).iter().map(ToString::to_string).collect();
    planned.operations.iter().map(|operation| (operation.subject.clone(), of(operation))).collect()
}

#[test]
fn each_operation_needs_the_verb_in_its_namespace() {
    let before = applied(INSTALLATION);
    for (text, subject, expected) in [
        (
            INSTALLATION.replace("alice@example.test}", "alice@example.test, quota: 1Gi}"),
            "alice@example.test",
            vec!["update mailboxes in the namespace sales"],
        ),
        (
            INSTALLATION.replace("alice@example.test}", "alice@example.test, enabled: false}"),
            "alice@example.test",
            vec!["update mailboxes in the namespace sales"],
        ),
        (
            format!("{INSTALLATION}\n Mailbox shop/bob {{address: bob@example.test}}"),
            "bob@example.test",
            vec!["create mailboxes in the namespace shop"],
        ),
        (
            INSTALLATION
                .replace("Alias sales/team {address: sales@example.test, targets: [alice@example.test]}", ""),
            "sales@example.test",
            vec!["delete aliases in the namespace sales"],
        ),
        (
            INSTALLATION.replace("Mailbox sales/alice", "Mailbox shop/alice"),
            "alice@example.test",
            vec!["create mailboxes in the namespace shop", "delete mailboxes in the namespace sales"],
        ),
        (
            INSTALLATION.replace("Mailbox sales/alice", "Mailbox sales/alison"),
            "alice@example.test",
            vec!["update mailboxes in the namespace sales"],
        ),
        (
            INSTALLATION
                .replace("domain: example.test,", "domain: example.test, catchAll: alice@example.test,"),
            "example.test",
            vec!["update maildomains in the namespace mail"],
        ),
    ] {
        let found = rights(&planned(&before, &text, &[]));
        assert_eq!(found.get(subject).cloned().unwrap_or_default(), expected, "{text}");
    }
    assert!(planned(&before, INSTALLATION, &[]).operations.is_empty(), "nothing to do needs no right");
}

#[test]
fn what_is_not_allowed_is_held_with_what_hangs_on_it_and_nothing_else() {
    let everything = planned(&Observed::default(), INSTALLATION, &[]);
    let held = |denied: &[(&str, Kind, Verb)]| -> Vec<String> {
        let planned = planned(&Observed::default(), INSTALLATION, denied);
        assert_eq!(planned.digest, everything.digest, "what is allowed is no part of what is planned");
        planned.held().map(|it| format!("{}: {}", it.subject, it.held.as_ref().unwrap())).collect()
    };
    assert_eq!(held(&[]), Vec::<String>::new());
    assert_eq!(
        held(&[("sales", Kind::Alias, Verb::Create)]),
        ["sales@example.test: mail/deployer may not create aliases in the namespace sales"]
    );
    assert_eq!(
        held(&[("sales", Kind::Alias, Verb::Delete), ("shop", Kind::Alias, Verb::Create)]),
        Vec::<String>::new(),
        "rights that nothing needs hold nothing"
    );
    let without_domain = held(&[("mail", Kind::MailDomain, Verb::Create)]);
    assert_eq!(without_domain.len(), 4, "{without_domain:?}");
    assert!(
        without_domain
            .iter()
            .any(|it| it == "example.test: mail/deployer may not create maildomains in the namespace mail")
    );
}

#[test]
fn no_approval_is_a_right() {
    let before = applied(INSTALLATION);
    let less = INSTALLATION.replace("Mailbox sales/alice {address: alice@example.test}", "");
    let denied = [("sales", Kind::Mailbox, Verb::Delete)];
    let first = planned(&before, &less, &denied);
    let mut with = Settings { denied: Denied::default(), ..settings("repo", start()) };
    with.denied.who = "mail/deployer".to_owned();
    let right = Right { namespace: "sales".into(), kind: Kind::Mailbox, verb: Verb::Delete };
    with.denied.rights.insert(right, "make a RoleBinding".to_owned());
    with.guards.approved = vec![first.digest.clone()];
    let second = plan(&catalog(&less), &before, &with);
    let alice = second.operations.iter().find(|it| it.subject == "alice@example.test").unwrap();
    let guard = alice.held.as_deref().unwrap();
    assert!(matches!(guard, Guard::Forbidden { who, .. } if who == "mail/deployer"), "{guard:?}");
    assert_eq!((guard.can_be_approved(), guard.remedy("d").as_str()), (false, "make a RoleBinding"));
}

#[test]
fn what_others_declare_says_what_it_allows() {
    let server = |from: &str| {
        catalog(&format!(
            "MailServer mail/main {{hostname: mail.example.test, allowedDomains: {{from: {from}}}}}"
        ))
    };
    for (from, allowed) in [("Same", false), ("All", true)] {
        let others = server(from);
        let before = plan(&others, &Observed::default(), &settings("cluster", start()));
        let before = simulate::apply(&Observed::default(), &before, start());
        let mut own = catalog(
            "MailDomain shop/example {serverRef: {name: main, namespace: mail}, domain: example.test}",
        );
        own.set_neighbours(others.entries().map(|entry| entry.resource.clone()));
        let planned = plan(&own, &before, &settings("repo", start()));
        let refused = planned.problems.iter().any(|it| it.to_string().contains("does not allow MailDomains"));
        assert_eq!(
            (planned.operations.len(), refused),
            (usize::from(allowed), !allowed),
            "{:?}",
            planned.problems
        );
        assert!(
            planned.operations.iter().all(|it| it.subject == "example.test"),
            "neighbours are not planned"
        );
    }
}
