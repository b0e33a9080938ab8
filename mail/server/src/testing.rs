//! What the tests of this package share: a server on loopback ports of the system's choice with a few accounts, and
//! clients that speak lines over TCP or TLS and never wait for ever.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use mailwright_store as store;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use sha2::Digest;
use store::Store;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::{Certificate, Protocol, Roles, ServerConfig};
use crate::server::Server;
use crate::tls::tests::certificate;

/// Longest wait of any test for one thing: far beyond what a loaded machine needs, and not for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The password of every test account.
pub(crate) const PASSWORD: &str = "mailwright";
/// The server's name.
pub(crate) const HOSTNAME: &str = "mail.example.test";

/// A running server with its store.
pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) store: Arc<Store>,
    pub(crate) directory: TempDir,
    pub(crate) certificate: Certificate,
    pub(crate) config: ServerConfig,
}

/// The configuration that tests start from.
pub(crate) fn config(certificate: &Certificate) -> ServerConfig {
    let mut config = ServerConfig::new(HOSTNAME).any_port();
    config.certificates = vec![certificate.clone()];
    config.limits.auth_delay = Duration::from_millis(1);
    config
}

impl TestServer {
    /// All roles, the accounts of [`accounts`].
    pub(crate) async fn start() -> TestServer {
        TestServer::start_with(|_| {}).await
    }

    /// The same with changes to the configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> TestServer {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(directory.path(), store::Options::default()).await.unwrap());
        apply(&store, accounts()).await;
        let certificate = certificate(&[HOSTNAME]);
        let mut config = config(&certificate);
        change(&mut config);
        let server = start(&config, &store, directory.path()).await;
        TestServer { server, store, directory, certificate, config }
    }

    pub(crate) fn address(&self, protocol: Protocol) -> SocketAddr {
        address(&self.server, protocol)
    }

    /// A connection in clear, greeting not read.
    pub(crate) async fn connect(&self, protocol: Protocol) -> Client {
        Client::plain(TcpStream::connect(self.address(protocol)).await.unwrap())
    }

    /// A connection over TLS, greeting not read.
    pub(crate) async fn connect_tls(&self) -> Client {
        let stream = TcpStream::connect(self.address(Protocol::Imaps)).await.unwrap();
        Client::tls(stream, &self.certificate, HOSTNAME).await.unwrap()
    }

    /// An IMAP session that is logged in.
    pub(crate) async fn imap(&self, user: &str) -> Client {
        let mut client = self.connect_tls().await;
        client.expect("* OK").await;
        client.command(&format!("LOGIN {user} {PASSWORD}")).await.ok();
        client
    }

    /// An SMTP session that said EHLO.
    pub(crate) async fn smtp(&self) -> Client {
        let mut client = self.connect(Protocol::Smtp).await;
        client.expect("220 ").await;
        client.ehlo().await;
        client
    }

    /// Delivers a message from outside; answers the last reply.
    pub(crate) async fn deliver(&self, to: &str, message: &str) -> String {
        let mut client = self.smtp().await;
        client.reply("MAIL FROM:<sender@example.net>").await;
        client.reply(&format!("RCPT TO:<{to}>")).await;
        client.reply("DATA").await;
        client.reply(&format!("{message}\r\n.")).await
    }
}

pub(crate) async fn start(config: &ServerConfig, store: &Arc<Store>, directory: &Path) -> Server {
    Server::start(config.clone(), Roles::ALL, Arc::clone(store), directory).await.unwrap()
}

pub(crate) fn address(server: &Server, protocol: Protocol) -> SocketAddr {
    server.endpoints().into_iter().find(|endpoint| endpoint.protocol == protocol).unwrap().address
}

/// Applies changes, all of which must succeed.
pub(crate) async fn apply(store: &Store, changes: Vec<store::Change>) {
    for result in store.accounts().apply(changes, None).await.unwrap() {
        result.unwrap();
    }
}

