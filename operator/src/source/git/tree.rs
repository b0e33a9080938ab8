//! The manifest files of one commit: read from its tree, without a work tree, and what did not change only once.
//!
//! A listing is kept from commit to commit. A directory with the same object id is taken over as a whole, a file with
//! the same object id with what was read from it. Links and submodules are never followed, and what Git LFS keeps
//! elsewhere is not fetched. Hidden names are left alone, as in a directory.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, OnceLock};

use git2::{ObjectType, Odb, Oid, Repository, Tree};

use super::super::limits::{MAX_DEPTH, MAX_ENTRIES, MAX_FILES, MAX_TOTAL_BYTES};
use super::super::manifest::{FileContents, read_file_in, skipped, unreadable};
use super::super::snapshot::ReadFile;
use super::super::yaml::MAX_FILE_BYTES;
use super::super::{Decryption, SourceError, is_manifest};
use super::GitError;

/// `st_mode` of a symbolic link in a tree.
const MODE_LINK: i32 = 0o120_000;
/// What Git writes for a submodule.
const MODE_SUBMODULE: i32 = 0o160_000;
/// How a Git LFS pointer begins; one is below 1024 bytes (Git LFS specification, "The Pointer").
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
const MAX_LFS_POINTER: usize = 1024;

/// Files that one thread reads at a time.
const FEW: usize = 8;

/// The manifests of one commit.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing(Option<Arc<Directory>>);

/// One directory of one commit, with what is below it.
#[derive(Debug)]
struct Directory {
    oid: Oid,
    children: Vec<(String, Child)>,
    count: Count,
}

#[derive(Debug, Clone)]
enum Child {
    Directory(Arc<Directory>),
    File(Arc<File>),
}

/// One manifest, or something that is told in its place.
#[derive(Debug)]
struct File {
    /// As it is shown.
    path: String,
    oid: Oid,
    size: u64,
    /// Set once it was read.
    contents: OnceLock<Arc<FileContents>>,
}

/// What is limited.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    entries: usize,
    files: usize,
    bytes: u64,
}

/// Why a commit cannot be read.
#[derive(Debug)]
pub(super) enum TreeError {
    Git(GitError),
    Limit(SourceError),
}

impl From<git2::Error> for TreeError {
    fn from(error: git2::Error) -> Self {
        TreeError::Git(error.into())
    }
}

impl TreeError {
    pub(super) fn located(self, location: &str) -> SourceError {
        match self {
            TreeError::Git(error) => SourceError::Git { location: location.to_owned(), error },
            TreeError::Limit(error) => error,
        }
    }
}

/// Where in a commit the manifests are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Below<'a> {
    /// The directory or file; empty for everything.
    pub path: &'a str,
    /// What is taken off the shown paths.
    pub hidden: &'a str,
    /// What encrypted ones open with.
    pub decryption: &'a Decryption,
    /// The namespace of objects that name none.
    pub namespace: &'a str,
}

/// Reads the manifests of a commit; `before` is any other listing of the same place.
pub(super) fn read(
    repository: &Repository,
    commit: Oid,
    below: Below<'_>,
    before: &Listing,
) -> Result<Listing, TreeError> {
    let root = repository.find_commit(commit)?.tree()?;
    if root.is_empty() && below.path.is_empty() {
        return Err(TreeError::Git(GitError::Empty(commit.to_string())));
    }
    let mut walk = Walk {
        repository,
        odb: repository.odb()?,
        hidden: below.hidden,
        count: Count::default(),
        news: Vec::new(),
    };
    let directory = walk.start(&root, below.path, before.0.as_deref())?;
    if walk.count.bytes > MAX_TOTAL_BYTES {
        let (what, remedy) = ("the size of all manifests".to_owned(), "split them over several sources");
        return Err(TreeError::Limit(SourceError::Limit { what, limit: MAX_TOTAL_BYTES, remedy }));
    }
    // Everything is counted before the first file is read.
    read_all(&walk.odb, &walk.news, below)?;
    Ok(Listing(Some(directory)))
}

/// Reads files, on all processors when they are many: a blob is had in no time, and what it says takes long to understand.
fn read_all(odb: &Odb<'_>, news: &[Arc<File>], below: Below<'_>) -> Result<(), TreeError> {
    let readers = std::thread::available_parallelism().map_or(1, NonZero::get);
    for files in news.chunks(readers * FEW) {
        let blobs = files.iter().map(|file| Ok((&**file, blob(odb, file)?)));
        let mut blobs = blobs.collect::<Result<Vec<_>, TreeError>>()?;
        std::thread::scope(|scope| {
            while blobs.len() > FEW {
                let part = blobs.split_off(blobs.len() - FEW);
                scope.spawn(move || understand(part, below));
            }
            understand(blobs, below);
        });
    }
    Ok(())
}

