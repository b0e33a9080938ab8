//! Whole sessions against an account in memory: states, capabilities, limits, literals, timeouts, pipelining.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod memory;

use mailwright_imap::{Ask, Config, Output};
use memory::{Connection, PASSWORD, USER, account};
use std::time::Duration;

const HELLO: &str = "From: bob@example.org\r\nSubject: hello\r\n\r\nhi\r\n";

/// A connection over TLS, greeting read.
fn connected() -> Connection {
    let mut connection = Connection::open(&account(&[HELLO]), true);
    connection.receive();
    connection
}

fn configured(change: impl FnOnce(&mut Config)) -> Connection {
    let mut config = Config::new("mail.example.test");
    change(&mut config);
    let mut connection = Connection::with_config(&account(&[HELLO]), true, config);
    connection.receive();
    connection
}

#[test]
fn capabilities_follow_tls_and_login() {
    let account = account(&[]);
    let mut connection = Connection::open(&account, false);
    let greeting = connection.receive();
    assert!(greeting.starts_with("* OK [CAPABILITY IMAP4rev1 "), "{greeting}");
    assert!(greeting.contains(" STARTTLS LOGINDISABLED] mail.example.test "), "{greeting}");
    let refused = connection.send(&format!("a LOGIN {USER} {PASSWORD}\r\n"));
    assert_eq!(refused, "a NO [PRIVACYREQUIRED] Start TLS before you log in\r\n");
    let refused = connection.send("b AUTHENTICATE PLAIN\r\n");
    assert_eq!(refused, "b NO [PRIVACYREQUIRED] Start TLS before you log in\r\n");
    assert_eq!(connection.send("c STARTTLS\r\n"), "c OK Begin TLS negotiation now\r\n");
    assert!(connection.session.peer().tls.is_some());
    let tls = connection.send("d CAPABILITY\r\n");
    assert!(
        tls.contains("AUTH=PLAIN") && !tls.contains("STARTTLS") && !tls.contains("LOGINDISABLED"),
        "{tls}"
    );
    assert!(connection.send("e STARTTLS\r\n").starts_with("e BAD "));
    let login = connection.send(&format!("f LOGIN {USER} {PASSWORD}\r\n"));
    assert!(login.starts_with("f OK [CAPABILITY IMAP4rev1 ") && login.contains(" MOVE "), "{login}");
    assert!(connection.send("g LOGIN a b\r\n").starts_with("g BAD "));
}

/// RFC 3501 §6.2.1: what the client, or somebody else, sent before the handshake is dropped.
#[test]
fn what_is_pipelined_behind_starttls_is_dropped() {
    let mut connection = Connection::open(&account(&[]), false);
    connection.receive();
    let answer = connection.send("a STARTTLS\r\nb NOOP\r\n");
    assert_eq!(answer, "a OK Begin TLS negotiation now\r\n");
    assert_eq!(connection.send("c NOOP\r\n"), "c OK NOOP completed\r\n");
}

#[test]
fn authenticate_plain() {
    let alice = "AGFsaWNlQGV4YW1wbGUudGVzdABtYWlsd3JpZ2h0";
    let mut connection = connected();
    assert_eq!(connection.send("a AUTHENTICATE PLAIN\r\n"), "+ \r\n");
    assert!(connection.send(&format!("{alice}\r\n")).starts_with("a OK [CAPABILITY "));
    let mut connection = connected();
    assert!(connection.send(&format!("a authenticate plain {alice}\r\n")).starts_with("a OK "));
    let mut connection = connected();
    assert_eq!(connection.send("a AUTHENTICATE PLAIN\r\n"), "+ \r\n");
    assert_eq!(connection.send("*\r\n"), "a BAD AUTHENTICATE cancelled\r\n");
    assert!(connection.send("b AUTHENTICATE PLAIN =\r\n").starts_with("b BAD "));
    assert!(connection.send("c AUTHENTICATE CRAM-MD5\r\n").starts_with("c NO [CANNOT] "));
    assert!(connection.send("d AUTHENTICATE PLAIN !!!\r\n").starts_with("d BAD "));
    assert_eq!(connection.send("e NOOP\r\n"), "e OK NOOP completed\r\n");
}

#[test]
fn failed_logins_wait_longer_and_end() {
    let mut connection = connected();
    for failure in 1..=5 {
        assert_eq!(connection.send("a LOGIN alice wrong\r\nb NOOP\r\n"), "", "the reply is held back");
        assert_eq!(connection.pass(Duration::from_secs(failure) - Duration::from_millis(1)), "");
        let reply = connection.pass(Duration::from_millis(1));
        let expected = "a NO [AUTHENTICATIONFAILED] Authentication failed\r\n";
        assert!(reply.starts_with(expected), "{reply}");
        assert_eq!(reply.ends_with("* BYE Too many failed logins\r\n"), failure == 5, "{reply}");
        assert_eq!(reply.contains("b OK"), failure < 5, "{reply}");
    }
    assert!(connection.closed);
}

