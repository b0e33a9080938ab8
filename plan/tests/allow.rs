//! Who may use whose server and domain across namespaces, and that nobody takes a name that is not his to take.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::{Observed, plan, simulate};

const MAIL: &str = "# mail.yaml\n\
    MailServer mail/main {allowedDomains: {from: Selector, selector: {matchLabels: {mail: yes}}}, hostname: mail.example.test}\n\
    MailDomain mail/corp {allowedMailboxes: {from: Same}, serverRef: {name: main}, domain: corp.test}\n\
    Mailbox mail/boss {address: boss@corp.test}\n\
    Alias mail/postmaster {address: postmaster@corp.test, targets: [boss@corp.test]}\n";

fn errors(text: &str, observed: &Observed) -> Vec<String> {
    let planned = plan(&support::watched(text), observed, &support::settings("kubernetes", support::start()));
    planned.errors().map(ToString::to_string).collect()
}

fn running(text: &str) -> Observed {
    let planned = plan(
        &support::watched(text),
        &Observed::default(),
        &support::settings("kubernetes", support::start()),
    );
    assert_eq!(planned.errors().count(), 0, "{:?}", planned.problems);
    simulate::apply(&Observed::default(), &planned, support::start())
}

#[track_caller]
fn check(more: &str, expected: &[&str]) {
    assert_eq!(errors(&format!("{MAIL}# more.yaml\n{more}\n"), &Observed::default()), expected, "{more}");
}

const DOMAIN: &str = "MailDomain shop/shop {serverRef: {name: main, namespace: mail}, domain: shop.test}";

#[test]
fn domains_need_the_word_of_their_server() {
    let labelled = |labels: &str| format!("{DOMAIN}\nNamespace shop {labels}");
    check(&labelled("{mail: 'yes'}"), &[]);
    let refused = "MailDomain shop/shop: spec.serverRef: MailServer mail/main does not allow MailDomains from the namespace \
                   shop; its owner can allow them with spec.allowedDomains; until then nothing changes";
    check(&labelled("{mail: 'no'}"), &[refused]);
    check(DOMAIN, &[refused]);
    check(
        &DOMAIN.replace("namespace: mail", "namespace: post"),
        &[
            "MailDomain shop/shop: spec.serverRef.name: there is no MailServer post/main; the MailServers are mail/main",
        ],
    );
}

#[test]
fn addresses_need_the_word_of_their_domain() {
    let refused = |kind: &str, name: &str| {
        let kinds = if kind == "Alias" { "Aliases" } else { "Mailboxes" };
        format!(
            "{kind} {name}: spec.address: MailDomain mail/corp does not allow {kinds} from the namespace shop; its owner can \
             allow them with spec.allowedMailboxes; until then nothing changes"
        )
    };
    check("Mailbox shop/eve {address: eve@corp.test}", &[&refused("Mailbox", "shop/eve")]);
    check(
        "Alias shop/all {address: '@corp.test', targets: [boss@corp.test]}",
        &[&refused("Alias", "shop/all")],
    );
    let open = |allowed: &str| MAIL.replace("{from: Same}", allowed);
    let eve = "# more.yaml\nMailbox shop/eve {address: eve@corp.test}\nNamespace shop {team: a}\n";
    for (allowed, count) in [
        ("{from: All}", 0),
        ("{from: Selector, selector: {matchLabels: {team: a}}}", 0),
        ("{from: Selector, selector: {matchLabels: {team: b}}}", 1),
        ("{from: Selector, selector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}", 1),
        ("{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}", 0),
    ] {
        let found = errors(&(open(allowed) + eve), &Observed::default());
        assert_eq!(found.len(), count, "{allowed}: {found:?}");
    }
}

/// An older object, or one that stands first, must not win a name that it may not use.
#[test]
fn what_is_not_allowed_takes_no_name_from_its_owner() {
    let thieves = "# a.yaml\nMailDomain evil/corp {allowedMailboxes: {from: All}, serverRef: {name: main, namespace: mail}, domain: corp.test}\n\
        Mailbox evil/boss {address: boss@corp.test}\nAlias evil/list {address: postmaster@corp.test, targets: [boss@corp.test]}\n";
    let mut catalog = support::watched(&format!("{thieves}{MAIL}"));
    let entries: Vec<_> = catalog.entries().cloned().collect();
    for mut entry in entries {
        let old = entry.object().namespace == "evil";
        entry.resource =
            support::made(entry.resource, if old { "2020-01-01T00:00:00Z" } else { "2026-01-01T00:00:00Z" });
        catalog.apply(entry);
    }
    let planned = plan(&catalog, &Observed::default(), &support::settings("kubernetes", support::start()));
    let wrong: Vec<String> = planned
        .errors()
        .map(|problem| format!("{} {:?}", problem.object.as_ref().unwrap(), problem.code))
        .collect();
    assert_eq!(
        wrong,
        [
            "MailDomain evil/corp DomainNotAllowed",
            "Mailbox evil/boss AddressNotAllowed",
            "Alias evil/list AddressNotAllowed"
        ]
    );
    assert_eq!(
        support::brief(&planned),
        [
            "create mail.example.test",
            "create corp.test",
            "create boss@corp.test",
            "create postmaster@corp.test"
        ]
    );
}