fn understand(blobs: Vec<(&File, Blob)>, below: Below<'_>) {
    blobs.into_iter().for_each(|(file, blob)| file.understand(blob, below));
}

/// A file's bytes, or what is told in their place.
enum Blob {
    Bytes(Vec<u8>),
    Told(FileContents),
}

impl File {
    fn understand(&self, blob: Blob, below: Below<'_>) {
        let contents = match blob {
            Blob::Bytes(bytes) => read_file_in(below.namespace, &self.path, &bytes, below.decryption),
            Blob::Told(told) => told,
        };
        let _ = self.contents.set(Arc::new(contents));
    }
}

impl Listing {
    /// The files, sorted by path: Git sorts a directory as if its name ended with a slash.
    pub(super) fn files(&self) -> Vec<ReadFile> {
        let mut files = Vec::new();
        if let Some(directory) = &self.0 {
            files.reserve(directory.count.files);
            directory.collect(&mut files);
        }
        files
    }
}

impl Directory {
    fn collect(&self, files: &mut Vec<ReadFile>) {
        for (_, child) in &self.children {
            match child {
                Child::Directory(directory) => directory.collect(files),
                Child::File(file) => files.push(ReadFile {
                    path: file.path.clone(),
                    size: file.size,
                    contents: file.contents.get().cloned().unwrap_or_default(),
                }),
            }
        }
    }
}

struct Walk<'a> {
    repository: &'a Repository,
    odb: Odb<'a>,
    hidden: &'a str,
    count: Count,
    /// Files that are still to be read.
    news: Vec<Arc<File>>,
}

