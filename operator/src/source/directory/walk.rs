//! One walk over a directory: which manifest files there are and how they look from outside.
//!
//! Only `*.yaml` and `*.yml` count; hidden names are left alone. A link is followed only when it leads to a file below
//! the root, so that a mounted ConfigMap works and nothing outside can be read.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::source::limits::{MAX_DEPTH, MAX_ENTRIES, MAX_FILES};
use crate::source::{SourceError, is_manifest};

/// What tells that a file changed without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    pub size: u64,
    device: u64,
    inode: u64,
    modified: (i64, i64),
    /// The status change time moves even when an editor sets the modification time back.
    pub changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            size: metadata.len(),
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// One entry that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A file to read.
    File(Stamp),
    /// Something that should be read and cannot be: what is wrong, and what would be right.
    Unreadable(String, &'static str),
    /// Something that is passed over, and the user should know.
    Skipped(&'static str, &'static str),
}

/// Walks below `root`; the result is sorted by path and every path begins with `prefix`.
///
/// `Err` when the root itself cannot be read or a limit is exceeded. A root that is a file is the only entry.
pub(super) fn walk(root: &Path, prefix: &str) -> Result<Vec<(String, Found)>, SourceError> {
    let unreadable =
        |error: io::Error| SourceError::Root { path: root.to_owned(), reason: error.to_string() };
    let canonical = root.canonicalize().map_err(unreadable)?;
    let metadata = fs::metadata(&canonical).map_err(unreadable)?;
    if metadata.is_file() {
        let name = root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let shown = if prefix.is_empty() { name } else { prefix.to_owned() };
        return Ok(vec![(shown, Found::File(Stamp::of(&metadata)))]);
    }
    let mut walk = Walk {
        root: &canonical,
        prefix,
        found: Vec::new(),
        links: Vec::new(),
        files: HashSet::new(),
        entries: 0,
    };
    walk.directory(&canonical, 0).map_err(|stop| match stop {
        Stop::Io(error) => unreadable(error),
        Stop::Limit(error) => error,
    })?;
    walk.resolve_links();
    walk.found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(walk.found)
}

enum Stop {
    Io(io::Error),
    Limit(SourceError),
}

struct Walk<'a> {
    root: &'a Path,
    prefix: &'a str,
    found: Vec<(String, Found)>,
    links: Vec<(String, PathBuf)>,
    /// Device and inode of the files found without links.
    files: HashSet<(u64, u64)>,
    entries: usize,
}

impl Walk<'_> {
    /// Reads one directory. An error within it is told of it; only the root's ends the walk.
    fn directory(&mut self, directory: &Path, depth: usize) -> Result<(), Stop> {
        for entry in fs::read_dir(directory).map_err(Stop::Io)? {
            let entry = entry.map_err(Stop::Io)?;
            self.count()?;
            let name = entry.file_name();
            let hidden = name.as_encoded_bytes().starts_with(b".");
            if hidden {
                continue;
            }
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                self.subdirectory(&path, depth + 1)?;
            } else if kind.is_symlink() {
                self.link(path);
            } else if is_manifest(&name.to_string_lossy()) {
                self.file(&path, kind.is_file());
            }
        }
        Ok(())
    }

    fn subdirectory(&mut self, path: &Path, depth: usize) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            let message = format!("directories are nested deeper than {MAX_DEPTH} levels");
            self.unreadable(path, message, "move the manifests further up");
            return Ok(());
        }
        match self.directory(path, depth) {
            // It was removed while we walked: then it holds nothing.
            Err(Stop::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(Stop::Io(error)) => {
                self.unreadable(
                    path,
                    format!("the directory cannot be read: {error}"),
                    "give the server access to it",
                );
                Ok(())
            }
            other => other,
        }
    }

    fn file(&mut self, path: &Path, regular: bool) {
        if !self.has_utf8_name(path) {
            return;
        }
        if !regular {
            return self.unreadable(path, "this is no regular file".to_owned(), "remove or rename it");
        }
        match fs::symlink_metadata(path) {
            Ok(metadata) => {
                self.files.insert((metadata.dev(), metadata.ino()));
                self.found.push((self.shown(path), Found::File(Stamp::of(&metadata))));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                self.unreadable(path, format!("cannot be read: {error}"), "give the server access to it")
            }
        }
    }

    fn link(&mut self, path: PathBuf) {
        if self.has_utf8_name(&path) {
            self.links.push((self.shown(&path), path));
        }
    }

    /// A name that cannot be shown exactly cannot be told from another; it is refused.
    fn has_utf8_name(&mut self, path: &Path) -> bool {
        let utf8 = path.strip_prefix(self.root).unwrap_or(path).to_str().is_some();
        if !utf8 {
            self.unreadable(path, "the file name is not UTF-8".to_owned(), "rename the file");
        }
        utf8
    }

    /// Links are looked at last: a file that is also reached directly is read once.
    fn resolve_links(&mut self) {
        for (shown, path) in std::mem::take(&mut self.links) {
            let manifest = is_manifest(shown.rsplit('/').next().unwrap_or_default());
            let target = path.canonicalize().and_then(|target| Ok((fs::metadata(&target)?, target)));
            let found = match target {
                Ok((_, target)) if !target.starts_with(self.root) => Some(Found::Unreadable(
                    "the link leads out of the source and is not followed".to_owned(),
                    "put what it leads to here",
                )),
                Ok((metadata, _)) if metadata.is_dir() => Some(Found::Skipped(
                    "a link to a directory is not followed; its files are read where they are",
                    "remove the link to silence this",
                )),
                Ok((metadata, _)) if metadata.is_file() && manifest => {
                    let first = self.files.insert((metadata.dev(), metadata.ino()));
                    first.then(|| Found::File(Stamp::of(&metadata)))
                }
                Ok(_) if manifest => {
                    Some(Found::Unreadable("this is no regular file".to_owned(), "remove or rename it"))
                }
                Err(error) if manifest => {
                    Some(Found::Unreadable(format!("the link leads nowhere: {error}"), "mend or remove it"))
                }
                Ok(_) | Err(_) => None,
            };
            self.found.extend(found.map(|found| (shown, found)));
        }
    }

    fn unreadable(&mut self, path: &Path, message: String, remedy: &'static str) {
        self.found.push((self.shown(path), Found::Unreadable(message, remedy)));
    }

    fn count(&mut self) -> Result<(), Stop> {
        self.entries += 1;
        let (what, limit) = match () {
            () if self.entries > MAX_ENTRIES => ("the number of directory entries", MAX_ENTRIES),
            () if self.found.len() > MAX_FILES => ("the number of manifest files", MAX_FILES),
            () => return Ok(()),
        };
        let (what, limit, remedy) =
            (what.to_owned(), limit as u64, "point at the directory of the manifests");
        Err(Stop::Limit(SourceError::Limit { what, limit, remedy }))
    }

    fn shown(&self, path: &Path) -> String {
        let below = path.strip_prefix(self.root).unwrap_or(path).to_string_lossy();
        if self.prefix.is_empty() { below.into_owned() } else { format!("{}/{below}", self.prefix) }
    }
}
