//! Passwords: which declared secret is set when, against every state the account's password can be in; and when a
//! removed account may be deleted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use chrono::{DateTime, Duration, Utc};
use mailwright_plan::observed::{
    CredentialRow, DeletionPolicy, MailboxDeclared, MailboxRow, Management, SetBy,
};
use mailwright_plan::{Change, CredentialSource, Observed, fingerprint, plan};
use support::{KEY, running, with};

/// What runs: no password, one from a manifest, or one of the owner's own (after one from a manifest, or never).
#[derive(Debug, Clone, Copy)]
enum Running {
    None,
    Declared(&'static str),
    Owner(Option<&'static str>),
}

fn observed(running_password: Running) -> Observed {
    let mut observed = running(&with("Mailbox carol {address: carol@one.test}"));
    let print = |secret: &str| fingerprint(&KEY, secret.as_bytes());
    let row = observed.mailboxes.iter_mut().find(|row| row.declared.address == "carol@one.test").unwrap();
    row.credential = match running_password {
        Running::None => None,
        Running::Declared(secret) => {
            Some(CredentialRow { fingerprint: Some(print(secret)), set_by: SetBy::Declared })
        }
        Running::Owner(secret) => {
            Some(CredentialRow { fingerprint: secret.map(print), set_by: SetBy::Owner })
        }
    };
    observed
}

/// Which secret a plan sets for carol, and from where.
fn set(running_password: Running, spec: &str, secrets: &str) -> Option<(String, CredentialSource)> {
    let repository = with(&format!("Mailbox carol {{address: carol@one.test{spec}}}\n{secrets}"));
    let settings = support::settings("git", support::start());
    let planned = plan(&support::catalog(&repository), &observed(running_password), &settings);
    assert!(planned.operations.len() <= 1);
    match &planned.operations.first()?.change {
        Change::PutMailbox { credential, .. } => {
            credential.as_ref().map(|credential| (credential.fingerprint.clone(), credential.source.clone()))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn initial_and_enforced_against_every_state() {
    const INITIAL: &str = ", credentials: {secretRef: {name: s, key: k}}";
    const ENFORCED: &str = ", credentials: {secretRef: {name: s, key: k}, management: Enforced}";
    let secret = CredentialSource::Secret { namespace: "default".into(), name: "s".into(), key: "k".into() };
    for (running, initial, enforced) in [
        (Running::None, true, true),
        (Running::Declared("new"), false, false),
        (Running::Declared("old"), true, true),
        (Running::Owner(None), false, true),
        (Running::Owner(Some("old")), false, true),
        // The owner changed it after the declared one was applied: enforcing sets it back.
        (Running::Owner(Some("new")), false, true),
    ] {
        for (spec, expected) in [(INITIAL, initial), (ENFORCED, enforced)] {
            let found = set(running, spec, "Secret s {k: new}");
            let wanted = expected.then(|| (fingerprint(&KEY, b"new"), secret.clone()));
            assert_eq!(found, wanted, "{running:?} {spec}");
            for absent in [
                "",
                "Secret s {other: new}",
                "Secret other {k: new}",
                "Secret team/s {k: new}",
                "Secret s {k: ''}",
            ] {
                assert_eq!(set(running, spec, absent), None, "{running:?} {spec} {absent}");
            }
        }
        assert_eq!(set(running, "", "Secret s {k: new}"), None, "nothing declared changes nothing");
    }
}

#[test]
fn hashes_are_fingerprinted_with_the_installations_key() {
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
    let spec = format!(", credentials: {{passwordHash: '{hash}'}}");
    let expected = (fingerprint(&KEY, hash.as_bytes()), CredentialSource::PasswordHash);
    assert_eq!(set(Running::None, &spec, ""), Some(expected));
    assert_ne!(fingerprint(&KEY, hash.as_bytes()), fingerprint(&[8; 32], hash.as_bytes()));
    assert_eq!(fingerprint(&KEY, hash.as_bytes()).len(), 32);
    let repository = with(&format!("Mailbox carol {{address: carol@one.test{spec}}}"));
    let planned = plan(
        &support::catalog(&repository),
        &Observed::default(),
        &support::settings("git", support::start()),
    );
    assert!(
        !serde_json::to_string(&planned).unwrap().contains("argon2id"),
        "a hash never leaves the catalog"
    );
}

#[test]
fn management_travels_with_the_change() {
    for (word, management) in [("Initial", Management::Initial), ("Enforced", Management::Enforced)] {
        let line = format!(
            "Mailbox carol {{address: carol@one.test, credentials: {{secretRef: {{name: s}}, management: {word}}}}}\nSecret s {{password: x}}"
        );
        let settings = support::settings("git", support::start());
        let planned = plan(&support::catalog(&with(&line)), &observed(Running::None), &settings);
        let Change::PutMailbox { credential: Some(credential), .. } = &planned.operations[0].change else {
            panic!()
        };
        assert_eq!(credential.management, management);
    }
}

#[test]
fn retention_is_counted_from_the_removal() {
    let row = |removed_at: Option<DateTime<Utc>>, retain_for: u64| MailboxRow {
        account_id: 1,
        declared: MailboxDeclared {
            address: "carol@one.test".into(),
            display_name: None,
            quota: None,
            send_as: Vec::new(),
            forward: None,
            enabled: true,
            deletion_policy: DeletionPolicy::Delete,
            retain_for,
            legal_hold: false,
        }
        .into(),
        owner: None,
        removed_at,
        credential: None,
        used_bytes: 0,
    };
    let start = support::start();
    assert_eq!(row(None, 60).retain_until(), None);
    assert!(row(None, 60).is_active());
    assert_eq!(row(Some(start), 60).retain_until(), Some(start + Duration::minutes(1)));
    assert!(!row(Some(start), 60).is_active());
    for endless in [u64::MAX, i64::MAX as u64, u64::from(u32::MAX) * 100_000] {
        assert!(row(Some(start), endless).retain_until().unwrap() > start + Duration::days(1_000_000));
    }
}
