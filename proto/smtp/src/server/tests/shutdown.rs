//! Draining: 421 at the next safe point (RFC 5321 §3.8).

use super::*;

const DRAINING: &str = "421 4.3.2 mx.example.test shutting down\r\n";

fn shut_down(driver: &mut Driver) -> String {
    let before = driver.seen.sent.len();
    driver.session.shutdown(driver.now);
    driver.run();
    driver.seen.sent[before..].to_owned()
}

#[test]
fn between_commands() {
    for said in ["", "NOO", "MAIL FROM:<a@b>\r\n", ENVELOPE] {
        let mut driver = Driver::greeted();
        driver.say(said);
        assert_eq!(shut_down(&mut driver), DRAINING);
        assert!(driver.seen.closed && !driver.session.wants_input());
        assert_eq!(driver.say("NOOP\r\n"), "");
    }
}

#[test]
fn instead_of_the_greeting() {
    let mut driver = Driver::new(config());
    assert_eq!(shut_down(&mut driver), DRAINING);
    let mut driver = Driver::new(config());
    driver.session.refuse(driver.now, Reply::new(421, Enhanced(4, 7, 0), "too many connections"));
    driver.session.shutdown(driver.now);
    assert_eq!(driver.say("EHLO x\r\n"), "421 4.7.0 too many connections\r\n");
    assert!(driver.seen.closed);
}

/// A message that is on its way is still taken.
#[test]
fn after_the_message() {
    let mut driver = Driver::greeted();
    driver.say(&format!("{ENVELOPE}DATA\r\nx\r\n"));
    assert_eq!(shut_down(&mut driver), "");
    assert_eq!(driver.say(".\r\nNOOP\r\n"), format!("250 2.0.0 message accepted as id1\r\n{DRAINING}"));
    assert_eq!(stored(&driver), ["x\r\n"]);
    let mut driver = Driver::greeted();
    driver.say(&format!("{ENVELOPE}BDAT 4\r\nx\r"));
    assert_eq!(shut_down(&mut driver), "");
    assert_eq!(driver.say("\n."), format!("250 2.0.0 4 octets received\r\n{DRAINING}"));
    assert_eq!(driver.seen.discards, 1);
}

#[test]
fn while_a_question_is_open() {
    let mut driver = Driver::greeted();
    driver.session.input(driver.now, b"MAIL FROM:<a@b>\r\nNOOP\r\n");
    assert!(matches!(driver.session.poll(), Output::Ask(_)));
    driver.session.shutdown(driver.now);
    assert!(matches!(driver.session.poll(), Output::Wait { .. }));
    driver.session.answer(driver.now, Answer::Accept);
    driver.run();
    assert_eq!(driver.seen.sent, format!("250 2.1.0 sender accepted\r\n{DRAINING}"));
}
