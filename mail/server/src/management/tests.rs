//! The management interface in process and over its socket: what a plan applies is what is observed; passwords, purges,
//! resources, sessions.

pub(super) mod authority;
mod history;
mod pod;
mod port;
mod socket;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use mailwright_plan::observed::{
    AliasDeclared, DeletionPolicy, Dns, DomainDeclared, DomainLimits, Forward, Listener, MailboxDeclared,
    Owner, Relay, RelayCredentials, RelayTls, SecretName, Senders, ServerDeclared, ServerLimits, SetBy, Tls,
};
use mailwright_plan::operation::{CredentialChange, CredentialSource, FailureReason, Guard, Material};
use mailwright_plan::{
    Action, Batch, Change, Kind, ObjectRef, Operation, Origin, Outcome, Risk, Shared, Verdict,
};
use mailwright_store::Options;
use serde_json::json;

use super::*;
use crate::tests::PASSWORD;

const SOURCE: &str = "test-source";

fn object(kind: Kind, name: &str) -> ObjectRef {
    ObjectRef { kind, namespace: "mail".into(), name: name.into() }
}

fn owner(kind: Kind, name: &str) -> Shared<Owner> {
    let origin = Origin::new("mail/all.yaml", 7);
    Owner { managed_by: SOURCE.into(), object: object(kind, name), origin, applied: None, former: None }
        .into()
}

fn operation(action: Action, subject: &str, change: Change) -> Operation {
    let (kind, _) = change.key();
    Operation {
        action,
        object: object(kind, subject),
        subject: subject.into(),
        changes: vec![],
        risk: Risk::None,
        effect: vec![],
        origin: None,
        change,
        held: None,
        drift: false,
    }
}

fn server() -> ServerDeclared {
    ServerDeclared {
        name: "mail/main".into(),
        hostname: "mail.example.test".into(),
        listeners: BTreeMap::from([("smtp".into(), Listener { enabled: true, port: 2525 })]),
        tls: Tls::SelfSigned,
        limits: ServerLimits {
            message_size: 1,
            recipients_per_message: 2,
            connections: 3,
            connections_per_address: 4,
        },
        relay: Some(Relay {
            host: "smtp.example.org".into(),
            port: 587,
            tls: RelayTls::StartTls,
            credentials: Some(RelayCredentials { secret_ref: SecretName { name: "relay".into() } }),
        }),
        trusted_networks: vec!["10.42.0.0/16".into()],
        auth: Default::default(),
        dns: Dns { resolvers: vec!["192.0.2.53".into()] },
        queue: Default::default(),
        policies: Default::default(),
    }
}

fn domain() -> DomainDeclared {
    DomainDeclared {
        domain: "example.test".into(),
        server: "mail/main".into(),
        aliases: vec!["example.org".into()],
        parked: false,
        catch_all: Some("alice@example.test".into()),
        limits: DomainLimits { mailboxes: Some(10), default_quota: Some(1 << 30), ..Default::default() },
        dns: json!({"mtaSTS": {"mode": "Testing"}}),
    }
}

fn mailbox(address: &str) -> MailboxDeclared {
    MailboxDeclared {
        address: address.into(),
        display_name: Some("Alice".into()),
        quota: Some(1 << 20),
        send_as: vec!["sales@example.test".into()],
        forward: None,
        enabled: true,
        deletion_policy: DeletionPolicy::Delete,
        retain_for: 3600,
        legal_hold: false,
    }
}

fn put_mailbox(address: &str, fingerprint: Option<&str>) -> Operation {
    let credential = fingerprint.map(|fingerprint| CredentialChange {
        fingerprint: fingerprint.into(),
        management: mailwright_plan::observed::Management::Initial,
        source: CredentialSource::PasswordHash,
    });
    let owner = owner(Kind::Mailbox, "alice");
    let change = Change::PutMailbox { declared: mailbox(address).into(), owner, credential };
    operation(Action::Create, address, change)
}

