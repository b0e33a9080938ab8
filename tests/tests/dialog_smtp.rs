//! The transcripts of `tests/dialog/smtp`, `submission` and `lmtp`, against the state machine with the decisions of mail/flow, and against the running
//! server. Both know the addresses of `examples/quickstart` and of [`EXTRA`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailwright_flow::facts::MessageFacts;
use mailwright_flow::{
    Decision, Expander, Key, Lookup, Quota, Reason, Recipient, SendersPolicy, Step, address, checks,
};
use mailwright_smtp::{Answer, Ask, Config, Enhanced, ForwardPath, Kind, Output, Reply, Session, Tls};
use mailwright_tests::dialog::{Peer, Script, Socket, run_all};
use mailwright_tests::harness::Server;

fn transcripts(kind: &str) -> PathBuf {
    mailwright_tests::harness::root().join("tests/dialog").join(kind)
}

const KINDS: [(&str, Kind); 3] = [("smtp", Kind::Mx), ("submission", Kind::Submission), ("lmtp", Kind::Lmtp)];

#[test]
fn against_the_machine() {
    for ((name, kind), least) in KINDS.into_iter().zip([20, 3, 2]) {
        let new = |script: &Script, _: u8| Machine::new(script, kind);
        let count = run_all(&transcripts(name), |script| script.runs_on("machine"), new);
        assert!(count.unwrap_or_else(|failures| panic!("{failures}")) >= least, "{name}");
    }
}

#[test]
fn against_the_socket() {
    let server = Server::example("quickstart");
    server.manifests.write("dialog.yaml", EXTRA);
    let lmtp = mailwright_tests::harness::free_port();
    let listeners = format!("  listeners:\n    lmtp: {{enabled: true, port: {lmtp}}}\n");
    server.manifests.edit("server.yaml", "  listeners:\n", &listeners);
    let mut server = server;
    server.start();
    let ports = [server.ports.smtp, server.ports.submission, lmtp];
    for (((name, _), port), least) in KINDS.into_iter().zip(ports).zip([16, 1, 2]) {
        let address = ([127, 0, 0, 1], port).into();
        let connect = |_: &Script, _: u8| Ok(Wire(Socket::connect(address)?));
        let count = run_all(&transcripts(name), |script| script.runs_on("socket"), connect);
        assert!(count.unwrap_or_else(|failures| panic!("{failures}")) >= least, "{name}");
    }
}

/// What the transcripts need beyond the quickstart.
const EXTRA: &str = r#"
apiVersion: mailwright.dev/v1alpha1
kind: MailDomain
metadata: {name: parked}
spec: {serverRef: {name: quickstart}, domain: parked.test, parked: true}
---
apiVersion: mailwright.dev/v1alpha1
kind: MailDomain
metadata: {name: catch}
spec: {serverRef: {name: quickstart}, domain: catch.test}
---
apiVersion: mailwright.dev/v1alpha1
kind: MailDomain
metadata: {name: company}
spec: {serverRef: {name: quickstart}, domain: company.test, aliases: [firm.test]}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: full}
spec: {address: full@example.test, quota: 1Mi}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: gone}
spec: {address: gone@example.test, enabled: false}
---
apiVersion: mailwright.dev/v1alpha1
kind: Alias
metadata: {name: catch}
spec: {address: "@catch.test", targets: [alice@example.test]}
---
apiVersion: mailwright.dev/v1alpha1
kind: Alias
metadata: {name: hello-company}
spec: {address: hello@company.test, targets: [alice@example.test]}
---
apiVersion: mailwright.dev/v1alpha1
kind: Alias
metadata: {name: crowd}
spec: {address: crowd@example.test, targets: [alice@example.test, full@example.test]}
---
apiVersion: mailwright.dev/v1alpha1
kind: Alias
metadata: {name: staff}
spec: {address: staff@example.test, targets: [alice@example.test], senders: Domain}
---
apiVersion: mailwright.dev/v1alpha1
kind: Alias
metadata: {name: members}
spec: {address: members@example.test, targets: [bob@example.test], senders: Members}
"#;

/// The same in memory.
struct Directory {
    domains: BTreeMap<&'static str, Lookup>,
    entries: BTreeMap<&'static str, Lookup>,
}

