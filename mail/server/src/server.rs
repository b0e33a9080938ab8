//! One running server: listeners by role, reload without restart, and an orderly end.

mod listeners;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mailwright_store::Store;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use self::listeners::Listeners;
use crate::config::{Endpoint, Protocol, Roles, ServerConfig};
use crate::context::{Context, Settings};
use crate::management::port::{self, Port};
use crate::management::socket::{self, Socket};
use crate::management::{Management, SOCKET, routes};
use crate::tls::{CertificateSet, TlsSettings};
use crate::{queue, spool};

/// The Unix socket of LMTP in the data directory.
pub const LMTP_SOCKET: &str = "lmtp.sock";

/// A running server. Dropping it closes its listeners and lets open sessions end by themselves; [`Server::shutdown`] ends
/// them in order.
pub struct Server {
    context: Arc<Context>,
    roles: Roles,
    management: Arc<Management>,
    /// Held over a reload, so that two reloads do not open the same port.
    listeners: Mutex<Listeners>,
    lmtp_socket: PathBuf,
    socket: Socket,
    /// The management interface over mutual TLS, when it was asked for.
    port: Option<Port>,
    /// Aborted when dropped.
    _watch: JoinSet<()>,
}

/// Why a server did not start or a reload was refused; a refused reload changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port could not be opened.
    #[error("cannot listen on {address} for {protocol}: {source}; {remedy}")]
    Bind {
        /// What was to be spoken there.
        protocol: Protocol,
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A Unix socket could not be made.
    #[error("cannot make the socket {path}: {source}; {remedy}")]
    Socket {
        /// The socket.
        path: String,
        /// The system's reason.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The management port could not be opened.
    #[error("cannot listen on {address} for the management interface: {source}; {remedy}")]
    Management {
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A certificate is not usable.
    #[error("certificate {position} is not usable: {reason}")]
    Certificate {
        /// Its place in the configuration, from 1.
        position: usize,
        /// What is wrong.
        reason: String,
    },
    /// The TLS library does not work as built.
    #[error("TLS is not usable: {0}; build again with the default features")]
    Tls(#[from] rustls::Error),
    /// The data directory cannot hold temporary files.
    #[error("cannot make {path}: {source}; look at the permissions and free space of the data directory")]
    Temporary {
        /// The directory.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Server {
    /// Opens the listeners of `roles` and, in every role, the management socket `data_dir/mailwright.sock`: whoever holds
    /// the data directory's lock is the only one who can answer for it. The store must be that of `data_dir`: its lock is
    /// what keeps two servers apart.
    pub async fn start(
        config: ServerConfig,
        roles: Roles,
        store: Arc<Store>,
        data_dir: &Path,
    ) -> Result<Server, StartError> {
        crate::metrics::install();
        let certificates = certificates(&config)?;
        let tls = TlsSettings::new()?;
        tls.replace(certificates);
        let temporary = data_dir.join("tmp");
        spool::prepare(&temporary)
            .map_err(|source| StartError::Temporary { path: temporary.display().to_string(), source })?;
        let context = Arc::new(Context::new(config, tls, store, temporary));
        let management = Arc::new(Management::of(Arc::clone(&context)));
        let mut listeners = Listeners::default();
        let opened = listeners.open(&context.settings.load().config, roles)?;
        let problem = opened.error();
        listeners.serve(opened, &context)?;
        let named = context.settings.load().config.lmtp_socket.clone();
        let lmtp_socket = named.unwrap_or_else(|| data_dir.join(LMTP_SOCKET));
        let local = listeners.open_local(&lmtp_socket, roles, &context);
        context.set_listener_error(lenient(&context, problem, local)?);
        let path = data_dir.join(SOCKET);
        let router = routes::router(Arc::clone(&management), routes::MAX_REQUEST);
        let socket = socket::serve(&path, router).map_err(|source| socket_error(&path, source))?;
        let mut watch = JoinSet::new();
        watch.spawn(watch::run(Arc::clone(&context)));
        if roles.queue {
            let config = &context.settings.load().config;
            let _ = context.queue.set(queue::start::start(config, &context.store)?);
        }
        let listeners = Mutex::new(listeners);
        Ok(Server { context, roles, management, listeners, lmtp_socket, socket, port: None, _watch: watch })
    }

    /// Offers the operator's part of the management interface over mutual TLS, too: on these addresses, with the certificates that `directory` holds now
    /// and later (`ca.crt`, `tls.crt`, `tls.key`). Answers where it listens.
    pub fn open_management(
        &mut self,
        addresses: &[SocketAddr],
        directory: &Path,
    ) -> Result<Vec<SocketAddr>, StartError> {
        let router = routes::operator_router(Arc::clone(&self.management), port::MAX_REQUEST);
        let port = self.port.insert(port::serve(addresses, directory, router)?);
        Ok(port.addresses().to_vec())
    }

    /// Takes a new configuration without a restart: new certificates, limits and policies hold for new connections,
    /// changed ports are opened before the old ones close; open sessions go on.
    pub async fn reload(&self, config: ServerConfig) -> Result<(), StartError> {
        let certificates = certificates(&config)?;
        let mut listeners = self.listeners.lock().await;
        let opened = listeners.open(&config, self.roles)?;
        let problem = opened.error();
        self.context.tls.replace(certificates);
        self.context.settings.store(Arc::new(Settings::new(config)));
        listeners.close_unwanted(&self.context.settings.load().config, self.roles, &opened);
        listeners.serve(opened, &self.context)?;
        if let Some(queue) = self.context.queue.get() {
            queue::start::reload(queue, &self.context.settings.load().config);
        }
        let local = listeners.open_local(&self.lmtp_socket, self.roles, &self.context);
        self.context.set_listener_error(lenient(&self.context, problem, local)?);
        tracing::info!("configuration reloaded");
        Ok(())
    }

    /// Tries again to open what a lenient configuration wants and could not have; nothing else changes.
    pub async fn open_missing(&self) -> Result<(), StartError> {
        let mut listeners = self.listeners.lock().await;
        let config = self.context.settings.load().config.clone();
        let opened = listeners.open(&config, self.roles)?;
        let problem = opened.error();
        listeners.close_unwanted(&config, self.roles, &opened);
        listeners.serve(opened, &self.context)?;
        let local = listeners.open_local(&self.lmtp_socket, self.roles, &self.context);
        self.context.set_listener_error(lenient(&self.context, problem, local)?);
        Ok(())
    }

    /// Why listeners are not open that should be, under a lenient configuration.
    #[must_use]
    pub fn listener_error(&self) -> Option<String> {
        self.context.listener_error()
    }

    /// The open listeners with their real ports, in the order smtp, imap, imaps, http.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.context.endpoints()
    }

    /// The management interface of this server.
    #[must_use]
    pub fn management(&self) -> Arc<Management> {
        Arc::clone(&self.management)
    }

    /// Ends in order. It is not ready any more at once; sessions hear 421 and `* BYE` between two commands, messages in hand
    /// finish, and so do those that are being sent. Who comes meanwhile hears 421 or `* BYE` too, which is more than a closed
    /// port would tell them. After `grace`, or when nobody is left, the listeners close and what remains is cut off. Answers
    /// how many sessions that were. Probes and the management interface are answered until then.
    pub async fn shutdown(self, grace: Duration) -> usize {
        let mut listeners = self.listeners.lock().await;
        let stop_queue = async {
            match self.context.queue.get() {
                Some(queue) => queue.stop(grace).await,
                None => 0,
            }
        };
        let (last, unsettled) = tokio::join!(self.context.registry.drain(grace), stop_queue);
        if unsettled > 0 {
            tracing::warn!(
                unsettled,
                "the queue was cut off; what was being sent is tried again after the next start"
            );
        }
        listeners.close_all();
        let cut_off = self.context.registry.cut_off(last).await;
        drop((self.socket, self.port));
        tracing::info!(cut_off, "server stopped");
        cut_off
    }
}

/// What is told of listeners that are not open, or refused where nothing may be missing.
fn lenient(
    context: &Context,
    problem: Option<String>,
    local: Result<(), StartError>,
) -> Result<Option<String>, StartError> {
    let local = match local {
        Ok(()) => None,
        Err(error) if context.settings.load().config.lenient => Some(error.to_string()),
        Err(error) => return Err(error),
    };
    let problems: Vec<String> = problem.into_iter().chain(local).collect();
    Ok((!problems.is_empty()).then(|| problems.join("; ")))
}

fn certificates(config: &ServerConfig) -> Result<Option<CertificateSet>, StartError> {
    CertificateSet::parse(&config.certificates)
        .map_err(|(position, error)| StartError::Certificate { position, reason: error.to_string() })
}

fn socket_error(path: &Path, source: std::io::Error) -> StartError {
    let remedy = match source.kind() {
        // The system's limit is 107 bytes (sun_path in unix(7)).
        std::io::ErrorKind::InvalidInput => "choose a data directory with a shorter path",
        _ => "look at the permissions of the data directory",
    };
    StartError::Socket { path: path.display().to_string(), source, remedy }
}

#[cfg(test)]
mod tests;
