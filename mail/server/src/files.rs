//! Files that somebody else replaces while we run (a kubelet swaps the symlinks of a volume): looked at in an interval, and taken
//! as new when two looks saw the same, so that half of a swap is never acted upon.
//!
//! And files of our own that must be whole. Leaves out what the files mean.

use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks. What changed is acted upon after two of them, within the two seconds that are promised.
pub const LOOK: Duration = Duration::from_millis(500);
/// Largest file: what a ConfigMap or Secret may hold.
pub const MAX_FILE: u64 = 1024 * 1024;

/// What a file is: its bytes, or why there are none.
pub type Content = Result<Vec<u8>, Missing>;

/// Why a file has no content for us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// There is none.
    #[error("it is not there")]
    Absent,
    /// It is larger than [`MAX_FILE`].
    #[error("it is larger than 1 MiB")]
    TooLarge,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// Files that are watched together.
#[derive(Debug)]
pub struct Watched {
    paths: Vec<PathBuf>,
    settling: Settling<Vec<Content>>,
}

impl Watched {
    /// These files, in this order.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Watched {
        Watched { paths, settling: Settling::default() }
    }

    /// Looks at the files; their contents when they are others than those reported last. The first look reports at once.
    pub fn look(&mut self) -> Option<Vec<Content>> {
        let contents = self.paths.iter().map(|path| read(path)).collect();
        self.settling.see(contents)
    }

    /// Lets the contents be reported again although they did not change: acting on them failed.
    pub fn again(&mut self) {
        self.settling.reported = None;
    }
}

fn read(path: &Path) -> Content {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Missing::Absent,
        _ => Missing::Unreadable(error.to_string()),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE { Err(Missing::TooLarge) } else { Ok(bytes) }
}

/// Replaces a private file (mode 0600) whole, unless it is the same; whether it was not. A crash leaves the old or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match std::fs::read(path) {
        Ok(kept) if kept == bytes => return Ok(false),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let beside = path.with_extension("new");
    // A leftover of a crash may have another mode: `mode` applies only to files it makes.
    let _ = std::fs::remove_file(&beside);
    let written = write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // On a full disk it would keep what others need.
        let _ = std::fs::remove_file(&beside);
    }
    written?;
    std::fs::File::open(directory)?.sync_all()?;
    Ok(true)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reports a value once it was seen twice in a row.
#[derive(Debug)]
struct Settling<T> {
    last: Option<T>,
    reported: Option<T>,
}

impl<T> Default for Settling<T> {
    fn default() -> Settling<T> {
        Settling { last: None, reported: None }
    }
}

impl<T: PartialEq + Clone> Settling<T> {
    fn see(&mut self, now: T) -> Option<T> {
        let steady = self.last.as_ref().is_none_or(|last| *last == now);
        let new = steady && self.reported.as_ref() != Some(&now);
        if new {
            self.reported = Some(now.clone());
        }
        let report = new.then(|| now.clone());
        self.last = Some(now);
        report
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_value_is_reported_once_when_it_stands_still() {
        for (seen, expected) in [
            ("a", vec!["a"]),
            ("aaa", vec!["a"]),
            ("ab", vec!["a"]),
            ("abb", vec!["a", "b"]),
            ("abab", vec!["a"]),
            ("abbaa", vec!["a", "b", "a"]),
            ("abcc", vec!["a", "c"]),
            ("abaa", vec!["a"]),
        ] {
            let mut settling = Settling::default();
            let reported: Vec<char> = seen.chars().filter_map(|value| settling.see(value)).collect();
            let expected: Vec<char> = expected.iter().filter_map(|text| text.chars().next()).collect();
            assert_eq!(reported, expected, "{seen}");
        }
    }

    /// As a kubelet does: files are links through `..data`, which is replaced by one rename.
    #[test]
    fn a_swapped_volume_is_seen_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let publish = |version: &str| {
            std::fs::create_dir(path(version)).unwrap();
            for name in ["tls.crt", "tls.key"] {
                std::fs::write(path(version).join(name), format!("{name} {version}")).unwrap();
            }
            symlink(version, path("..data_tmp")).unwrap();
            std::fs::rename(path("..data_tmp"), path("..data")).unwrap();
        };
        publish("..one");
        for name in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{name}"), path(name)).unwrap();
        }
        let mut watched = Watched::new(vec![path("tls.crt"), path("tls.key"), path("ca.crt")]);
        let text = |contents: Vec<Content>| -> Vec<String> {
            let text = |content: &Content| match content {
                Ok(bytes) => String::from_utf8(bytes.clone()).unwrap(),
                Err(error) => error.to_string(),
            };
            contents.iter().map(text).collect()
        };
        let first = watched.look().map(text).unwrap();
        assert_eq!(first, ["tls.crt ..one", "tls.key ..one", "it is not there"]);
        assert!(watched.look().is_none());
        publish("..two");
        assert!(watched.look().is_none(), "seen once");
        assert_eq!(watched.look().map(text).unwrap()[..2], ["tls.crt ..two", "tls.key ..two"]);
        watched.again();
        assert!(watched.look().is_some() && watched.look().is_none());
    }

    #[test]
    fn a_private_file_is_replaced_whole_or_not_at_all() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/kept.json");
        for (bytes, expected) in [("a", true), ("a", false), ("b", true)] {
            assert_eq!(replace(&path, bytes.as_bytes()).unwrap(), expected);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bytes);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(
            std::fs::read_dir(directory.path().join("new")).unwrap().count(),
            1,
            "nothing else is left"
        );
        assert!(replace(directory.path(), b"x").is_err());
    }

    #[test]
    fn a_file_too_large_or_not_a_file_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let large = directory.path().join("large");
        std::fs::write(&large, vec![b'x'; 1024 * 1024]).unwrap();
        assert_eq!(read(&large).map(|bytes| bytes.len()), Ok(1024 * 1024));
        std::fs::write(&large, vec![b'x'; 1024 * 1024 + 1]).unwrap();
        assert_eq!(read(&large), Err(Missing::TooLarge));
        assert!(matches!(read(directory.path()), Err(Missing::Unreadable(_))));
    }
}
