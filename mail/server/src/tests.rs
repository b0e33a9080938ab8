//! What the tests of this package share: a server on loopback ports of the system's choice with a few accounts.

mod accounts;
mod client;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailwright_store::Store;
use tempfile::TempDir;
use tokio::net::TcpStream;

pub(crate) use self::accounts::{accounts, alias, apply, domain, mailbox, mailbox_with};
pub(crate) use self::client::Client;
use crate::config::{Certificate, Protocol, Roles, ServerConfig};
use crate::server::Server;

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
        TestServer::start_on(Default::default(), change).await
    }

    /// The same on a store that is opened in another way.
    pub(crate) async fn start_on(
        options: mailwright_store::Options,
        change: impl FnOnce(&mut ServerConfig),
    ) -> TestServer {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(directory.path(), options).await.unwrap());
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

/// A self-signed certificate.
pub(crate) fn certificate(names: &[&str]) -> Certificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let pair = rcgen::generate_simple_self_signed(names).unwrap();
    Certificate { chain_pem: pair.cert.pem(), key_pem: pair.signing_key.serialize_pem() }
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
