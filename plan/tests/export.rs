//! Exports: what comes out, read back in, asks for nothing but another place to stand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::BTreeSet;

use mailwright_plan::export::Split;
use mailwright_plan::observed::Forward;
use mailwright_plan::{Action, Catalog, Entry, Observed, Origin, export, plan, simulate};
use support::read;

const REPOSITORY: &str = "# a.yaml\n\
    MailServer mail/main {hostname: mail.example.test, listeners: {imap: {enabled: false, port: 143}}, limits: {messageSize: 10Mi}}\n\
    MailDomain mail/one {serverRef: {name: main}, domain: one.test, allowedMailboxes: {from: All}, aliases: [eins.test], catchAll: alice@one.test, limits: {defaultQuota: 1Gi, mailboxes: 5}, spf: {all: Fail}, caa: {issuers: [letsencrypt.org]}}\n\
    MailDomain mail/parked {serverRef: {name: main}, domain: parked.test, parked: true}\n\
    Mailbox alice {address: alice@one.test, displayName: 'Alice: the \"first\"'}\n\
    Mailbox bob {address: bob@one.test, quota: 2Gi, enabled: false, deletionPolicy: Delete, retainFor: 1h30m, sendAs: [team@one.test]}\n\
    Mailbox carol {address: carol@one.test}\n\
    Alias team {address: team@one.test, targets: [alice@one.test, bob@one.test], senders: Members}\n\
    Alias all {address: '@one.test', targets: [alice@one.test]}\n";

fn running(text: &str, before: &Observed) -> Observed {
    let settings = support::settings("git", support::start());
    let planned = plan(&support::catalog(text), before, &settings);
    simulate::apply(before, &planned, support::start())
}

#[test]
fn an_export_declares_what_runs() {
    let observed = running(&REPOSITORY.replace("catchAll: alice@one.test, ", ""), &Observed::default());
    let text = export::manifests(&observed);
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("export", text);
    });
    let planned = plan(&read(&text), &observed, &support::settings("git", support::start()));
    assert_eq!(planned.errors().count(), 0, "{:?}", planned.problems);
    for operation in &planned.operations {
        let fields: Vec<&str> = operation.changes.iter().map(|change| change.field.as_str()).collect();
        assert_eq!((operation.action, fields), (Action::Update, vec!["file"]), "{}", operation.subject);
    }
    assert_eq!(planned.operations.len(), 8);
}

#[test]
fn what_nobody_owns_gets_a_name_and_what_was_removed_is_a_comment() {
    let repository = REPOSITORY.replace("catchAll: alice@one.test, ", "");
    let mut observed = running(&repository, &Observed::default());
    let without: String =
        repository.lines().filter(|line| !line.contains("carol")).map(|line| format!("{line}\n")).collect();
    observed = running(&without, &observed);
    observed.mailboxes.iter_mut().for_each(|row| row.owner = None);
    observed.aliases.iter_mut().for_each(|row| row.owner = None);
    let text = export::manifests(&observed);
    assert!(text.contains("# Removed, its mail is kept: carol@one.test\n"), "{text}");
    assert!(!text.contains("address: carol@one.test"));
    for name in
        ["name: alice-one-test\n", "name: bob-one-test\n", "name: team-one-test\n", "name: one-test\n"]
    {
        assert!(text.contains(name), "{name} in {text}");
    }
    let planned = plan(&read(&text), &observed, &support::settings("git", support::start()));
    assert_eq!(planned.errors().count(), 0, "{:?}", planned.problems);
    let adopted = planned.operations.iter().filter(|operation| operation.action == Action::Adopt).count();
    assert_eq!(adopted, 4);
}

#[test]
fn secrets_are_not_in_it() {
    let text = "MailServer main {hostname: mail.example.test}\nMailDomain one {serverRef: {name: main}, domain: one.test}\n\
        Mailbox alice {address: alice@one.test, credentials: {secretRef: {name: passwords, key: alice}}}\nSecret passwords {alice: one}\n";
    let observed = running(text, &Observed::default());
    let fingerprint = observed.mailboxes[0].credential.clone().unwrap().fingerprint.unwrap();
    let exported = export::manifests(&observed);
    assert!(!exported.contains(&fingerprint) && !exported.contains("credentials:"), "{exported}");
}

/// Reads files back, each where it stands.
fn read_files(observed: &Observed, split: Split) -> Catalog {
    let mut catalog = Catalog::new();
    for (file, text) in export::files(observed, split) {
        let moved =
            |entry: &Entry| Entry::new(entry.resource.clone(), Origin::new(file.clone(), entry.origin.line));
        let entries = read(&text).entries().map(moved).collect();
        catalog.replace_file(&file, entries);
    }
    catalog
}

#[test]
fn an_export_into_the_files_it_came_from_asks_for_nothing() {
    let repository = REPOSITORY.replace("catchAll: alice@one.test, ", "");
    let repository = repository.replace("Alias team", "# teams/all.yaml\nAlias team");
    let mut observed = running(&repository, &Observed::default());
    let bob = observed.mailboxes.iter_mut().find(|row| row.declared.address == "bob@one.test").unwrap();
    bob.declared.forward = Some(Forward {
        targets: vec!["alice@one.test".into(), "b@elsewhere.example".into()],
        keep_copy: false,
    });
    bob.declared.legal_hold = true;
    let settings = support::settings("git", support::start());
    for (split, files, operations) in [(Split::Origin, 2, 0), (Split::Domain, 3, 8), (Split::Object, 8, 8)] {
        let catalog = read_files(&observed, split);
        let read: BTreeSet<&str> = catalog.entries().map(|entry| entry.origin.file.as_str()).collect();
        assert_eq!(read.len(), files, "{split:?}: {read:?}");
        let planned = plan(&catalog, &observed, &settings);
        assert_eq!(planned.errors().count(), 0, "{:?}", planned.problems);
        assert_eq!(planned.operations.len(), operations, "{split:?}: {:?}", support::brief(&planned));
        let fields = planned.operations.iter().flat_map(|it| &it.changes).map(|it| it.field.as_str());
        assert!(fields.into_iter().all(|field| field == "file"), "{split:?}");
    }
}

#[test]
fn places_that_lead_elsewhere_are_not_written_to() {
    for bad in
        ["../up.yaml", "/etc/x.yaml", "a/../../b.yaml", ".hidden/a.yaml", "a//b.yaml", "a.txt", "a\\b.yaml"]
    {
        let mut observed =
            running(&REPOSITORY.replace("catchAll: alice@one.test, ", ""), &Observed::default());
        observed.mailboxes[0].owner.as_mut().unwrap().origin.file = bad.into();
        let files = export::files(&observed, Split::Origin);
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a.yaml", "one.test.yaml"], "{bad}");
    }
}

#[test]
fn nothing_runs_nothing_comes_out() {
    assert_eq!(export::manifests(&Observed::default()).lines().count(), 1);
}
