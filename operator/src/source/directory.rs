//! A directory as a source: walked often, read only where it changed.
//!
//! A walk compares size, times and inode of every manifest file with what they were; only a file that looks different
//! is read, and only different content makes a new snapshot. Editors that save by renaming are seen by the inode.

mod walk;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use walk::{Found, Stamp, walk};

use super::limits::MAX_TOTAL_BYTES;
use super::manifest::{FileContents, read_file, skipped, unreadable};
use super::snapshot::ReadFile;
use super::yaml::MAX_FILE_BYTES;
use super::{Decryption, Problem, Snapshot, SourceError};

/// A change is read once two walks this far apart agree, so that a half-written state is not taken for a decision …
const SETTLE: Duration = Duration::from_millis(100);
/// … but no longer than this many times: a directory must be followed within two seconds.
const SETTLE_ROUNDS: u32 = 8;
/// A file changed this shortly before it was read may change again without a new time stamp.
const TIMESTAMP_GRAIN: Duration = Duration::from_secs(1);
/// Files that change while being read make the walk start over, this often.
const MAX_RETRIES: u32 = 5;

/// A directory that is followed.
#[derive(Debug)]
pub struct Directory {
    id: String,
    base: PathBuf,
    /// The path below `base` that is read, empty for all of it.
    prefix: String,
    decryption: Decryption,
    known: HashMap<String, Known>,
    /// Digest of all paths and contents of the last snapshot.
    revision: Option<String>,
}

/// A file as it was when last read.
#[derive(Debug)]
struct Known {
    found: Found,
    /// Read long enough after its last change for its stamp to be trusted.
    settled: bool,
    digest: blake3::Hash,
    size: u64,
    contents: Arc<FileContents>,
}

/// Something moved under our feet; walk again.
struct Moved;

