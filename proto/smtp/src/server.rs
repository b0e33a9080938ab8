//! The receiving server session (RFC 5321 §3 and §4): which command may come when, and what it leads to.
//!
//! ```text
//!            220            line             question                        answer
//! Greeting ──────▶ Command ──────▶ (a verb) ──────────▶ Asking(Question) ──────────────▶ Command
//!                  │  ▲  ▲                                     │
//!                  │  │  └── the end: reply ── Data ◀───────────┤ DATA accepted: 354
//!                  │  │                                        │
//!                  │  ├── last octet: reply ── Chunk ◀─────────┘ BDAT accepted
//!                  │  └── last octet: reply ── Skip        BDAT that nobody wants
//!                  ├──▶ Asking(Auth) ⇄ Response ── 235 or 535 ──▶ Command
//!                  ├──▶ Handshake ── tls_started ──▶ Command (all forgotten, EHLO again)
//!                  └──▶ Closed      QUIT, 421, a fault that leaves the line ends in doubt
//! ```
//! Within `Command`, `Dialog` says how far the mail transaction is (RFC 5321 §3.3). The verbs are in one file each and
//! return the next state. Nothing here knows the time but what its caller says, and nothing blocks.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use crate::grammar::{Command, parse};
use crate::reply::{Enhanced, Reply};

mod config;
mod envelope;
mod output;

mod auth;
mod bdat;
mod data;
mod ehlo;
mod help;
mod mail;
mod noop;
mod quit;
mod rcpt;
mod rset;
mod starttls;
mod vrfy;

mod intake;
mod line;
mod refusal;
mod shared;
mod text;

use self::intake::Intake;
use self::line::{Line, LineReader};
use self::text::DotReader;
use crate::input::Input;

pub use self::config::{Config, Kind, Limits, Timeouts};
pub use self::envelope::{BodyType, Envelope, Helo, MailParameters, Peer, RcptParameters, Tls, Transfer};
pub use self::output::{Answer, Ask, Output};

/// Octets of replies that are gathered before they are sent in any case: bounds what a flood of commands makes us hold.
const FLUSH: usize = 16 * 1024;

/// One session of a receiving server.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    peer: Peer,
    tls: Option<Tls>,
    client: Option<Client>,
    /// Who has logged in.
    login: Option<String>,
    state: State,
    counters: Counters,
    /// What is still to be read, and the reader that is in the middle of a line of it.
    input: Input,
    lines: LineReader,
    /// Replies to send, and what else to put out.
    replies: Vec<u8>,
    events: VecDeque<Output>,
    /// Set by `shutdown` and `refuse`: the last reply.
    farewell: Option<Reply>,
    now: Instant,
    deadline: Instant,
    /// When EHLO must have come.
    hello_by: Instant,
}

/// How the client introduced itself.
#[derive(Debug, Clone)]
struct Client {
    helo: Helo,
    esmtp: bool,
}

/// What the session is doing.
#[derive(Debug)]
enum State {
    /// The greeting is still to be given.
    Greeting,
    /// Reading a command line.
    Command(Dialog),
    /// Reading the client's response to a challenge of AUTH.
    Response,
    /// Waiting for an answer of the driver.
    Asking(Question),
    /// Reading the text of DATA.
    Data(Envelope, Intake, DotReader),
    /// Reading a chunk of BDAT.
    Chunk(Envelope, Intake, Chunk),
    /// Reading a chunk of BDAT that is not wanted.
    Skip(Dialog, Skip),
    /// Waiting for the TLS handshake.
    Handshake,
    /// Said goodbye; or, for a moment, being changed.
    Closed,
}

/// How far the mail transaction is.
#[derive(Debug)]
enum Dialog {
    /// No MAIL yet.
    Idle,
    /// MAIL was accepted, perhaps RCPTs too.
    Mail(Envelope),
    /// At least one chunk of BDAT was accepted, the last one is still to come.
    Chunks(Envelope, Intake),
}

/// A question on its way.
#[derive(Debug)]
enum Question {
    Auth,
    Mail(Envelope),
    Rcpt(Envelope, crate::ForwardPath, RcptParameters),
    Data(Envelope),
    Chunk(Envelope, Chunk),
    Message(Envelope),
}

