//! IMAP over real sockets: login rules, two sessions on one mailbox, IDLE, APPEND, quota, limits, many idle sessions.

mod model;
mod verbs;

use std::time::Duration;

use crate::config::Protocol;
use crate::tests::{Client, PASSWORD, TestServer, apply, eventually, mailbox};

const MESSAGE: &str = "From: alice@example.test\r\nSubject: note\r\n\r\nbody\r\n";

#[tokio::test]
async fn nobody_logs_in_without_tls() {
    let server = TestServer::start().await;
    let mut client = server.connect(Protocol::Imap).await;
    let greeting = client.expect("* OK").await;
    assert!(greeting.contains("LOGINDISABLED") && greeting.contains("STARTTLS"), "{greeting}");
    let refusal = client.command(&format!("LOGIN alice@example.test {PASSWORD}")).await.no();
    assert!(refusal.contains("[PRIVACYREQUIRED]"), "{refusal}");
    let tag = client.start("STARTTLS").await;
    client.answer(&tag).await.ok();
    let mut client = client.upgrade(&server.certificate).await;
    let capabilities = client.command("CAPABILITY").await.ok().join(" ");
    assert!(!capabilities.contains("STARTTLS") && capabilities.contains("AUTH=PLAIN"), "{capabilities}");
    client.command(&format!("LOGIN alice@example.test {PASSWORD}")).await.ok();
}

#[tokio::test]
async fn logins_are_decided_by_account_and_password() {
    let server = TestServer::start_with(|config| config.limits.connections_per_address = 100).await;
    let nowhere = server.connect_tls().await;
    drop(nowhere);
    for (user, password, expected) in [
        ("alice@example.test", PASSWORD, "OK"),
        ("ALICE@EXAMPLE.TEST", PASSWORD, "OK"),
        ("alice@example.org", PASSWORD, "OK"),
        ("alice@example.test", "wrong", "NO [AUTHENTICATIONFAILED]"),
        ("nobody@example.test", PASSWORD, "NO [AUTHENTICATIONFAILED]"),
        ("team@example.test", PASSWORD, "NO [AUTHENTICATIONFAILED]"),
        ("alice", PASSWORD, "NO [AUTHENTICATIONFAILED]"),
        ("mallory@example.test", "wrong", "NO [AUTHENTICATIONFAILED]"),
    ] {
        let mut client = server.connect_tls().await;
        client.expect("* OK").await;
        let answer = client.command(&format!("LOGIN {user} {password}")).await;
        assert!(answer.end.starts_with(expected), "{user} {password}: {answer:?}");
    }
    let mut client = server.connect_tls().await;
    client.expect("* OK").await;
    let answer = client.command(&format!("LOGIN mallory@example.test {PASSWORD}")).await;
    assert!(answer.end.starts_with("NO"), "a disabled account stays out: {answer:?}");
    let plain = "AGFsaWNlQGV4YW1wbGUudGVzdABtYWlsd3JpZ2h0";
    let mut client = server.connect_tls().await;
    client.expect("* OK").await;
    client.command(&format!("AUTHENTICATE PLAIN {plain}")).await.ok();
}

#[tokio::test]
async fn failed_logins_are_answered_later_and_later() {
    let server = TestServer::start_with(|config| config.limits.auth_delay = Duration::from_millis(250)).await;
    let mut client = server.connect_tls().await;
    client.expect("* OK").await;
    let mut times = Vec::new();
    for _ in 0..3 {
        let before = std::time::Instant::now();
        client.command("LOGIN alice@example.test wrong").await.no();
        times.push(before.elapsed());
    }
    assert!(times[0] >= Duration::from_millis(250) && times[2] >= Duration::from_millis(1000), "{times:?}");
    let before = std::time::Instant::now();
    client.command(&format!("LOGIN alice@example.test {PASSWORD}")).await.ok();
    assert!(before.elapsed() < times[2], "the right password is not held back");
}

