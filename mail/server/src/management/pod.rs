//! What an operator in another process asks and tells: the identity of the database, the health of the server, and the secrets
//! that it serves with, which are kept in the data directory.
//!
//! Leaves out putting them in force: whoever started the server registers [`Management::on_pushed`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use chrono::DateTime;
use serde_json::Value;
use std::sync::Arc;

use super::wire::{ErrorCode, Health, Identity, Presented, Pushed};
use super::{Hook, Management, ManagementError, convert};
use crate::files;

/// Where what was pushed last is kept, in the data directory.
const PUSHED: &str = "pushed.json";

/// What [`Management`] keeps for this part.
#[derive(Default)]
pub(super) struct Pod {
    facts: Mutex<Facts>,
    hook: ArcSwapOption<Hook>,
    /// Held from the check of the fence to the end of the write, so that an older leader's file never follows a later one's.
    writing: tokio::sync::Mutex<()>,
}

/// What whoever feeds the server knows of the files it is fed from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// See [`Health::config_digest`].
    pub config_digest: Option<String>,
    /// See [`Health::config_error`].
    pub config_error: Option<String>,
    /// See [`Health::certificate_error`].
    pub certificate_error: Option<String>,
}

impl Management {
    /// Which database and which program answer.
    pub async fn identity(&self) -> Result<Identity, ManagementError> {
        Ok(Identity {
            database: self.store.accounts().database_id().await?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema: self.store.schema(),
        })
    }

    /// How the running server is. A database that does not answer is a part of the answer.
    pub async fn health(&self) -> Result<Health, ManagementError> {
        let Some(server) = &self.server else {
            return Err(ManagementError::new(ErrorCode::Refused, "no server runs here"));
        };
        let facts = self.pod.facts();
        let queue = self.store.queue().stats().await.unwrap_or_default();
        let counter = self.store.accounts().change_counter().await.ok();
        Ok(Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: server.settings.load().config.hostname.clone(),
            started: server.started,
            draining: server.registry.is_draining(),
            endpoints: server.endpoints(),
            listener_error: server.listener_error(),
            config_digest: facts.config_digest,
            config_error: facts.config_error,
            certificate: server.tls.presented().map(presented),
            certificate_error: facts.certificate_error,
            pushed_digest: kept(self.store.directory()).ok().flatten().as_deref().map(digest),
            storage_full: !self.store.has_space(0),
            free_bytes: self.store.free_space(),
            change_counter: counter.and_then(|counter| u64::try_from(counter).ok()),
            queued: queue.messages,
            oldest_queued: queue.oldest.and_then(|at| DateTime::from_timestamp(at, 0)),
        })
    }

    /// Takes what to serve with ([`Pushed`]), keeps it and has it put in force. What is kept already is not written again.
    pub async fn put_serving(&self, mut body: Value) -> Result<(), ManagementError> {
        let wrong = || ManagementError::new(ErrorCode::Invalid, "the body is not what this route takes");
        // The parser's own words could quote a key.
        let pushed: Pushed = serde_json::from_value(body.clone()).map_err(|_| wrong())?;
        let hook = self.pod.hook.load_full().ok_or_else(|| {
            let message =
                "this process has its keys from its data directory; start it with --config to push them";
            ManagementError::new(ErrorCode::Refused, message)
        })?;
        body.as_object_mut().ok_or_else(wrong)?.shift_remove("fence");
        let bytes = serde_json::to_vec(&body).map_err(|_| wrong())?;
        let _writing = self.pod.writing.lock().await;
        if let Some(fence) = &pushed.fence {
            self.store.accounts().check_fence(convert::fence(fence)).await?;
        }
        let directory = self.store.directory().to_owned();
        let written = tokio::task::spawn_blocking(move || files::replace(&place(&directory), &bytes)).await;
        let written = written.map_err(|_| ManagementError::internal("the server is stopping"))?;
        if written.map_err(|error| refused(&error))? {
            hook();
        }
        Ok(())
    }

    /// Registers what runs when something else was pushed; it must only signal, not work.
    pub fn on_pushed(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.pod.hook.store(Some(Arc::new(Box::new(hook))));
    }

    /// Notes the state of the files that the server is fed from, for [`Management::health`].
    pub fn note(&self, facts: Facts) {
        *self.pod.facts.lock().unwrap_or_else(PoisonError::into_inner) = facts;
    }
}

impl Pod {
    fn facts(&self) -> Facts {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn presented((fingerprint, not_after): (Vec<u8>, i64)) -> Presented {
    Presented {
        fingerprint: fingerprint.iter().map(|byte| format!("{byte:02x}")).collect(),
        not_after: DateTime::from_timestamp(not_after, 0).unwrap_or_default(),
    }
}

/// What names a configuration file or a push in [`Health`]: BLAKE3 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn refused(error: &io::Error) -> ManagementError {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let code = match error.kind() {
        StorageFull | QuotaExceeded => ErrorCode::StorageFull,
        _ => ErrorCode::Internal,
    };
    ManagementError::new(code, format!("cannot keep what was pushed: {error}"))
}

/// What was pushed last to the server of this data directory; `None` before the first time.
pub fn read_pushed(data_dir: &Path) -> io::Result<Option<Pushed>> {
    let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "pushed.json is damaged; push it again");
    kept(data_dir)?.map(|bytes| serde_json::from_slice(&bytes).map_err(damaged)).transpose()
}

fn kept(data_dir: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(place(data_dir)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn place(data_dir: &Path) -> PathBuf {
    data_dir.join(PUSHED)
}
