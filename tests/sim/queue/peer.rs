//! Hosts behind the runner's border to the network: a client session and a server session of proto/smtp, octets handed from one to
//! the other, and the host's fault in between. Patience costs no time: a deadline is reached by naming it.

use std::sync::Arc;
use std::time::Instant;

use mailwright_flow::queue::mx::{AddressAnswer, MxAnswer};
use mailwright_flow::queue::outcome::{Stage, Unsupported};
use mailwright_server::queue::{Answer, Letter, Link, Net, Peer, Sent};
use mailwright_smtp::client::{self, Failure, Fate, Problem, Unsendable};
use mailwright_smtp::{self as smtp, BodyType, Enhanced, ForwardPath, Mailbox, Reply, ReversePath};

use super::world::{Fault, Kind, Point, Taken, World};

/// Octets that arrive at once.
const SEGMENT: usize = 4096;
/// Octets that the client is given at once.
const PIECE: usize = 16 * 1024;

/// The network of a history.
pub struct SimNet(pub Arc<World>);

impl Net for SimNet {
    type Link = SimLink;

    async fn mx(&self, domain: &str) -> MxAnswer {
        others_first().await;
        self.0.mx(domain)
    }

    async fn addresses(&self, host: &str) -> AddressAnswer {
        others_first().await;
        self.0.addresses(host)
    }

    async fn connect(&self, peer: &Peer) -> Result<SimLink, Answer> {
        others_first().await;
        let fault = self.0.fault(peer.address.ip());
        if let Some(Fault { point: Point::Connect, .. }) = fault {
            return Err(Answer::Lost { stage: Stage::Connect, reason: "connection refused".to_owned() });
        }
        let mut link = SimLink::new(Arc::clone(&self.0), peer.host.clone(), fault);
        match link.pump() {
            Event::Ready => Ok(link),
            _ => Err(answer_of(link.failure.take())),
        }
    }
}

/// Lets everything else go on, so that messages overtake each other.
async fn others_first() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

/// A connection, both ends of it.
pub struct SimLink {
    world: Arc<World>,
    host: String,
    fault: Option<Fault>,
    client: client::Session,
    server: smtp::Session,
    /// What the host does not do any more.
    gone: Option<Gone>,
    text: Vec<u8>,
    now: Instant,
    ready: bool,
    failure: Option<Failure>,
}

enum Gone {
    /// It is connected and says nothing.
    Silent,
    /// It has closed the connection.
    Closed,
}

/// Where the client stops.
enum Event {
    Ready,
    WantBody,
    Result(Vec<Fate>),
    Closed,
}

impl SimLink {
    fn new(world: Arc<World>, host: String, fault: Option<Fault>) -> SimLink {
        let now = Instant::now();
        {
            let mut log = world.log();
            let (open, most) = log.open.entry(host.clone()).or_default();
            *open += 1;
            *most = (*most).max(*open);
        }
        let peer = smtp::Peer::new([192, 0, 2, 200].into());
        SimLink {
            client: client::Session::new(Arc::new(client::Config::new(super::world::OURS)), now),
            server: smtp::Session::new(Arc::new(smtp::Config::new(host.clone())), peer, now),
            world,
            host,
            fault,
            gone: None,
            text: Vec::new(),
            now,
            ready: false,
            failure: None,
        }
    }

    fn pump(&mut self) -> Event {
        use client::Output;
        loop {
            match self.client.poll() {
                Output::Send(octets) if self.gone.is_none() => self.hear(&octets),
                Output::Send(_) | Output::StartTls => {}
                Output::Ask(client::Ask::Ready) => {
                    self.ready = true;
                    return Event::Ready;
                }
                Output::Ask(_) => self.client.answer(self.now, client::Answer::NoSasl),
                Output::WantBody => return Event::WantBody,
                Output::Result(fates) => return Event::Result(fates),
                Output::Failed(failure) => self.failure = Some(failure),
                Output::Close => return Event::Closed,
                Output::Wait { deadline } => self.wait(deadline),
            }
        }
    }