#[tokio::test]
async fn last_login_is_remembered() {
    let server = TestServer::start().await;
    let _client = server.imap("alice@example.test").await;
    for _ in 0..200 {
        let accounts = server.store.accounts().observe().await.unwrap();
        if accounts.mailboxes.iter().any(|mailbox| mailbox.last_login.is_some()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no login was noted");
}

#[tokio::test]
async fn accounts_begin_with_their_mailboxes() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    let list = client.command("LIST \"\" \"*\"").await.ok().join("\n");
    for expected in ["INBOX", "\\Sent", "\\Drafts", "\\Junk", "\\Trash", "\\Archive"] {
        assert!(list.contains(expected), "{expected} is not in {list}");
    }
    assert_eq!(client.command("LSUB \"\" \"*\"").await.ok().len(), 6);
}

#[tokio::test]
async fn mailboxes_are_made_renamed_and_deleted() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    client.command("CREATE Projects/2026").await.ok();
    client.command("CREATE Projects/2026").await.no();
    client.command("SUBSCRIBE Projects/2026").await.ok();
    client.command("RENAME Projects Work").await.ok();
    let list = client.command("LIST \"\" \"Work*\"").await.ok().join("\n");
    assert!(list.contains("Work/2026"), "{list}");
    client.command("UNSUBSCRIBE Projects/2026").await.ok();
    client.command("DELETE Work/2026").await.ok();
    client.command("DELETE INBOX").await.no();
    client.command("SELECT Work/2026").await.no();
    let refusal = client.append("Nowhere", MESSAGE).await.no();
    assert!(refusal.contains("[TRYCREATE]"), "{refusal}");
}

#[tokio::test]
async fn two_sessions_see_each_others_changes() {
    let server = TestServer::start().await;
    let mut one = server.imap("alice@example.test").await;
    let mut other = server.imap("alice@example.test").await;
    one.command("SELECT INBOX").await.ok();
    other.command("SELECT INBOX").await.ok();
    let appended = one.append("INBOX", MESSAGE).await;
    assert!(appended.end.contains("[APPENDUID "), "{appended:?}");
    let seen = other.command("NOOP").await.ok();
    assert!(seen.contains(&"* 1 EXISTS".to_owned()), "{seen:?}");
    other.command("STORE 1 +FLAGS (\\Flagged $Forwarded)").await.ok();
    let seen = one.command("NOOP").await.ok().join("\n");
    assert!(seen.contains("FETCH (") && seen.contains("\\Flagged") && seen.contains("$Forwarded"), "{seen}");
    one.command("STORE 1 +FLAGS.SILENT (\\Deleted)").await.ok();
    one.command("EXPUNGE").await.ok();
    let seen = other.command("NOOP").await.ok();
    assert!(seen.contains(&"* 1 EXPUNGE".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn idle_is_told_at_once() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    client.command("SELECT INBOX").await.ok();
    let tag = client.start("IDLE").await;
    client.expect("+").await;
    client.silence().await;
    for number in 1..=3 {
        assert!(server.deliver("alice@example.test", "Subject: new\r\n\r\nx").await.starts_with("250 "));
        client.expect(&format!("* {number} EXISTS")).await;
        client.expect("* ").await;
    }
    client.send("DONE\r\n").await;
    client.answer(&tag).await.ok();
    let fetched = client.command("FETCH 3 (FLAGS ENVELOPE)").await.ok().join("");
    assert!(fetched.contains("\"new\""), "{fetched}");
}

#[tokio::test]
async fn copies_and_moves_are_told_to_both_sides() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    client.append("INBOX", MESSAGE).await.ok();
    client.append("INBOX", MESSAGE).await.ok();
    client.command("SELECT INBOX").await.ok();
    let copied = client.command("COPY 1 Archive").await;
    assert!(copied.end.contains("[COPYUID "), "{copied:?}");
    let mut watcher = server.imap("alice@example.test").await;
    watcher.command("SELECT Archive").await.ok();
    let moved = client.command("UID MOVE 2 Archive").await.ok().join("\n");
    assert!(moved.contains("COPYUID") && moved.contains("* 2 EXPUNGE"), "{moved}");
    assert!(watcher.command("NOOP").await.ok().contains(&"* 2 EXISTS".to_owned()));
    assert!(client.command("COPY 1 Nowhere").await.no().contains("[TRYCREATE]"));
}

#[tokio::test]
async fn appended_messages_keep_their_bytes_flags_and_date() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    let tag = client
        .start(&format!("APPEND Sent (\\Seen $Label) \"01-Feb-2024 03:04:05 +0600\" {{{}+}}", MESSAGE.len()))
        .await;
    client.send(&format!("{MESSAGE}\r\n")).await;
    client.answer(&tag).await.ok();
    client.command("EXAMINE Sent").await.ok();
    let fetched =
        client.command("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])").await.ok().join("\r\n");
    assert!(fetched.contains("\\Seen") && fetched.contains("$Label"), "{fetched}");
    assert!(fetched.contains(MESSAGE.trim_end()), "{fetched}");
    assert!(fetched.contains(&format!("RFC822.SIZE {}", MESSAGE.len())), "{fetched}");
    let date = fetched.split("INTERNALDATE \"").nth(1).unwrap();
    let instant =
        chrono::DateTime::parse_from_str(date.split('"').next().unwrap().trim(), "%d-%b-%Y %H:%M:%S %z")
            .unwrap();
    assert_eq!(instant.timestamp(), 1_706_735_045);
}

