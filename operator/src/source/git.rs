//! A branch of a Git repository as a source: blobs are read from the tree of its newest commit.
//!
//! Remote repositories are fetched at depth 1 into a bare cache by a client of our own ([`upload_pack`]) over HTTP or
//! ssh; local ones are read in place. Signatures and webhooks are left out.

mod cache;
mod fetch;
mod http;
pub(crate) mod location;
mod pkt_line;
mod ssh;
mod tree;
mod upload_pack;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{ErrorClass, ErrorCode, Odb, Oid, Repository};

use cache::Cache;
use fetch::{Carrier, Fetch};
use http::HttpServer;
use location::Location;
use tree::{TreeError, TreeFile};
use upload_pack::ProtocolError;

use super::limits::MAX_TOTAL_BYTES;
use super::manifest::{FileContents, read_file, skipped, unreadable};
use super::snapshot::ReadFile;
use super::yaml::MAX_FILE_BYTES;
use super::{Options, Snapshot, SourceError};

/// What went wrong with a repository. Nothing of it ever shows credentials.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The other end does not answer, or not to the end; it may be better next time.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It will stay so until someone changes something; the text says what.
    #[error("{0}")]
    Refused(String),
    /// The branch or tag is not there.
    #[error("there is no branch or tag {0}; it may have been deleted or renamed")]
    NoBranch(String),
    /// The path is not in the commit.
    #[error("there is no {0} in the commit; check the path, or push a commit that has it")]
    NoPath(String),
    /// A revision that does not exist.
    #[error("there is no revision {0}; give a branch, a tag, a commit or something like HEAD~1")]
    NoRevision(String),
    /// More than this process takes in.
    #[error("{0} is refused; follow a smaller repository")]
    TooLarge(String),
    /// The repository on this machine is damaged or cannot be used.
    #[error("{0}")]
    Repository(String),
}

impl From<git2::Error> for GitError {
    fn from(error: git2::Error) -> Self {
        if error.code() == ErrorCode::Owner {
            let remedy = "the repository belongs to another user; allow it with git config --global --add safe.directory";
            return GitError::Refused(remedy.to_owned());
        }
        GitError::Repository(error.message().to_owned())
    }
}

impl From<ProtocolError> for GitError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::NoReference(name) => GitError::NoBranch(name),
            other => GitError::Refused(other.to_string()),
        }
    }
}

/// A branch that is followed.
#[derive(Debug)]
pub struct Git {
    id: String,
    location: Location,
    prefix: String,
    options: Options,
    server: Option<HttpServer>,
    /// The revision of the last snapshot.
    revision: Option<String>,
    /// What the files of the last snapshot said, by path and blob.
    known: HashMap<String, (Oid, Arc<FileContents>)>,
}

/// The newest commit and the short name of what points at it.
struct Found {
    name: String,
    commit: Oid,
}

