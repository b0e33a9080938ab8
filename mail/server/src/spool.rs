//! Where a message waits while it comes in: in memory up to [`IN_MEMORY`], beyond that in a temporary file under
//! `data/tmp`, so that a thousand slow senders of large messages do not hold them all in memory.
//!
//! Leaves out durability: a spooled message is nobody's promise yet. Files vanish with their [`Spool`]; what a crash
//! left is removed at start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// Octets kept in memory per message: nearly all mail without attachments.
pub(crate) const IN_MEMORY: usize = 256 * 1024;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// One message on its way in.
pub(crate) struct Spool {
    directory: PathBuf,
    memory: Vec<u8>,
    file: Option<(File, Temporary)>,
    length: u64,
}

/// A file that is removed when dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing to be done about a failure here; the next start sweeps the directory.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Spool {
    /// An empty spool that may write below `directory`.
    pub(crate) fn new(directory: &Path) -> Spool {
        Spool { directory: directory.to_owned(), memory: Vec::new(), file: None, length: 0 }
    }

    /// A spool whose file takes nothing.
    #[cfg(test)]
    pub(crate) async fn on_full_disk() -> Spool {
        let file = File::options().read(true).write(true).open("/dev/full").await.unwrap();
        let mut spool = Spool::new(Path::new("/nowhere"));
        spool.file = Some((file, Temporary("/nowhere/nothing".into())));
        spool
    }

    /// Octets so far.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// The next piece.
    pub(crate) async fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        self.length += piece.len() as u64;
        if self.file.is_none() && self.memory.len() + piece.len() <= IN_MEMORY {
            self.memory.extend_from_slice(piece);
            return Ok(());
        }
        if let Some((file, _)) = &mut self.file {
            return file.write_all(piece).await;
        }
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = self.directory.join(name);
        let mut options = File::options();
        let mut file = options.read(true).write(true).create_new(true).mode(0o600).open(&path).await?;
        let guard = Temporary(path);
        file.write_all(&self.memory).await?;
        file.write_all(piece).await?;
        self.memory = Vec::new();
        self.file = Some((file, guard));
        Ok(())
    }

    /// The whole message, behind what goes in front of it.
    pub(crate) async fn into_bytes(self, front: &[u8]) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.length).unwrap_or_default();
        let mut bytes = Vec::with_capacity(front.len() + length);
        bytes.extend_from_slice(front);
        let Some((mut file, _guard)) = self.file else {
            bytes.extend_from_slice(&self.memory);
            return Ok(bytes);
        };
        file.flush().await?;
        file.rewind().await?;
        tokio::io::AsyncReadExt::read_to_end(&mut file, &mut bytes).await?;
        Ok(bytes)
    }
}

/// Makes the directory of temporary files and removes what an earlier process left in it.
pub(crate) fn prepare(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    #[tokio::test]
    async fn messages_come_back_as_they_went_in() {
        for (piece, count, on_disk) in [
            (0, 0, 0),
            (1, 1, 0),
            (IN_MEMORY, 1, 0),
            (IN_MEMORY / 4, 4, 0),
            (IN_MEMORY + 1, 1, 1),
            (IN_MEMORY / 4 + 1, 4, 1),
            (60_000, 40, 1),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut spool = Spool::new(directory.path());
            let mut expected = Vec::new();
            for number in 0..count {
                let bytes: Vec<u8> = (0..piece).map(|index| (index * 7 + number) as u8).collect();
                spool.push(&bytes).await.unwrap();
                expected.extend(bytes);
            }
            assert_eq!(files(directory.path()), on_disk, "{piece}x{count}");
            assert_eq!(spool.len(), expected.len() as u64);
            assert!(spool.into_bytes(b"").await.unwrap() == expected, "{piece}x{count}");
            assert_eq!(files(directory.path()), 0, "the file goes with the spool");
        }
    }

    #[tokio::test]
    async fn abandoned_spools_leave_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(directory.path());
        spool.push(&vec![b'x'; IN_MEMORY + 1]).await.unwrap();
        assert_eq!(files(directory.path()), 1);
        drop(spool);
        assert_eq!(files(directory.path()), 0);
        std::fs::write(directory.path().join("left-by-a-crash"), b"x").unwrap();
        prepare(directory.path()).unwrap();
        assert_eq!(files(directory.path()), 0);
    }

    #[tokio::test]
    async fn a_full_disk_is_an_error_and_not_a_short_message() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(&directory.path().join("missing"));
        assert!(spool.push(&vec![b'x'; IN_MEMORY + 1]).await.is_err());
    }
}