/// A chunk: its size, what of it is still to come, and whether it is the LAST (RFC 3030 §2).
#[derive(Debug, Clone, Copy)]
struct Chunk {
    size: u64,
    left: u64,
    last: bool,
}

/// A chunk to be thrown away: what of it is still to come, the reply behind it, and our patience.
#[derive(Debug)]
struct Skip {
    left: u64,
    reply: Reply,
    deadline: Instant,
}

/// What the client has used up of its limits.
#[derive(Debug, Default)]
struct Counters {
    bad: u32,
    failed_logins: u32,
    idle: u32,
    refused: u32,
    messages: u32,
}

impl Session {
    /// A session that has just been connected; the first `poll` gives the greeting.
    pub fn new(config: Arc<Config>, peer: Peer, now: Instant) -> Session {
        let hello_by = now + config.timeouts.hello;
        Session {
            lines: LineReader::new(longest_line(&config)),
            config,
            peer,
            tls: None,
            client: None,
            login: None,
            state: State::Greeting,
            counters: Counters::default(),
            input: Input::default(),
            replies: Vec::new(),
            events: VecDeque::new(),
            farewell: None,
            now,
            deadline: hello_by,
            hello_by,
        }
    }

    /// A session whose connection was encrypted before its first byte (RFC 8314 §3.3).
    pub fn under_tls(config: Arc<Config>, peer: Peer, tls: Tls, now: Instant) -> Session {
        Session { tls: Some(tls), ..Session::new(config, peer, now) }
    }

    /// Bytes from the client. Bytes that come between [`Output::StartTls`] and [`Session::tls_started`] or after
    /// [`Output::Close`] are dropped; a driver that goes on although [`Session::wants_input`] is false loses the session.
    pub fn input(&mut self, now: Instant, bytes: &[u8]) {
        self.now = now;
        match self.state {
            State::Handshake | State::Closed => return,
            _ if !self.wants_input() => {
                self.refuse(now, self.closing(Enhanced(4, 3, 2), "input overrun"));
                return;
            }
            State::Data(_, ref intake, _) | State::Chunk(_, ref intake, _) => {
                self.await_text(intake.deadline)
            }
            State::Skip(_, ref skip) => self.await_text(skip.deadline),
            _ => {}
        }
        self.input.push(bytes);
    }

    /// The answer to the last [`Ask`]; without one it is ignored.
    pub fn answer(&mut self, now: Instant, answer: Answer) {
        self.now = now;
        if self.events.iter().any(|event| matches!(event, Output::Ask(_))) {
            return;
        }
        self.state = match mem::replace(&mut self.state, State::Closed) {
            State::Asking(question) => match question {
                Question::Auth => self.auth_answered(answer),
                Question::Mail(envelope) => self.mail_answered(envelope, answer),
                Question::Rcpt(envelope, path, parameters) => {
                    self.rcpt_answered(envelope, path, parameters, answer)
                }
                Question::Data(envelope) => self.data_answered(envelope, answer),
                Question::Chunk(envelope, chunk) => self.bdat_answered(envelope, chunk, answer),
                Question::Message(envelope) => self.message_answered(envelope, answer),
            },
            state => state,
        };
    }

    /// The TLS handshake asked for by [`Output::StartTls`] is done; otherwise ignored.
    pub fn tls_started(&mut self, now: Instant, tls: Tls) {
        self.now = now;
        if matches!(self.state, State::Handshake) && self.events.is_empty() {
            self.restart_under(tls);
        }
    }

    /// The deadline of [`Output::Wait`] has passed (RFC 5321 §4.5.3.2.7). Called too early, it does nothing.
    pub fn timeout(&mut self, now: Instant) {
        self.now = now;
        if now < self.deadline {
            return;
        }
        let reply = match self.state {
            State::Closed => return,
            State::Handshake => {
                self.state = State::Closed;
                return;
            }
            State::Asking(_) => self.closing(Enhanced(4, 3, 0), "local error, closing"),
            _ => self.closing(Enhanced(4, 4, 2), "timeout, closing"),
        };
        let state = mem::replace(&mut self.state, State::Closed);
        self.state = self.leave(state, &reply);
    }

