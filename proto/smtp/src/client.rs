//! The sending client session (RFC 5321 §3 and §4; LMTP: RFC 2033): one connection, several messages.
//!
//! ```text
//!            220            250                       no STARTTLS wanted, no login
//! Greeting ──────▶ Hello ──────────────────────────────────────────────▶ Ready ◀───────────┐
//!                  │  ▲  ├──▶ StartTls ── 220 ──▶ Handshake ─┐            │  ▲             │ Result
//!                  │  └──┼───────────────────────────────────┘    Message │  │ 235         │
//!                  │     └──▶ Login(Asked) ⇄ Login(Sent) ────────────────┼──┘             │
//!                  │ EHLO unknown: HELO                                   └──▶ Transaction ─┘
//!                  ▼
//!  anywhere: 421, garbage, silence, end of stream ──▶ (Result) Failed ──▶ Closed;   Ready ── Quit ──▶ Closed
//! ```
//! The server is not trusted: each reply must be one that the command has, complete in time and within bounds; a reply that
//! comes before its command is no reply to it. Whatever happens, a message that was given gets exactly one `Result`.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::input::Input;
use crate::reply::Reply;

mod capabilities;
mod config;
mod output;

mod command;
mod hello;
mod login;
mod reply;
mod text;
mod transaction;

use self::login::Login;
use self::reply::ReplyReader;
use self::transaction::Transaction;

pub use self::capabilities::Capabilities;
pub use self::config::{Config, Limits, StartTls, Timeouts};
pub use self::output::{Answer, Ask, Failure, Fate, Message, Output, Problem, Recipient, Stage, Unsendable};

/// One session of a client.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    state: State,
    capabilities: Capabilities,
    tls: bool,
    /// A transaction was begun and not ended: RSET comes before the next (RFC 5321 §4.1.1.5).
    dirty: bool,
    input: Input,
    replies: ReplyReader,
    /// The stream has ended.
    ended: bool,
    out: Vec<u8>,
    events: VecDeque<Output>,
    now: Instant,
    deadline: Instant,
}

/// What the session is doing.
#[derive(Debug)]
enum State {
    /// Waiting for the greeting.
    Greeting,
    /// EHLO or LHLO is on its way; or HELO, after EHLO was not understood.
    Hello { helo: bool },
    /// STARTTLS is on its way.
    StartTls,
    /// Waiting for the TLS handshake.
    Handshake,
    /// Logging in.
    Login(Login),
    /// Waiting for the driver to bring a message.
    Ready,
    /// A message is on its way.
    Transaction(Box<Transaction>),
    /// QUIT is on its way.
    Quit,
    /// Over; or, for a moment, being changed.
    Closed,
}

impl Session {
    /// A session on a connection that has just been made; the first `poll` waits for the greeting.
    pub fn new(config: Arc<Config>, now: Instant) -> Session {
        let deadline = now + config.timeouts.greeting;
        Session {
            tls: config.implicit_tls,
            config,
            state: State::Greeting,
            capabilities: Capabilities::default(),
            dirty: false,
            input: Input::default(),
            replies: ReplyReader::default(),
            ended: false,
            out: Vec::new(),
            events: VecDeque::new(),
            now,
            deadline,
        }
    }

    /// Bytes from the server. Bytes that come between [`Output::StartTls`] and [`Session::tls_started`] are dropped.
    pub fn input(&mut self, now: Instant, bytes: &[u8]) {
        self.now = now;
        match self.state {
            State::Handshake | State::Closed => {}
            _ if self.wants_input() => self.input.push(bytes),
            _ => self.fail(Problem::Garbage("more replies than anyone asked for")),
        }
    }

    /// The answer to the last [`Ask`]; without one, or with one that does not fit it, it is ignored.
    pub fn answer(&mut self, now: Instant, answer: Answer) {
        self.now = now;
        if self.events.iter().any(|event| matches!(event, Output::Ask(_))) {
            return;
        }
        match (&self.state, answer) {
            (State::Ready, Answer::Message(message)) => self.begin(message),
            (State::Ready, Answer::Quit) => self.quit(),
            (State::Login(_), answer) => self.login_answered(answer),
            _ => {}
        }
    }

    /// The TLS handshake asked for by [`Output::StartTls`] is done; otherwise ignored.
    pub fn tls_started(&mut self, now: Instant) {
        self.now = now;
        if matches!(self.state, State::Handshake) && self.events.is_empty() {
            self.tls = true;
            // RFC 3207 §4.2: what the server said before counts no more.
            self.capabilities = Capabilities::default();
            self.say_hello(false);
        }
    }

    /// The next piece of the message, asked for by [`Output::WantBody`]; otherwise ignored.
    pub fn body(&mut self, now: Instant, piece: &[u8]) {
        self.now = now;
        if let State::Transaction(transaction) = &mut self.state {
            transaction.body(piece, &mut self.out);
            self.deadline = now + self.config.timeouts.block;
        }
    }

