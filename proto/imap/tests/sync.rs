//! CONDSTORE and QRESYNC (RFC 7162), ESEARCH (RFC 4731), SEARCHRES (RFC 5182), WITHIN (RFC 5032), SORT and THREAD (RFC 5256,
//! RFC 5957) and IMAP4rev2's ways of telling (RFC 9051), through the session.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use memory::{Connection, USER, account};
use std::cell::RefCell;
use std::rc::Rc;

fn messages(count: usize) -> Rc<RefCell<memory::Account>> {
    let raw: Vec<String> = (1..=count).map(|n| format!("Subject: {n}\r\n\r\nbody {n}\r\n")).collect();
    let account = account(&raw.iter().map(String::as_str).collect::<Vec<_>>());
    // Another session was told of them: nothing is `\Recent` in the tests.
    Connection::selected(&account);
    account
}

/// Logs in and enables.
fn enabled(account: &Rc<RefCell<memory::Account>>, names: &str) -> Connection {
    let mut connection = Connection::open(account, true);
    connection.receive();
    connection.send(&format!("l LOGIN {USER} {}\r\n", memory::PASSWORD));
    let answer = connection.send(&format!("e ENABLE {names}\r\n"));
    assert!(answer.contains("* ENABLED"), "{answer}");
    connection
}

#[track_caller]
fn check(connection: &mut Connection, command: &str, expected: &[&str]) {
    let answer = connection.send(&format!("{command}\r\n"));
    assert_eq!(answer.lines().collect::<Vec<_>>(), expected, "{command}");
}

/// RFC 7162 §3.1: MODSEQ comes with the first command that asks for it, and from then on by itself.
#[test]
fn condstore_is_enabled_by_use() {
    let account = messages(3);
    let mut plain = Connection::selected(&account);
    let mut other = Connection::selected(&account);
    check(&mut plain, "a STORE 1 +FLAGS (\\Seen)", &["* 1 FETCH (FLAGS (\\Seen))", "a OK STORE completed"]);
    check(&mut other, "b NOOP", &["* 1 FETCH (UID 1 FLAGS (\\Seen))", "b OK NOOP completed"]);
    check(
        &mut other,
        "c FETCH 1:2 (MODSEQ)",
        &[
            "* OK [HIGHESTMODSEQ 5] Highest",
            "* 1 FETCH (MODSEQ (5))",
            "* 2 FETCH (MODSEQ (3))",
            "c OK FETCH completed",
        ],
    );
    check(&mut plain, "d STORE 2 +FLAGS.SILENT (\\Seen)", &["d OK STORE completed"]);
    check(&mut other, "e NOOP", &["* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (6))", "e OK NOOP completed"]);
    // A flag that went there and back is news all the same.
    plain.send("f STORE 2 -FLAGS.SILENT (\\Seen)\r\n");
    plain.send("g STORE 2 +FLAGS.SILENT (\\Seen)\r\n");
    check(&mut other, "h NOOP", &["* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (8))", "h OK NOOP completed"]);
    check(&mut plain, "i NOOP", &["i OK NOOP completed"]);
    // Reading marks, and says with which MODSEQ.
    check(
        &mut other,
        "j FETCH 3 BODY[TEXT]",
        &["* 3 FETCH (BODY[TEXT] {8}", "body 3", " FLAGS (\\Seen) MODSEQ (9))", "j OK FETCH completed"],
    );
}

/// RFC 7162 §3.1.3, Example 5 and what follows.
#[test]
fn conditional_store() {
    let account = messages(3);
    let mut alice = Connection::selected(&account);
    let mut bob = Connection::selected(&account);
    bob.send("x STORE 2 +FLAGS (\\Flagged)\r\n");
    check(
        &mut alice,
        "a STORE 1:3 (UNCHANGEDSINCE 4) +FLAGS.SILENT (\\Deleted)",
        &[
            "* OK [HIGHESTMODSEQ 4] Highest",
            "* 1 FETCH (UID 1 MODSEQ (6))",
            "* 2 FETCH (FLAGS (\\Flagged) MODSEQ (5))",
            "* 3 FETCH (UID 3 MODSEQ (6))",
            "a OK [MODIFIED 2] STORE completed",
        ],
    );
    check(
        &mut alice,
        "b UID STORE 1:3 (UNCHANGEDSINCE 0) FLAGS ()",
        &["b OK [MODIFIED 1:3] STORE completed"],
    );
    check(
        &mut alice,
        "c UID STORE 2 (UNCHANGEDSINCE 5) +FLAGS (\\Seen)",
        &["* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen) MODSEQ (8))", "c OK STORE completed"],
    );
}

