//! The manifest files of one commit: read from its tree, without a work tree.
//!
//! Links and submodules are never followed. Hidden names are left alone, as in a directory.

use git2::{ObjectType, Odb, Oid, Repository, Tree};

use super::super::limits::{MAX_DEPTH, MAX_ENTRIES, MAX_FILES};
use super::super::{SourceError, is_manifest};
use super::GitError;

/// `st_mode` of a symbolic link in a tree.
const MODE_LINK: i32 = 0o120_000;
/// What Git writes for a submodule.
const MODE_SUBMODULE: i32 = 0o160_000;

/// One entry that matters; the path is as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TreeFile {
    File { oid: Oid, size: u64 },
    Unreadable(String, &'static str),
    Skipped(&'static str, &'static str),
}

/// Lists the manifests of a commit below `below`, sorted by path; `hidden_root` is taken off the shown paths.
pub(super) fn list(
    repository: &Repository,
    commit: Oid,
    below: &str,
    hidden_root: &str,
) -> Result<Vec<(String, TreeFile)>, TreeError> {
    let root = repository.find_commit(commit)?.tree()?;
    let odb = repository.odb()?;
    let mut walk = Walk { repository, odb, hidden_root, found: Vec::new(), entries: 0 };
    if below.is_empty() {
        walk.tree(&root, "", 0)?;
    } else {
        let no_path = |_| TreeError::Git(GitError::NoPath(below.to_owned()));
        let entry = root.get_path(below.as_ref()).map_err(no_path)?;
        match entry.kind() {
            Some(ObjectType::Tree) => walk.tree(&repository.find_tree(entry.id())?, below, 0)?,
            Some(ObjectType::Blob) if entry.filemode() != MODE_LINK => walk.blob(below, entry.id())?,
            _ => return Err(TreeError::Git(GitError::NoPath(below.to_owned()))),
        }
    }
    walk.found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(walk.found)
}

/// Why a commit cannot be listed.
pub(super) enum TreeError {
    Git(GitError),
    Limit(SourceError),
}

impl From<git2::Error> for TreeError {
    fn from(error: git2::Error) -> Self {
        TreeError::Git(error.into())
    }
}

struct Walk<'a> {
    repository: &'a Repository,
    odb: Odb<'a>,
    hidden_root: &'a str,
    found: Vec<(String, TreeFile)>,
    entries: usize,
}

impl Walk<'_> {
    fn tree(&mut self, tree: &Tree<'_>, path: &str, depth: usize) -> Result<(), TreeError> {
        if depth > MAX_DEPTH {
            let message = format!("directories are nested deeper than {MAX_DEPTH} levels");
            self.push(path, TreeFile::Unreadable(message, "move the manifests further up"));
            return Ok(());
        }
        for entry in tree.iter() {
            self.count()?;
            let name = entry.name_bytes();
            if name.starts_with(b".") {
                continue;
            }
            let shown = String::from_utf8_lossy(name);
            let below = if path.is_empty() { shown.clone().into_owned() } else { format!("{path}/{shown}") };
            let manifest = is_manifest(&shown);
            match entry.filemode() {
                MODE_SUBMODULE => self.push(
                    &below,
                    TreeFile::Skipped(
                        "a submodule is not read",
                        "follow its repository as a source of its own",
                    ),
                ),
                MODE_LINK if manifest => self.push(
                    &below,
                    TreeFile::Unreadable(
                        "a link in a repository is not followed".to_owned(),
                        "put the file itself here",
                    ),
                ),
                MODE_LINK => {}
                _ if entry.kind() == Some(ObjectType::Tree) => {
                    self.tree(&self.repository.find_tree(entry.id())?, &below, depth + 1)?;
                }
                _ if manifest && std::str::from_utf8(name).is_err() => self.push(
                    &below,
                    TreeFile::Unreadable("the file name is not UTF-8".to_owned(), "rename the file"),
                ),
                _ if manifest => self.blob(&below, entry.id())?,
                _ => {}
            }
        }
        Ok(())
    }

    fn blob(&mut self, path: &str, oid: Oid) -> Result<(), TreeError> {
        let (size, _) = self.odb.read_header(oid)?;
        self.push(path, TreeFile::File { oid, size: size as u64 });
        Ok(())
    }

    fn push(&mut self, path: &str, file: TreeFile) {
        let shown = path.strip_prefix(self.hidden_root).unwrap_or(path).trim_start_matches('/');
        self.found.push((shown.to_owned(), file));
    }

    fn count(&mut self) -> Result<(), TreeError> {
        self.entries += 1;
        let (what, limit) = match () {
            () if self.entries > MAX_ENTRIES => ("the number of entries of the commit", MAX_ENTRIES),
            () if self.found.len() > MAX_FILES => ("the number of manifest files", MAX_FILES),
            () => return Ok(()),
        };
        let (what, limit, remedy) = (what.to_owned(), limit as u64, "give the path of the manifests");
        Err(TreeError::Limit(SourceError::Limit { what, limit, remedy }))
    }
}
