//! Whole commands: the RFC's examples, what clients send, and anything at all.

use super::*;
use crate::search::SearchKey;
use crate::sequence::Bound;
use proptest::prelude::*;

mod round_trip;

fn check(input: &str, expected: Command) {
    let parsed = parse(input.as_bytes(), false);
    assert_eq!(parsed.tag.as_deref(), Some("a"), "{input:?}");
    assert_eq!(parsed.command, Ok(expected), "{input:?}");
}

fn check_error(input: &str, expected: &str) {
    let parsed = parse(input.as_bytes(), false);
    assert_eq!(parsed.command.map_err(|e| e.to_string()), Err(expected.to_owned()), "{input:?}");
}

fn mailbox(name: &str) -> MailboxName {
    MailboxName::new(name).unwrap()
}

#[test]
fn commands_without_arguments() {
    check("a CAPABILITY", Command::Capability);
    check("a noop", Command::Noop);
    check("a Logout", Command::Logout);
    check("a STARTTLS", Command::StartTls);
    check("a CHECK", Command::Check);
    check("a CLOSE", Command::Close);
    check("a UNSELECT", Command::Unselect);
    check("a IDLE", Command::Idle);
    check("a NAMESPACE", Command::Namespace);
    check("a EXPUNGE", Command::Expunge(None));
}

#[test]
fn logins() {
    let login = |user: &str, password: &[u8]| Command::Login {
        user: Some(user.to_owned()),
        password: Password::new(password.to_vec()),
    };
    check("a LOGIN SMITH SESAME", login("SMITH", b"SESAME"));
    check("a login \"alice@example.test\" \"p w\\\"d\"", login("alice@example.test", b"p w\"d"));
    check("a LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man", login("FRED FOOBAR", b"fat man"));
    check("a LOGIN alice@example.test \"\"", login("alice@example.test", b""));
    let plain = |initial: Option<&str>| Command::Authenticate {
        mechanism: "PLAIN".into(),
        initial: initial.map(|text| text.as_bytes().to_vec()),
    };
    check("a AUTHENTICATE plain", plain(None));
    check("a AUTHENTICATE PLAIN AGFsaWNlAHB3", plain(Some("AGFsaWNlAHB3")));
    check("a AUTHENTICATE PLAIN =", plain(Some("=")));
}

#[test]
fn mailboxes() {
    check(
        "a SELECT INBOX",
        Command::Select {
            name: MailboxName::inbox(),
            read_only: false,
            parameters: SelectParameters::default(),
        },
    );
    check(
        "a EXAMINE \"inbox\"",
        Command::Select {
            name: MailboxName::inbox(),
            read_only: true,
            parameters: SelectParameters::default(),
        },
    );
    check("a CREATE owatagusiam/", Command::Create { name: mailbox("owatagusiam"), uses: Vec::new() });
    check("a DELETE Entw&APw-rfe", Command::Delete(mailbox("Entwürfe")));
    check(
        "a RENAME blurdybloop {5}\r\nsa]ro",
        Command::Rename { from: mailbox("blurdybloop"), to: mailbox("sa]ro") },
    );
    check("a SUBSCRIBE a", Command::Subscribe(mailbox("a")));
    check("a UNSUBSCRIBE a", Command::Unsubscribe(mailbox("a")));
    let items = vec![StatusItem::UidNext, StatusItem::Messages];
    check("a STATUS blurdybloop (UIDNEXT MESSAGES)", Command::Status { name: mailbox("blurdybloop"), items });
}