/// A server, a domain, alice with a password, an alias.
fn batch() -> Batch {
    let alias = AliasDeclared {
        address: "sales@example.test".into(),
        targets: vec!["alice@example.test".into()],
        senders: Senders::Members,
        enabled: true,
    };
    let put_server = Change::PutServer { declared: server().into(), owner: owner(Kind::MailServer, "main") };
    let put_domain =
        Change::PutDomain { declared: domain().into(), owner: owner(Kind::MailDomain, "example") };
    let put_alias = Change::PutAlias { declared: alias.into(), owner: owner(Kind::Alias, "sales") };
    Batch {
        source_id: SOURCE.into(),
        operations: vec![
            operation(Action::Create, "mail/main", put_server),
            operation(Action::Create, "example.test", put_domain),
            put_mailbox("alice@example.test", Some("fp")),
            operation(Action::Create, "sales@example.test", put_alias),
        ],
        credentials: BTreeMap::from([("fp".into(), Material::Plain(PASSWORD.into()))]),
        fence: None,
        provenance: None,
        whole: false,
    }
}

async fn offline() -> (Management, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), Options::default()).await.unwrap();
    (Management::new(Arc::new(store)), directory)
}

fn reasons(outcomes: &[Outcome]) -> Vec<Option<FailureReason>> {
    let reason = |outcome: &Outcome| match &outcome.verdict {
        Verdict::Applied => None,
        Verdict::Failed { reason, .. } => Some(*reason),
    };
    outcomes.iter().map(reason).collect()
}

#[tokio::test]
async fn what_is_applied_is_what_is_observed() {
    let (management, _directory) = offline().await;
    let reply = management.apply(batch()).await.unwrap();
    assert_eq!(reasons(&reply.outcomes), [None; 4], "{reply:?}");
    let observed = management.observe().await.unwrap();
    assert_eq!(observed.change_counter, reply.change_counter);
    assert_eq!(*observed.servers[0].declared, server());
    assert_eq!(observed.servers[0].owner, Some(owner(Kind::MailServer, "main")));
    assert_eq!(*observed.domains[0].declared, domain());
    let alice = &observed.mailboxes[0];
    assert_eq!(*alice.declared, mailbox("alice@example.test"));
    assert_eq!(alice.owner, Some(owner(Kind::Mailbox, "alice")));
    let credential = alice.credential.as_ref().unwrap();
    assert_eq!((credential.fingerprint.as_deref(), credential.set_by), (Some("fp"), SetBy::Declared));
    assert_eq!(observed.aliases[0].declared.senders, Senders::Members);
}

#[tokio::test]
async fn applying_twice_writes_nothing() {
    let (management, _directory) = offline().await;
    let first = management.apply(batch()).await.unwrap();
    let second = management.apply(batch()).await.unwrap();
    assert_eq!(reasons(&second.outcomes), [None; 4]);
    assert_eq!(first.change_counter, second.change_counter);
}

#[tokio::test]
async fn one_bad_operation_holds_back_no_other() {
    let (management, _directory) = offline().await;
    let mut batch = batch();
    batch.operations.push(put_mailbox("bob@example.test", Some("missing")));
    batch.operations.push(put_mailbox("carol@elsewhere.test", None));
    batch.operations.push(put_mailbox("dave@example.test", Some("bad")));
    batch.credentials.insert("bad".into(), Material::Hash("{PLAIN}hunter2".into()));
    let gone = Change::DeleteAlias { address: "gone@example.test".into() };
    batch.operations.push(operation(Action::Delete, "gone@example.test", gone));
    let reply = management.apply(batch).await.unwrap();
    let expected = [
        None,
        None,
        None,
        None,
        Some(FailureReason::Credential),
        Some(FailureReason::NotFound),
        Some(FailureReason::Credential),
    ];
    assert_eq!(reasons(&reply.outcomes)[..7], expected, "{reply:?}");
    assert!(!format!("{reply:?}").contains("hunter2"), "no secret comes back");
    assert_eq!(management.observe().await.unwrap().mailboxes.len(), 1);
}

