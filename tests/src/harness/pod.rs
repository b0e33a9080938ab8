//! One `mailwright serve --config` as a pod runs it: volumes that are swapped as a kubelet does, a management port, and the
//! operator's end of it. Leaves out the pod around it: tests/e2e has real ones.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use chrono::Utc;
use mailwright_operator::authority::{Leaf, issue, make_authority};
use mailwright_operator::certificate::{PemPair, self_signed};
use mailwright_plan::observed::{
    DeletionPolicy, DomainDeclared, MailboxDeclared, Management, Owner, ServerDeclared,
};
use mailwright_plan::operation::{CredentialChange, CredentialSource, Material};
use mailwright_plan::{Action, Batch, Change, Fence, Kind, ObjectRef, Operation, Origin, Risk};
use mailwright_server::{ManagementCertificates, ManagementClient};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::process::Running;
use super::{PATIENCE, Ports, free_port, mailwright, wait_for};

/// The name in the certificate of the management port.
const NAME: &str = "mail-0.mail-headless.default.svc";

/// A mail server with the volumes of its pod; at most one process at a time.
pub struct Pod {
    /// Where it listens.
    pub ports: Ports,
    /// Where it is managed.
    pub management: u16,
    /// Options beside those of every pod.
    pub options: Vec<String>,
    /// What stands before the command: another user, a limit.
    pub wrapper: Vec<String>,
    data: PathBuf,
    home: TempDir,
    authority: PemPair,
    runtime: Runtime,
    running: Option<Running>,
    starts: usize,
}

impl Pod {
    /// With its configuration and certificates in place and no data, not started.
    ///
    /// # Panics
    /// As all of this harness when the machine has no room or no port.
    pub fn new() -> Self {
        let home = TempDir::new().expect("a temporary directory");
        let pod = Self {
            ports: Ports::free(),
            management: free_port(),
            options: Vec::new(),
            wrapper: Vec::new(),
            data: home.path().join("data"),
            home,
            authority: make_authority(Utc::now()).expect("an authority"),
            runtime: Runtime::new().expect("a runtime"),
            running: None,
            starts: 0,
        };
        pod.configure(|_| {});
        pod.show(&self_signed(&["localhost".to_owned()], Utc::now()).expect("a certificate"));
        pod.certify(&pod.authority);
        pod
    }

    /// The same, started and ready.
    pub fn ready() -> Self {
        let mut pod = Self::new();
        pod.start();
        pod
    }

    /// Keeps its data elsewhere from the next start on.
    pub fn keep_data(&mut self, data: &Path) {
        data.clone_into(&mut self.data);
    }

    /// Where it keeps its data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The directory of everything that is this pod's.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Replaces a volume whole, as a kubelet does: the files are links through `..data`, which is swapped by one rename.
    pub fn publish(&self, volume: &str, files: &[(&str, &str)]) {
        let directory = self.home.path().join(volume);
        let count = fs::read_dir(&directory).map_or(0, Iterator::count);
        let version = format!("..{count}-{}", self.starts);
        fs::create_dir_all(directory.join(&version)).expect("a volume");
        for (name, text) in files {
            fs::write(directory.join(&version).join(name), text).expect("a file of a volume");
            let link = directory.join(name);
            if !link.is_symlink() {
                symlink(format!("..data/{name}"), link).expect("a link");
            }
        }
        let next = directory.join("..data_tmp");
        symlink(&version, &next).expect("a link");
        fs::rename(&next, directory.join("..data")).expect("a swap");
    }

    /// Publishes `server.json`, with changes to the server in it.
    pub fn configure(&self, change: impl FnOnce(&mut Value)) {
        self.publish("config", &[("server.json", &self.settings(change))]);
    }

    /// The text of `server.json`.
    pub fn settings(&self, change: impl FnOnce(&mut Value)) -> String {
        let port = |port: u16| json!({"enabled": true, "port": port});
        let Ports { smtp, submission, submissions, imap, imaps, http } = self.ports;
        let mut server = json!({
            "name": "default/mail", "hostname": "mail.example.test", "tls": {"secretName": "mail-tls"},
            "listeners": {
                "smtp": port(smtp), "submission": port(submission), "submissions": port(submissions),
                "imap": port(imap), "imaps": port(imaps), "http": port(http),
                "lmtp": {"enabled": false, "port": 24},
            },
            "limits": {"messageSize": 10_000_000, "recipientsPerMessage": 100, "connections": 500,
                "connectionsPerAddress": 200},
            "auth": {"plaintextOnLoopback": true},
        });
        change(&mut server);
        json!({"version": 1, "server": server}).to_string()
    }

    /// Publishes the certificate that mail programs see.
    pub fn show(&self, pair: &PemPair) {
        self.publish("tls", &[("tls.crt", &pair.certificate), ("tls.key", &pair.key)]);
    }

    /// Publishes certificates of the management port, made by this authority.
    pub fn certify(&self, authority: &PemPair) {
        let leaf = Leaf::Server { namespace: "default".into(), name: "mail".into() };
        let pair = issue(authority, &leaf, Utc::now()).expect("a certificate");
        let files =
            [("ca.crt", &*authority.certificate), ("tls.crt", &*pair.certificate), ("tls.key", &*pair.key)];
        self.publish("management", &files);
    }

    /// The authority of the management port at first.
    pub fn authority(&self) -> &PemPair {
        &self.authority
    }

    /// Starts it and waits until it is ready.
    pub fn start(&mut self) {
        let mut running = self.spawn();
        running.wait_ready(self.ports.http);
        // It is ready for mail before it is for its operator, who asks again.
        wait_for("the management port", PATIENCE, || TcpStream::connect(("127.0.0.1", self.management)).ok());
        self.running = Some(running);
    }

