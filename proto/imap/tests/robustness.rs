//! Anything from the client, anything from the driver: no panic, one tagged reply per tagged command, every line well formed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use mailwright_imap::{
    Answer, Ask, Changes, Config, ListEntry, MailboxName, Message, Output, Peer, Refusal, Row, Selected,
    Session, Status, Tls, message,
};
use memory::{Connection, PASSWORD, USER, account};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MAIL: &str = "From: a@x.test\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n";

/// Splits output into lines that hold their literals; fails where a literal or a line is cut.
fn lines(output: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut lines = Vec::new();
    let mut rest = output;
    while !rest.is_empty() {
        let mut line = Vec::new();
        loop {
            let end = rest.windows(2).position(|w| w == b"\r\n").ok_or("output ends inside a line")?;
            let (piece, after) = rest.split_at(end + 2);
            line.extend_from_slice(piece);
            rest = after;
            let Some(size) = literal_size(piece) else { break };
            if rest.len() < size {
                return Err("output ends inside a literal".to_owned());
            }
            line.extend_from_slice(&rest[..size]);
            rest = &rest[size..];
        }
        lines.push(line);
    }
    Ok(lines)
}

fn literal_size(piece: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(piece.strip_suffix(b"}\r\n")?).ok()?;
    text.rsplit_once('{')?.1.parse().ok()
}

/// Quotes close and parentheses balance, outside of literals and free text.
fn balanced(line: &[u8]) -> bool {
    let (mut depth, mut at) = (0i32, 0);
    while at < line.len() {
        match line[at] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'"' => {
                at += 1;
                while line.get(at).is_some_and(|b| *b != b'"') {
                    at += if line[at] == b'\\' { 2 } else { 1 };
                }
                if at >= line.len() {
                    return false;
                }
            }
            b'{' => {
                let Some(end) = line[at..].windows(3).position(|w| w == b"}\r\n") else { return false };
                let size: usize = std::str::from_utf8(&line[at + 1..at + end])
                    .ok()
                    .and_then(|s| s.parse().ok())
                    .unwrap_or(0);
                at += end + 2 + size;
            }
            0 => return false,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
        at += 1;
    }
    depth == 0
}

fn is_well_formed(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line).into_owned();
    let mut words = text.splitn(3, ' ');
    let (Some(tag), Some(word)) = (words.next(), words.next()) else { return false };
    let status = ["OK", "NO", "BAD", "BYE"].contains(&word.trim_end());
    match tag {
        "+" => true,
        "*" if status => line.is_ascii() && text.trim_end().len() > 4,
        "*" => balanced(line),
        _ => status && line.is_ascii() && text.trim_end().len() > tag.len() + 3,
    }
}

