//! The server side of one IMAP connection (RFC 3501 §3).
//!
//! ```text
//!                 +--- LOGIN, AUTHENTICATE ---> Authenticated <--- CLOSE, UNSELECT, failed SELECT ---+
//! NotAuthenticated                                   |                                              |
//!      |  ^                                          +------------- SELECT, EXAMINE ----------> Selected
//!      +--+ STARTTLS                    every state: LOGOUT, timeout, shutdown ---> BYE, closed
//! ```
//! Beside that state a session has one `Activity`: it waits for a command, for a SASL response, for DONE, for an answer, …
//! Commands are executed strictly one after the other; what the client pipelined waits in the reader.

mod append;
pub mod ask;
mod authenticate;
mod capability;
mod close;
pub mod config;
mod copy;
mod dispatch;
mod esearch;
mod expunge;
mod fetch;
mod gather;
mod list;
mod login;
mod manage;
mod matcher;
mod metadata;
mod modes;
mod quota;
mod reader;
mod refusal;
mod search;
mod select;
mod sort;
mod status;
mod store;
mod sync;
mod task;
mod thread;
mod vanished;
mod view;

pub use ask::{
    Answer, Append, Ask, Changes, Digest, ListEntry, Message, Need, Password, Quota, Refusal, Row, Selected,
    SpecialUse, Status, StoreOperation,
};
pub use config::{Config, Limits, Peer, Tls};

use crate::grammar::AppendHead;
use crate::response::{Code, Condition, Out};
pub(crate) use append::LineEnds;
use capability::Privacy;
use config::{INPUT_BUFFER, OUTPUT_CHUNK};
use modes::Modes;
use reader::{Bounds, Event, RawLine, Reader};
use std::sync::Arc;
use std::time::Instant;
use sync::Sync;
use task::{Done, State, Task};

/// What the driver has to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Write these bytes to the peer before the next poll.
    Send(Vec<u8>),
    /// Answer with [`Session::answer`]; until then nothing but input (see [`Session::wants_input`]) happens.
    Ask(Ask),
    /// The next octets of the message that [`Ask::Append`] announced, line ends already CRLF.
    Body(Vec<u8>),
    /// The message that [`Ask::Append`] announced will not be kept: drop what came of it. [`Output::Close`] means it too.
    Discard,
    /// From here on both directions are compressed (RFC 4978 §3): what was not handed to [`Session::input`] yet, too.
    Compress,
    /// Start TLS as the server, drop every byte read before, then call [`Session::tls_started`].
    StartTls,
    /// Close the connection.
    Close,
    /// A long command made one step: let others have their turn, look whether the peer is still there, and poll again.
    Yield,
    /// Nothing to do before input, a change of the selected mailbox or this deadline.
    Wait {
        /// When to call [`Session::timeout`].
        deadline: Instant,
    },
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    peer: Peer,
    reader: Reader,
    out: Out,
    state: State,
    /// What the client switched on.
    modes: Modes,
    activity: Activity,
    /// What the running command asks, until the driver polls.
    question: Option<Ask>,
    /// Messages of an APPEND that is refused wait at the driver, which is to be told.
    discarding: bool,
    /// The running command made one step of many, and the driver is to be told.
    yielding: bool,
    /// COMPRESS succeeded.
    compressed: bool,
    /// The store has news of the selected mailbox.
    changed: bool,
    /// The server drains.
    draining: bool,
    /// BAD replies since the last command that was understood.
    bad_commands: u32,
    auth_failures: u32,
    /// Tagged replies before login.
    commands_before_login: u32,
    /// When the connection, or its TLS, began.
    opened: Instant,
    /// When the client was heard last.
    heard: Instant,
    /// The latest time that the driver told.
    now: Instant,
}

/// What the session is about.
#[derive(Debug)]
enum Activity {
    /// Waiting for a command, or inside one.
    Command,
    /// AUTHENTICATE waits for the client's response.
    Sasl { tag: String },
    /// IDLE waits for DONE or for news.
    Idle { tag: String },
    /// A command makes steps.
    Running(Running),
    /// A command waits for an answer.
    Asking(Running),
    /// The message of an APPEND comes.
    Receiving(Receiving),
    /// The reply to a failed login is held back.
    Pause { until: Instant, tag: String, done: Done },
    /// STARTTLS was answered; whether the driver was told.
    Handshake { told: bool },
    /// COMPRESS was answered; the driver is told when the answer is out.
    Compressing,
    /// BYE was written.
    Closing,
}

#[derive(Debug)]
struct Running {
    tag: String,
    phase: Phase,
}

/// News of the mailbox, the command, news of the mailbox, the reply.
#[derive(Debug)]
enum Phase {
    Before(Sync, Task),
    Task(Task),
    After(Sync, End),
}

#[derive(Debug)]
enum End {
    Reply(Done),
    /// IDLE goes on.
    Idle,
}

#[derive(Debug)]
struct Receiving {
    head: AppendHead,
    /// How many messages of the command came before this one.
    before: u32,
    lines: LineEnds,
    /// It has a NUL, which no literal may (RFC 3501 §9 CHAR8).
    nul: bool,
}

