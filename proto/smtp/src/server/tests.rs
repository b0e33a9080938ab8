//! The session under test: a driver with a fixed policy, and what it saw.

use std::time::Duration;

use super::*;
use crate::address::{ForwardPath, ReversePath};

mod auth;
mod bdat;
mod commands;
mod data;
mod limits;
mod lmtp;
mod robust;
mod shutdown;
mod starttls;
mod timeouts;

/// What a session did, as far as a client and a store can see it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Seen {
    /// Everything sent.
    sent: String,
    /// Every question.
    asked: Vec<String>,
    /// Accepted messages: sender, recipients, text.
    stored: Vec<(String, Vec<String>, String)>,
    /// Text given out and neither stored nor taken back yet.
    spool: Vec<u8>,
    discards: usize,
    start_tls: usize,
    closed: bool,
}

/// A driver whose policy goes by names: `nobody`, `later`, `bye`, `nodata`, `virus`.
struct Driver {
    session: Session,
    now: Instant,
    deadline: Option<Instant>,
    seen: Seen,
}

fn config() -> Config {
    let mut config = Config::new("mx.example.test");
    config.starttls = true;
    config
}

impl Driver {
    fn new(config: Config) -> Driver {
        let now = Instant::now();
        let peer = Peer::new("192.0.2.1".parse().unwrap());
        let session = Session::new(Arc::new(config), peer, now);
        Driver { session, now, deadline: None, seen: Seen::default() }
    }

    /// A driver that was greeted and said EHLO.
    fn greeted() -> Driver {
        Driver::greeted_under(config())
    }

    fn greeted_under(config: Config) -> Driver {
        let mut driver = Driver::new(config);
        driver.say("EHLO client.example\r\n");
        driver.seen = Seen::default();
        driver
    }

    /// Gives bytes to the session and runs it; returns what it sent.
    fn say(&mut self, text: &str) -> String {
        self.give(text.as_bytes())
    }

    fn give(&mut self, bytes: &[u8]) -> String {
        let before = self.seen.sent.len();
        self.session.input(self.now, bytes);
        self.run();
        self.seen.sent[before..].to_owned()
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// Polls until the session waits or closes, answering by the policy.
    fn run(&mut self) {
        loop {
            match self.session.poll() {
                Output::Send(bytes) => self.seen.sent.push_str(std::str::from_utf8(&bytes).unwrap()),
                Output::Body(bytes) => self.seen.spool.extend_from_slice(&bytes),
                Output::Discard => {
                    self.seen.spool.clear();
                    self.seen.discards += 1;
                }
                Output::Ask(ask) => self.answer(&ask),
                Output::StartTls => self.seen.start_tls += 1,
                Output::Close => {
                    self.seen.closed = true;
                    return;
                }
                Output::Wait { deadline } => {
                    self.deadline = Some(deadline);
                    return;
                }
            }
        }
    }

    fn answer(&mut self, ask: &Ask) {
        let no = |code, text: &'static str| Answer::Reject(Reply::new(code, Enhanced(0, 7, 1), text));
        let envelope = self.session.envelope().unwrap().clone();
        let from = envelope.reverse_path.to_string();
        let (asked, answer) = match ask {
            Ask::Auth { .. } | Ask::AuthResponse(_) => unreachable!("AUTH is not offered"),
            Ask::Mail { reverse_path, .. } => match reverse_path.to_string() {
                path if path.contains("banned") => (format!("MAIL {path}"), no(550, "banned")),
                path => (format!("MAIL {path}"), Answer::Accept),
            },
            Ask::Rcpt { forward_path, .. } => match forward_path.to_string() {
                path if path.contains("nobody") => (format!("RCPT {path}"), no(550, "no such user")),
                path if path.contains("later") => (format!("RCPT {path}"), no(450, "later")),
                path if path.contains("bye") => (format!("RCPT {path}"), no(421, "bye")),
                path if path.contains("wrong") => (format!("RCPT {path}"), no(250, "a driver's mistake")),
                path => (format!("RCPT {path}"), Answer::Accept),
            },
            Ask::Data if from.contains("nodata") => ("DATA".to_owned(), no(451, "not now")),
            Ask::Data => ("DATA".to_owned(), Answer::Accept),
            Ask::Message { size } => {
                let text = latin1(&mem::take(&mut self.seen.spool));
                assert_eq!(*size, text.chars().count() as u64);
                let answer = match text.contains("virus") {
                    true => no(554, "virus"),
                    false => {
                        let recipients = envelope.recipients.iter().map(ToString::to_string).collect();
                        self.seen.stored.push((from, recipients, text));
                        Answer::AcceptAs(format!("id{}", self.seen.stored.len()))
                    }
                };
                (format!("MESSAGE {size}"), answer)
            }
        };
        self.seen.asked.push(asked);
        self.session.answer(self.now, answer);
    }
}

/// Octets as characters, so that no cut makes them invalid.
fn latin1(octets: &[u8]) -> String {
    octets.iter().map(|octet| char::from(*octet)).collect()
}

/// Each line said to a greeted session, and how its reply begins.
fn check(dialogue: &[(&str, &str)]) -> Driver {
    let mut driver = Driver::greeted();
    check_on(&mut driver, dialogue);
    driver
}

fn check_on(driver: &mut Driver, dialogue: &[(&str, &str)]) {
    for (said, expected) in dialogue {
        let reply = driver.say(&format!("{said}\r\n"));
        assert!(reply.starts_with(expected), "{said}: {reply:?}, not {expected:?}");
        assert_eq!(reply.is_empty(), expected.is_empty(), "{said}: {reply:?}");
    }
}

/// The codes of the replies, one a reply.
fn codes(sent: &str) -> Vec<&str> {
    sent.split_terminator("\r\n").filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect()
}

const ENVELOPE: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.test>\r\n";

fn stored(driver: &Driver) -> Vec<&str> {
    driver.seen.stored.iter().map(|(_, _, text)| text.as_str()).collect()
}

/// A path of either kind is displayed in brackets; the policy above leans on it.
#[test]
fn paths_are_bracketed() {
    assert_eq!(ReversePath::Null.to_string(), "<>");
    assert_eq!(ForwardPath::Postmaster.to_string(), "<postmaster>");
}
