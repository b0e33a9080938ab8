//! A pod is replaced while people send and read: what was acknowledged is there once, here and at the next host, and nobody is
//! left in doubt. What a StatefulSet does to a pod is a SIGTERM, a wait, and a start on the same volume.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{PATIENCE, Pod, Sink, wait_for, wire};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often the pod is replaced.
const ROUNDS: usize = 4;
/// People who send at once.
const SENDERS: usize = 6;

/// What came of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// 250 after the message.
    Accepted,
    /// Refused, or the connection ended, before the message was complete: it is sent again.
    Refused,
    /// The message was complete and nothing was said: nobody knows.
    Doubt,
}

/// Sends one message to alice and to somebody elsewhere; answers how it ended.
fn send(port: u16, id: &str) -> End {
    let Ok(mut wire) = wire::submission(port) else { return End::Refused };
    for command in [
        "MAIL FROM:<alice@example.test>",
        "RCPT TO:<alice@example.test>",
        "RCPT TO:<victor@there.test>",
        "DATA",
    ] {
        match wire.smtp(command) {
            Ok(reply) if reply.starts_with(['2', '3']) => {}
            _ => return End::Refused,
        }
    }
    let head = format!("From: alice@example.test\r\nSubject: {id}\r\n\r\n");
    for piece in [head.as_str(), &"Hello.\r\n".repeat(2000), "Goodbye.\r\n"] {
        if wire.send(piece.as_bytes()).is_err() {
            return End::Refused;
        }
        // Slow enough for a signal to come in the middle.
        std::thread::sleep(Duration::from_millis(3));
    }
    match wire.smtp(".") {
        Ok(reply) if reply.starts_with("250") => End::Accepted,
        Ok(_) => End::Refused,
        Err(_) => End::Doubt,
    }
}

/// Sends until told to stop; notes what was accepted.
fn keep_sending(
    port: u16,
    who: usize,
    stop: &AtomicBool,
    accepted: &Mutex<Vec<String>>,
    refused: &AtomicUsize,
) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = format!("m{who}-{number}");
        match send(port, &id) {
            End::Accepted => {
                accepted.lock().unwrap_or_else(PoisonError::into_inner).push(id);
                number += 1;
            }
            End::Refused => {
                refused.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
            End::Doubt => panic!("{id}: a whole message was met with silence"),
        }
    }
}

/// Reads alice's mail until told to stop; being sent away is no error, a wrong answer is.
fn keep_reading(port: u16, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let _ = read_once(port, stop);
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn read_once(port: u16, stop: &AtomicBool) -> std::io::Result<()> {
    let mut imap = wire::Wire::connect(port)?;
    imap.line()?;
    imap.imap("l", "LOGIN alice@example.test mailwright")?;
    let mut seen = 0;
    while !stop.load(Ordering::Relaxed) {
        let answer = imap.imap("s", "SELECT INBOX")?;
        let exists = answer.lines().find_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS"));
        let exists: usize = exists.and_then(|count| count.parse().ok()).unwrap_or(seen);
        assert!(exists >= seen, "mail that was seen is gone: {exists} after {seen}");
        seen = exists;
    }
    Ok(())
}

/// How often each message is in alice's INBOX.
fn subjects(port: u16) -> BTreeMap<String, usize> {
    let mut imap = wire::Wire::connect(port).unwrap();
    imap.line().unwrap();
    imap.imap("l", "LOGIN alice@example.test mailwright").unwrap();
    imap.imap("s", "SELECT INBOX").unwrap();
    let answer = imap.imap("f", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").unwrap();
    counted(answer.lines().filter_map(|line| line.strip_prefix("Subject: ")))
}

fn counted<'a>(subjects: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for subject in subjects {
        *counts.entry(subject.trim().to_owned()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn nothing_is_lost_or_doubled_while_the_pod_is_replaced() {
    let sink = Sink::start("nobody");
    let mut pod = Pod::new();
    pod.configure(|server| {
        server["relay"] = json!({"host": "127.0.0.1", "port": sink.port, "tls": "None"});
    });
    pod.start();
    pod.populate(1);
    let (stop, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let accepted: Mutex<Vec<String>> = Mutex::default();
    let count = || accepted.lock().unwrap_or_else(PoisonError::into_inner).len();
    let (submission, imap) = (pod.ports.submission, pod.ports.imap);
    std::thread::scope(|scope| {
        for who in 0..SENDERS {
            let (stop, accepted, refused) = (&stop, &accepted, &refused);
            scope.spawn(move || keep_sending(submission, who, stop, accepted, refused));
        }
        scope.spawn(|| keep_reading(imap, &stop));
        for _ in 0..ROUNDS {
            let before = count();
            wait_for("some mail", PATIENCE, || (count() >= before + 2 * SENDERS).then_some(()));
            let ended = pod.stop();
            assert!(ended.success(), "{ended:?}");
            pod.start();
        }
        let before = count();
        wait_for("some more mail", PATIENCE, || (count() >= before + SENDERS).then_some(()));
        stop.store(true, Ordering::Relaxed);
    });
    let accepted = accepted.into_inner().unwrap_or_else(PoisonError::into_inner);
    let expected = counted(accepted.iter().map(String::as_str));
    assert_eq!(subjects(imap), expected, "each once in the mailbox");
    wait_for("the queue to be empty", PATIENCE, || (sink.taken().len() >= expected.len()).then_some(()));
    let taken = sink.taken();
    let elsewhere =
        taken.iter().filter_map(|mail| mail.text.lines().find_map(|line| line.strip_prefix("Subject: ")));
    assert_eq!(counted(elsewhere), expected, "each once at the next host");
    println!(
        "{} messages over {ROUNDS} restarts, {} attempts sent away",
        accepted.len(),
        refused.load(Ordering::Relaxed)
    );
    assert!(!pod.logs().contains("sessions were cut off"), "the grace was enough");
}
