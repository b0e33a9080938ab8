//! The real network behind [`Net`]: DNS by hickory, connections by TCP, with the security that a peer is to have.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mailwright_flow::queue::mx::{AddressAnswer, MxAnswer};
use mailwright_flow::queue::outcome::Stage;
use mailwright_smtp::client;
use tokio::net::TcpStream;

use super::dns::Resolver;
use super::link::{SmtpLink, Terms};
use super::net::{Answer, Net, Peer, Security};
use super::tls::ClientTls;
use crate::config::{Credentials, Dns, ServerConfig};

/// How long a host may take to accept a connection; Postfix waits as long. RFC 5321 §4.5.3.2 leaves it open.
const CONNECT: Duration = Duration::from_secs(30);

/// DNS and sockets.
pub(crate) struct Internet {
    terms: ArcSwap<InternetSettings>,
    tls: Arc<ClientTls>,
}

struct InternetSettings {
    hostname: String,
    dns: Dns,
    /// None when the system names no resolver: every question fails until a reload.
    resolver: Option<Arc<Resolver>>,
    credentials: Option<Credentials>,
    timeouts: client::Timeouts,
}

impl Internet {
    pub(crate) fn new(config: &ServerConfig) -> Result<Internet, rustls::Error> {
        let terms = ArcSwap::from_pointee(InternetSettings::of(config, None));
        Ok(Internet { terms, tls: Arc::new(ClientTls::new()?) })
    }

    /// Another configuration; the resolver and what it knows stay unless other servers are named.
    pub(crate) fn configure(&self, config: &ServerConfig) {
        let before = self.terms.load_full();
        self.terms.store(Arc::new(InternetSettings::of(config, Some(&before))));
    }

    #[cfg(test)]
    pub(crate) fn for_test(config: &ServerConfig, tls: ClientTls, timeouts: client::Timeouts) -> Internet {
        let settings = InternetSettings { timeouts, ..InternetSettings::of(config, None) };
        Internet { terms: ArcSwap::from_pointee(settings), tls: Arc::new(tls) }
    }

    async fn open(&self, peer: &Peer, starttls: client::StartTls) -> Result<SmtpLink, (Answer, bool)> {
        let terms = self.terms.load_full();
        let credentials = terms.credentials.clone().filter(|_| peer.relay);
        let lost = |stage, reason: String| (Answer::Lost { stage, reason }, false);
        let stream = match tokio::time::timeout(CONNECT, TcpStream::connect(peer.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(lost(Stage::Connect, refused(peer, &error))),
            Err(_) => return Err(lost(Stage::Connect, format!("{peer} did not answer"))),
        };
        // Commands are small and each is waited for.
        let _ = stream.set_nodelay(true);
        let implicit = peer.security == Security::Implicit;
        let mut config = client::Config::new(terms.hostname.clone());
        config.starttls = starttls;
        config.implicit_tls = implicit;
        config.authenticate = credentials.is_some();
        config.timeouts = terms.timeouts.clone();
        let verified =
            credentials.is_some() || matches!(peer.security, Security::StartTls | Security::Implicit);
        let made_with = Terms { host: peer.host.clone(), tls: Arc::clone(&self.tls), verified, credentials };
        let mut link = SmtpLink::new(Arc::new(config), stream, made_with);
        if implicit {
            link.encrypt().await.map_err(|reason| lost(Stage::StartTls, reason))?;
        }
        match link.greet().await {
            Ok(()) => Ok(link),
            Err(answer) => Err((answer, link.handshake_failed)),
        }
    }
}

impl InternetSettings {
    fn of(config: &ServerConfig, before: Option<&InternetSettings>) -> InternetSettings {
        let kept =
            before.filter(|before| before.dns == config.dns).and_then(|before| before.resolver.clone());
        let resolver = kept.or_else(|| match Resolver::new(&config.dns.resolvers) {
            Ok(resolver) => Some(Arc::new(resolver)),
            Err(error) => {
                tracing::error!(
                    error,
                    "no DNS: mail for other servers waits; name resolvers in the MailServer's dns"
                );
                None
            }
        });
        InternetSettings {
            hostname: config.hostname.clone(),
            dns: config.dns.clone(),
            resolver,
            credentials: config.relay.as_ref().and_then(|relay| relay.credentials.clone()),
            timeouts: client::Timeouts::default(),
        }
    }
}

impl Net for Internet {
    type Link = SmtpLink;

    async fn mx(&self, domain: &str) -> MxAnswer {
        let resolver = self.terms.load().resolver.clone();
        match resolver {
            Some(resolver) => resolver.mx(domain).await,
            None => MxAnswer::Failed,
        }
    }

    async fn addresses(&self, host: &str) -> AddressAnswer {
        let resolver = self.terms.load().resolver.clone();
        match resolver {
            Some(resolver) => resolver.addresses(host).await,
            None => AddressAnswer::Failed,
        }
    }

    async fn connect(&self, peer: &Peer) -> Result<SmtpLink, Answer> {
        let with_login = peer.relay && self.terms.load().credentials.is_some();
        let starttls = match peer.security {
            // A password never goes over a connection that anybody may read.
            _ if with_login => client::StartTls::Required,
            Security::Opportunistic => client::StartTls::IfOffered,
            Security::Plain | Security::Implicit => client::StartTls::Never,
            Security::StartTls => client::StartTls::Required,
        };
        match self.open(peer, starttls).await {
            Ok(link) => Ok(link),
            Err((_, true)) if starttls == client::StartTls::IfOffered => {
                tracing::info!(relay = %peer, "TLS is broken there: sending in the clear");
                self.open(peer, client::StartTls::Never).await.map_err(|(answer, _)| answer)
            }
            Err((answer, _)) => Err(answer),
        }
    }
}

fn refused(peer: &Peer, error: &io::Error) -> String {
    format!("cannot connect to {peer}: {error}")
}
