//! A connection to another server: drives a client session of `proto/smtp` on a socket.
//!
//! The session has the protocol and its deadlines; here are bytes, the handshake and the login. RFC 5321 §4.5.3.2
//! (patience), RFC 3207 §4 (STARTTLS), RFC 4954 §4 (AUTH).

use std::io;
use std::sync::Arc;
use std::time::Instant;

use mailwright_flow::queue::outcome::{Stage, Unsupported};
use mailwright_smtp::client::{
    self, Ask, Failure, Fate, Message, Output, Problem, Recipient, Session, Unsendable,
};
use mailwright_smtp::{
    BodyType, Enhanced, Mailbox, Notify, OriginalRecipient, Reply, Ret, ReversePath, SaslData,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::net::{Answer, Letter, LetterRecipient, Link, Sent};
use super::tls::{self, ClientTls};
use crate::auth::sasl::client as sasl;
use crate::config::Credentials;

/// Octets of one read: replies are short, and there are many connections.
const READ: usize = 8 * 1024;
/// Octets of the message that the session gets at once.
const PIECE: usize = 64 * 1024;

/// A connection with its session.
pub struct SmtpLink {
    session: Session,
    stream: Stream,
    host: String,
    tls: Arc<ClientTls>,
    verified: bool,
    credentials: Option<Credentials>,
    sasl: Option<sasl::Client>,
    /// The session waits for a message.
    ready: bool,
    closed: bool,
    encrypted: Option<String>,
    /// The STARTTLS handshake failed.
    pub(super) handshake_failed: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Closed,
}

/// What a connection is made with.
pub(super) struct Terms {
    pub(super) host: String,
    pub(super) tls: Arc<ClientTls>,
    /// Its certificate must be good.
    pub(super) verified: bool,
    pub(super) credentials: Option<Credentials>,
}

/// Where the session stops for the driver.
enum Event {
    Ready,
    WantBody,
    Result(Vec<Fate>),
    Closed(Option<Failure>),
}

impl SmtpLink {
    /// On a connection that was just made.
    pub(super) fn new(config: Arc<client::Config>, stream: TcpStream, terms: Terms) -> SmtpLink {
        SmtpLink {
            session: Session::new(config, Instant::now()),
            stream: Stream::Plain(stream),
            host: terms.host,
            tls: terms.tls,
            verified: terms.verified,
            credentials: terms.credentials,
            sasl: None,
            ready: false,
            closed: false,
            encrypted: None,
            handshake_failed: false,
        }
    }

    /// Encrypts before the first byte (RFC 8314 §3.3).
    pub(super) async fn encrypt(&mut self) -> Result<(), String> {
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Closed) else {
            return Err("the connection is closed".to_owned());
        };
        let stream = self.tls.connect(&self.host, stream, self.verified).await?;
        self.encrypted = Some(tls::describe(&stream));
        self.stream = Stream::Tls(stream);
        Ok(())
    }

    /// Up to the point where a message may be sent.
    pub(super) async fn greet(&mut self) -> Result<(), Answer> {
        match self.advance().await {
            // SCRAM proves the server as well (RFC 5802 §3); one that says 235 without it may be anybody.
            Event::Ready if self.sasl.take().is_some_and(|sasl| !sasl.is_satisfied()) => {
                Err(Answer::Lost { stage: Stage::Auth, reason: sasl::ClientError::Impostor.to_string() })
            }
            Event::Ready => Ok(()),
            Event::Closed(failure) => Err(answer_of(failure)),
            Event::WantBody | Event::Result(_) => {
                Err(Answer::Lost { stage: Stage::Hello, reason: "the session lost its way".to_owned() })
            }
        }
    }

    /// Moves the session until it wants something that only the caller has.
    async fn advance(&mut self) -> Event {
        let mut failure = None;
        if self.ready {
            return Event::Ready;
        }
        loop {
            match self.session.poll() {
                Output::Send(bytes) => {
                    if let Err(error) = self.write(&bytes).await {
                        tracing::debug!(host = self.host, %error, "connection lost");
                        self.session.closed(Instant::now());
                    }
                }
                Output::Ask(Ask::Ready) => {
                    self.ready = true;
                    return Event::Ready;
                }
                Output::Ask(Ask::Sasl { mechanisms }) => self.log_in(&mechanisms),
                Output::Ask(Ask::SaslChallenge(challenge)) => self.challenged(&challenge),
                Output::WantBody => return Event::WantBody,
                Output::Result(fates) => return Event::Result(fates),
                Output::StartTls => {
                    if let Err(reason) = self.encrypt().await {
                        tracing::info!(host = self.host, reason, "the TLS handshake failed");
                        self.handshake_failed = true;
                        self.session.closed(Instant::now());
                        self.closed = true;
                        let problem = Problem::Garbage("the TLS handshake failed");
                        return Event::Closed(Some(Failure { stage: client::Stage::StartTls, problem }));
                    }
                    self.session.tls_started(Instant::now());
                }
                Output::Failed(reason) => failure = Some(reason),
                Output::Close => {
                    self.closed = true;
                    self.stream = Stream::Closed;
                    return Event::Closed(failure);
                }
                Output::Wait { deadline } => self.wait(deadline).await,
            }
        }
    }

    async fn wait(&mut self, deadline: Instant) {
        let mut buffer = [0; READ];
        let read = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut buffer).await,
                Stream::Tls(stream) => stream.read(&mut buffer).await,
                Stream::Closed => Ok(0),
            }
        };
        let read = tokio::time::timeout_at(deadline.into(), read).await;
        let now = Instant::now();
        match read {
            Ok(Ok(0) | Err(_)) => self.session.closed(now),
            Ok(Ok(number)) => self.session.input(now, &buffer[..number]),
            Err(_) => self.session.timeout(now),
        }
    }

    /// Writes everything within the patience for one piece (RFC 5321 §4.5.3.2.5).
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let writing = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.write_all(bytes).await,
                Stream::Tls(stream) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
                Stream::Closed => Err(io::ErrorKind::BrokenPipe.into()),
            }
        };
        tokio::time::timeout(client::Timeouts::default().block, writing).await?
    }

    fn log_in(&mut self, mechanisms: &[String]) {
        // Without channel binding: the certificate is verified before a password is used.
        let started =
            self.credentials.as_ref().ok_or(sasl::ClientError::NoMechanism).and_then(|login| {
                sasl::Client::new(&login.username, login.password.reveal(), mechanisms, None)
            });
        let answer = match started {
            Ok(mut client) => {
                let initial = client.initial().map(SaslData::from);
                let mechanism = client.mechanism().to_owned();
                self.sasl = Some(client);
                client::Answer::Sasl { mechanism, initial }
            }
            Err(error) => {
                tracing::warn!(host = self.host, %error, "cannot log in");
                client::Answer::NoSasl
            }
        };
        self.session.answer(Instant::now(), answer);
    }

    fn challenged(&mut self, challenge: &SaslData) {
        let response = match &mut self.sasl {
            Some(client) => client.respond(challenge.as_bytes()),
            None => Err(sasl::ClientError::Malformed),
        };
        let answer = match response {
            Ok(response) => client::Answer::SaslResponse(SaslData::from(response)),
            Err(error) => {
                tracing::warn!(host = self.host, %error, "cannot log in");
                client::Answer::SaslCancel
            }
        };
        self.session.answer(Instant::now(), answer);
    }

    async fn transact(&mut self, letter: &Letter, message: Message) -> Vec<Answer> {
        let lost = |reason: &str| Answer::Lost { stage: Stage::Mail, reason: reason.to_owned() };
        let all = |answer: Answer| vec![answer; letter.recipients.len()];
        match self.advance().await {
            Event::Ready => {}
            Event::Closed(Some(failure)) if matches!(failure.problem, Problem::Refused(_)) => {
                return all(answer_of(Some(failure)));
            }
            _ => return all(lost("the connection had ended")),
        }
        self.ready = false;
        self.session.answer(Instant::now(), client::Answer::Message(message));
        let mut pieces = letter.raw.chunks(PIECE);
        loop {
            match self.advance().await {
                Event::WantBody => match pieces.next() {
                    Some(piece) => self.session.body(Instant::now(), piece),
                    None => self.session.body_end(Instant::now()),
                },
                Event::Result(fates) => return fates.into_iter().map(answer).collect(),
                Event::Closed(failure) => return all(answer_of(failure)),
                Event::Ready => return all(lost("the session lost its way")),
            }
        }
    }
}

