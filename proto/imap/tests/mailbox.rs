//! The selected mailbox: FETCH, STORE, SEARCH, COPY, MOVE, EXPUNGE, APPEND, and several sessions on one mailbox.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use mailwright_imap::{Ask, Need, flags};
use memory::{Connection, account};
use std::time::Duration;

const ONE: &str = "From: Bob <bob@example.org>\r\nTo: alice@example.test\r\nSubject: one\r\nDate: Wed, 17 Jul 1996 02:23:25 -0700\r\n\r\nfirst body\r\n";
const TWO: &str = "From: carol@example.org\r\nSubject: =?utf-8?q?zw=C3=B6lf?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\npart one\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>zwei</p>\r\n--b--\r\n";
const THREE: &str = "Subject: three\r\n\r\nthird body\r\n";

fn check(connection: &mut Connection, command: &str, expected: &[&str]) {
    let answer = connection.send(&format!("a {command}\r\n"));
    assert_eq!(answer.trim_end_matches("\r\n").split("\r\n").collect::<Vec<_>>(), expected, "{command}");
}

#[test]
fn fetch_sets_seen_unless_it_peeks() {
    let account = account(&[ONE]);
    let mut alice = Connection::selected(&account);
    check(
        &mut alice,
        "FETCH 1 BODY.PEEK[TEXT]",
        &["* 1 FETCH (BODY[TEXT] {12}", "first body", ")", "a OK FETCH completed"],
    );
    check(&mut alice, "FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))", "a OK FETCH completed"]);
    check(
        &mut alice,
        "FETCH 1 BODY[TEXT]<2.3>",
        &["* 1 FETCH (BODY[TEXT]<2> {3}", "rst FLAGS (\\Seen \\Recent))", "a OK FETCH completed"],
    );
    check(
        &mut alice,
        "FETCH 1 RFC822.TEXT",
        &["* 1 FETCH (RFC822.TEXT {12}", "first body", ")", "a OK FETCH completed"],
    );
}

#[test]
fn a_read_only_mailbox_changes_nothing() {
    let account = account(&[ONE]);
    let mut alice = Connection::selected(&account);
    let examine = alice.send("e EXAMINE INBOX\r\n");
    assert!(examine.contains("[PERMANENTFLAGS ()]") && examine.contains("e OK [READ-ONLY]"), "{examine}");
    check(
        &mut alice,
        "FETCH 1 (RFC822.SIZE BODY[TEXT]<0.1>)",
        &["* 1 FETCH (RFC822.SIZE 120 BODY[TEXT]<0> {1}", "f)", "a OK FETCH completed"],
    );
    for command in ["STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "UID EXPUNGE 1", "MOVE 1 Trash"] {
        check(&mut alice, command, &["a NO The mailbox is selected read-only"]);
    }
    check(&mut alice, "CLOSE", &["a OK CLOSE completed"]);
    assert_eq!(account.borrow().folders["INBOX"].messages[&1].flags, 0);
}

#[test]
fn fetch_asks_for_no_more_than_it_needs() {
    let account = account(&[ONE, TWO]);
    let mut alice = Connection::selected(&account);
    let mut need = |items: &str| {
        alice.asked.clear();
        alice.send(&format!("a FETCH 1:2 {items}\r\n"));
        alice.asked.iter().find_map(|ask| match ask {
            Ask::Fetch { need, .. } => Some(*need),
            _ => None,
        })
    };
    assert_eq!(need("(UID FLAGS)"), None);
    assert_eq!(need("ALL"), Some(Need::Meta));
    assert_eq!(need("BODYSTRUCTURE"), Some(Need::Meta));
    assert_eq!(
        need("(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM)])"),
        Some(Need::Header)
    );
    assert_eq!(need("BODY.PEEK[1]"), Some(Need::Raw));
}

/// Mutt's first FETCH, with a header list in quotes and without.
#[test]
fn header_fields_come_as_they_were_asked() {
    let mut alice = Connection::selected(&account(&[ONE]));
    check(
        &mut alice,
        "FETCH 1:1 (UID BODY.PEEK[HEADER.FIELDS (DATE \"From\" X-Missing)])",
        &[
            "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (DATE From X-Missing)] {70}",
            "From: Bob <bob@example.org>",
            "Date: Wed, 17 Jul 1996 02:23:25 -0700",
            "",
            ")",
            "a OK FETCH completed",
        ],
    );
}