#[tokio::test]
async fn a_whole_batch_is_applied_whole_or_not_at_all() {
    let (management, _directory) = offline().await;
    let alone = Some(FailureReason::NotAlone);
    for (broken, reason) in [
        (put_mailbox("bob@example.test", Some("missing")), FailureReason::Credential),
        (put_mailbox("carol@elsewhere.test", None), FailureReason::NotFound),
    ] {
        let mut batch = Batch { whole: true, ..batch() };
        batch.operations.insert(1, broken);
        let reply = management.apply(batch).await.unwrap();
        assert_eq!(reasons(&reply.outcomes), [alone, Some(reason), alone, alone, alone], "{reply:?}");
        let observed = management.observe().await.unwrap();
        assert_eq!((observed.servers.len(), observed.domains.len(), observed.mailboxes.len()), (0, 0, 0));
        assert_eq!(observed.change_counter, reply.change_counter);
    }
    let reply = management.apply(Batch { whole: true, ..batch() }).await.unwrap();
    assert_eq!(reasons(&reply.outcomes), [None; 4], "{reply:?}");
}

#[tokio::test]
async fn another_sources_rows_are_a_conflict() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    let change = Change::DisableMailbox { address: "alice@example.test".into() };
    let disable = operation(Action::Disable, "alice@example.test", change);
    let mut other = Batch { source_id: "other".into(), operations: vec![disable], ..Default::default() };
    let reply = management.apply(other.clone()).await.unwrap();
    assert_eq!(reasons(&reply.outcomes), [Some(FailureReason::Conflict)]);
    other.operations[0].held = Some(Box::new(Guard::EmptySource));
    assert_eq!(
        management.apply(other).await.unwrap_err().code,
        ErrorCode::Refused,
        "held operations are not applied"
    );
}

#[tokio::test]
async fn an_owners_password_outlives_the_manifest() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    management.set_password("Alice@Example.TEST", "her own").await.unwrap();
    management.apply(batch()).await.unwrap();
    let observed = management.observe().await.unwrap();
    assert_eq!(observed.mailboxes[0].credential.as_ref().unwrap().set_by, SetBy::Owner);
    let login = management.store.accounts().lookup_login("alice@example.test").await.unwrap().unwrap();
    let hash = crate::auth::hash::PasswordHash::parse(&login.hash.unwrap()).unwrap();
    assert!(hash.verify(b"her own") && !hash.verify(PASSWORD.as_bytes()));
    for (address, password, expected) in [
        ("nobody@example.test", "x", ErrorCode::NotFound),
        ("not an address", "x", ErrorCode::NotFound),
        ("alice@example.test", "", ErrorCode::Invalid),
    ] {
        assert_eq!(management.set_password(address, password).await.unwrap_err().code, expected, "{address}");
    }
}

#[tokio::test]
async fn an_enforced_password_is_not_set_by_hand() {
    let (management, _directory) = offline().await;
    let mut enforced = batch();
    if let Change::PutMailbox { credential: Some(credential), .. } = &mut enforced.operations[2].change {
        credential.management = mailwright_plan::observed::Management::Enforced;
    }
    let address = "alice@example.test";
    for (declared, expected) in [(enforced, Err(ErrorCode::Refused)), (batch(), Ok(()))] {
        management.apply(declared).await.unwrap();
        let before = management.store.accounts().lookup_login(address).await.unwrap().unwrap().hash;
        let result = management.set_password(address, "by hand").await;
        if let Err(error) = &result {
            assert!(
                error.message.contains("management: Enforced") && error.message.contains("change it there")
            );
        }
        let after = management.store.accounts().lookup_login(address).await.unwrap().unwrap().hash;
        assert_eq!((before == after, result.map_err(|error| error.code)), (expected.is_err(), expected));
    }
}

