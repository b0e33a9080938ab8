//! LMTP (RFC 2033).

use super::*;

fn lmtp() -> Driver {
    let mut config = config();
    config.kind = Kind::Lmtp;
    let mut driver = Driver::new(config);
    assert!(driver.say("").starts_with("220 mx.example.test LMTP"));
    driver
}

/// A message to these, whose end is answered so.
fn end(recipients: usize, answer: Answer) -> (String, bool) {
    let mut driver = lmtp();
    driver.say("LHLO x\r\nMAIL FROM:<a@example.org>\r\n");
    for number in 0..recipients {
        driver.say(&format!("RCPT TO:<u{number}@example.test>\r\n"));
    }
    driver.say("DATA\r\n");
    let before = driver.seen.sent.len();
    driver.session.input(driver.now, b"hello\r\n.\r\n");
    loop {
        match driver.session.poll() {
            Output::Send(octets) => driver.seen.sent.push_str(std::str::from_utf8(&octets).unwrap()),
            Output::Ask(_) => driver.session.answer(driver.now, answer.clone()),
            Output::Wait { .. } => return (driver.seen.sent[before..].to_owned(), false),
            Output::Close => return (driver.seen.sent[before..].to_owned(), true),
            _ => {}
        }
    }
}

#[test]
fn hello() {
    let mut driver = lmtp();
    check_on(
        &mut driver,
        &[("EHLO x", "500 5.5.1"), ("HELO x", "500 5.5.1"), ("MAIL FROM:<a@b.test>", "503")],
    );
    let offered = driver.say("LHLO x\r\n");
    assert!(offered.contains("250-PIPELINING\r\n") && !offered.contains("CHUNKING"), "{offered}");
    check_on(&mut driver, &[("MAIL FROM:<a@b.test>", "250"), ("DATA", "503 5.5.1"), ("RSET", "250")]);
    assert_eq!(driver.say("BDAT 3\r\nabcNOOP\r\n"), "502 5.5.1 CHUNKING is not offered\r\n250 2.0.0 ok\r\n");
    assert!(driver.session.transfer().lmtp);
    check(&[("LHLO x", "500 5.5.1")]);
}

/// RFC 2033 §4.2: one reply for each recipient that was accepted, in their order, whatever the answer.
#[test]
fn a_reply_for_each_recipient() {
    let reply = |code| Reply::new(code, Enhanced(0, 2, 2), "x");
    let (ok, full) = ("250 2.2.2 x\r\n", "452 4.2.2 x\r\n");
    let lost = "451 4.3.0 local error, try again later\r\n";
    for (recipients, answer, expected) in [
        (2, Answer::PerRecipient(vec![reply(250), reply(452)]), [ok, full].concat()),
        (1, Answer::PerRecipient(vec![reply(452)]), full.to_owned()),
        // A driver that says too little promises nothing, one that says too much is cut off.
        (3, Answer::PerRecipient(vec![reply(250)]), [ok, lost, lost].concat()),
        (1, Answer::PerRecipient(vec![reply(250), reply(452)]), ok.to_owned()),
        (2, Answer::Reject(reply(452)), full.repeat(2)),
        (2, Answer::Reject(reply(250)), lost.repeat(2)),
        (2, Answer::Accept, "250 2.0.0 message accepted\r\n".repeat(2)),
        (2, Answer::AcceptAs("id".into()), "250 2.0.0 message accepted as id\r\n".repeat(2)),
    ] {
        assert_eq!(end(recipients, answer.clone()), (expected, false), "{answer:?}");
    }
    let (said, closed) = end(2, Answer::Reject(reply(421)));
    assert!(closed && said == "421 4.2.2 x\r\n".repeat(2), "{said}");
}

#[test]
fn what_the_machine_refuses_has_as_many_replies() {
    let mut config = config();
    config.kind = Kind::Lmtp;
    config.limits.message_size = 10;
    let mut driver = Driver::new(config);
    driver.say("LHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@b.test>\r\nRCPT TO:<c@b.test>\r\nDATA\r\n");
    let said = driver.say("0123456789012345\r\n.\r\nNOOP\r\n");
    assert_eq!(codes(&said), ["552", "552", "250"]);
}
