//! Order and effect of the commands that carry no text.

use super::*;

#[test]
fn greeting_and_hello() {
    let mut driver = Driver::new(config());
    driver.run();
    assert_eq!(driver.seen.sent, "220 mx.example.test ESMTP Mailwright\r\n");
    assert_eq!(
        driver.say("EHLO client.example\r\n"),
        "250-mx.example.test greets 192.0.2.1\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
         250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-STARTTLS\r\n250 HELP\r\n"
    );
    assert_eq!(driver.say("HELO client.example\r\n"), "250 mx.example.test\r\n");
    let transfer = driver.session.transfer();
    assert!(!transfer.esmtp && transfer.tls.is_none());
    assert_eq!(transfer.helo, Some(Helo::Domain(crate::Domain::Name("client.example".to_owned()))));
}

/// RFC 5321 §4.1.4.
#[test]
fn order() {
    let mut driver = Driver::new(config());
    driver.run();
    check_on(
        &mut driver,
        &[
            ("MAIL FROM:<a@b>", "503 5.5.1 say EHLO first"),
            ("STARTTLS", "503 5.5.1 say EHLO first"),
            ("RCPT TO:<a@b>", "503"),
            ("DATA", "503"),
            ("BDAT 0 LAST", "503"),
            ("NOOP", "250 2.0.0"),
            ("RSET", "250 2.0.0"),
            ("VRFY a", "252 2.0.0"),
            ("HELP", "214 2.0.0"),
            ("EHLO x", "250-"),
            ("RCPT TO:<a@b>", "503 5.5.1 say MAIL first"),
            ("DATA", "503 5.5.1"),
            ("MAIL FROM:<a@b>", "250 2.1.0"),
            ("MAIL FROM:<a@b>", "503 5.5.1"),
            ("DATA", "554 5.5.1 no valid recipients"),
            ("RCPT TO:<nobody@b>", "550 5.7.1"),
            ("DATA", "554"),
            ("RCPT TO:<c@d>", "250 2.1.5"),
            ("RSET", "250 2.0.0"),
            ("DATA", "503"),
            ("MAIL FROM:<a@b>", "250"),
            ("RCPT TO:<c@d>", "250"),
            ("EHLO again", "250-"),
            ("DATA", "503"),
            ("MAIL FROM:<a@b>", "250"),
            ("HELO again", "250 mx"),
            ("RCPT TO:<c@d>", "503"),
            ("QUIT", "221 2.0.0"),
            ("NOOP", ""),
        ],
    );
    assert!(driver.seen.closed && driver.seen.stored.is_empty());
    assert_eq!(driver.session.poll(), Output::Close);
}

#[test]
fn syntax_errors_change_nothing() {
    let driver = check(&[
        ("MAIL FROM:<a@b>", "250"),
        ("EHLO", "501 5.5.4 syntax: EHLO domain"),
        ("MAIL FROM:a@b", "501 5.1.7"),
        ("RCPT TO:<>", "501 5.1.3"),
        ("RCPT TO:<b@c> NOTIFY=NEVER", "555 5.5.4"),
        ("RCPT TO:<é@c>", "553 5.6.7"),
        ("RCPT TO:<a@\u{0}>", "500 5.5.2"),
        ("STARTTLS now", "501 5.5.4"),
        ("EXPN x", "502 5.5.1"),
        ("WHAT", "500 5.5.1"),
        ("", "500 5.5.1"),
        ("RCPT TO:<b@c>", "250"),
        ("DATA", "354 "),
        (".", "250 2.0.0 message accepted as id1"),
    ]);
    assert_eq!(driver.seen.stored, [("<a@b>".to_owned(), vec!["<b@c>".to_owned()], String::new())]);
}

/// RFC 6531 §3.4 and §3.5.
#[test]
fn utf8_addresses() {
    let driver = check(&[
        ("MAIL FROM:<é@b>", "553 5.6.7"),
        ("MAIL FROM:<é@b> SMTPUTF8 BODY=8BITMIME", "250"),
        ("RCPT TO:<ü@c>", "250"),
    ]);
    let transfer = driver.session.transfer();
    assert!(transfer.smtputf8 && transfer.esmtp);
    assert_eq!(transfer.body, BodyType::EightBitMime);
    assert_eq!(driver.seen.asked, ["MAIL <é@b>", "RCPT <ü@c>"]);
}

