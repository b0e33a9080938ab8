//! The examples of the RFCs, command by command: what a client sends there is answered here as the RFC says, apart from
//! free text, UIDs and what the example's mailbox holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use memory::{Connection, account, check};

/// The message of RFC 3501 §8.
const SAMPLE: &str = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-Id: <B27397-0100000@cac.washington.edu>\r\n\
MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\nminutes\r\n";

fn connection(messages: usize) -> Connection {
    Connection::selected(&account(&vec![SAMPLE; messages]))
}

#[test]
fn rfc_3501_section_6_1() {
    let mut c = connection(1);
    check(&mut c, "abcd CAPABILITY", &["* CAPABILITY IMAP4rev1 …", "abcd OK CAPABILITY completed"]);
    check(&mut c, "a002 NOOP", &["a002 OK NOOP completed"]);
    check(&mut c, "A023 LOGOUT", &["* BYE …", "A023 OK LOGOUT completed"]);
}

#[test]
fn rfc_3501_section_6_3_mailboxes() {
    let mut c = connection(1);
    check(&mut c, "A003 CREATE owatagusiam/", &["A003 OK [MAILBOXID …"]);
    check(&mut c, "A004 CREATE owatagusiam/blurdybloop", &["A004 OK [MAILBOXID …"]);
    check(
        &mut c,
        "A682 LIST \"\" owata*",
        &[
            "* LIST (\\HasChildren) \"/\" owatagusiam",
            "* LIST (\\HasNoChildren) \"/\" owatagusiam/blurdybloop",
            "A682 OK LIST completed",
        ],
    );
    // §6.3.4: a mailbox with inferiors can go, and its name stays as a level of theirs.
    for name in ["blurdybloop", "foo", "foo/bar"] {
        c.send(&format!("x CREATE {name}\r\n"));
    }
    check(&mut c, "A683 DELETE blurdybloop", &["A683 OK DELETE completed"]);
    check(&mut c, "A684 DELETE foo", &["A684 OK DELETE completed"]);
    check(
        &mut c,
        "A686 LIST \"\" foo*",
        &["* LIST (\\HasNoChildren) \"/\" foo/bar", "A686 OK LIST completed"],
    );
    check(
        &mut c,
        "A687 LIST \"\" foo%",
        &["* LIST (\\Noselect \\HasChildren) \"/\" foo", "A687 OK LIST completed"],
    );
    // §6.3.5
    c.send("x CREATE blurdybloop\r\n");
    check(&mut c, "A683 RENAME blurdybloop sarasoop", &["A683 OK RENAME completed"]);
    check(&mut c, "A684 RENAME foo/bar zowie", &["A684 OK RENAME completed"]);
    check(&mut c, "Z433 LIST \"\" z*", &["* LIST (\\HasNoChildren) \"/\" zowie", "Z433 OK LIST completed"]);
    check(
        &mut c,
        "Z432 LIST \"\" INBOX",
        &["* LIST (\\HasNoChildren) \"/\" INBOX", "Z432 OK LIST completed"],
    );
    check(&mut c, "Z433 RENAME INBOX old-mail", &["* 1 EXPUNGE", "* 0 RECENT", "Z433 OK RENAME completed"]);
    check(
        &mut c,
        "Z434 LIST \"\" old-mail",
        &["* LIST (\\HasNoChildren) \"/\" old-mail", "Z434 OK LIST completed"],
    );
}

#[test]
fn rfc_3501_section_6_3_lists_and_status() {
    let mut c = connection(2);
    check(&mut c, "A101 LIST \"\" \"\"", &["* LIST (\\Noselect) \"/\" \"\"", "A101 OK LIST completed"]);
    for name in ["~/Mail/foo", "~/Mail/meetings"] {
        c.send(&format!("x CREATE {name}\r\nx SUBSCRIBE {name}\r\n"));
    }
    check(
        &mut c,
        "A202 LIST ~/Mail/ %",
        &[
            "* LIST (\\HasNoChildren) \"/\" ~/Mail/foo",
            "* LIST (\\HasNoChildren) \"/\" ~/Mail/meetings",
            "A202 OK LIST completed",
        ],
    );
    check(&mut c, "A002 SUBSCRIBE #news.comp.mail.mime", &["A002 OK SUBSCRIBE completed"]);
    check(
        &mut c,
        "A002 LSUB \"#news.\" \"comp.mail.*\"",
        &["* LSUB () \"/\" #news.comp.mail.mime", "A002 OK LSUB completed"],
    );
    check(&mut c, "A003 UNSUBSCRIBE #news.comp.mail.mime", &["A003 OK UNSUBSCRIBE completed"]);
    c.send("x CREATE blurdybloop\r\n");
    check(
        &mut c,
        "A042 STATUS blurdybloop (UIDNEXT MESSAGES)",
        &["* STATUS blurdybloop (UIDNEXT 1 MESSAGES 0)", "A042 OK STATUS completed"],
    );
}