    /// The host hears the client, as much at once as a network would bring.
    fn hear(&mut self, octets: &[u8]) {
        for piece in octets.chunks(SEGMENT) {
            if self.gone.is_none() {
                self.server.input(self.now, piece);
                self.serve();
            }
        }
    }

    /// The client has nothing to say: the host speaks, or is gone.
    fn wait(&mut self, deadline: Instant) {
        if self.gone.is_none() && self.serve() {
            return;
        }
        match self.gone {
            Some(Gone::Closed) => self.client.closed(self.now),
            _ => {
                self.now = deadline.max(self.now);
                self.client.timeout(self.now);
            }
        }
    }

    /// Lets the host speak; whether it did.
    fn serve(&mut self) -> bool {
        use smtp::Output;
        let mut spoke = false;
        while self.gone.is_none() {
            match self.server.poll() {
                Output::Send(octets) => {
                    spoke = true;
                    let point = match self.client.stage() {
                        client::Stage::Greeting => Some(Point::Greeting),
                        client::Stage::Hello => Some(Point::Hello),
                        _ => None,
                    };
                    match self.fault.filter(|fault| Some(fault.point) == point) {
                        Some(fault) => self.fail(fault.kind),
                        None => self.client.input(self.now, &octets),
                    }
                }
                Output::Body(piece) => self.text.extend(piece),
                Output::Discard => self.text.clear(),
                Output::Ask(ask) => {
                    spoke = true;
                    if let Some(answer) = self.decide(&ask) {
                        self.server.answer(self.now, answer);
                    }
                }
                Output::StartTls => {}
                Output::Close => self.gone = Some(Gone::Closed),
                Output::Wait { .. } => return spoke,
            }
        }
        spoke
    }

    /// The host's answer; `None` when it has failed instead.
    fn decide(&mut self, ask: &smtp::Ask) -> Option<smtp::Answer> {
        use smtp::Ask;
        let fault = self.fault;
        let at = |point| fault.filter(|fault| fault.point == point);
        let found = match ask {
            Ask::Mail { .. } => at(Point::Mail),
            Ask::Rcpt { forward_path, .. } => {
                at(Point::Rcpt).filter(|fault| !fault.partial || is_even(forward_path))
            }
            Ask::Data => at(Point::Data),
            Ask::Message { .. } => at(Point::Before).or(at(Point::After)),
            _ => None,
        };
        let is_message = matches!(ask, Ask::Message { .. });
        match found.map(|fault| (fault.kind, fault.point)) {
            None => {
                if is_message {
                    self.take(true);
                }
                Some(smtp::Answer::Accept)
            }
            Some((kind, Point::After)) => {
                self.take(false);
                self.fail(if matches!(kind, Kind::Later | Kind::Never) { Kind::Drop } else { kind });
                None
            }
            Some((Kind::Later, _)) => Some(reject(451, Enhanced(4, 3, 0))),
            Some((Kind::Never, _)) => Some(reject(550, Enhanced(5, 7, 1))),
            Some((kind, _)) => {
                self.fail(kind);
                None
            }
        }
    }

    fn fail(&mut self, kind: Kind) {
        let (said, gone) = match kind {
            Kind::Stall => (&b""[..], Gone::Silent),
            Kind::Drop => (&b""[..], Gone::Closed),
            Kind::Garbage => (&b"\x16\x03\x01 nonsense\r\n"[..], Gone::Silent),
            Kind::Later => (&b"421 4.3.2 not now\r\n"[..], Gone::Closed),
            Kind::Never => (&b"554 5.7.1 not you\r\n"[..], Gone::Closed),
        };
        self.gone = Some(gone);
        if !said.is_empty() {
            self.client.input(self.now, said);
        }
    }