#[test]
fn passwords_come_in_every_string_form() {
    for login in [
        format!("a LOGIN {USER} {PASSWORD}\r\n"),
        format!("a LOGIN \"{USER}\" \"{PASSWORD}\"\r\n"),
        format!("a LOGIN {{{}+}}\r\n{USER} {{{}+}}\r\n{PASSWORD}\r\n", USER.len(), PASSWORD.len()),
        format!("a login {USER} \"{PASSWORD}\"\r\n"),
    ] {
        assert!(connected().send(&login).starts_with("a OK "), "{login}");
    }
    let mut connection = connected();
    assert_eq!(connection.send(&format!("a LOGIN {{{}}}\r\n", USER.len())), "+ OK\r\n");
    assert_eq!(connection.send(&format!("{USER} {{10}}\r\n")), "+ OK\r\n");
    assert!(connection.send(&format!("{PASSWORD}\r\n")).starts_with("a OK "));
}

#[test]
fn states_let_through_what_they_should() {
    let mut connection = connected();
    assert_eq!(connection.send("a SELECT INBOX\r\n"), "a BAD Log in first\r\n");
    assert_eq!(connection.send("a FETCH 1 FLAGS\r\n"), "a BAD Log in first\r\n");
    assert_eq!(connection.send("a IDLE\r\n"), "a BAD Log in first\r\n");
    assert_eq!(connection.send("a APPEND INBOX {5}\r\n"), "a BAD Log in first\r\n");
    assert_eq!(
        connection.send("a APPEND INBOX {5+}\r\nhello\r\nb NOOP\r\n"),
        "a BAD Log in first\r\nb OK NOOP completed\r\n"
    );
    assert!(connection.send("a ID NIL\r\n").starts_with("* ID (\"name\" \"Mailwright\")\r\na OK "));
    connection.send(&format!("a LOGIN {USER} {PASSWORD}\r\n"));
    assert_eq!(connection.send("a FETCH 1 FLAGS\r\n"), "a BAD Select a mailbox first\r\n");
    assert_eq!(connection.send("a ENABLE CONDSTORE\r\n"), "* ENABLED CONDSTORE\r\na OK ENABLE completed\r\n");
    connection.send("a SELECT INBOX\r\n");
    assert_eq!(connection.send("a ENABLE X\r\n"), "a BAD Not while a mailbox is selected\r\n");
    assert!(connection.send("a SELECT Nowhere\r\n").starts_with("a NO [NONEXISTENT] "));
    assert_eq!(
        connection.send("a CHECK\r\n"),
        "a BAD Select a mailbox first\r\n",
        "a failed SELECT deselects"
    );
    let bye = connection.send("a LOGOUT\r\n");
    assert_eq!(bye, "* BYE Logging out\r\na OK LOGOUT completed\r\n");
    assert!(connection.closed);
}

#[test]
fn nonsense_ends_the_session() {
    let mut connection = configured(|config| config.limits.bad_commands = 3);
    assert_eq!(connection.send("a FOO\r\n"), "a BAD Unknown command\r\n");
    assert_eq!(connection.send("\r\n"), "* BAD Expected a tag\r\n");
    assert_eq!(connection.send("a NOOP\r\n"), "a OK NOOP completed\r\n", "and it starts from zero");
    connection.send("a FOO\r\na FOO\r\n");
    assert!(connection.send("a FOO\r\nb NOOP\r\n").ends_with("* BYE Too many invalid commands\r\n"));
    assert!(connection.closed);
}

#[test]
fn lines_and_literals_are_bounded() {
    let mut connection = configured(|config| {
        config.limits.line = 100;
        config.limits.literals_before_login = 20;
        config.limits.literals = 40;
        config.limits.append = 60;
    });
    let long = "x".repeat(200);
    assert_eq!(
        connection.send(&format!("a NOOP {long}\r\nb NOOP\r\n")),
        "a BAD The command is too long\r\nb OK NOOP completed\r\n"
    );
    assert_eq!(connection.send("a LOGIN {21}\r\n"), "a BAD The literal is too big\r\n");
    assert_eq!(connection.send("a LOGIN {4294967295}\r\n"), "a BAD The literal is too big\r\n");
    assert_eq!(connection.send("a NOOP\nb NOOP\r\n"), "a BAD Lines end with CRLF\r\nb OK NOOP completed\r\n");
    connection.send(&format!("a LOGIN {USER} {PASSWORD}\r\n"));
    assert_eq!(connection.send("a SELECT {41}\r\n"), "a BAD The literal is too big\r\n");
    assert!(connection.send("a APPEND INBOX {61}\r\n").starts_with("a NO [TOOBIG] "));
    let unasked = format!("a APPEND INBOX {{61+}}\r\n{}\r\nb NOOP\r\n", "\n".repeat(61));
    assert!(
        connection.send(&unasked).ends_with("b OK NOOP completed\r\n"),
        "a refused message is no command"
    );
    assert!(!connection.asked.iter().any(|ask| matches!(ask, Ask::Append(_))));
}