/// example.test with alice, bob, the full eve (one byte of quota), the disabled mallory, the alias team; example.org, an
/// alias of it; parked.test.
pub(crate) fn accounts() -> Vec<store::Change> {
    let mut changes = vec![
        store::Change::PutServer(store::ServerRow {
            name: "default/test".into(),
            settings: serde_json::json!({}),
            owner: None,
        }),
        store::Change::PutDomain(domain("example.test", vec!["example.org".into()], false)),
        store::Change::PutDomain(domain("parked.test", vec![], true)),
    ];
    for name in ["alice", "bob", "carol"] {
        changes.push(mailbox(&format!("{name}@example.test"), None, true));
    }
    changes.push(mailbox("eve@example.test", Some(1), true));
    changes.push(mailbox("mallory@example.test", None, false));
    changes.push(alias(
        "team@example.test",
        &["alice@example.test", "bob@example.test"],
        store::Senders::Anyone,
    ));
    changes.push(alias("staff@example.test", &["alice@example.test"], store::Senders::Domain));
    changes.push(alias("postmaster@example.test", &["alice@example.test"], store::Senders::Anyone));
    changes
}

pub(crate) fn domain(name: &str, aliases: Vec<String>, parked: bool) -> store::DomainRow {
    store::DomainRow {
        name: name.into(),
        server: "default/test".into(),
        aliases,
        parked,
        catch_all: None,
        settings: serde_json::json!({}),
        owner: None,
    }
}

pub(crate) fn mailbox(address: &str, quota: Option<u64>, enabled: bool) -> store::Change {
    // A digest is quick to check; what a login costs is not what these tests are about.
    let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(PASSWORD));
    store::Change::PutMailbox {
        row: store::MailboxRow {
            address: address.into(),
            display_name: String::new(),
            quota,
            enabled,
            send_as: vec![],
            deletion_policy: store::DeletionPolicy::Disable,
            retain_for_seconds: 3600,
            owner: None,
        },
        credential: Some(store::NewCredential {
            hash: format!("{{SHA256}}{digest}"),
            fingerprint: "test".into(),
            management: store::Management::Initial,
        }),
    }
}

pub(crate) fn alias(address: &str, targets: &[&str], senders: store::Senders) -> store::Change {
    store::Change::PutAlias(store::AliasRow {
        address: address.into(),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        senders,
        enabled: true,
        owner: None,
    })
}

/// Something to read lines from and write lines to.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// One connection of a test.
pub(crate) struct Client {
    wire: Box<dyn Wire>,
    buffer: Vec<u8>,
    tag: u32,
}

/// The answer to an IMAP command.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) untagged: Vec<String>,
    /// The tagged line without its tag.
    pub(crate) end: String,
}

impl Answer {
    /// The untagged lines of a command that succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Vec<String> {
        assert!(self.end.starts_with("OK"), "{self:?}");
        self.untagged
    }

    /// The end of a command that was refused.
    #[track_caller]
    pub(crate) fn no(self) -> String {
        assert!(self.end.starts_with("NO"), "{self:?}");
        self.end
    }
}

impl Client {
    pub(crate) fn plain(stream: TcpStream) -> Client {
        Client { wire: Box::new(stream), buffer: Vec::new(), tag: 0 }
    }

    /// Shakes hands, trusting only this certificate.
    pub(crate) async fn tls(stream: TcpStream, trusted: &Certificate, name: &str) -> std::io::Result<Client> {
        let stream =
            connector(trusted).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await?;
        Ok(Client { wire: Box::new(stream), buffer: Vec::new(), tag: 0 })
    }

    /// Shakes hands on a connection that said STARTTLS.
    pub(crate) async fn upgrade(self, trusted: &Certificate) -> Client {
        assert!(self.buffer.is_empty(), "nothing may follow the reply to STARTTLS");
        let name = ServerName::try_from(HOSTNAME).unwrap();
        let stream = connector(trusted).connect(name, self.wire).await.unwrap();
        Client { wire: Box::new(stream), buffer: Vec::new(), tag: self.tag }
    }