#[tokio::test]
async fn a_released_mailbox_is_purged_by_declaring_it_once_more() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    let address = "alice@example.test";
    let release = Change::Release { kind: Kind::Mailbox, key: address.into() };
    let operations = vec![operation(Action::Release, address, release)];
    let removal = Batch { source_id: SOURCE.into(), operations, ..Default::default() };
    assert_eq!(reasons(&management.apply(removal).await.unwrap().outcomes), [None]);
    let refused = management.purge(address, true, Utc::now()).await.unwrap_err();
    assert!(refused.message.contains("no manifest declares it; declare it again"), "{refused}");
    management.apply(batch()).await.unwrap();
    let disable = operation(Action::Disable, address, Change::DisableMailbox { address: address.into() });
    let removal = Batch { source_id: SOURCE.into(), operations: vec![disable], ..Default::default() };
    assert_eq!(reasons(&management.apply(removal).await.unwrap().outcomes), [None]);
    assert_eq!(management.purge(address, true, Utc::now()).await.unwrap().address, address);
}

#[tokio::test]
async fn purging_waits_for_the_removal_and_its_retention() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    let address = "alice@example.test";
    let now = Utc::now();
    let refused = management.purge(address, true, now).await.unwrap_err();
    assert!(refused.message.contains("remove it from the manifests first"), "{refused}");
    let disable = operation(Action::Disable, address, Change::DisableMailbox { address: address.into() });
    let removal = Batch { source_id: SOURCE.into(), operations: vec![disable], ..Default::default() };
    let reply = management.apply(removal).await.unwrap();
    assert_eq!(reasons(&reply.outcomes), [None]);
    let refused = management.purge(address, false, now).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Refused);
    assert!(refused.message.contains("keeps its mail until"), "{refused}");
    let later = now + Duration::hours(2);
    assert_eq!(management.purge(address, false, later).await.unwrap().address, address);
    assert_eq!(management.purge(address, true, later).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn resources_are_written_when_they_change() {
    let (management, _directory) = offline().await;
    let record = |name: &str, spec: i32, status: &str| ResourceRecord {
        object: object(Kind::Mailbox, name),
        generation: 0,
        created: DateTime::UNIX_EPOCH,
        spec: json!({ "quota": spec }),
        status: json!({ "conditions": [status] }),
    };
    let both = vec![record("alice", 1, "a"), record("bob", 1, "b")];
    assert_eq!(management.put_resources(both.clone()).await.unwrap(), 2);
    assert_eq!(management.put_resources(both).await.unwrap(), 0);
    assert_eq!(
        management.put_resources(vec![record("alice", 2, "a"), record("bob", 1, "b")]).await.unwrap(),
        1
    );
    let kept = management.resources().await.unwrap();
    let generations: Vec<_> = kept.iter().map(|kept| (kept.object.name.as_str(), kept.generation)).collect();
    assert_eq!(generations, [("alice", 2), ("bob", 1)]);
    assert_eq!(kept[1].status, json!({ "conditions": ["b"] }));
    assert_eq!(management.delete_resources(vec![object(Kind::Mailbox, "bob")]).await.unwrap(), 1);
    assert_eq!(management.resources().await.unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_server_there_is_nothing_to_kick_or_reconcile() {
    let (management, _directory) = offline().await;
    assert_eq!(management.status(), None);
    assert!(management.sessions().is_empty() && !management.kick(1));
    assert_eq!(management.reconcile().unwrap_err().code, ErrorCode::Refused);
}

#[tokio::test]
async fn hashes_of_every_known_scheme_are_taken_and_others_are_not() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    for (hash, good) in [
        (
            "$argon2id$v=19$m=19456,t=2,p=1$1KvDj6KaLLDCy0GPyB7jbw$khK6oaYQidkUtDJuarwVihaMkcUI0kZAomL4eNUXvLQ",
            true,
        ),
        ("$2b$05$977bsXopD9V28tjxx.FWUu1UPmbIeOLAOWoIUycmbn.3JbLs6uRse", true),
        (
            "{SHA512-CRYPT}$6$bBy21Jp8uqirM1w0$gJVSScoxAl9aJURlOTj6FnPIscvdmzxJ2oNQSDIK2ZTpRX9sJxxqwVxrCV.Yaeyaxi.g8Q60yS0eDf6zYtk2q0",
            true,
        ),
        ("{SSHA}585R/Qbjkq2x8jqZmi1ZiOc7OOLL7GJx", true),
        ("{PLAIN}mailwright", false),
        ("{DES-CRYPT}yP8qTzP3ZN0Sg", false),
        ("mailwright", false),
        ("", false),
    ] {
        let mut batch = Batch { source_id: SOURCE.into(), ..Default::default() };
        batch.operations.push(put_mailbox("alice@example.test", Some(hash)));
        batch.credentials.insert(hash.into(), Material::Hash(hash.into()));
        let reply = management.apply(batch).await.unwrap();
        let expected = if good { None } else { Some(FailureReason::Credential) };
        assert_eq!(reasons(&reply.outcomes), [expected], "{hash}");
    }
}

#[tokio::test]
async fn rows_are_released_and_adopted() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    let release =
        |kind, key: &str| operation(Action::Release, key, Change::Release { kind, key: key.into() });
    let operations = vec![
        release(Kind::Alias, "sales@example.test"),
        release(Kind::Mailbox, "alice@example.test"),
        release(Kind::MailDomain, "example.test"),
        release(Kind::MailServer, "mail/main"),
    ];
    let released = Batch { source_id: SOURCE.into(), operations, ..Default::default() };
    assert_eq!(reasons(&management.apply(released).await.unwrap().outcomes), [None; 4]);
    let observed = management.observe().await.unwrap();
    assert!(observed.servers[0].owner.is_none() && observed.domains[0].owner.is_none());
    assert!(observed.mailboxes[0].owner.is_none() && observed.aliases[0].owner.is_none());
    let mut adopted = batch();
    adopted.source_id = "other".into();
    for operation in &mut adopted.operations {
        match &mut operation.change {
            Change::PutServer { owner, .. }
            | Change::PutDomain { owner, .. }
            | Change::PutMailbox { owner, .. }
            | Change::PutAlias { owner, .. } => owner.managed_by = "other".into(),
            _ => {}
        }
    }
    assert_eq!(reasons(&management.apply(adopted).await.unwrap().outcomes), [None; 4]);
    let observed = management.observe().await.unwrap();
    assert_eq!(observed.mailboxes[0].owner.as_ref().unwrap().managed_by, "other");
}

#[tokio::test]
async fn what_is_still_needed_is_not_deleted() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    let delete = |change: Change| operation(Action::Delete, change.key().1.to_owned().as_str(), change);
    let operations = vec![
        delete(Change::DeleteDomain { domain: "example.test".into() }),
        delete(Change::DeleteServer { name: "mail/main".into() }),
        delete(Change::DeleteMailbox { address: "alice@example.test".into() }),
    ];
    let deletion = Batch { source_id: SOURCE.into(), operations, ..Default::default() };
    let reply = management.apply(deletion).await.unwrap();
    assert_eq!(reasons(&reply.outcomes), [Some(FailureReason::InUse); 3], "{reply:?}");
    assert_eq!(management.observe().await.unwrap().mailboxes.len(), 1);
}