    fn take(&mut self, told: bool) {
        let Some(envelope) = self.server.envelope() else { return };
        let raw = String::from_utf8_lossy(&self.text).into_owned();
        let mut log = self.world.log();
        let life = log.lives;
        for recipient in &envelope.recipients {
            let ForwardPath::Mailbox(recipient) = recipient else { continue };
            let reverse_path = match &envelope.reverse_path {
                ReversePath::Null => String::new(),
                ReversePath::Mailbox(mailbox) => mailbox.to_string(),
            };
            let raw = raw.clone();
            log.taken.push(Taken { recipient: recipient.to_string(), reverse_path, raw, told, life });
        }
        drop(log);
        self.text.clear();
    }
}

impl Link for SimLink {
    async fn send(&mut self, letter: Letter) -> Sent {
        others_first().await;
        self.ready = false;
        self.client.answer(self.now, client::Answer::Message(message(&letter)));
        let mut answers = None;
        let mut pieces = letter.raw.chunks(PIECE);
        loop {
            match self.pump() {
                Event::WantBody => match pieces.next() {
                    Some(piece) => self.client.body(self.now, piece),
                    None => self.client.body_end(self.now),
                },
                Event::Result(fates) => answers = Some(fates.into_iter().map(answer).collect()),
                Event::Ready | Event::Closed => break,
            }
        }
        let lost = || Answer::Lost { stage: Stage::Mail, reason: "the connection was gone".to_owned() };
        let answers = answers.unwrap_or_else(|| letter.recipients.iter().map(|_| lost()).collect());
        Sent { answers, dsn_relayed: false }
    }

    fn is_open(&self) -> bool {
        self.ready && self.failure.is_none()
    }

    fn tls(&self) -> Option<String> {
        None
    }

    async fn close(self) {
        others_first().await;
    }
}

impl Drop for SimLink {
    fn drop(&mut self) {
        if let Some((open, _)) = self.world.log().open.get_mut(&self.host) {
            *open -= 1;
        }
    }
}

fn is_even(path: &ForwardPath) -> bool {
    path.to_string().bytes().find(u8::is_ascii_digit).is_some_and(|digit| digit.is_multiple_of(2))
}

fn reject(code: u16, enhanced: Enhanced) -> smtp::Answer {
    smtp::Answer::Reject(Reply::new(code, enhanced, "as the seed has it"))
}

fn message(letter: &Letter) -> client::Message {
    let mailbox = |text: &str| Mailbox::parse(text).unwrap();
    let recipient =
        |address: &str| client::Recipient { mailbox: mailbox(address), notify: None, original: None };
    client::Message {
        reverse_path: match letter.reverse_path.as_str() {
            "" => ReversePath::Null,
            path => ReversePath::Mailbox(mailbox(path)),
        },
        recipients: letter.recipients.iter().map(|to| recipient(&to.address)).collect(),
        size: letter.raw.len() as u64,
        body: if letter.eight_bit { BodyType::EightBitMime } else { BodyType::SevenBit },
        smtputf8: letter.smtputf8,
        ret: None,
        envelope_id: None,
    }
}

fn answer(fate: Fate) -> Answer {
    match fate {
        Fate::Accepted(reply) => Answer::Reply(Stage::Message, reply),
        Fate::Refused { stage, reply } => Answer::Reply(stage.into(), reply),
        Fate::Unanswered { stage, problem } => lost(stage, &problem),
        Fate::Unsendable(Unsendable::SmtpUtf8) => Answer::Unsupported(Unsupported::SmtpUtf8),
        Fate::Unsendable(Unsendable::EightBitMime) => Answer::Unsupported(Unsupported::EightBit),
        Fate::Unsendable(Unsendable::TooBig { .. }) => Answer::Unsupported(Unsupported::Size),
    }
}

fn answer_of(failure: Option<Failure>) -> Answer {
    match failure {
        Some(Failure { stage, problem }) => lost(stage, &problem),
        None => Answer::Lost { stage: Stage::Connect, reason: "nothing".to_owned() },
    }
}

fn lost(stage: client::Stage, problem: &Problem) -> Answer {
    match problem {
        Problem::Refused(reply) => Answer::Reply(stage.into(), reply.clone()),
        problem => Answer::Lost { stage: stage.into(), reason: problem.to_string() },
    }
}
