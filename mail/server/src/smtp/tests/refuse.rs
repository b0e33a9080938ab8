//! What is refused, and that refusing harms nobody else: limits, full disks, failing databases, nonsense, stalled peers.

use std::time::Duration;

use mailwright_store as store;
use proptest::prelude::*;
use tokio::net::TcpStream;

use crate::config::Protocol;
use crate::tests::{Client, TestServer, alias, apply, domain, eventually, mailbox};

#[tokio::test]
async fn aliases_take_mail_from_whom_they_are_told_to() {
    let server = TestServer::start().await;
    let targets = ["alice@example.test", "bob@example.test"];
    apply(&server.store, vec![alias("members@example.test", &targets, store::Senders::Members)]).await;
    for (sender, recipient, expected) in [
        ("alice@example.test", "members@example.test", "250 "),
        ("ALICE@Example.Test", "members@example.test", "250 "),
        ("carol@example.test", "members@example.test", "550 5.7.2"),
        ("sender@example.net", "members@example.test", "550 5.7.2"),
        ("", "members@example.test", "550 5.7.2"),
        ("carol@example.test", "staff@example.test", "250 "),
        ("carol@example.org", "staff@example.test", "250 "),
        ("sender@example.net", "staff@example.test", "550 5.7.2"),
    ] {
        let mut client = server.smtp().await;
        client.reply(&format!("MAIL FROM:<{sender}>")).await;
        let reply = client.reply(&format!("RCPT TO:<{recipient}>")).await;
        assert!(reply.starts_with(expected), "{sender} to {recipient}: {reply}");
    }
}

#[tokio::test]
async fn a_catch_all_takes_what_nobody_has() {
    let server = TestServer::start().await;
    let mut row = domain("caught.test", vec![], false);
    row.catch_all = Some("alice@example.test".into());
    apply(&server.store, vec![store::Change::PutDomain(row), mailbox("bob@caught.test", None, false)]).await;
    assert!(server.deliver("whoever@caught.test", "Subject: caught\r\n\r\nx").await.starts_with("250 "));
    let mut client = server.smtp().await;
    client.reply("MAIL FROM:<sender@example.net>").await;
    let reply = client.reply("RCPT TO:<bob@caught.test>").await;
    assert!(reply.starts_with("550 5.2.1"), "an address that exists is not caught: {reply}");
}

#[tokio::test]
async fn too_many_recipients_are_refused_one_by_one() {
    let server = TestServer::start_with(|config| config.limits.recipients_per_message = 2).await;
    let mut client = server.smtp().await;
    client.reply("MAIL FROM:<sender@example.net>").await;
    for (recipient, expected) in [("alice", "250 "), ("bob", "250 "), ("carol", "452 4.5.3")] {
        let reply = client.reply(&format!("RCPT TO:<{recipient}@example.test>")).await;
        assert!(reply.starts_with(expected), "{recipient}: {reply}");
    }
    client.reply("DATA").await;
    assert!(client.reply("Subject: two\r\n\r\nx\r\n.").await.starts_with("250 "), "the others get it");
}

#[tokio::test]
async fn guessing_addresses_ends_the_session() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    client.reply("MAIL FROM:<sender@example.net>").await;
    let limit = mailwright_smtp::Limits::REFUSED_RECIPIENTS;
    let mut last = String::new();
    for number in 0..=limit {
        last = client.reply(&format!("RCPT TO:<guess{number}@example.test>")).await;
        if last.starts_with("421") {
            break;
        }
    }
    assert!(last.starts_with("421 ") || client.rest().await.starts_with("421 "), "{last}");
}

#[tokio::test]
async fn a_full_temporary_directory_is_a_temporary_refusal() {
    let server = TestServer::start().await;
    let temporary = server.directory.path().join("tmp");
    std::fs::remove_dir(&temporary).unwrap();
    let large = format!("Subject: large\r\n\r\n{}", "0123456789\r\n".repeat(50_000));
    let reply = server.deliver("alice@example.test", &large).await;
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    assert!(server.deliver("alice@example.test", "Subject: small\r\n\r\nx").await.starts_with("250 "));
    std::fs::create_dir(&temporary).unwrap();
    assert!(server.deliver("alice@example.test", &large).await.starts_with("250 "));
}

#[tokio::test]
async fn new_mail_leaves_the_reserve_of_the_disk_alone() {
    let options = store::Options { reserve: Some(u64::MAX), ..Default::default() };
    let server = TestServer::start_on(options, |_| {}).await;
    let mut client = server.smtp().await;
    let reply = client.reply("MAIL FROM:<sender@example.net>").await;
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    let mut imap = server.imap("alice@example.test").await;
    let refused = imap.append("INBOX", "Subject: x\r\n\r\nx").await.no();
    assert!(refused.contains("[UNAVAILABLE]"), "{refused}");
    imap.command("SELECT INBOX").await.ok();
}

#[tokio::test]
async fn a_failing_database_is_a_temporary_refusal() {
    let server = TestServer::start().await;
    let mut early = server.smtp().await;
    early.reply("MAIL FROM:<sender@example.net>").await;
    let mut late = server.smtp().await;
    late.reply("MAIL FROM:<sender@example.net>").await;
    late.reply("RCPT TO:<alice@example.test>").await;
    late.reply("DATA").await;
    server.store.close().await;
    let reply = early.reply("RCPT TO:<alice@example.test>").await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    let reply = late.reply("Subject: late\r\n\r\nx\r\n.").await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
}

