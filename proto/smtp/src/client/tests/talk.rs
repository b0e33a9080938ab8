//! Dialogues with an honest server: known answers, command by command.

use super::*;

/// RFC 5321 Appendix D.1, without its mistakes: one recipient is unknown, the others get the message.
#[test]
fn typical_scenario() {
    let to = ["Jones@bar.com", "Green@bar.com", "Brown@bar.com"];
    let mut driver = Driver::new(config(), vec![message(&to, "Blah blah blah...\r\n...etc. etc. etc.\r\n")]);
    check(
        &mut driver,
        &[
            ("220 foo.com Simple Mail Transfer Service Ready\r\n", "EHLO out.example.test\r\n"),
            (
                "250-foo.com greets bar.com\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250 HELP\r\n",
                "MAIL FROM:<a@example.test> SIZE=38\r\n",
            ),
            ("250 OK\r\n", "RCPT TO:<Jones@bar.com>\r\n"),
            ("250 OK\r\n", "RCPT TO:<Green@bar.com>\r\n"),
            ("550 No such user here\r\n", "RCPT TO:<Brown@bar.com>\r\n"),
            ("250 OK\r\n", "DATA\r\n"),
            (
                "354 Start mail input; end with <CRLF>.<CRLF>\r\n",
                "Blah blah blah...\r\n....etc. etc. etc.\r\n.\r\n",
            ),
            ("250 OK\r\n", "QUIT\r\n"),
            ("221 foo.com Service closing transmission channel\r\n", ""),
        ],
    );
    assert_eq!(driver.fates(), ["accepted 250", "RCPT 550", "accepted 250"]);
    assert!(driver.closed && driver.failed.is_none());
}

/// RFC 2920 §4: the envelope goes in one piece, and the next message behind it on the same connection.
#[test]
fn pipelined() {
    let mut driver = Driver::new(
        config(),
        vec![message(&["b@x.test", "c@x.test"], "one\r\n"), message(&["d@x.test"], "two\r\n")],
    );
    let envelope = "MAIL FROM:<a@example.test>\r\nRCPT TO:<b@x.test>\r\nRCPT TO:<c@x.test>\r\nDATA\r\n";
    check(
        &mut driver,
        &[
            ("220 x\r\n", "EHLO out.example.test\r\n"),
            (EHLO, envelope),
            ("250 ok\r\n250 ok\r\n452 full\r\n354 go\r\n", "one\r\n.\r\n"),
            ("250 ok\r\n", "MAIL FROM:<a@example.test>\r\nRCPT TO:<d@x.test>\r\nDATA\r\n"),
            ("250 ok\r\n250 ok\r\n354 go\r\n", "two\r\n.\r\n"),
            ("451 later\r\n", "QUIT\r\n"),
            ("221 bye\r\n", ""),
        ],
    );
    assert_eq!(driver.fates(), ["accepted 250", "RCPT 452"]);
    assert_eq!(short(&driver.results[1][0]), "end of message 451");
}

/// RFC 2920 §3.1: all recipients are refused, and DATA is accepted all the same; then RSET before the next message.
#[test]
fn nobody_is_left() {
    for (data, answer, reset) in [
        ("554 no valid recipients\r\n", "", true),
        ("503 no valid recipients\r\n", "", true),
        ("354 go\r\n", ".\r\n", false),
    ] {
        let mut driver =
            Driver::new(config(), vec![message(&["b@x.test"], "one\r\n"), message(&["c@x.test"], "two\r\n")]);
        driver.hear("220 x\r\n");
        driver.hear(EHLO);
        let next = "MAIL FROM:<a@example.test>\r\nRCPT TO:<c@x.test>\r\nDATA\r\n";
        let next = if reset { format!("RSET\r\n{next}") } else { next.to_owned() };
        driver.hear("250 ok\r\n550 no\r\n");
        match answer {
            "" => check(&mut driver, &[(data, &next)]),
            answer => check(&mut driver, &[(data, answer), ("554 nobody\r\n", &next)]),
        }
        assert_eq!(driver.fates(), ["RCPT 550"]);
    }
}

#[test]
fn refusals_at_each_stage() {
    for (replies, expected) in [
        (&["550 no"][..], "MAIL 550"),
        (&["451 no", "503 x", "503 x"], "MAIL 451"),
        (&["250 ok", "450 greylisted"], "RCPT 450"),
        (&["250 ok", "250 ok", "451 no"], "DATA 451"),
        (&["250 ok", "250 ok", "354 go", "554 virus"], "end of message 554"),
    ] {
        for ehlo in [EHLO, SLOW] {
            let mut driver = Driver::new(config(), vec![message(&["b@x.test"], "one\r\n")]);
            driver.hear("220 x\r\n");
            driver.hear(ehlo);
            for reply in replies {
                if driver.results.is_empty() {
                    driver.hear(&format!("{reply}\r\n"));
                }
            }
            // What was pipelined behind the refusal is answered too.
            while driver.results.is_empty() {
                driver.hear("503 bad sequence\r\n");
            }
            assert_eq!(driver.fates(), [expected], "{ehlo}");
            assert!(driver.failed.is_none(), "the session goes on");
        }
    }
}