    /// The message is complete, in answer to [`Output::WantBody`]; otherwise ignored. A driver that cannot complete a
    /// message closes the connection instead: then the server has none.
    pub fn body_end(&mut self, now: Instant) {
        self.now = now;
        if let State::Transaction(transaction) = &mut self.state
            && transaction.body_end(self.config.lmtp, &mut self.out)
        {
            self.deadline = now + self.config.timeouts.end;
        }
    }

    /// The deadline of [`Output::Wait`] has passed. Called too early, it does nothing.
    pub fn timeout(&mut self, now: Instant) {
        self.now = now;
        if now < self.deadline {
            return;
        }
        match self.state {
            State::Closed => {}
            State::Quit => self.state = State::Closed,
            State::Ready => self.quit(),
            _ => self.fail(Problem::Timeout),
        }
    }

    /// The stream has ended or is broken. What came before is still read.
    pub fn closed(&mut self, now: Instant) {
        self.now = now;
        self.ended = true;
    }

    /// What to do next; call until it returns `Wait`, `Close`, `Ask` or `WantBody`.
    pub fn poll(&mut self) -> Output {
        loop {
            if !self.out.is_empty() {
                return Output::Send(mem::take(&mut self.out));
            }
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            if self.step() {
                continue;
            }
            if self.ended && !matches!(self.state, State::Closed) {
                self.fail(Problem::Closed);
                continue;
            }
            if let State::Transaction(transaction) = &mut self.state
                && transaction.asks_for_body(&self.config.limits)
            {
                return Output::WantBody;
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

    /// What the server offers; nothing before its reply to EHLO.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// How far the session is.
    pub fn stage(&self) -> Stage {
        match &self.state {
            State::Greeting => Stage::Greeting,
            State::Hello { .. } => Stage::Hello,
            State::StartTls | State::Handshake => Stage::StartTls,
            State::Login(_) => Stage::Auth,
            State::Transaction(transaction) => transaction.stage(),
            State::Ready | State::Quit | State::Closed => Stage::Idle,
        }
    }
}

/// Moving on.
impl Session {
    /// Does one thing; false when there is nothing to do without the driver or the server.
    fn step(&mut self) -> bool {
        let listens = match &self.state {
            State::Handshake | State::Closed => false,
            State::Login(login) => login.listens(),
            _ => true,
        };
        if !listens || self.input.is_empty() {
            return false;
        }
        let (used, read) = self.replies.read(self.input.rest(), &self.config.limits);
        self.input.consume(used);
        match read {
            Ok(None) => {}
            Ok(Some(reply)) => self.replied(reply),
            Err(garbage) => self.fail(Problem::Garbage(garbage)),
        }
        true
    }

    fn replied(&mut self, reply: Reply) {
        // RFC 5321 §3.8: 421 may come at any time and is the end.
        if reply.code() == 421 && !matches!(self.state, State::Quit) {
            return self.fail(Problem::Refused(reply));
        }
        match &mut self.state {
            State::Greeting => self.greeted(reply),
            State::Hello { helo } => {
                let helo = *helo;
                self.hello_answered(helo, reply);
            }
            State::StartTls => self.starttls_answered(reply),
            State::Login(_) => self.login_replied(reply),
            State::Ready => self.fail(Problem::Garbage("a reply that nobody asked for")),
            State::Transaction(_) => self.transaction_replied(reply),
            State::Quit => self.state = State::Closed,
            State::Handshake | State::Closed => {}
        }
    }

    /// Sends one line and waits for its reply.
    fn say(&mut self, line: &str, patience: Duration) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.deadline = self.now + patience;
    }

    /// Asks the driver for a message.
    fn ready(&mut self) {
        self.state = State::Ready;
        self.deadline = self.now + self.config.timeouts.idle;
        self.events.push_back(Output::Ask(Ask::Ready));
    }

    /// RFC 5321 §4.1.1.10: QUIT, and the reply is waited for.
    fn quit(&mut self) {
        self.say("QUIT", self.config.timeouts.quit);
        self.state = State::Quit;
    }

    /// The end, in whatever state: the message in hand gets its result, the driver the reason.
    fn fail(&mut self, problem: Problem) {
        let stage = self.stage();
        match mem::replace(&mut self.state, State::Closed) {
            // Goodbye was said; nothing can fail any more.
            State::Quit | State::Closed => return,
            State::Transaction(transaction) => {
                self.events.push_back(Output::Result(transaction.failed(stage, &problem)));
            }
            // Within a text, QUIT would be read as text; behind garbage, nobody knows as what.
            _ if problem.leaves_room_for_goodbye() => self.out.extend_from_slice(b"QUIT\r\n"),
            _ => {}
        }
        self.input.clear();
        self.events.push_back(Output::Failed(Failure { stage, problem }));
    }
}

#[cfg(test)]
mod tests;
