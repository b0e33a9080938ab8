//! The model of applying: what it writes, what it refuses, and that writing the same again writes nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use chrono::Duration;
use mailwright_plan::observed::{
    AliasDeclared, DeletionPolicy, DomainDeclared, MailboxDeclared, Management, Owner, Senders,
    ServerDeclared, ServerLimits, SetBy, Tls,
};
use mailwright_plan::{
    Action, Batch, Change, CredentialChange, CredentialSource, FailureReason, Kind, Material, Observed,
    Operation, Origin, Plan, Risk, Verdict, simulate,
};

fn owner(source: &str) -> Owner {
    Owner {
        managed_by: source.into(),
        object: support::object("Mailbox", "x"),
        origin: Origin::new("x.yaml", 1),
        applied: None,
        former: None,
    }
}

fn server() -> Change {
    let limits = ServerLimits {
        message_size: 1,
        recipients_per_message: 1,
        connections: 1,
        connections_per_address: 1,
    };
    let declared = ServerDeclared {
        name: "default/main".into(),
        hostname: "mail.a.test".into(),
        listeners: Default::default(),
        tls: Tls::SelfSigned,
        limits,
        relay: None,
        trusted_networks: vec![],
        auth: Default::default(),
        dns: Default::default(),
        queue: Default::default(),
        policies: Default::default(),
    };
    Change::PutServer { declared: declared.into(), owner: owner("git").into() }
}

fn domain(name: &str, aliases: &[&str]) -> Change {
    let declared = DomainDeclared {
        domain: name.into(),
        server: "default/main".into(),
        aliases: aliases.iter().map(ToString::to_string).collect(),
        parked: false,
        catch_all: None,
        limits: Default::default(),
        dns: serde_json::json!({}),
    };
    Change::PutDomain { declared: declared.into(), owner: owner("git").into() }
}

fn mailbox(address: &str, source: &str, management: Option<(Management, &str)>) -> Change {
    let declared = MailboxDeclared {
        address: address.into(),
        display_name: None,
        quota: None,
        send_as: Vec::new(),
        forward: None,
        enabled: true,
        deletion_policy: DeletionPolicy::Delete,
        retain_for: 3600,
        legal_hold: false,
    };
    let credential = management.map(|(management, fingerprint)| CredentialChange {
        fingerprint: fingerprint.into(),
        management,
        source: CredentialSource::PasswordHash,
    });
    Change::PutMailbox { declared: declared.into(), owner: owner(source).into(), credential }
}

fn alias(address: &str) -> Change {
    let declared = AliasDeclared {
        address: address.into(),
        targets: vec!["alice@a.test".into()],
        senders: Senders::Anyone,
        enabled: true,
    };
    Change::PutAlias { declared: declared.into(), owner: owner("git").into() }
}

fn operation(change: Change) -> Operation {
    Operation {
        action: Action::Update,
        object: support::object("Mailbox", "x"),
        subject: change.key().1.to_owned(),
        changes: Vec::new(),
        risk: Risk::None,
        effect: Vec::new(),
        origin: None,
        change,
        held: None,
        drift: false,
    }
}

/// Applies changes one after the other at one hour after the other; answers the last verdict and whether it wrote.
fn run(changes: Vec<Change>) -> (Observed, Verdict, bool) {
    let (mut observed, mut now, mut last, mut wrote) =
        (Observed::default(), support::start(), Verdict::Applied, false);
    for change in changes {
        let counter = observed.change_counter;
        let operations = [operation(change)];
        let (after, outcomes) = simulate::apply_operations(&observed, "git", &operations, now);
        last = outcomes[0].verdict.clone();
        wrote = after.change_counter != counter;
        observed = after;
        now += Duration::hours(1);
    }
    (observed, last, wrote)
}

/// What the last of some changes, after a server, a domain with an alias domain and a mailbox, comes to.
fn check(changes: Vec<Change>, expected: Result<bool, FailureReason>) {
    let shown = format!("{changes:?}");
    let base = vec![server(), domain("a.test", &["b.test"]), mailbox("alice@a.test", "git", None)];
    let (_, verdict, wrote) = run([base, changes].concat());
    let found = match verdict {
        Verdict::Applied => Ok(wrote),
        Verdict::Failed { reason, .. } => Err(reason),
    };
    assert_eq!(found, expected, "{shown}");
}

fn address(address: &str) -> String {
    address.to_owned()
}

