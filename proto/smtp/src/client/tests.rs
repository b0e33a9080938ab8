//! The client under test: a driver with messages to send, and what it saw.

use std::collections::VecDeque;

use super::*;
use crate::address::{Mailbox, ReversePath};
use crate::sasl::SaslData;
use crate::server::BodyType;

mod hostile;
mod login;
mod pair;
mod talk;

const EHLO: &str = "250-mx.example.org\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
const SLOW: &str = "250 mx.example.org\r\n";

/// A driver that sends what it was given and then quits.
struct Driver {
    session: Session,
    now: Instant,
    deadline: Instant,
    messages: VecDeque<(Message, Vec<u8>)>,
    /// The text of the message in hand, and the size of the pieces it is handed in by.
    text: Vec<u8>,
    piece: usize,
    /// Answers to challenges.
    responses: VecDeque<Answer>,
    sent: String,
    challenges: Vec<Vec<u8>>,
    results: Vec<Vec<Fate>>,
    failed: Option<Failure>,
    handshakes: usize,
    closed: bool,
}

fn config() -> Config {
    Config::new("out.example.test")
}

fn message(to: &[&str], text: &str) -> (Message, Vec<u8>) {
    let recipient =
        |to: &&str| Recipient { mailbox: Mailbox::parse(to).unwrap(), notify: None, original: None };
    let message = Message {
        reverse_path: ReversePath::Mailbox(Mailbox::parse("a@example.test").unwrap()),
        recipients: to.iter().map(recipient).collect(),
        size: text.len() as u64,
        body: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envelope_id: None,
    };
    (message, text.as_bytes().to_vec())
}

impl Driver {
    fn new(config: Config, messages: Vec<(Message, Vec<u8>)>) -> Driver {
        let now = Instant::now();
        let mut driver = Driver {
            session: Session::new(Arc::new(config), now),
            now,
            deadline: now,
            messages: messages.into(),
            text: Vec::new(),
            piece: 7,
            responses: VecDeque::new(),
            sent: String::new(),
            challenges: Vec::new(),
            results: Vec::new(),
            failed: None,
            handshakes: 0,
            closed: false,
        };
        driver.run();
        driver
    }

    /// Gives octets of the server to the session and runs it; returns what it sent.
    fn hear(&mut self, text: &str) -> String {
        let before = self.sent.len();
        self.session.input(self.now, text.as_bytes());
        self.run();
        self.sent[before..].to_owned()
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        if self.now >= self.deadline {
            self.session.timeout(self.now);
        }
        self.run();
    }

    fn hang_up(&mut self) {
        self.session.closed(self.now);
        self.run();
    }

    fn run(&mut self) {
        loop {
            match self.session.poll() {
                Output::Send(octets) => self.sent.push_str(&String::from_utf8_lossy(&octets)),
                Output::Ask(ask) => self.answer(ask),
                Output::WantBody if self.text.is_empty() => self.session.body_end(self.now),
                Output::WantBody => {
                    let rest = self.text.split_off(self.piece.min(self.text.len()));
                    let piece = mem::replace(&mut self.text, rest);
                    self.session.body(self.now, &piece);
                }
                Output::Result(fates) => self.results.push(fates),
                Output::StartTls => self.handshakes += 1,
                Output::Failed(failure) => {
                    assert!(self.failed.replace(failure).is_none(), "failed once");
                }
                Output::Close => {
                    self.closed = true;
                    return;
                }
                Output::Wait { deadline } => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn answer(&mut self, ask: Ask) {
        let answer = match ask {
            Ask::Ready => match self.messages.pop_front() {
                Some((message, text)) => {
                    self.text = text;
                    Answer::Message(message)
                }
                None => Answer::Quit,
            },
            Ask::Sasl { .. } => self.responses.pop_front().unwrap_or(Answer::NoSasl),
            Ask::SaslChallenge(challenge) => {
                self.challenges.push(challenge.into_bytes());
                self.responses.pop_front().unwrap_or(Answer::SaslCancel)
            }
        };
        self.session.answer(self.now, answer);
    }

    /// What became of the recipients of the first message, in short.
    fn fates(&self) -> Vec<String> {
        self.results.first().unwrap().iter().map(short).collect()
    }
}

fn short(fate: &Fate) -> String {
    match fate {
        Fate::Accepted(reply) => format!("accepted {}", reply.code()),
        Fate::Refused { stage, reply } => format!("{} {}", stage.name(), reply.code()),
        Fate::Unanswered { stage, problem } => format!("{} {problem}", stage.name()),
        Fate::Unsendable(unsendable) => unsendable.to_string(),
    }
}

/// What the server says, and what the client sends upon it.
fn check(driver: &mut Driver, dialogue: &[(&str, &str)]) {
    for (heard, expected) in dialogue {
        assert_eq!(driver.hear(heard), *expected, "upon {heard:?}");
    }
}
