//! Clients and messages that mean harm: everything is bounded, answered and over soon.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use mailwright_imap::message::tree::{MAX_DEPTH, MAX_PARTS};
use mailwright_imap::message::{Content, Part, index};
use mailwright_imap::{Config, ListEntry, MailboxName, Output, Peer, Session, Tls};
use memory::{Connection, account};
use std::sync::Arc;
use std::time::Instant;

/// A session of its own, past the greeting, without anybody who answers.
fn session() -> (Session, Instant) {
    let now = Instant::now();
    let peer = Peer { address: "192.0.2.1:1".parse().unwrap(), tls: Some(Tls::default()) };
    let mut session = Session::new(Arc::new(Config::new("mail.example.test")), peer, now);
    assert!(matches!(session.poll(), Output::Send(_)));
    (session, now)
}

/// What comes out until the session waits.
fn sent(session: &mut Session) -> String {
    let mut text = Vec::new();
    while let Output::Send(bytes) = session.poll() {
        text.extend(bytes);
    }
    String::from_utf8(text).unwrap()
}

fn parts(part: &Part) -> usize {
    1 + match &part.content {
        Content::Leaf => 0,
        Content::Multipart(list) => list.iter().map(parts).sum(),
        Content::Message(_, inner) => parts(inner),
    }
}

fn depth(part: &Part) -> usize {
    1 + match &part.content {
        Content::Leaf => 0,
        Content::Multipart(list) => list.iter().map(depth).max().unwrap_or(0),
        Content::Message(_, inner) => depth(inner),
    }
}

#[test]
fn a_line_without_end_is_answered_once() {
    let (mut session, now) = session();
    let piece = vec![b'x'; 64 * 1024];
    session.input(now, b"a ");
    let mut output = String::new();
    for _ in 0..200 {
        session.input(now, &piece);
        output += &sent(&mut session);
        assert!(session.wants_input(), "what is skipped is not kept");
    }
    session.input(now, b"\r\nb NOOP\r\n");
    output += &sent(&mut session);
    assert_eq!(output, "a BAD The command is too long\r\nb OK NOOP completed\r\n");
}

#[test]
fn a_refused_literal_is_skipped_and_not_kept() {
    let (mut session, now) = session();
    let piece = vec![b'\n'; 1024 * 1024];
    session.input(now, b"a LOGIN {104857600+}\r\n");
    let mut output = String::new();
    for _ in 0..100 {
        session.input(now, &piece);
        output += &sent(&mut session);
        assert!(session.wants_input());
    }
    session.input(now, b" x\r\nb NOOP\r\n");
    output += &sent(&mut session);
    assert_eq!(output, "a BAD The literal is too big\r\nb OK NOOP completed\r\n");
}

#[test]
fn many_small_literals_count_together() {
    let (mut session, now) = session();
    let literals = " {1000+}\r\n".to_owned() + &"x".repeat(1000);
    session.input(now, format!("a LOGIN{}\r\nb NOOP\r\n", literals.repeat(10)).as_bytes());
    assert_eq!(sent(&mut session), "a BAD The literal is too big\r\nb OK NOOP completed\r\n");
}

#[test]
fn commands_may_come_by_the_thousand() {
    let mut alice = Connection::selected(&account(&[]));
    let input: String = (0..20_000).map(|n| format!("t{n} NOOP\r\n")).collect();
    let output = alice.send(&input);
    assert_eq!(output.lines().count(), 20_000);
    assert!(output.ends_with("t19999 OK NOOP completed\r\n"));
}

#[test]
fn wildcards_over_many_mailboxes() {
    let account = account(&[]);
    let mut alice = Connection::selected(&account);
    let name = |n: usize| format!("{}/{n}", "ab".repeat(60));
    for n in 0..2000 {
        account.borrow_mut().folders.insert(name(n), Default::default());
    }
    let answer = alice.send(&format!("a LIST \"\" {}\r\n", "*a".repeat(400)));
    assert_eq!(answer, "a OK LIST completed\r\n");
    let answer = alice.send("b LIST \"\" *b*b*b*/%7\r\n");
    assert_eq!(answer.lines().filter(|line| line.starts_with("* LIST")).count(), 200);
}

#[test]
fn entries_that_repeat_are_listed_once() {
    let entry = |selectable| ListEntry { name: MailboxName::inbox(), selectable, special_use: None };
    let (mut session, now) = session();
    session.input(now, b"a LOGIN x y\r\nb LIST \"\" *\r\n");
    assert!(matches!(session.poll(), Output::Ask(_)));
    session.answer(now, mailwright_imap::Answer::Done);
    assert!(matches!(session.poll(), Output::Ask(_)));
    session.answer(now, mailwright_imap::Answer::Mailboxes(vec![entry(false), entry(true)]));
    let output = sent(&mut session);
    assert_eq!(output.matches("* LIST").count(), 1, "{output}");
}

