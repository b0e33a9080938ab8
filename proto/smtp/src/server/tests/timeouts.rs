//! Patience in every state (RFC 5321 §4.5.3.2).

use super::*;

/// Runs into the deadline of the last `Wait`; says how many seconds it was away, and what was sent.
fn expire(driver: &mut Driver) -> (u64, String) {
    driver.run();
    let deadline = driver.deadline.unwrap();
    let before = driver.seen.sent.len();
    let away = (deadline - driver.now).as_secs();
    if away > 0 {
        driver.session.timeout(deadline - Duration::from_secs(1));
        driver.run();
        assert_eq!(driver.seen.sent.len(), before, "too early");
    }
    driver.session.timeout(deadline);
    driver.run();
    (away, driver.seen.sent[before..].to_owned())
}

fn check(said: &str, seconds: u64, reply: &str) -> Driver {
    let mut driver = Driver::greeted();
    driver.say(said);
    assert_eq!(expire(&mut driver), (seconds, reply.to_owned()), "{said:?}");
    assert!(driver.seen.closed);
    driver
}

const TIMEOUT: &str = "421 4.4.2 mx.example.test timeout, closing\r\n";

#[test]
fn per_state() {
    check("", 300, TIMEOUT);
    check("NOO", 300, TIMEOUT);
    check(ENVELOPE, 300, TIMEOUT);
    check("BDAT 5\r\nabc", 180, TIMEOUT);
    let driver = check(&format!("{ENVELOPE}DATA\r\nabc"), 180, TIMEOUT);
    assert_eq!(driver.seen.discards, 1);
    let driver = check(&format!("{ENVELOPE}BDAT 5\r\nabc"), 180, TIMEOUT);
    assert_eq!(driver.seen.discards, 1);
    let driver = check(&format!("{ENVELOPE}BDAT 3\r\nabc"), 300, TIMEOUT);
    assert_eq!(driver.seen.discards, 1);
    check("STARTTLS\r\n", 60, "");
}

/// Until EHLO came, chatting wins no time.
#[test]
fn hello() {
    let mut driver = Driver::new(config());
    driver.run();
    driver.pass(59);
    driver.say("NOOP\r\n");
    assert_eq!(expire(&mut driver), (1, TIMEOUT.to_owned()));
}

/// A line that drips in wins no time either, a complete one does.
#[test]
fn dripping_command() {
    let mut driver = Driver::greeted();
    driver.pass(200);
    driver.say("NOOP");
    driver.pass(50);
    driver.say("\r\n");
    driver.pass(100);
    driver.say("N");
    assert_eq!(expire(&mut driver), (200, TIMEOUT.to_owned()));
}

/// A message that drips in must come within its hour.
#[test]
fn dripping_message() {
    for begin in ["DATA\r\n", "BDAT 100\r\n"] {
        let mut driver = Driver::greeted();
        driver.say(&format!("{ENVELOPE}{begin}"));
        for _ in 0..35 {
            driver.pass(100);
            driver.say("x");
        }
        assert_eq!(expire(&mut driver), (100, TIMEOUT.to_owned()), "{begin}");
        assert_eq!(driver.seen.discards, 1);
    }
    let mut driver = Driver::greeted();
    driver.say(&format!("{ENVELOPE}BDAT 1\r\nx"));
    for _ in 0..34 {
        driver.pass(100);
        driver.say("BDAT 1\r\nx");
    }
    driver.pass(100);
    driver.say("NOOP\r\n");
    assert_eq!(expire(&mut driver).0, 100);
}

/// A chunk that nobody wants has no more time than one that somebody wants.
#[test]
fn dripping_skip() {
    let mut driver = Driver::greeted();
    driver.say("BDAT 100\r\n");
    for _ in 0..35 {
        driver.pass(100);
        driver.say("x");
    }
    assert_eq!(expire(&mut driver), (100, TIMEOUT.to_owned()));
}

#[test]
fn open_question() {
    let mut driver = Driver::greeted();
    driver.session.input(driver.now, b"MAIL FROM:<a@b>\r\n");
    assert!(matches!(driver.session.poll(), Output::Ask(_)));
    assert_eq!(expire(&mut driver), (290, "421 4.3.0 mx.example.test local error, closing\r\n".to_owned()));
    driver.session.answer(driver.now, Answer::Accept);
    driver.run();
    assert!(driver.seen.sent.ends_with("closing\r\n"));
    driver.session.timeout(driver.now + Duration::from_secs(10_000));
    assert_eq!(driver.session.poll(), Output::Close);
}