#[test]
fn changed_since_and_status() {
    let account = messages(3);
    let mut c = Connection::selected(&account);
    check(
        &mut c,
        "a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3)",
        &["* OK [HIGHESTMODSEQ 4] Highest", "* 3 FETCH (UID 3 FLAGS () MODSEQ (4))", "a OK FETCH completed"],
    );
    check(&mut c, "b FETCH 1:3 FLAGS (CHANGEDSINCE 4)", &["b OK FETCH completed"]);
    check(
        &mut c,
        "d STATUS INBOX (MESSAGES HIGHESTMODSEQ)",
        &["* STATUS INBOX (MESSAGES 3 HIGHESTMODSEQ 4)", "d OK STATUS completed"],
    );
    check(
        &mut c,
        "e UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)",
        &["e BAD VANISHED is for UID FETCH after ENABLE QRESYNC"],
    );
    check(&mut c, "f SEARCH MODSEQ 3", &["* SEARCH 2 3 (MODSEQ 4)", "f OK SEARCH completed"]);
    check(&mut c, "g SEARCH MODSEQ 9", &["* SEARCH", "g OK SEARCH completed"]);
}

/// RFC 7162 §3.2.5 and §3.2.10.
#[test]
fn qresync() {
    let account = messages(6);
    let mut other = Connection::selected(&account);
    let mut c = enabled(&account, "QRESYNC");
    check(
        &mut c,
        "a SELECT INBOX (QRESYNC (999 1))",
        &[
            "* OK [MAILBOXID (F1001)] Stays when it is renamed",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags permitted",
            "* 6 EXISTS",
            "* 0 RECENT",
            "* OK [UNSEEN 1] First unseen message",
            "* OK [UIDVALIDITY 1001] UIDs are valid",
            "* OK [UIDNEXT 7] Predicted next UID",
            "* OK [HIGHESTMODSEQ 7] Highest",
            "a OK [READ-WRITE] SELECT completed",
        ],
    );
    other.send("x STORE 2,3,5 +FLAGS.SILENT (\\Deleted)\r\n");
    other.send("y EXPUNGE\r\n");
    other.send("z STORE 1 +FLAGS.SILENT (\\Seen)\r\n");
    check(
        &mut c,
        "b NOOP",
        &["* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (10))", "* VANISHED 2:3,5", "b OK NOOP completed"],
    );
    check(
        &mut c,
        "d STORE 2 +FLAGS (\\Deleted)",
        &["* 2 FETCH (UID 4 FLAGS (\\Deleted) MODSEQ (11))", "d OK STORE completed"],
    );
    check(&mut c, "e EXPUNGE", &["* VANISHED 4", "e OK [HIGHESTMODSEQ 12] EXPUNGE completed"]);
    check(
        &mut c,
        "f UID FETCH 1:* (FLAGS) (CHANGEDSINCE 8 VANISHED)",
        &["* VANISHED (EARLIER) 2:5", "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (10))", "f OK FETCH completed"],
    );
    let answer = c.send("g SELECT INBOX (QRESYNC (1001 8 1:3,5:6))\r\n");
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(lines[0], "* OK [CLOSED] Previous mailbox is closed");
    assert_eq!(
        lines[lines.len() - 3..],
        [
            "* VANISHED (EARLIER) 2:3,5",
            "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (10))",
            "g OK [READ-WRITE] SELECT completed"
        ]
    );
}

#[test]
fn qresync_comes_after_enable() {
    let mut c = enabled(&messages(1), "CONDSTORE");
    check(&mut c, "a SELECT INBOX (QRESYNC (1001 1))", &["a BAD ENABLE QRESYNC comes first"]);
    let answer = c.send("b SELECT INBOX (CONDSTORE)\r\n");
    assert!(answer.ends_with("b OK [READ-WRITE] SELECT completed\r\n"), "{answer}");
}