#[test]
fn parts_and_missing_parts() {
    let mut alice = Connection::selected(&account(&[TWO]));
    check(
        &mut alice,
        "UID FETCH 1 (BODY.PEEK[2] BODY.PEEK[2.MIME] BODY.PEEK[3] BODY.PEEK[1.HEADER])",
        &[
            "* 1 FETCH (UID 1 BODY[2] {11}",
            "<p>zwei</p> BODY[2.MIME] {27}",
            "Content-Type: text/html",
            "",
            " BODY[3] NIL BODY[1.HEADER] NIL)",
            "a OK FETCH completed",
        ],
    );
}

#[test]
fn sets_that_name_nothing() {
    let mut alice = Connection::selected(&account(&[ONE, TWO]));
    check(&mut alice, "UID FETCH 9:* UID", &["* 2 FETCH (UID 2)", "a OK FETCH completed"]);
    check(&mut alice, "UID FETCH 9 UID", &["a OK FETCH completed"]);
    check(&mut alice, "FETCH 3 UID", &["a BAD No message has that sequence number"]);
    check(&mut alice, "FETCH 1:3 UID", &["a BAD No message has that sequence number"]);
    let mut empty = Connection::selected(&account(&[]));
    check(&mut empty, "FETCH 1:* UID", &["a OK FETCH completed"]);
    check(&mut empty, "UID FETCH 1:* UID", &["a OK FETCH completed"]);
    check(&mut empty, "SEARCH ALL", &["* SEARCH", "a OK SEARCH completed"]);
}

#[test]
fn store_and_its_answers() {
    let account = account(&[ONE, TWO]);
    let mut alice = Connection::selected(&account);
    check(
        &mut alice,
        "STORE 1 FLAGS (\\Seen $New)",
        &[
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $New)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $New \\*)] Flags permitted",
            "* 1 FETCH (FLAGS (\\Seen $New \\Recent))",
            "a OK STORE completed",
        ],
    );
    check(&mut alice, "UID STORE 1:2 +FLAGS.SILENT \\Flagged", &["a OK STORE completed"]);
    check(
        &mut alice,
        "UID STORE 1 -FLAGS (\\Seen)",
        &["* 1 FETCH (UID 1 FLAGS (\\Flagged $New \\Recent))", "a OK STORE completed"],
    );
    check(
        &mut alice,
        "STORE 2 +FLAGS ()",
        &["* 2 FETCH (FLAGS (\\Flagged \\Recent))", "a OK STORE completed"],
    );
    check(&mut alice, "UID STORE 77 +FLAGS (\\Seen)", &["a OK STORE completed"]);
    assert_eq!(account.borrow().folders["INBOX"].messages[&2].flags, flags::FLAGGED);
}

#[test]
fn a_full_keyword_table_says_so() {
    let account = account(&[ONE]);
    let mut alice = Connection::selected(&account);
    for keyword in 0..flags::MAX_KEYWORDS {
        let answer = alice.send(&format!("a STORE 1 +FLAGS.SILENT (k{keyword})\r\n"));
        assert!(answer.ends_with("a OK STORE completed\r\n"), "{answer}");
        assert_eq!(answer.contains("\\*)]"), keyword + 1 < flags::MAX_KEYWORDS, "{answer}");
    }
    check(&mut alice, "STORE 1 +FLAGS (more)", &["a NO [LIMIT] A limit of this server is reached"]);
}

