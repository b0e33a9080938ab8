//! The management interface in process and over its socket: what a plan applies is what is observed; passwords, purges,
//! resources, sessions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{Duration, Utc};
use mailwright_plan::observed::{
    AliasDeclared, DeletionPolicy, DomainDeclared, DomainLimits, Listener, MailboxDeclared, Owner, Senders,
    ServerDeclared, ServerLimits, SetBy, Tls,
};
use mailwright_plan::operation::{CredentialChange, CredentialSource, FailureReason, Guard, Material};
use mailwright_plan::{Action, Batch, Change, Kind, ObjectRef, Operation, Origin, Outcome, Risk, Verdict};
use mailwright_store::Options;
use serde_json::json;

use super::*;
use crate::tests::{PASSWORD, TestServer};

const SOURCE: &str = "test-source";

fn object(kind: Kind, name: &str) -> ObjectRef {
    ObjectRef { kind, namespace: "mail".into(), name: name.into() }
}

fn owner(kind: Kind, name: &str) -> Owner {
    let origin = Origin::new("mail/all.yaml", 7);
    Owner { managed_by: SOURCE.into(), object: object(kind, name), origin }
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
        enabled: true,
        deletion_policy: DeletionPolicy::Delete,
        retain_for: 3600,
    }
}

fn put_mailbox(address: &str, fingerprint: Option<&str>) -> Operation {
    let credential = fingerprint.map(|fingerprint| CredentialChange {
        fingerprint: fingerprint.into(),
        management: mailwright_plan::observed::Management::Initial,
        source: CredentialSource::PasswordHash,
    });
    let owner = owner(Kind::Mailbox, "alice");
    let change = Change::PutMailbox { declared: mailbox(address), owner, credential };
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
    let put_server = Change::PutServer { declared: server(), owner: owner(Kind::MailServer, "main") };
    let put_domain = Change::PutDomain { declared: domain(), owner: owner(Kind::MailDomain, "example") };
    let put_alias = Change::PutAlias { declared: alias, owner: owner(Kind::Alias, "sales") };
    Batch {
        source_id: SOURCE.into(),
        operations: vec![
            operation(Action::Create, "mail/main", put_server),
            operation(Action::Create, "example.test", put_domain),
            put_mailbox("alice@example.test", Some("fp")),
            operation(Action::Create, "sales@example.test", put_alias),
        ],
        credentials: BTreeMap::from([("fp".into(), Material::Plain(PASSWORD.into()))]),
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
    assert_eq!(observed.servers[0].declared, server());
    assert_eq!(observed.servers[0].owner, Some(owner(Kind::MailServer, "main")));
    assert_eq!(observed.domains[0].declared, domain());
    let alice = &observed.mailboxes[0];
    assert_eq!(alice.declared, mailbox("alice@example.test"));
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
async fn another_sources_rows_are_a_conflict() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    let change = Change::DisableMailbox { address: "alice@example.test".into() };
    let disable = operation(Action::Disable, "alice@example.test", change);
    let mut other = Batch { source_id: "other".into(), operations: vec![disable], ..Default::default() };
    let reply = management.apply(other.clone()).await.unwrap();
    assert_eq!(reasons(&reply.outcomes), [Some(FailureReason::Conflict)]);
    other.operations[0].held = Some(Guard::EmptySource);
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
async fn the_socket_offers_the_same() {
    let server = TestServer::start().await;
    let client = ManagementClient::new(server.directory.path());
    assert!(client.is_running().await);
    let status = client.status().await.unwrap();
    assert_eq!(status.endpoints, server.server.endpoints());
    assert_eq!(client.stats().await.unwrap().mailboxes, 4);
    assert_eq!(client.stats().await.unwrap().disabled_mailboxes, 1);
    let mut session = server.smtp().await;
    let sessions = client.sessions().await.unwrap();
    client.kick(sessions[0].id).await.unwrap();
    assert!(session.rest().await.starts_with("421 "));
    assert_eq!(client.kick(4711).await.unwrap_err().code, ErrorCode::NotFound);
    client.set_password("bob@example.test", "changed").await.unwrap();
    assert_eq!(client.set_password("x@example.test", "y").await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(client.purge("bob@example.test", false).await.unwrap_err().code, ErrorCode::Refused);
    let record = ResourceRecord {
        object: object(Kind::Alias, "x"),
        generation: 1,
        spec: json!({}),
        status: json!({}),
    };
    assert_eq!(client.put_resources(std::slice::from_ref(&record)).await.unwrap(), 1);
    assert_eq!(client.resources().await.unwrap(), std::slice::from_ref(&record));
    assert_eq!(client.delete_resources(&[record.object]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_batch_goes_through_the_socket_whole() {
    let server = TestServer::start().await;
    let client = ManagementClient::new(server.directory.path());
    let mut batch = batch();
    // example.test is there already and belongs to nobody; the batch's rows are of another domain.
    let text = serde_json::to_string(&batch)
        .unwrap()
        .replace("example.test", "other.test")
        .replace("example.org", "other.org");
    batch = serde_json::from_str(&text).unwrap();
    let reply = client.apply(&batch).await.unwrap();
    assert_eq!(reasons(&reply.outcomes), [None; 4], "{reply:?}");
    let observed = server.server.management().observe().await;
    assert!(observed.is_err(), "the test accounts' settings are not a plan's");
}

#[tokio::test]
async fn reconciling_on_request_runs_the_hook() {
    let server = TestServer::start().await;
    let client = ManagementClient::new(server.directory.path());
    assert_eq!(client.reconcile().await.unwrap_err().code, ErrorCode::Refused);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    server.server.management().on_reconcile(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    client.reconcile().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn wrong_requests_are_answered_and_repeat_no_secret() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (management, directory) = offline().await;
    let path = directory.path().join(SOCKET);
    let _socket = socket::serve(&path, routes::router(Arc::new(management), 100)).unwrap();
    for (request, expected) in [
        ("GET /v1/nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), "404"),
        ("GET /v1/sessions/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), "405"),
        (
            "POST /v1/password HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: 24\r\n\r\n{\"password\":\"hunter2222\""
                .to_owned(),
            "400",
        ),
        (
            format!(
                "POST /v1/password HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: 200\r\n\r\n{{\"password\":\"hunter2\",\"{}\":1}}",
                "x".repeat(200)
            ),
            "400",
        ),
    ] {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{request}: {answer}");
        assert!(!answer.contains("hunter"), "{answer}");
    }
}
