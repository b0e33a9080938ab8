//! DATA: transparency, smuggling, faults and what they leave behind.

use super::*;

/// Says the text after 354; returns the codes of everything that was answered to it.
fn send(driver: &mut Driver, text: &str) -> Vec<String> {
    assert_eq!(codes(&driver.say(&format!("{ENVELOPE}DATA\r\n"))), ["250", "250", "354"]);
    codes(&driver.say(text)).into_iter().map(str::to_owned).collect()
}

#[test]
fn text_arrives() {
    for (text, expected) in [
        (".\r\n", ""),
        ("Subject: x\r\n\r\nhello\r\n.\r\n", "Subject: x\r\n\r\nhello\r\n"),
        ("..\r\n.x\r\n...\r\n.\r\n", ".\r\nx\r\n..\r\n"),
        ("\r\n\r\n.\r\n", "\r\n\r\n"),
        ("é\t\u{7f}\r\n.\r\n", "é\t\u{7f}\r\n"),
    ] {
        let mut driver = Driver::greeted();
        assert_eq!(send(&mut driver, text), ["250"]);
        assert_eq!(stored(&driver), [latin1(expected.as_bytes())]);
        assert_eq!(driver.session.envelope(), None);
    }
    let long = format!("{}\r\n", "x".repeat(100_000));
    let mut driver = Driver::greeted();
    assert_eq!(send(&mut driver, &format!("{long}.\r\n")), ["250"]);
    assert_eq!(stored(&driver), [long]);
}

/// Every variant of an end that is none: refused at the true end, the session closed, nothing stored.
#[test]
fn smuggling() {
    for end in
        ["\n.\n", "\n.\r\n", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r", "\n.\r", "\r\r\n.\n", "\r\n.\r\r\n"]
    {
        let inner = "MAIL FROM:<x@y>\r\nRCPT TO:<z@example.test>\r\nDATA\r\nsmuggled";
        let mut driver = Driver::greeted();
        let replies = send(&mut driver, &format!("a{end}{inner}\r\n.\r\nMAIL FROM:<x@y>\r\n"));
        assert_eq!(replies, ["550"], "{end:?}");
        assert!(driver.seen.closed && driver.seen.stored.is_empty() && driver.seen.spool.is_empty());
        assert_eq!((driver.seen.discards, driver.seen.asked.len()), (1, 3));
    }
}

#[test]
fn nul_is_refused_and_the_session_goes_on() {
    let mut driver = Driver::greeted();
    assert_eq!(send(&mut driver, "a\0b\r\n.\r\n"), ["550"]);
    assert_eq!(driver.seen.discards, 1);
    assert_eq!(send(&mut driver, "fine\r\n.\r\n"), ["250"]);
    assert_eq!(stored(&driver), ["fine\r\n"]);
}

/// RFC 1870 §6.3: 552 after the true end, then the next message.
#[test]
fn too_big() {
    let mut config = config();
    config.limits.message_size = 10;
    let mut driver = Driver::greeted_under(config);
    assert_eq!(send(&mut driver, "12345678\r\n.\r\n"), ["250"]);
    assert_eq!(send(&mut driver, "123456789\r\n"), Vec::<String>::new());
    assert_eq!(driver.seen.discards, 1);
    assert_eq!(driver.say("QUIT\r\n..\r\nmore\r\n"), "");
    assert!(driver.say(".\r\nNOOP\r\n").starts_with("552 5.3.4 message exceeds the size limit\r\n250 "));
    // Dots that were stuffed do not count.
    assert_eq!(send(&mut driver, "..234567\r\n.\r\n"), ["250"]);
    assert_eq!(stored(&driver), ["12345678\r\n", ".234567\r\n"]);
}

#[test]
fn announced_too_big() {
    let driver = check(&[
        ("MAIL FROM:<a@b> SIZE=52428801", "552 5.3.4"),
        ("MAIL FROM:<a@b> SIZE=99999999999999999999", "552 5.3.4"),
        ("MAIL FROM:<a@b> SIZE=52428800", "250"),
    ]);
    assert_eq!(driver.seen.asked, ["MAIL <a@b>"]);
}

#[test]
fn the_driver_refuses() {
    let driver = check(&[
        ("MAIL FROM:<nodata@b>", "250"),
        ("RCPT TO:<c@d>", "250"),
        ("DATA", "451 4.7.1 not now"),
        ("DATA", "503"),
        ("MAIL FROM:<a@b>", "250"),
        ("RCPT TO:<c@d>", "250"),
        ("DATA", "354"),
        ("virus", ""),
        (".", "554 5.7.1 virus"),
        ("DATA", "503"),
    ]);
    assert!(driver.seen.stored.is_empty());
    assert_eq!(driver.seen.discards, 0);
}

#[test]
fn several_messages() {
    let mut driver = Driver::greeted();
    let one = format!("{ENVELOPE}DATA\r\none\r\n.\r\n");
    let sent = driver.say(&one.repeat(3));
    assert_eq!(codes(&sent), ["250", "250", "354", "250"].repeat(3));
    assert!(sent.contains("accepted as id3"));
    assert_eq!(stored(&driver), ["one\r\n"; 3]);
}
