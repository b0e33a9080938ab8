//! What one command may cost: long work is done in steps with room for others between them, output is made in pieces.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use mailwright_imap::Output;
use memory::{Connection, account};

/// A text message of so many octets or a few more.
fn large(octets: usize) -> String {
    let line = "Nothing that anybody looks for stands in this line, nor in any other.\r\n";
    format!("Subject: large\r\n\r\n{}", line.repeat(octets / line.len() + 1))
}

fn keys(count: usize) -> String {
    (0..count).map(|number| format!(" NOT BODY zz{number}")).collect()
}

#[test]
fn a_search_with_many_keys_makes_room_for_others() {
    let mut alice = Connection::selected(&account(&[&large(512 * 1024)]));
    let answer = alice.send(&format!("a SEARCH{}\r\n", keys(200)));
    assert_eq!(answer, "* SEARCH 1\r\na OK SEARCH completed\r\n");
    assert!(alice.yields >= 200 * 512 / (8 * 1024), "{} steps", alice.yields);
    let answer = alice.send("a SEARCH BODY zz BODY line\r\n");
    assert_eq!(answer, "* SEARCH\r\na OK SEARCH completed\r\n");
}

#[test]
fn a_search_over_many_rows_makes_room_for_others() {
    let messages: Vec<String> = (0..3000).map(|number| format!("Subject: {number}\r\n\r\n")).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let mut alice = Connection::selected(&account(&messages));
    let answer = alice.send(&format!("a SEARCH{}\r\n", " NOT SEEN".repeat(450)));
    assert!(answer.starts_with("* SEARCH 1 2 3 ") && answer.contains(" 2999 3000\r\n"), "{answer}");
    assert!(alice.yields >= 5, "{} steps", alice.yields);
}

#[test]
fn a_server_that_ends_waits_for_no_search() {
    let mut alice = Connection::selected(&account(&[&large(64 * 1024), &large(64 * 1024)]));
    alice.session.input(alice.now, format!("a SEARCH{}\r\n", keys(300)).as_bytes());
    while alice.yields < 2 {
        alice.step();
    }
    alice.session.shutdown(alice.now);
    let answer = alice.receive();
    assert!(answer.starts_with("a NO [UNAVAILABLE] "), "{answer}");
    assert!(answer.contains("* BYE") && alice.closed, "{answer}");
}

#[test]
fn a_pattern_is_no_longer_than_a_name() {
    let mut alice = Connection::selected(&account(&[]));
    for verb in ["LIST", "LSUB"] {
        for (reference, pattern, expected) in [
            (String::new(), "*a".repeat(500), "a OK "),
            (String::new(), "*a".repeat(501), "a NO [CANNOT] "),
            (String::new(), "*a".repeat(400_000), "a NO [CANNOT] "),
            ("*a".repeat(400_000), "x".to_owned(), "a NO [CANNOT] "),
            ("a".repeat(900), "*b".repeat(51), "a NO [CANNOT] "),
        ] {
            let (first, second) = (reference.len(), pattern.len());
            let answer =
                alice.send(&format!("a {verb} {{{first}+}}\r\n{reference} {{{second}+}}\r\n{pattern}\r\n"));
            assert!(answer.starts_with(expected), "{verb} {first} {second}: {answer}");
        }
    }
}

#[test]
fn a_list_of_many_mailboxes_makes_room_for_others() {
    let account = account(&[]);
    let mut alice = Connection::selected(&account);
    for number in 0..100 {
        let answer = alice.send(&format!("c CREATE {}{number}\r\n", "a".repeat(200)));
        assert!(answer.starts_with("c OK"), "{answer}");
    }
    let answer = alice.send(&format!("a LIST \"\" \"{}*\"\r\n", "*a".repeat(150)));
    assert_eq!(answer.matches("* LIST ").count(), 100, "{answer}");
    assert!(alice.yields >= 2, "{} steps", alice.yields);
}

/// The size of the largest piece in which the answer comes, with the answer itself.
fn pieces(alice: &mut Connection, command: &str) -> (usize, String) {
    alice.session.input(alice.now, command.as_bytes());
    let (mut largest, mut text) = (0, String::new());
    loop {
        match alice.step() {
            Some(Output::Send(bytes)) => {
                largest = largest.max(bytes.len());
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
            Some(Output::Wait { .. }) => return (largest, text),
            _ => {}
        }
    }
}

/// Each item repeats the whole message; no more than a piece of one is in memory beside it.
#[test]
fn fetch_hands_out_items_piece_by_piece() {
    let raw = large(1024 * 1024);
    let mut alice = Connection::selected(&account(&[&raw, "Subject: next\r\n\r\n"]));
    let items: String = (0..10).map(|from| format!(" BODY.PEEK[]<{from}.99999999>")).collect();
    let (largest, text) = pieces(&mut alice, &format!("a FETCH 1:2 (UID{items} RFC822.HEADER)\r\n"));
    let mut expected = "* 1 FETCH (UID 1".to_owned();
    for from in 0..10 {
        expected += &format!(" BODY[]<{from}> {{{}}}\r\n{}", raw.len() - from, &raw[from..]);
    }
    expected += " RFC822.HEADER {18}\r\nSubject: large\r\n\r\n)\r\n* 2 FETCH (UID 2";
    assert!(text.starts_with(&expected), "{} octets", text.len());
    assert!(text.ends_with(")\r\na OK FETCH completed\r\n"));
    assert!(largest < 128 * 1024, "{largest} octets at once");
    let fields = " BODY.PEEK[HEADER.FIELDS.NOT (Date)]".repeat(20);
    let head = format!("X-Long: {}\r\n\r\n", " word".repeat(20_000));
    let mut alice = Connection::selected(&account(&[&head]));
    let (largest, text) = pieces(&mut alice, &format!("a FETCH 1 (UID{fields})\r\n"));
    assert_eq!(text.matches(&format!(" {{{}}}\r\n{head}", head.len())).count(), 20);
    assert!(largest < 128 * 1024, "{largest} octets at once");
}

#[test]
fn commands_before_login_are_counted() {
    let account = account(&[]);
    let mut stranger = Connection::open(&account, true);
    stranger.receive();
    let answer = stranger.send(&"a NOOP\r\n".repeat(200));
    assert_eq!(answer.matches("a OK NOOP completed\r\n").count(), 100, "{answer}");
    assert!(answer.ends_with("* BYE Too many commands before login\r\n") && stranger.closed, "{answer}");
    let mut alice = Connection::selected(&account);
    let answer = alice.send(&"a NOOP\r\n".repeat(200));
    assert_eq!(answer, "a OK NOOP completed\r\n".repeat(200));
}

/// RFC 3501 §2.3.2: "This flag can not be altered by the client."
#[test]
fn nobody_stores_recent() {
    let mut alice = Connection::selected(&account(&["Subject: one\r\n\r\n"]));
    for flags in ["FLAGS (\\Recent)", "+FLAGS (\\Seen \\Recent)", "-FLAGS.SILENT \\recent"] {
        let answer = alice.send(&format!("a STORE 1 {flags}\r\n"));
        assert!(answer.starts_with("a BAD "), "{answer}");
    }
}