#[test]
fn time_runs_out() {
    let mut connection = connected();
    assert_eq!(connection.pass(Duration::from_secs(59)), "");
    connection.send("a NOOP\r\n");
    assert_eq!(connection.pass(Duration::from_secs(1)), "* BYE Too slow to log in\r\n");
    assert!(connection.closed);

    let mut connection = Connection::selected(&account(&[]));
    assert_eq!(connection.pass(Duration::from_secs(29 * 60)), "");
    connection.send("a IDLE\r\n");
    assert_eq!(connection.pass(Duration::from_secs(29 * 60)), "");
    assert_eq!(connection.send("DONE\r\n"), "a OK IDLE completed\r\n");
    assert_eq!(connection.pass(Duration::from_secs(30 * 60)), "* BYE Idle for too long\r\n");
    assert!(connection.closed);
}

#[test]
fn draining_ends_between_commands() {
    let mut connection = Connection::selected(&account(&[]));
    connection.send("a IDLE\r\n");
    connection.session.shutdown(connection.now);
    assert_eq!(connection.receive(), "* BYE [UNAVAILABLE] The server is shutting down\r\n");
    assert!(connection.closed);

    let mut connection = Connection::selected(&account(&[]));
    assert_eq!(connection.send("a APPEND INBOX {5}\r\n"), "+ OK\r\n");
    connection.session.shutdown(connection.now);
    assert_eq!(connection.receive(), "");
    let end = connection.send("hello\r\n");
    assert!(end.contains("a OK [APPENDUID 1001 1]"), "a message on its way is kept: {end}");
    assert!(end.ends_with("* BYE [UNAVAILABLE] The server is shutting down\r\n"), "{end}");
}

#[test]
fn pipelined_commands_are_executed_in_order() {
    let mut connection = connected();
    let answer = connection.send(&format!(
        "1 LOGIN {USER} {PASSWORD}\r\n2 SELECT INBOX\r\n3 FETCH 1 FLAGS\r\n4 STORE 1 +FLAGS (\\Deleted)\r\n5 EXPUNGE\r\n6 LOGOUT\r\n"
    ));
    let tags: Vec<&str> =
        answer.lines().filter(|line| !line.starts_with('*')).map(|line| &line[..4]).collect();
    assert_eq!(tags, ["1 OK", "2 OK", "3 OK", "4 OK", "5 OK", "6 OK"]);
    assert!(answer.contains("* 1 EXPUNGE\r\n* 0 RECENT\r\n5 OK"), "{answer}");
}

#[test]
fn input_is_not_wanted_without_end_while_an_answer_is_awaited() {
    let account = account(&[]);
    let mut connection = connected();
    connection.session.input(connection.now, format!("a LOGIN {USER} {PASSWORD}\r\n").as_bytes());
    assert!(matches!(connection.session.poll(), Output::Ask(Ask::Login { .. })));
    assert!(connection.session.wants_input());
    connection.session.input(connection.now, &vec![b'x'; 64 * 1024]);
    assert!(!connection.session.wants_input());
    drop(account);
}

#[test]
fn large_mailboxes_are_sent_in_pieces() {
    let messages: Vec<String> =
        (0..5000).map(|n| format!("Subject: {n}\r\n\r\n{}\r\n", "x".repeat(100))).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let account = account(&messages);
    let mut connection = Connection::selected(&account);
    connection.session.input(connection.now, b"a UID FETCH 1:* (UID FLAGS)\r\n");
    let mut largest = 0;
    let mut total = Vec::new();
    loop {
        match connection.session.poll() {
            Output::Send(bytes) => {
                largest = largest.max(bytes.len());
                total.extend(bytes);
            }
            Output::Wait { .. } => break,
            other => panic!("FLAGS and UID need no question: {other:?}"),
        }
    }
    assert!(largest < 70 * 1024, "{largest}");
    assert_eq!(total.iter().filter(|b| **b == b'\n').count(), 5001);

    connection.send("b FETCH 1:* BODY.PEEK[]\r\n");
    let chunks = connection.asked.iter().filter_map(|ask| match ask {
        Ask::Fetch { uids, .. } => Some(uids.len()),
        _ => None,
    });
    assert!(chunks.max().unwrap() <= 500);
}