#[tokio::test]
async fn removal_disables_and_declaring_again_brings_back() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    let before = management.observe().await.unwrap().mailboxes[0].account_id;
    let operations = vec![
        operation(Action::Disable, "x", Change::DisableMailbox { address: "alice@example.test".into() }),
        operation(Action::Disable, "x", Change::DisableDomain { domain: "example.test".into() }),
    ];
    let removal = Batch { source_id: SOURCE.into(), operations, ..Default::default() };
    assert_eq!(reasons(&management.apply(removal).await.unwrap().outcomes), [None; 2]);
    let observed = management.observe().await.unwrap();
    assert!(observed.mailboxes[0].removed_at.is_some() && observed.domains[0].removed_at.is_some());
    assert!(observed.mailboxes[0].retain_until().is_some());
    management.apply(batch()).await.unwrap();
    let observed = management.observe().await.unwrap();
    assert!(observed.mailboxes[0].removed_at.is_none() && observed.domains[0].removed_at.is_none());
    assert_eq!(observed.mailboxes[0].account_id, before, "the same account with its mail");
}

#[tokio::test]
async fn every_choice_of_a_row_comes_back() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    let forward = |keep_copy| {
        let targets = vec!["bob@example.org".to_owned(), "carol@example.test".to_owned()];
        Some(Forward { targets, keep_copy })
    };
    for (policy, enabled, quota, name, forward) in [
        (DeletionPolicy::Disable, true, None, None, forward(true)),
        (DeletionPolicy::Retain, false, Some(0), Some("Bob"), forward(false)),
        (DeletionPolicy::Delete, true, Some(u64::from(u32::MAX) * 1000), Some("Böb \"the\" Builder"), None),
    ] {
        let declared = MailboxDeclared {
            display_name: name.map(str::to_owned),
            quota,
            enabled,
            deletion_policy: policy,
            retain_for: 7,
            legal_hold: false,
            send_as: vec![],
            forward,
            ..mailbox("bob@example.test")
        };
        let owner = owner(Kind::Mailbox, "bob");
        let change = Change::PutMailbox { declared: declared.clone().into(), owner, credential: None };
        let operations = vec![operation(Action::Update, "bob@example.test", change)];
        let update = Batch { source_id: SOURCE.into(), operations, ..Default::default() };
        assert_eq!(reasons(&management.apply(update).await.unwrap().outcomes), [None]);
        let observed = management.observe().await.unwrap();
        let bob = observed.mailboxes.iter().find(|row| row.declared.address == "bob@example.test").unwrap();
        assert_eq!(*bob.declared, declared);
        assert_eq!(bob.credential, None);
    }
    for senders in [Senders::Anyone, Senders::Members, Senders::Domain] {
        for enabled in [true, false] {
            let targets = vec!["alice@example.test".to_owned(), "bob@example.test".to_owned()];
            let declared = AliasDeclared { address: "@example.test".into(), targets, senders, enabled };
            let change =
                Change::PutAlias { declared: declared.clone().into(), owner: owner(Kind::Alias, "all") };
            let operations = vec![operation(Action::Update, "@example.test", change)];
            let update = Batch { source_id: SOURCE.into(), operations, ..Default::default() };
            assert_eq!(reasons(&management.apply(update).await.unwrap().outcomes), [None]);
            let observed = management.observe().await.unwrap();
            assert!(observed.aliases.iter().any(|row| *row.declared == declared), "{declared:?}");
        }
    }
}

#[tokio::test]
async fn a_closed_store_is_an_error_and_no_panic() {
    let (management, _directory) = offline().await;
    management.store.close().await;
    assert_eq!(management.observe().await.unwrap_err().code, ErrorCode::Internal);
    assert_eq!(management.apply(batch()).await.unwrap_err().code, ErrorCode::Internal);
    assert_eq!(management.stats().await.unwrap_err().code, ErrorCode::Internal);
    assert_eq!(management.resources().await.unwrap_err().code, ErrorCode::Internal);
    assert_eq!(
        management.set_password("alice@example.test", "x").await.unwrap_err().code,
        ErrorCode::Internal
    );
    assert_eq!(
        management.purge("alice@example.test", true, Utc::now()).await.unwrap_err().code,
        ErrorCode::Internal
    );
}