fn check_output(output: &[u8]) -> Result<Vec<String>, TestCaseError> {
    let lines = lines(output).map_err(TestCaseError::fail)?;
    for line in &lines {
        prop_assert!(is_well_formed(line), "{:?}", String::from_utf8_lossy(line));
    }
    Ok(lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

/// Commands of every kind, some with mistakes.
fn commands() -> impl Strategy<Value = String> {
    let set = prop_oneof![
        Just("1"),
        Just("1:*"),
        Just("2,1"),
        Just("9:*"),
        Just("*"),
        Just("0"),
        Just("4294967295"),
        Just("1:2:3")
    ];
    let items = prop_oneof![
        Just("ALL"),
        Just("FULL"),
        Just("(UID FLAGS)"),
        Just("BODY[]"),
        Just("(BODY.PEEK[1]<0.2> ENVELOPE)"),
        Just("BODYSTRUCTURE"),
        Just("(RFC822.SIZE INTERNALDATE)"),
        Just("BODY[HEADER.FIELDS (SUBJECT)]"),
        Just("BODY["),
        Just("()"),
        Just("RFC822"),
    ];
    let flags = prop_oneof![
        Just("+FLAGS (\\Seen)"),
        Just("FLAGS.SILENT (\\Deleted k)"),
        Just("-FLAGS ()"),
        Just("+FLAGS (\\X)")
    ];
    let name = prop_oneof![
        Just("INBOX"),
        Just("Trash"),
        Just("\"a b\""),
        Just("Entw&APw-rfe"),
        Just("a//b"),
        Just("\"\""),
        Just("&")
    ];
    let keys = prop_oneof![
        Just("ALL"),
        Just("BODY x"),
        Just("NOT SEEN"),
        Just("OR 1 UID 2"),
        Just("SINCE 1-Jan-2000"),
        Just("(")
    ];
    let uid = prop_oneof![Just(""), Just("UID ")];
    prop_oneof![
        Just("NOOP".to_owned()),
        Just("CAPABILITY".to_owned()),
        Just("CHECK".to_owned()),
        Just("CLOSE".to_owned()),
        Just("UNSELECT".to_owned()),
        Just("EXPUNGE".to_owned()),
        Just("NAMESPACE".to_owned()),
        Just("ID NIL".to_owned()),
        Just("ENABLE X".to_owned()),
        Just("STARTTLS".to_owned()),
        Just("FOO bar".to_owned()),
        Just("LIST \"\" *".to_owned()),
        Just("LSUB \"\" %".to_owned()),
        Just("SEARCH CHARSET x ALL".to_owned()),
        Just(format!("LOGIN {USER} {PASSWORD}")),
        Just("IDLE\r\nDONE".to_owned()),
        Just("AUTHENTICATE PLAIN x".to_owned()),
        (uid.clone(), set.clone(), items).prop_map(|(u, s, i)| format!("{u}FETCH {s} {i}")),
        (uid.clone(), set.clone(), flags).prop_map(|(u, s, f)| format!("{u}STORE {s} {f}")),
        (uid.clone(), set.clone(), name.clone()).prop_map(|(u, s, n)| format!("{u}COPY {s} {n}")),
        (uid.clone(), set.clone(), name.clone()).prop_map(|(u, s, n)| format!("{u}MOVE {s} {n}")),
        (uid, keys).prop_map(|(u, k)| format!("{u}SEARCH {k}")),
        name.clone().prop_map(|n| format!("SELECT {n}")),
        name.clone().prop_map(|n| format!("EXAMINE {n}")),
        name.clone().prop_map(|n| format!("CREATE {n}")),
        name.clone().prop_map(|n| format!("DELETE {n}")),
        name.clone().prop_map(|n| format!("RENAME {n} x/y")),
        name.clone().prop_map(|n| format!("SUBSCRIBE {n}")),
        name.clone().prop_map(|n| format!("STATUS {n} (UIDNEXT UNSEEN)")),
        name.clone().prop_map(|n| format!("APPEND {n} {{4+}}\r\nmail")),
        name.prop_map(|n| format!("APPEND {n} (\\Seen) {{6+}}\r\na\r\n\r\nb")),
    ]
}

fn lenient() -> Config {
    let mut config = Config::new("mail.example.test");
    config.limits.bad_commands = u32::MAX;
    config.limits.auth_failures = u32::MAX;
    config.limits.auth_delay = Duration::ZERO;
    config
}

/// An answer that need not fit.
fn answers() -> impl Strategy<Value = Answer> {
    let row = (0u32..6, 0u64..9, any::<u64>()).prop_map(|(uid, modseq, flags)| Row { uid, modseq, flags });
    let rows = proptest::collection::vec(row, 0..6);
    let words = proptest::collection::vec("[a-z$ (\"]{0,4}", 0..70);
    let raw = proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b':')], 0..60);
    let message = (0u32..6, any::<i64>(), any::<u64>(), raw, any::<(bool, bool)>()).prop_map(
        |(uid, internal_date, size, raw, (indexed, some))| Message {
            uid,
            internal_date,
            size,
            index: if indexed { message::index(&raw).encode() } else { raw.clone() },
            raw: some.then_some(raw),
            save_date: internal_date,
            email_id: [7; 16],
            digest: None,
        },
    );
    let name = prop_oneof![Just("INBOX"), Just("a/b"), Just("Entwürfe \"x\"")]
        .prop_map(|name| MailboxName::new(name).unwrap());
    prop_oneof![
        4 => Just(Answer::Done),
        2 => (rows.clone(), words.clone(), any::<[u32; 3]>(), any::<u64>()).prop_map(|(rows, keywords, [uid_validity, uid_next, first_recent], highest_modseq)| {
            Answer::Selected(Selected { uid_validity, uid_next, highest_modseq, rows, keywords, first_recent, mailbox_id: 1 })
        }),
        2 => (rows.clone(), words.clone(), proptest::collection::vec(0u32..6, 0..6), any::<(u64, u32)>()).prop_map(|(rows, keywords, vanished, (highest_modseq, first_recent))| {
            let vanished = vanished.into_iter().map(|uid| uid..=uid + uid % 3).collect();
            Answer::Changes(Changes { highest_modseq, rows, vanished, keywords, first_recent })
        }),
        2 => (proptest::collection::vec(message, 0..4), 0usize..6).prop_map(|(messages, answered)| Answer::Messages { messages, answered }),
        1 => (rows, words).prop_map(|(rows, keywords)| Answer::Stored { rows, modified: Vec::new(), keywords }),
        1 => proptest::collection::vec((name.clone(), any::<bool>()), 0..4).prop_map(|list| {
            Answer::Mailboxes(list.into_iter().map(|(name, selectable)| ListEntry { name, selectable, special_use: None }).collect())
        }),
        1 => proptest::collection::vec(name, 0..4).prop_map(Answer::Subscriptions),
        1 => Just(Answer::Status(Status::default())),
        1 => any::<(u32, u32)>().prop_map(|(uid_validity, uid)| Answer::Appended { uid_validity, uids: vec![uid] }),
        1 => proptest::collection::vec(any::<(u32, u32)>(), 0..4).prop_map(|uids| Answer::Copied { uid_validity: 1, uids }),
        1 => proptest::collection::vec(0u32..6, 0..4).prop_map(Answer::Expunged),
        1 => Just(Answer::Refused(Refusal::NonExistent)),
        1 => Just(Answer::Refused(Refusal::Internal)),
    ]
}

