//! The management interface: what the operator and the CLI may ask of a running (or merely opened) installation.
//! [`Management`] answers in process; `management/routes.rs` offers the same over the Unix socket of the data directory and
//! [`ManagementClient`] asks there. The bodies are plan's serde types and those of [`wire`].
//!
//! Whoever can open the socket (mode 0600, the server's own user) may do everything; passwords go in and never come out.

mod accounts;
mod ask;
mod auth_test;
pub mod client;
mod convert;
mod history;
mod password;
mod pod;
pub(crate) mod port;
mod queue;
mod resources;
pub(crate) mod routes;
pub(crate) mod socket;
pub mod wire;

pub use ask::MAX_FETCHED;
pub use client::ManagementClient;
pub use pod::{Facts, digest, read_pushed};
pub use port::{ManagementCertificates, ManagementTlsError, OPERATOR};
pub use wire::{
    AuthTest, AuthTested, ErrorBody, ErrorCode, FetchRequest, FetchedMessage, Health, Identity, Presented,
    Purged, Pushed, PushedAlgorithm, PushedKey, PushedLogin, QueueChanged, QueueEntry, QueueFilter,
    QueueListing, QueueMessage, QueueRecipient, QueueState, QueueTotals, ResourceRecord, SessionInfo, Stats,
    Status, Trace, TraceQueued, TraceRequest, TraceStep,
};

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use mailwright_store::Store;

use self::history::Approvals;
use self::pod::Pod;
use crate::auth::Hasher;
use crate::context::Context;

/// Name of the management socket in the data directory.
pub const SOCKET: &str = "mailwright.sock";

/// What [`Management::on_reconcile`] registers.
type Hook = Box<dyn Fn() + Send + Sync>;

/// The management interface on an opened store. Constructible without a server: then there are no sessions, and
/// reconciling on request is refused.
pub struct Management {
    store: Arc<Store>,
    hasher: Arc<Hasher>,
    server: Option<Arc<Context>>,
    reconcile: ArcSwapOption<Hook>,
    approvals: Approvals,
    pod: Pod,
}

/// Why the management interface refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ManagementError {
    /// What kind of failure, for programs.
    pub code: ErrorCode,
    /// What is wrong and what to do, for people; without secrets.
    pub message: String,
}

impl ManagementError {
    fn new(code: ErrorCode, message: impl Into<String>) -> ManagementError {
        ManagementError { code, message: message.into() }
    }

    fn internal(message: impl Into<String>) -> ManagementError {
        ManagementError::new(ErrorCode::Internal, message)
    }
}

impl From<mailwright_store::Error> for ManagementError {
    fn from(error: mailwright_store::Error) -> ManagementError {
        match error {
            mailwright_store::Error::NoSuchAccount => {
                ManagementError::new(ErrorCode::NotFound, error.to_string())
            }
            mailwright_store::Error::Fenced { .. } => {
                ManagementError::new(ErrorCode::Fenced, error.to_string())
            }
            mailwright_store::Error::WrongDatabase { .. } => {
                ManagementError::new(ErrorCode::WrongDatabase, error.to_string())
            }
            mailwright_store::Error::NoSpace => {
                ManagementError::new(ErrorCode::StorageFull, error.to_string())
            }
            error => ManagementError::internal(error.to_string()),
        }
    }
}

impl Management {
    /// On an opened store alone.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Management {
        Management {
            store,
            hasher: Hasher::shared(),
            server: None,
            reconcile: ArcSwapOption::empty(),
            approvals: Approvals::default(),
            pod: Pod::default(),
        }
    }

    /// Of a running server.
    pub(crate) fn of(server: Arc<Context>) -> Management {
        Management {
            store: Arc::clone(&server.store),
            hasher: Arc::clone(&server.hasher),
            server: Some(server),
            reconcile: ArcSwapOption::empty(),
            approvals: Approvals::default(),
            pod: Pod::default(),
        }
    }

    /// What runs here; `None` without a server.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.server.as_ref().map(|server| Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: server.settings.load().config.hostname.clone(),
            started: server.started,
            endpoints: server.endpoints(),
            draining: server.registry.is_draining(),
        })
    }

    /// The open SMTP and IMAP sessions, oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.server.as_ref().map(|server| server.registry.list()).unwrap_or_default()
    }

    /// Ends a session. False when there is none of that number. Must be called on a tokio runtime.
    #[must_use]
    pub fn kick(&self, id: u64) -> bool {
        self.server.as_ref().is_some_and(|server| server.registry.kick(id))
    }

    /// Asks for a reconciliation now: runs what [`Management::on_reconcile`] registered.
    pub fn reconcile(&self) -> Result<(), ManagementError> {
        match self.reconcile.load().as_ref() {
            Some(hook) => {
                hook();
                Ok(())
            }
            None => Err(ManagementError::new(
                ErrorCode::Refused,
                "this process follows no manifests; start it with `mailwright up <dir>`",
            )),
        }
    }

    /// Registers what [`Management::reconcile`] runs; it must only signal, not work.
    pub fn on_reconcile(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.reconcile.store(Some(Arc::new(Box::new(hook))));
    }
}

#[cfg(test)]
pub(crate) mod tests;
