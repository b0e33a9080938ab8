//! SMTP over real sockets: who gets mail, who is refused and how, and that what was answered with 250 is there.

mod refuse;
mod submit;

use std::time::Duration;

use crate::config::Protocol;
use crate::tests::{PATIENCE, TestServer, alias, apply, eventually, mailbox};

const MESSAGE: &str = "From: sender@example.net\r\nSubject: hello\r\n\r\nfirst line\r\n..dotted\r\nlast line";

#[tokio::test]
async fn extensions_are_those_that_work() {
    let server = TestServer::start().await;
    let mut client = server.connect(Protocol::Smtp).await;
    client.expect("220 mail.example.test").await;
    let reply = client.ehlo().await;
    for extension in
        ["PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "STARTTLS"]
    {
        assert!(reply.lines().any(|line| line[4..] == *extension), "{extension} is not in {reply}");
    }
    assert!(!reply.contains("AUTH"), "nobody may log in here: {reply}");
    assert!(client.reply("QUIT").await.starts_with("221 "));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn recipients_get_the_reply_that_is_theirs() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    assert!(client.reply("MAIL FROM:<sender@example.net>").await.starts_with("250 "));
    for (recipient, expected) in [
        ("alice@example.test", "250 2.1.5"),
        ("ALICE@Example.TEST", "250 2.1.5"),
        ("alice+tag@example.test", "250 2.1.5"),
        ("alice@example.org", "250 2.1.5"),
        ("team@example.test", "250 2.1.5"),
        ("postmaster", "250 2.1.5"),
        ("nobody@example.test", "550 5.1.1"),
        ("nobody@example.org", "550 5.1.1"),
        ("mallory@example.test", "550 5.2.1"),
        ("alice@elsewhere.example", "550 5.7.1"),
        ("alice%elsewhere.example@relay.example", "550 5.7.1"),
        ("alice@[127.0.0.1]", "550 5.7.1"),
        ("alice@parked.test", "556 5.1.10"),
        ("staff@example.test", "550 5.7.2"),
    ] {
        let reply = client.reply(&format!("RCPT TO:<{recipient}>")).await;
        assert!(reply.starts_with(expected), "{recipient}: {reply}");
    }
}

#[tokio::test]
async fn a_full_mailbox_is_a_temporary_refusal() {
    let server = TestServer::start().await;
    apply(&server.store, vec![mailbox("eve@example.test", Some(2000), true)]).await;
    assert!(
        server
            .deliver("eve@example.test", &format!("Subject: x\r\n\r\n{}", "x".repeat(1500)))
            .await
            .starts_with("250 ")
    );
    let mut client = server.smtp().await;
    client.reply("MAIL FROM:<sender@example.net> SIZE=1000").await;
    let reply = client.reply("RCPT TO:<eve@example.test>").await;
    assert!(reply.starts_with("452 4.2.2"), "the declared size does not fit: {reply}");
    // Without a declared size it is found out at the end, and nothing is lost: the client keeps the message.
    client.reply("RSET").await;
    client.reply("MAIL FROM:<sender@example.net>").await;
    assert!(client.reply("RCPT TO:<eve@example.test>").await.starts_with("250 "));
    client.reply("DATA").await;
    let reply = client.reply(&format!("Subject: y\r\n\r\n{}\r\n.", "y".repeat(1500))).await;
    assert!(reply.starts_with("452 4.2.2"), "{reply}");
}

#[tokio::test]
async fn what_one_of_several_cannot_take_waits_in_the_queue() {
    let server = TestServer::start().await;
    apply(&server.store, vec![mailbox("eve@example.test", Some(1000), true)]).await;
    let mut client = server.smtp().await;
    client.reply("MAIL FROM:<sender@example.net>").await;
    for to in ["alice@example.test", "eve@example.test"] {
        assert!(client.reply(&format!("RCPT TO:<{to}>")).await.starts_with("250 "));
    }
    client.reply("DATA").await;
    let reply = client.reply(&format!("Subject: big\r\n\r\n{}\r\n.", "x".repeat(2000))).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let mut imap = server.imap("alice@example.test").await;
    assert!(imap.command("SELECT INBOX").await.ok().contains(&"* 1 EXISTS".to_owned()));
    let queued = server.store.queue().list(&Default::default()).await.unwrap();
    let recipients: Vec<_> = queued.iter().flat_map(|entry| &entry.recipients).collect();
    assert_eq!(recipients.len(), 1, "{queued:?}");
    assert_eq!(recipients[0].address, "eve@example.test");
    let raw = server.store.queue().raw(queued[0].message.id).await.unwrap().unwrap();
    assert!(raw.starts_with(b"Received: "), "what is queued has no Return-Path");
}

/// One attempt to send a message to alice and bob: what each heard at RCPT, and the reply to the message.
async fn attempt(
    server: &TestServer,
    mail: &str,
    recipients: &[&str],
    message: &str,
) -> (Vec<String>, String) {
    let mut client = server.smtp().await;
    client.reply(mail).await;
    let mut heard = Vec::new();
    for to in recipients {
        heard.push(client.reply(&format!("RCPT TO:<{to}@example.test>")).await[..9].to_owned());
    }
    client.reply("DATA").await;
    (heard, client.reply(&format!("{message}\r\n.")).await)
}

async fn messages(server: &TestServer, user: &str) -> usize {
    let mut imap = server.imap(&format!("{user}@example.test")).await;
    let lines = imap.command("SELECT INBOX").await.ok();
    let line = lines.iter().find_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS"));
    line.unwrap().parse().unwrap()
}

/// A sender that has only a full mailbox to send to keeps the message, and is told at RCPT from the second attempt on.
#[tokio::test]
async fn a_full_mailbox_alone_is_refused_until_it_has_room() {
    let message = format!("Subject: big\r\n\r\n{}", "x".repeat(20_000));
    // Bob has room for the message as sent, not for the trace fields on top of it.
    let size = message.len() as u64 + 10;
    for mail in ["MAIL FROM:<sender@example.net>", &format!("MAIL FROM:<sender@example.net> SIZE={size}")] {
        let server = TestServer::start().await;
        apply(&server.store, vec![mailbox("bob@example.test", Some(size), true)]).await;
        let first = attempt(&server, mail, &["bob"], &message).await;
        assert_eq!(first.0, ["250 2.1.5"], "{mail}");
        assert!(first.1.starts_with("452 4.2.2"), "{first:?}");
        for _ in 0..3 {
            assert_eq!(attempt(&server, mail, &["bob"], &message).await.0, ["452 4.2.2"], "{mail}");
        }
        // A smaller message that says so is taken meanwhile, and with room again bob gets the large one.
        let small = "Subject: small\r\n\r\nx";
        let small = attempt(&server, "MAIL FROM:<x@example.net> SIZE=20", &["bob"], small).await;
        assert!(small.1.starts_with("250 2.0.0"), "{small:?}");
        apply(&server.store, vec![mailbox("bob@example.test", Some(1 << 20), true)]).await;
        let last = attempt(&server, mail, &["bob"], &message).await;
        assert!(last.1.starts_with("250 2.0.0"), "{last:?}");
        assert_eq!(messages(&server, "bob").await, 2);
    }
}

#[tokio::test]
async fn a_message_is_stored_with_its_trace_fields_and_otherwise_untouched() {
    let server = TestServer::start().await;
    let reply = server.deliver("team@example.test", MESSAGE).await;
    assert!(reply.starts_with("250 2.0.0 "), "{reply}");
    let id = reply.rsplit(' ').next().unwrap().to_owned();
    for user in ["alice@example.test", "bob@example.test"] {
        let mut imap = server.imap(user).await;
        imap.command("SELECT INBOX").await.ok();
        let lines = imap.command("FETCH 1 (FLAGS RFC822.SIZE BODY.PEEK[])").await.ok();
        assert_eq!(lines[1], "Return-Path: <sender@example.net>", "{lines:?}");
        assert!(lines[2].starts_with("Received: from client.example.net"), "{lines:?}");
        let text = lines.join("\r\n");
        assert!(text.contains(&id) && text.contains("by mail.example.test"), "{text}");
        assert!(
            text.contains(
                "From: sender@example.net\r\nSubject: hello\r\n\r\nfirst line\r\n.dotted\r\nlast line"
            ),
            "{text}"
        );
    }
}

#[tokio::test]
async fn chunks_and_tls_work_and_show_in_the_trace() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    assert!(client.reply("STARTTLS").await.starts_with("220 "));
    let mut client = client.upgrade(&server.certificate).await;
    assert!(!client.ehlo().await.contains("STARTTLS"));
    client.reply("MAIL FROM:<> BODY=8BITMIME").await;
    client.reply("RCPT TO:<alice@example.test>").await;
    let first = "Subject: chunks\r\n\r\none\r\n";
    client.send(&format!("BDAT {}\r\n{first}", first.len())).await;
    assert!(client.next_reply().await.starts_with("250 "));
    client.send("BDAT 5 LAST\r\ntwo\r\n").await;
    assert!(client.next_reply().await.starts_with("250 2.0.0 "));
    let mut imap = server.imap("alice@example.test").await;
    imap.command("SELECT INBOX").await.ok();
    let text = imap.command("FETCH 1 BODY[]").await.ok().join("\r\n");
    assert!(text.contains("Return-Path: <>\r\n"), "{text}");
    assert!(text.contains("with ESMTPS"), "{text}");
    assert!(text.contains("\r\n\r\none\r\ntwo\r\n"), "{text}");
}

