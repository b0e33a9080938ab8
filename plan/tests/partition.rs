//! Which object belongs to which installation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use mailwright_plan::partition::{Assignment, ServerKey, assign};
use mailwright_plan::{Catalog, Entry, ObjectRef, Observed, plan};
use proptest::prelude::*;

/// Two installations, a domain on each.
const TWO: &str = "MailServer a/main {hostname: a.example.test}\n\
    MailServer b/main {hostname: b.example.test, allowedDomains: {from: All}}\n\
    MailDomain a/one {serverRef: {name: main}, domain: one.test, aliases: [eins.test]}\n\
    MailDomain b/two {serverRef: {name: main}, domain: two.test}\n";

fn server(name: &str) -> ServerKey {
    ServerKey::new(name, "main")
}

/// Assigns, with rows as `(kind, object, server)`.
fn assigned(text: &str, rows: &[(&str, &str, &str)]) -> Assignment {
    let catalog = support::watched(text);
    let owners = rows.iter().map(|(kind, object, at)| (support::object(kind, object), server(at))).collect();
    assign(catalog.entries(), catalog.namespaces(), &owners)
}

/// Where an object of `TWO` and some more lines is, and what is said of it.
#[track_caller]
fn check(lines: &str, rows: &[(&str, &str, &str)], kind: &str, name: &str, expected: (&str, &str)) {
    let found = assigned(&format!("{TWO}{lines}\n"), rows);
    let object = support::object(kind, name);
    let home = found.members.iter().find(|(_, members)| members.contains(&object));
    let said: Vec<String> = found
        .problems
        .iter()
        .filter(|it| it.object.as_ref() == Some(&object))
        .map(|it| it.of_its_object())
        .collect();
    let home = home.map_or(String::new(), |(key, _)| key.to_string());
    assert_eq!((home.as_str(), said.join("; ").as_str()), expected, "{lines}");
    assert_eq!(found.unassigned.contains(&object), home.is_empty(), "{lines}");
}

#[test]
fn domains_belong_to_the_server_they_name() {
    check("", &[], "MailDomain", "a/one", ("a/main", ""));
    check("", &[], "MailServer", "b/main", ("b/main", ""));
    let far = "MailDomain a/far {serverRef: {name: main, namespace: b}, domain: far.test}";
    check(far, &[], "MailDomain", "a/far", ("b/main", ""));
    check(
        &far.replace("namespace: b", "namespace: c"),
        &[],
        "MailDomain",
        "a/far",
        ("", "spec.serverRef.name: there is no MailServer c/main; declare it"),
    );
    // Whether it is allowed is for the planner of that server to say; it is told there.
    let shut = "MailDomain b/far {serverRef: {name: main, namespace: a}, domain: far.test}";
    check(shut, &[], "MailDomain", "b/far", ("a/main", ""));
}

#[test]
fn addresses_belong_to_the_server_of_their_domain() {
    let mailbox = |address: &str| format!("Mailbox c/alice {{address: {address}}}");
    check(&mailbox("alice@one.test"), &[], "Mailbox", "c/alice", ("a/main", ""));
    check(&mailbox("alice@eins.test"), &[], "Mailbox", "c/alice", ("a/main", ""));
    check(&mailbox("alice@two.test"), &[], "Mailbox", "c/alice", ("b/main", ""));
    let alias = "Alias c/all {address: '@two.test', targets: [alice@one.test]}";
    check(alias, &[], "Alias", "c/all", ("b/main", ""));
    let unknown = "spec.address: there is no MailDomain for nowhere.test; declare one";
    check(&mailbox("alice@nowhere.test"), &[], "Mailbox", "c/alice", ("", unknown));
}

#[test]
fn what_has_a_row_stays_where_it_is() {
    let row = [("Mailbox", "c/alice", "b")];
    let mailbox = |address: &str| format!("Mailbox c/alice {{address: {address}}}");
    // Its domain went away: the planner there says what that means.
    check(&mailbox("alice@nowhere.test"), &row, "Mailbox", "c/alice", ("b/main", ""));
    let moved = "spec.address: alice@one.test is kept on the MailServer b/main, and one.test is served by a/main now; \
                 remove this object and declare it anew to begin on a/main without its mail";
    check(&mailbox("alice@one.test"), &row, "Mailbox", "c/alice", ("b/main", moved));
    // A server that is declared no more keeps nobody.
    let gone = [("Mailbox", "c/alice", "gone")];
    check(&mailbox("alice@one.test"), &gone, "Mailbox", "c/alice", ("a/main", ""));
    let far = "MailDomain a/far {serverRef: {name: main, namespace: gone}, domain: far.test}";
    check(far, &[("MailDomain", "a/far", "b")], "MailDomain", "a/far", ("b/main", ""));
}