    /// Starts it without waiting.
    pub fn spawn(&mut self) -> Running {
        assert!(self.running.is_none(), "it runs already");
        self.starts += 1;
        let log = self.home.path().join(format!("log-{}", self.starts));
        let binary = mailwright().into_os_string().into_string().expect("a path in UTF-8");
        let words: Vec<&String> = self.wrapper.iter().chain([&binary]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args([
            "serve",
            "--log-format",
            "json",
            "--bind",
            "127.0.0.1",
            "--bind",
            "::",
        ]);
        command.args(&self.options).arg("--data").arg(&self.data);
        let volume = |name: &str| self.home.path().join(name);
        command.arg("--config").arg(volume("config/server.json")).arg("--tls").arg(volume("tls"));
        command.arg("--management").arg(volume("management"));
        command.args(["--management-listen", &format!("127.0.0.1:{}", self.management)]);
        Running::start(command.current_dir("/"), log)
    }

    /// The process, while there is one.
    ///
    /// # Panics
    /// When it is not running.
    pub fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("it was started")
    }

    /// Hands the process over, to be ended by somebody else.
    ///
    /// # Panics
    /// When it is not running.
    pub fn take_running(&mut self) -> Running {
        self.running.take().expect("it was started")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
        }
    }

    /// SIGTERM, and waits until it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.take_running().stop()
    }

    /// Everything that any start of it has printed.
    pub fn logs(&self) -> String {
        let log = |start| fs::read(self.home.path().join(format!("log-{start}"))).unwrap_or_default();
        (1..=self.starts).map(|start| String::from_utf8_lossy(&log(start)).into_owned()).collect()
    }

    /// The operator's end of the management port.
    pub fn operator(&self) -> ManagementClient {
        self.operator_of(&self.authority)
    }

    /// The same with a certificate of this authority.
    pub fn operator_of(&self, authority: &PemPair) -> ManagementClient {
        let pair = issue(authority, &Leaf::Operator, Utc::now()).expect("a certificate");
        let certificates = ManagementCertificates {
            authority_pem: authority.certificate.clone(),
            chain_pem: pair.certificate,
            key_pem: pair.key,
        };
        let address = format!("127.0.0.1:{}", self.management);
        ManagementClient::remote(&address, NAME, &certificates).expect("a client")
    }

    /// Waits for an answer.
    pub fn wait<T>(&self, question: impl Future<Output = T>) -> T {
        self.runtime.block_on(question)
    }

    /// Applies a server, example.test, and alice and bob in it with the password of the examples.
    ///
    /// # Panics
    /// When anything of it is refused.
    pub fn populate(&self, term: u64) {
        let reply = self.wait(self.operator().apply(&accounts(term, &["alice", "bob"]))).expect("an answer");
        let refused = reply.outcomes.iter().find(|it| it.verdict != mailwright_plan::Verdict::Applied);
        assert!(refused.is_none(), "{refused:?}");
    }
}

impl Default for Pod {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- what mailwright printed ----\n{}---- end ----", self.logs());
        }
    }
}

/// A batch with a server, example.test and these mailboxes, whose password is that of the examples.
pub fn accounts(term: u64, locals: &[&str]) -> Batch {
    let server: ServerDeclared = serde_json::from_value(json!({
        "name": "default/mail", "hostname": "mail.example.test", "tls": "selfSigned", "listeners": {},
        "limits": {"messageSize": 1, "recipientsPerMessage": 1, "connections": 1, "connectionsPerAddress": 1},
    }))
    .expect("a server");
    let domain = DomainDeclared {
        domain: "example.test".into(),
        server: "default/mail".into(),
        aliases: vec![],
        parked: false,
        catch_all: None,
        limits: Default::default(),
        dns: json!({}),
    };
    let put = Change::PutServer { declared: server.into(), owner: owner(Kind::MailServer, "mail").into() };
    let owner = owner(Kind::MailDomain, "example");
    let mut operations =
        vec![operation(put), operation(Change::PutDomain { declared: domain.into(), owner: owner.into() })];
    operations.extend(locals.iter().map(|local| operation(mailbox(local))));
    Batch {
        source_id: "kubernetes".into(),
        operations,
        credentials: [("fp".to_owned(), Material::Plain("mailwright".into()))].into(),
        fence: Some(Fence { term, database: None }),
        provenance: None,
        whole: false,
    }
}

fn mailbox(local: &str) -> Change {
    let declared = MailboxDeclared {
        address: format!("{local}@example.test"),
        display_name: None,
        quota: None,
        send_as: vec![],
        forward: None,
        enabled: true,
        deletion_policy: DeletionPolicy::Disable,
        retain_for: 3600,
        legal_hold: false,
    };
    let credential = CredentialChange {
        fingerprint: "fp".into(),
        management: Management::Initial,
        source: CredentialSource::PasswordHash,
    };
    Change::PutMailbox {
        declared: declared.into(),
        owner: owner(Kind::Mailbox, local).into(),
        credential: Some(credential),
    }
}

fn owner(kind: Kind, name: &str) -> Owner {
    let object = ObjectRef { kind, namespace: "default".into(), name: name.into() };
    Owner { managed_by: "kubernetes".into(), object, origin: Origin::default(), applied: None, former: None }
}

fn operation(change: Change) -> Operation {
    let (kind, key) = change.key();
    Operation {
        action: Action::Create,
        object: ObjectRef { kind, namespace: "default".into(), name: key.into() },
        subject: key.to_owned(),
        changes: vec![],
        risk: Risk::None,
        effect: vec![],
        origin: None,
        held: None,
        drift: false,
        change,
    }
}