/// RFC 3501 §6.3.11: the message of the example, 310 octets with its flag.
#[test]
fn rfc_3501_section_6_3_append() {
    let mut c = connection(0);
    let raw = "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Fred Foobar <foobar@Blurdybloop.COM>\r\n\
               Subject: afternoon meeting\r\nTo: mooch@owatagu.siam.edu\r\nMessage-Id: <B27397-0100000@Blurdybloop.COM>\r\n\
               MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n\
               Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n\r\n";
    assert_eq!(raw.len(), 312);
    c.send("x CREATE saved-messages\r\n");
    check(&mut c, "A003 APPEND saved-messages (\\Seen) {312}", &["+ OK"]);
    check(&mut c, raw, &["A003 OK [APPENDUID 1007 1] APPEND completed"]);
    check(
        &mut c,
        "A004 EXAMINE saved-messages",
        &[
            "* OK [MAILBOXID …",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS ()] …",
            "* 1 EXISTS",
            "* 1 RECENT",
            "* OK [UIDVALIDITY 1007] …",
            "* OK [UIDNEXT 2] …",
            "* OK [HIGHESTMODSEQ 2] …",
            "A004 OK [READ-ONLY] EXAMINE completed",
        ],
    );
    check(
        &mut c,
        "A005 FETCH 1 (FLAGS ENVELOPE)",
        &[
            "* 1 FETCH (FLAGS (\\Seen \\Recent) ENVELOPE (\"Mon, 7 Feb 1994 21:52:25 -0800 (PST)\" \"afternoon meeting\" \
         ((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.COM\")) ((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.COM\")) \
         ((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.COM\")) ((NIL NIL \"mooch\" \"owatagu.siam.edu\")) NIL NIL NIL \
         \"<B27397-0100000@Blurdybloop.COM>\"))",
            "A005 OK FETCH completed",
        ],
    );
}

#[test]
fn rfc_3501_section_6_4() {
    let mut c = connection(11);
    check(&mut c, "FXXZ CHECK", &["FXXZ OK CHECK completed"]);
    check(
        &mut c,
        "A282 SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        &["* SEARCH", "A282 OK SEARCH completed"],
    );
    c.send("x STORE 2,7 +FLAGS.SILENT (\\Flagged)\r\n");
    check(
        &mut c,
        "A283 SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        &["* SEARCH 2 7", "A283 OK SEARCH completed"],
    );
    check(&mut c, "A284 SEARCH TEXT \"string not in mailbox\"", &["* SEARCH", "A284 OK SEARCH completed"]);
    check(&mut c, "A285 SEARCH CHARSET UTF-8 TEXT {6}", &["+ OK"]);
    check(&mut c, "XXXXXX", &["* SEARCH", "A285 OK SEARCH completed"]);
    check(
        &mut c,
        "A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
        &[
            "* 2 FETCH (FLAGS (\\Flagged \\Seen \\Recent) BODY[HEADER.FIELDS (DATE FROM)] {91}",
            "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)",
            "From: Terry Gray <gray@cac.washington.edu>",
            "",
            ")",
            "* 3 FETCH (FLAGS (\\Seen \\Recent) BODY[HEADER.FIELDS (DATE FROM)] {91}",
            "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)",
            "From: Terry Gray <gray@cac.washington.edu>",
            "",
            ")",
            "* 4 FETCH (FLAGS (\\Seen \\Recent) BODY[HEADER.FIELDS (DATE FROM)] {91}",
            "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)",
            "From: Terry Gray <gray@cac.washington.edu>",
            "",
            ")",
            "A654 OK FETCH completed",
        ],
    );
    check(
        &mut c,
        "A003 STORE 2:4 +FLAGS (\\Deleted)",
        &[
            "* 2 FETCH (FLAGS (\\Flagged \\Deleted \\Seen \\Recent))",
            "* 3 FETCH (FLAGS (\\Deleted \\Seen \\Recent))",
            "* 4 FETCH (FLAGS (\\Deleted \\Seen \\Recent))",
            "A003 OK STORE completed",
        ],
    );
    c.send("x STORE 2,4 -FLAGS.SILENT (\\Deleted)\r\nx STORE 3:4,7,11 +FLAGS.SILENT (\\Deleted)\r\n");
    // The RFC counts from the front; counting from the end says the same.
    check(
        &mut c,
        "A202 EXPUNGE",
        &[
            "* 11 EXPUNGE",
            "* 7 EXPUNGE",
            "* 4 EXPUNGE",
            "* 3 EXPUNGE",
            "* 7 RECENT",
            "A202 OK EXPUNGE completed",
        ],
    );
    check(&mut c, "A003 COPY 2:4 MEETING", &["A003 NO [TRYCREATE] …"]);
    c.send("x CREATE MEETING\r\n");
    check(&mut c, "A003 COPY 2:4 MEETING", &["A003 OK [COPYUID 1007 2,5:6 1:3] COPY completed"]);
    check(&mut c, "A999 UID FETCH 4827313:4828442 FLAGS", &["A999 OK FETCH completed"]);
    check(&mut c, "A341 CLOSE", &["A341 OK CLOSE completed"]);
}

