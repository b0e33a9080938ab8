//! Blob files: `blobs/ab/cdef…`, written as `blobs/tmp/N`, synced, renamed, directory synced.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::blob::{Hash, Pin, Pins, path_of};
use crate::crash::{self, Crash};
use crate::error::{Error, Result, blob_error};

/// The directory of blob files.
pub(crate) struct Blobs {
    directory: PathBuf,
    /// Shards that exist durably.
    shards: Mutex<BTreeSet<PathBuf>>,
    pins: Arc<Pins>,
    crash: Arc<Crash>,
    next: AtomicU64,
    pub(crate) written: AtomicU64,
    pub(crate) removed: AtomicU64,
}

impl Blobs {
    /// Clears what a crash left half written.
    pub(crate) fn open(directory: &Path, crash: Arc<Crash>) -> io::Result<Self> {
        let tmp = directory.join("tmp");
        match fs::remove_dir_all(&tmp) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => fs::DirBuilder::new().recursive(true).mode(0o700).create(&tmp)?,
        }
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        sync_directory(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            shards: Mutex::default(),
            pins: Arc::default(),
            crash,
            next: AtomicU64::new(0),
            written: AtomicU64::new(0),
            removed: AtomicU64::new(0),
        })
    }

    /// The file's bytes; None when it does not exist.
    pub(crate) async fn read(&self, hash: Hash) -> Result<Option<Bytes>> {
        let path = path_of(&self.directory, hash);
        match blocking(move || fs::read(path)).await? {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file unless it is pinned; false: try again later.
    pub(crate) fn remove(&self, hash: Hash) -> bool {
        let path = path_of(&self.directory, hash);
        let removed = self.pins.unless_pinned(hash, || fs::remove_file(&path));
        match removed {
            Some(Ok(())) => {
                self.removed.fetch_add(1, Ordering::Relaxed);
                true
            }
            // Never written (the delivery failed before) or removed already.
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => true,
            Some(Err(error)) => {
                tracing::warn!(%error, path = %path.display(), "cannot remove a blob file");
                false
            }
            None => false,
        }
    }

    /// All hashes that have a file in a shard ("00" to "ff"); strange names are left alone.
    pub(crate) fn list(&self, shard: &str) -> io::Result<BTreeSet<Hash>> {
        let mut found = BTreeSet::new();
        let entries = match fs::read_dir(self.directory.join(shard)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            found.extend(name.to_str().and_then(|rest| Hash::from_hex(&format!("{shard}{rest}"))));
        }
        Ok(found)
    }

    /// Makes the directory of a file, durably: the first file of a shard in a process waits for it, and so does
    /// everybody who needs the same one meanwhile.
    fn make_shard(&self, shard: &Path) -> io::Result<()> {
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        if shards.contains(shard) {
            return Ok(());
        }
        match fs::create_dir(shard) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => sync_directory(&self.directory)?,
        }
        shards.insert(shard.to_owned());
        Ok(())
    }

    pub(crate) fn take_released(&self) -> Vec<Hash> {
        self.pins.take_released()
    }

    pub(crate) fn is_pinned(&self, hash: Hash) -> bool {
        self.pins.unless_pinned(hash, || ()).is_none()
    }

    pub(crate) fn has_released(&self) -> bool {
        self.pins.has_released()
    }
}

/// "00" to "ff".
pub(crate) fn shards() -> impl Iterator<Item = String> {
    (0..=255u8).map(|byte| format!("{byte:02x}"))
}

/// Writes the file of a blob unless it is there; durable when this returns.
pub(crate) async fn write(blobs: &Arc<Blobs>, raw: Bytes) -> Result<(Hash, Pin)> {
    let blobs = Arc::clone(blobs);
    blocking(move || {
        let hash = Hash::of(&raw);
        let pin = blobs.pins.pin(hash);
        write_pinned(&blobs, hash, &raw)?;
        Ok((hash, pin))
    })
    .await?
}

fn write_pinned(blobs: &Blobs, hash: Hash, raw: &[u8]) -> Result<()> {
    blobs.crash.at(crash::BLOB_BEFORE_WRITE)?;
    let path = path_of(&blobs.directory, hash);
    let shard = path.parent().unwrap_or(&blobs.directory);
    if !path.exists() {
        blobs.make_shard(shard).map_err(blob_error)?;
        let number = blobs.next.fetch_add(1, Ordering::Relaxed);
        let tmp = blobs.directory.join("tmp").join(number.to_string());
        let result = write_synced(&tmp, raw).and_then(|()| {
            blobs.crash.at(crash::BLOB_WRITTEN)?;
            fs::rename(&tmp, &path).map_err(blob_error)
        });
        if let Err(error) = result {
            if !matches!(error, Error::Crashed) {
                // Best effort: what stays here is cleared at the next open.
                let _ = fs::remove_file(&tmp);
            }
            return Err(error);
        }
        blobs.written.fetch_add(1, Ordering::Relaxed);
    }
    blobs.crash.at(crash::BLOB_RENAMED)?;
    // Also when the file was there: whoever renamed it may not have come to this line yet.
    sync_directory(shard).map_err(blob_error)
}

fn write_synced(path: &Path, raw: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(blob_error)?;
    file.write_all(raw).and_then(|()| file.sync_data()).map_err(blob_error)
}

/// Makes entries of a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)
}
