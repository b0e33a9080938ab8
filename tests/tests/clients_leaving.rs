//! Mail that leaves the executable, as its next hop sees it: both DKIM signatures verify, a refused recipient comes back as a
//! report, and without a login nothing leaves at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use mailwright_tests::harness::{Server, Sink, free_port, need, root, run, skip, wait_for, wire};
use serde_json::{Value, json};

/// Python of Debian, which has Debian's packages.
const PYTHON: &str = "/usr/bin/python3";
const PATIENCE: Duration = Duration::from_secs(60);

/// The quickstart, whose mail leaves by the sink.
fn relaying(sink: &Sink) -> Server {
    let server = Server::example("quickstart");
    let spec = format!(
        "  auth: {{plaintextOnLoopback: true}}\n  relay: {{host: 127.0.0.1, port: {}, tls: None}}\n  tls:\n",
        sink.port
    );
    server.manifests.edit("server.yaml", "  tls:\n", &spec);
    server
}

fn submit(server: &Server, to: &[&str], text: &str) {
    let mut wire = wire::submission(server.ports.submission).unwrap();
    let reply = wire::send(&mut wire, "alice@example.test", to, text).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
}

/// How many messages wait to leave.
fn queued(server: &Server) -> u64 {
    let list = server.cli(&["queue", "list", "--output", "json"]).ok().stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    list["totals"]["messages"].as_u64().unwrap()
}

/// The TXT records to publish, by name.
fn records(server: &Server) -> BTreeMap<String, String> {
    let zones = server.cli(&["dns", "--format", "json"]).ok().stdout;
    let zones: Value = serde_json::from_str(&zones).unwrap();
    let of_zone = |zone: &Value| zone["records"].as_array().unwrap().clone();
    let all = zones.as_array().unwrap().iter().flat_map(of_zone);
    let text = |record: &Value, field: &str| record[field].as_str().unwrap_or_default().to_owned();
    // A value is written as in a zone file: strings of 255 octets in quotes.
    let joined = |value: String| value.split('"').skip(1).step_by(2).collect::<String>();
    all.map(|record| (text(&record, "name"), joined(text(&record, "value")))).collect()
}

/// What dkimpy says of each signature.
fn dkimpy(server: &Server, text: &str) -> String {
    let (keys, message) = (server.scratch().join("records.json"), server.scratch().join("message.eml"));
    std::fs::write(&keys, serde_json::to_vec(&records(server)).unwrap()).unwrap();
    std::fs::write(&message, text).unwrap();
    let verify = root().join("tests/clients/dkim_verify.py");
    run(Command::new(PYTHON).arg(verify).arg(keys).arg(message)).ok().stdout.trim().to_owned()
}

#[test]
fn what_leaves_is_signed_with_both_keys() {
    if Command::new(PYTHON).args(["-c", "import dkim, nacl"]).output().is_ok_and(|o| !o.status.success()) {
        return skip("dkimpy is not installed (cargo xtask test --only install)");
    }
    let sink = Sink::start("nobody");
    let mut server = relaying(&sink);
    server.start();
    let text = "From: Alice <alice@example.test>\r\nTo: victor@there.example.net\r\nSubject: signed\r\n\tand folded\r\n\r\n\
        ..two dots\r\n  spaces  \r\n\r\n";
    submit(&server, &["victor@there.example.net"], text);
    let taken = wait_for("the sink to have it", PATIENCE, || sink.taken().pop());
    assert!(taken.from.contains("<alice@example.test>"), "{taken:?}");
    assert_eq!(taken.text.matches("DKIM-Signature:").count(), 2, "{}", taken.text);
    for added in ["\r\nDate: ", "\r\nMessage-ID: <", "a=rsa-sha256", "a=ed25519-sha256"] {
        assert!(taken.text.contains(added), "{added:?}: {}", taken.text);
    }
    assert_eq!(dkimpy(&server, &taken.text), "pass pass", "{}", taken.text);
    let changed = dkimpy(&server, &taken.text.replace("two dots", "too dots"));
    assert_eq!(changed.matches("fail").count(), 2, "{changed}");
}

