//! AUTH and the submission port (RFC 4954, RFC 6409).

use super::*;
use crate::sasl::SaslData;

fn submission() -> Config {
    let mut config = config();
    config.kind = Kind::Submission;
    config.dsn = true;
    config.mechanisms = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"].map(str::to_owned).to_vec();
    config
}

/// The session of a client under TLS, whose connection can be bound to or not.
fn under_tls(config: Config, channel_binding: bool) -> Driver {
    let mut driver = Driver::new(config);
    driver.say("EHLO client.example\r\nSTARTTLS\r\n");
    let tls = Tls { version: "TLSv1.3".into(), cipher: "x".into(), server_name: None, channel_binding };
    driver.session.tls_started(driver.now, tls);
    driver.run();
    driver.say("EHLO client.example\r\n");
    driver
}

/// Answers the questions of AUTH in turn.
fn auth(driver: &mut Driver, line: &str, answer: Answer) -> (Option<Ask>, String) {
    let before = driver.seen.sent.len();
    driver.session.input(driver.now, format!("{line}\r\n").as_bytes());
    let mut asked = None;
    loop {
        match driver.session.poll() {
            Output::Send(octets) => driver.seen.sent.push_str(std::str::from_utf8(&octets).unwrap()),
            Output::Ask(ask) => {
                asked = Some(ask);
                driver.session.answer(driver.now, answer.clone());
            }
            Output::Close => {
                driver.seen.closed = true;
                break;
            }
            Output::Wait { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    (asked, driver.seen.sent[before..].to_owned())
}

fn done() -> Answer {
    Answer::Authenticated { login: "alice@example.test".into() }
}

fn wrong() -> Answer {
    Answer::Reject(Reply::new(535, Enhanced(5, 7, 8), "no"))
}

#[test]
fn offered_only_where_it_may_be_used() {
    for (tls, binding, loopback, expected) in [
        (true, true, false, "250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN\r\n"),
        (true, false, false, "250-AUTH SCRAM-SHA-256 PLAIN\r\n"),
        (false, false, true, "250-AUTH SCRAM-SHA-256 PLAIN\r\n"),
    ] {
        let mut config = submission();
        config.plaintext_on_loopback = loopback;
        let mut driver = match tls {
            true => under_tls(config, binding),
            false => Driver::new(config),
        };
        if !tls {
            assert!(!driver.say("EHLO x\r\n").contains("AUTH"), "the peer is not on loopback");
            driver.session.peer.ip = "127.0.0.1".parse().unwrap();
        }
        let offered = driver.say("EHLO x\r\n");
        assert!(offered.contains(expected), "{offered}");
    }
    assert!(!Driver::greeted().say("EHLO x\r\n").contains("AUTH"), "other servers do not log in");
    assert!(Driver::greeted().say("AUTH PLAIN\r\n").starts_with("502 5.5.1"));
}

#[test]
fn nothing_is_sent_before_the_login() {
    let mut driver = Driver::new(submission());
    check_on(
        &mut driver,
        &[
            ("EHLO x", "220 "),
            ("MAIL FROM:<a@example.test>", "530 5.7.0 say STARTTLS and log in first"),
            ("AUTH PLAIN AGEAYg==", "538 5.7.11"),
            ("RCPT TO:<b@example.test>", "503"),
        ],
    );
    let mut driver = under_tls(submission(), true);
    check_on(&mut driver, &[("MAIL FROM:<a@example.test>", "530 5.7.0 log in first"), ("NOOP", "250")]);
    let (asked, said) = auth(&mut driver, "AUTH PLAIN AGEAYg==", done());
    let initial = Some(SaslData::from(&b"\0a\0b"[..]));
    assert_eq!(asked, Some(Ask::Auth { mechanism: "PLAIN".into(), initial }));
    assert!(said.starts_with("235 2.7.0"), "{said}");
    assert_eq!(driver.session.login(), Some("alice@example.test"));
    check_on(&mut driver, &[("AUTH PLAIN AGEAYg==", "503"), ("MAIL FROM:<a@example.test>", "250")]);
    assert!(driver.session.transfer().authenticated);
}

/// RFC 4954 §4.3: challenges and responses, an empty one, and cancelling.
#[test]
fn the_exchange() {
    let mut driver = under_tls(submission(), true);
    let challenge = Answer::Challenge(SaslData::from(&b"r=x"[..]));
    let (asked, said) = auth(&mut driver, "AUTH scram-sha-256", challenge.clone());
    assert_eq!(asked, Some(Ask::Auth { mechanism: "SCRAM-SHA-256".into(), initial: None }));
    assert_eq!(said, "334 cj14\r\n");
    let (asked, _) = auth(&mut driver, "", challenge.clone());
    assert_eq!(asked, Some(Ask::AuthResponse(SaslData::default())));
    let (asked, said) = auth(&mut driver, "*", challenge.clone());
    assert_eq!((asked, said.as_str()), (None, "501 5.7.0 authentication cancelled\r\n"));
    auth(&mut driver, "AUTH PLAIN", challenge.clone());
    let (_, said) = auth(&mut driver, "not base64!", challenge.clone());
    assert_eq!(said, "501 5.5.2 not base64\r\n");
    // RFC 4954 §4: 12288 octets are taken, and not one more.
    auth(&mut driver, "AUTH PLAIN", challenge.clone());
    let (asked, _) = auth(&mut driver, &"A".repeat(12288), challenge.clone());
    assert_eq!(asked, Some(Ask::AuthResponse(SaslData::from(vec![0; 9216]))));
    let (_, said) = auth(&mut driver, &"A".repeat(12292), challenge);
    assert!(said.starts_with("500 5.5.6"), "{said}");
    assert!(driver.say(&format!("NOOP {}\r\n", "x".repeat(5000))).starts_with("500 5.5.2"), "AUTH alone may");
}

#[test]
fn out_of_place() {
    let mut driver = under_tls(submission(), true);
    check_on(
        &mut driver,
        &[
            ("AUTH", "501 5.5.4"),
            ("AUTH GSSAPI", "504 5.5.4"),
            ("AUTH PLAIN AAA", "501 5.5.2"),
            ("AUTH PLAIN =x", "501"),
        ],
    );
    auth(&mut driver, "AUTH PLAIN AGEAYg==", done());
    driver.say("MAIL FROM:<a@example.test>\r\n");
    assert!(driver.say("AUTH PLAIN AGEAYg==\r\n").starts_with("503"));
    let mut driver = under_tls(submission(), true);
    driver.say("HELO x\r\n");
    assert!(driver.say("AUTH PLAIN AGEAYg==\r\n").starts_with("503"), "AUTH is an extension");
}

#[test]
fn guesses_end_the_session() {
    let mut driver = under_tls(submission(), true);
    for _ in 1..Limits::FAILED_LOGINS {
        assert_eq!(auth(&mut driver, "AUTH PLAIN AGEAYg==", wrong()).1, "535 5.7.8 no\r\n");
    }
    let (_, said) = auth(&mut driver, "AUTH PLAIN AGEAYg==", wrong());
    assert!(said.starts_with("535 5.7.8 no\r\n421 4.7.0"), "{said}");
    assert!(driver.seen.closed);
}

/// RFC 3207 §5 and CVE-2011-0411: a login that was put behind STARTTLS in clear is not one.
#[test]
fn injected_logins() {
    let mut driver = Driver::new(submission());
    driver.say("EHLO client.example\r\n");
    driver.say("STARTTLS\r\nEHLO x\r\nAUTH PLAIN AGEAYg==\r\n");
    let tls = Tls { version: "TLSv1.3".into(), cipher: "x".into(), server_name: None, channel_binding: true };
    driver.session.tls_started(driver.now, tls);
    driver.run();
    assert!(driver.say("MAIL FROM:<a@example.test>\r\n").starts_with("503"), "not even EHLO was heard");
    assert_eq!(driver.session.login(), None);
}

#[test]
fn stalls_in_the_exchange() {
    let mut driver = under_tls(submission(), true);
    auth(&mut driver, "AUTH PLAIN", Answer::Challenge(SaslData::default()));
    driver.session.input(driver.now, b"AGEA");
    driver.run();
    driver.pass(Timeouts::COMMAND.as_secs());
    driver.session.timeout(driver.now);
    driver.run();
    assert!(driver.seen.sent.ends_with("timeout, closing\r\n") && driver.seen.closed);
    let mut driver = under_tls(submission(), true);
    auth(&mut driver, "AUTH PLAIN", Answer::Challenge(SaslData::default()));
    driver.session.shutdown(driver.now);
    driver.run();
    assert!(driver.seen.closed, "a drain does not wait for it");
}

/// RFC 3461 §4: the parameters are known where DSN is offered, and reach the driver.
#[test]
fn notifications() {
    let mut driver = under_tls(submission(), true);
    auth(&mut driver, "AUTH PLAIN AGEAYg==", done());
    check_on(
        &mut driver,
        &[
            ("MAIL FROM:<a@example.test> RET=HDRS ENVID=QQ314159 AUTH=<>", "250"),
            ("RCPT TO:<b@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;B@Example.test", "250"),
            ("RCPT TO:<c@example.test>", "250"),
        ],
    );
    let envelope = driver.session.envelope().unwrap();
    assert_eq!(envelope.parameters.envelope_id.as_deref(), Some("QQ314159"));
    assert_eq!(envelope.recipient_parameters.len(), 2);
    assert_eq!(envelope.recipient_parameters[0].original.as_ref().unwrap().address(), "B@Example.test");
    check(&[
        ("MAIL FROM:<a@example.org> RET=HDRS", "555 5.5.4"),
        ("MAIL FROM:<a@example.org> AUTH=<>", "555 5.5.4"),
        ("MAIL FROM:<a@example.org>", "250"),
        ("RCPT TO:<b@example.test> NOTIFY=NEVER", "555 5.5.4"),
    ]);
}
