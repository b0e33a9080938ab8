//! A reference of a Git repository as a source: blobs are read from the tree of the commit that it leads to.
//!
//! Remote repositories are fetched at depth 1 into a bare cache by a client of our own ([`upload_pack`]) over HTTP or
//! ssh; local ones are read in place. What a signature is worth (`source/verify`), whether a revision may follow the last one
//! (`repository/follow`) and webhooks are left out.

mod cache;
pub(crate) mod commit;
mod error;
mod fetch;
mod history;
mod http;
pub(crate) mod local;
pub(crate) mod location;
mod pack;
mod pkt_line;
mod reference;
mod ssh;
mod tree;
mod upload_pack;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use git2::{Oid, Repository};

use cache::Cache;
use commit::{Commit, CommitInfo, MAX_OBJECT_BYTES};
use fetch::{Carrier, Fetch, Patience};
use http::HttpServer;
use location::Location;
use reference::{Chosen, Patterns};
use tree::{Below, Listing, TreeError};
use upload_pack::{Ask, RemoteRef, Want};

use mailwright_crds::DEFAULT_NAMESPACE;

use super::{CommitId, Decryption, Options, Reference, SecretValue, Snapshot, SourceError};

pub use error::GitError;
pub use history::{History, RawObject};

/// The certificates that a server of the same place is believed by: the system's and those of `ca`, PEM.
pub(crate) fn tls(ca: Option<&SecretValue>) -> Result<rustls::ClientConfig, GitError> {
    http::tls(ca, None)
}

/// A reference that is followed.
#[derive(Debug)]
pub struct Git {
    id: String,
    location: Location,
    prefix: String,
    options: Options,
    server: OnceLock<HttpServer>,
    /// The revision of the last snapshot.
    revision: Option<String>,
    /// The files of the last snapshot and what they said.
    listing: Listing,
}

/// What a reference leads to, before anything of it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What a snapshot of it is called: `main@sha1:<40 hex>`.
    pub revision: String,
    /// The commit.
    pub commit: RawObject,
    /// The annotated tag that leads to it, when one is followed.
    pub tag: Option<RawObject>,
}

impl Head {
    /// The commit's id.
    pub fn id(&self) -> &str {
        &self.commit.id
    }
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
        let (server, listing) = (OnceLock::new(), Listing::default());
        Git { id, location, prefix, options, server, revision: None, listing }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn last_revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// Reads the newest commit; `None` when it is the last snapshot's.
    pub(super) fn load(&mut self) -> Result<Option<Snapshot>, SourceError> {
        let head = self.fetch()?;
        if self.revision.as_ref() == Some(&head.revision) {
            return Ok(None);
        }
        self.read(&head).map(Some)
    }

    /// With other keys everything is read again: which files are encrypted is known only then.
    pub(super) fn set_decryption(&mut self, decryption: Decryption) {
        if self.options.decryption != decryption {
            self.options.decryption = decryption;
            (self.listing, self.revision) = (Listing::default(), None);
        }
    }

    /// Finds the newest commit and brings it here, without reading its files.
    pub(super) fn fetch(&self) -> Result<Head, SourceError> {
        self.find(&self.options.reference)
    }

    /// Finds what a reference leads to and brings it here.
    fn find(&self, reference: &Reference) -> Result<Head, SourceError> {
        self.with_repository(|repository| {
            let chosen = match repository {
                Store::Local(repository) => {
                    let refs = local::refs(repository, &reference::ask(reference))?;
                    reference::choose(reference, &refs)?
                }
                Store::Cache(repository) => self.brought(repository, reference)?,
            };
            Ok(head_of(repository.get(), &chosen)?)
        })
    }

    /// Reads the files of what [`Git::fetch`] found.
    pub(super) fn read(&mut self, head: &Head) -> Result<Snapshot, SourceError> {
        let (snapshot, listing) = self.snapshot(head)?;
        self.listing = listing;
        self.revision = Some(head.revision.clone());
        Ok(snapshot)
    }

    /// Reads a commit that was followed before, whatever its reference leads to now; `None` when that is no name of one.
    pub(super) fn load_commit(&mut self, id: &str) -> Result<Option<Snapshot>, SourceError> {
        let Some(id) = CommitId::parse(id) else { return Ok(None) };
        let head = self.find(&Reference::Commit(id))?;
        let (snapshot, listing) = self.snapshot(&head)?;
        self.listing = listing;
        Ok(Some(snapshot))
    }

