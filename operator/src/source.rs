//! Where manifests come from: a directory or a Git repository, read into one [`Snapshot`].
//!
//! This module owns reading, parsing and checking manifests, and saying exactly what is wrong with them. It leaves
//! out what concerns several objects at once apart from their names (`mailwright-plan`) and everything that acts.
//! All calls block; callers on tokio use `spawn_blocking`.

mod directory;
mod git;
mod limits;
mod manifest;
mod object;
mod options;
mod problem;
pub mod revert;
mod snapshot;
mod sops;
pub mod verify;
mod yaml;

use std::path::{Path, PathBuf};

use git::location::{Location, is_bare_repository};
pub(crate) use git::tls;

pub use directory::Directory;
pub use git::commit::{Commit, CommitInfo, ObjectError, Signed, Signer, Tag};
pub use git::{Git, GitError, Head, History, RawObject};
pub use manifest::{Config, ConfigError};
pub use object::{Content, Object, ObjectKind, ObjectRef, Origin, Resource, Secret, SecretValue};
pub use options::{
    CommitId, Credentials, CredentialsError, HttpCredentials, Options, Proxy, Reference, ReferenceError,
    SshCredentials,
};
pub use problem::{Problem, Severity};
pub use snapshot::{BrokenFile, BrokenObject, Snapshot, SourceFile};
pub use sops::{Decryption, KeyError};

/// A place that manifests are read from, again and again.
#[derive(Debug)]
pub enum Source {
    /// A directory on this machine.
    Directory(Directory),
    /// A branch of a Git repository.
    Git(Box<Git>),
}

impl Source {
    /// Opens `location`: a directory, a local Git repository, or an URL (`file`, `https`, `http`, `ssh`, `host:path`).
    ///
    /// A local directory is read as files, also when it is a work tree; with `Options::reference`, or when it is a bare
    /// repository or a `file://` URL, its commits are read instead.
    pub fn open(location: &str, options: Options) -> Result<Source, SourceError> {
        let prefix = clean_prefix(options.path.as_deref().unwrap_or_default())?;
        let path = Path::new(location);
        if path.exists() {
            if options.reference != Reference::Default || is_bare_repository(path) {
                return Ok(Source::Git(Box::new(Git::new(
                    Location::Local(path.to_owned()),
                    prefix,
                    options,
                ))));
            }
            return Ok(Source::Directory(Directory::new(path.to_owned(), prefix, options.decryption)));
        }
        let error = |location: &str, reason: String| {
            Err(SourceError::Location { location: location.to_owned(), reason })
        };
        match Location::parse(location) {
            Some(Ok(location)) => Ok(Source::Git(Box::new(Git::new(location, prefix, options)))),
            // The location itself may hold credentials.
            Some(Err(wrong)) => error("the given repository", wrong.to_string()),
            None => error(
                location,
                "there is no such directory; give a directory, a Git repository or an URL".to_owned(),
            ),
        }
    }

    /// The name of this source without credentials: what `managed_by` and logs show.
    pub fn id(&self) -> &str {
        match self {
            Source::Directory(directory) => directory.id(),
            Source::Git(git) => git.id(),
        }
    }

    /// Reads the source. `None` when nothing changed since the last snapshot; an error keeps the last one in force.
    pub fn load(&mut self) -> Result<Option<Snapshot>, SourceError> {
        match self {
            Source::Directory(directory) => directory.load(),
            Source::Git(git) => git.load(),
        }
    }

    /// Reads a commit that was followed before, whatever its reference leads to now: what stays in force where the newest is refused.
    /// `None` for a directory, and when that is no name of a commit.
    pub fn load_commit(&mut self, id: &str) -> Result<Option<Snapshot>, SourceError> {
        match self {
            Source::Directory(_) => Ok(None),
            Source::Git(git) => git.load_commit(id),
        }
    }

    /// The revision that was read last; a directory has no name for it.
    pub fn last_revision(&self) -> Option<&str> {
        match self {
            Source::Directory(_) => None,
            Source::Git(git) => git.last_revision(),
        }
    }

    /// Finds the newest commit and brings it here without reading its files: what is verified before it is believed.
    /// A directory has none.
    pub fn fetch(&mut self) -> Result<Option<Head>, SourceError> {
        match self {
            Source::Directory(_) => Ok(None),
            Source::Git(git) => git.fetch().map(Some),
        }
    }

