//! An account in memory that answers what sessions ask, and a driver that plays one connection against it.
//!
//! Shared by the tests of this package and by the transcripts. It keeps the promises of [`Ask`]'s documentation and nothing
//! more: no quota but a number of octets, no durability.
#![allow(dead_code, reason = "each test file uses a part of it")]

mod account;

pub use account::Account;

use mailwright_imap::{Answer, Append, Ask, Config, Output, Peer, Refusal, Session, Tls};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The one user that can log in.
pub const USER: &str = "alice@example.test";
/// Her password.
pub const PASSWORD: &str = "mailwright";

/// One connection to a shared account.
pub struct Connection {
    pub session: Session,
    pub account: Rc<RefCell<Account>>,
    /// Time stands still but for [`Connection::pass`].
    pub now: Instant,
    /// The session closed it.
    pub closed: bool,
    selected: Option<String>,
    /// The highest modification sequence that this connection was told of.
    told: u64,
    append: Vec<(Append, Vec<u8>)>,
    /// STARTTLS waits for [`Connection::start_tls`].
    pub manual_tls: bool,
    /// Every question, for tests that look at them.
    pub asked: Vec<Ask>,
    /// How often the session made room for others.
    pub yields: usize,
}

impl Connection {
    /// Connects; `tls` is implicit TLS.
    pub fn open(account: &Rc<RefCell<Account>>, tls: bool) -> Connection {
        Connection::with_config(account, tls, Config::new("mail.example.test"))
    }

    pub fn with_config(account: &Rc<RefCell<Account>>, tls: bool, config: Config) -> Connection {
        let now = Instant::now();
        let address = "192.0.2.1:40000".parse().unwrap();
        let peer = Peer { address, tls: tls.then(Tls::default) };
        Connection {
            session: Session::new(Arc::new(config), peer, now),
            account: Rc::clone(account),
            now,
            closed: false,
            selected: None,
            told: 0,
            append: Vec::new(),
            manual_tls: false,
            asked: Vec::new(),
            yields: 0,
        }
    }

    /// Connects over TLS, logs in and selects INBOX.
    pub fn selected(account: &Rc<RefCell<Account>>) -> Connection {
        let mut connection = Connection::open(account, true);
        connection.receive();
        let login = connection.send(&format!("l LOGIN {USER} {PASSWORD}\r\n"));
        assert!(login.starts_with("l OK"), "{login}");
        let select = connection.send("s SELECT INBOX\r\n");
        assert!(select.contains("s OK [READ-WRITE]"), "{select}");
        connection
    }

    /// Sends text and returns everything that comes back.
    pub fn send(&mut self, text: &str) -> String {
        self.send_bytes(text.as_bytes())
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(&self.exchange(bytes)).into_owned()
    }

    /// Sends octets and returns the octets that come back.
    pub fn exchange(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut received = self.run();
        self.session.input(self.now, bytes);
        received.extend(self.run());
        received
    }

    /// The handshake is done.
    pub fn start_tls(&mut self) {
        self.session.tls_started(self.now, Tls::default());
    }

    /// What comes without asking.
    pub fn receive(&mut self) -> String {
        String::from_utf8_lossy(&self.run()).into_owned()
    }

    /// Lets time pass, in the steps of the session's deadlines.
    pub fn pass(&mut self, time: Duration) -> String {
        let end = self.now + time;
        let mut received = String::new();
        loop {
            let deadline = self.deadline(&mut received);
            match deadline {
                Some(deadline) if deadline <= end => {
                    self.now = deadline;
                    self.session.timeout(self.now);
                }
                _ => break,
            }
        }
        self.now = end;
        received
    }

    fn deadline(&mut self, received: &mut String) -> Option<Instant> {
        received.push_str(&self.receive());
        match self.session.poll() {
            Output::Wait { deadline } => Some(deadline),
            _ => None,
        }
    }

    /// Polls until the session waits.
    fn run(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        self.notice();
        loop {
            match self.step() {
                Some(Output::Send(bytes)) => received.extend(bytes),
                Some(Output::StartTls) if self.manual_tls => {}
                Some(Output::StartTls) => self.session.tls_started(self.now, Tls::default()),
                Some(_) => return received,
                None => {}
            }
        }
    }