    /// Names and commits of the references that match.
    pub(super) fn refs(&self, patterns: &[String]) -> Result<Vec<(String, String)>, SourceError> {
        let patterns = Patterns::new(patterns).map_err(|error| self.error(error))?;
        let ask = patterns.ask();
        let refs = match &self.location {
            Location::Local(path) => local::open(path).and_then(|repository| local::refs(&repository, &ask)),
            _ => self.conversation(ask).and_then(|mut fetch| fetch.list()),
        };
        let refs = refs.map_err(|error| self.error(error))?;
        Ok(patterns.select(&refs).into_iter().map(|(name, id)| (name, id.to_string())).collect())
    }

    /// Reads what another reference leads to, and leaves alone what is followed.
    pub(super) fn load_ref(&self, name: &str) -> Result<(Head, Snapshot), SourceError> {
        let head = self.find(&Reference::Named(name.to_owned()))?;
        let (snapshot, _) = self.snapshot(&head)?;
        Ok((head, snapshot))
    }

    /// The commits that `to` has and `from` has not.
    pub(super) fn history(&self, from: &str, to: &str, limit: usize) -> Result<History, SourceError> {
        let parse = |id: &str| {
            CommitId::parse(id)
                .ok_or_else(|| self.error(GitError::NoRevision(id.chars().take(100).collect())))
        };
        let (from, to) = (parse(from)?, parse(to)?);
        self.with_repository(|repository| {
            let found =
                history::between(repository.get(), &from, &to, limit, |shallow, depth| match repository {
                    Store::Local(_) => Err(GitError::NoRevision(to.to_string())),
                    Store::Cache(repository) => self.deepen(repository, &to, shallow, depth),
                })?;
            Ok(found)
        })
    }

    /// Reads one revision of a local repository.
    pub(super) fn load_revision(&self, revision: &str) -> Result<Snapshot, SourceError> {
        let Location::Local(path) = &self.location else {
            let reason = "earlier revisions are read from a local repository only; clone it first".to_owned();
            return Err(self.error(GitError::Refused(reason)));
        };
        let repository = local::open(path).map_err(|error| self.error(error))?;
        local::revision(&repository, revision, self.below()).map_err(|error| error.located(&self.id))
    }

