//! Submission, relaying and LMTP on real sockets.

use tokio::net::{TcpStream, UnixStream};

use super::*;
use crate::server::LMTP_SOCKET;
use crate::tests::{Client, HOSTNAME, PASSWORD};

/// Base64 of a PLAIN message.
fn plain(user: &str, password: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(format!("\0{user}\0{password}"))
}

/// A session over TLS that said EHLO and logged in.
async fn logged_in(server: &TestServer, user: &str) -> Client {
    let stream = TcpStream::connect(server.address(Protocol::Submissions)).await.unwrap();
    let mut client = Client::tls(stream, &server.certificate, HOSTNAME).await.unwrap();
    client.expect("220 ").await;
    assert!(client.ehlo().await.contains("AUTH SCRAM-SHA-256"));
    let reply = client.reply(&format!("AUTH PLAIN {}", plain(user, PASSWORD))).await;
    assert!(reply.starts_with("235 2.7.0"), "{reply}");
    client
}

/// Sends a message; the replies to MAIL, to each RCPT, and to the message if it came so far.
async fn send(client: &mut Client, from: &str, to: &[&str], message: &str) -> Vec<String> {
    let mut replies = vec![client.reply(&format!("MAIL FROM:<{from}>")).await];
    for to in to {
        replies.push(client.reply(&format!("RCPT TO:<{to}>")).await);
    }
    if replies.iter().skip(1).any(|reply| reply.starts_with("250")) {
        client.reply("DATA").await;
        replies.push(client.reply(&format!("{message}\r\n.")).await);
    } else {
        client.reply("RSET").await;
    }
    replies
}

/// The queued recipients with the text of their message.
async fn queued(server: &TestServer) -> Vec<(String, String)> {
    let queue = server.store.queue();
    let mut found = Vec::new();
    for entry in queue.list(&Default::default()).await.unwrap() {
        let raw = queue.raw(entry.message.id).await.unwrap().unwrap();
        let text = String::from_utf8(raw.to_vec()).unwrap();
        found.extend(entry.recipients.into_iter().map(|to| (to.address, text.clone())));
    }
    found
}

/// A server whose queue sends nothing: nobody can resolve anything there.
async fn start(change: impl FnOnce(&mut crate::ServerConfig)) -> TestServer {
    TestServer::start_with(|config| {
        config.dns.resolvers = vec!["127.0.0.1:1".parse().unwrap()];
        change(config);
    })
    .await
}

#[tokio::test]
async fn our_users_send_to_everybody() {
    let server = start(|_| {}).await;
    let mut client = logged_in(&server, "alice@example.test").await;
    let message = "From: alice@example.test\r\nBcc: x@there.test\r\nSubject: hello\r\n\r\ntext";
    let replies =
        send(&mut client, "alice@example.test", &["bob@example.test", "x@there.test"], message).await;
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    assert_eq!(messages(&server, "bob").await, 1);
    let queued = queued(&server).await;
    let [(to, text)] = &queued[..] else { panic!("{queued:?}") };
    assert_eq!(to, "x@there.test");
    assert!(
        text.starts_with("Received: from client.example.net") && text.contains(" with ESMTPSA id "),
        "{text}"
    );
    for field in ["\r\nDate: ", "\r\nMessage-ID: <"] {
        assert!(text.contains(field), "{text}");
    }
    assert!(!text.contains("Bcc") && !text.contains("Return-Path"), "{text}");
}

#[tokio::test]
async fn senders_must_be_theirs() {
    let server = start(|_| {}).await;
    let mut client = logged_in(&server, "alice@example.test").await;
    let from = |author: &str| format!("From: {author}\r\nSubject: x\r\n\r\nx");
    let to = &["bob@example.test"][..];
    for (sender, author, expected) in [
        ("bob@example.test", "bob@example.test", "553 5.7.1"),
        ("x@elsewhere.test", "x@elsewhere.test", "553 5.7.1"),
        ("alice@example.test", "bob@example.test", "550 5.7.1"),
        ("alice@example.test", "alice@example.test, bob@example.test", "550 5.7.1"),
        ("alice@example.test", "alice@example.test", "250 2.0.0"),
        ("alice+tag@example.test", "Alice <ALICE@example.test>", "250 2.0.0"),
        // An alias of hers, and the domain's other name.
        ("team@example.test", "team@example.test", "250 2.0.0"),
        ("alice@example.org", "alice@example.org", "250 2.0.0"),
        ("", "alice@example.test", "250 2.0.0"),
    ] {
        let replies = send(&mut client, sender, to, &from(author)).await;
        let first = replies.iter().find(|reply| !reply.starts_with("250 2.1")).unwrap();
        assert!(first.starts_with(expected), "{sender} {author}: {replies:?}");
    }
}

#[tokio::test]
async fn nothing_without_a_login_and_no_login_without_tls() {
    let server = start(|_| {}).await;
    let mut client = server.connect(Protocol::Submission).await;
    client.expect("220 ").await;
    let offered = client.ehlo().await;
    assert!(offered.contains("STARTTLS") && !offered.contains("AUTH"), "{offered}");
    let login = format!("AUTH PLAIN {}", plain("alice@example.test", PASSWORD));
    assert!(client.reply(&login).await.starts_with("538 5.7.11"));
    assert!(client.reply("MAIL FROM:<alice@example.test>").await.starts_with("530 5.7.0"));
    client.reply("STARTTLS").await;
    let mut client = client.upgrade(&server.certificate).await;
    assert!(client.ehlo().await.contains("AUTH"));
    assert!(client.reply("MAIL FROM:<alice@example.test>").await.starts_with("530 5.7.0"));
    let wrong = format!("AUTH PLAIN {}", plain("alice@example.test", "wrong"));
    for _ in 0..2 {
        assert!(client.reply(&wrong).await.starts_with("535 5.7.8"));
    }
    let unknown = format!("AUTH PLAIN {}", plain("nobody@example.test", "wrong"));
    assert!(client.reply(&unknown).await.starts_with("535 5.7.8"));
    client.expect("421 4.7.0").await;
    let disabled = format!("AUTH PLAIN {}", plain("mallory@example.test", PASSWORD));
    let stream = TcpStream::connect(server.address(Protocol::Submissions)).await.unwrap();
    let mut client = Client::tls(stream, &server.certificate, HOSTNAME).await.unwrap();
    client.expect("220 ").await;
    client.ehlo().await;
    let reply = client.reply(&disabled).await;
    assert!(reply.starts_with("525 5.7.13") || reply.starts_with("535 5.7.8"), "{reply}");
}