#[test]
fn writing_the_same_again_writes_nothing() {
    let alice = || address("alice@a.test");
    check(vec![server()], Ok(false));
    check(vec![domain("a.test", &["b.test"])], Ok(false));
    check(vec![domain("a.test", &[])], Ok(true));
    check(vec![mailbox("alice@a.test", "git", None)], Ok(false));
    let mut moved = mailbox("alice@a.test", "git", None);
    if let Change::PutMailbox { owner, .. } = &mut moved {
        owner.origin.line = 99;
    }
    check(vec![moved.clone()], Ok(false));
    if let Change::PutMailbox { owner, .. } = &mut moved {
        owner.origin.file = "other.yaml".into();
    }
    check(vec![moved], Ok(true));
    check(vec![Change::DeleteServer { name: address("none") }], Ok(false));
    check(vec![Change::DeleteDomain { domain: address("none.test") }], Ok(false));
    check(vec![alias("team@a.test")], Ok(true));
    check(vec![alias("team@a.test"), alias("team@a.test")], Ok(false));
    check(vec![Change::DisableMailbox { address: alice() }], Ok(true));
    check(
        vec![Change::DisableMailbox { address: alice() }, Change::DisableMailbox { address: alice() }],
        Ok(false),
    );
    check(vec![Change::DisableDomain { domain: address("a.test") }], Ok(true));
    check(vec![Change::DeleteAlias { address: address("team@a.test") }], Ok(false));
    check(vec![Change::DeleteMailbox { address: address("nobody@a.test") }], Ok(false));
    check(vec![Change::Release { kind: Kind::Mailbox, key: alice() }], Ok(true));
    for kind in [Kind::MailServer, Kind::MailDomain, Kind::Alias] {
        check(vec![Change::Release { kind, key: address("none") }], Err(FailureReason::NotFound));
    }
}

#[test]
fn what_the_database_refuses() {
    let alice = || address("alice@a.test");
    check(vec![alias("alice@a.test")], Err(FailureReason::Conflict));
    check(vec![alias("team@a.test"), mailbox("team@a.test", "git", None)], Err(FailureReason::Conflict));
    check(vec![mailbox("bob@none.test", "git", None)], Err(FailureReason::NotFound));
    check(vec![alias("bob@none.test")], Err(FailureReason::NotFound));
    check(vec![domain("b.test", &[])], Err(FailureReason::Conflict));
    check(vec![domain("c.test", &["b.test"])], Err(FailureReason::Conflict));
    check(vec![domain("c.test", &["a.test"])], Err(FailureReason::Conflict));
    check(vec![Change::DeleteDomain { domain: address("a.test") }], Err(FailureReason::InUse));
    check(vec![Change::DeleteServer { name: address("default/main") }], Err(FailureReason::InUse));
    check(vec![Change::DeleteMailbox { address: alice() }], Err(FailureReason::InUse));
    check(vec![Change::DisableMailbox { address: address("bob@a.test") }], Err(FailureReason::NotFound));
    check(vec![Change::DisableDomain { domain: address("none.test") }], Err(FailureReason::NotFound));
    check(
        vec![Change::Release { kind: Kind::Mailbox, key: address("bob@a.test") }],
        Err(FailureReason::NotFound),
    );
}

#[test]
fn retention_ends_at_its_hour_and_frees_the_domain() {
    let alice = || address("alice@a.test");
    let disable = || Change::DisableMailbox { address: alice() };
    let delete = || Change::DeleteMailbox { address: alice() };
    check(vec![disable(), delete()], Ok(true));
    check(vec![disable(), delete(), Change::DeleteDomain { domain: address("a.test") }], Ok(true));
    check(vec![disable(), mailbox("alice@a.test", "git", None), delete()], Err(FailureReason::InUse));
}

#[test]
fn another_source_keeps_its_rows() {
    let observed = run(vec![server(), domain("a.test", &[]), mailbox("alice@a.test", "git", None)]).0;
    let alice = || address("alice@a.test");
    for change in [
        mailbox("alice@a.test", "other", None),
        Change::DisableMailbox { address: alice() },
        Change::DeleteMailbox { address: alice() },
        Change::Release { kind: Kind::Mailbox, key: alice() },
        Change::DeleteDomain { domain: address("a.test") },
        Change::DeleteServer { name: address("default/main") },
    ] {
        let operations = [operation(change)];
        let (after, outcomes) = simulate::apply_operations(&observed, "other", &operations, support::start());
        assert!(matches!(outcomes[0].verdict, Verdict::Failed { reason: FailureReason::Conflict, .. }));
        assert_eq!(after, observed);
    }
}

