//! A report as a golden text, which report is wanted when, and the property that nothing a peer says breaks out of its field.
//! Other people's parsers read the reports in tests/tests/clients_dsn.rs.

use proptest::prelude::*;

use super::*;

fn date(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).unwrap()
}

fn recipient() -> Recipient {
    Recipient {
        address: "bob@example.org".to_owned(),
        original: Some("rfc822;Bob@example.org".to_owned()),
        status: Enhanced(5, 1, 1),
        remote: Some("mx.example.org".to_owned()),
        diagnostic: Some("550-5.1.1 no such user\n550 5.1.1 here".to_owned()),
        text: "the other host refused at RCPT".to_owned(),
        attempted: Some(date("2026-11-20T08:05:00+00:00")),
        reached: None,
    }
}

fn report<'a>(kind: Kind, recipients: &'a [Recipient], message: &'a [u8]) -> Report<'a> {
    Report {
        kind,
        hostname: "mail.example.test",
        id: "r-1",
        to: "alice@example.test",
        envelope_id: Some("QQ314159"),
        arrived: date("2026-11-20T08:04:05+00:00"),
        now: date("2026-11-20T08:05:01+00:00"),
        expires: Some(date("2026-11-25T08:04:05+00:00")),
        recipients,
        message,
        full: false,
        smtputf8: false,
    }
}

const MESSAGE: &[u8] = b"From: alice@example.test\r\nSubject: Hi\r\n\r\nSecret words\r\n";

fn text(report: &Report<'_>) -> String {
    String::from_utf8(build(report).message).unwrap()
}

const FAILURE: &str = "\
Date: Fri, 20 Nov 2026 08:05:01 +0000
From: Mail Delivery System <postmaster@mail.example.test>
To: <alice@example.test>
Subject: Your message could not be delivered
Message-ID: <r-1@mail.example.test>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary=\"=_report_r-1\"
Content-Transfer-Encoding: 8bit

--=_report_r-1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

This is the mail system of mail.example.test.

Your message could not be delivered to the recipients below, and is not tried any more.

<bob@example.org>
    the other host refused at RCPT
    mx.example.org said: 550-5.1.1 no such user 550 5.1.1 here

--=_report_r-1
Content-Type: message/delivery-status

Original-Envelope-Id: QQ314159
Reporting-MTA: dns; mail.example.test
Arrival-Date: Fri, 20 Nov 2026 08:04:05 +0000

Original-Recipient: rfc822; Bob@example.org
Final-Recipient: rfc822; bob@example.org
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; 550-5.1.1 no such user 550 5.1.1 here
Last-Attempt-Date: Fri, 20 Nov 2026 08:05:00 +0000

--=_report_r-1
Content-Type: text/rfc822-headers

From: alice@example.test
Subject: Hi

--=_report_r-1--
";

#[test]
fn a_failure() {
    let recipients = [recipient()];
    let notice = build(&report(Kind::Failure, &recipients, MESSAGE));
    assert_eq!(String::from_utf8(notice.message).unwrap(), FAILURE.replace('\n', "\r\n"));
    assert_eq!((notice.to.as_str(), notice.smtputf8), ("alice@example.test", false));
}

#[test]
fn kinds() {
    let mut all = [recipient()];
    let late = text(&report(Kind::Delay, &all, MESSAGE));
    assert!(late.contains("Subject: Your message is delayed\r\n") && late.contains("Action: delayed\r\n"));
    assert!(late.contains("attempts go on until Wed, 25 Nov 2026 08:04:05 +0000.\r\n"), "{late}");
    assert!(late.contains("Will-Retry-Until: Wed, 25 Nov 2026 08:04:05 +0000\r\n"));
    for (reached, action) in
        [(Reached::Delivered, "delivered"), (Reached::Relayed, "relayed"), (Reached::Expanded, "expanded")]
    {
        all[0] =
            Recipient { reached: Some(reached), status: Enhanced(2, 0, 0), diagnostic: None, ..recipient() };
        let good = text(&report(Kind::Success, &all, MESSAGE));
        assert!(good.contains(&format!("Action: {action}\r\nStatus: 2.0.0\r\n")), "{good}");
        assert!(!good.contains("Will-Retry") && !good.contains("Diagnostic"));
    }
}

/// A message that knows how we separate parts stays one part.
#[test]
fn boundaries_are_nowhere_else() {
    let recipients = [recipient()];
    let message = b"X: =_report_r-1_\r\n\r\n--=_report_r-1\r\nContent-Type: message/delivery-status\r\n";
    let text = text(&Report { full: true, ..report(Kind::Failure, &recipients, message) });
    assert!(text.contains("boundary=\"=_report_r-1__\"\r\n"), "{text}");
    assert_eq!(text.matches("\r\n--=_report_r-1__").count(), 4);
}