/// RFC 4731 §3.1 and §3.2's forms.
#[test]
fn esearch() {
    let mut c = Connection::selected(&messages(5));
    let done = |tag: &str| format!("{tag} OK SEARCH completed");
    let mut check = |command: &str, line: &str| {
        let tag = command.split(' ').next().unwrap();
        let expected = [line.to_owned(), done(tag)];
        let answer = c.send(&format!("{command}\r\n"));
        let expected: Vec<&str> =
            expected.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        assert_eq!(answer.lines().collect::<Vec<_>>(), expected, "{command}");
    };
    check("A282 SEARCH RETURN (MIN COUNT) 2:4", "* ESEARCH (TAG \"A282\") MIN 2 COUNT 3");
    check("A283 SEARCH RETURN () 1:2,4:5", "* ESEARCH (TAG \"A283\") ALL 1:2,4:5");
    check("A284 UID SEARCH RETURN (MIN MAX) ALL", "* ESEARCH (TAG \"A284\") UID MIN 1 MAX 5");
    check("A285 SEARCH RETURN (MIN MAX ALL COUNT) SUBJECT none", "* ESEARCH (TAG \"A285\") COUNT 0");
    check("A286 SEARCH RETURN (ALL) SUBJECT none", "* ESEARCH (TAG \"A286\")");
    check("A287 SEARCH ALL", "* SEARCH 1 2 3 4 5");
    let answer = c.send("A288 SEARCH RETURN (MAX) MODSEQ 3\r\n");
    assert!(answer.contains("\r\n* ESEARCH (TAG \"A288\") MAX 5 MODSEQ 6\r\n"), "{answer}");
}

/// RFC 5182 §2.4's examples.
#[test]
fn search_results_are_remembered() {
    let mut c = Connection::selected(&messages(5));
    check(&mut c, "a SEARCH RETURN (SAVE) 2:4", &["a OK SEARCH completed"]);
    check(
        &mut c,
        "b FETCH $ (UID)",
        &["* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)", "* 4 FETCH (UID 4)", "b OK FETCH completed"],
    );
    check(&mut c, "d SEARCH RETURN (SAVE MIN) $", &["* ESEARCH (TAG \"d\") MIN 2", "d OK SEARCH completed"]);
    check(&mut c, "e UID SEARCH NOT $", &["* SEARCH 1 3 4 5", "e OK SEARCH completed"]);
    check(
        &mut c,
        "f SEARCH RETURN (SAVE COUNT MAX) 1,4",
        &["* ESEARCH (TAG \"f\") MAX 4 COUNT 2", "f OK SEARCH completed"],
    );
    check(&mut c, "g STORE $ +FLAGS.SILENT (\\Deleted)", &["g OK STORE completed"]);
    check(&mut c, "h EXPUNGE", &["* 4 EXPUNGE", "* 1 EXPUNGE", "h OK EXPUNGE completed"]);
    // What is gone is in no result.
    check(&mut c, "i UID FETCH $ FLAGS", &["i OK FETCH completed"]);
    check(&mut c, "j COPY $ Trash", &["j OK COPY completed"]);
    // A mistake leaves the result as it is, a new mailbox has none.
    check(&mut c, "k SEARCH RETURN (SAVE) 1", &["k OK SEARCH completed"]);
    assert!(c.send("l SEARCH RETURN (SAVE) FOO\r\n").starts_with("l BAD"));
    check(&mut c, "m FETCH $ UID", &["* 1 FETCH (UID 2)", "m OK FETCH completed"]);
    c.send("n SELECT INBOX\r\n");
    check(&mut c, "o FETCH $ UID", &["o OK FETCH completed"]);
}

/// RFC 5032 §3: messages here are of one moment, which is the clock's, too.
#[test]
fn within() {
    let account = messages(2);
    account.borrow_mut().folders.get_mut("INBOX").unwrap().messages.get_mut(&1).unwrap().date -= 600;
    let mut c = Connection::selected(&account);
    for (key, found) in [
        ("YOUNGER 60", "* SEARCH 2"),
        ("OLDER 60", "* SEARCH 1"),
        ("YOUNGER 600", "* SEARCH 1 2"),
        ("OLDER 600", "* SEARCH 1"),
        ("OLDER 601", "* SEARCH"),
        ("NOT YOUNGER 599 2", "* SEARCH"),
    ] {
        check(&mut c, &format!("a SEARCH {key}"), &[found, "a OK SEARCH completed"]);
    }
}

