//! The management interface over its Unix socket.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::*;
use crate::tests::TestServer;

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
        created: DateTime::UNIX_EPOCH,
        spec: json!({}),
        status: json!({}),
    };
    assert_eq!(client.put_resources(std::slice::from_ref(&record)).await.unwrap(), 1);
    let mut kept = client.resources().await.unwrap();
    assert!(kept[0].created > record.created, "the store knows when it was first declared");
    kept[0].created = record.created;
    assert_eq!(kept, std::slice::from_ref(&record));
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
    let (management, directory) = offline().await;
    let path = directory.path().join(SOCKET);
    let _socket = crate::management::socket::serve(&path, routes::router(Arc::new(management), 100)).unwrap();
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
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{request}: {answer}");
        assert!(!answer.contains("hunter"), "{answer}");
    }
}

#[tokio::test]
async fn answers_that_are_not_ours_are_errors() {
    for (answer, code, part) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n[1,2]", ErrorCode::Internal, "one version"),
        ("HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\noops", ErrorCode::Internal, "status 500"),
        (
            "HTTP/1.1 409 X\r\ncontent-length: 33\r\n\r\n{\"code\":\"refused\",\"message\":\"no\"}",
            ErrorCode::Refused,
            "no",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{}", ErrorCode::Unreachable, "cut off"),
        ("", ErrorCode::Unreachable, "cut off"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let error = ManagementClient::new(directory.path()).stats().await.unwrap_err();
        assert_eq!(error.code, code, "{answer:?}: {error}");
        assert!(error.message.contains(part), "{answer:?}: {error}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_large_batch_goes_through_whole() {
    let server = TestServer::start().await;
    let client = ManagementClient::new(server.directory.path());
    let mut batch = Batch { source_id: SOURCE.into(), ..Default::default() };
    for number in 0..2000 {
        batch.operations.push(put_mailbox(&format!("user{number}@example.test"), None));
    }
    let reply = client.apply(&batch).await.unwrap();
    assert!(reasons(&reply.outcomes).iter().all(Option::is_none));
    assert_eq!(client.stats().await.unwrap().mailboxes, 2004);
    let again = client.apply(&batch).await.unwrap();
    assert_eq!(again.change_counter, reply.change_counter, "applied twice writes nothing");
}

#[tokio::test]
async fn a_removed_mailbox_is_purged_over_the_socket() {
    let server = TestServer::start().await;
    server.deliver("carol@example.test", "Subject: kept\r\n\r\nx").await;
    let client = ManagementClient::new(server.directory.path());
    let removal = mailwright_store::Target { name: "carol@example.test".into(), managed_by: None };
    crate::tests::apply(&server.store, vec![mailwright_store::Change::DisableMailbox(removal)]).await;
    let refused = client.purge("carol@example.test", false).await.unwrap_err();
    assert!(refused.message.contains("--force"), "{refused}");
    let purged = client.purge("Carol@Example.Test", true).await.unwrap();
    assert!(purged.bytes > 0 && purged.address == "carol@example.test", "{purged:?}");
    assert_eq!(server.store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_password_set_over_the_socket_logs_in_at_once() {
    let server = TestServer::start().await;
    let client = ManagementClient::new(server.directory.path());
    client.set_password("alice@example.test", "her own").await.unwrap();
    let mut imap = server.connect_tls().await;
    imap.expect("* OK").await;
    imap.command(&format!("LOGIN alice@example.test {PASSWORD}")).await.no();
    imap.command("LOGIN alice@example.test \"her own\"").await.ok();
}

#[tokio::test]
async fn two_clients_at_once_do_not_disturb_each_other() {
    let server = TestServer::start().await;
    let client = ManagementClient::new(server.directory.path());
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move {
                let operations = vec![put_mailbox(&format!("u{number}@example.test"), None)];
                let batch = Batch { source_id: SOURCE.into(), operations, ..Default::default() };
                reasons(&client.apply(&batch).await.unwrap().outcomes)
            })
        })
        .collect();
    for writer in writers {
        assert_eq!(writer.await.unwrap(), [None]);
    }
    assert_eq!(client.stats().await.unwrap().mailboxes, 12);
}