    fn below(&self) -> Below<'_> {
        Below {
            path: &self.prefix,
            hidden: "",
            decryption: &self.options.decryption,
            namespace: self.options.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE),
        }
    }

    fn snapshot(&self, head: &Head) -> Result<(Snapshot, Listing), SourceError> {
        self.with_repository(|repository| {
            let commit = Oid::from_str(head.id()).map_err(GitError::from)?;
            if let (Store::Cache(cache), Some(id)) = (repository, CommitId::parse(head.id())) {
                // The cache was made anew in between.
                if !cache::is_complete(cache, &id) {
                    self.brought(cache, &Reference::Commit(id))?;
                }
            }
            let repository = repository.get();
            let listing = tree::read(repository, commit, self.below(), &self.listing)?;
            let info = commit_info(repository, commit);
            let snapshot = Snapshot::assemble(head.revision.clone(), listing.files());
            Ok((Snapshot { commit: info, ..snapshot }, listing))
        })
    }

    /// Works on the repository: the local one, or the cache. A cache that lacks an object is damaged: the work is done
    /// once more, from the beginning.
    fn with_repository<T>(&self, work: impl Fn(&Store) -> Result<T, TreeError>) -> Result<T, SourceError> {
        let located = |error: TreeError| error.located(&self.id);
        if let Location::Local(path) = &self.location {
            let repository = local::open(path).map_err(|error| self.error(error))?;
            return work(&Store::Local(repository)).map_err(located);
        }
        let cache = Cache::new(&self.options.cache, &self.location.to_string());
        let _held = cache.lock();
        let attempt = || work(&Store::Cache(cache.open()?));
        match attempt() {
            Err(TreeError::Git(GitError::Repository(_))) => {
                cache.remove().map_err(|error| self.error(error))?;
                attempt().map_err(located)
            }
            other => other.map_err(located),
        }
    }

    /// Finds what a reference leads to and brings it into the cache.
    fn brought(&self, repository: &Repository, reference: &Reference) -> Result<Chosen, GitError> {
        if let Reference::Commit(id) = reference
            && cache::is_complete(repository, id)
        {
            return reference::choose(reference, &[]);
        }
        let mut fetch = self.conversation(reference::ask(reference))?;
        let refs: Vec<RemoteRef> = fetch.list()?;
        let chosen = reference::choose(reference, &refs)?;
        if !cache::is_complete(repository, &chosen.object) {
            let have: Vec<CommitId> = cache::last(repository).into_iter().collect();
            let shallow = have.clone();
            let object = chosen.object.clone();
            let want = Want { object, have, shallow, depth: 1, commits_only: false };
            fetch.download(repository, &want)?;
            cache::set_complete(repository, Oid::from_str(chosen.object.as_str())?)?;
        }
        Ok(chosen)
    }

    /// Brings more generations of a commit.
    fn deepen(
        &self,
        repository: &Repository,
        to: &CommitId,
        shallow: &[CommitId],
        depth: u32,
    ) -> Result<(), GitError> {
        let mut fetch = self.conversation(Ask::Commit(to.clone()))?;
        fetch.list()?;
        let have: Vec<CommitId> =
            Some(to).filter(|to| cache::is_complete(repository, to)).cloned().into_iter().collect();
        let shallow = shallow.to_vec();
        fetch.download(repository, &Want { object: to.clone(), have, shallow, depth, commits_only: true })
    }

    /// Opens a conversation with the server.
    fn conversation(&self, ask: Ask) -> Result<Fetch<'_>, GitError> {
        let patience = Patience::new(self.options.timeout);
        let carrier = match &self.location {
            Location::Ssh(ssh) => {
                let command = self.options.ssh_command.clone();
                let command = command.or_else(|| std::env::var("GIT_SSH_COMMAND").ok());
                Carrier::ssh(ssh, &self.options.credentials, command.as_deref(), patience)?
            }
            Location::Http(http) => Carrier::http(self.server(http, patience)?)?,
            Location::Local(_) => return Err(GitError::Refused("not a remote repository".to_owned())),
        };
        Ok(Fetch::new(carrier, ask, patience))
    }

    /// Kept between polls, so that connections are used again.
    fn server(&self, http: &location::HttpLocation, patience: Patience) -> Result<&HttpServer, GitError> {
        if let Some(server) = self.server.get() {
            return Ok(server);
        }
        let environment = std::env::var_os("GIT_SSL_CAINFO").map(PathBuf::from);
        let ca_file = self.options.ca_file.clone().or(environment);
        let server = HttpServer::new(http.clone(), &self.options.credentials, ca_file.as_deref(), patience)?;
        Ok(self.server.get_or_init(|| server))
    }

    fn error(&self, error: GitError) -> SourceError {
        SourceError::Git { location: self.id.clone(), error }
    }
}

/// Where the objects are.
enum Store {
    Local(Repository),
    Cache(Repository),
}

impl Store {
    fn get(&self) -> &Repository {
        match self {
            Store::Local(repository) | Store::Cache(repository) => repository,
        }
    }
}

impl From<GitError> for TreeError {
    fn from(error: GitError) -> Self {
        TreeError::Git(error)
    }
}

fn head_of(repository: &Repository, chosen: &Chosen) -> Result<Head, GitError> {
    let object = Oid::from_str(chosen.object.as_str())?;
    let missing = |_| GitError::NoRevision(chosen.object.to_string());
    let commit = repository.find_object(object, None).and_then(|object| object.peel_to_commit());
    let commit = commit.map_err(missing)?.id();
    let tag = (commit != object).then(|| history::raw(repository, object)).transpose()?;
    let revision = format!("{}@sha1:{commit}", chosen.name);
    Ok(Head { revision, commit: history::raw(repository, commit)?, tag })
}

/// What is known of a commit. One that Git would not have written has an author whom nobody need know.
fn commit_info(repository: &Repository, id: Oid) -> Option<Arc<CommitInfo>> {
    let odb = repository.odb().ok()?;
    let (size, _) = odb.read_header(id).ok()?;
    if size > MAX_OBJECT_BYTES {
        return None;
    }
    let commit = Commit::parse(&id.to_string(), odb.read(id).ok()?.data()).ok()?;
    Some(Arc::new(commit.info))
}