    /// The server drains: `421 4.3.2` at the next safe point, which is not in the middle of a message.
    pub fn shutdown(&mut self, now: Instant) {
        self.refuse(now, self.closing(Enhanced(4, 3, 2), "shutting down"));
    }

    /// Ends the session with this reply at the next safe point; right after `new` it takes the place of the greeting
    /// (RFC 5321 §3.1: 554, §3.8: 421). The first farewell stays.
    pub fn refuse(&mut self, now: Instant, reply: Reply) {
        self.now = now;
        self.farewell.get_or_insert(reply);
    }

    /// What to do next; call until it returns `Wait`, `Close` or `Ask`.
    pub fn poll(&mut self) -> Output {
        loop {
            let urgent = matches!(self.events.front(), Some(Output::StartTls | Output::Close));
            if !self.replies.is_empty() && (urgent || self.replies.len() >= FLUSH) {
                return Output::Send(mem::take(&mut self.replies));
            }
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            if self.step() {
                continue;
            }
            if !self.replies.is_empty() {
                return Output::Send(mem::take(&mut self.replies));
            }
            return match self.state {
                State::Closed => Output::Close,
                _ => Output::Wait { deadline: self.deadline },
            };
        }
    }

    /// False while so much unread input is buffered that the driver should stop reading, and when nothing more is read.
    pub fn wants_input(&self) -> bool {
        !matches!(self.state, State::Handshake | State::Closed)
            && self.input.len() < self.config.limits.pending_input
    }

    /// The envelope of the message in hand.
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.state {
            State::Command(dialog) | State::Skip(dialog, ..) => match dialog {
                Dialog::Mail(envelope) | Dialog::Chunks(envelope, _) => Some(envelope),
                Dialog::Idle => None,
            },
            State::Asking(question) => match question {
                Question::Auth => None,
                Question::Mail(envelope)
                | Question::Rcpt(envelope, ..)
                | Question::Data(envelope)
                | Question::Chunk(envelope, _)
                | Question::Message(envelope) => Some(envelope),
            },
            State::Data(envelope, ..) | State::Chunk(envelope, ..) => Some(envelope),
            State::Greeting | State::Response | State::Handshake | State::Closed => None,
        }
    }

    /// The facts of the transfer for the `Received:` field (RFC 5321 §4.4).
    pub fn transfer(&self) -> Transfer {
        let parameters = self.envelope().map(|envelope| envelope.parameters.clone()).unwrap_or_default();
        Transfer {
            peer: self.peer.clone(),
            helo: self.client.as_ref().map(|client| client.helo.clone()),
            esmtp: self.client.as_ref().is_some_and(|client| client.esmtp),
            lmtp: self.config.kind == Kind::Lmtp,
            authenticated: self.login.is_some(),
            tls: self.tls.clone(),
            smtputf8: parameters.smtputf8,
            body: parameters.body,
        }
    }

    /// Who has logged in.
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// The other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The settings this session runs under.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// Moving on.
impl Session {
    /// Does one thing; false when there is nothing to do without the driver.
    fn step(&mut self) -> bool {
        let state = mem::replace(&mut self.state, State::Closed);
        let (state, moved) = match (state, self.farewell.take()) {
            (state @ (State::Greeting | State::Command(_) | State::Response), Some(reply)) => {
                (self.leave(state, &reply), true)
            }
            (state, farewell) => {
                self.farewell = farewell;
                self.advance(state)
            }
        };
        self.state = state;
        moved
    }

    fn advance(&mut self, state: State) -> (State, bool) {
        match state {
            State::Greeting => (self.greet(), true),
            State::Command(dialog) => self.read_line(dialog),
            State::Response => self.read_response(),
            State::Data(envelope, intake, dots) => self.read_data(envelope, intake, dots),
            State::Chunk(envelope, intake, chunk) => self.read_chunk(envelope, intake, chunk),
            State::Skip(dialog, skip) => self.skip_chunk(dialog, skip),
            state @ (State::Asking(_) | State::Handshake | State::Closed) => (state, false),
        }
    }

