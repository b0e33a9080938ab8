//! Extensions of mailboxes and messages with an account in memory: APPEND of several messages, REPLACE, BINARY, quotas,
//! annotations, object identifiers, compression. The dialogues follow the examples of RFC 3502, 8508, 3516, 9208, 5464, 8474.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use mailwright_imap::{Ask, Output};
use memory::{Connection, account, check};

const ONE: &str = "Subject: one\r\nMessage-ID: <1@x>\r\n\r\nfirst body\r\n";
const TWO: &str = "Subject: two\r\nIn-Reply-To: <1@x>\r\n\r\nsecond body\r\n";

#[test]
fn several_messages_are_appended_together() {
    let account = account(&[]);
    let mut c = Connection::selected(&account);
    check(
        &mut c,
        "a APPEND Sent (\\Seen) {3+}\r\nabc (\\Draft) {4+}\r\ndefg",
        &["a OK [APPENDUID 1005 1:2] APPEND completed"],
    );
    // RFC 3502 §6.3.11: with synchronising literals.
    check(&mut c, "A003 APPEND Sent (\\Seen) {5}", &["+ OK"]);
    check(&mut c, "12345 () {6}", &["+ OK"]);
    check(&mut c, "123456", &["A003 OK [APPENDUID 1005 3:4] APPEND completed"]);
    check(
        &mut c,
        "b STATUS Sent (MESSAGES SIZE MAILBOXID)",
        &["* STATUS Sent (MESSAGES 4 SIZE 18 MAILBOXID (F1005))", "b OK STATUS completed"],
    );
}

#[test]
fn one_that_fails_keeps_none() {
    let account = account(&[]);
    account.borrow_mut().quota = 100;
    let mut c = Connection::selected(&account);
    check(&mut c, "a APPEND Sent {50+}", &[""]);
    check(
        &mut c,
        &format!("{} {{200+}}\r\n{}", "x".repeat(50), "y".repeat(200)),
        &["a NO [OVERQUOTA] The quota of this account is used up"],
    );
    check(
        &mut c,
        "b APPEND Sent {3+}\r\nabc nonsense {3+}\r\nabc",
        &["b BAD Expected the end of the line after the message"],
    );
    check(
        &mut c,
        "c APPEND Sent {3+}\r\nabc {0+}\r\n",
        &["c NO [CANNOT] An empty message cannot be appended"],
    );
    check(&mut c, "d STATUS Sent (MESSAGES)", &["* STATUS Sent (MESSAGES 0)", "d OK STATUS completed"]);
    assert!(!c.asked.iter().any(|ask| matches!(ask, Ask::AppendEnd)));
}

/// RFC 8508 §3.3.
#[test]
fn a_message_is_replaced() {
    let account = account(&[ONE, TWO]);
    let mut c = Connection::selected(&account);
    check(
        &mut c,
        "A004 REPLACE 1 INBOX (\\Draft) {9+}\r\nreplaced!",
        &[
            "* OK [APPENDUID 1001 3] Replacement message ready",
            "* 1 EXPUNGE",
            "* 2 EXISTS",
            "A004 OK REPLACE completed",
        ],
    );
    check(
        &mut c,
        "a UID REPLACE 2 Drafts {3+}\r\nabc",
        &["* OK [APPENDUID…", "* 1 EXPUNGE", "* 1 RECENT", "a OK REPLACE completed"],
    );
    check(&mut c, "b REPLACE 7 Drafts {3+}\r\nabc", &["b BAD…"]);
    check(&mut c, "c UID REPLACE 2 Drafts {3+}\r\nabc", &["c NO [NONEXISTENT]…"]);
    check(
        &mut c,
        "d REPLACE 1 INBOX {3+}\r\nabc {3+}\r\nabc",
        &["d BAD Expected the end of the line after the message"],
    );
}

#[test]
fn quotas_are_told_and_not_set() {
    let mut c = Connection::selected(&account(&[ONE]));
    check(
        &mut c,
        "a GETQUOTAROOT INBOX",
        &[
            "* QUOTAROOT INBOX \"\"",
            "* QUOTA \"\" (STORAGE 1 1048576 MESSAGE 1 1000)",
            "a OK GETQUOTAROOT completed",
        ],
    );
    check(
        &mut c,
        "b GETQUOTA \"\"",
        &["* QUOTA \"\" (STORAGE 1 1048576 MESSAGE 1 1000)", "b OK GETQUOTA completed"],
    );
    check(&mut c, "c GETQUOTA other", &["c NO [NONEXISTENT]…"]);
    check(&mut c, "d GETQUOTAROOT missing", &["d NO [NONEXISTENT]…"]);
    check(&mut c, "e SETQUOTA \"\" (STORAGE 512)", &["e NO [NOPERM]…"]);
}

