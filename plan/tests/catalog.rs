//! The catalog: what replaces what, and that the way things arrived does not matter.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::{Catalog, Entry, Lines, Origin, SecretId, SecretState};
use support::{catalog, object};

const REPOSITORY: &str = "# server.yaml\n\
    MailServer main {hostname: mail.one.test, tls: {secretName: tls}}\n\
    # one.yaml\n\
    MailDomain one {serverRef: {name: main}, domain: one.test, aliases: [eins.test], catchAll: alice@one.test}\n\
    Mailbox alice {address: alice@one.test, credentials: {secretRef: {name: passwords, key: alice}}}\n\
    Mailbox bob {address: bob@one.test}\n\
    # two.yaml\n\
    MailDomain two {serverRef: {name: main}, domain: two.test}\n\
    Alias team {address: team@two.test, targets: [alice@one.test, bob@one.test]}\n\
    Mailbox alice {address: alice@two.test}\n";

fn entry(catalog: &Catalog, kind: &str, name: &str, file: &str) -> Entry {
    let object = object(kind, name);
    catalog.entries().find(|entry| entry.object() == object && entry.origin.file == file).unwrap().clone()
}

#[test]
fn the_same_name_from_another_file_stays_apart() {
    let full = catalog(REPOSITORY);
    assert_eq!(full.entries().filter(|entry| entry.object() == object("Mailbox", "alice")).count(), 2);
    assert_eq!(full.get(&object("Mailbox", "alice")).unwrap().origin, Origin::new("one.yaml", 2));
    assert!(full.get(&object("Mailbox", "carol")).is_none());

    let mut moved = full.clone();
    let mut again = entry(&full, "Mailbox", "bob", "one.yaml");
    again.origin.line = 30;
    moved.apply(again);
    assert_eq!(moved.get(&object("Mailbox", "bob")).unwrap().origin.line, 30, "the same file: in its place");
    assert_eq!(moved.entries().count(), full.entries().count());

    moved.delete(&object("Mailbox", "alice"));
    assert_eq!(moved.entries().count(), full.entries().count() - 2);
}

#[test]
fn taking_a_file_in_forgets_what_it_was_before() {
    let mut changed = catalog(
        "# a.yaml\nbroken mailbox: [\n# b.yaml\nwrong Mailbox bob\nMailbox carol {address: carol@one.test}\n",
    );
    assert!(changed.broken_files().contains_key("a.yaml"));
    assert!(changed.broken_objects().contains_key(&object("Mailbox", "bob")));
    assert_eq!(changed.problems().len(), 2);
    changed.replace_file("a.yaml", Vec::new());
    changed.remove_file("b.yaml");
    assert!(
        changed.broken_files().is_empty()
            && changed.broken_objects().is_empty()
            && changed.problems().is_empty()
    );
    assert!(changed.is_empty());
}

#[test]
fn secrets_are_found_by_key_and_by_name() {
    let catalog = catalog("Secret team/passwords {alice: one, bob: ''}\n");
    let state = |name: &str, key: &str| catalog.secret(&SecretId::new("team", name, key)).clone();
    assert!(matches!(state("passwords", "alice"), SecretState::Present { .. }));
    assert!(matches!(state("passwords", "bob"), SecretState::Unusable { .. }));
    assert_eq!(state("passwords", "carol"), SecretState::Missing);
    assert_eq!(state("other", "alice"), SecretState::Missing);
    assert!(catalog.has_secret("team", "passwords"));
    assert!(!catalog.has_secret("team", "password"));
    assert!(!catalog.has_secret("default", "passwords"));
}

#[test]
fn a_secret_goes_with_all_its_keys_and_no_other() {
    let mut catalog = catalog(
        "Secret team/passwords {alice: one, bob: two}\nSecret team/password {alice: one}\nSecret teams/passwords {alice: one}\n",
    );
    catalog.remove_secret("team", "passwords");
    for (namespace, name, expected) in
        [("team", "passwords", false), ("team", "password", true), ("teams", "passwords", true)]
    {
        assert_eq!(catalog.has_secret(namespace, name), expected, "{namespace}/{name}");
    }
}

#[test]
fn what_stands_in_no_file_is_replaced_and_forgotten_by_name() {
    let full = catalog(REPOSITORY);
    let mut watched = Catalog::new();
    for _ in 0..2 {
        for entry in full.entries().filter(|entry| entry.origin.file == "one.yaml") {
            watched.apply(Entry::new(entry.resource.clone(), Origin::default()));
        }
    }
    assert_eq!(watched.entries().count(), 3);
    watched.delete(&object("Mailbox", "bob"));
    assert!(watched.get(&object("Mailbox", "bob")).is_none());
    assert_eq!(watched.entries().count(), 2);
}

#[test]
fn a_field_stands_on_its_own_line_or_that_of_what_is_around_it() {
    let mut entry = entry(&catalog(REPOSITORY), "Alias", "team", "two.yaml");
    let lines =
        [("spec", 4), ("spec.targets", 6), ("spec.targets[1]", 8)].map(|(path, line)| (path.into(), line));
    entry.lines = Lines::new(&lines.into(), &Lines::default());
    for (field, line) in [
        ("spec.targets[1]", 8),
        ("spec.targets[0]", 6),
        ("spec.targets", 6),
        ("spec.address", 4),
        ("metadata.name", 2),
        ("", 2),
    ] {
        assert_eq!(entry.place(field), Origin::new("two.yaml", line), "{field}");
    }
}