/// The owner who takes his word back keeps others from changing anything; he closes nobody's mailbox by it.
#[test]
fn what_is_allowed_no_more_stays_as_it_is() {
    let open = MAIL.replace("{from: Same}", "{from: All}");
    let eve = "# more.yaml\nMailbox shop/eve {address: eve@corp.test}\n";
    let observed = running(&(open + eve));
    let larger = "# more.yaml\nMailbox shop/eve {address: eve@corp.test, quota: 1Gi}\n";
    let text = format!("{MAIL}{larger}");
    let planned =
        plan(&support::watched(&text), &observed, &support::settings("kubernetes", support::start()));
    assert_eq!(support::brief(&planned), Vec::<String>::new());
    assert_eq!(planned.errors().count(), 1);
}

#[test]
fn of_two_objects_the_older_one_has_the_name_wherever_it_stands() {
    let text = "# mail.yaml\nMailServer main {hostname: mail.example.test}\n\
        MailDomain a {serverRef: {name: main}, domain: one.test}\nMailDomain b {serverRef: {name: main}, domain: one.test}\n\
        Mailbox x {address: alice@one.test}\nMailbox y {address: alice@one.test}\n";
    for (older, expected) in [
        ("a x", ["MailDomain default/b", "Mailbox default/y"]),
        ("b y", ["MailDomain default/a", "Mailbox default/x"]),
    ] {
        let mut catalog = support::watched(text);
        let entries: Vec<_> = catalog.entries().cloned().collect();
        for mut entry in entries {
            let old = older.split(' ').any(|name| entry.resource.name() == name);
            let made = if old { "2025-12-31T23:59:59Z" } else { "2026-01-01T00:00:00Z" };
            entry.resource = support::made(entry.resource, made);
            catalog.apply(entry);
        }
        let settings = support::settings("kubernetes", support::start());
        let planned = plan(&catalog, &Observed::default(), &settings);
        let wrong: Vec<String> =
            planned.errors().map(|problem| problem.object.as_ref().unwrap().to_string()).collect();
        assert_eq!(wrong, expected, "{older}");
        // Whoever has the row has the name, however young.
        let other = simulate::apply(&Observed::default(), &planned, support::start());
        let mut turned = support::watched(text);
        let entries: Vec<_> = turned.entries().cloned().collect();
        for mut entry in entries {
            entry.resource = support::made(entry.resource, "2026-01-01T00:00:00Z");
            turned.apply(entry);
        }
        let again = plan(&turned, &other, &settings);
        let wrong: Vec<String> =
            again.errors().map(|problem| problem.object.as_ref().unwrap().to_string()).collect();
        assert_eq!(wrong, expected, "{older} has the row");
    }
}

#[test]
fn nothing_is_said_of_files_where_there_are_none() {
    let text = format!(
        "{MAIL}# more.yaml\nMailbox mail/other {{address: boss@corp.test}}\nwrong Mailbox mail/lost\n"
    );
    let mut catalog = support::watched(&text);
    let broken = support::object("Mailbox", "mail/lost");
    catalog.delete(&broken);
    let settings = support::settings("kubernetes", support::start());
    let planned = plan(&catalog, &Observed::default(), &settings);
    let twice =
        planned.errors().find(|problem| problem.object == Some(support::object("Mailbox", "mail/other")));
    let twice = twice.unwrap();
    let said = "spec.address: boss@corp.test is already declared by Mailbox mail/boss; remove one of the two";
    assert_eq!(twice.to_string(), format!("Mailbox mail/other: {said}"));
    assert_eq!(twice.of_its_object(), said);
    assert!(planned.operations.iter().all(|operation| operation.origin.is_none()));
    let text = mailwright_plan::render::text(&planned, false);
    assert!(!text.contains(" : ") && !text.contains(":0") && !text.contains(" at :"), "{text}");
}