#[test]
fn search_every_way() {
    let mut alice = Connection::selected(&account(&[ONE, TWO, THREE]));
    alice.send("s STORE 2 +FLAGS.SILENT (\\Seen Work)\r\n");
    for (keys, expected) in [
        ("ALL", "1 2 3"),
        ("UNSEEN", "1 3"),
        ("NEW", "1 3"),
        ("OLD", ""),
        ("KEYWORD work", "2"),
        ("2:*", "2 3"),
        ("77", ""),
        ("SUBJECT three", "3"),
        ("CHARSET UTF-8 SUBJECT {6+}\r\nzWÖLF", "2"),
        ("FROM carol", "2"),
        ("HEADER From \"\"", "1 2"),
        ("HEADER Subject one", "1"),
        ("BODY body", "1 3"),
        ("TEXT zwei", "2"),
        ("SENTON 17-Jul-1996", "1"),
        ("ON 17-Jul-1996", "1 2 3"),
        ("SINCE 18-Jul-1996", ""),
        ("LARGER 100", "1 2"),
        ("OR SUBJECT one BODY third", "1 3"),
        ("NOT (BODY body SEEN)", "1 2 3"),
    ] {
        let answer = alice.send(&format!("a SEARCH {keys}\r\n"));
        let expected = if expected.is_empty() { String::new() } else { format!(" {expected}") };
        assert_eq!(answer, format!("* SEARCH{expected}\r\na OK SEARCH completed\r\n"), "{keys}");
    }
    check(&mut alice, "UID SEARCH UID 2:9 BODY body", &["* SEARCH 3", "a OK SEARCH completed"]);
    check(
        &mut alice,
        "SEARCH CHARSET KOI8-R ALL",
        &["a NO [BADCHARSET (US-ASCII UTF-8)] This charset is not supported"],
    );
}

#[test]
fn copies_and_moves_name_their_uids() {
    let account = account(&[ONE, TWO, THREE]);
    let mut alice = Connection::selected(&account);
    alice.send("s STORE 1 +FLAGS.SILENT (\\Seen Work)\r\n");
    check(&mut alice, "COPY 1,3 Archive", &["a OK [COPYUID 1002 1,3 1:2] COPY completed"]);
    check(&mut alice, "UID COPY 7 Archive", &["a OK COPY completed"]);
    check(&mut alice, "COPY 1 Missing", &["a NO [TRYCREATE] No such mailbox, create it first"]);
    check(
        &mut alice,
        "UID MOVE 1:2 Trash",
        &[
            "* OK [COPYUID 1006 1:2 1:2] Moved",
            "* 2 EXPUNGE",
            "* 1 EXPUNGE",
            "* 1 RECENT",
            "a OK MOVE completed",
        ],
    );
    check(&mut alice, "FETCH 1 UID", &["* 1 FETCH (UID 3)", "a OK FETCH completed"]);
    let account = account.borrow();
    assert_eq!(account.folders["Archive"].messages[&1].flags, flags::SEEN | 1 << 5);
    assert_eq!(account.folders["Archive"].keywords, ["Work"]);
}

#[test]
fn uid_expunge_spares_the_others() {
    let mut alice = Connection::selected(&account(&[ONE, TWO, THREE]));
    alice.send("s STORE 1:3 +FLAGS.SILENT (\\Deleted)\r\n");
    check(
        &mut alice,
        "UID EXPUNGE 2,3:9",
        &["* 3 EXPUNGE", "* 2 EXPUNGE", "* 1 RECENT", "a OK EXPUNGE completed"],
    );
    check(&mut alice, "CLOSE", &["a OK CLOSE completed"]);
    let status = alice.send("b STATUS INBOX (MESSAGES)\r\n");
    assert_eq!(status, "* STATUS INBOX (MESSAGES 0)\r\nb OK STATUS completed\r\n");
}

#[test]
fn unselect_leaves_the_messages() {
    let account = account(&[ONE]);
    let mut alice = Connection::selected(&account);
    alice.send("s STORE 1 +FLAGS.SILENT (\\Deleted)\r\n");
    check(&mut alice, "UNSELECT", &["a OK UNSELECT completed"]);
    assert_eq!(account.borrow().folders["INBOX"].messages.len(), 1);
}

