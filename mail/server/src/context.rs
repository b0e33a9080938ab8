//! What every connection of a server shares: the store, the settings in force, certificates, counts, the pool of
//! password checks. A connection takes the settings once, when it begins.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use mailwright_smtp::Kind;
use mailwright_store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::{Authenticator, Hasher};
use crate::config::{Endpoint, ServerConfig};
use crate::dkim::Signers;
use crate::http::places::Places;
use crate::listener::descriptors::affordable;
use crate::listener::gate::Gate;
use crate::queue::start::Queue;
use crate::registry::Registry;
use crate::smtp::full::FullMailboxes;
use crate::smtp::mechanisms;
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
    pub(crate) http_places: Arc<Places>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) auth: Authenticator,
    pub(crate) hasher: Arc<Hasher>,
    /// Where messages wait while they come in.
    pub(crate) temporary: PathBuf,
    pub(crate) started: DateTime<Utc>,
    pub(crate) endpoints: Mutex<Vec<Endpoint>>,
    /// Why listeners are not open that should be.
    pub(crate) listener_error: Mutex<Option<String>>,
    /// Mailboxes that a message did not fit into.
    pub(crate) full: FullMailboxes,
    message_memory: Arc<Semaphore>,
    /// The queue, in a process that sends.
    pub(crate) queue: OnceLock<Queue>,
}

/// A configuration with what the protocol machines make of it.
pub(crate) struct Settings {
    pub(crate) config: ServerConfig,
    pub(crate) smtp: Arc<mailwright_smtp::Config>,
    pub(crate) submission: Arc<mailwright_smtp::Config>,
    pub(crate) lmtp: Arc<mailwright_smtp::Config>,
    /// On the Unix socket, where there is nothing to encrypt.
    pub(crate) lmtp_local: Arc<mailwright_smtp::Config>,
    pub(crate) imap: Arc<mailwright_imap::Config>,
    /// The DKIM keys, parsed.
    pub(crate) signers: Arc<Signers>,
    /// Whether there is a certificate.
    pub(crate) tls: bool,
    /// SMTP and IMAP connections at once: as configured, or what the process can afford.
    pub(crate) connections: u32,
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
        let mut submission = mailwright_smtp::Config { kind: Kind::Submission, dsn: true, ..smtp.clone() };
        submission.mechanisms = mechanisms();
        submission.plaintext_on_loopback = config.plaintext_on_loopback;
        let lmtp = mailwright_smtp::Config { kind: Kind::Lmtp, ..smtp.clone() };
        let lmtp_local = mailwright_smtp::Config { starttls: false, ..lmtp.clone() };
        let mut imap = mailwright_imap::Config::new(&config.hostname);
        imap.starttls = tls;
        imap.plaintext_on_loopback = config.plaintext_on_loopback;
        imap.limits.append = limits.message_size;
        imap.limits.login_timeout = limits.imap_login;
        imap.limits.idle_timeout = limits.imap_idle;
        // The driver holds failed logins back by address; by session as well would only hold them back twice.
        imap.limits.auth_delay = Duration::ZERO;
        let connections = affordable(limits.connections);
        if connections < limits.connections {
            tracing::warn!(
                configured = limits.connections,
                allowed = connections,
                "fewer connections than configured: raise the hard limit of files (ulimit -Hn, LimitNOFILE=)"
            );
        }
        let (signers, damaged) = Signers::new(&config.dkim);
        for error in damaged {
            tracing::error!(%error, "restore the key from a backup, or delete it and publish the new one");
        }
        Settings {
            config,
            smtp: Arc::new(smtp),
            submission: Arc::new(submission),
            lmtp: Arc::new(lmtp),
            lmtp_local: Arc::new(lmtp_local),
            imap: Arc::new(imap),
            signers: Arc::new(signers),
            tls,
            connections,
        }
    }
}

