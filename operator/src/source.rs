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
mod problem;
mod snapshot;
mod yaml;

use std::path::{Path, PathBuf};

use git::location::{Location, is_bare_repository};

pub use directory::Directory;
pub use git::{Git, GitError};
pub use object::{Content, Object, ObjectKind, ObjectRef, Origin, Resource, Secret, SecretValue};
pub use problem::{Problem, Severity};
pub use snapshot::{BrokenFile, BrokenObject, Snapshot, SourceFile};

/// What a source is opened with; everything but `cache` may stay at its default.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The branch (or tag) to follow; the remote's default branch when absent. Makes a local path a Git source.
    pub branch: Option<String>,
    /// Only manifests below this path of the repository or directory are read.
    pub path: Option<String>,
    /// Directory for the bare caches of remote repositories (`data/git`).
    pub cache: PathBuf,
    /// Token for https remotes, sent as the password of basic authentication.
    pub token: Option<SecretValue>,
    /// PEM file of certificate authorities besides the system's; `GIT_SSL_CAINFO` when absent.
    pub ca_file: Option<PathBuf>,
    /// Shell command to use for ssh; `GIT_SSH_COMMAND`, then plain `ssh`, when absent.
    pub ssh_command: Option<String>,
}

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
    /// A local directory is read as files, also when it is a work tree; with `Options::branch`, or when it is a bare
    /// repository or a `file://` URL, its commits are read instead.
    pub fn open(location: &str, options: Options) -> Result<Source, SourceError> {
        let prefix = clean_prefix(options.path.as_deref().unwrap_or_default())?;
        let path = Path::new(location);
        if path.exists() {
            if options.branch.is_some() || is_bare_repository(path) {
                return Ok(Source::Git(Box::new(Git::new(
                    Location::Local(path.to_owned()),
                    prefix,
                    options,
                ))));
            }
            return Ok(Source::Directory(Directory::new(path.to_owned(), prefix)));
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

    /// Reads one revision (`HEAD~1`, a branch, a commit) of a local repository, whatever was loaded before.
    ///
    /// A directory must be in a work tree; its files come with the same paths as from the directory itself.
    pub fn load_revision(&self, revision: &str) -> Result<Snapshot, SourceError> {
        match self {
            Source::Directory(directory) => {
                git::load_revision_of_directory(directory.base(), directory.prefix(), revision)
            }
            Source::Git(git) => git.load_revision(revision),
        }
    }
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