#[test]
fn a_refused_recipient_comes_back_to_the_inbox_of_its_sender() {
    if !need(&["python3"]) {
        return;
    }
    let sink = Sink::start("nobody");
    let mut server = relaying(&sink);
    server.start();
    let to = ["victor@there.example.net", "nobody@there.example.net"];
    submit(&server, &to, "From: alice@example.test\r\nSubject: two of you\r\n\r\nHello.");
    let mut imap = wire::Wire::connect(server.ports.imap).unwrap();
    imap.line().unwrap();
    imap.imap("l", "LOGIN alice@example.test mailwright").unwrap();
    imap.imap("s", "SELECT INBOX").unwrap();
    wait_for("the report", PATIENCE, || {
        imap.imap("n", "NOOP").unwrap();
        imap.imap("s", "SEARCH FROM postmaster").unwrap().contains("* SEARCH 1").then_some(())
    });
    let answer = imap.imap("f", "FETCH 1 BODY.PEEK[]").unwrap();
    let report: Vec<&str> = answer.lines().skip(1).collect();
    let end = report.iter().rposition(|line| *line == ")").unwrap();
    let path = server.scratch().join("report.eml");
    std::fs::write(&path, report[..end].join("\r\n")).unwrap();
    let reader = root().join("tests/clients/report_read.py");
    let read = run(Command::new("python3").arg(reader).arg(path)).ok().stdout;
    let read: Value = serde_json::from_str(&read).unwrap();
    assert_eq!((&read["report"], &read["to"]), (&json!("delivery-status"), &json!("alice@example.test")));
    assert_eq!(read["subject"], "two of you");
    let recipients = read["recipients"].as_array().unwrap();
    assert_eq!(recipients.len(), 1, "the other one has it: {read}");
    assert_eq!(recipients[0]["Final-Recipient"], "rfc822; nobody@there.example.net");
    assert_eq!((&recipients[0]["Action"], &recipients[0]["Status"]), (&json!("failed"), &json!("5.1.1")));
    let taken = wait_for("the sink to have it", PATIENCE, || sink.taken().pop());
    assert_eq!(taken.to.len(), 1, "{taken:?}");
    assert!(taken.to[0].contains("<victor@there.example.net>"), "{taken:?}");
    // Nothing waits, and the report was one.
    wait_for("the queue to be empty", PATIENCE, || (queued(&server) == 0).then_some(()));
    assert!(imap.imap("s", "STATUS INBOX (MESSAGES)").unwrap().contains("(MESSAGES 1)"));
}

#[test]
fn nothing_is_relayed_without_a_login_in_any_guise() {
    if !need(&["python3"]) {
        return;
    }
    let sink = Sink::start("nobody");
    let mut server = relaying(&sink);
    let lmtp = free_port();
    let listeners = format!("  listeners:\n    lmtp: {{enabled: true, port: {lmtp}}}\n");
    server.manifests.edit("server.yaml", "  listeners:\n", &listeners);
    server.start();
    let ports = [server.ports.submission, server.ports.submissions, lmtp].map(|port| port.to_string());
    let said = server.script("relay_tries.py", &ports.each_ref().map(String::as_str)).ok().stdout;
    assert!(!said.contains("taken:"), "{said}");
    assert!(said.contains("tried: "), "{said}");
    assert_eq!((queued(&server), sink.taken()), (0, Vec::new()));
    // Where a manifest trusts the network, the script does find what it looks for, and on the port of other servers alone.
    server.stop();
    server.manifests.edit("server.yaml", "  tls:\n", "  trustedNetworks: [127.0.0.0/8]\n  tls:\n");
    server.start();
    let said = server.script("relay_tries.py", &ports.each_ref().map(String::as_str)).ok().stdout;
    assert!(said.contains("taken: smtp <carol@example.org> <victim@there.example.net>"), "{said}");
    for line in said.lines().filter(|line| line.starts_with("taken:")) {
        assert!(line.starts_with("taken: smtp ") || line.starts_with("taken: smtp+tls "), "{line}");
    }
    wait_for("the sink to have it", PATIENCE, || sink.taken().pop());
}