impl Link for SmtpLink {
    async fn send(&mut self, letter: Letter) -> Sent {
        let none = Answer::Reply(
            Stage::Rcpt,
            Reply::new(553, Enhanced(5, 1, 3), "this is not an address that SMTP can carry"),
        );
        let Some((reverse_path, recipients)) = envelope(&letter) else {
            return Sent { answers: vec![none; letter.recipients.len()], dsn_relayed: false };
        };
        let message = Message {
            reverse_path,
            recipients,
            size: letter.raw.len() as u64,
            body: if letter.eight_bit { BodyType::EightBitMime } else { BodyType::SevenBit },
            smtputf8: letter.smtputf8,
            ret: letter.return_full.map(|full| if full { Ret::Full } else { Ret::Headers }),
            envelope_id: letter.envelope_id.clone(),
        };
        let answers = self.transact(&letter, message).await;
        Sent { answers, dsn_relayed: self.session.capabilities().dsn }
    }

    fn is_open(&self) -> bool {
        !self.closed
    }

    fn tls(&self) -> Option<String> {
        self.encrypted.clone()
    }

    async fn close(mut self) {
        if self.closed {
            return;
        }
        if let Event::Ready = self.advance().await {
            self.ready = false;
            self.session.answer(Instant::now(), client::Answer::Quit);
            self.advance().await;
        }
    }
}