#[test]
fn ehlo_is_not_known_everywhere() {
    let mut driver = Driver::new(config(), vec![message(&["b@x.test"], "one\r\n")]);
    check(
        &mut driver,
        &[
            ("220 old\r\n", "EHLO out.example.test\r\n"),
            ("500 what?\r\n", "HELO out.example.test\r\n"),
            ("250 old\r\n", "MAIL FROM:<a@example.test>\r\n"),
        ],
    );
    let lmtp = Config { lmtp: true, ..config() };
    let mut driver = Driver::new(lmtp, vec![]);
    check(&mut driver, &[("220 x\r\n", "LHLO out.example.test\r\n"), ("500 what?\r\n", "QUIT\r\n")]);
    assert_eq!(driver.failed.unwrap().stage, Stage::Hello);
}

/// RFC 3030 §4.2: chunks, where they and pipelining are offered.
#[test]
fn chunks() {
    let ehlo = "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    let mut driver = Driver::new(config(), vec![message(&["b@x.test"], ".one\r\ntwo")]);
    driver.hear("220 x\r\n");
    check(
        &mut driver,
        &[
            (ehlo, "MAIL FROM:<a@example.test>\r\nRCPT TO:<b@x.test>\r\n"),
            ("250 ok\r\n250 ok\r\n", "BDAT 7\r\n.one\r\ntBDAT 2\r\nwoBDAT 2 LAST\r\n\r\n"),
            ("250 ok\r\n250 ok\r\n", ""),
            ("250 stored\r\n", "QUIT\r\n"),
        ],
    );
    assert_eq!(driver.fates(), ["accepted 250"]);
}

/// A chunk that is refused ends the message; RSET clears it away.
#[test]
fn refused_chunks() {
    let ehlo = "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    let mut driver =
        Driver::new(config(), vec![message(&["b@x.test"], "0123456789"), message(&["c@x.test"], "x")]);
    driver.hear("220 x\r\n");
    driver.hear(ehlo);
    driver.hear("250 ok\r\n250 ok\r\n");
    driver.hear("552 too big\r\n503 x\r\n503 x\r\n");
    assert_eq!(driver.fates(), ["DATA 552"]);
    let next = "RSET\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<c@x.test>\r\n";
    assert!(driver.sent.ends_with(next), "{}", driver.sent);
}

/// RFC 2033 §4.2: a reply for each accepted recipient, in their order.
#[test]
fn lmtp() {
    let lmtp = Config { lmtp: true, ..config() };
    let mut driver =
        Driver::new(lmtp, vec![message(&["pat@foo.test", "jones@foo.test", "green@foo.test"], "x\r\n")]);
    driver.hear("220 foo.edu LMTP server ready\r\n");
    driver.hear("250-foo.edu\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE\r\n");
    driver.hear("250 OK\r\n250 OK\r\n550 No such user here\r\n250 OK\r\n354 go\r\n");
    check(
        &mut driver,
        &[("250 OK\r\n", ""), ("452 <green@foo.test> is temporarily over quota\r\n", "QUIT\r\n")],
    );
    assert_eq!(driver.fates(), ["accepted 250", "RCPT 550", "end of message 452"]);
}

#[test]
fn what_the_server_lacks_is_not_tried() {
    let (mut binary, text) = message(&["b@x.test"], "\u{e9}\r\n");
    binary.body = BodyType::EightBitMime;
    let mut driver = Driver::new(config(), vec![(binary, text)]);
    driver.hear("220 x\r\n");
    assert_eq!(driver.hear(SLOW), "QUIT\r\n");
    assert_eq!(driver.fates(), ["the next server does not offer 8BITMIME"]);
}

/// RFC 2920 §3.1: no more on its way than both sides can hold.
#[test]
fn the_window_is_bounded() {
    let to: Vec<String> = (0..1000).map(|n| format!("u{n}@x.test")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let mut driver = Driver::new(config(), vec![message(&to, "x\r\n")]);
    driver.hear("220 x\r\n");
    assert_eq!(driver.hear(EHLO).matches("\r\n").count(), Limits::WINDOW);
    for _ in 0..901 {
        assert_eq!(driver.hear("250 ok\r\n").matches("\r\n").count(), 1);
    }
    assert!(driver.sent.contains("RCPT TO:<u999@x.test>\r\n"));
    let rest = "250 ok\r\n".repeat(100);
    driver.hear(&rest);
    driver.hear("354 go\r\n");
    driver.hear("250 ok\r\n");
    assert_eq!(driver.fates().iter().filter(|fate| *fate == "accepted 250").count(), 1000);
}