    /// Polls once; `None` where what came needs nothing more.
    pub fn step(&mut self) -> Option<Output> {
        match self.session.poll() {
            Output::Ask(ask) => {
                self.asked.push(ask.clone());
                let answer = self.answer(ask);
                self.session.answer(self.now, answer);
                self.notice();
            }
            Output::Body(octets) => {
                self.append.last_mut().expect("a body belongs to an APPEND").1.extend(octets);
            }
            Output::Discard => self.append.clear(),
            Output::Yield => self.yields += 1,
            output => {
                self.closed |= output == Output::Close;
                return Some(output);
            }
        }
        None
    }

    /// Tells the session of changes, as a store that watches would.
    fn notice(&mut self) {
        let account = self.account.borrow();
        let folder = self.selected.as_ref().map(|name| account.folders.get(name).map(|folder| folder.modseq));
        match folder {
            Some(Some(modseq)) if modseq > self.told => {
                self.told = modseq;
                self.session.changed(self.now);
            }
            Some(None) => self.session.changed(self.now),
            _ => {}
        }
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        let mut account = self.account.borrow_mut();
        let selected = self.selected.as_deref().unwrap_or_default();
        match ask {
            Ask::Login { user, password } => match user == USER && password.as_bytes() == PASSWORD.as_bytes()
            {
                true => Answer::Done,
                false => Answer::Refused(Refusal::AuthenticationFailed),
            },
            Ask::Authenticate { initial: None, .. } => Answer::Challenge(Vec::new()),
            Ask::Authenticate { initial: Some(response), .. } | Ask::Respond(response) => {
                let expected = format!("\0{USER}\0{PASSWORD}");
                match response.as_bytes() {
                    response if response == expected.as_bytes() => Answer::Done,
                    [0, ..] => Answer::Refused(Refusal::AuthenticationFailed),
                    _ => Answer::Malformed,
                }
            }
            Ask::Select { name, read_only } => {
                self.selected = None;
                let (answer, modseq) = account.select(&name, read_only);
                if modseq.is_some() {
                    self.selected = Some(name.as_str().to_owned());
                    self.told = modseq.unwrap_or(0);
                }
                answer
            }
            Ask::Unselect => {
                self.selected = None;
                Answer::Done
            }
            Ask::Append(append) => match account.may_append(&append) {
                Ok(()) => {
                    self.append.push((append, Vec::new()));
                    Answer::Done
                }
                Err(refusal) => Answer::Refused(refusal),
            },
            Ask::AppendEnd => {
                let messages = std::mem::take(&mut self.append);
                account.append_all(selected, messages)
            }
            Ask::Rename { from, to } => {
                let answer = account.rename(&from, &to);
                let own =
                    mailwright_imap::MailboxName::new(selected).ok().and_then(|own| own.renamed(&from, &to));
                if let Some(own) = own.filter(|_| answer == Answer::Done) {
                    self.selected = Some(own.as_str().to_owned());
                }
                answer
            }
            other => account.answer(selected, other),
        }
    }
}

/// An account whose INBOX holds these messages.
pub fn account(messages: &[&str]) -> Rc<RefCell<Account>> {
    let mut account = Account::new();
    for raw in messages {
        account.deliver("INBOX", raw.as_bytes());
    }
    Rc::new(RefCell::new(account))
}

/// Sends one command; `…` at the end of an expected line stands for its rest.
#[track_caller]
pub fn check(connection: &mut Connection, command: &str, expected: &[&str]) {
    let answer = connection.send(&format!("{command}\r\n"));
    let lines: Vec<&str> = answer.trim_end_matches("\r\n").split("\r\n").collect();
    let same = |line: &&str, expected: &&str| match expected.strip_suffix('…') {
        Some(start) => line.starts_with(start),
        None => line == expected,
    };
    let matches = lines.len() == expected.len() && lines.iter().zip(expected).all(|(line, e)| same(line, e));
    assert!(matches, "{command}\n{answer}\nexpected {expected:#?}");
}