/// The envelope; `None` when an address is none.
fn envelope(letter: &Letter) -> Option<(ReversePath, Vec<Recipient>)> {
    let reverse_path = match letter.reverse_path.as_str() {
        "" => ReversePath::Null,
        path => ReversePath::Mailbox(Mailbox::parse(path).ok()?),
    };
    let recipient = |recipient: &LetterRecipient| {
        let mailbox = Mailbox::parse(&recipient.address).ok()?;
        let original = recipient.original.as_deref().and_then(original);
        Some(Recipient { mailbox, notify: notify(recipient.notify), original })
    };
    let recipients = letter.recipients.iter().map(recipient).collect::<Option<Vec<_>>>()?;
    Some((reverse_path, recipients))
}

/// NOTIFY when the sender gave it; the default goes without saying.
fn notify(notify: mailwright_store::Notify) -> Option<Notify> {
    if notify == mailwright_store::Notify::default() {
        return None;
    }
    let mailwright_store::Notify { never, success, failure, delay } = notify;
    Some(if never { Notify::Never } else { Notify::On { success, failure, delay } })
}

fn original(text: &str) -> Option<OriginalRecipient> {
    let (kind, address) = text.split_once(';')?;
    OriginalRecipient::parse(&format!("{kind};{}", mailwright_smtp::dsn::encode_xtext(address)))
}

fn answer(fate: Fate) -> Answer {
    match fate {
        Fate::Accepted(reply) => Answer::Reply(Stage::Message, reply),
        Fate::Refused { stage, reply } => Answer::Reply(stage.into(), reply),
        Fate::Unanswered { stage, problem } => answer_of(Some(Failure { stage, problem })),
        Fate::Unsendable(Unsendable::SmtpUtf8) => Answer::Unsupported(Unsupported::SmtpUtf8),
        Fate::Unsendable(Unsendable::EightBitMime) => Answer::Unsupported(Unsupported::EightBit),
        Fate::Unsendable(Unsendable::TooBig { .. }) => Answer::Unsupported(Unsupported::Size),
    }
}

fn answer_of(failure: Option<Failure>) -> Answer {
    match failure {
        Some(Failure { stage, problem: Problem::Refused(reply) }) => Answer::Reply(stage.into(), reply),
        Some(Failure { stage, problem }) => Answer::Lost { stage: stage.into(), reason: problem.to_string() },
        None => Answer::Lost { stage: Stage::Hello, reason: "the session ended".to_owned() },
    }
}