#[test]
fn append_in_every_form() {
    let account = account(&[]);
    let mut alice = Connection::selected(&account);
    assert_eq!(
        alice.send("a APPEND INBOX (\\Seen $Note) \"17-Jul-1996 02:44:25 -0700\" {7}\r\n"),
        "+ OK\r\n"
    );
    let answer = alice.send("S: x\n\nb\r\n");
    assert!(answer.contains("* 1 EXISTS\r\n"), "{answer}");
    assert!(answer.ends_with("a OK [APPENDUID 1001 1] APPEND completed\r\n"), "{answer}");
    assert_eq!(account.borrow().folders["INBOX"].messages[&1].raw, b"S: x\r\n\r\nb");
    assert_eq!(account.borrow().folders["INBOX"].messages[&1].date, 837_596_665);
    check(&mut alice, "APPEND Drafts {4+}\r\ntest", &["a OK [APPENDUID 1003 1] APPEND completed"]);
    check(&mut alice, "APPEND Missing {4}", &["a NO [TRYCREATE] No such mailbox, create it first"]);
    check(&mut alice, "APPEND Missing {4+}\r\ntest", &["a NO [TRYCREATE] No such mailbox, create it first"]);
    check(&mut alice, "APPEND INBOX {0+}\r\n", &["a NO [CANNOT] An empty message cannot be appended"]);
    check(&mut alice, "APPEND INBOX {3+}\r\na\0b", &["a BAD A message holds no NUL"]);
    check(
        &mut alice,
        "APPEND INBOX {3+}\r\nabc (x)",
        &["a BAD Expected the end of the line after the message"],
    );
    check(&mut alice, "APPEND INBOX text", &["a BAD Expected the message as a literal"]);
    account.borrow_mut().quota = 10;
    check(&mut alice, "APPEND INBOX {9}", &["a NO [OVERQUOTA] The quota of this account is used up"]);
    assert_eq!(account.borrow().folders["INBOX"].messages.len(), 1);
}

#[test]
fn mailboxes_are_managed() {
    let mut alice = Connection::selected(&account(&[ONE]));
    for (command, expected) in [
        ("CREATE Work/2026", "a OK [MAILBOXID (F1008)] CREATE completed"),
        ("CREATE Work/2026", "a NO [ALREADYEXISTS] A mailbox of that name exists"),
        ("CREATE inbox", "a NO [ALREADYEXISTS] INBOX exists always"),
        (
            "CREATE a//b",
            "a NO [CANNOT] Invalid mailbox name: a mailbox name and each of its levels need at least one character",
        ),
        ("DELETE INBOX", "a NO [CANNOT] INBOX cannot be deleted"),
        ("DELETE Missing", "a NO [NONEXISTENT] No such mailbox"),
        ("RENAME Work Job", "a OK RENAME completed"),
        ("RENAME Job Job/below", "a NO [CANNOT] A mailbox cannot be moved into itself"),
        ("RENAME Job INBOX", "a NO [ALREADYEXISTS] INBOX exists always"),
        ("SUBSCRIBE Job/2026", "a OK SUBSCRIBE completed"),
        ("UNSUBSCRIBE Junk", "a OK UNSUBSCRIBE completed"),
        ("STATUS Missing (UIDNEXT)", "a NO [NONEXISTENT] No such mailbox"),
    ] {
        check(&mut alice, command, &[expected]);
    }
    check(
        &mut alice,
        "LIST \"\" \"%\"",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\HasNoChildren \\Archive) \"/\" Archive",
            "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts",
            "* LIST (\\HasChildren) \"/\" Job",
            "* LIST (\\HasNoChildren \\Junk) \"/\" Junk",
            "* LIST (\\HasNoChildren \\Sent) \"/\" Sent",
            "* LIST (\\HasNoChildren \\Trash) \"/\" Trash",
            "a OK LIST completed",
        ],
    );
    check(&mut alice, "LSUB Job/ *", &["* LSUB () \"/\" Job/2026", "a OK LSUB completed"]);
    check(&mut alice, "LIST \"\" \"\"", &["* LIST (\\Noselect) \"/\" \"\"", "a OK LIST completed"]);
    check(&mut alice, "NAMESPACE", &["* NAMESPACE ((\"\" \"/\")) NIL NIL", "a OK NAMESPACE completed"]);
    check(&mut alice, "RENAME INBOX Old", &["* 1 EXPUNGE", "* 0 RECENT", "a OK RENAME completed"]);
}

/// News of a mailbox that is not selected are nobody's.
#[test]
fn idle_without_a_mailbox_waits() {
    let mut alice = Connection::selected(&account(&[ONE]));
    alice.send("a UNSELECT\r\n");
    check(&mut alice, "RENAME INBOX Old", &["a OK RENAME completed"]);
    assert_eq!(alice.send("a IDLE\r\n"), "+ idling\r\n");
    assert_eq!(alice.send("DONE\r\n"), "a OK IDLE completed\r\n");
}