impl Directory {
    fn example() -> Directory {
        let mailbox = |account_id, enabled, limit| {
            let quota = Quota { limit: Some(limit), used: 0 };
            Lookup::Mailbox { account_id, enabled, quota, forward: vec![], keep_copy: true }
        };
        let alias = |targets: &[&str], senders| {
            let own: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
            Lookup::Alias { enabled: true, targets: own.clone(), senders, member_addresses: own }
        };
        let (alice, bob) = ("alice@example.test", "bob@example.test");
        let anyone = SendersPolicy::Anyone;
        Directory {
            domains: BTreeMap::from([
                ("example.test", Lookup::NoSuchAddress),
                ("example.org", Lookup::NoSuchAddress),
                ("catch.test", Lookup::NoSuchAddress),
                ("company.test", Lookup::NoSuchAddress),
                ("firm.test", Lookup::DomainAlias { domain: "company.test".to_owned() }),
                ("parked.test", Lookup::ParkedDomain),
            ]),
            entries: BTreeMap::from([
                (alice, mailbox(1, true, 1 << 30)),
                (bob, mailbox(2, true, 1 << 30)),
                ("full@example.test", mailbox(3, true, 1 << 20)),
                ("gone@example.test", mailbox(4, false, 1 << 30)),
                ("postmaster@example.test", alias(&[alice], anyone)),
                ("postmaster@example.org", alias(&[alice], anyone)),
                ("team@example.test", alias(&[alice, bob], anyone)),
                ("hello@example.org", alias(&[alice], anyone)),
                ("hello@company.test", alias(&[alice], anyone)),
                ("@catch.test", alias(&[alice], anyone)),
                ("crowd@example.test", alias(&[alice, "full@example.test"], anyone)),
                ("staff@example.test", alias(&[alice], SendersPolicy::Domain)),
                ("members@example.test", alias(&[bob], SendersPolicy::Members)),
            ]),
        }
    }

    fn lookup(&self, key: &Key) -> Lookup {
        let entry = self.entries.get(key.to_string().as_str());
        entry.or_else(|| self.domains.get(key.domain())).cloned().unwrap_or(Lookup::NoSuchDomain)
    }

    fn expand(&self, session: &Session, path: &ForwardPath) -> Decision {
        let envelope = session.envelope().expect("RCPT has an envelope");
        let recipient = match Recipient::of(path, "example.test") {
            Ok(recipient) => recipient,
            Err(reason) => return Decision::Reject(reason),
        };
        let sender = address::sender(&envelope.reverse_path);
        let mut expander = Expander::new(recipient, sender, envelope.parameters.size).deferring();
        loop {
            match expander.step() {
                Step::Done(decision) => return decision,
                Step::Lookup(key) => expander.answer(self.lookup(&key)),
            }
        }
    }
}

/// A session of the state machine.
struct Machine {
    session: Session,
    directory: Directory,
    now: Instant,
    deadline: Instant,
    sent: VecDeque<u8>,
    closed: bool,
    spool: Vec<u8>,
    stored: Vec<Vec<u8>>,
}

impl Machine {
    fn new(script: &Script, kind: Kind) -> Result<Machine, String> {
        let mut config = Config::new("mail.example.test");
        config.starttls = true;
        config.kind = kind;
        if kind == Kind::Submission {
            config.dsn = true;
            config.mechanisms =
                ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"].map(str::to_owned).to_vec();
        }
        for limit in script.directives("limit") {
            let (name, value) = limit.split_once(' ').ok_or("a limit has a name and a value")?;
            let value: u32 = value.parse().map_err(|_| "a limit is a number")?;
            let limits = &mut config.limits;
            match name {
                "message_size" => limits.message_size = value.into(),
                "discarded" => limits.discarded = value.into(),
                "recipients" => limits.recipients = value as usize,
                "refused_recipients" => limits.refused_recipients = value,
                "messages" => limits.messages = value,
                "bad_commands" => limits.bad_commands = value,
                "idle_commands" => limits.idle_commands = value,
                _ => return Err(format!("no limit {name}")),
            }
        }
        let now = Instant::now();
        let peer = mailwright_smtp::Peer::new([127, 0, 0, 1].into());
        let mut machine = Machine {
            session: Session::new(Arc::new(config), peer, now),
            directory: Directory::example(),
            now,
            deadline: now,
            sent: VecDeque::new(),
            closed: false,
            spool: Vec::new(),
            stored: Vec::new(),
        };
        machine.run();
        Ok(machine)
    }

