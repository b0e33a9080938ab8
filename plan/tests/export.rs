//! Exports: what comes out, read back in, asks for nothing but another place to stand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::{Action, Observed, export, plan, simulate};
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

#[test]
fn nothing_runs_nothing_comes_out() {
    assert_eq!(export::manifests(&Observed::default()).lines().count(), 1);
}