#[test]
fn a_name_is_served_once_in_a_cluster() {
    let second = "MailDomain b/uno {serverRef: {name: main}, domain: one.test}";
    let lost = "spec.domain: one.test is already declared by MailDomain a/one on the MailServer a/main; remove one of the two";
    check(second, &[], "MailDomain", "b/uno", ("b/main", lost));
    check(second, &[], "MailDomain", "a/one", ("a/main", ""));
    let row = [("MailDomain", "b/uno", "b")];
    check(second, &row, "MailDomain", "b/uno", ("b/main", ""));
    let lost = "spec.domain: one.test is already declared by MailDomain b/uno on the MailServer b/main; remove one of the two";
    check(second, &row, "MailDomain", "a/one", ("a/main", lost));
    let alias = "MailDomain b/uno {serverRef: {name: main}, domain: uno.test, aliases: [eins.test]}";
    let lost = "spec.aliases: eins.test is already declared by MailDomain a/one on the MailServer a/main; remove one of the two";
    check(alias, &[], "MailDomain", "b/uno", ("b/main", lost));
    // Two of one server are compared there.
    check(
        "MailDomain a/uno {serverRef: {name: main}, domain: one.test}",
        &[],
        "MailDomain",
        "a/uno",
        ("a/main", ""),
    );
}

#[test]
fn a_domain_is_not_taken_by_declaring_it_first() {
    let mut catalog = support::watched(&format!(
        "{TWO}MailDomain b/thief {{serverRef: {{name: main, namespace: a}}, domain: two.test}}\n"
    ));
    let entries: Vec<Entry> = catalog.entries().cloned().collect();
    for mut entry in entries {
        let old = entry.resource.name() == "thief";
        let at = if old { "2020-01-01T00:00:00Z" } else { "2026-01-01T00:00:00Z" };
        entry.resource = support::made(entry.resource, at);
        catalog.apply(entry);
    }
    let found = assign(catalog.entries(), catalog.namespaces(), &BTreeMap::new());
    assert!(found.members[&server("b")].contains(&support::object("MailDomain", "b/two")));
    let wrong: Vec<String> =
        found.problems.iter().map(|it| it.object.as_ref().unwrap().to_string()).collect();
    assert_eq!(wrong, ["MailDomain b/thief"], "the true one is told nothing");
}

#[test]
fn the_older_domain_has_the_name() {
    let text = format!("{TWO}MailDomain b/uno {{serverRef: {{name: main}}, domain: one.test}}\n");
    for (older, loser) in [("one", "b/uno"), ("uno", "a/one")] {
        let mut catalog = support::watched(&text);
        let entries: Vec<Entry> = catalog.entries().cloned().collect();
        for mut entry in entries {
            let at =
                if entry.resource.name() == older { "2025-01-01T00:00:00Z" } else { "2026-01-01T00:00:00Z" };
            entry.resource = support::made(entry.resource, at);
            catalog.apply(entry);
        }
        let found = assign(catalog.entries(), catalog.namespaces(), &BTreeMap::new());
        assert_eq!(found.problems.len(), 1);
        assert_eq!(found.problems[0].object, Some(support::object("MailDomain", loser)));
    }
}

