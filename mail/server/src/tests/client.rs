//! A client that speaks lines over TCP or TLS, as SMTP and IMAP tests need it, and never waits for ever.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{HOSTNAME, PATIENCE};
use crate::config::Certificate;

/// Something to read lines from and write lines to.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// One connection of a test.
pub(crate) struct Client {
    wire: Box<dyn Wire>,
    buffer: Vec<u8>,
    tag: u32,
    exporter: Option<[u8; 32]>,
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
        Client { wire: Box::new(stream), buffer: Vec::new(), tag: 0, exporter: None }
    }

    /// Over anything else that carries bytes.
    pub(crate) fn wire(wire: impl Wire + 'static) -> Client {
        Client { wire: Box::new(wire), buffer: Vec::new(), tag: 0, exporter: None }
    }

    /// What binds a login to this connection (RFC 9266).
    pub(crate) fn exporter(&self) -> Option<[u8; 32]> {
        self.exporter
    }

    /// Shakes hands, trusting only this certificate.
    pub(crate) async fn tls(stream: TcpStream, trusted: &Certificate, name: &str) -> std::io::Result<Client> {
        let stream =
            connector(trusted).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await?;
        let exporter = exporter(stream.get_ref().1);
        Ok(Client { wire: Box::new(stream), buffer: Vec::new(), tag: 0, exporter })
    }

    /// Shakes hands on a connection that said STARTTLS.
    pub(crate) async fn upgrade(self, trusted: &Certificate) -> Client {
        assert!(self.buffer.is_empty(), "nothing may follow the reply to STARTTLS");
        let name = ServerName::try_from(HOSTNAME).unwrap();
        let stream = connector(trusted).connect(name, self.wire).await.unwrap();
        let exporter = exporter(stream.get_ref().1);
        Client { wire: Box::new(stream), buffer: Vec::new(), tag: self.tag, exporter }
    }

    pub(crate) async fn send(&mut self, bytes: &str) {
        self.send_bytes(bytes.as_bytes()).await;
    }

    /// Sends to a server that may have closed.
    pub(crate) async fn try_send(&mut self, text: &str) -> std::io::Result<()> {
        self.try_send_bytes(text.as_bytes()).await
    }

    pub(crate) async fn try_send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        tokio::time::timeout(PATIENCE, self.wire.write_all(bytes)).await?
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

fn exporter(session: &rustls::ClientConnection) -> Option<[u8; 32]> {
    session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
}