#[test]
fn passwords_belong_to_people() {
    let set = |management, fingerprint| mailbox("alice@a.test", "git", Some((management, fingerprint)));
    let base = || vec![server(), domain("a.test", &[]), set(Management::Initial, "one")];
    let (mut observed, ..) = run(base());
    let credential = |observed: &Observed| observed.mailboxes[0].credential.clone().unwrap();
    assert_eq!(
        (credential(&observed).set_by, credential(&observed).fingerprint.as_deref()),
        (SetBy::Declared, Some("one"))
    );
    observed.mailboxes[0].credential.as_mut().unwrap().set_by = SetBy::Owner;
    // The plan was made before the owner changed it: the database looks again.
    let (after, _) = simulate::apply_operations(
        &observed,
        "git",
        &[operation(set(Management::Initial, "two"))],
        support::start(),
    );
    assert_eq!(credential(&after), credential(&observed));
    let (after, _) = simulate::apply_operations(
        &observed,
        "git",
        &[operation(set(Management::Enforced, "two"))],
        support::start(),
    );
    assert_eq!(credential(&after).set_by, SetBy::Declared);
}

#[test]
fn a_batch_needs_the_passwords_it_names() {
    let mut observed = run(vec![server(), domain("a.test", &[])]).0;
    let wanted = mailbox("alice@a.test", "git", Some((Management::Initial, "one")));
    let mut batch = Batch {
        source_id: "git".into(),
        operations: vec![operation(wanted), operation(mailbox("bob@a.test", "git", None))],
        credentials: Default::default(),
        fence: None,
        provenance: None,
        whole: false,
    };
    let reply = simulate::apply_batch(&mut observed, &batch, support::start());
    assert!(matches!(reply.outcomes[0].verdict, Verdict::Failed { reason: FailureReason::Credential, .. }));
    assert_eq!(reply.outcomes[1].verdict, Verdict::Applied, "one bad object holds back no other");
    assert_eq!((observed.mailboxes.len(), reply.change_counter), (1, observed.change_counter));
    batch.credentials.insert("one".into(), Material::Plain("mailwright".into()));
    let reply = simulate::apply_batch(&mut observed, &batch, support::start());
    assert!(reply.outcomes.iter().all(|outcome| outcome.verdict == Verdict::Applied));
    assert_eq!(observed.mailboxes.len(), 2);
}

#[test]
fn rows_that_share_what_a_plan_says_say_what_they_said() {
    let changes =
        || vec![mailbox("a@a.test", "git", None), mailbox("b@a.test", "git", None), alias("all@a.test")];
    let (mut observed, ..) = run([vec![server(), domain("a.test", &[])], changes()].concat());
    // Somebody was faster than whoever reads the rows again.
    observed.mailboxes[1].declared.quota = Some(7);
    observed.mailboxes[1].owner = None;
    observed.aliases[0].declared.enabled = false;
    let before = observed.clone();
    let plan = Plan { operations: changes().into_iter().map(operation).collect(), ..Plan::default() };
    observed.share(&plan);
    assert_eq!(observed, before);
    // What is changed in a row afterwards is not changed in the plan.
    observed.mailboxes[0].declared.quota = Some(9);
    let Change::PutMailbox { declared, .. } = &plan.operations[0].change else { panic!("{plan:?}") };
    assert_eq!((declared.address.as_str(), declared.quota), ("a@a.test", None));
}

#[test]
fn accounts_keep_their_numbers_and_the_wire_its_form() {
    let (observed, ..) = run(vec![
        server(),
        domain("a.test", &[]),
        mailbox("b@a.test", "git", None),
        mailbox("a@a.test", "git", None),
        mailbox("b@a.test", "git", None),
    ]);
    let numbers: Vec<_> =
        observed.mailboxes.iter().map(|row| (row.declared.address.as_str(), row.account_id)).collect();
    assert_eq!(numbers, [("a@a.test", 2), ("b@a.test", 1)]);
    let wire = serde_json::to_string(&observed).unwrap();
    assert_eq!(serde_json::from_str::<Observed>(&wire).unwrap(), observed);
    let batch = Batch {
        source_id: "git".into(),
        operations: vec![operation(mailbox("a@a.test", "git", Some((Management::Initial, "f"))))],
        credentials: [("f".to_owned(), Material::Plain("hunter2".into()))].into(),
        fence: None,
        provenance: None,
        whole: false,
    };
    let wire = serde_json::to_string(&batch).unwrap();
    assert_eq!(serde_json::from_str::<Batch>(&wire).unwrap(), batch);
    assert!(!format!("{batch:?}").contains("hunter2"), "a password is never shown");
    for part in [
        "\"type\":\"PutMailbox\"",
        "\"deletionPolicy\":\"Delete\"",
        "\"managedBy\":\"git\"",
        "\"action\":\"update\"",
    ] {
        assert!(wire.contains(part), "{part} in {wire}");
    }
}