#[test]
fn annotations_are_set_and_told() {
    let mut c = Connection::selected(&account(&[]));
    check(
        &mut c,
        "a GETMETADATA INBOX /private/comment",
        &["* METADATA INBOX (/private/comment NIL)", "a OK GETMETADATA completed"],
    );
    check(
        &mut c,
        "b SETMETADATA INBOX (/private/comment \"Mine\" /shared/x/y ~{3+}\r\na\0b)",
        &["b OK SETMETADATA completed"],
    );
    check(
        &mut c,
        "c GETMETADATA (DEPTH infinity) INBOX (/private /shared)",
        &[
            "* METADATA INBOX (/private/comment \"Mine\" /shared/x/y ~{3}",
            "a\0b)",
            "c OK GETMETADATA completed",
        ],
    );
    check(
        &mut c,
        "d GETMETADATA (MAXSIZE 2) INBOX /private/comment",
        &["d OK [METADATA LONGENTRIES 4] GETMETADATA completed"],
    );
    check(&mut c, "e SETMETADATA INBOX (/private/comment NIL)", &["e OK SETMETADATA completed"]);
    check(
        &mut c,
        "f GETMETADATA INBOX /private/comment",
        &["* METADATA INBOX (/private/comment NIL)", "f OK GETMETADATA completed"],
    );
    check(
        &mut c,
        &format!("g SETMETADATA INBOX (/private/x \"{}\")", "x".repeat(1025)),
        &["g NO [METADATA MAXSIZE 1024]…"],
    );
    check(&mut c, "h SETMETADATA \"\" (/shared/admin \"x\")", &["h NO [NOPERM]…"]);
    check(&mut c, "i GETMETADATA missing /private/x", &["i NO [NONEXISTENT]…"]);
}

#[test]
fn messages_have_names_dates_and_previews() {
    let mut c = Connection::selected(&account(&[ONE, TWO]));
    let fetched = c.send("a FETCH 1:2 (EMAILID THREADID SAVEDATE PREVIEW (LAZY))\r\n");
    let lines: Vec<&str> = fetched.lines().collect();
    let thread = |line: &str| line.split("THREADID (").nth(1).unwrap().split(')').next().unwrap().to_owned();
    assert_eq!(thread(lines[0]), thread(lines[1]), "{fetched}");
    assert!(lines[0].contains("EMAILID (E") && lines[0].ends_with("PREVIEW \"first body\")"), "{fetched}");
    assert!(lines[1].contains("SAVEDATE \"17-Jul-1996 09:44:25 +0000\""), "{fetched}");
    check(
        &mut c,
        &format!("b SEARCH THREADID {}", thread(lines[0])),
        &["* SEARCH 1 2", "b OK SEARCH completed"],
    );
    check(&mut c, "c SEARCH SAVEDBEFORE 1-Jan-1990", &["* SEARCH", "c OK SEARCH completed"]);
}

/// RFC 3516 §4.
#[test]
fn binary_messages_come_and_go() {
    let mut c = Connection::selected(&account(&[]));
    let raw = "Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b";
    check(
        &mut c,
        &format!("a APPEND Sent ~{{{}+}}\r\n{raw}", raw.len()),
        &["a OK [APPENDUID 1005 1] APPEND completed"],
    );
    check(&mut c, "b APPEND Sent ~{3+}\r\na\0b", &["b NO [UNKNOWN-CTE]…"]);
    c.send("c SELECT Sent\r\n");
    check(
        &mut c,
        "d FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1]<1.5>)",
        &["* 1 FETCH (BINARY.SIZE[1] 3 BINARY[1]<1> ~{2}", "\0b)", "d OK FETCH completed"],
    );
    check(&mut c, "e FETCH 1 BODY.PEEK[1]", &["* 1 FETCH (BODY[1] {4}", "YQBi)", "e OK FETCH completed"]);
}

#[test]
fn names_are_utf8_once_that_is_enabled() {
    let mut c = Connection::selected(&account(&[]));
    c.send("a UNSELECT\r\n");
    check(&mut c, "b CREATE Entw&APw-rfe", &["b OK [MAILBOXID…"]);
    check(&mut c, "c APPEND Sent UTF8 (~{3+}\r\nabc)", &["c BAD UTF8 is not enabled"]);
    check(&mut c, "d ENABLE UTF8=ACCEPT", &["* ENABLED UTF8=ACCEPT", "d OK ENABLE completed"]);
    check(
        &mut c,
        "e LIST \"\" \"Entwürf%\"",
        &["* LIST (\\HasNoChildren) \"/\" \"Entwürfe\"", "e OK LIST completed"],
    );
    check(
        &mut c,
        "f STATUS \"Entwürfe\" (MESSAGES)",
        &["* STATUS \"Entwürfe\" (MESSAGES 0)", "f OK STATUS completed"],
    );
    check(&mut c, "g APPEND Sent UTF8 (~{3+}\r\nabc)", &["g OK [APPENDUID…"]);
    check(&mut c, "h CREATE \"A & B\"", &["h OK [MAILBOXID…"]);
}

#[test]
fn special_uses_are_given_once() {
    let mut c = Connection::selected(&account(&[]));
    check(&mut c, "a CREATE More (USE (\\Drafts))", &["a NO [USEATTR]…"]);
    check(&mut c, "b CREATE More (USE (\\All))", &["b NO [USEATTR]…"]);
    check(&mut c, "c CREATE More (USE ())", &["c OK [MAILBOXID…"]);
    check(
        &mut c,
        "d LIST (SPECIAL-USE) \"\" Dr* RETURN (STATUS (MESSAGES))",
        &[
            "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts",
            "* STATUS Drafts (MESSAGES 0)",
            "d OK LIST completed",
        ],
    );
}

#[test]
fn compression_begins_behind_its_reply() {
    let mut c = Connection::selected(&account(&[]));
    check(&mut c, "a COMPRESS LZW", &["a BAD…"]);
    c.session.input(std::time::Instant::now(), b"b COMPRESS DEFLATE\r\n");
    let reply = loop {
        match c.session.poll() {
            Output::Send(bytes) => break String::from_utf8(bytes).unwrap(),
            other => assert!(matches!(other, Output::Yield), "{other:?}"),
        }
    };
    assert_eq!(reply, "b OK DEFLATE active\r\n");
    assert_eq!(c.session.poll(), Output::Compress);
    assert!(matches!(c.session.poll(), Output::Wait { .. }));
}