#[test]
fn null_sender_and_postmaster() {
    let driver = check(&[
        ("MAIL FROM:<> SIZE=5 BODY=7BIT", "250"),
        ("RCPT TO:<Postmaster>", "250"),
        ("RCPT TO:<postmaster@example.test>", "250"),
        ("RCPT TO:<@relay.test:b@c>", "250"),
        ("RCPT TO:<b@c>", "250"),
    ]);
    let envelope = driver.session.envelope().unwrap();
    assert_eq!(envelope.reverse_path, ReversePath::Null);
    assert_eq!(envelope.parameters.size, Some(5));
    let recipients: Vec<String> = envelope.recipients.iter().map(ToString::to_string).collect();
    assert_eq!(recipients, ["<postmaster>", "<postmaster@example.test>", "<b@c>", "<b@c>"]);
}

#[test]
fn the_driver_refuses() {
    let driver = check(&[
        ("MAIL FROM:<banned@b>", "550 5.7.1 banned"),
        ("RCPT TO:<c@d>", "503"),
        ("MAIL FROM:<a@b>", "250"),
        ("RCPT TO:<later@d>", "450 4.7.1 later"),
        ("RCPT TO:<wrong@d>", "451 4.3.0"),
        ("RCPT TO:<bye@d>", "421 4.7.1 bye"),
    ]);
    assert!(driver.seen.closed);
    assert_eq!(driver.session.envelope(), None);
}

/// RFC 2920 §3.2: one group, one packet of replies, in order.
#[test]
fn pipelining() {
    let mut driver = Driver::new(config());
    let group = "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<nobody@c>\r\nRCPT TO:<c@c>\r\nDATA\r\nx\r\n.\r\nNOOP\r\nQUIT\r\nNOOP\r\n";
    driver.session.input(driver.now, group.as_bytes());
    let mut sends = 0;
    loop {
        match driver.session.poll() {
            Output::Send(bytes) => {
                sends += 1;
                assert_eq!(
                    codes(std::str::from_utf8(&bytes).unwrap()),
                    ["220", "250", "250", "550", "250", "354", "250", "250", "221"]
                );
            }
            Output::Ask(ask) => driver.answer(&ask),
            Output::Body(bytes) => driver.seen.spool.extend(bytes),
            Output::Close => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sends, 1);
    assert_eq!(stored(&driver), ["x\r\n"]);
}

/// A question that is still open holds back what follows; an answer nobody asked for changes nothing.
#[test]
fn one_question_at_a_time() {
    let mut driver = Driver::greeted();
    driver.session.answer(driver.now, Answer::Accept);
    driver.session.input(driver.now, b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
    driver.session.answer(driver.now, Answer::Accept);
    assert!(matches!(driver.session.poll(), Output::Ask(Ask::Mail { .. })));
    assert!(matches!(driver.session.poll(), Output::Wait { .. }));
    driver.session.answer(driver.now, Answer::Accept);
    assert!(matches!(driver.session.poll(), Output::Ask(Ask::Rcpt { .. })));
    driver.session.answer(driver.now, Answer::Accept);
    driver.session.answer(driver.now, Answer::Accept);
    driver.run();
    assert_eq!(codes(&driver.seen.sent), ["250", "250"]);
}

/// Who speaks before the greeting is answered after it.
#[test]
fn early_talker() {
    let mut driver = Driver::new(config());
    let sent = driver.say("EHLO x\r\nNOOP\r\n");
    assert_eq!(codes(&sent), ["220", "250", "250"]);
}

#[test]
fn http_is_cut_off() {
    let mut driver = Driver::new(config());
    let sent = driver.say("POST / HTTP/1.1\r\nMAIL FROM:<a@b>\r\n");
    assert_eq!(codes(&sent), ["220", "554"]);
    assert!(driver.seen.closed && driver.seen.asked.is_empty());
}

/// Bare CR or LF in a command: nothing behind it is obeyed.
#[test]
fn bare_line_ends() {
    for line in [
        "NOOP\nMAIL FROM:<a@b>\r\n",
        "NOOP\rMAIL FROM:<a@b>\r\n",
        "\nMAIL FROM:<a@b>\r\n",
        "NOOP\r\r\nMAIL FROM:<a@b>\r\n",
    ] {
        let mut driver = Driver::greeted();
        let sent = driver.say(line);
        assert!(sent.starts_with("500 5.5.2 bare CR or LF"), "{sent}");
        assert_eq!(codes(&sent), ["500"], "{line:?}");
        assert!(driver.seen.closed && driver.seen.asked.is_empty());
    }
}
