//! STARTTLS (RFC 3207): nothing from before counts after.

use super::*;

fn tls() -> Tls {
    let cipher = "TLS13_AES_128_GCM_SHA256".to_owned();
    Tls { version: "TLSv1.3".to_owned(), cipher, server_name: None, channel_binding: true }
}

#[test]
fn all_is_forgotten() {
    let mut driver = Driver::greeted();
    driver.say("MAIL FROM:<a@b>\r\n");
    assert_eq!(driver.say("STARTTLS\r\n"), "220 2.0.0 ready to start TLS\r\n");
    assert_eq!((driver.seen.start_tls, driver.session.wants_input()), (1, false));
    driver.session.tls_started(driver.now, tls());
    assert_eq!(driver.session.transfer().helo, None);
    check_on(
        &mut driver,
        &[
            ("MAIL FROM:<a@b>", "503 5.5.1 say EHLO first"),
            ("EHLO x", "250-"),
            ("RCPT TO:<a@b>", "503"),
            ("STARTTLS", "503 5.5.1 TLS is active already"),
            ("MAIL FROM:<a@b>", "250"),
        ],
    );
    assert!(!driver.say("EHLO x\r\n").contains("STARTTLS"));
    assert_eq!(driver.session.transfer().tls, Some(tls()));
}

/// RFC 3207 §5 and CVE-2011-0411: what was injected before the handshake is not obeyed after it.
#[test]
fn injection() {
    for injected in ["EHLO x\r\nMAIL FROM:<a@b>\r\n", "MAIL FRO", "\r", "\n", &"x".repeat(100_000)] {
        let mut driver = Driver::greeted();
        let sent = driver.say(&format!("STARTTLS\r\n{injected}"));
        assert_eq!(codes(&sent), ["220"], "{injected:?}");
        driver.say(injected);
        driver.session.tls_started(driver.now, tls());
        assert_eq!(codes(&driver.say("NOOP\r\n")), ["250"], "{injected:?}");
        assert!(driver.seen.asked.is_empty());
    }
}

/// The reply goes out before the handshake begins.
#[test]
fn order_of_outputs() {
    let mut driver = Driver::greeted();
    driver.session.input(driver.now, b"NOOP\r\nSTARTTLS\r\n");
    assert!(matches!(driver.session.poll(), Output::Send(_)));
    driver.session.tls_started(driver.now, tls());
    assert_eq!(driver.session.transfer().tls, None, "not before it was asked for");
    assert_eq!(driver.session.poll(), Output::StartTls);
    assert!(matches!(driver.session.poll(), Output::Wait { .. }));
    driver.session.tls_started(driver.now, tls());
    driver.session.tls_started(driver.now, tls());
    assert_eq!(codes(&driver.say("EHLO x\r\n")), ["250"]);
}

#[test]
fn not_offered() {
    let mut driver = Driver::greeted_under(Config::new("mx.example.test"));
    check_on(&mut driver, &[("STARTTLS", "502 5.5.1 STARTTLS is not offered")]);
    assert!(!driver.say("EHLO x\r\n").contains("STARTTLS"));
    driver.session.tls_started(driver.now, tls());
    assert_eq!(driver.session.transfer().tls, None);
}