#[test]
fn messages() {
    let set = |low, high| SequenceSet::new(vec![(Bound::Number(low), high)]);
    check(
        "a FETCH 2:4 (FLAGS UID)",
        Command::Fetch {
            uid: false,
            set: set(2, Bound::Number(4)),
            items: vec![FetchItem::Flags, FetchItem::Uid],
            changed_since: None,
            vanished: false,
        },
    );
    check(
        "a UID FETCH 5:* FLAGS",
        Command::Fetch {
            uid: true,
            set: set(5, Bound::Largest),
            items: vec![FetchItem::Flags],
            changed_since: None,
            vanished: false,
        },
    );
    check(
        "a uid store 7 +FLAGS.SILENT (\\Deleted)",
        Command::Store {
            uid: true,
            set: set(7, Bound::Number(7)),
            operation: StoreOperation::Add,
            silent: true,
            flags: FlagList { system: crate::flags::DELETED, keywords: vec![] },
            unchanged_since: None,
        },
    );
    let copy = |uid, remove| Command::Copy {
        uid,
        set: set(2, Bound::Number(4)),
        target: mailbox("MEETING"),
        remove,
    };
    check("a COPY 2:4 MEETING", copy(false, false));
    check("a UID COPY 2:4 MEETING", copy(true, false));
    check("a MOVE 2:4 MEETING", copy(false, true));
    check("a UID MOVE 2:4 MEETING", copy(true, true));
    check("a UID EXPUNGE 3000:*", Command::Expunge(Some(set(3000, Bound::Largest))));
    let search = SearchCommand { returns: None, key: SearchKey::All };
    check("a UID SEARCH ALL", Command::Search { uid: true, search });
    // RFC 7162 §3.2.6's example.
    check(
        "a UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
        Command::Fetch {
            uid: true,
            set: set(300, Bound::Number(500)),
            items: vec![FetchItem::Flags],
            changed_since: Some(12345),
            vanished: true,
        },
    );
    assert!(parse(b"s100 UID FETCH 300:500 (FLAGS) (VANISHED)", false).command.is_err());
    assert!(parse(b"s100 UID FETCH 300:500 (FLAGS) ()", false).command.is_err());
    assert!(parse(b"s100 UID FETCH 300:500 FLAGS (CHANGEDSINCE)", false).command.is_err());
}

#[test]
fn extensions() {
    check("a ID NIL", Command::Id);
    check("a ID (\"name\" \"imaplib\" \"os\" NIL)", Command::Id);
    check("a ID ()", Command::Id);
    check("a ENABLE CONDSTORE x-good", Command::Enable(vec!["CONDSTORE".into(), "X-GOOD".into()]));
}

#[test]
fn wrong_commands() {
    check_error("", "Expected a tag");
    check_error("* NOOP", "Expected a tag");
    check_error("a", "Expected a space");
    check_error("a ", "Expected a command");
    check_error("a FOO", "Unknown command");
    check_error("a UID NOOP", "Unknown command");
    check_error("a NOOP ", "Expected the end of the line");
    check_error("a  NOOP", "Expected a command");
    check_error("a LOGIN alice", "Expected a space");
    check_error("a SELECT", "Expected a space");
    check_error(
        "a SELECT \"\"",
        "Invalid mailbox name: a mailbox name and each of its levels need at least one character",
    );
    check_error("a ENABLE", "Expected a space");
    check_error("a ID (\"name\")", "Expected a space");
    check_error("a ID x", "Expected a string or NIL");
    check_error("a UID EXPUNGE", "Expected a space");
    check_error("a APPEND INBOX", "Expected a space");
    assert_eq!(parse(b"a SELECT \xff", false).tag.as_deref(), Some("a"));
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a "),
        Just("UID "),
        Just("FETCH "),
        Just("STORE "),
        Just("SEARCH "),
        Just("LIST "),
        Just("APPEND "),
        Just("1:*"),
        Just("("),
        Just(")"),
        Just(" "),
        Just("\""),
        Just("\\Seen"),
        Just("BODY[HEADER.FIELDS ("),
        Just("]<0.5>"),
        Just("{3}\r\n"),
        Just("OR "),
        Just("NOT "),
        Just("FLAGS"),
        Just("INBOX"),
        Just("*"),
        Just("%"),
        Just("\u{0}"),
        Just("ü"),
        Just("\r\n"),
        Just("&"),
        Just("1-Feb-1994"),
    ];
    proptest::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn anything_is_parsed_or_refused(input in pieces()) {
        let parsed = parse(input.as_bytes(), false);
        prop_assert!(parsed.tag.is_some() || parsed.command.is_err());
        if let Some(tag) = parsed.tag {
            prop_assert!(input.starts_with(&tag) && !tag.is_empty());
        }
    }

    #[test]
    fn any_octets_are_parsed_or_refused(input in proptest::collection::vec(any::<u8>(), 0..100)) {
        let parsed = parse(&input, false);
        prop_assert!(parsed.tag.is_some() || parsed.command.is_err());
        prop_assert!(append_head(&input, false).is_none_or(|head| input.starts_with(head.tag.as_bytes())));
    }
}
