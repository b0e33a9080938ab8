//! Every limit: up to it all is well, beyond it there is a reply and, where it says so, an end.

use super::*;

fn with(change: impl FnOnce(&mut Limits)) -> Driver {
    let mut config = config();
    change(&mut config.limits);
    Driver::greeted_under(config)
}

/// RFC 5321 §4.5.3.1.4 and §4.5.3.1.10.
#[test]
fn command_line() {
    let mut driver = Driver::greeted();
    let fits = format!("NOOP {}\r\n", "x".repeat(4096 - 7));
    assert_eq!(codes(&driver.say(&fits)), ["250"]);
    let long = format!("NOOP {}\r\nNOOP\r\n", "x".repeat(4096 - 6));
    assert!(driver.say(&long).starts_with("500 5.5.2 line too long\r\n250 "));
    let endless = "x".repeat(1_000_000);
    assert_eq!(driver.say(&endless), "");
    assert!(driver.session.wants_input());
    assert_eq!(codes(&driver.say("\r\nNOOP\r\n")), ["500", "250"]);
}

/// RFC 5321 §4.5.3.1.8 and §4.5.3.1.10: 452 for the rest, the message goes to the accepted ones.
#[test]
fn recipients() {
    let mut driver = with(|limits| limits.recipients = 2);
    check_on(
        &mut driver,
        &[
            ("MAIL FROM:<a@b>", "250"),
            ("RCPT TO:<1@c>", "250"),
            ("RCPT TO:<nobody@c>", "550"),
            ("RCPT TO:<2@c>", "250"),
            ("RCPT TO:<3@c>", "452 4.5.3 too many recipients"),
            ("RCPT TO:<4@c>", "452 4.5.3"),
            ("DATA", "354"),
            (".", "250"),
            ("MAIL FROM:<a@b>", "250"),
            ("RCPT TO:<3@c>", "250"),
        ],
    );
    assert_eq!(driver.seen.stored[0].1, ["<1@c>", "<2@c>"]);
}

#[test]
fn refused_recipients() {
    let mut driver = with(|limits| limits.refused_recipients = 2);
    check_on(
        &mut driver,
        &[
            ("MAIL FROM:<a@b>", "250"),
            ("RCPT TO:<nobody1@c>", "550"),
            ("RCPT TO:<later@c>", "450"),
            ("RCPT TO:<nobody2@c>", "550"),
            ("RCPT TO:<nobody3@c>", "421 4.7.0 mx.example.test too many refused recipients"),
        ],
    );
    assert!(driver.seen.closed);
}

#[test]
fn bad_commands() {
    let mut driver = with(|limits| limits.bad_commands = 3);
    check_on(
        &mut driver,
        &[
            ("WHAT", "500"),
            ("DATA", "503"),
            ("NOOP", "250"),
            ("RCPT", "501"),
            ("WHAT", "421 4.7.0 mx.example.test too many bad"),
        ],
    );
    assert!(driver.seen.closed);
}

#[test]
fn idle_commands() {
    let mut driver = with(|limits| limits.idle_commands = 4);
    let message = format!("{ENVELOPE}DATA\r\n.\r\n");
    assert_eq!(codes(&driver.say("NOOP\r\nRSET\r\nVRFY x\r\n")), ["250", "250", "252"]);
    driver.say(&message);
    check_on(
        &mut driver,
        &[
            ("HELP", "214"),
            ("MAIL FROM:<banned@b>", "550"),
            ("MAIL FROM:<a@b> SIZE=99999999999", "552"),
            ("EHLO x", "250-"),
            ("MAIL FROM:<banned@b>", "421 4.7.0 mx.example.test too many commands without a message"),
        ],
    );
    assert!(driver.seen.closed);
}

#[test]
fn messages() {
    let mut driver = with(|limits| limits.messages = 2);
    let message = format!("{ENVELOPE}DATA\r\n.\r\n");
    let sent = driver.say(&message.repeat(3));
    assert_eq!(codes(&sent)[8..], ["421"]);
    assert!(sent.contains("421 4.7.0 mx.example.test too many messages"));
    assert_eq!(driver.seen.stored.len(), 2);
}

#[test]
fn input_while_a_question_is_open() {
    let mut driver = with(|limits| limits.pending_input = 32);
    driver.session.input(driver.now, b"MAIL FROM:<a@b>\r\n");
    assert!(matches!(driver.session.poll(), Output::Ask(_)));
    driver.session.input(driver.now, b"RCPT TO:<c@d>\r\n");
    assert!(driver.session.wants_input());
    driver.session.input(driver.now, b"RCPT TO:<e@f>\r\nNOOP\r\n");
    assert!(!driver.session.wants_input());
    driver.session.answer(driver.now, Answer::Accept);
    driver.run();
    assert!(driver.session.wants_input());
    assert_eq!(codes(&driver.seen.sent), ["250", "250", "250", "250"]);
}

/// A driver that does not look at `wants_input` loses the session, not our memory.
#[test]
fn overrun() {
    let mut driver = with(|limits| limits.pending_input = 32);
    driver.session.input(driver.now, b"MAIL FROM:<a@b>\r\n");
    assert!(matches!(driver.session.poll(), Output::Ask(_)));
    for _ in 0..1000 {
        driver.session.input(driver.now, &[b'x'; 32]);
    }
    assert!(driver.session.input.len() <= 64);
    driver.session.answer(driver.now, Answer::Accept);
    driver.run();
    assert_eq!(codes(&driver.seen.sent), ["250", "421"]);
    assert!(driver.seen.closed);
}

/// A message without end is read so far and no farther.
#[test]
fn endless_message() {
    let mut driver = with(|limits| (limits.message_size, limits.discarded) = (100, 1000));
    driver.say(&format!("{ENVELOPE}DATA\r\n"));
    let line = format!("{}\r\n", "x".repeat(98));
    let mut lines = 0;
    while !driver.seen.closed {
        driver.say(&line);
        lines += 1;
        assert!(lines <= 12 && driver.seen.spool.len() <= 100);
    }
    assert_eq!(codes(&driver.seen.sent).last(), Some(&"421"));
    assert_eq!(driver.seen.discards, 1);
}

/// Replies are sent on the way: a flood of commands is not answered from one buffer.
#[test]
fn replies_are_flushed() {
    let mut config = config();
    config.limits.idle_commands = u32::MAX;
    let mut driver = Driver::greeted_under(config);
    driver.session.input(driver.now, "HELP\r\n".repeat(10_000).as_bytes());
    let mut total = 0;
    while let Output::Send(bytes) = driver.session.poll() {
        assert!(bytes.len() < FLUSH + 1024);
        total += codes(std::str::from_utf8(&bytes).unwrap()).len();
    }
    assert_eq!(total, 10_000);
}