    /// Reads the files of a commit that [`Source::fetch`] found; it is what [`Source::load`] compares with from
    /// then on.
    pub fn read(&mut self, head: &Head) -> Result<Snapshot, SourceError> {
        match self {
            Source::Directory(directory) => Err(no_history(directory)),
            Source::Git(git) => git.read(head),
        }
    }

    /// Full names and commits of the references that match one of the patterns (`refs/pull/*/head`: `*` stays within
    /// one part of the name, `**` does not), sorted by name.
    pub fn refs(&self, patterns: &[String]) -> Result<Vec<(String, String)>, SourceError> {
        match self {
            Source::Directory(directory) => Err(no_history(directory)),
            Source::Git(git) => git.refs(patterns),
        }
    }

    /// Reads what another reference (its full name) leads to now, and leaves alone what is followed.
    pub fn load_ref(&self, name: &str) -> Result<(Head, Snapshot), SourceError> {
        match self {
            Source::Directory(directory) => Err(no_history(directory)),
            Source::Git(git) => git.load_ref(name),
        }
    }

    /// The commits that `to` has and `from` has not, newest first, over all parents, without `from`; at most `limit`.
    pub fn history(&self, from: &str, to: &str, limit: usize) -> Result<History, SourceError> {
        match self {
            Source::Directory(directory) => Err(no_history(directory)),
            Source::Git(git) => git.history(from, to, limit),
        }
    }

    /// Gives other keys; when they differ, the next load reads encrypted files again.
    pub fn set_decryption(&mut self, decryption: Decryption) {
        match self {
            Source::Directory(directory) => directory.set_decryption(decryption),
            Source::Git(git) => git.set_decryption(decryption),
        }
    }

    /// Reads one revision (`HEAD~1`, a branch, a commit) of a local repository, whatever was loaded before.
    ///
    /// A directory must be in a work tree; its files come with the same paths as from the directory itself.
    pub fn load_revision(&self, revision: &str) -> Result<Snapshot, SourceError> {
        match self {
            Source::Directory(directory) => {
                let (base, prefix) = (directory.base(), directory.prefix());
                git::local::revision_of_directory(base, prefix, revision, directory.decryption())
            }
            Source::Git(git) => git.load_revision(revision),
        }
    }
}

fn no_history(directory: &Directory) -> SourceError {
    let reason = "a directory has no references and no history; name a branch, or give a Git repository";
    SourceError::Location { location: directory.id().to_owned(), reason: reason.to_owned() }
}

/// `--path` as it is used inside: no empty, `.` or `..` components.
fn clean_prefix(path: &str) -> Result<String, SourceError> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") || path.contains('\\') {
        let reason = "a path within the source has no \"..\" and no \"\\\"; name a directory below the root"
            .to_owned();
        return Err(SourceError::Location { location: path.to_owned(), reason });
    }
    Ok(parts.join("/"))
}

/// Whether a file name is one of a manifest.
pub(crate) fn is_manifest(name: &str) -> bool {
    !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

/// Why a source could not be read; whatever was loaded before stays in force.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The directory itself cannot be read.
    #[error("{path} cannot be read ({reason}); the last state stays in force until it can")]
    Root {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// The location names neither a directory nor a repository.
    #[error("{location}: {reason}")]
    Location {
        /// What was given, without credentials.
        location: String,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// The repository cannot be read.
    #[error("{location}: {error}; the last state stays in force")]
    Git {
        /// The repository, without credentials.
        location: String,
        /// What is wrong.
        error: GitError,
    },
    /// A limit that protects this process was exceeded.
    #[error("{what} exceeds the limit of {limit}; {remedy}")]
    Limit {
        /// What was counted.
        what: String,
        /// The limit.
        limit: u64,
        /// What to do.
        remedy: &'static str,
    },
}

impl SourceError {
    /// Whether the same attempt may succeed later without anyone doing anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            SourceError::Root { .. } => true,
            SourceError::Git { error, .. } => error.is_temporary(),
            SourceError::Location { .. } | SourceError::Limit { .. } => false,
        }
    }
}