    /// `220 <domain> text` (RFC 5321 §4.2 and §4.3.1).
    fn greet(&mut self) -> State {
        let protocol = if self.config.kind == Kind::Lmtp { "LMTP" } else { "ESMTP" };
        self.say(&Reply::plain(220, format!("{} {protocol} Mailwright", self.config.hostname)));
        State::Command(Dialog::Idle)
    }

    fn read_line(&mut self, dialog: Dialog) -> (State, bool) {
        let (used, line) = self.lines.read(self.input.rest());
        self.input.consume(used);
        let Some(line) = line else { return (State::Command(dialog), false) };
        let state = match line {
            Line::Complete(line) => self.command(dialog, &line),
            Line::TooLong => self.bad(dialog, too_long()),
            // RFC 5321 §2.3.8. Somebody may be smuggling commands through a server that reads lines otherwise.
            Line::Bare => self.leave(State::Command(dialog), &bare()),
        };
        if let State::Command(dialog) = &state {
            self.await_command(dialog);
        }
        (state, true)
    }

    /// A line of the SASL exchange; its end may be in doubt as that of any other.
    fn read_response(&mut self) -> (State, bool) {
        let (used, line) = self.lines.read(self.input.rest());
        self.input.consume(used);
        let Some(line) = line else { return (State::Response, false) };
        let state = match line {
            Line::Complete(line) => self.response(&line),
            // RFC 4954 §4.
            Line::TooLong => self.bad(Dialog::Idle, too_long_to_log_in()),
            Line::Bare => self.leave(State::Response, &bare()),
        };
        if let State::Command(dialog) = &state {
            self.await_command(dialog);
        }
        (state, true)
    }

    fn command(&mut self, dialog: Dialog, line: &[u8]) -> State {
        let command = parse(line);
        // Only AUTH may use the longer lines that are read for it.
        if line.len() + 2 > self.config.limits.command_line && !matches!(command, Ok(Command::Auth { .. })) {
            return self.bad(dialog, too_long());
        }
        match command {
            Ok(Command::Lhlo(helo)) => self.lhlo(dialog, helo),
            Ok(Command::Auth { mechanism, initial }) => self.auth(dialog, mechanism, initial),
            Ok(Command::Ehlo(helo)) => self.ehlo(dialog, helo),
            Ok(Command::Helo(helo)) => self.helo(dialog, helo),
            Ok(Command::Mail(path, parameters)) => self.mail(dialog, path, parameters),
            Ok(Command::Rcpt(path, parameters)) => self.rcpt(dialog, path, parameters),
            Ok(Command::Data) => self.data(dialog),
            Ok(Command::Bdat { size, last }) => self.bdat(dialog, size, last),
            Ok(Command::Rset) => self.rset(dialog),
            Ok(Command::Vrfy) => self.vrfy(dialog),
            Ok(Command::Help) => self.help(dialog),
            Ok(Command::Noop) => self.noop(dialog),
            Ok(Command::Quit) => self.quit(dialog),
            Ok(Command::StartTls) => self.starttls(dialog),
            Err(error) => match refusal::refusal(error) {
                (reply, true) => self.leave(State::Command(dialog), &reply),
                (reply, false) => self.bad(dialog, reply),
            },
        }
    }
}

/// The longest line that may come: AUTH has longer ones than the rest (RFC 4954 §4).
fn longest_line(config: &Config) -> usize {
    let limits = &config.limits;
    match config.mechanisms.is_empty() {
        true => limits.command_line,
        false => limits.command_line.max(limits.auth_line),
    }
}

fn too_long() -> Reply {
    Reply::new(500, Enhanced(5, 5, 2), "line too long")
}

fn too_long_to_log_in() -> Reply {
    Reply::new(500, Enhanced(5, 5, 6), "authentication exchange line is too long")
}

fn bare() -> Reply {
    Reply::new(500, Enhanced(5, 5, 2), "bare CR or LF, lines end in CRLF; closing")
}

#[cfg(test)]
mod tests;
