//! STARTTLS and AUTH from the client's side.

use super::*;

const OFFER: &str = "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN SCRAM-SHA-256\r\n";

fn plain() -> Answer {
    Answer::Sasl { mechanism: "PLAIN".into(), initial: Some(SaslData::from(&b"\0a\0b"[..])) }
}

#[test]
fn tls_comes_first_and_all_is_forgotten() {
    let mut driver = Driver::new(Config { authenticate: true, ..config() }, vec![]);
    driver.responses.push_back(plain());
    check(
        &mut driver,
        &[
            ("220 x\r\n", "EHLO out.example.test\r\n"),
            (OFFER, "STARTTLS\r\n"),
            // RFC 3207 §5: what stands behind the reply is not read, and neither is what comes before the handshake.
            ("220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n", ""),
            ("250 more evil\r\n", ""),
        ],
    );
    assert!(driver.handshakes == 1 && !driver.session.is_tls());
    driver.session.tls_started(driver.now);
    driver.run();
    assert!(driver.session.is_tls() && driver.sent.ends_with("EHLO out.example.test\r\n"));
    assert_eq!(*driver.session.capabilities(), Capabilities::default());
    check(
        &mut driver,
        &[("250-x\r\n250 AUTH PLAIN\r\n", "AUTH PLAIN AGEAYg==\r\n"), ("235 ok\r\n", "QUIT\r\n")],
    );
}

#[test]
fn policies_of_tls() {
    for (policy, ehlo, reply, expected) in [
        (StartTls::Never, OFFER, "", "QUIT\r\n"),
        (StartTls::IfOffered, OFFER, "454 not now\r\n", "STARTTLS\r\nQUIT\r\n"),
        (StartTls::IfOffered, SLOW, "", "QUIT\r\n"),
        (StartTls::Required, OFFER, "454 not now\r\n", "STARTTLS\r\nQUIT\r\n"),
        (StartTls::Required, SLOW, "", "QUIT\r\n"),
    ] {
        let mut driver = Driver::new(Config { starttls: policy, ..config() }, vec![]);
        driver.hear("220 x\r\n");
        let said = driver.hear(ehlo) + &driver.hear(reply);
        assert_eq!(said, expected, "{policy:?} {ehlo}");
        assert_eq!(driver.failed.is_some(), policy == StartTls::Required, "{policy:?} {ehlo}");
    }
}

/// RFC 5802 §5: the octets go to and fro as the driver gives them.
#[test]
fn challenges() {
    let login = Config { authenticate: true, starttls: StartTls::Never, ..config() };
    let mut driver = Driver::new(login, vec![]);
    let first = SaslData::from(&b"n,,n=user,r=x"[..]);
    driver.responses.push_back(Answer::Sasl { mechanism: "SCRAM-SHA-256".into(), initial: Some(first) });
    driver.responses.push_back(Answer::SaslResponse(SaslData::from(&b"c=biws"[..])));
    driver.responses.push_back(Answer::SaslResponse(SaslData::default()));
    driver.hear("220 x\r\n");
    check(
        &mut driver,
        &[
            (OFFER, "AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9eA==\r\n"),
            ("334 cj14eQ==\r\n", "Yz1iaXdz\r\n"),
            ("334 dj14\r\n", "\r\n"),
            ("235 2.7.0 ok\r\n", "QUIT\r\n"),
        ],
    );
    assert_eq!(driver.challenges, [b"r=xy".to_vec(), b"v=x".to_vec()]);
}

#[test]
fn failures() {
    let login = || Config { authenticate: true, starttls: StartTls::Never, ..config() };
    for (ehlo, responses, replies, expected) in [
        (SLOW, vec![], &[][..], Problem::NoAuth),
        (OFFER, vec![Answer::NoSasl], &[], Problem::NoAuth),
        (OFFER, vec![plain()], &["535 no\r\n"], Problem::Refused(Reply::received(535, None, "no".into()))),
        (OFFER, vec![plain()], &["250 yes\r\n"], Problem::Garbage("a reply that AUTH does not have")),
        (OFFER, vec![plain(), Answer::SaslCancel], &["334 eA==\r\n", "501 ok\r\n"], Problem::AuthCancelled),
        (OFFER, vec![plain()], &["334 !\r\n", "235 fooled you\r\n"], Problem::AuthCancelled),
    ] {
        let mut driver = Driver::new(login(), vec![message(&["b@x.test"], "x")]);
        driver.responses = responses.into();
        driver.hear("220 x\r\n");
        driver.hear(ehlo);
        for reply in replies {
            driver.hear(reply);
        }
        let failure = driver.failed.as_ref().unwrap();
        assert_eq!((failure.stage, &failure.problem), (Stage::Auth, &expected));
        assert!(driver.closed && !driver.sent.contains("MAIL"), "nothing is sent without the login");
    }
}

/// RFC 4954 §4: an initial response that makes the line too long goes on a line of its own.
#[test]
fn long_initial_responses() {
    let login = Config { authenticate: true, starttls: StartTls::Never, ..config() };
    for (octets, alone) in [(300, false), (600, true)] {
        let mut driver = Driver::new(login.clone(), vec![]);
        let initial = SaslData::from(vec![b'x'; octets]);
        driver
            .responses
            .push_back(Answer::Sasl { mechanism: "PLAIN".into(), initial: Some(initial.clone()) });
        driver.hear("220 x\r\n");
        let said = driver.hear(OFFER);
        assert_eq!(said == "AUTH PLAIN\r\n", alone);
        if alone {
            assert_eq!(driver.hear("334 \r\n"), format!("{}\r\n", initial.encode()));
        }
    }
}
