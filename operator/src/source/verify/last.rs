//! What was taken last: the memory that a rollback has to get past. It is kept beside the accounts, never in a cache.
//!
//! Owns the record and its file for those who keep it as one (`mailwright up`); a controller keeps it in a status.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Fingerprints that are remembered: far more than people come and go.
const MAX_KEYS: usize = 10_000;
/// A record with all of them is below it.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// What was taken last from a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Last {
    /// The commit that was applied last; nothing older is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// The newest commit that was verified; a range begins behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<String>,
    /// Whose signature that was: principal and key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<(String, String)>,
    /// Fingerprints of the keys that were believed at some time.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub keys: BTreeSet<String>,
}

/// Why the record cannot be used. Without it anything could be taken, so nothing is.
#[derive(Debug, thiserror::Error)]
pub enum LastError {
    /// The file cannot be read or written.
    #[error("{path} cannot be used ({error}); the revision that was applied last is in it")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The file is not as it was written.
    #[error(
        "{path} is damaged ({reason}); restore it from a backup, or delete it to trust the repository as it is now"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Last {
    /// Adds keys that are believed now.
    pub fn remember(&mut self, fingerprints: Vec<String>) {
        self.keys.extend(fingerprints);
        while self.keys.len() > MAX_KEYS {
            self.keys.pop_first();
        }
    }

    /// What the next commit must contain: the applied one, so that the commits since then are told; else the one that was believed
    /// and whose plan waits.
    pub fn base(&self) -> Option<&str> {
        self.applied.as_deref().or(self.verified.as_deref())
    }

    /// Reads the record; one that is not there is the beginning.
    pub fn read(path: &Path) -> Result<Last, LastError> {
        let error = |error| LastError::File { path: path.to_owned(), error };
        let damaged = |reason: String| LastError::Damaged { path: path.to_owned(), reason };
        match fs::metadata(path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Last::default()),
            Err(other) => return Err(error(other)),
            Ok(found) if found.len() > MAX_BYTES => return Err(damaged("it is too large".to_owned())),
            Ok(_) => {}
        }
        let bytes = fs::read(path).map_err(error)?;
        let last: Last = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let id = |commit: &String| commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        match last.applied.iter().chain(&last.verified).all(id) {
            true => Ok(last),
            false => Err(damaged("it names no commit".to_owned())),
        }
    }

    /// Writes the record so that a crash leaves the old or the new one.
    pub fn write(&self, path: &Path) -> Result<(), LastError> {
        let error = |error| LastError::File { path: path.to_owned(), error };
        let beside = path.with_extension("new");
        let write = || -> io::Result<()> {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let text = serde_json::to_vec(self).map_err(io::Error::other)?;
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            path.parent().map_or(Ok(()), |parent| fs::File::open(parent)?.sync_all())
        };
        write().map_err(error)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below/last.json");
        assert_eq!(Last::read(&path).unwrap(), Last::default());
        let mut last = Last {
            applied: Some("a".repeat(40)),
            verified: Some("b".repeat(40)),
            signer: Some(("alice@example.test".to_owned(), "SHA256:x".to_owned())),
            ..Last::default()
        };
        last.remember(vec!["SHA256:x".to_owned(), "SHA256:y".to_owned()]);
        assert_eq!((last.base(), Last::default().base()), (last.applied.as_deref(), None));
        assert_eq!(Last { applied: None, ..last.clone() }.base(), last.verified.as_deref());
        for _ in 0..2 {
            last.write(&path).unwrap();
            assert_eq!(Last::read(&path).unwrap(), last);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    /// A damaged record must not count as none: that would be the way back to any revision.
    #[test]
    fn a_damaged_record_is_no_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("last.json");
        let long = " ".repeat(MAX_BYTES as usize + 1);
        let table = [
            ("", "is damaged (EOF"),
            ("{}x", "is damaged (trailing"),
            (
                "{\"applied\":\"main\"}",
                "is damaged (it names no commit); restore it from a backup, or delete it",
            ),
            ("{\"other\":1}", "is damaged (unknown field"),
            (&long, "is damaged (it is too large)"),
        ];
        for (text, expected) in table {
            fs::write(&path, text).unwrap();
            let error = Last::read(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Last::read(&directory.path().join("last.json/x")).is_err());
    }

    #[test]
    fn keys_are_bounded() {
        let mut last = Last::default();
        last.remember((0..MAX_KEYS + 5).map(|number| number.to_string()).collect());
        assert_eq!(last.keys.len(), MAX_KEYS);
    }
}
