//! One process per directory: an advisory lock on `lock`, which the system releases with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::error::OpenError;

/// A stopping process (or a store that was dropped a moment ago) gets this long to let go.
const WAIT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// Held while the writer lives.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) async fn take(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("lock");
        let io = |source| OpenError::Io { path: path.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        let mut left = WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => return Err(io(source)),
                Err(TryLockError::WouldBlock) if left.is_zero() => {
                    return Err(OpenError::Locked { dir: directory.to_owned() });
                }
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(PAUSE).await;
                    left = left.saturating_sub(PAUSE);
                }
            }
        }
    }
}
