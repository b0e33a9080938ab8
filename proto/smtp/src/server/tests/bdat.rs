//! BDAT (RFC 3030): chunks, faults, and octets that must not be taken for commands.

use super::*;

/// RFC 3030 §4.2, the second example: a pipelined message in two chunks.
#[test]
fn chunks() {
    let mut driver = Driver::greeted();
    let sent = driver.say(&format!("{ENVELOPE}BDAT 6\r\nab\r\n.\rBDAT 4 LAST\r\n\nc\r\nNOOP\r\n"));
    assert_eq!(codes(&sent), ["250", "250", "250", "250", "250"]);
    assert!(sent.contains("250 2.0.0 6 octets received\r\n250 2.0.0 message accepted as id1\r\n"));
    assert_eq!(stored(&driver), ["ab\r\n.\r\nc\r\n"]);
    assert_eq!(driver.seen.asked, ["MAIL <a@example.org>", "RCPT <b@example.test>", "DATA", "MESSAGE 10"]);
}

#[test]
fn sizes_of_nothing() {
    for (commands, expected) in [
        ("BDAT 0 LAST\r\n", ""),
        ("BDAT 0\r\nBDAT 0 LAST\r\n", ""),
        ("BDAT 3\r\na\r\nBDAT 0 LAST\r\n", "a\r\n"),
        ("BDAT 0\r\nBDAT 3 LAST\r\na\r\n", "a\r\n"),
        // The line end that a client left out.
        ("BDAT 1 LAST\r\na", "a\r\n"),
        ("BDAT 1\r\naBDAT 0 LAST\r\n", "a\r\n"),
        // Dots are nothing special.
        ("BDAT 8 LAST\r\n..\r\n.\r\n\n", "never"),
        ("BDAT 7 LAST\r\n..\r\n.\r\n", "..\r\n.\r\n"),
    ] {
        let mut driver = Driver::greeted();
        driver.say(&format!("{ENVELOPE}{commands}"));
        let expected: Vec<&str> = if expected == "never" { vec![] } else { vec![expected] };
        assert_eq!(stored(&driver), expected, "{commands:?}");
    }
}

/// RFC 3030 §2 item 1: DATA and BDAT do not mix, and RCPT comes before both.
#[test]
fn in_between() {
    let mut driver = Driver::greeted();
    driver.say(&format!("{ENVELOPE}BDAT 3\r\na\r\n"));
    check_on(
        &mut driver,
        &[
            ("DATA", "503 5.5.1 BDAT has begun"),
            ("RCPT TO:<c@d>", "503"),
            ("MAIL FROM:<c@d>", "503"),
            ("NOOP", "250"),
            ("BDAT 2 LAST\r\n", "250 2.0.0 message accepted"),
        ],
    );
    assert_eq!(stored(&driver), ["a\r\n\r\n"]);
}

#[test]
fn taken_back() {
    for (command, closed) in [("RSET", false), ("EHLO x", false), ("STARTTLS", false), ("QUIT", true)] {
        let mut driver = Driver::greeted();
        driver.say(&format!("{ENVELOPE}BDAT 3\r\na\r\n{command}\r\n"));
        assert_eq!((driver.seen.discards, driver.seen.closed), (1, closed), "{command}");
        assert!(driver.seen.stored.is_empty() && driver.session.envelope().is_none());
    }
}

/// A chunk that nobody wants is no text of commands.
#[test]
fn unwanted_chunks_are_skipped() {
    let mut driver = Driver::greeted();
    assert_eq!(codes(&driver.say("BDAT 6\r\nQUIT\r\nNOOP\r\n")), ["503", "250"]);
    assert_eq!(
        codes(&driver.say("MAIL FROM:<a@b>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")),
        ["250", "554", "250"]
    );
    let refused =
        "RSET\r\nMAIL FROM:<nodata@b>\r\nRCPT TO:<c@d>\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n";
    assert_eq!(codes(&driver.say(refused)), ["250", "250", "250", "451", "503", "250"]);
    assert!(!driver.seen.closed && driver.seen.stored.is_empty());
    assert_eq!(driver.seen.discards, 0);
}

#[test]
fn size_that_cannot_be_read() {
    for line in ["BDAT", "BDAT x", "BDAT 6 LATS", "BDAT 99999999999999999999"] {
        let mut driver = Driver::greeted();
        let sent = driver.say(&format!("{ENVELOPE}{line}\r\nQUIT\r\n"));
        assert_eq!(codes(&sent), ["250", "250", "501"], "{line}");
        assert!(driver.seen.closed);
    }
}

#[test]
fn too_big() {
    let mut config = config();
    config.limits.message_size = 10;
    config.limits.discarded = 90;
    let mut driver = Driver::greeted_under(config);
    let sent =
        driver.say(&format!("{ENVELOPE}BDAT 8\r\n123456\r\nBDAT 4\r\n12\r\nBDAT 2 LAST\r\n\r\nNOOP\r\n"));
    assert_eq!(codes(&sent), ["250", "250", "250", "552", "503", "250"]);
    assert_eq!(driver.seen.discards, 1);
    let sent = driver.say(&format!("{ENVELOPE}BDAT 101\r\n"));
    assert_eq!(codes(&sent), ["250", "250", "421"]);
    assert!(driver.seen.closed && driver.seen.stored.is_empty());
}

/// A bare CR or LF, also one made of the end of a chunk and the beginning of the next.
#[test]
fn bare_line_ends() {
    for chunks in
        ["BDAT 2\r\na\nBDAT", "BDAT 3\r\na\rbNOOP", "BDAT 2 LAST\r\na\rNOOP", "BDAT 2\r\na\rBDAT 1\r\nbNOOP"]
    {
        let mut driver = Driver::greeted();
        let sent = driver.say(&format!("{ENVELOPE}{chunks}\r\n"));
        assert_eq!(codes(&sent).last(), Some(&"550"), "{chunks:?}");
        assert!(driver.seen.closed && driver.seen.stored.is_empty());
        assert_eq!(driver.seen.discards, 1, "{chunks:?}");
    }
}

#[test]
fn nul_is_refused_and_the_session_goes_on() {
    let mut driver = Driver::greeted();
    let sent = driver.say(&format!("{ENVELOPE}BDAT 3 LAST\r\na\0bNOOP\r\n"));
    assert_eq!(codes(&sent), ["250", "250", "550", "250"]);
    assert!(!driver.seen.closed);
}