impl Git {
    pub(super) fn new(location: Location, prefix: String, options: Options) -> Git {
        let shown = match &location {
            Location::Local(path) => {
                Location::Local(path.canonicalize().unwrap_or_else(|_| path.clone())).to_string()
            }
            remote => remote.to_string(),
        };
        let id = if prefix.is_empty() { shown } else { format!("{shown}//{prefix}") };
        Git { id, location, prefix, options, server: None, revision: None, known: HashMap::new() }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Reads the newest commit; `None` when it is the last snapshot's.
    pub(super) fn load(&mut self) -> Result<Option<Snapshot>, SourceError> {
        if let Location::Local(path) = &self.location {
            let repository = open(path).map_err(|error| self.error(error))?;
            let found =
                resolve(&repository, self.options.branch.as_deref()).map_err(|error| self.error(error))?;
            return self.snapshot(&repository, &found);
        }
        let cache =
            Cache::new(&self.options.cache, &self.location.to_string(), self.options.branch.as_deref());
        match self.load_remote(&cache) {
            // A cache that lacks an object is damaged: once more from the beginning.
            Err(SourceError::Git { error: GitError::Repository(_), .. }) => {
                cache.remove().map_err(|error| self.error(error))?;
                self.load_remote(&cache)
            }
            other => other,
        }
    }

    fn load_remote(&mut self, cache: &Cache) -> Result<Option<Snapshot>, SourceError> {
        let (repository, found) = self.fetched(cache).map_err(|error| self.error(error))?;
        self.snapshot(&repository, &found)
    }

    /// Reads one revision of a local repository.
    pub(super) fn load_revision(&self, revision: &str) -> Result<Snapshot, SourceError> {
        let Location::Local(path) = &self.location else {
            let reason = "earlier revisions are read from a local repository only; clone it first".to_owned();
            return Err(self.error(GitError::Refused(reason)));
        };
        let repository = open(path).map_err(|error| self.error(error))?;
        read_revision(&repository, revision, &self.prefix, "").map_err(|error| error.located(&self.id))
    }

    /// Finds the newest commit and brings it into the cache.
    fn fetched(&mut self, cache: &Cache) -> Result<(Repository, Found), GitError> {
        let command = self.options.ssh_command.clone().or_else(|| std::env::var("GIT_SSH_COMMAND").ok());
        if let (Location::Http(http), None) = (&self.location, &self.server) {
            let environment = std::env::var_os("GIT_SSL_CAINFO").map(PathBuf::from);
            let ca = self.options.ca_file.clone().or(environment);
            self.server = Some(HttpServer::new(http.clone(), self.options.token.clone(), ca.as_deref())?);
        }
        let carrier = match (&self.location, &self.server) {
            (Location::Ssh(ssh), _) => Carrier::ssh(ssh, command.as_deref())?,
            (_, Some(server)) => Carrier::http(server)?,
            (_, None) => return Err(GitError::Refused("not a remote repository".to_owned())),
        };
        let mut fetch = Fetch::new(carrier, self.options.branch.clone());
        let head = fetch.find()?;
        let commit = Oid::from_str(head.commit.as_str())?;
        let repository = cache.open()?;
        let known = cache::fetched(&repository);
        if known.as_ref() != Some(&head.commit) {
            fetch.download(&repository, known.as_ref())?;
            cache::set_fetched(&repository, commit)?;
        }
        Ok((repository, Found { name: short(&head.name), commit }))
    }

    fn snapshot(&mut self, repository: &Repository, found: &Found) -> Result<Option<Snapshot>, SourceError> {
        let revision = format!("{}@sha1:{}", found.name, found.commit);
        if self.revision.as_ref() == Some(&revision) {
            return Ok(None);
        }
        let read = read_commit(repository, found.commit, &self.prefix, "", &self.known);
        let (files, known) = read.map_err(|error| error.located(&self.id))?;
        self.known = known;
        self.revision = Some(revision.clone());
        Ok(Some(Snapshot::assemble(revision, files)))
    }

    fn error(&self, error: GitError) -> SourceError {
        SourceError::Git { location: self.id.clone(), error }
    }
}

impl TreeError {
    fn located(self, location: &str) -> SourceError {
        match self {
            TreeError::Git(error) => SourceError::Git { location: location.to_owned(), error },
            TreeError::Limit(error) => error,
        }
    }
}

/// Reads a revision of the repository that the directory `base` belongs to, as if it had been checked out there.
pub(super) fn load_revision_of_directory(
    base: &Path,
    prefix: &str,
    revision: &str,
) -> Result<Snapshot, SourceError> {
    let id = base.display().to_string();
    let located = |error: GitError| SourceError::Git { location: id.clone(), error };
    let no_repository = |_| {
        located(GitError::Refused(
            "this directory is in no Git repository, so it has no revisions".to_owned(),
        ))
    };
    let repository = Repository::discover(base).map_err(no_repository)?;
    let no_work_tree = || located(GitError::Refused("the repository has no work tree here".to_owned()));
    let root = repository.workdir().and_then(|root| root.canonicalize().ok()).ok_or_else(no_work_tree)?;
    let base = base.canonicalize().map_err(|_| no_work_tree())?;
    let within = base.strip_prefix(&root).map_err(|_| no_work_tree())?.to_string_lossy().into_owned();
    let below = [within.as_str(), prefix]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join("/");
    read_revision(&repository, revision, &below, &within).map_err(|error| error.located(&id))
}

fn read_revision(
    repository: &Repository,
    revision: &str,
    below: &str,
    hidden_root: &str,
) -> Result<Snapshot, TreeError> {
    let object = repository.revparse_single(revision).and_then(|object| object.peel_to_commit());
    let commit = object.map_err(|_| TreeError::Git(GitError::NoRevision(revision.to_owned())))?.id();
    let (files, _) = read_commit(repository, commit, below, hidden_root, &HashMap::new())?;
    Ok(Snapshot::assemble(format!("{revision}@sha1:{commit}"), files))
}

type Known = HashMap<String, (Oid, Arc<FileContents>)>;

/// The files of a commit; what an unchanged blob says is taken from `known`.
fn read_commit(
    repository: &Repository,
    commit: Oid,
    below: &str,
    hidden_root: &str,
    known: &Known,
) -> Result<(Vec<ReadFile>, Known), TreeError> {
    let listed = tree::list(repository, commit, below, hidden_root)?;
    let total: u64 = listed.iter().map(|(_, file)| file.size()).sum();
    if total > MAX_TOTAL_BYTES {
        let (what, remedy) = ("the size of all manifests".to_owned(), "split them over several sources");
        return Err(TreeError::Limit(SourceError::Limit { what, limit: MAX_TOTAL_BYTES, remedy }));
    }
    let odb = repository.odb()?;
    let mut files = Vec::with_capacity(listed.len());
    let mut now = HashMap::with_capacity(listed.len());
    for (path, file) in listed {
        let size = file.size();
        let contents = match file {
            TreeFile::File { oid, .. } => {
                let before = known.get(&path).filter(|(before, _)| *before == oid);
                let contents = match before {
                    Some((_, contents)) => contents.clone(),
                    None => Arc::new(read_blob(&odb, oid, &path, size)?),
                };
                now.insert(path.clone(), (oid, contents.clone()));
                contents
            }
            TreeFile::Unreadable(message, remedy) => Arc::new(unreadable(&path, message, remedy)),
            TreeFile::Skipped(message, remedy) => Arc::new(skipped(&path, message, remedy)),
        };
        files.push(ReadFile { path, size, contents });
    }
    Ok((files, now))
}

fn read_blob(odb: &Odb<'_>, oid: Oid, path: &str, size: u64) -> Result<FileContents, TreeError> {
    if size > MAX_FILE_BYTES {
        let message = format!("the file has {size} bytes, and {MAX_FILE_BYTES} is the limit");
        return Ok(unreadable(path, message, "split it"));
    }
    Ok(read_file(path, odb.read(oid)?.data()))
}

impl TreeFile {
    fn size(&self) -> u64 {
        match self {
            TreeFile::File { size, .. } => *size,
            TreeFile::Unreadable(..) | TreeFile::Skipped(..) => 0,
        }
    }
}

fn open(path: &Path) -> Result<Repository, GitError> {
    Repository::open(path).map_err(|error| match (error.code(), error.class()) {
        (ErrorCode::NotFound, _) | (_, ErrorClass::Os) => {
            GitError::Unreachable("there is no Git repository at this path".to_owned())
        }
        _ => error.into(),
    })
}

/// The commit of a branch, a tag or a full reference name; of `HEAD` without one.
fn resolve(repository: &Repository, branch: Option<&str>) -> Result<Found, GitError> {
    let reference = match branch {
        None => repository.head().map_err(|_| GitError::Refused(ProtocolError::NoDefault.to_string())),
        Some(name) => {
            let names = match name.starts_with("refs/") {
                true => vec![name.to_owned()],
                false => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
            };
            let found = names.iter().find_map(|name| repository.find_reference(name).ok());
            found.ok_or_else(|| GitError::NoBranch(name.to_owned()))
        }
    }?;
    let commit = reference.peel_to_commit()?.id();
    Ok(Found { name: short(&String::from_utf8_lossy(reference.name_bytes())), commit })
}

/// `main` for `refs/heads/main`.
fn short(name: &str) -> String {
    let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"));
    short.unwrap_or(name).to_owned()
}
