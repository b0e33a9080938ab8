//! What every connection of a server shares: the store, the settings in force, certificates, counts, the pool of
//! password checks. A connection takes the settings once, when it begins.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use mailwright_store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::{Authenticator, Hasher};
use crate::config::{Endpoint, ServerConfig};
use crate::listener::gate::Gate;
use crate::registry::Registry;
use crate::tls::TlsSettings;

/// Bytes of messages that may be in memory at once on their way into the store, in KiB: large messages wait on disk until
/// it is their turn. Several times the default message size, a fraction of any server's memory.
const MESSAGE_MEMORY_KIB: u32 = 256 * 1024;

/// Shared by all connections of one server.
pub(crate) struct Context {
    pub(crate) store: Arc<Store>,
    pub(crate) settings: ArcSwap<Settings>,
    pub(crate) tls: TlsSettings,
    /// SMTP and IMAP connections.
    pub(crate) gate: Arc<Gate>,
    /// HTTP connections, apart from the others so that a flood of mail never makes a health probe fail.
    pub(crate) http_gate: Arc<Gate>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) auth: Authenticator,
    pub(crate) hasher: Arc<Hasher>,
    /// Where messages wait while they come in.
    pub(crate) temporary: PathBuf,
    pub(crate) started: DateTime<Utc>,
    pub(crate) endpoints: Mutex<Vec<Endpoint>>,
    message_memory: Arc<Semaphore>,
}

/// A configuration with what the protocol machines make of it.
pub(crate) struct Settings {
    pub(crate) config: ServerConfig,
    pub(crate) smtp: Arc<mailwright_smtp::Config>,
    pub(crate) imap: Arc<mailwright_imap::Config>,
    /// Whether there is a certificate.
    pub(crate) tls: bool,
}

impl Settings {
    pub(crate) fn new(config: ServerConfig) -> Settings {
        let limits = &config.limits;
        let tls = !config.certificates.is_empty();
        let mut smtp = mailwright_smtp::Config::new(config.hostname.clone());
        smtp.starttls = tls;
        smtp.limits.message_size = limits.message_size;
        smtp.limits.recipients = usize::try_from(limits.recipients_per_message).unwrap_or(usize::MAX);
        smtp.timeouts.hello = smtp.timeouts.hello.min(limits.smtp_idle);
        smtp.timeouts.command = limits.smtp_idle;
        smtp.timeouts.data = smtp.timeouts.data.min(limits.smtp_idle);
        let mut imap = mailwright_imap::Config::new(&config.hostname);
        imap.starttls = tls;
        imap.limits.append = limits.message_size;
        imap.limits.login_timeout = limits.imap_login;
        imap.limits.idle_timeout = limits.imap_idle;
        // The driver holds failed logins back by address; by session as well would only hold them back twice.
        imap.limits.auth_delay = Duration::ZERO;
        Settings { config, smtp: Arc::new(smtp), imap: Arc::new(imap), tls }
    }
}

impl Context {
    pub(crate) fn new(
        config: ServerConfig,
        tls: TlsSettings,
        store: Arc<Store>,
        temporary: PathBuf,
    ) -> Context {
        let hasher = Arc::new(Hasher::default());
        Context {
            auth: Authenticator::new(Arc::clone(&store), Arc::clone(&hasher)),
            hasher,
            store,
            settings: ArcSwap::from_pointee(Settings::new(config)),
            tls,
            gate: Arc::default(),
            http_gate: Arc::default(),
            registry: Arc::default(),
            temporary,
            started: Utc::now(),
            endpoints: Mutex::default(),
            message_memory: Arc::new(Semaphore::new(MESSAGE_MEMORY_KIB as usize)),
        }
    }

    /// The open listeners.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_endpoints(&self, endpoints: Vec<Endpoint>) {
        *self.endpoints.lock().unwrap_or_else(PoisonError::into_inner) = endpoints;
    }

    /// Waits until a message of `bytes` may be read into memory; `None` only while the server ends.
    pub(crate) async fn message_memory(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        // A message larger than the whole budget comes alone.
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(MESSAGE_MEMORY_KIB);
        Arc::clone(&self.message_memory).acquire_many_owned(kib).await.ok()
    }
}