#[tokio::test]
async fn loopback_may_do_without_tls_only_where_that_is_said() {
    let server = start(|config| config.plaintext_on_loopback = true).await;
    let mut client = server.connect(Protocol::Submission).await;
    client.expect("220 ").await;
    let offered = client.ehlo().await;
    assert!(offered.contains("AUTH SCRAM-SHA-256 PLAIN") && !offered.contains("PLUS"), "{offered}");
    let login = format!("AUTH PLAIN {}", plain("alice@example.test", PASSWORD));
    assert!(client.reply(&login).await.starts_with("235 2.7.0"));
}

/// Not a relay: only trusted networks are, and loopback is none by itself.
#[tokio::test]
async fn relaying_needs_trust() {
    let to = &["x@there.test"][..];
    let message = "From: printer@elsewhere.test\r\n\r\nx";
    for (networks, expected) in
        [(&[][..], "550 5.7.1"), (&["192.0.2.0/24"], "550 5.7.1"), (&["127.0.0.0/8"], "250 2.1.5")]
    {
        let trusted: Vec<ipnet::IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
        let server = start(|config| config.trusted_networks = trusted).await;
        let mut client = server.smtp().await;
        let replies = send(&mut client, "printer@elsewhere.test", to, message).await;
        assert!(replies[1].starts_with(expected), "{networks:?}: {replies:?}");
        let count = usize::from(expected.starts_with("250"));
        assert_eq!(queued(&server).await.len(), count, "{networks:?}");
    }
}

#[tokio::test]
async fn aliases_lead_to_other_hosts_by_the_queue() {
    let server = start(|_| {}).await;
    let targets = ["alice@example.test", "x@there.test"];
    apply(&server.store, vec![alias("out@example.test", &targets, mailwright_store::Senders::Anyone)]).await;
    let reply = server.deliver("out@example.test", "Subject: x\r\n\r\nx").await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(messages(&server, "alice").await, 1);
    let queued = queued(&server).await;
    let [(to, text)] = &queued[..] else { panic!("{queued:?}") };
    assert_eq!(to, "x@there.test");
    assert!(text.starts_with("Delivered-To: out@example.test\r\nReceived: "), "{text}");
}

/// A full member of an alias does not keep the message from the others, nor from itself.
#[tokio::test]
async fn full_members_wait() {
    let server = start(|_| {}).await;
    let targets = ["alice@example.test", "eve@example.test"];
    let crowd = alias("crowd@example.test", &targets, mailwright_store::Senders::Anyone);
    apply(&server.store, vec![mailbox("eve@example.test", Some(10), true), crowd]).await;
    let reply = server.deliver("crowd@example.test", "Subject: x\r\n\r\nx").await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(messages(&server, "alice").await, 1);
    assert_eq!(queued(&server).await[0].0, "eve@example.test");
}

/// RFC 2033 §4.2: one full mailbox does not refuse the others, and its client keeps its copy.
#[tokio::test]
async fn lmtp_answers_for_each() {
    let server = start(|config| config.listeners.lmtp = Some(0)).await;
    apply(&server.store, vec![mailbox("eve@example.test", Some(1000), true)]).await;
    let socket = server.directory.path().join(LMTP_SOCKET);
    let tcp = Client::plain(TcpStream::connect(server.address(Protocol::Lmtp)).await.unwrap());
    let local = Client::wire(UnixStream::connect(&socket).await.unwrap());
    for (mut client, eve) in [(tcp, "250 2.1.5"), (local, "452 4.2.2")] {
        client.expect("220 mail.example.test LMTP").await;
        client.send("LHLO front.example.test\r\n").await;
        while !client.line().await.unwrap().starts_with("250 ") {}
        assert!(client.reply("EHLO x").await.starts_with("500 "));
        client.reply("MAIL FROM:<sender@example.net>").await;
        // What did not fit is known at the second attempt.
        for (to, expected) in [("alice", "250 2.1.5"), ("eve", eve), ("bob", "250 2.1.5")] {
            let reply = client.reply(&format!("RCPT TO:<{to}@example.test>")).await;
            assert!(reply.starts_with(expected), "{to}: {reply}");
        }
        assert!(client.reply("RCPT TO:<x@there.test>").await.starts_with("550 5.7.1"), "no relay");
        client.reply("DATA").await;
        let first = client.reply(&format!("Subject: big\r\n\r\n{}\r\n.", "x".repeat(2000))).await;
        assert!(first.starts_with("250 2.1.5"), "{first}");
        if eve.starts_with("250") {
            client.expect("452 4.2.2").await;
        }
        client.expect("250 2.1.5").await;
    }
    assert_eq!((messages(&server, "alice").await, messages(&server, "bob").await), (2, 2));
    assert!(queued(&server).await.is_empty());
}