    fn run(&mut self) {
        loop {
            match self.session.poll() {
                Output::Send(octets) => self.sent.extend(octets),
                Output::Body(octets) => self.spool.extend(octets),
                Output::Discard => self.spool.clear(),
                Output::Ask(ask) => {
                    let answer = self.answer(&ask);
                    self.session.answer(self.now, answer);
                }
                Output::StartTls => {}
                Output::Wait { deadline } => {
                    self.deadline = deadline;
                    return;
                }
                Output::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn answer(&mut self, ask: &Ask) -> Answer {
        if let Ask::Auth { initial: Some(data), .. } | Ask::AuthResponse(data) = ask {
            return match data.as_bytes() {
                b"\0alice@example.test\0mailwright" => {
                    Answer::Authenticated { login: "alice@example.test".to_owned() }
                }
                _ => Answer::Reject(Reply::new(535, Enhanced(5, 7, 8), "authentication credentials invalid")),
            };
        }
        let verdict = match ask {
            Ask::Mail { .. } | Ask::Data => Ok(()),
            Ask::Rcpt { forward_path, .. } => match self.directory.expand(&self.session, forward_path) {
                Decision::Deliver { .. } => Ok(()),
                Decision::Reject(reason) => Err(reason),
            },
            Ask::Message { .. } => self.store(),
            Ask::Auth { .. } | Ask::AuthResponse(_) => return Answer::Challenge(Default::default()),
        };
        match verdict {
            Ok(()) => Answer::Accept,
            Err(reason) => Answer::Reject(reason.reply()),
        }
    }

    fn store(&mut self) -> Result<(), Reason> {
        let message = std::mem::take(&mut self.spool);
        checks::run(&MessageFacts::of(&message), &checks::Limits::default())?;
        self.stored.push(message);
        Ok(())
    }
}

impl Peer for Machine {
    /// Octet by octet: the transcripts must not depend on how the network cuts them.
    fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        for octet in octets {
            self.session.input(self.now, &[*octet]);
            self.run();
        }
        Ok(())
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        match self.sent.iter().position(|octet| *octet == b'\n') {
            Some(end) => Ok(Some(self.sent.drain(..=end).collect())),
            None if self.closed => Ok(None),
            None => Err("the machine has nothing to say".to_owned()),
        }
    }

    fn directive(&mut self, words: &str) -> Result<(), String> {
        match words.split_once(' ').unwrap_or((words, "")) {
            ("only" | "limit", _) => {}
            ("wait", seconds) => {
                self.now += Duration::from_secs(seconds.parse().map_err(|_| "wait how long?")?);
                if self.now >= self.deadline {
                    self.session.timeout(self.now);
                }
            }
            ("shutdown", _) => self.session.shutdown(self.now),
            ("starttls", _) => {
                let (version, cipher) = ("TLSv1.3".to_owned(), "any".to_owned());
                let tls = Tls { version, cipher, server_name: None, channel_binding: true };
                self.session.tls_started(self.now, tls);
            }
            ("stored", count) if count == self.stored.len().to_string() => {}
            ("stored", _) => return Err(format!("{} messages are stored", self.stored.len())),
            ("text", expected) => {
                let text = self.stored.last().map(|text| text.escape_ascii().to_string()).unwrap_or_default();
                if text != expected {
                    return Err(format!("the text is {text}"));
                }
            }
            _ => return Err(format!("no directive {words}")),
        }
        self.run();
        Ok(())
    }
}

/// A socket; what is stored is looked at by the tests with real clients.
struct Wire(Socket);

impl Peer for Wire {
    fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        self.0.send(octets)
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        self.0.line()
    }

    fn directive(&mut self, words: &str) -> Result<(), String> {
        match words.split_once(' ') {
            Some(("stored" | "text", _)) => Ok(()),
            _ if words == "text" => Ok(()),
            _ => self.0.directive(words),
        }
    }
}