    pub(crate) async fn send(&mut self, bytes: &str) {
        self.send_bytes(bytes.as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        tokio::time::timeout(PATIENCE, self.wire.write_all(bytes)).await.unwrap().unwrap();
        self.wire.flush().await.unwrap();
    }

    /// More bytes into the buffer; false at the end.
    async fn fill(&mut self) -> bool {
        let mut piece = [0; 8192];
        let read =
            tokio::time::timeout(PATIENCE, self.wire.read(&mut piece)).await.expect("the server answers");
        // A reset is an end too.
        let count = read.unwrap_or(0);
        self.buffer.extend_from_slice(&piece[..count]);
        count > 0
    }

    /// The next line without its end; `None` when the server closed.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.drain(..end + 2).collect::<Vec<u8>>();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The next line, which must begin like this.
    pub(crate) async fn expect(&mut self, start: &str) -> String {
        let line = self.line().await.unwrap_or_else(|| panic!("closed instead of {start:?}"));
        assert!(line.starts_with(start), "{line:?} does not begin with {start:?}");
        line
    }

    /// Everything until the server closes.
    pub(crate) async fn rest(&mut self) -> String {
        while self.fill().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned()
    }

    /// Nothing arrives for a moment.
    pub(crate) async fn silence(&mut self) {
        let mut piece = [0; 1024];
        let read = tokio::time::timeout(Duration::from_millis(100), self.wire.read(&mut piece)).await;
        assert!(read.is_err() && self.buffer.is_empty(), "the server spoke: {read:?} {:?}", self.buffer);
    }

    /// SMTP: EHLO, and the extensions.
    pub(crate) async fn ehlo(&mut self) -> String {
        self.reply("EHLO client.example.net").await
    }

    /// SMTP: one command, and its whole reply.
    pub(crate) async fn reply(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n")).await;
        self.next_reply().await
    }

    /// SMTP: the next reply.
    pub(crate) async fn next_reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let line = self.line().await.unwrap_or_else(|| panic!("closed after {reply:?}"));
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply.push_str(&line);
            if last {
                return reply;
            }
            reply.push('\n');
        }
    }

    /// IMAP: one command, and its answer.
    pub(crate) async fn command(&mut self, command: &str) -> Answer {
        let tag = self.start(command).await;
        self.answer(&tag).await
    }

    /// IMAP: sends a command and answers its tag.
    pub(crate) async fn start(&mut self, command: &str) -> String {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.send(&format!("{tag} {command}\r\n")).await;
        tag
    }

    /// IMAP: the lines up to the tagged one. Literals come as lines of their own, which is enough for text.
    pub(crate) async fn answer(&mut self, tag: &str) -> Answer {
        let mut untagged = Vec::new();
        loop {
            let line = self.line().await.unwrap_or_else(|| panic!("closed after {untagged:?}"));
            match line.strip_prefix(tag).and_then(|line| line.strip_prefix(' ')) {
                Some(end) => return Answer { untagged, end: end.to_owned() },
                None => untagged.push(line),
            }
        }
    }

    /// IMAP: appends a message with a synchronising literal.
    pub(crate) async fn append(&mut self, mailbox: &str, message: &str) -> Answer {
        let tag = self.start(&format!("APPEND {mailbox} {{{}}}", message.len())).await;
        match self.line().await {
            Some(line) if line.starts_with('+') => {
                self.send(&format!("{message}\r\n")).await;
                self.answer(&tag).await
            }
            Some(line) => {
                let end = line.strip_prefix(&format!("{tag} ")).unwrap_or(&line).to_owned();
                Answer { untagged: vec![], end }
            }
            None => panic!("closed instead of a continuation"),
        }
    }
}

fn connector(trusted: &Certificate) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.chain_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
