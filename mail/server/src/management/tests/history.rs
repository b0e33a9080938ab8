//! The history through the management interface: what is told of a batch, passwords, purges and approvals, and what is not.

use std::sync::{Arc, Mutex};

use mailwright_plan::approval::{Given, Via};
use mailwright_plan::history::{Before, Query, Record};
use mailwright_plan::{Batch, Change, FieldChange, Provenance};

use super::*;
use crate::tests::TestServer;

fn provenance() -> Provenance {
    Provenance {
        revision: "main@sha1:1a2b".into(),
        commit: Some("1a2b".into()),
        author: Some("alice <alice@example.test>".into()),
        signer: Some("alice@example.test SHA256:abc".into()),
        committed_at: DateTime::from_timestamp(1_800_000_000, 0),
        digest: "0123456789abcdef".repeat(4),
        approved: Some(Given {
            digest: "0123456789abcdef".into(),
            by: Some("bob".into()),
            via: Via::Trailer { commit: "3c4d".into() },
        }),
        actor: "up".into(),
    }
}

async fn all(management: &Management) -> Vec<Record> {
    management.history(&Query::default()).await.unwrap()
}

fn brief(records: &[Record]) -> Vec<String> {
    let line = |record: &Record| format!("{} {} {}", record.actor, record.action, record.key);
    records.iter().map(line).collect()
}

#[tokio::test]
async fn a_batch_is_told_with_where_it_comes_from() {
    let (management, _directory) = offline().await;
    let batch = Batch { provenance: Some(provenance()), ..batch() };
    management.apply(batch.clone()).await.unwrap();
    management.apply(batch).await.unwrap();
    let records = all(&management).await;
    assert_eq!(
        brief(&records),
        [
            "up approve 0123456789abcdef",
            "up create sales@example.test",
            "up create alice@example.test",
            "up create example.test",
            "up create mail/main",
        ]
    );
    let alice = &records[2];
    assert_eq!((alice.commit.as_deref(), alice.revision.as_str()), (Some("1a2b"), "main@sha1:1a2b"));
    assert_eq!(alice.signer.as_deref(), Some("alice@example.test SHA256:abc"));
    assert_eq!(alice.approved.as_deref(), Some("trailer of commit 3c4d by bob"));
    assert_eq!(alice.object, Some(put_mailbox("alice@example.test", None).object));
    assert_eq!((&alice.before, alice.source.as_str()), (&None, SOURCE));
    let wire = serde_json::to_string(&records).unwrap();
    assert!(!wire.contains(PASSWORD) && !wire.contains("$argon2"), "{wire}");
}

#[tokio::test]
async fn the_row_before_is_told_as_planners_know_it() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    let before = management.observe().await.unwrap();
    let mut disable = put_mailbox("alice@example.test", None);
    disable.action = Action::Disable;
    disable.change = Change::DisableMailbox { address: "alice@example.test".into() };
    disable.changes = vec![FieldChange { field: "spec.enabled".into(), from: Some("true".into()), to: None }];
    let removal = Batch { source_id: SOURCE.into(), operations: vec![disable.clone()], ..Default::default() };
    management.apply(removal).await.unwrap();
    let records = management
        .history(&Query { key: Some("Alice@example.test".into()), limit: 1, ..Query::default() })
        .await
        .unwrap();
    assert_eq!(brief(&records), ["operator disable alice@example.test"], "an earlier writer says no more");
    assert_eq!(records[0].changes, disable.changes);
    let row = before.mailboxes.iter().find(|row| row.declared.address == "alice@example.test").unwrap();
    let was = Before::Mailbox { declared: row.declared.clone(), owner: row.owner.clone(), removed_at: None };
    assert_eq!(records[0].before, Some(was));
}

#[tokio::test]
async fn passwords_and_purges_are_told() {
    let (management, _directory) = offline().await;
    management.apply(batch()).await.unwrap();
    management.set_password("alice@example.test", "her own").await.unwrap();
    let disable = operation(
        Action::Disable,
        "alice@example.test",
        Change::DisableMailbox { address: "alice@example.test".into() },
    );
    let removal = Batch { source_id: SOURCE.into(), operations: vec![disable], ..Default::default() };
    management.apply(removal).await.unwrap();
    management.purge("alice@example.test", true, Utc::now()).await.unwrap();
    let records = all(&management).await;
    assert_eq!(
        brief(&records)[..3],
        [
            "purge delete alice@example.test",
            "operator disable alice@example.test",
            "passwd password alice@example.test"
        ]
    );
    assert_eq!(records[0].risk, "data");
    assert!(!serde_json::to_string(&records).unwrap().contains("her own"));
}

#[tokio::test]
async fn an_approval_is_noted_and_handed_on() {
    let (management, _directory) = offline().await;
    let refused = management.approve("0123456789abcdef", None).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Refused, "nothing is followed here: {refused}");
    let taken: Arc<Mutex<Vec<Given>>> = Arc::default();
    let list = Arc::clone(&taken);
    management.on_approve(move |given| list.lock().unwrap().push(given));
    for digest in ["0123456789abcde", "", "not a digest at all"] {
        let error = management.approve(digest, None).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Invalid, "{digest}: {error}");
    }
    for (digest, by) in [("0123456789ABCDEF", "uid 1000"), ("fedcba98765432100", "uid 7\n")] {
        management.approve(digest, Some(by.into())).await.unwrap();
    }
    let taken: Vec<String> =
        taken.lock().unwrap().iter().map(|given| format!("{} {given}", given.digest)).collect();
    assert_eq!(
        taken,
        ["0123456789abcdef mailwright approve by uid 1000", "fedcba98765432100 mailwright approve by uid 7"]
    );
    let records = all(&management).await;
    assert_eq!(brief(&records), ["approve approve fedcba9876543210", "approve approve 0123456789abcdef"]);
    assert_eq!(records[1].approved.as_deref(), Some("mailwright approve by uid 1000"));
    assert_eq!((records[1].kind, &records[1].object), (None, &None));
}

#[tokio::test]
async fn the_socket_tells_it_and_takes_approvals() {
    let server = TestServer::start().await;
    let client = ManagementClient::new(server.directory.path());
    let operations = vec![put_mailbox("yan@example.test", None), put_mailbox("zoe@example.test", None)];
    let provenance = Some(Provenance { approved: None, ..provenance() });
    let batch = Batch { source_id: SOURCE.into(), operations, provenance, ..Batch::default() };
    client.apply(&batch).await.unwrap();
    let query = Query { revision: Some("1a2b".into()), limit: 1, ..Query::default() };
    let page = client.history(&query).await.unwrap();
    assert_eq!(brief(&page), ["up create zoe@example.test"]);
    let next = Query { below: page.last().map(|record| record.id), ..query };
    assert_eq!(brief(&client.history(&next).await.unwrap()), ["up create yan@example.test"]);
    assert_eq!(client.approve("0123456789abcdef", None).await.unwrap_err().code, ErrorCode::Refused);
    server.server.management().on_approve(|_| {});
    client.approve("0123456789abcdef", Some("uid 0".into())).await.unwrap();
    assert_eq!(client.approve("0123", None).await.unwrap_err().code, ErrorCode::Invalid);
}
