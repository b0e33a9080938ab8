//! Message bytes: small ones compressed inside the database, large ones in files named by their BLAKE3 hash.
//!
//! A file is complete, synced and linked (its directory synced) before the row that names it is committed, and removed
//! only after the last such row is gone, so a row never lacks its blob. A delivery in progress pins its hash: a file that
//! it found or wrote is not removed under it.

use std::path::Path;

use bytes::Bytes;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::error::{Error, Result};

mod codec;
mod file;
mod pin;

pub(crate) use codec::{compress, decompress};
pub(crate) use file::{Blobs, blocking, shards, sync_directory};
pub(crate) use pin::{Pin, Pins};

/// Messages that take more than this in the database go to files: SQLite copies a row of this size through its page cache at
/// no loss (its own figures for "internal versus external blobs" turn between 64 and 100 KiB), and a backup of the database
/// stays small. A file costs an inode and two syncs of its own, a row shares those of its group.
pub const INLINE_MAX: usize = 64 * 1024;
/// Larger messages are not tried: text shrinks to a third or a quarter, what is beyond that is mostly packed already, and a
/// session that reads one has it in memory at once.
const INLINE_RAW_MAX: usize = 4 * INLINE_MAX;

/// BLAKE3 of the message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hash([u8; 32]);

impl Hash {
    pub(crate) fn of(raw: &[u8]) -> Self {
        Self(*blake3::hash(raw).as_bytes())
    }

    pub(crate) fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        blake3::Hash::from_hex(hex).ok().map(|hash| Self(*hash.as_bytes()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash in the first column of a row.
    pub(crate) fn from_row(row: &SqliteRow) -> Result<Self> {
        Self::from_bytes(&row.try_get::<Vec<u8>, _>(0)?)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let bytes =
            bytes.try_into().map_err(|_| Error::Damaged("a blob's hash has a wrong length".into()))?;
        Ok(Self(bytes))
    }
}

/// Where a blob's bytes are; the numbers are in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Plain = 0,
    Zstd = 1,
    File = 2,
}

/// A blob ready for its row.
pub(crate) struct Blob {
    pub(crate) hash: Hash,
    pub(crate) size: i64,
    pub(crate) place: Place,
    /// None for a file.
    pub(crate) data: Option<Vec<u8>>,
    /// Held until the job is answered.
    _pin: Option<Pin>,
}

/// Hashes and compresses, or writes the file.
pub(crate) async fn prepare(blobs: &std::sync::Arc<Blobs>, raw: &Bytes) -> Result<Blob> {
    let size = u32::try_from(raw.len())
        .map_err(|_| Error::Limit { what: "bytes of a message", limit: u32::MAX.into() })?
        .into();
    let packed = if raw.len() <= INLINE_RAW_MAX { compress(raw) } else { None };
    let (place, data) = match packed {
        Some(data) if data.len() <= INLINE_MAX => (Place::Zstd, data),
        _ if raw.len() <= INLINE_MAX => (Place::Plain, raw.to_vec()),
        _ => {
            let (hash, pin) = file::write(blobs, raw.clone()).await?;
            return Ok(Blob { hash, size, place: Place::File, data: None, _pin: Some(pin) });
        }
    };
    Ok(Blob { hash: Hash::of(raw), size, place, data: Some(data), _pin: None })
}

/// Reads what a row describes. None: the file is gone, because its last row was expunged meanwhile.
pub(crate) async fn read(
    blobs: &Blobs,
    place: i64,
    hash: &[u8],
    size: i64,
    data: Vec<u8>,
) -> Result<Option<Bytes>> {
    let bytes = match place {
        0 => Bytes::from(data),
        1 => Bytes::from(decompress(&data, usize::try_from(size).unwrap_or_default())?),
        2 => match blobs.read(Hash::from_bytes(hash)?).await? {
            Some(bytes) => bytes,
            None => return Ok(None),
        },
        other => return Err(Error::Damaged(format!("unknown place {other} of a blob"))),
    };
    if i64::try_from(bytes.len()) == Ok(size) {
        Ok(Some(bytes))
    } else {
        Err(Error::Damaged(format!("a blob has {} bytes instead of {size}", bytes.len())))
    }
}

/// The path of a blob file below `blobs/`: two digits of directory keep directories of a million files small.
pub(crate) fn path_of(directory: &Path, hash: Hash) -> std::path::PathBuf {
    let hex = hash.to_hex();
    let (shard, rest) = hex.split_at(2);
    directory.join(shard).join(rest)
}

#[cfg(test)]
mod tests;
