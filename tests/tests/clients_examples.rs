//! Every folder of `examples/` is applied, twice, and mail goes where its manifests say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use mailwright_tests::harness::{Server, mailwright, root, run_with_input, wire};

/// The reply to RCPT from `sender` for `address`.
fn rcpt(server: &Server, sender: &str, address: &str) -> String {
    let mut wire = wire::smtp(server.ports.smtp).unwrap();
    wire.smtp(&format!("MAIL FROM:<{sender}>")).unwrap();
    wire.smtp(&format!("RCPT TO:<{address}>")).unwrap()
}

fn check(server: &Server, cases: &[(&str, &str, &str)]) {
    for (sender, address, expected) in cases {
        let reply = rcpt(server, sender, address);
        assert!(reply.starts_with(expected), "{sender} to {address}: {reply}, expected {expected}");
    }
}

/// Applies an example, applies it again, restarts: no change after the first time.
fn applied_twice(name: &str) -> Server {
    let mut server = Server::example(name);
    let dir = server.manifests.dir().display().to_string();
    server.cli(&["validate", &dir]).ok();
    server.start();
    server.cli(&["apply", &dir]).ok();
    server.stop();
    server.start();
    server.cli(&["plan", &dir]).ok();
    server
}

#[test]
fn every_example_is_tested_here() {
    let mut names: Vec<_> = std::fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // Those of policies declare no mailbox; tests/tests/policies.rs runs their tests.
    assert_eq!(names, ["company", "kubernetes", "policies", "quickstart", "sending"]);
}

#[test]
fn the_quickstart_serves_two_domains() {
    let server = applied_twice("quickstart");
    check(
        &server,
        &[
            ("carol@example.com", "alice@example.test", "250"),
            ("carol@example.com", "bob+lists@EXAMPLE.test", "250"),
            ("carol@example.com", "team@example.test", "250"),
            ("carol@example.com", "abuse@example.org", "250"),
            ("carol@example.com", "alice@example.org", "550 5.1.1"),
            ("carol@example.com", "carol@example.com", "550 5.7.1"),
        ],
    );
}

#[test]
fn the_kubernetes_example_serves_without_a_cluster_too() {
    let server = applied_twice("kubernetes");
    check(
        &server,
        &[
            ("carol@example.com", "alice@example.test", "250"),
            ("carol@example.com", "bob@example.test", "250"),
            ("carol@example.com", "team@example.test", "250"),
            ("carol@example.com", "postmaster@example.test", "250"),
            ("carol@example.com", "carol@example.test", "550 5.1.1"),
        ],
    );
}

#[test]
fn the_sending_example_forwards_and_queues() {
    let server = applied_twice("sending");
    let outside = "carol@example.com";
    check(
        &server,
        &[
            (outside, "alice@example.test", "250"),
            (outside, "bob@example.test", "250"),
            (outside, "press@example.test", "250"),
            (outside, "agency@example.org", "550 5.7.1"),
        ],
    );
    let trace = server.cli(&["trace", "--from", outside, "--to", "press@example.test"]).ok().stdout;
    for line in [
        "stored in    alice@example.test",
        "queued for   agency@example.org, through the smarthost smtp.example.net:587, by way of press@example.test",
        "queued for   alice@example.org, through the smarthost smtp.example.net:587",
    ] {
        assert!(trace.contains(line), "{line}: {trace}");
    }
    let described = server.cli(&["describe", "mailserver", "sending"]).ok().stdout;
    assert!(described.contains("RelayReady") && !described.contains("not-a-real-password"), "{described}");
    let to = ["send", "--from", outside, "--to", "bob@example.test", "--body", "hello"];
    let sent = server.cli(&to).ok().stdout;
    assert!(sent.contains("message accepted as "), "{sent}");
    let listed = server.cli(&["queue", "list"]).ok().stdout;
    assert!(listed.contains("alice@example.org"), "{listed}");
    server.cli(&["queue", "hold", "--all"]).ok();
    let held = server.cli(&["queue", "list", "--state", "held", "-o", "json"]).ok().stdout;
    assert!(held.contains("\"state\": \"held\""), "{held}");
    server.cli(&["queue", "release", "--domain", "example.org"]).ok();
    server.cli(&["queue", "delete", "--all"]).ok();
    assert_eq!(server.cli(&["queue", "list"]).ok().stdout, "the queue is empty\n");
    let fetched = server.cli(&["fetch", "alice@example.test", "hdr.subject", "body"]).ok().stdout;
    assert!(fetched.contains("hdr.subject: Test message") && fetched.contains("hello"), "{fetched}");
    assert_eq!(server.cli(&["fetch", "bob@example.test", "uid"]).ok().stdout, "", "nothing is kept");
}

#[test]
fn a_login_is_tried_and_used_from_the_command_line() {
    let server = applied_twice("sending");
    let with_password = |arguments: &[&str], password: &str| {
        let mut command = Command::new(mailwright());
        command.args(arguments).arg("--data").arg(server.data()).env_remove("MAILWRIGHT_DATA");
        run_with_input(&mut command, &format!("{password}\n"))
    };
    let alice = "alice@example.test";
    with_password(&["auth-test", alice], "mailwright").ok().says("can log in with this password");
    with_password(&["auth-test", alice], "not hers").exits(1).says("wrong password");
    let to = ["send", "--to", "x@example.org", "--body", "hello"];
    let send = [&to[..], &["--from", alice, "--login"]].concat();
    with_password(&send, "not hers").exits(1).says("535 5.7.8");
    with_password(&send, "mailwright").ok().says("250 2.0.0 message accepted as ");
    let as_bob = [&to[..], &["--from", "bob@example.test", "--login", alice]].concat();
    with_password(&as_bob, "mailwright").exits(1).says("553 5.7.1");
    let listed = server.cli(&["queue", "list"]).ok().stdout;
    assert!(listed.contains("x@example.org"), "{listed}");
}

#[test]
fn the_company_serves_fifty_mailboxes() {
    let server = applied_twice("company");
    let names = server.cli(&["get", "mailboxes", "-o", "name"]).ok().stdout;
    assert_eq!(names.lines().count(), 50, "{names}");
    let outside = "someone@example.edu";
    check(
        &server,
        &[
            (outside, "alice@example.com", "250"),
            (outside, "alice@company.test", "250"),
            (outside, "nobody@example.com", "550 5.1.1"),
            (outside, "facilities@example.com", "550 5.2.1"),
            (outside, "whatever@example.org", "250"),
            (outside, "office@example.net", "556 5.1.10"),
            (outside, "sales@example.com", "250"),
            (outside, "everyone@example.com", "550 5.7.2"),
            ("bob@example.com", "everyone@example.com", "250"),
            (outside, "engineering@example.com", "550 5.7.2"),
            ("zoe@example.com", "engineering@example.com", "250"),
            (outside, "postmaster@example.org", "250"),
        ],
    );
    for user in ["frank@example.com", "grace@example.com", "heidi@example.com", "office@example.org"] {
        server.script("login.py", &[user, "mailwright"]).ok().says("in");
    }
    let text = "X-Id: all\r\n\r\nTo all.\r\n";
    let reply = wire::deliver(server.ports.smtp, "bob@example.com", &["everyone@example.com"], text).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    for user in ["alice@example.com", "office@example.org"] {
        let read = server.script("read_all.py", &[user]).ok().stdout;
        assert_eq!(read.lines().filter(|line| line.starts_with("all ")).count(), 1, "{user} once: {read}");
    }
}