/// What a view over all installations says of a member stops it in its own, and its row stays.
#[test]
fn a_problem_from_outside_holds_the_object_and_keeps_its_row() {
    let text = format!("{TWO}MailDomain b/uno {{serverRef: {{name: main}}, domain: one.test}}\n");
    let found = assigned(&text, &[]);
    let all = support::watched(&text);
    let mut of_b = Catalog::new();
    for object in &found.members[&server("b")] {
        of_b.apply(all.get(object).unwrap().clone());
    }
    let settings = support::settings("kubernetes", support::start());
    let without = plan(&of_b, &Observed::default(), &settings);
    assert!(support::brief(&without).contains(&"create one.test".to_owned()));
    found.problems.iter().for_each(|problem| of_b.add_problem(problem.clone()));
    let with = plan(&of_b, &Observed::default(), &settings);
    assert_eq!(support::brief(&with), ["create b.example.test", "create two.test"]);
    let observed = mailwright_plan::simulate::apply(&Observed::default(), &without, support::start());
    assert_eq!(support::brief(&plan(&of_b, &observed, &settings)), Vec::<String>::new(), "its row stays");
}

fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let domain = prop::sample::select(vec!["one.test", "two.test", "three.test"]);
    let number = 0..3u8;
    (0..4u8, name.clone(), name, domain, number).prop_map(|(kind, own, other, domain, number)| match kind {
        0 => format!(
            "MailServer {own}/main {{hostname: {own}.example.test, allowedDomains: {{from: {}}}}}",
            if number == 0 { "Same" } else { "All" }
        ),
        1 => format!(
            "MailDomain {own}/d{number} {{serverRef: {{name: main, namespace: {other}}}, domain: {domain}}}"
        ),
        2 => format!("Mailbox {own}/m{number} {{address: m{number}@{domain}}}"),
        _ => format!("Alias {own}/l{number} {{address: l{number}@{domain}, targets: [m0@one.test]}}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: support::random::cases(), ..ProptestConfig::default() })]

    #[test]
    fn any_order_assigns_the_same_and_nothing_is_lost(
        lines in prop::collection::vec(line(), 0..20),
        rows in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(vec!["a", "b", "gone"])), 0..6),
        seed in any::<u64>(),
    ) {
        let catalog = support::watched(&lines.join("\n"));
        let mut entries: Vec<&Entry> = catalog.entries().collect();
        let objects: BTreeSet<ObjectRef> = entries.iter().map(|entry| entry.object()).collect();
        let mut owners = BTreeMap::new();
        for (index, at) in rows.iter().filter(|_| !entries.is_empty()) {
            owners.insert(index.get(&entries).object(), server(at));
        }
        let straight = assign(entries.iter().copied(), catalog.namespaces(), &owners);
        let length = entries.len().max(1);
        entries.rotate_left(seed as usize % length);
        if seed % 2 == 0 {
            entries.reverse();
        }
        prop_assert_eq!(&assign(entries, catalog.namespaces(), &owners), &straight);

        let mut found = straight.unassigned.clone();
        for members in straight.members.values() {
            prop_assert!(members.is_disjoint(&found), "an object is in two places");
            found.extend(members.iter().cloned());
        }
        prop_assert_eq!(found, objects);
        for object in &straight.unassigned {
            let said = straight.problems.iter().any(|problem| problem.is_error() && problem.object.as_ref() == Some(object));
            prop_assert!(said, "nothing is said of {}", object);
        }
        // Rows stay where they are while their server is declared.
        for (object, at) in &owners {
            if object.kind != mailwright_crds::Kind::MailServer && straight.members.contains_key(at) {
                prop_assert!(straight.members[at].contains(object), "{} left {}", object, at);
            }
        }
        // A name has one server without an error of its own.
        let mut servers: BTreeMap<&str, BTreeSet<&ServerKey>> = BTreeMap::new();
        for (key, members) in &straight.members {
            for object in members {
                let Some(mailwright_crds::Resource::MailDomain(domain)) = catalog.get(object).map(|entry| &entry.resource) else { continue };
                let wrong = straight.problems.iter().any(|problem| problem.object.as_ref() == Some(object));
                // What its server does not allow is stopped there.
                let shut = object.namespace != key.namespace && matches!(
                    &catalog.get(&key.object()).unwrap().resource,
                    mailwright_crds::Resource::MailServer(it) if it.spec.allowed_domains.is_same());
                // A row says something of the server that it is at, not of one that is gone.
                if !wrong && (!shut || owners.get(object) == Some(key)) {
                    servers.entry(domain.spec.domain.as_str()).or_default().insert(key);
                }
            }
        }
        prop_assert!(servers.values().all(|servers| servers.len() < 2), "{:?}", servers);
    }
}