#[tokio::test]
async fn appends_over_quota_or_limit_are_refused_before_they_are_sent() {
    let server = TestServer::start_with(|config| config.limits.message_size = 100_000).await;
    apply(&server.store, vec![mailbox("eve@example.test", Some(1000), true)]).await;
    let mut client = server.imap("eve@example.test").await;
    let refusal = client.append("INBOX", &"x".repeat(2000)).await.no();
    assert!(refusal.contains("[OVERQUOTA]"), "{refusal}");
    let refusal = client.append("INBOX", &"x".repeat(200_000)).await;
    assert!(!refusal.end.starts_with("OK"), "{refusal:?}");
    client.append("INBOX", MESSAGE).await.ok();
}

#[tokio::test]
async fn large_mailboxes_are_fetched_piece_by_piece() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    let body = "0123456789abcdef\r\n".repeat(16 * 1024);
    for _ in 0..20 {
        client.append("INBOX", &format!("Subject: big\r\n\r\n{body}")).await.ok();
    }
    client.command("SELECT INBOX").await.ok();
    let lines = client.command("FETCH 1:* (UID BODY.PEEK[])").await.ok();
    assert_eq!(lines.iter().filter(|line| *line == "0123456789abcdef").count(), 20 * 16 * 1024);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_one_piece_and_is_given_up() {
    let server =
        TestServer::start_with(|config| config.limits.write_stall = Duration::from_millis(300)).await;
    let mut client = server.imap("alice@example.test").await;
    let body = "0123456789abcdef\r\n".repeat(64 * 1024);
    for _ in 0..16 {
        client.append("INBOX", &format!("Subject: big\r\n\r\n{body}")).await.ok();
    }
    client.command("SELECT INBOX").await.ok();
    client.start("FETCH 1:* BODY.PEEK[]").await;
    let management = server.server.management();
    eventually("the stalled session is closed", || management.sessions().is_empty()).await;
}

/// A search that would take minutes: the other sessions go on meanwhile, and a client that hangs up ends it.
async fn searches_leave_room() {
    let server = TestServer::start().await;
    let mut client = server.imap("alice@example.test").await;
    let body = "0123456789abcdef\r\n".repeat(256 * 1024);
    client.append("INBOX", &format!("Subject: big\r\n\r\n{body}")).await.ok();
    client.command("SELECT INBOX").await.ok();
    let mut other = server.imap("alice@example.test").await;
    let keys: String = (0..900).map(|number| format!(" NOT BODY zz{number}")).collect();
    client.start(&format!("SEARCH{keys}")).await;
    let before = std::time::Instant::now();
    for _ in 0..5 {
        other.command("NOOP").await.ok();
    }
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    let management = server.server.management();
    assert_eq!(management.sessions().len(), 2);
    drop(client);
    eventually("the search ends with its client", || management.sessions().len() == 1).await;
    other.command("NOOP").await.ok();
}