#[tokio::test]
async fn messages_that_were_abandoned_do_not_mix_with_the_next() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    for command in ["MAIL FROM:<first@example.net>", "RCPT TO:<bob@example.test>", "RSET"] {
        assert!(client.reply(command).await.starts_with("250 "));
    }
    client.reply("MAIL FROM:<second@example.net>").await;
    client.reply("RCPT TO:<bob@example.test>").await;
    client.send("BDAT 10\r\nSubject: a").await;
    client.next_reply().await;
    client.reply("RSET").await;
    client.reply("MAIL FROM:<third@example.net>").await;
    client.reply("RCPT TO:<alice@example.test>").await;
    client.reply("DATA").await;
    assert!(client.reply("Subject: third\r\n\r\nx\r\n.").await.starts_with("250 "));
    let mut alice = server.imap("alice@example.test").await;
    assert!(alice.command("SELECT INBOX").await.ok().contains(&"* 1 EXISTS".to_owned()));
    let text = alice.command("FETCH 1 BODY[]").await.ok().join("\n");
    assert!(text.contains("Return-Path: <third@example.net>") && !text.contains("Subject: a\n"), "{text}");
    let mut bob = server.imap("bob@example.test").await;
    assert!(bob.command("SELECT INBOX").await.ok().contains(&"* 0 EXISTS".to_owned()));
}

#[tokio::test]
async fn pipelined_envelopes_are_answered_in_order() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    client
        .send(
            "MAIL FROM:<sender@example.net>\r\nRCPT TO:<nobody@example.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n",
        )
        .await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(client.next_reply().await[..3].to_owned());
    }
    assert_eq!(codes, ["250", "550", "250", "354"]);
    client.send("Subject: piped\r\n\r\nx\r\n.\r\nMAIL FROM:<again@example.net>\r\nRSET\r\nQUIT\r\n").await;
    for expected in ["250 2.0.0", "250 ", "250 ", "221 "] {
        let reply = client.next_reply().await;
        assert!(reply.starts_with(expected), "{expected} {reply}");
    }
}

#[tokio::test]
async fn internationalised_addresses_reach_their_mailbox() {
    let server = TestServer::start().await;
    let row = domain("xn--bcher-kva.test", vec![], false);
    apply(
        &server.store,
        vec![store::Change::PutDomain(row), mailbox("alice@xn--bcher-kva.test", None, true)],
    )
    .await;
    let mut client = server.smtp().await;
    assert!(client.reply("MAIL FROM:<ünder@bücher.example> SMTPUTF8").await.starts_with("250 "));
    assert!(client.reply("RCPT TO:<alice@BÜCHER.test>").await.starts_with("250 "));
    client.reply("DATA").await;
    assert!(client.reply("Subject: Grüße\r\n\r\nß\r\n.").await.starts_with("250 "));
    let mut imap = server.imap("alice@xn--bcher-kva.test").await;
    imap.command("SELECT INBOX").await.ok();
    let text = imap.command("FETCH 1 BODY[]").await.ok().join("\n");
    assert!(text.contains("Subject: Grüße") && text.contains("with UTF8SMTP"), "{text}");
}

#[tokio::test]
async fn a_client_that_shakes_no_hands_is_dropped() {
    let server = TestServer::start_with(|config| config.limits.handshake = Duration::from_millis(100)).await;
    let mut client = server.smtp().await;
    client.reply("STARTTLS").await;
    client.rest().await;
    let silent = TcpStream::connect(server.address(Protocol::Imaps)).await.unwrap();
    Client::plain(silent).rest().await;
    let mut garbage = server.smtp().await;
    garbage.reply("STARTTLS").await;
    garbage.send("MAIL FROM:<not@a.handshake>\r\n").await;
    assert!(!garbage.rest().await.contains("250"), "what came in clear is not taken for a command");
    let management = server.server.management();
    eventually("all three are gone", || management.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_client_that_takes_no_replies_is_given_up() {
    let server =
        TestServer::start_with(|config| config.limits.write_stall = Duration::from_millis(200)).await;
    let stream = TcpStream::connect(server.address(Protocol::Smtp)).await.unwrap();
    // HELP is short to ask and long to answer; nobody reads the answers.
    let asking = tokio::spawn(async move {
        let mut client = Client::plain(stream);
        for _ in 0..100_000 {
            if client.try_send(&"EHLO a\r\n".repeat(1000)).await.is_err() {
                return;
            }
        }
    });
    let management = server.server.management();
    eventually("the session is gone", || management.sessions().is_empty()).await;
    asking.abort();
}

#[tokio::test]
async fn nonsense_is_answered_and_ends_by_itself() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    let mut replies = Vec::new();
    for _ in 0..mailwright_smtp::Limits::BAD_COMMANDS + 1 {
        client.send("BLURDYBLOOP\r\n").await;
        match client.line().await {
            Some(line) => replies.push(line),
            None => break,
        }
    }
    assert!(replies[0].starts_with("500 5.5."), "{replies:?}");
    assert!(replies.last().unwrap().starts_with("421 "), "{replies:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_bytes_never_stop_the_server(input in proptest::collection::vec(any::<u8>(), 0..3000), lines in any::<bool>()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let server = TestServer::start().await;
            for protocol in [Protocol::Smtp, Protocol::Imap, Protocol::Imaps, Protocol::Http] {
                let mut client = server.connect(protocol).await;
                let mut bytes = input.clone();
                if lines {
                    for (index, byte) in bytes.iter_mut().enumerate() {
                        *byte = if index % 40 == 38 { b'\r' } else if index % 40 == 39 { b'\n' } else { 32 + *byte % 95 };
                    }
                }
                let _ = client.try_send_bytes(&bytes).await;
            }
            let reply = server.deliver("alice@example.test", "Subject: alive\r\n\r\nx").await;
            assert!(reply.starts_with("250 "), "{reply}");
        });
    }
}
