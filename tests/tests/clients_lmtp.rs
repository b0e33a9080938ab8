//! Debian's Postfix as the MTA in front, which delivers to us by LMTP: a full mailbox keeps nobody else's copy, and its own stays
//! with Postfix.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mailwright_tests::harness::{Server, free_port, need, wire};

const PATIENCE: Duration = Duration::from_secs(60);

const MAIN: &str = "
queue_directory = DIR/spool
data_directory = DIR/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
compatibility_level = 3.6
myhostname = front.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
maillog_file = DIR/log
maillog_file_prefixes = DIR
alias_maps =
relay_domains = example.test
relay_transport = lmtp:NEXT
lmtp_destination_recipient_limit = 50
";

const MASTER: &str = "
127.0.0.1:PORT inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
postlog unix-dgram n - n - 1 postlogd
";

/// A Postfix of our own, stopped when dropped.
struct Front {
    directory: tempfile::TempDir,
    port: u16,
}

impl Front {
    fn start(next: &str) -> Front {
        let directory = tempfile::Builder::new().prefix("pf").tempdir().unwrap();
        let port = free_port();
        let dir = directory.path().display().to_string();
        let fill =
            |text: &str| text.replace("DIR", &dir).replace("PORT", &port.to_string()).replace("NEXT", next);
        for sub in ["spool", "data"] {
            std::fs::create_dir(directory.path().join(sub)).unwrap();
        }
        std::fs::write(directory.path().join("main.cf"), fill(MAIN)).unwrap();
        std::fs::write(directory.path().join("master.cf"), fill(MASTER)).unwrap();
        sh(&fill("chmod 755 DIR && chown -R postfix DIR/data && /usr/sbin/postfix -c DIR start"));
        eventually("Postfix listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Front { directory, port }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        stop(self.directory.path());
    }
}

fn stop(directory: &Path) {
    sh(&format!("/usr/sbin/postfix -c {} stop", directory.display()));
}

fn sh(line: &str) {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
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
    let front = Front::start(&format!("inet:127.0.0.1:{lmtp}"));
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
    let front = Front::start(&format!("unix:{socket}"));
    wire::deliver(
        front.port,
        "carol@example.org",
        &["alice@example.test"],
        "Subject: by socket\r\n\r\nx\r\n",
    )
    .expect("Postfix takes it");
    eventually("it is sent", || front.log().contains("status=sent (250 2.1.5"));
}