#[tokio::test]
async fn a_long_search_leaves_room_on_one_thread() {
    searches_leave_room().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_search_leaves_room_on_several_threads() {
    searches_leave_room().await;
}

#[tokio::test]
async fn an_idle_client_is_sent_away_and_one_that_never_logs_in_sooner() {
    let server = TestServer::start_with(|config| {
        config.limits.imap_idle = Duration::from_millis(1500);
        config.limits.imap_login = Duration::from_millis(1000);
    })
    .await;
    let mut stranger = server.connect_tls().await;
    stranger.expect("* OK").await;
    assert!(stranger.rest().await.contains("* BYE"));
    let mut client = server.imap("alice@example.test").await;
    assert!(client.rest().await.contains("* BYE"));
}

#[tokio::test]
async fn who_announces_a_literal_and_sends_none_is_sent_away_too() {
    let server = TestServer::start_with(|config| {
        config.limits.imap_idle = Duration::from_millis(1500);
        config.limits.imap_login = Duration::from_millis(1000);
    })
    .await;
    let mut stranger = server.connect_tls().await;
    stranger.expect("* OK").await;
    stranger.start("LOGIN {100}").await;
    stranger.expect("+").await;
    assert!(stranger.rest().await.contains("* BYE Too slow"));
    for announcement in ["LIST \"\" {100}", "APPEND INBOX {100}"] {
        let mut client = server.imap("alice@example.test").await;
        client.start(announcement).await;
        client.expect("+").await;
        client.start("a part of it").await;
        assert!(client.rest().await.contains("* BYE Idle"), "{announcement}");
    }
    let mut client = server.imap("alice@example.test").await;
    let status = client.command("STATUS INBOX (MESSAGES)").await.ok().concat();
    assert!(status.contains("MESSAGES 0"), "{status}");
}

#[tokio::test]
async fn a_disabled_account_is_logged_out_at_once() {
    let server = TestServer::start().await;
    let mut client = server.imap("carol@example.test").await;
    let mut other = server.imap("alice@example.test").await;
    client.command("SELECT INBOX").await.ok();
    client.start("IDLE").await;
    client.expect("+").await;
    apply(&server.store, vec![mailbox("carol@example.test", None, false)]).await;
    assert!(client.rest().await.contains("* BYE"));
    other.command("NOOP").await.ok();
}

#[tokio::test]
async fn a_deleted_mailbox_ends_the_sessions_that_have_it_open() {
    let server = TestServer::start().await;
    let mut one = server.imap("alice@example.test").await;
    let mut other = server.imap("alice@example.test").await;
    one.command("CREATE Short").await.ok();
    other.command("SELECT Short").await.ok();
    one.command("DELETE Short").await.ok();
    let end = other.start("NOOP").await;
    let rest = other.rest().await;
    assert!(rest.contains("* BYE"), "{end} {rest:?}");
}

#[tokio::test]
async fn very_many_idle_sessions_are_served() {
    let server = TestServer::start_with(|config| {
        config.limits.connections_per_address = 2000;
        config.listeners.smtp = None;
    })
    .await;
    // Both ends are in this process, beside the databases of other tests.
    let count = crate::listener::descriptors::affordable(4000) as usize / 4;
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..count {
        let mut client = server.connect(Protocol::Imap).await;
        client.expect("* OK").await;
        clients.push(client);
    }
    assert_eq!(server.server.management().sessions().len(), count);
    for client in clients.iter_mut().step_by(100) {
        client.command("NOOP").await.ok();
    }
}