#[tokio::test]
async fn nothing_sent_before_the_handshake_counts_after_it() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    client.send("STARTTLS\r\nMAIL FROM:<injected@example.net>\r\n").await;
    assert!(client.next_reply().await.starts_with("220 "));
    let mut client = client.upgrade(&server.certificate).await;
    client.silence().await;
    client.ehlo().await;
    assert!(client.reply("RCPT TO:<alice@example.test>").await.starts_with("503 "), "there is no MAIL");
}

#[tokio::test]
async fn smuggling_is_refused_and_nothing_of_it_arrives() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    client.reply("MAIL FROM:<sender@example.net>").await;
    client.reply("RCPT TO:<alice@example.test>").await;
    client.reply("DATA").await;
    let reply = client.reply("Subject: x\r\n\r\nbody\n.\nMAIL FROM:<smuggled@example.net>\r\n.").await;
    assert!(reply.starts_with('5'), "{reply}");
    let mut imap = server.imap("alice@example.test").await;
    assert!(imap.command("SELECT INBOX").await.ok().contains(&"* 0 EXISTS".to_owned()));
}

#[tokio::test]
async fn large_messages_go_through_the_disk_and_leave_nothing_there() {
    let server = TestServer::start().await;
    let line = format!("{}\r\n", "0123456789".repeat(7));
    let body = line.repeat(3 * 1024 * 1024 / line.len());
    let reply = server.deliver("alice@example.test", &format!("Subject: large\r\n\r\n{body}")).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let mut imap = server.imap("alice@example.test").await;
    imap.command("SELECT INBOX").await.ok();
    let lines = imap.command("FETCH 1 BODY.PEEK[TEXT]").await.ok();
    assert_eq!(lines.iter().filter(|text| **text == line.trim_end()).count(), body.len() / line.len());
    assert_eq!(std::fs::read_dir(server.directory.path().join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn messages_over_the_limits_are_refused_at_their_end() {
    let server = TestServer::start_with(|config| config.limits.message_size = 10_000).await;
    let received = "Received: from a by b; Fri, 20 Nov 2026 12:00:00 +0000\r\n".repeat(110);
    for (message, expected) in [
        (format!("Subject: x\r\n\r\n{}", "x".repeat(900)), "250 2.0.0"),
        (format!("Subject: x\r\n\r\n{}", "0123456789\r\n".repeat(1000)), "552 5.3.4"),
        (format!("{received}Subject: x\r\n\r\nx"), "554 5.4.6"),
    ] {
        let reply = server.deliver("alice@example.test", &message).await;
        assert!(reply.starts_with(expected), "{reply}");
    }
    let mut client = server.smtp().await;
    let reply = client.reply("MAIL FROM:<sender@example.net> SIZE=20000").await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
}

#[tokio::test]
async fn a_session_that_dies_in_the_middle_of_its_message_leaves_nothing() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    client.reply("MAIL FROM:<sender@example.net>").await;
    client.reply("RCPT TO:<alice@example.test>").await;
    client.reply("DATA").await;
    client.send(&format!("Subject: half\r\n\r\n{}", "0123456789\r\n".repeat(50_000))).await;
    let temporary = server.directory.path().join("tmp");
    let files = || std::fs::read_dir(&temporary).unwrap().count();
    eventually("the message is on disk", || files() == 1).await;
    drop(client);
    eventually("the file is gone", || files() == 0).await;
    eventually("the session is gone", || server.server.management().sessions().is_empty()).await;
    let mut imap = server.imap("alice@example.test").await;
    assert!(imap.command("SELECT INBOX").await.ok().contains(&"* 0 EXISTS".to_owned()));
}

#[tokio::test]
async fn a_silent_client_is_sent_away() {
    let server = TestServer::start_with(|config| config.limits.smtp_idle = Duration::from_millis(100)).await;
    let mut client = server.connect(Protocol::Smtp).await;
    client.expect("220 ").await;
    let rest = client.rest().await;
    assert!(rest.starts_with("421 4.4.2"), "{rest:?}");
}

#[tokio::test]
async fn an_account_disabled_between_rcpt_and_the_end_gets_nothing() {
    let server = TestServer::start().await;
    let mut client = server.smtp().await;
    client.reply("MAIL FROM:<sender@example.net>").await;
    assert!(client.reply("RCPT TO:<bob@example.test>").await.starts_with("250 "));
    client.reply("DATA").await;
    apply(&server.store, vec![mailbox("bob@example.test", None, false)]).await;
    let reply = client.reply("Subject: late\r\n\r\nlate\r\n.").await;
    assert!(reply.starts_with("550 5.2.1"), "{reply}");
}

#[tokio::test]
async fn aliases_reach_everybody_once_and_loops_end() {
    let server = TestServer::start().await;
    apply(
        &server.store,
        vec![
            alias(
                "outer@example.test",
                &["team@example.test", "alice+x@example.test"],
                mailwright_store::Senders::Anyone,
            ),
            alias("ring@example.test", &["gnir@example.test"], mailwright_store::Senders::Anyone),
            alias("gnir@example.test", &["ring@example.test"], mailwright_store::Senders::Anyone),
        ],
    )
    .await;
    assert!(server.deliver("outer@example.test", "Subject: once\r\n\r\nx").await.starts_with("250 "));
    for (user, count) in [("alice@example.test", 1), ("bob@example.test", 1), ("carol@example.test", 0)] {
        let mut imap = server.imap(user).await;
        assert!(imap.command("SELECT INBOX").await.ok().contains(&format!("* {count} EXISTS")), "{user}");
    }
    let mut client = server.smtp().await;
    client.reply("MAIL FROM:<sender@example.net>").await;
    let reply = client.reply("RCPT TO:<ring@example.test>").await;
    assert!(reply.starts_with("550 5.4.6"), "{reply}");
}

#[tokio::test]
async fn many_senders_at_once_lose_nothing() {
    let server = std::sync::Arc::new(TestServer::start().await);
    let senders: Vec<_> = (0..20)
        .map(|number| {
            let server = std::sync::Arc::clone(&server);
            tokio::spawn(async move {
                for message in 0..5 {
                    let text = format!("Subject: {number}-{message}\r\n\r\nx");
                    assert!(server.deliver("alice@example.test", &text).await.starts_with("250 "));
                }
            })
        })
        .collect();
    for sender in senders {
        tokio::time::timeout(PATIENCE, sender).await.unwrap().unwrap();
    }
    let mut imap = server.imap("alice@example.test").await;
    assert!(imap.command("SELECT INBOX").await.ok().contains(&"* 100 EXISTS".to_owned()));
    assert!(server.store.check().await.unwrap().is_empty());
}