/// RFC 5256 §3's orders, RFC 5957, and RFC 5267 §3.1's RETURN.
#[test]
fn sort() {
    let account = account(&[
        "From: Zoe <anna@x.test>\r\nSubject: Re: pear\r\nDate: Thu, 1 Jan 2026 10:00:00 +0000\r\n\r\n1",
        "From: Anna <zoe@x.test>\r\nSubject: apple\r\nDate: Thu, 1 Jan 2026 10:00:00 +0200\r\n\r\n22",
        "From: bob@x.test\r\nSubject: [list] Apple (fwd)\r\nDate: Thu, 1 Jan 2026 09:00:00 +0000\r\n\r\n333",
    ]);
    let mut c = Connection::selected(&account);
    for (criteria, expected) in [
        ("(SUBJECT)", "2 3 1"),
        ("(SUBJECT REVERSE DATE)", "3 2 1"),
        ("(DATE)", "2 3 1"),
        ("(FROM)", "1 3 2"),
        ("(DISPLAYFROM)", "2 3 1"),
        ("(REVERSE DISPLAYFROM)", "1 3 2"),
        ("(REVERSE ARRIVAL)", "1 2 3"),
    ] {
        check(
            &mut c,
            &format!("a SORT {criteria} UTF-8 ALL"),
            &[&format!("* SORT {expected}"), "a OK SORT completed"],
        );
    }
    check(&mut c, "b UID SORT (SIZE) US-ASCII SUBJECT none", &["* SORT", "b OK SORT completed"]);
    check(
        &mut c,
        "d SORT RETURN (MIN COUNT SAVE ALL) (FROM) UTF-8 1:3",
        &["* ESEARCH (TAG \"d\") MIN 1 ALL 1,3,2 COUNT 3", "d OK SORT completed"],
    );
    check(
        &mut c,
        "e SORT (DATE) KOI8-R ALL",
        &["e NO [BADCHARSET (US-ASCII UTF-8)] This charset is not supported"],
    );
    assert!(c.asked.iter().all(|ask| !matches!(
        ask,
        mailwright_imap::Ask::Fetch { need, .. } if *need != mailwright_imap::Need::Meta
    )));
}

#[test]
fn thread() {
    let mut c = Connection::selected(&account(&[
        "Message-ID: <a@x>\r\nSubject: x\r\nDate: Thu, 1 Jan 2026 10:00:00 +0000\r\n\r\n",
        "Message-ID: <b@x>\r\nReferences: <a@x>\r\nSubject: Re: x\r\nDate: Thu, 1 Jan 2026 11:00:00 +0000\r\n\r\n",
        "Message-ID: <c@x>\r\nIn-Reply-To: <a@x>\r\nSubject: y\r\nDate: Thu, 1 Jan 2026 12:00:00 +0000\r\n\r\n",
        "Message-ID: <d@x>\r\nSubject: z\r\nDate: Thu, 1 Jan 2026 09:00:00 +0000\r\n\r\n",
    ]));
    check(&mut c, "a THREAD REFERENCES UTF-8 ALL", &["* THREAD (4)(1 (2)(3))", "a OK THREAD completed"]);
    check(
        &mut c,
        "b UID THREAD ORDEREDSUBJECT UTF-8 ALL",
        &["* THREAD (4)(1 2)(3)", "b OK THREAD completed"],
    );
    check(&mut c, "d THREAD REFERENCES UTF-8 SUBJECT none", &["* THREAD", "d OK THREAD completed"]);
}

/// RFC 9051 §6.3.1: what changes for a client that enabled IMAP4rev2.
#[test]
fn imap4rev2() {
    let account = messages(2);
    let mut c = enabled(&account, "IMAP4rev2");
    let answer = c.send("a SELECT INBOX\r\n");
    assert!(!answer.contains("RECENT") && !answer.contains("[UNSEEN"), "{answer}");
    assert!(answer.contains("* LIST () \"/\" INBOX\r\n"), "{answer}");
    check(&mut c, "b SEARCH ALL", &["* ESEARCH (TAG \"b\") ALL 1:2", "b OK SEARCH completed"]);
    check(&mut c, "d UID SEARCH SUBJECT none", &["* ESEARCH (TAG \"d\") UID", "d OK SEARCH completed"]);
    check(&mut c, "e FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ())", "e OK FETCH completed"]);
    account.borrow_mut().deliver("INBOX", b"Subject: new\r\n\r\n");
    check(&mut c, "f NOOP", &["* 3 EXISTS", "f OK NOOP completed"]);
    c.send("x STORE 2 +FLAGS.SILENT (\\Deleted)\r\n");
    check(
        &mut c,
        "y STATUS INBOX (MESSAGES DELETED)",
        &["* STATUS INBOX (MESSAGES 3 DELETED 1)", "y OK STATUS completed"],
    );
    let answer = c.send("g EXAMINE INBOX\r\n");
    assert!(answer.starts_with("* OK [CLOSED] "), "{answer}");
}