/// RFC 3501 §8, from SELECT on.
#[test]
fn rfc_3501_section_8() {
    let mut c = connection(18);
    check(
        &mut c,
        "a003 fetch 12 full",
        &[
            "* 12 FETCH (FLAGS (\\Recent) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" RFC822.SIZE 351 ENVELOPE \
         (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) \
         ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
         \"<B27397-0100000@cac.washington.edu>\") BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 9 1))",
            "a003 OK FETCH completed",
        ],
    );
    check(
        &mut c,
        "a004 fetch 12 body[header]",
        &[
            "* 12 FETCH (BODY[HEADER] {342}",
            "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)",
            "From: Terry Gray <gray@cac.washington.edu>",
            "Subject: IMAP4rev1 WG mtg summary and minutes",
            "To: imap@cac.washington.edu",
            "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>",
            "Message-Id: <B27397-0100000@cac.washington.edu>",
            "MIME-Version: 1.0",
            "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII",
            "",
            " FLAGS (\\Seen \\Recent))",
            "a004 OK FETCH completed",
        ],
    );
    check(
        &mut c,
        "a005 store 12 +flags \\deleted",
        &["* 12 FETCH (FLAGS (\\Deleted \\Seen \\Recent))", "a005 OK STORE completed"],
    );
    check(&mut c, "a006 logout", &["* BYE …", "a006 OK LOGOUT completed"]);
}

/// RFC 2177 §3, RFC 2342 §5, RFC 2971 §3.3, RFC 3691 §3, RFC 5161 §3.1.
#[test]
fn small_extensions() {
    let mut c = connection(3);
    check(&mut c, "A002 IDLE", &["+ idling"]);
    c.account.borrow_mut().deliver("INBOX", SAMPLE.as_bytes());
    assert_eq!(c.receive(), "* 4 EXISTS\r\n* 4 RECENT\r\n");
    check(&mut c, "DONE", &["A002 OK IDLE completed"]);
    check(&mut c, "A001 NAMESPACE", &["* NAMESPACE ((\"\" \"/\")) NIL NIL", "A001 OK NAMESPACE completed"]);
    let id = "a023 ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" \"Pink Floyd Music Limited\")";
    check(&mut c, id, &["* ID (\"name\" \"Mailwright\")", "a023 OK ID completed"]);
    check(&mut c, "a042 ID NIL", &["* ID (\"name\" \"Mailwright\")", "a042 OK ID completed"]);
    check(&mut c, "A202 UNSELECT", &["A202 OK UNSELECT completed"]);
    check(&mut c, "t2 ENABLE CONDSTORE X-GOOD-IDEA", &["* ENABLED CONDSTORE", "t2 OK ENABLE completed"]);
}

/// RFC 4315 §2.1 and §3, RFC 6851 §3.1 and §3.3.
#[test]
fn uidplus_and_move() {
    let mut c = connection(5);
    c.send("x CREATE foo\r\nx STORE 1:3 +FLAGS.SILENT (\\Deleted)\r\n");
    check(&mut c, "A003 UID EXPUNGE 3:5", &["* 3 EXPUNGE", "* 4 RECENT", "A003 OK EXPUNGE completed"]);
    check(&mut c, "A004 UID COPY 2:4 foo", &["A004 OK [COPYUID 1007 2,4 1:2] COPY completed"]);
    check(
        &mut c,
        "a UID MOVE 4:5 foo",
        &[
            "* OK [COPYUID 1007 4:5 3:4] Moved",
            "* 4 EXPUNGE",
            "* 3 EXPUNGE",
            "* 2 RECENT",
            "a OK MOVE completed",
        ],
    );
    check(&mut c, "b MOVE 1 nowhere", &["b NO [TRYCREATE] …"]);
}

/// RFC 6154 §5: plain LIST tells special uses, and the selection option only those.
#[test]
fn special_use() {
    let mut c = connection(0);
    check(
        &mut c,
        "t2 LIST (SPECIAL-USE) \"\" \"%\"",
        &[
            "* LIST (\\HasNoChildren \\Archive) \"/\" Archive",
            "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts",
            "* LIST (\\HasNoChildren \\Junk) \"/\" Junk",
            "* LIST (\\HasNoChildren \\Sent) \"/\" Sent",
            "* LIST (\\HasNoChildren \\Trash) \"/\" Trash",
            "t2 OK LIST completed",
        ],
    );
    check(
        &mut c,
        "t3 LIST \"\" \"Sent\" RETURN (SPECIAL-USE)",
        &["* LIST (\\HasNoChildren \\Sent) \"/\" Sent", "t3 OK LIST completed"],
    );
}