/// A session whose driver answers at random and calls everything at random times.
fn play(input: &[u8], cut: usize, answers: &[Answer], selected: bool) -> (Vec<u8>, bool) {
    let mut now = Instant::now();
    let peer = Peer { address: "192.0.2.1:1".parse().unwrap(), tls: Some(Tls::default()) };
    let mut session = Session::new(Arc::new(lenient()), peer, now);
    let mut output = Vec::new();
    let mut answers = answers.iter().cycle();
    let mut chunks: Vec<&[u8]> = if selected { vec![b"z LOGIN a b\r\n"] } else { vec![] };
    chunks.extend(input.chunks(cut));
    let mut chunks = chunks.into_iter();
    let mut steps = 0;
    loop {
        steps += 1;
        assert!(steps < 200_000, "the session does not come to rest");
        match session.poll() {
            Output::Compress => {}
            Output::Send(bytes) => output.extend(bytes),
            Output::Ask(Ask::Login { .. }) => session.answer(now, Answer::Done),
            Output::Ask(_) => session.answer(now, answers.next().cloned().unwrap_or(Answer::Done)),
            Output::Body(_) | Output::Discard | Output::Yield => {}
            Output::StartTls => session.tls_started(now, Tls::default()),
            Output::Close => return (output, true),
            Output::Wait { deadline } => {
                now += Duration::from_millis(1);
                if deadline <= now {
                    session.timeout(now);
                }
                let Some(chunk) = chunks.next() else { return (output, false) };
                session.changed(now);
                assert!(session.wants_input());
                session.input(now, chunk);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_command_gets_one_reply(list in proptest::collection::vec(commands(), 1..12), login in any::<bool>(), cut in 1usize..200) {
        let account = account(&[MAIL, MAIL]);
        let mut connection = Connection::with_config(&account, true, lenient());
        if login {
            connection.send(&format!("x LOGIN {USER} {PASSWORD}\r\ny SELECT INBOX\r\n"));
        }
        let input: String = list.iter().enumerate().map(|(n, command)| format!("t{n} {command}\r\n")).collect();
        let mut output = Vec::new();
        for chunk in input.as_bytes().chunks(cut) {
            output.extend(connection.exchange(chunk));
            output.extend(connection.pass(Duration::from_millis(1)).into_bytes());
        }
        let lines = check_output(&output)?;
        if !connection.closed {
            // DONE without IDLE, or a command inside it, may add a line of its own.
            for (n, command) in list.iter().enumerate() {
                let replies = lines.iter().filter(|line| line.starts_with(&format!("t{n} "))).count();
                prop_assert_eq!(replies, 1, "t{} {:?} in {:?}", n, command, lines);
            }
        }
    }

    #[test]
    fn mutated_commands_never_hurt(
        list in proptest::collection::vec(commands(), 1..8),
        changes in proptest::collection::vec(any::<(u16, u8)>(), 0..8),
        answers in proptest::collection::vec(answers(), 1..12),
        cut in 1usize..100,
    ) {
        let mut input: Vec<u8> = list.iter().enumerate().flat_map(|(n, c)| format!("t{n} {c}\r\n").into_bytes()).collect();
        for (at, value) in changes {
            let at = usize::from(at) % input.len();
            input[at] = value;
        }
        let (output, _) = play(&input, cut, &answers, true);
        check_output(&output)?;
    }

    #[test]
    fn random_bytes_never_hurt(input in proptest::collection::vec(any::<u8>(), 0..600), selected in any::<bool>(), cut in 1usize..100) {
        let (output, _) = play(&input, cut, &[Answer::Done], selected);
        check_output(&output)?;
    }

    #[test]
    fn random_answers_never_hurt(
        list in proptest::collection::vec(commands(), 1..12),
        answers in proptest::collection::vec(answers(), 1..20),
    ) {
        let input: String = list.iter().enumerate().map(|(n, c)| format!("t{n} {c}\r\n")).collect();
        let (output, closed) = play(input.as_bytes(), input.len(), &answers, true);
        let lines = check_output(&output)?;
        if !closed {
            for (n, command) in list.iter().enumerate() {
                let replies = lines.iter().filter(|line| line.starts_with(&format!("t{n} "))).count();
                prop_assert_eq!(replies, 1, "t{} {:?} in {:?}", n, command, lines);
            }
        }
    }

    #[test]
    fn any_message_is_fetched_well_formed(raw in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'"'), Just(b':')], 0..300)) {
        let account = account(&[]);
        account.borrow_mut().deliver("INBOX", &raw);
        let mut connection = Connection::selected(&account);
        let output = connection.exchange(b"a FETCH 1 (ENVELOPE BODY BODYSTRUCTURE BODY[] BODY[1.MIME] BODY[HEADER.FIELDS.NOT (X)] BODY[TEXT]<3.5>)\r\n");
        let lines = check_output(&output)?;
        prop_assert_eq!(lines.last().map(String::as_str), Some("a OK FETCH completed\r\n"));
    }
}

#[test]
fn the_checker_sees_what_is_wrong() {
    assert!(lines(b"* OK x\r\n* 1 FETCH (BODY[] {3}\r\na\r\n)\r\n").is_ok_and(|lines| lines.len() == 2));
    assert!(lines(b"* OK x").is_err() && lines(b"* X {9}\r\nab").is_err());
    for (line, good) in [
        ("* 1 FETCH (FLAGS ())\r\n", true),
        ("* 1 FETCH (FLAGS (\r\n", false),
        ("* 1 FETCH (X \"(\\\"\")\r\n", true),
        ("* 1 FETCH (X \"open)\r\n", false),
        ("* 1 FETCH (X {3}\r\n)\")y)\r\n", true),
        ("a OK done\r\n", true),
        ("a OK\r\n", false),
        ("a FETCH x\r\n", false),
    ] {
        assert_eq!(is_well_formed(line.as_bytes()), good, "{line:?}");
    }
}
