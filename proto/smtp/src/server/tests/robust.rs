//! Properties: any bytes in any pieces with any answers lead to valid replies, bounded output, and clean text.

use proptest::prelude::*;

use super::*;

/// Words a client might say, right and wrong, whole and torn.
fn any_word() -> impl Strategy<Value = Vec<u8>> {
    let words = prop_oneof![
        Just("EHLO client.example\r\n"),
        Just("HELO [192.0.2.1]\r\n"),
        Just("MAIL FROM:<a@example.org>\r\n"),
        Just("MAIL FROM:<> SIZE=40 BODY=8BITMIME\r\n"),
        Just("MAIL FROM:<é@example.org> SMTPUTF8\r\n"),
        Just("RCPT TO:<b@example.test>\r\n"),
        Just("RCPT TO:<nobody@example.test>\r\n"),
        Just("RCPT TO:<Postmaster>\r\n"),
        Just("DATA\r\n"),
        Just("BDAT 5\r\n"),
        Just("BDAT 7 LAST\r\n"),
        Just("BDAT 0 LAST\r\n"),
        Just("RSET\r\n"),
        Just("NOOP\r\n"),
        Just("VRFY x\r\n"),
        Just("HELP\r\n"),
        Just("Subject: x\r\n\r\n"),
        Just("text\r\n"),
        Just("..\r\n"),
        Just(".\r\n"),
        Just("\r\n.\r\n"),
        Just("\n.\n"),
        Just("\r"),
        Just("\n"),
        Just("\0"),
    ];
    prop_oneof![
        9 => words.prop_map(|word: &str| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ]
}

/// Without QUIT and STARTTLS: the first says nothing after, the second depends on the cut by design (RFC 3207 §4.2).
fn any_input() -> impl Strategy<Value = Vec<u8>> {
    (proptest::collection::vec(any_word(), 0..30), proptest::option::of((any::<usize>(), any::<u8>())))
        .prop_map(|(words, mutation)| {
            let mut bytes = words.concat();
            if let (Some((at, byte)), false) = (mutation, bytes.is_empty()) {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            bytes
        })
}

/// A conversation that gets somewhere most of the time.
fn likely_input() -> impl Strategy<Value = Vec<u8>> {
    any_input().prop_map(|tail| {
        let head = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
        [head.as_bytes(), &tail].concat()
    })
}

fn small() -> Config {
    let mut config = config();
    config.limits.message_size = 60;
    config.limits.discarded = 60;
    config.limits.command_line = 64;
    config.limits.recipients = 3;
    config
}

/// Replies are reply lines (RFC 5321 §4.2) and nothing else; the code is the same on all lines of one.
fn check_replies(sent: &str) -> Result<(), TestCaseError> {
    prop_assert!(sent.is_empty() || sent.ends_with("\r\n"));
    let mut open: Option<&str> = None;
    for line in sent.split_terminator("\r\n") {
        prop_assert!(
            line.len() <= 510 && line.bytes().all(|b| b == b' ' || b.is_ascii_graphic()),
            "{line:?}"
        );
        let (code, rest) = line.split_at(3);
        prop_assert!(matches!(code.as_bytes(), [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9']), "{line:?}");
        prop_assert!(open.is_none_or(|open| open == code), "{line:?}");
        open = rest.starts_with('-').then_some(code);
        prop_assert!(matches!(rest.as_bytes().first(), None | Some(b'-' | b' ')), "{line:?}");
    }
    prop_assert_eq!(open, None);
    Ok(())
}

fn check_seen(seen: &Seen) -> Result<(), TestCaseError> {
    check_replies(&seen.sent)?;
    for (_, recipients, text) in &seen.stored {
        prop_assert!(!recipients.is_empty());
        prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
        prop_assert!(text.is_empty() || text.ends_with("\r\n"));
    }
    Ok(())
}

fn run_whole(input: &[u8]) -> Seen {
    let mut driver = Driver::new(small());
    driver.give(input);
    driver.seen
}

/// What a client and the store can tell apart; text not yet complete may have been given out up to a different point.
fn outcome(seen: Seen) -> Seen {
    Seen { spool: Vec::new(), ..seen }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn any_conversation(input in prop_oneof![any_input(), likely_input()]) {
        let seen = run_whole(&input);
        check_seen(&seen)?;
        prop_assert!(seen.sent.len() <= 600 + input.len() * 64);
    }

    /// However the input is cut, the outcome is the same.
    #[test]
    fn cuts_do_not_matter(
        input in likely_input(),
        cuts in proptest::collection::vec(1..9usize, 1..40),
    ) {
        let mut driver = Driver::new(small());
        driver.run();
        let mut rest = input.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            driver.give(head);
            rest = tail;
        }
        check_seen(&driver.seen)?;
        let whole = run_whole(&input);
        prop_assert_eq!(outcome(driver.seen), outcome(whole));
    }

    /// Any answers at any time, time passing, shutdown in between: no panic, valid replies, and the end is the end.
    #[test]
    fn any_driver(steps in proptest::collection::vec((any_word(), 0..12u8, 200..700u16), 0..40)) {
        let mut driver = Driver::new(small());
        let mut sent = Vec::new();
        let mut closed = false;
        for (word, action, code) in steps {
            let reply = || Reply::new(code, Enhanced(1, 2, 3), "x\r\ny\u{e9}");
            driver.now += Duration::from_secs(u64::from(action) * 7);
            match action {
                0 => driver.session.answer(driver.now, Answer::Accept),
                1 => driver.session.answer(driver.now, Answer::AcceptAs("a\r\nb\n\nc".to_owned())),
                2 => driver.session.answer(driver.now, Answer::Reject(reply())),
                3 => driver.session.timeout(driver.now),
                4 if code < 220 => driver.session.shutdown(driver.now),
                5 => {
                    driver.session.input(driver.now, b"\r\nSTARTTLS\r\n");
                    let tls = Tls { version: String::new(), cipher: String::new(), server_name: None, channel_binding: false };
                    driver.session.tls_started(driver.now, tls);
                }
                _ => driver.session.input(driver.now, &word),
            }
            for _ in 0..4 {
                match driver.session.poll() {
                    Output::Send(bytes) => {
                        prop_assert!(!closed);
                        sent.extend(bytes);
                    }
                    Output::Body(text) => prop_assert!(!closed && text.len() <= 60 + word.len()),
                    Output::Close => closed = true,
                    Output::Ask(_) if action % 2 == 0 => driver.session.answer(driver.now, Answer::Accept),
                    _ => {}
                }
            }
        }
        check_replies(std::str::from_utf8(&sent).unwrap())?;
        prop_assert!(driver.session.input.len() <= driver.session.config.limits.pending_input + 64);
    }
}

/// A whole conversation cut at every single position, and octet by octet.
#[test]
fn every_cut() {
    let conversation = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nab\r\n..\r\n.\r\n\
                        MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 4\r\nx\r\n.BDAT 3 LAST\r\n\r\n\rNOOP\r\n";
    let good = conversation.replace("BDAT 3 LAST\r\n\r\n\r", "BDAT 2 LAST\r\n\r\n");
    let smuggled = conversation.replace("..\r\n", ".\n");
    for input in [conversation, &good, &smuggled] {
        let whole = outcome(run_whole(input.as_bytes()));
        for cut in 0..=input.len() {
            let mut driver = Driver::new(small());
            driver.give(&input.as_bytes()[..cut]);
            driver.give(&input.as_bytes()[cut..]);
            assert_eq!(outcome(driver.seen), whole, "{input:?} cut at {cut}");
        }
        let mut driver = Driver::new(small());
        input.as_bytes().chunks(1).for_each(|octet| drop(driver.give(octet)));
        assert_eq!(outcome(driver.seen), whole, "{input:?} octet by octet");
    }
    assert_eq!(run_whole(good.as_bytes()).stored.len(), 2);
    assert_eq!(run_whole(conversation.as_bytes()).stored.len(), 1);
    assert!(run_whole(smuggled.as_bytes()).stored.is_empty());
}
