//! The management interface on a TCP port, for an operator in another pod: those routes of the Unix socket by which it leads
//! (`routes::operator_router`), behind mutual TLS.
//!
//! Whoever has no certificate costs a handshake and nothing else: those who shake hands have places of their own, of which the
//! oldest is given up when all are taken, so that a flood of strangers never keeps the operator out.

mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

pub(super) use self::tls::Parts;
pub use self::tls::{ManagementCertificates, ManagementTlsError, OPERATOR};
use crate::files::{Content, LOOK, Watched};
use crate::http::places::{Place, Places};
use crate::listener::{self, ACCEPT_PAUSE};
use crate::server::StartError;

/// Those who shake hands at once: one operator and its successor need two; the rest are strangers and slow networks.
const HANDSHAKES: u32 = 64;
/// Of them, those of one address.
const HANDSHAKES_PER_ADDRESS: u32 = 16;
/// Who has shown the operator's certificate: two leaders, a person with curl.
const CONNECTIONS: usize = 64;
/// How long a handshake may take: two round trips and patience for a busy node.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the head of a request may take, and how long a connection may wait for one.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// Largest head of a request: ours have 300 octets; curl's and a proxy's have a few thousand at most.
const MAX_HEAD: usize = 16 * 1024;
/// Fields of a head.
const MAX_FIELDS: usize = 64;
/// Largest request: operators send some hundreds of changes at once, which are below 1 MiB. A pod's memory is small, and
/// several requests may come together.
pub(crate) const MAX_REQUEST: usize = 32 * 1024 * 1024;
/// How long a connection may last: longer than the longest batch is waited for, not for ever.
const LIFE: Duration = Duration::from_secs(3600);
/// Strangers are logged this often at most: they cost nothing, and the log is not theirs to fill.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// How long requests may take to finish when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// A peer that vanished is noticed after this much silence and a few probes.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// The files of the directory with the certificates, as in a Secret of type `kubernetes.io/tls`.
const FILES: [&str; 3] = ["ca.crt", "tls.crt", "tls.key"];

/// The open ports; closed when dropped, requests that run are finished first.
pub(crate) struct Port {
    addresses: Vec<SocketAddr>,
    _stop: watch::Sender<()>,
}

/// What every connection needs.
struct Shared {
    tls: Arc<ArcSwapOption<rustls::ServerConfig>>,
    router: Router,
    handshakes: Arc<Places>,
    connections: Arc<Semaphore>,
    /// When a failed connection was logged last.
    logged: Mutex<Option<Instant>>,
}

impl Shared {
    /// Says why a connection failed, unless one was told of just now.
    fn failed(&self, peer: SocketAddr, error: &io::Error) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_none_or(|last| last.elapsed() >= LOG_EVERY) {
            *logged = Some(Instant::now());
            tracing::warn!(%peer, %error, "a connection to the management port failed");
        } else {
            tracing::debug!(%peer, %error, "a connection to the management port failed");
        }
    }
}

/// Opens the port on every address and serves until the result is dropped. The certificates are read from `directory`, now and
/// whenever they change; until there are any, every connection is closed.
pub(crate) fn serve(addresses: &[SocketAddr], directory: &Path, router: Router) -> Result<Port, StartError> {
    let (stop, stopped) = watch::channel(());
    let shared = Arc::new(Shared {
        tls: Arc::default(),
        router,
        handshakes: Arc::new(Places::new(HANDSHAKES, HANDSHAKES_PER_ADDRESS)),
        connections: Arc::new(Semaphore::new(CONNECTIONS)),
        logged: Mutex::default(),
    });
    // Before the first port is open: who connects at once is served, not sent away.
    let paths = FILES.iter().map(|name| directory.join(name)).collect();
    let mut follower = Follower { watched: Watched::new(paths), tls: Arc::clone(&shared.tls) };
    follower.look();
    let mut opened = Vec::new();
    for address in addresses {
        match listener::open(*address) {
            Ok(listener) => {
                opened.push(listener.local_addr().unwrap_or(*address));
                tokio::spawn(accept(listener, Arc::clone(&shared), stopped.clone()));
            }
            Err(error) if listener::lacks_family(*address, &error) && addresses.len() > 1 => {}
            Err(source) => {
                let remedy = listener::remedy(&source, address.port());
                return Err(StartError::Management { address: *address, source, remedy });
            }
        }
    }
    tokio::spawn(follower.run(directory.to_owned(), stopped));
    Ok(Port { addresses: opened, _stop: stop })
}

impl Port {
    /// Where it listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// Puts the certificates of a directory in force when they change.
struct Follower {
    watched: Watched,
    tls: Arc<ArcSwapOption<rustls::ServerConfig>>,
}

impl Follower {
    async fn run(mut self, directory: PathBuf, mut stopped: watch::Receiver<()>) {
        tracing::debug!(directory = %directory.display(), "following the certificates of the management port");
        while timeout(LOOK, stopped.changed()).await.is_err() {
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(this) => self = this,
                Err(_) => return,
            }
        }
    }

    /// What is not usable leaves the last certificates in force.
    fn look(&mut self) {
        let Some(contents) = self.watched.look() else { return };
        match certificates(&contents).and_then(|pair| pair.server().map_err(|error| error.to_string())) {
            Ok(config) => {
                self.tls.store(Some(Arc::new(config)));
                tracing::info!("the certificates of the management port are in force");
            }
            Err(error) => {
                let last = if self.tls.load().is_some() { "the last ones stay" } else { "nobody can manage" };
                tracing::error!(%error, "the certificates of the management port are not usable; {last}");
            }
        }
    }
}

fn certificates(contents: &[Content]) -> Result<ManagementCertificates, String> {
    let text = |index: usize| match contents.get(index) {
        Some(Ok(bytes)) => String::from_utf8(bytes.clone()).map_err(|_| format!("{}: not PEM", FILES[index])),
        Some(Err(error)) => Err(format!("{}: {error}", FILES[index])),
        None => Err("not read".to_owned()),
    };
    Ok(ManagementCertificates { authority_pem: text(0)?, chain_pem: text(1)?, key_pem: text(2)? })
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accept failed on the management port");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        // Who can take nobody's place is one of many of its kind.
        let Ok(place) = shared.handshakes.enter(peer.ip()) else { continue };
        let (shared, stopped) = (Arc::clone(&shared), stopped.clone());
        connections.spawn(async move {
            if let Err(error) = connection(stream, place, &shared, stopped).await {
                shared.failed(peer, &error);
            }
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One connection: a handshake within its time, then requests.
async fn connection(
    stream: TcpStream,
    mut place: Place,
    shared: &Shared,
    mut stopped: watch::Receiver<()>,
) -> io::Result<()> {
    let Some(config) = shared.tls.load_full() else { return Err(other("there are no certificates yet")) };
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let stream = tokio::select! {
        shaken = timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)) => shaken??,
        _ = &mut place.lost => return Err(other("too many shake hands at once")),
    };
    let Ok(_permit) = Arc::clone(&shared.connections).try_acquire_owned() else {
        return Err(other("too many connections of operators"));
    };
    drop(place);
    let service = TowerToHyperService::new(shared.router.clone());
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    builder.max_header_size(MAX_HEAD).max_headers(MAX_FIELDS);
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = timeout(LIFE, &mut served) => ended?,
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            return finish(served).await;
        }
    };
    ended.map_err(io::Error::other)
}

async fn finish(served: impl Future<Output = hyper::Result<()>>) -> io::Result<()> {
    timeout(LAST_WORDS, served).await?.map_err(io::Error::other)
}

fn other(why: &'static str) -> io::Error {
    io::Error::other(why)
}
