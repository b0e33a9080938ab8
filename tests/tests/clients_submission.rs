//! Submission by real clients: msmtp with PLAIN and SCRAM-SHA-256, swaks, Python's smtplib; STARTTLS and TLS from the first byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use mailwright_tests::harness::{Output, Server, need, run, run_with_input};

const MESSAGE: &str = "From: alice@example.test\nTo: bob@example.test\nSubject: hello\n\nHello.\n";

/// msmtp as alice, to these.
fn msmtp(server: &Server, port: u16, options: &[&str], password: &str, to: &[&str]) -> Output {
    let ca = server.certificate().display().to_string();
    let mut command = Command::new("msmtp");
    command
        .args(["--host=localhost", &format!("--port={port}"), "--tls=on", &format!("--tls-trust-file={ca}")])
        .args(["--user=alice@example.test", &format!("--passwordeval=printf '%s\\n' {password}")])
        .args(["--from=alice@example.test", "--domain=client.example.org"])
        .args(options)
        .args(to);
    run_with_input(&mut command, MESSAGE)
}

#[test]
fn msmtp_logs_in_by_each_mechanism_over_both_ways_of_tls() {
    if !need(&["msmtp"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    // Nobody answers there: what leaves waits in the queue.
    let dns = "  dns: {resolvers: [\"127.0.0.1:1\"]}\n  listeners:\n";
    server.manifests.edit("server.yaml", "  listeners:\n", dns);
    server.start();
    let ports = server.ports;
    for (port, tls) in [(ports.submission, "--tls-starttls=on"), (ports.submissions, "--tls-starttls=off")] {
        for mechanism in ["plain", "login", "scram-sha-256"] {
            let auth = format!("--auth={mechanism}");
            msmtp(&server, port, &[tls, &auth], "mailwright", &["bob@example.test"]).ok();
        }
        let refused = msmtp(&server, port, &[tls, "--auth=plain"], "wrong", &["bob@example.test"]);
        assert!(refused.all().contains("535 5.7.8"), "{}", refused.all());
        let refused = msmtp(&server, port, &[tls, "--auth=scram-sha-256"], "wrong", &["bob@example.test"]);
        assert!(refused.all().contains("535 5.7.8"), "{}", refused.all());
    }
    // A way without a login is none.
    let refused =
        msmtp(&server, ports.submissions, &["--tls-starttls=off", "--auth=off"], "x", &["bob@example.test"]);
    assert!(refused.all().contains("530 5.7.0"), "{}", refused.all());
    let refused = msmtp(
        &server,
        ports.submissions,
        &["--tls-starttls=off", "--auth=plain", "--from=bob@example.test"],
        "mailwright",
        &["bob@example.test"],
    );
    assert!(refused.all().contains("553 5.7.1"), "{}", refused.all());
    let other = msmtp(
        &server,
        ports.submissions,
        &["--tls-starttls=off", "--auth=plain"],
        "mailwright",
        &["bob@example.test", "x@there.example.net"],
    );
    other.ok();
    server.cli(&["queue", "list"]).ok().says("x@there.example.net");
}

#[test]
fn swaks_submits_and_is_no_relay_without_a_login() {
    if !need(&["swaks"]) {
        return;
    }
    let server = Server::quickstart();
    let swaks = |port: u16, options: &[&str]| {
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new("swaks");
        command.args(["--server", &address, "--from", "alice@example.test", "--to", "bob@example.test"]);
        run(command.args(options))
    };
    let login = ["--auth-user", "alice@example.test", "--auth-password", "mailwright"];
    let with = |options: &[&'static str]| [options, &login].concat();
    swaks(server.ports.submission, &with(&["--tls", "--auth", "PLAIN"])).ok().says("235 2.7.0");
    swaks(server.ports.submission, &with(&["--tls", "--auth", "LOGIN"])).ok().says("235 2.7.0");
    swaks(server.ports.submissions, &with(&["--tls-on-connect", "--auth", "PLAIN"])).ok().says("235 2.7.0");
    // Without TLS there is no AUTH to be had.
    swaks(server.ports.submission, &with(&["--auth", "PLAIN"])).exits(28);
    swaks(server.ports.submission, &["--tls"]).says("530 5.7.0");
}

#[test]
fn smtplib_submits() {
    if need(&["python3"]) {
        let server = Server::quickstart();
        let ports = [server.ports.submission.to_string(), server.ports.submissions.to_string()];
        server.script("submission_tour.py", &[&ports[0], &ports[1]]).ok();
    }
}