impl Context {
    pub(crate) fn new(
        config: ServerConfig,
        tls: TlsSettings,
        store: Arc<Store>,
        temporary: PathBuf,
    ) -> Context {
        let hasher = Hasher::shared();
        Context {
            auth: Authenticator::new(Arc::clone(&store), Arc::clone(&hasher)),
            hasher,
            store,
            settings: ArcSwap::from_pointee(Settings::new(config)),
            tls,
            gate: Arc::default(),
            http_places: Arc::default(),
            registry: Arc::default(),
            temporary,
            started: Utc::now(),
            endpoints: Mutex::default(),
            listener_error: Mutex::default(),
            full: FullMailboxes::default(),
            queue: OnceLock::new(),
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

    /// Why listeners are not open that should be.
    pub(crate) fn listener_error(&self) -> Option<String> {
        self.listener_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_listener_error(&self, error: Option<String>) {
        *self.listener_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// Waits until a message of `bytes` may be read into memory; `None` only while the server ends.
    pub(crate) async fn message_memory(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        // A message larger than the whole budget comes alone.
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(MESSAGE_MEMORY_KIB);
        Arc::clone(&self.message_memory).acquire_many_owned(kib).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::tests::certificate;

    #[test]
    fn the_machines_get_what_was_configured() {
        let mut config = ServerConfig::new("mail.example.test");
        config.limits = Limits {
            message_size: 1234,
            recipients_per_message: 7,
            smtp_idle: Duration::from_secs(11),
            imap_idle: Duration::from_secs(2000),
            imap_login: Duration::from_secs(9),
            ..Limits::default()
        };
        for tls in [false, true] {
            if tls {
                config.certificates.push(certificate(&["mail.example.test"]));
            }
            let settings = Settings::new(config.clone());
            assert_eq!((settings.tls, settings.smtp.starttls, settings.imap.starttls), (tls, tls, tls));
            assert_eq!((settings.smtp.limits.message_size, settings.imap.limits.append), (1234, 1234));
            assert_eq!(settings.smtp.limits.recipients, 7);
            let timeouts = &settings.smtp.timeouts;
            assert_eq!([timeouts.hello, timeouts.command, timeouts.data], [Duration::from_secs(11); 3]);
            assert_eq!(settings.imap.limits.idle_timeout, Duration::from_secs(2000));
            assert_eq!(settings.imap.limits.login_timeout, Duration::from_secs(9));
            assert_eq!(settings.imap.limits.auth_delay, Duration::ZERO);
        }
    }

    #[test]
    fn patience_is_never_longer_than_the_protocols_own() {
        let settings = Settings::new(ServerConfig::new("mail.example.test"));
        let timeouts = &settings.smtp.timeouts;
        assert_eq!(timeouts.hello, mailwright_smtp::Timeouts::HELLO);
        assert_eq!(timeouts.data, mailwright_smtp::Timeouts::DATA);
        assert!(timeouts.command >= Duration::from_secs(300), "RFC 5321 §4.5.3.2.7");
        assert!(settings.imap.limits.idle_timeout >= Duration::from_secs(1800), "RFC 3501 §5.4");
    }

    #[tokio::test]
    async fn large_messages_take_turns_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(directory.path(), Default::default()).await.unwrap());
        let config = ServerConfig::new("mail.example.test");
        let context = Context::new(config, TlsSettings::new().unwrap(), store, directory.path().join("tmp"));
        let half = u64::from(MESSAGE_MEMORY_KIB) * 512;
        let first = context.message_memory(half).await;
        let waiting = tokio::time::timeout(Duration::from_millis(20), context.message_memory(half * 2)).await;
        assert!(waiting.is_err(), "it does not fit beside the first");
        let small = context.message_memory(1000).await;
        assert!(small.is_some());
        drop((first, small));
        let oversized = tokio::time::timeout(Duration::from_secs(5), context.message_memory(u64::MAX)).await;
        assert!(oversized.unwrap().is_some(), "a message above the budget comes alone");
    }
}