#[test]
fn what_comes_back() {
    let recipients = [recipient()];
    let returned =
        |message: &[u8], full: bool| text(&Report { full, ..report(Kind::Failure, &recipients, message) });
    let header = returned(MESSAGE, false);
    assert!(
        header.contains("Content-Type: text/rfc822-headers\r\n\r\nFrom: alice") && !header.contains("Secret")
    );
    let whole = returned(MESSAGE, true);
    assert!(
        whole.contains("Content-Type: message/rfc822\r\n\r\nFrom: alice")
            && whole.contains("Secret words\r\n")
    );
    let large = [MESSAGE, &b"x".repeat(MAX_RETURNED)].concat();
    assert!(returned(&large, true).contains("text/rfc822-headers"), "too large to come back whole");
    let long = [b"X: y\r\n".repeat(20_000), b"\r\nbody".to_vec()].concat();
    let long = returned(&long, false);
    assert!(long.len() < MAX_HEADER + 4096 && !long.contains("body"));
    assert!(returned(b"no header at all", false).contains("\r\n--=_report_r-1--\r\n"));
    assert!(returned(b"", true).ends_with("\r\n--=_report_r-1--\r\n"));
}

/// RFC 6533 §3: addresses beyond ASCII.
#[test]
fn internationalised() {
    let recipients = [Recipient { address: "jörg@example.org".to_owned(), original: None, ..recipient() }];
    let report =
        Report { smtputf8: true, ..report(Kind::Failure, &recipients, "Subject: ä\r\n\r\n".as_bytes()) };
    let text = text(&report);
    for part in [
        "report-type=global-delivery-status",
        "Content-Type: message/global-delivery-status",
        "Final-Recipient: utf-8; jörg@example.org\r\n",
        "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(build(&report).smtputf8);
}

#[test]
fn wanted() {
    let default = Notify::default();
    let never = Notify { never: true, ..default };
    let success = Notify { never: false, success: true, failure: false, delay: false };
    for (kind, from, notify, expected) in [
        (Kind::Failure, "alice@example.test", default, true),
        (Kind::Delay, "alice@example.test", default, true),
        (Kind::Success, "alice@example.test", default, false),
        (Kind::Failure, "", default, false),
        (Kind::Delay, "", default, false),
        (Kind::Success, "", success, false),
        (Kind::Failure, "<>", default, false),
        (Kind::Failure, "alice@example.test", never, false),
        (Kind::Delay, "alice@example.test", never, false),
        (Kind::Failure, "alice@example.test", success, false),
        (Kind::Success, "alice@example.test", success, true),
    ] {
        assert_eq!(is_wanted(kind, from, notify), expected, "{kind:?} {from} {notify:?}");
    }
}

#[test]
fn long_diagnostics_are_folded_and_cut() {
    let diagnostic = "550 5.7.1 ".to_owned() + &"words of refusal ".repeat(200);
    let recipients = [Recipient { diagnostic: Some(diagnostic), ..recipient() }];
    let text = text(&report(Kind::Failure, &recipients, MESSAGE));
    let status = text.split("--=_report_r-1").nth(2).unwrap();
    assert!(status.lines().all(|line| line.len() <= 78), "{status}");
    assert!(text.len() < 5000);
    assert!(text.split("\r\n").all(|line| line.len() < 1100));
}

proptest! {
    /// Whatever a peer or a client wrote: one field stays one field, one part one part, and every line ends with CRLF.
    #[test]
    fn nothing_breaks_out(said in "\\PC{0,40}[\r\n]{0,2}(Action: delivered|--=_report_r-1)?\\PC{0,40}", header in "(X: y\r\n|é|\r\n){0,6}") {
        let recipients = [Recipient {
            address: said.clone(), original: Some(said.clone()), remote: Some(said.clone()), diagnostic: Some(said.clone()), text: said.clone(),
            ..recipient()
        }];
        let report = Report { envelope_id: Some(&said), to: &said, ..report(Kind::Failure, &recipients, header.as_bytes()) };
        let text = text(&report);
        let status = text.split("\r\n--=_report_r-1\r\n").nth(2).unwrap();
        let names: Vec<&str> = status.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_once(':').map(|(name, _)| name)).collect();
        prop_assert_eq!(names, [
            "Content-Type", "Original-Envelope-Id", "Reporting-MTA", "Arrival-Date", "Original-Recipient", "Final-Recipient", "Action", "Status",
            "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date",
        ]);
        prop_assert_eq!(text.matches("\r\n--=_report_r-1").count(), 4);
        prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }
}
