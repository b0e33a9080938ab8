//! Our delivery status notifications before other parsers: Python's email package, and the MIME index of proto/imap.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use chrono::{DateTime, FixedOffset};
use mailwright_flow::queue::dsn::{Kind, Recipient, Report, build};
use mailwright_imap::message::{Content, index};
use mailwright_smtp::Enhanced;
use mailwright_tests::harness::{need, root};
use serde_json::{Value, json};

const MESSAGE: &[u8] =
    b"From: alice@example.test\r\nSubject: Hi\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n--=_report_r-1\r\nHello\r\n";

fn date(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).unwrap()
}

fn recipients() -> [Recipient; 2] {
    let bob = Recipient {
        address: "bob@example.org".to_owned(),
        original: Some("rfc822;bobby@example.org".to_owned()),
        status: Enhanced(5, 1, 1),
        remote: Some("mx.example.org".to_owned()),
        diagnostic: Some("550 5.1.1 no such user, ".to_owned() + &"and a long story ".repeat(20)),
        text: "the other host refused at RCPT".to_owned(),
        attempted: Some(date("2026-11-20T08:05:00+00:00")),
        reached: None,
    };
    let carol = Recipient {
        address: "carol@example.org".to_owned(),
        original: None,
        diagnostic: None,
        ..bob.clone()
    };
    [bob, carol]
}

fn report(kind: Kind, full: bool) -> Vec<u8> {
    let recipients = recipients();
    build(&Report {
        kind,
        hostname: "mail.example.test",
        id: "r-1",
        to: "alice@example.test",
        envelope_id: Some("QQ314159"),
        arrived: date("2026-11-20T08:04:05+00:00"),
        now: date("2026-11-20T08:05:01+00:00"),
        expires: Some(date("2026-11-25T08:04:05+00:00")),
        recipients: &recipients,
        message: MESSAGE,
        full,
        smtputf8: false,
    })
    .message
}

fn python(report: &[u8]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.eml");
    std::fs::write(&path, report).unwrap();
    let script = root().join("tests/clients/report_read.py");
    let output = Command::new("python3").arg(script).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn python_reads_what_was_written() {
    if !need(&["python3"]) {
        return;
    }
    for (kind, full, action, third) in [
        (Kind::Failure, false, "failed", "text/rfc822-headers"),
        (Kind::Failure, true, "failed", "message/rfc822"),
        (Kind::Delay, false, "delayed", "text/rfc822-headers"),
        (Kind::Success, false, "delivered", "text/rfc822-headers"),
    ] {
        let read = python(&report(kind, full));
        assert_eq!(read["type"], "multipart/report");
        assert_eq!(read["report"], "delivery-status");
        assert_eq!(read["parts"], json!(["text/plain", "message/delivery-status", third]));
        assert_eq!(read["auto"], "auto-replied");
        assert_eq!(
            (&read["to"], &read["from"]),
            (&json!("alice@example.test"), &json!("postmaster@mail.example.test"))
        );
        assert_eq!(read["message"]["Original-Envelope-Id"], "QQ314159");
        assert_eq!(read["message"]["Reporting-MTA"], "dns; mail.example.test");
        let recipients = read["recipients"].as_array().unwrap();
        assert_eq!(recipients.len(), 2, "{read}");
        assert_eq!(recipients[0]["Original-Recipient"], "rfc822; bobby@example.org");
        assert_eq!(recipients[0]["Final-Recipient"], "rfc822; bob@example.org");
        assert_eq!((&recipients[1]["Action"], &recipients[1]["Status"]), (&json!(action), &json!("5.1.1")));
        assert!(
            recipients[0]["Diagnostic-Code"].as_str().unwrap().starts_with("smtp; 550 5.1.1 no such user")
        );
        assert_eq!(recipients[1].get("Diagnostic-Code"), None);
        assert_eq!(recipients[0].get("Will-Retry-Until").is_some(), kind == Kind::Delay);
        assert_eq!(read["subject"], "Hi");
        assert!(read["words"].as_str().unwrap().contains("<bob@example.org>"));
    }
}

#[test]
fn the_index_of_our_own_mailboxes_sees_three_parts() {
    let raw = report(Kind::Failure, true);
    let index = index(&raw);
    let Content::Multipart(parts) = &index.root.content else { panic!("it is no multipart: {index:?}") };
    assert_eq!(parts.len(), 3);
    let status = std::str::from_utf8(&raw[parts[1].body.clone()]).unwrap();
    assert!(status.starts_with("Original-Envelope-Id:"), "{status}");
    let Content::Message(envelope, _) = &parts[2].content else {
        panic!("the third is no message: {:?}", parts[2])
    };
    assert_eq!(envelope.subject.as_deref(), Some(&b"Hi"[..]));
    assert_eq!(&raw[parts[2].body.clone()], MESSAGE);
}