impl Walk<'_> {
    fn start(
        &mut self,
        root: &Tree<'_>,
        below: &str,
        before: Option<&Directory>,
    ) -> Result<Arc<Directory>, TreeError> {
        if below.is_empty() {
            return self.directory(root, "", 0, before);
        }
        let no_path = || TreeError::Git(GitError::NoPath(below.to_owned()));
        let entry = root.get_path(below.as_ref()).map_err(|_| no_path())?;
        match entry.kind() {
            Some(ObjectType::Tree) => {
                self.directory(&self.repository.find_tree(entry.id())?, below, 0, before)
            }
            Some(ObjectType::Blob) if entry.filemode() != MODE_LINK => {
                let known = before.and_then(|before| before.children.first()).map(|(_, child)| child);
                let child = Child::File(self.blob(below, entry.id(), known)?);
                let children = vec![(below.to_owned(), child)];
                Ok(Arc::new(Directory { oid: Oid::ZERO_SHA1, children, count: self.count }))
            }
            _ => Err(no_path()),
        }
    }

    fn directory(
        &mut self,
        tree: &Tree<'_>,
        path: &str,
        depth: usize,
        before: Option<&Directory>,
    ) -> Result<Arc<Directory>, TreeError> {
        let start = self.count;
        let known: HashMap<&str, &Child> = before
            .into_iter()
            .flat_map(|b| &b.children)
            .map(|(name, child)| (name.as_str(), child))
            .collect();
        let mut children = Vec::new();
        for entry in tree.iter() {
            self.add(Count { entries: 1, ..Count::default() })?;
            let name = entry.name_bytes();
            if name.starts_with(b".") {
                continue;
            }
            let shown = String::from_utf8_lossy(name).into_owned();
            let below = if path.is_empty() { shown.clone() } else { format!("{path}/{shown}") };
            let known = known.get(shown.as_str()).copied();
            let manifest = is_manifest(&shown);
            let child = match entry.filemode() {
                MODE_SUBMODULE => self.told(&below, skipped, SUBMODULE)?,
                MODE_LINK if manifest => self.told(&below, broken, LINK)?,
                MODE_LINK => continue,
                _ if entry.kind() == Some(ObjectType::Tree) => {
                    self.subdirectory(entry.id(), &below, depth + 1, known)?
                }
                _ if !manifest => continue,
                _ if std::str::from_utf8(name).is_err() => self.told(&below, broken, NOT_UTF8)?,
                _ => Child::File(self.blob(&below, entry.id(), known)?),
            };
            children.push((shown, child));
        }
        Ok(Arc::new(Directory { oid: tree.id(), children, count: self.count.since(start) }))
    }

    fn subdirectory(
        &mut self,
        oid: Oid,
        path: &str,
        depth: usize,
        known: Option<&Child>,
    ) -> Result<Child, TreeError> {
        if depth > MAX_DEPTH {
            return self.told(path, broken, TOO_DEEP);
        }
        let before = match known {
            Some(Child::Directory(before)) => Some(before),
            _ => None,
        };
        if let Some(before) = before.filter(|before| before.oid == oid) {
            self.add(before.count)?;
            return Ok(Child::Directory(before.clone()));
        }
        let tree = self.repository.find_tree(oid)?;
        Ok(Child::Directory(self.directory(&tree, path, depth, before.map(|before| &**before))?))
    }

    fn blob(&mut self, path: &str, oid: Oid, known: Option<&Child>) -> Result<Arc<File>, TreeError> {
        let same = match known {
            Some(Child::File(file)) if file.oid == oid => Some(file),
            _ => None,
        };
        if let Some(file) = same {
            self.add(Count { entries: 0, files: 1, bytes: file.size })?;
            return Ok(file.clone());
        }
        let size = self.odb.read_header(oid)?.0 as u64;
        self.add(Count { entries: 0, files: 1, bytes: size })?;
        let file = Arc::new(File { path: self.shown(path), oid, size, contents: OnceLock::new() });
        self.news.push(file.clone());
        Ok(file)
    }

    /// Something that is not read, with the reason in its place.
    fn told(
        &mut self,
        path: &str,
        how: fn(&str, &str, &str) -> FileContents,
        (message, remedy): (&str, &str),
    ) -> Result<Child, TreeError> {
        self.add(Count { entries: 0, files: 1, bytes: 0 })?;
        let path = self.shown(path);
        let contents = OnceLock::from(Arc::new(how(&path, message, remedy)));
        Ok(Child::File(Arc::new(File { path, oid: Oid::ZERO_SHA1, size: 0, contents })))
    }

    fn shown(&self, path: &str) -> String {
        path.strip_prefix(self.hidden).unwrap_or(path).trim_start_matches('/').to_owned()
    }

    fn add(&mut self, more: Count) -> Result<(), TreeError> {
        self.count.entries += more.entries;
        self.count.files += more.files;
        self.count.bytes = self.count.bytes.saturating_add(more.bytes);
        let (what, limit) = match () {
            () if self.count.entries > MAX_ENTRIES => ("the number of entries of the commit", MAX_ENTRIES),
            () if self.count.files > MAX_FILES => ("the number of manifest files", MAX_FILES),
            () => return Ok(()),
        };
        let (what, limit, remedy) = (what.to_owned(), limit as u64, "give the path of the manifests");
        Err(TreeError::Limit(SourceError::Limit { what, limit, remedy }))
    }
}

impl Count {
    fn since(self, start: Count) -> Count {
        Count {
            entries: self.entries - start.entries,
            files: self.files - start.files,
            bytes: self.bytes.saturating_sub(start.bytes),
        }
    }
}

const SUBMODULE: (&str, &str) = ("a submodule is not read", "follow its repository as a source of its own");
const LINK: (&str, &str) = ("a link in a repository is not followed", "put the file itself here");
const NOT_UTF8: (&str, &str) = ("the file name is not UTF-8", "rename the file");
const TOO_DEEP: (&str, &str) =
    ("directories are nested deeper than 32 levels", "move the manifests further up");
const LFS: (&str, &str) = (
    "the file is a Git LFS pointer, and what LFS keeps elsewhere is not fetched",
    "commit the manifest itself (git lfs untrack)",
);

fn broken(path: &str, message: &str, remedy: &str) -> FileContents {
    unreadable(path, message.to_owned(), remedy)
}

fn blob(odb: &Odb<'_>, file: &File) -> Result<Blob, TreeError> {
    if file.size > MAX_FILE_BYTES {
        let message = format!("the file has {} bytes, and {MAX_FILE_BYTES} is the limit", file.size);
        return Ok(Blob::Told(unreadable(&file.path, message, "split it")));
    }
    let blob = odb.read(file.oid)?;
    let bytes = blob.data();
    if bytes.len() < MAX_LFS_POINTER && bytes.starts_with(LFS_POINTER) {
        return Ok(Blob::Told(broken(&file.path, LFS.0, LFS.1)));
    }
    Ok(Blob::Bytes(bytes.to_vec()))
}

#[cfg(test)]
mod tests;