#[test]
fn deleting_the_selected_mailbox_deselects_it() {
    let account = account(&[]);
    let mut alice = Connection::selected(&account);
    alice.send("a CREATE Temp\r\n");
    alice.send("a SELECT Temp\r\n");
    check(&mut alice, "DELETE Temp", &["a OK DELETE completed"]);
    check(&mut alice, "CHECK", &["a BAD Select a mailbox first"]);
    let mut other = Connection::selected(&account);
    account.borrow_mut().folders.remove("INBOX");
    check(&mut other, "NOOP", &["a OK NOOP completed", "* BYE The selected mailbox was deleted"]);
    assert!(other.closed);
}

#[test]
fn sessions_see_each_others_changes() {
    let account = account(&[ONE, TWO, THREE]);
    let (mut one, mut two) = (Connection::selected(&account), Connection::selected(&account));
    check(&mut two, "SEARCH RECENT", &["* SEARCH", "a OK SEARCH completed"]);
    one.send("a STORE 1 +FLAGS (\\Seen)\r\n");
    check(
        &mut two,
        "FETCH 1 FLAGS",
        &["* 1 FETCH (UID 1 FLAGS (\\Seen))", "* 1 FETCH (FLAGS (\\Seen))", "a OK FETCH completed"],
    );
    one.send("a STORE 1 +FLAGS.SILENT (\\Deleted)\r\n");
    one.send("a EXPUNGE\r\n");
    // No EXPUNGE while it must not be sent; the numbers stay.
    check(
        &mut two,
        "FETCH 1:3 UID",
        &["* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)", "a OK FETCH completed"],
    );
    check(
        &mut two,
        "FETCH 1:2 RFC822.SIZE",
        &["* 2 FETCH (RFC822.SIZE 172)", "a OK [EXPUNGEISSUED] FETCH completed"],
    );
    check(&mut two, "STORE 1 +FLAGS (\\Flagged)", &["a OK [EXPUNGEISSUED] STORE completed"]);
    check(&mut two, "UID FETCH 2 UID", &["* 2 FETCH (UID 2)", "* 1 EXPUNGE", "a OK FETCH completed"]);
    account.borrow_mut().deliver("INBOX", ONE.as_bytes());
    check(&mut two, "NOOP", &["* 3 EXISTS", "* 1 RECENT", "a OK NOOP completed"]);
    check(&mut one, "NOOP", &["* 3 EXISTS", "a OK NOOP completed"]);
}

#[test]
fn a_silent_store_tells_what_another_did() {
    let account = account(&[ONE]);
    let mut alice = Connection::selected(&account);
    // Between the look before STORE and STORE itself nothing can come in this test; the store's answer stands for it.
    alice.session.input(alice.now, b"a STORE 1 +FLAGS.SILENT (\\Seen)\r\n");
    let mailwright_imap::Output::Ask(Ask::Store { .. }) = alice.session.poll() else { panic!("STORE asks") };
    let row = mailwright_imap::Row { uid: 1, modseq: 9, flags: flags::SEEN | flags::FLAGGED };
    let answer = mailwright_imap::Answer::Stored { rows: vec![row], modified: vec![], keywords: vec![] };
    alice.session.answer(alice.now, answer);
    assert_eq!(alice.receive(), "* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))\r\na OK STORE completed\r\n");
}

#[test]
fn idle_tells_at_once() {
    let account = account(&[ONE]);
    let mut alice = Connection::selected(&account);
    let mut other = Connection::selected(&account);
    assert_eq!(alice.send("a IDLE\r\n"), "+ idling\r\n");
    account.borrow_mut().deliver("INBOX", TWO.as_bytes());
    assert_eq!(alice.receive(), "* 2 EXISTS\r\n* 2 RECENT\r\n");
    other.send("b STORE 1 +FLAGS (\\Deleted)\r\n");
    assert_eq!(alice.receive(), "* 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))\r\n");
    other.send("b EXPUNGE\r\n");
    assert_eq!(alice.receive(), "* 1 EXPUNGE\r\n* 1 RECENT\r\n");
    assert_eq!(alice.pass(Duration::from_secs(60)), "");
    assert_eq!(alice.send("done\r\nc NOOP\r\n"), "a OK IDLE completed\r\nc OK NOOP completed\r\n");
    assert_eq!(alice.send("d IDLE\r\ne NOOP\r\n"), "+ idling\r\nd BAD Expected DONE\r\n");
}
