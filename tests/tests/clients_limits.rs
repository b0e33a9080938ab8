//! Limits of the manifest and of the protocols, met from outside by sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, wait_for, wire};
use std::time::Duration;

fn limited(limits: &str) -> Server {
    let mut server = Server::example("quickstart");
    server.manifests.edit("server.yaml", "  tls:\n", &format!("  limits:\n{limits}  tls:\n"));
    server.start();
    server
}

/// Kilobytes of memory that the process holds.
fn memory(server: &mut Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.running().pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn connections_of_one_address_are_counted() {
    let server = limited("    connectionsPerAddress: 3\n");
    let held: Vec<_> = (0..3).map(|_| wire::smtp(server.ports.smtp).unwrap()).collect();
    let mut fourth = wire::Wire::connect(server.ports.smtp).unwrap();
    let greeting = fourth.reply().unwrap_or_default();
    assert!(greeting.starts_with("421") || greeting.is_empty(), "{greeting}");
    drop(held);
    wait_for("a place", Duration::from_secs(10), || wire::smtp(server.ports.smtp).ok());
}

#[test]
fn messages_and_recipients_are_limited() {
    let server = limited("    messageSize: 100Ki\n    recipientsPerMessage: 100\n");
    let to = ["alice@example.test"];
    let text = |bytes: usize| {
        format!("Subject: size\r\n\r\n{}", "0123456789012345678901234567890\r\n".repeat(bytes / 33))
    };
    let reply = wire::deliver(server.ports.smtp, "carol@example.org", &to, &text(90 << 10)).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    let reply = wire::deliver(server.ports.smtp, "carol@example.org", &to, &text(110 << 10)).unwrap();
    assert!(reply.starts_with("552 5.3.4"), "{reply}");

    let mut wire = wire::smtp(server.ports.smtp).unwrap();
    wire.smtp("MAIL FROM:<carol@example.org>").unwrap();
    for number in 0..100 {
        let reply = wire.smtp(&format!("RCPT TO:<alice+{number}@example.test>")).unwrap();
        assert!(reply.starts_with("250"), "{number}: {reply}");
    }
    let reply = wire.smtp("RCPT TO:<bob@example.test>").unwrap();
    assert!(reply.starts_with("452 4.5.3"), "{reply}");
}

#[test]
fn a_full_mailbox_is_told_at_rcpt() {
    let mut server = Server::example("quickstart");
    server.manifests.edit("mailboxes.yaml", "  displayName: Bob\n", "  displayName: Bob\n  quota: 20Ki\n");
    server.start();
    let text = format!("Subject: large\r\n\r\n{}", "0123456789012345678901234567890\r\n".repeat(600));
    let replies: Vec<_> = (0..3)
        .map(|_| wire::deliver(server.ports.smtp, "carol@example.org", &["bob@example.test"], &text).unwrap())
        .collect();
    assert!(replies[0].starts_with("250"), "{replies:?}");
    assert!(replies[2].starts_with("452 4.2.2"), "{replies:?}");
    let mut wire = wire::smtp(server.ports.smtp).unwrap();
    wire.smtp("MAIL FROM:<carol@example.org> SIZE=30000").unwrap();
    let reply = wire.smtp("RCPT TO:<bob@example.test>").unwrap();
    assert!(reply.starts_with("452 4.2.2"), "{reply}");
    let reply = wire.smtp("RCPT TO:<alice@example.test>").unwrap();
    assert!(reply.starts_with("250"), "others are not held up: {reply}");
}

#[test]
fn endless_lines_and_literals_cost_no_memory() {
    let mut server = Server::quickstart();
    let before = memory(&mut server);
    let block = vec![b'x'; 1 << 20];
    for port in [server.ports.smtp, server.ports.imap] {
        let mut wire = wire::Wire::connect(port).unwrap();
        wire.line().unwrap();
        // 64 MiB without an end of line: the server may answer, close, or both; it must not keep it.
        let _ = (0..64).try_for_each(|_| wire.send(&block));
    }
    let mut wire = wire::Wire::connect(server.ports.imap).unwrap();
    wire.line().unwrap();
    wire.send(b"a LOGIN {2000000000}\r\n").unwrap();
    let answer = wire.line().unwrap();
    assert!(!answer.starts_with('+'), "a literal of 2 GB before login is not welcome: {answer}");
    let after = memory(&mut server);
    assert!(after < before + (32 << 10), "grew from {before} kB to {after} kB");
    assert!(wire::smtp(server.ports.smtp).is_ok(), "it still serves");
}

#[test]
fn smuggled_ends_of_data_are_refused() {
    let server = Server::quickstart();
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r"] {
        let mut wire = wire::smtp(server.ports.smtp).unwrap();
        for command in ["MAIL FROM:<carol@example.org>", "RCPT TO:<alice@example.test>", "DATA"] {
            wire.smtp(command).unwrap();
        }
        let smuggled = "MAIL FROM:<mallory@example.org>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nX-Id: smuggled\r\n\r\n";
        let text = format!("X-Id: outer\r\n\r\nHello.{end}{smuggled}.\r\nQUIT\r\n");
        wire.send(text.as_bytes()).unwrap();
        let answers = wire.rest();
        assert!(answers.starts_with('5'), "{end:?}: {answers}");
        assert!(!answers.contains("250") && !answers.contains("354"), "{end:?}: {answers}");
    }
    let stored = server.script("read_all.py", &["alice@example.test"]).ok().stdout;
    assert_eq!(stored, "", "nothing of it was delivered");
}

#[test]
fn what_is_sent_before_starttls_is_not_used_after_it() {
    let server = Server::quickstart();
    let mut wire = wire::smtp(server.ports.smtp).unwrap();
    wire.send(b"STARTTLS\r\nMAIL FROM:<mallory@example.org>\r\n").unwrap();
    assert!(wire.reply().unwrap().starts_with("220"));
    // The plain text is not answered in the clear, and TLS never comes: the server gives up or waits.
    let mut imap = wire::Wire::connect(server.ports.imap).unwrap();
    imap.line().unwrap();
    imap.send(b"a STARTTLS\r\nb LOGOUT\r\n").unwrap();
    assert!(imap.line().unwrap().starts_with("a OK"));
    server.script("injected.py", &[]).ok();
}
