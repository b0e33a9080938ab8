//! The transcripts of `tests/dialog/imap`, against the state machine with an account in memory, and against the running
//! server. Both know alice@example.test with the password of `examples/quickstart`; every transcript makes the mailboxes that
//! it changes, so that none depends on another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../proto/imap/tests/memory/mod.rs"]
mod memory;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::TcpStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use mailwright_imap::Config;
use mailwright_tests::dialog::{Peer, Script, Socket, Stream, run_all};
use mailwright_tests::harness::{Server, tls};
use memory::{Account, Connection};

fn transcripts() -> PathBuf {
    mailwright_tests::harness::root().join("tests/dialog/imap")
}

#[test]
fn against_the_machine() {
    let accounts: RefCell<BTreeMap<String, Rc<RefCell<Account>>>> = RefCell::default();
    let count = run_all(
        &transcripts(),
        |script| script.runs_on("machine"),
        |script, _| {
            let mut accounts = accounts.borrow_mut();
            Machine::new(script, accounts.entry(script.name.clone()).or_insert_with(|| memory::account(&[])))
        },
    );
    assert!(count.unwrap_or_else(|failures| panic!("{failures}")) >= 25);
}

#[test]
fn against_the_socket() {
    let mut server = Server::example("quickstart");
    server.start();
    let address = ([127, 0, 0, 1], server.ports.imap).into();
    let count = run_all(
        &transcripts(),
        |script| script.runs_on("socket"),
        |_, _| Socket::connect(address).map(|socket| socket.with_starttls(Box::new(start_tls))),
    );
    assert!(count.unwrap_or_else(|failures| panic!("{failures}")) >= 22);
}

/// A session of the state machine.
struct Machine {
    connection: Connection,
    sent: VecDeque<u8>,
}

impl Machine {
    fn new(script: &Script, account: &Rc<RefCell<Account>>) -> Result<Machine, String> {
        let mut config = Config::new("mail.example.test");
        // Transcripts are slow and patient; what is held back is tested with a directive.
        config.limits.auth_delay = Duration::ZERO;
        for limit in script.directives("limit") {
            let (name, value) = limit.split_once(' ').ok_or("a limit has a name and a value")?;
            let value: u32 = value.parse().map_err(|_| "a limit is a number")?;
            let limits = &mut config.limits;
            match name {
                "line" => limits.line = value as usize,
                "literals_before_login" => limits.literals_before_login = value as usize,
                "literals" => limits.literals = value as usize,
                "append" => limits.append = value.into(),
                "bad_commands" => limits.bad_commands = value,
                "auth_failures" => limits.auth_failures = value,
                "auth_delay" => limits.auth_delay = Duration::from_secs(value.into()),
                _ => return Err(format!("no limit {name}")),
            }
        }
        let mut connection = Connection::with_config(account, false, config);
        connection.manual_tls = true;
        Ok(Machine { connection, sent: VecDeque::new() })
    }
}

impl Peer for Machine {
    /// Octet by octet: the transcripts must not depend on how the network cuts them.
    fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        for octet in octets {
            self.sent.extend(self.connection.exchange(&[*octet]));
            self.sent.extend(self.connection.pass(Duration::ZERO).bytes());
        }
        Ok(())
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        // What another connection did may be news here.
        self.sent.extend(self.connection.exchange(b""));
        match self.sent.iter().position(|octet| *octet == b'\n') {
            Some(end) => Ok(Some(self.sent.drain(..=end).collect())),
            None if self.connection.closed => Ok(None),
            None => Err("the machine has nothing to say".to_owned()),
        }
    }

    fn directive(&mut self, words: &str) -> Result<(), String> {
        match words.split_once(' ').unwrap_or((words, "")) {
            ("only" | "limit", _) => {}
            ("wait", seconds) => {
                let seconds = seconds.parse().map_err(|_| "wait how long?")?;
                self.sent.extend(self.connection.pass(Duration::from_secs(seconds)).bytes());
            }
            ("shutdown", _) => self.connection.session.shutdown(self.connection.now),
            ("starttls", _) => self.connection.start_tls(),
            ("silent", _) => {
                self.sent.extend(self.connection.exchange(b""));
                if !self.sent.is_empty() {
                    return Err("the machine says something".to_owned());
                }
            }
            _ => return Err(format!("no directive {words}")),
        }
        Ok(())
    }
}

fn start_tls(tcp: TcpStream) -> Result<Box<dyn Stream>, String> {
    let stream = tls::over(tcp).map_err(|error| error.to_string())?;
    Ok(Box::new(stream))
}
