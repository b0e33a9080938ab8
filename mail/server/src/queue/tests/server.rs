//! The queue in a whole server: from a user's submission to the next host, back into the user's mailbox, over a restart,
//! and in the hands of its administrator.

use base64::Engine as _;

use super::{Behaviour, Peer};
use crate::config::{Protocol, Relay, RelayTls, ServerConfig};
use crate::management::{ErrorCode, ManagementClient, QueueFilter, QueueState};
use crate::tests::{Client, HOSTNAME, PASSWORD, TestServer, start};

fn towards(port: u16) -> impl FnOnce(&mut ServerConfig) {
    move |config| {
        let host = "127.0.0.1".to_owned();
        config.relay = Some(Relay { host, port, tls: RelayTls::Opportunistic, credentials: None });
    }
}

/// Alice submits a message; answers the last reply.
async fn submit(server: &TestServer, to: &str) -> String {
    let address = server.address(Protocol::Submissions);
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut client = Client::tls(stream, &server.certificate, HOSTNAME).await.unwrap();
    client.expect("220 ").await;
    client.ehlo().await;
    let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0alice@example.test\0{PASSWORD}"));
    let reply = client.reply(&format!("AUTH PLAIN {plain}")).await;
    assert!(reply.starts_with("235 "), "{reply}");
    client.reply("MAIL FROM:<alice@example.test>").await;
    let reply = client.reply(&format!("RCPT TO:<{to}>")).await;
    assert!(reply.starts_with("250 "), "{reply}");
    client.reply("DATA").await;
    client.reply("From: alice@example.test\r\nSubject: hello\r\n\r\nbody\r\n.").await
}

#[tokio::test]
async fn what_is_submitted_leaves_and_is_logged_as_sent() {
    let peer = Peer::start(Behaviour { tls: "good", ..Behaviour::default() }).await;
    let server = TestServer::start_with(towards(peer.address.port())).await;
    let reply = submit(&server, "bob@example.net").await;
    assert!(reply.starts_with("250 "), "{reply}");
    crate::tests::eventually("it leaves", || peer.seen().messages.len() == 1).await;
    let seen = peer.seen();
    let message = &seen.messages[0];
    assert!(message.contains("Subject: hello") && message.contains("Message-ID: <"), "{message}");
    assert!(!message.contains("Return-Path:"), "RFC 5321 §4.4: a relay writes none\n{message}");
    assert!(seen.encrypted);
    assert!(crate::metrics::render().contains("mailwright_queue_attempts_total{outcome=\"sent\"}"));
}

#[tokio::test]
async fn a_report_is_read_by_imap() {
    let peer =
        Peer::start(Behaviour { at: "rcpt", instead: "550 5.1.1 nobody", ..Behaviour::default() }).await;
    let server = TestServer::start_with(towards(peer.address.port())).await;
    submit(&server, "bob@example.net").await;
    for _ in 0..500 {
        let mut imap = server.imap("alice@example.test").await;
        let selected = imap.command("SELECT INBOX").await.ok().join("\n");
        if selected.contains("* 1 EXISTS") {
            let fetched = imap.command("FETCH 1 BODY[]").await.ok().join("\n");
            assert!(fetched.contains("Action: failed") && fetched.contains("550 5.1.1 nobody"), "{fetched}");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no report came");
}

#[tokio::test]
async fn the_queue_survives_a_restart_and_flush_does_not_wait() {
    let down =
        Peer::start(Behaviour { at: "mail", instead: "451 4.3.0 later", ..Behaviour::default() }).await;
    let server = TestServer::start_with(towards(down.address.port())).await;
    submit(&server, "bob@example.net").await;
    crate::tests::eventually("a first attempt", || {
        down.seen().commands.iter().any(|c| c.starts_with("MAIL"))
    })
    .await;
    let TestServer { server, store, directory, mut config, .. } = server;
    server.shutdown(std::time::Duration::from_secs(5)).await;
    assert_eq!(store.queue().stats().await.unwrap().deferred, 1);
    let up = Peer::start(Behaviour::default()).await;
    towards(up.address.port())(&mut config);
    let _server = start(&config, &store, directory.path()).await;
    let client = ManagementClient::new(directory.path());
    assert_eq!(client.queue_flush(&QueueFilter::default()).await.unwrap().recipients, 1);
    crate::tests::eventually("it leaves", || up.seen().messages.len() == 1).await;
}

#[tokio::test]
async fn an_administrator_looks_holds_releases_and_deletes() {
    let peer =
        Peer::start(Behaviour { at: "mail", instead: "451 4.3.0 later", ..Behaviour::default() }).await;
    let server = TestServer::start_with(towards(peer.address.port())).await;
    submit(&server, "bob@example.net").await;
    submit(&server, "carol@example.com").await;
    let client = ManagementClient::new(server.directory.path());
    let all = QueueFilter::default();
    let mut listing = client.queue_list(&all).await.unwrap();
    for _ in 0..500 {
        let deferred = |entry: &crate::management::QueueEntry| {
            entry.recipients.iter().all(|recipient| recipient.state == QueueState::Deferred)
        };
        if listing.messages.len() == 2 && listing.messages.iter().all(deferred) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        listing = client.queue_list(&all).await.unwrap();
    }
    assert_eq!((listing.messages.len(), listing.totals.messages, listing.totals.deferred), (2, 2, 2));
    let first = &listing.messages[0];
    assert_eq!((first.sender.as_str(), first.recipients.len()), ("alice@example.test", 1));
    assert_eq!(first.recipients[0].last_reply.as_deref(), Some("451 4.3.0 later"));
    let shown = client.queue_show(&first.id).await.unwrap();
    assert!(shown.header.contains("Subject: hello"), "{}", shown.header);
    assert_eq!(client.queue_show("nothing").await.unwrap_err().code, ErrorCode::NotFound);

    let bob = QueueFilter { recipient: Some("bob@example.net".into()), ..all.clone() };
    assert_eq!(client.queue_hold(&bob).await.unwrap().recipients, 1);
    let held = QueueFilter { state: Some(QueueState::Held), ..all.clone() };
    assert_eq!(client.queue_list(&held).await.unwrap().messages.len(), 1);
    let domain = QueueFilter { domain: Some("example.com".into()), ..all.clone() };
    assert_eq!(client.queue_delete(&domain).await.unwrap().recipients, 1);
    let unknown = QueueFilter { ids: vec!["nothing".into()], ..all.clone() };
    assert_eq!(client.queue_delete(&unknown).await.unwrap().recipients, 0, "never the whole queue");
    assert_eq!(client.queue_release(&all).await.unwrap().recipients, 1);
    assert_eq!(client.queue_list(&all).await.unwrap().messages.len(), 1);
}