#[test]
fn sets_of_many_ranges() {
    let messages = vec!["Subject: s\r\n\r\nx\r\n"; 300];
    let mut alice = Connection::selected(&account(&messages));
    let set: Vec<String> = (0..9000).map(|n| format!("{}:{}", n % 300 + 1, 300 - n % 300)).collect();
    let answer = alice.send(&format!(
        "a FETCH {} UID\r\n",
        set.join(",").chars().take(60_000).collect::<String>().trim_end_matches([',', ':'])
    ));
    assert_eq!(answer.lines().count(), 301, "each message once");
    let answer = alice.send("b UID FETCH 1:4294967295,4294967295:1 UID\r\n");
    assert_eq!(answer.lines().count(), 301);
}

#[test]
fn messages_of_nothing_but_structure() {
    let nested: String =
        (0..5000).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n")).collect();
    let flat = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\n".repeat(100_000));
    let forwards = "Content-Type: message/rfc822\r\n\r\n".repeat(20_000);
    let dashes =
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{}", "--\r\n".repeat(500_000));
    let headers = "X: y\r\n".repeat(200_000);
    let one_header = format!("Subject: {}\r\n\r\n", "x".repeat(3_000_000));
    let addresses = format!("To: {}\r\n\r\n", "a@b.test, ".repeat(100_000));
    let parentheses =
        format!("To: {}\r\nContent-Type: {}\r\n\r\n", "(".repeat(500_000), "(\\".repeat(500_000));
    for raw in [nested, flat, forwards, dashes, headers, one_header, addresses, parentheses] {
        let index = index(raw.as_bytes());
        assert!(parts(&index.root) <= 2 * MAX_PARTS + 1, "{}", parts(&index.root));
        assert!(depth(&index.root) <= MAX_DEPTH + 2, "{}", depth(&index.root));
        assert!(index.encode().len() <= 600_000, "{}", index.encode().len());
    }
}

#[test]
fn hostile_messages_can_be_fetched() {
    let nested: String =
        (0..200).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n")).collect();
    let flat =
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(5000));
    let mut alice = Connection::selected(&account(&[&nested, &flat, "\r\n\r\n", ":\r\n:\r\n\r\n:"]));
    let answer = alice.send(
        "a FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY[1.1.1.1.1.1.1.1.1.1.1] BODY[4294967295.4294967295])\r\n",
    );
    assert_eq!(answer.matches(" FETCH (ENVELOPE ").count(), 4);
    assert!(answer.ends_with("a OK FETCH completed\r\n"));
    let numbers = vec!["1"; 20_000].join(".");
    let answer = alice.send(&format!("b FETCH 2 BODY[{numbers}]\r\n"));
    assert!(answer.starts_with(&format!("* 2 FETCH (BODY[{numbers}] NIL")), "a part that is not there");
}

#[test]
fn a_message_may_come_octet_by_octet() {
    let account = account(&[]);
    let mut alice = Connection::selected(&account);
    let raw = "Subject: slow\r\n\r\n".to_owned() + &"line\r\n".repeat(200);
    let mut output = String::new();
    for octet in format!("a APPEND INBOX {{{}+}}\r\n{raw}\r\n", raw.len()).bytes() {
        output += &alice.send_bytes(&[octet]);
    }
    assert!(output.contains("a OK [APPENDUID 1001 1]"), "{output}");
    assert_eq!(account.borrow().folders["INBOX"].messages[&1].raw, raw.as_bytes());
}

#[test]
fn searches_that_look_at_everything() {
    let big = format!("Subject: big\r\n\r\n{}", "lorem ipsum dolor ".repeat(50_000));
    let mut alice = Connection::selected(&account(&[&big, "Subject: small\r\n\r\nx\r\n"]));
    let keys = "NOT TEXT nowhere ".repeat(50);
    assert!(alice.send(&format!("a SEARCH {}\r\n", keys.trim_end())).starts_with("* SEARCH 1 2\r\na OK"));
    let deep = format!("{}TEXT dolor{}", "(".repeat(50), ")".repeat(50));
    assert!(alice.send(&format!("b SEARCH {deep}\r\n")).starts_with("* SEARCH 1\r\nb OK"));
    assert!(alice.send(&format!("c SEARCH ({deep})\r\n")).starts_with("c BAD Too many levels"));
}
