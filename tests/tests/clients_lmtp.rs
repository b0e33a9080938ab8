//! Debian's Postfix as the MTA in front, which delivers to us by LMTP: a full mailbox keeps nobody else's copy, and its own stays
//! with Postfix.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../mail/server/src/queue/tests/postfix/instance.rs"]
mod instance;

use std::time::{Duration, Instant};

use instance::{Postfix, sh};
use mailwright_tests::harness::{Server, free_port, need, wire};

const PATIENCE: Duration = Duration::from_secs(60);

/// A Postfix that hands the mail of our domain on by LMTP to `next`.
fn front(next: &str) -> Postfix {
    let settings = format!(
        "myhostname = front.example.net\nrelay_domains = example.test\nrelay_transport = lmtp:{next}\n\
         lmtp_destination_recipient_limit = 50\n"
    );
    Postfix::start(&settings, |_| {})
}

fn eventually(what: &str, so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn postfix_delivers_and_keeps_what_does_not_fit() {
    if !need(&["postfix"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    let lmtp = free_port();
    let listeners = format!("  listeners:\n    lmtp: {{enabled: true, port: {lmtp}}}\n");
    server.manifests.edit("server.yaml", "  listeners:\n", &listeners);
    server.manifests.mailbox("small@example.test", "  quota: 1Mi\n");
    server.start();
    let front = front(&format!("inet:127.0.0.1:{lmtp}"));
    let to = ["alice@example.test", "small@example.test", "bob@example.test", "nobody@example.test"];
    let text =
        format!("Subject: from the front\r\n\r\n{}", "0123456789 filling the mailbox\r\n".repeat(50_000));
    wire::deliver(front.port, "carol@example.org", &to, &text).expect("Postfix takes it");
    for (to, expected) in [
        ("alice", "status=sent (250 2.1.5"),
        ("bob", "status=sent (250 2.1.5"),
        ("small", "status=deferred"),
        ("nobody", "status=bounced"),
    ] {
        let so = || {
            let log = front.log();
            log.lines().any(|line| line.contains(&format!("to=<{to}@")) && line.contains(expected))
        };
        let until = Instant::now() + PATIENCE;
        while !so() {
            assert!(Instant::now() < until, "{to}: never {expected}: {}", front.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let log = front.log();
    assert!(log.contains("452 4.2.2"), "{log}");
    assert!(log.contains("550 5.1.1"), "{log}");
}

#[test]
fn postfix_delivers_to_the_socket() {
    if !need(&["postfix"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    let listeners = format!("  listeners:\n    lmtp: {{enabled: true, port: {}}}\n", free_port());
    server.manifests.edit("server.yaml", "  listeners:\n", &listeners);
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("lmtp").display().to_string();
    server.options = vec!["--lmtp-socket".to_owned(), socket.clone()];
    server.start();
    // What the guide asks for: Postfix's user may use the group of the socket.
    sh(&format!("chmod 755 {} && chgrp postfix {socket}", place.path().display()));
    let front = front(&format!("unix:{socket}"));
    wire::deliver(
        front.port,
        "carol@example.org",
        &["alice@example.test"],
        "Subject: by socket\r\n\r\nx\r\n",
    )
    .expect("Postfix takes it");
    eventually("it is sent", || front.log().contains("status=sent (250 2.1.5"));
}
