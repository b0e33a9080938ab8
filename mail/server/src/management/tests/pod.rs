//! What an operator in another process asks and tells: identity, changes since, health, and what is served with.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailwright_plan::Fence;
use serde_json::Value;

use super::*;
use crate::tests::TestServer;

fn fence(term: u64) -> Option<Fence> {
    Some(Fence { term, database: None })
}

/// What is pushed, under a fence or none.
fn pushed(term: Option<u64>, policy: &str) -> Value {
    let mut body = json!({
        "dkim": {"example.test": [{"selector": "s1", "algorithm": "Ed25519", "privatePem": "hush"}]},
        "mtaSts": {"example.test": policy},
        "relayLogin": {"host": "smtp.example.org", "secret": "mail/relay", "username": "mail", "password": "hush2"},
    });
    if let Some(term) = term {
        body["fence"] = json!({"term": term});
    }
    body
}

#[tokio::test]
async fn batches_are_fenced_and_say_how() {
    let (management, _directory) = offline().await;
    let here = management.identity().await.unwrap().database;
    let other = Some(Fence { term: 9, database: Some("another".into()) });
    for (fence, expected) in [
        (None, None),
        (fence(3), None),
        (fence(2), Some(ErrorCode::Fenced)),
        (other, Some(ErrorCode::WrongDatabase)),
        (Some(Fence { term: 3, database: Some(here) }), None),
    ] {
        let batch = Batch { fence: fence.clone(), ..batch() };
        let before = management.observe().await.unwrap();
        let answer = management.apply(batch).await;
        assert_eq!(answer.err().map(|error| error.code), expected, "{fence:?}");
        if expected.is_some() {
            assert_eq!(management.observe().await.unwrap(), before);
        }
    }
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let server = TestServer::start().await;
    let client = ManagementClient::new(server.directory.path());
    let stats = client.stats().await.unwrap();
    assert_eq!(client.observe_since(stats.change_counter).await.unwrap(), None);
    let changed = client.observe_since(stats.change_counter + 1).await;
    assert_eq!(
        changed.unwrap_err().code,
        ErrorCode::Internal,
        "the test accounts' settings are not a plan's"
    );
    let (management, _directory) = offline().await;
    let reply = management.apply(batch()).await.unwrap();
    assert_eq!(management.observe_since(Some(reply.change_counter)).await.unwrap(), None);
    let observed = management.observe().await.unwrap();
    for counter in [None, Some(0), Some(reply.change_counter + 1)] {
        assert_eq!(management.observe_since(counter).await.unwrap(), Some(observed.clone()), "{counter:?}");
    }
}

#[tokio::test]
async fn what_is_pushed_is_kept_for_the_server_alone() {
    let (management, directory) = offline().await;
    assert_eq!(read_pushed(directory.path()).unwrap(), None);
    let refused = management.put_serving(pushed(None, "a")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Refused, "nobody would put it in force");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    management.on_pushed(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let path = directory.path().join("pushed.json");
    for (term, policy, expected, told) in [
        (Some(4), "a", None, 1),
        (Some(4), "a", None, 1),
        (Some(5), "a", None, 1),
        (Some(4), "b", Some(ErrorCode::Fenced), 1),
        (Some(5), "b", None, 2),
        (None, "b", None, 2),
        (None, "c", None, 3),
    ] {
        let answer = management.put_serving(pushed(term, policy)).await;
        assert_eq!(answer.err().map(|error| error.code), expected, "{term:?} {policy}");
        assert_eq!(calls.load(Ordering::SeqCst), told, "{term:?} {policy}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let kept = read_pushed(directory.path()).unwrap().unwrap();
    assert_eq!((kept.fence.as_ref(), kept.mta_sts["example.test"].as_str()), (None, "c"));
    assert_eq!(kept.dkim["example.test"][0].algorithm, PushedAlgorithm::Ed25519);
    assert!(!format!("{kept:?}").contains("hush"), "{kept:?}");
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes, serde_json::to_vec(&pushed(None, "c")).unwrap(), "digests are of what was sent");
}

#[tokio::test]
async fn a_push_that_is_not_one_repeats_no_secret() {
    let (management, directory) = offline().await;
    management.on_pushed(|| {});
    for body in [
        json!({"dkim": {"example.test": [{"selector": "s1", "algorithm": "DSA", "privatePem": "hush"}]}}),
        json!({"relayLogin": {"password": "hush"}}),
        json!(["hush"]),
        json!({"fence": {"term": "hush"}}),
    ] {
        let error = management.put_serving(body.clone()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Invalid, "{body}");
        assert!(!error.message.contains("hush"), "{error}");
    }
    assert!(!directory.path().join("pushed.json").exists());
    std::fs::write(directory.path().join("pushed.json"), "{\"dkim\": \"hush\"}").unwrap();
    let error = read_pushed(directory.path()).unwrap_err().to_string();
    assert!(error.contains("damaged") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn health_says_how_the_server_is() {
    let server = TestServer::start().await;
    let client = ManagementClient::new(server.directory.path());
    let management = server.server.management();
    management.on_pushed(|| {});
    let health = client.health().await.unwrap();
    assert_eq!(health.endpoints, server.server.endpoints());
    assert_eq!((health.draining, health.storage_full, health.queued), (false, false, 0));
    assert_eq!((health.pushed_digest, health.config_digest, health.listener_error), (None, None, None));
    let certificate = health.certificate.unwrap();
    assert_eq!(certificate.fingerprint.len(), 64);
    assert!(certificate.not_after > Utc::now() && health.free_bytes > Some(0));
    assert_eq!(health.change_counter, Some(client.stats().await.unwrap().change_counter));
    management.note(Facts {
        config_digest: Some("d".into()),
        config_error: Some("line 3".into()),
        ..Default::default()
    });
    client.put_serving(&pushed(Some(1), "a")).await.unwrap();
    let health = client.health().await.unwrap();
    assert_eq!(
        (health.config_digest.as_deref(), health.config_error.as_deref()),
        (Some("d"), Some("line 3"))
    );
    let digest = blake3::hash(&serde_json::to_vec(&pushed(None, "a")).unwrap()).to_hex().to_string();
    assert_eq!(health.pushed_digest, Some(digest));
    let (offline, _directory) = offline().await;
    assert_eq!(offline.health().await.unwrap_err().code, ErrorCode::Refused);
}