/// What [`Session::poll`] does after one step.
enum Advance {
    Again,
    /// Return this now.
    Output(Output),
    /// Return this when all that was written is sent.
    Blocked(Output),
}

impl Session {
    /// A connection was accepted; the greeting is the first output.
    pub fn new(config: Arc<Config>, peer: Peer, now: Instant) -> Session {
        let mut session = Session {
            config,
            peer,
            reader: Reader::new(),
            out: Out::default(),
            state: State::NotAuthenticated,
            modes: Modes::default(),
            activity: Activity::Command,
            question: None,
            discarding: false,
            yielding: false,
            compressed: false,
            changed: false,
            draining: false,
            bad_commands: 0,
            auth_failures: 0,
            commands_before_login: 0,
            opened: now,
            heard: now,
            now,
        };
        let code = Code::Capability(session.capabilities());
        let text = format!("{} Mailwright ready", session.config.hostname);
        session.out.status("*", Condition::Ok, Some(&code), &text);
        session
    }

    /// Bytes from the peer.
    pub fn input(&mut self, now: Instant, bytes: &[u8]) {
        self.now = now;
        if bytes.is_empty() {
            return;
        }
        self.heard = now;
        // What comes between STARTTLS and the handshake is not for this session (RFC 3501 §6.2.1).
        if !matches!(self.activity, Activity::Handshake { .. } | Activity::Closing) {
            self.reader.push(bytes);
        }
    }

    /// Whether the driver should read on: false while an Ask is open and enough input waits.
    pub fn wants_input(&self) -> bool {
        let deaf = matches!(self.activity, Activity::Handshake { .. } | Activity::Closing);
        !deaf && self.reader.waiting() < INPUT_BUFFER
    }

    /// The answer to the open Ask; without one it is ignored.
    pub fn answer(&mut self, now: Instant, answer: Answer) {
        self.now = now;
        match std::mem::replace(&mut self.activity, Activity::Command) {
            Activity::Asking(running) => self.step(running, Some(answer)),
            other => self.activity = other,
        }
    }

    /// The selected mailbox changed: call it as soon as the store says so, at the latest before the next
    /// [`Session::input`], so that a client sees what another was told is done.
    pub fn changed(&mut self, now: Instant) {
        self.now = now;
        self.changed |= matches!(self.state, State::Selected(_));
    }

    /// [`Output::StartTls`] was performed.
    pub fn tls_started(&mut self, now: Instant, tls: Tls) {
        self.now = now;
        self.opened = now;
        self.heard = now;
        self.reader.clear();
        self.peer.tls = Some(tls);
        if matches!(self.activity, Activity::Handshake { .. }) {
            self.activity = Activity::Command;
        }
    }

    /// The deadline of [`Output::Wait`] passed.
    pub fn timeout(&mut self, now: Instant) {
        self.now = now;
        match &self.activity {
            Activity::Running(_) | Activity::Asking(_) | Activity::Closing => {}
            Activity::Pause { until, .. } if now < *until => {}
            Activity::Pause { .. } => self.end_pause(),
            _ if now < self.deadline() => {}
            _ if matches!(self.state, State::NotAuthenticated) => self.bye(None, "Too slow to log in"),
            _ => self.bye(None, "Idle for too long"),
        }
    }

    /// The server drains: BYE at the next point between two commands.
    pub fn shutdown(&mut self, now: Instant) {
        self.now = now;
        self.draining = true;
    }

    /// Who is at the other end, with the TLS that was made.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// While an [`Ask::Fetch`] is open: the UIDs that the same command will ask for next if this one is answered whole, so
    /// that a driver can read them while these are written.
    pub fn upcoming_fetch(&self) -> Vec<u32> {
        match &self.activity {
            Activity::Asking(Running { phase: Phase::Task(Task::Fetch(fetch)), .. }) => fetch.upcoming(),
            _ => Vec::new(),
        }
    }

    /// What to do next; call until it says Wait, Close, StartTls or Ask. No call takes long: what does, ends in Yield.
    pub fn poll(&mut self) -> Output {
        loop {
            if self.out.len() >= OUTPUT_CHUNK {
                return Output::Send(self.out.take());
            }
            match self.advance() {
                Advance::Again => {}
                Advance::Output(output) => return output,
                Advance::Blocked(output) if self.out.is_empty() => return output,
                Advance::Blocked(_) => return Output::Send(self.out.take()),
            }
        }
    }