impl Directory {
    /// Follows the manifests below `prefix` of `base`; `base` may be a file.
    pub(super) fn new(base: PathBuf, prefix: String, decryption: Decryption) -> Directory {
        let root = base.join(&prefix);
        let shown = root.canonicalize().unwrap_or(root);
        Directory {
            id: shown.to_string_lossy().into_owned(),
            base,
            prefix,
            decryption,
            known: HashMap::new(),
            revision: None,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn decryption(&self) -> &Decryption {
        &self.decryption
    }

    /// Encrypted files are read again when the keys are others.
    pub(super) fn set_decryption(&mut self, decryption: Decryption) {
        if self.decryption != decryption {
            self.decryption = decryption;
            self.known.retain(|_, known| !known.contents.encrypted);
            self.revision = None;
        }
    }

    fn root(&self) -> PathBuf {
        if self.prefix.is_empty() { self.base.clone() } else { self.base.join(&self.prefix) }
    }

    /// Reads what changed since last time; `None` when nothing did.
    pub(super) fn load(&mut self) -> Result<Option<Snapshot>, SourceError> {
        for _ in 0..MAX_RETRIES {
            let found = self.settled_walk()?;
            if self.revision.is_some() && self.is_unchanged(&found) {
                return Ok(None);
            }
            if let Ok(()) = self.read(found)? {
                return Ok(self.snapshot());
            }
        }
        let reason = "its files keep changing while they are read".to_owned();
        Err(SourceError::Root { path: self.root(), reason })
    }

    /// The walk, repeated while something is being written.
    fn settled_walk(&self) -> Result<Vec<(String, Found)>, SourceError> {
        let mut found = walk(&self.root(), &self.prefix)?;
        if self.is_unchanged(&found) || !is_recent(&found) {
            return Ok(found);
        }
        for _ in 0..SETTLE_ROUNDS {
            std::thread::sleep(SETTLE);
            let again = walk(&self.root(), &self.prefix)?;
            let same = again == found;
            found = again;
            if same {
                break;
            }
        }
        Ok(found)
    }

    fn is_unchanged(&self, found: &[(String, Found)]) -> bool {
        found.len() == self.known.len()
            && found.iter().all(|(path, found)| {
                self.known.get(path).is_some_and(|known| known.settled && known.found == *found)
            })
    }

    /// Brings `known` up to date with a walk.
    fn read(&mut self, found: Vec<(String, Found)>) -> Result<Result<(), Moved>, SourceError> {
        let total: u64 = found.iter().map(|(_, found)| found.size()).sum();
        if total > MAX_TOTAL_BYTES {
            let (what, remedy) = ("the size of all manifests".to_owned(), "split them over several sources");
            return Err(SourceError::Limit { what, limit: MAX_TOTAL_BYTES, remedy });
        }
        let mut known = HashMap::with_capacity(found.len());
        for (path, found) in found {
            let before = self.known.remove(&path);
            let now = match before {
                Some(before) if before.settled && before.found == found => before,
                before => match self.read_one(&path, found, before) {
                    Ok(now) => now,
                    Err(Moved) => {
                        self.known.extend(known);
                        return Ok(Err(Moved));
                    }
                },
            };
            known.insert(path, now);
        }
        self.known = known;
        Ok(Ok(()))
    }

    /// Reads one file; what it says is kept when its bytes are the same as before.
    fn read_one(&self, path: &str, found: Found, before: Option<Known>) -> Result<Known, Moved> {
        let stamp = match &found {
            Found::File(stamp) => *stamp,
            Found::Unreadable(message, remedy) => {
                let contents = unreadable(path, message.clone(), remedy);
                return Ok(Known::without_content(found, contents));
            }
            Found::Skipped(message, remedy) => {
                let contents = skipped(path, message, remedy);
                return Ok(Known::without_content(found, contents));
            }
        };
        if stamp.size > MAX_FILE_BYTES {
            let message = format!("the file has {} bytes, and {MAX_FILE_BYTES} is the limit", stamp.size);
            return Ok(Known::without_content(found, unreadable(path, message, "split it")));
        }
        let started = SystemTime::now();
        match self.bytes(path, stamp) {
            Ok(bytes) => {
                let digest = blake3::hash(&bytes);
                let contents = match before {
                    Some(before) if before.digest == digest => before.contents,
                    _ => Arc::new(read_file(path, &bytes, &self.decryption)),
                };
                let settled = is_settled(stamp, started);
                Ok(Known { found, settled, digest, size: stamp.size, contents })
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Interrupted) => {
                Err(Moved)
            }
            Err(error) => {
                let contents =
                    unreadable(path, format!("cannot be read: {error}"), "give the server access to it");
                // The time stamp does not move when access is given: look again next time.
                Ok(Known { settled: false, ..Known::without_content(found, contents) })
            }
        }
    }

    /// The bytes of the very file that was walked over, and no more than it had then.
    fn bytes(&self, path: &str, stamp: Stamp) -> io::Result<Vec<u8>> {
        let file = File::open(if self.base.is_file() { self.base.clone() } else { self.base.join(path) })?;
        let size = usize::try_from(stamp.size).unwrap_or_default();
        let mut bytes = Vec::with_capacity(size);
        let same = Stamp::of(&file.metadata()?) == stamp;
        (&file).take(stamp.size + 1).read_to_end(&mut bytes)?;
        if !same || bytes.len() != size || Stamp::of(&file.metadata()?) != stamp {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(bytes)
    }

    /// The snapshot of what is known, unless its content is the last one's.
    fn snapshot(&mut self) -> Option<Snapshot> {
        let mut files: Vec<_> = self.known.iter().collect();
        files.sort_by_key(|(path, _)| *path);
        let mut hasher = blake3::Hasher::new();
        for (path, known) in &files {
            hasher.update(path.as_bytes()).update(&[0]).update(known.digest.as_bytes());
        }
        let revision = format!("blake3:{}", &hasher.finalize().to_hex()[..32]);
        if self.revision.as_ref() == Some(&revision) {
            return None;
        }
        self.revision = Some(revision.clone());
        let read = files.into_iter().map(|(path, known)| ReadFile {
            path: path.clone(),
            size: known.size,
            contents: known.contents.clone(),
        });
        Some(Snapshot::assemble(revision, read.collect()))
    }
}

impl Known {
    /// An entry that was not read: its message stands for its content.
    fn without_content(found: Found, contents: FileContents) -> Known {
        let told: String = contents.problems.iter().map(Problem::to_string).collect();
        let digest = blake3::hash(format!("\0{told}").as_bytes());
        Known { found, settled: true, digest, size: 0, contents: Arc::new(contents) }
    }
}

impl Found {
    fn size(&self) -> u64 {
        match self {
            Found::File(stamp) if stamp.size <= MAX_FILE_BYTES => stamp.size,
            _ => 0,
        }
    }
}

fn is_settled(stamp: Stamp, read_at: SystemTime) -> bool {
    let changed = since_epoch(stamp);
    changed.checked_add(TIMESTAMP_GRAIN).is_some_and(|limit| UNIX_EPOCH + limit < read_at)
}

/// Whether something changed so shortly ago that its writer may not have finished.
fn is_recent(found: &[(String, Found)]) -> bool {
    let now = SystemTime::now();
    found.iter().any(|(_, found)| match found {
        Found::File(stamp) => (UNIX_EPOCH + since_epoch(*stamp)) + SETTLE > now,
        _ => false,
    })
}

fn since_epoch(stamp: Stamp) -> Duration {
    let (seconds, nanos) = stamp.changed;
    let nanos = u32::try_from(nanos).unwrap_or_default().min(999_999_999);
    Duration::new(u64::try_from(seconds).unwrap_or_default().min(u64::from(u32::MAX)), nanos)
}