    fn advance(&mut self) -> Advance {
        if std::mem::take(&mut self.discarding) {
            return Advance::Output(Output::Discard);
        }
        if std::mem::take(&mut self.yielding) {
            return Advance::Output(Output::Yield);
        }
        let between =
            matches!(self.activity, Activity::Command | Activity::Sasl { .. } | Activity::Idle { .. });
        if self.draining && between {
            self.bye(Some(Code::Unavailable), "The server is shutting down");
        }
        match std::mem::replace(&mut self.activity, Activity::Command) {
            Activity::Command => self.next_command(),
            Activity::Sasl { tag } => self.next_sasl(tag),
            Activity::Idle { tag } => self.next_idle(tag),
            Activity::Running(running) => {
                self.step(running, None);
                Advance::Again
            }
            Activity::Receiving(receiving) => self.next_octets(receiving),
            Activity::Handshake { told } => {
                if !told && self.out.is_empty() {
                    self.activity = Activity::Handshake { told: true };
                    return Advance::Output(Output::StartTls);
                }
                self.activity = Activity::Handshake { told };
                Advance::Blocked(self.wait())
            }
            Activity::Compressing if self.out.is_empty() => Advance::Output(Output::Compress),
            Activity::Compressing => {
                self.activity = Activity::Compressing;
                Advance::Output(Output::Send(self.out.take()))
            }
            Activity::Closing => {
                self.activity = Activity::Closing;
                Advance::Blocked(Output::Close)
            }
            waiting @ (Activity::Asking(_) | Activity::Pause { .. }) => {
                self.activity = waiting;
                match self.question.take() {
                    Some(ask) => Advance::Output(Output::Ask(ask)),
                    None => Advance::Blocked(self.wait()),
                }
            }
        }
    }

    fn wait(&self) -> Output {
        Output::Wait { deadline: self.deadline() }
    }

    fn deadline(&self) -> Instant {
        match (&self.activity, &self.state) {
            (Activity::Pause { until, .. }, _) => *until,
            (_, State::NotAuthenticated) => self.opened + self.config.limits.login_timeout,
            _ => self.heard + self.config.limits.idle_timeout,
        }
    }

    fn privacy(&self) -> Privacy {
        let starttls = self.config.starttls;
        match &self.peer.tls {
            Some(_) => Privacy::Tls,
            None if self.config.plaintext_on_loopback
                && self.peer.address.ip().to_canonical().is_loopback() =>
            {
                Privacy::Loopback { starttls }
            }
            None if starttls => Privacy::StartTls,
            None => Privacy::None,
        }
    }

    fn capabilities(&self) -> String {
        match self.state {
            State::NotAuthenticated => {
                let channel_binding = self.peer.tls.as_ref().is_some_and(|tls| tls.channel_binding);
                capability::before_login(self.privacy(), channel_binding)
            }
            _ => capability::after_login(&self.config),
        }
    }

    fn bounds(&self) -> Bounds {
        let limits = &self.config.limits;
        let literals = match self.state {
            State::NotAuthenticated => limits.literals_before_login,
            _ => limits.literals,
        };
        Bounds { line: limits.line, literals, utf8_names: self.modes.utf8_names() }
    }

    /// The next octets of an APPEND's message.
    fn next_octets(&mut self, mut receiving: Receiving) -> Advance {
        match self.reader.next(self.bounds()) {
            Event::Body(octets) if receiving.head.append.binary => {
                self.activity = Activity::Receiving(receiving);
                Advance::Output(Output::Body(octets))
            }
            Event::Body(octets) => {
                receiving.nul |= octets.contains(&0);
                let octets = if receiving.nul { Vec::new() } else { receiving.lines.normalise(&octets) };
                self.activity = Activity::Receiving(receiving);
                if octets.is_empty() { Advance::Again } else { Advance::Output(Output::Body(octets)) }
            }
            Event::BodyEnd { rest } => {
                let owed = receiving.lines.end();
                match append::after_message(&receiving, rest.as_deref()) {
                    Ok(task) => {
                        let tag = receiving.head.tag;
                        self.activity = Activity::Running(Running { tag, phase: Phase::Task(task) });
                        if owed.is_empty() {
                            Advance::Again
                        } else {
                            Advance::Output(Output::Body(owed.to_vec()))
                        }
                    }
                    Err(done) => {
                        self.reader.refuse_message();
                        self.reply_after(receiving.head.tag, done);
                        Advance::Output(Output::Discard)
                    }
                }
            }
            _ => {
                self.activity = Activity::Receiving(receiving);
                Advance::Blocked(self.wait())
            }
        }
    }

    /// IDLE (RFC 2177 §3): news are told at once, anything but DONE is an error.
    fn next_idle(&mut self, tag: String) -> Advance {
        let waiting = self.state.view().is_some_and(|view| view.has_gone());
        if self.changed || waiting {
            let phase = Phase::After(Sync::new(true, self.changed), End::Idle);
            self.activity = Activity::Running(Running { tag, phase });
            return Advance::Again;
        }
        match self.reader.raw_line(self.config.limits.line) {
            RawLine::More => {
                self.activity = Activity::Idle { tag };
                return Advance::Blocked(self.wait());
            }
            RawLine::Line(line) if line.eq_ignore_ascii_case(b"DONE") => {
                self.reply_after(tag, Done::ok("IDLE completed"))
            }
            _ => self.reply(&tag, &Done::bad("Expected DONE")),
        }
        Advance::Again
    }

    /// The session is over; the driver sends what was written and closes.
    fn bye(&mut self, code: Option<Code>, text: &str) {
        self.out.status("*", Condition::Bye, code.as_ref(), text);
        self.activity = Activity::Closing;
    }
}
