//! Repositories on this machine: their references, and their revisions for `diff`.

use std::path::Path;

use git2::{ErrorClass, ErrorCode, Oid, Reference, Repository};

use mailwright_crds::DEFAULT_NAMESPACE;

use super::super::{CommitId, Decryption, Snapshot, SourceError};
use super::tree::{self, Below, Listing, TreeError};
use super::upload_pack::{Ask, RemoteRef};
use super::{GitError, commit_info};

pub(super) fn open(path: &Path) -> Result<Repository, GitError> {
    Repository::open(path).map_err(|error| match (error.code(), error.class()) {
        (ErrorCode::NotFound, _) | (_, ErrorClass::Os) => {
            GitError::Unreachable("there is no Git repository at this path".to_owned())
        }
        _ => error.into(),
    })
}

/// The references that a server would list.
pub(super) fn refs(repository: &Repository, ask: &Ask) -> Result<Vec<RemoteRef>, GitError> {
    let Ask::Refs(prefixes) = ask else { return Ok(Vec::new()) };
    let mut found: Vec<RemoteRef> = Vec::new();
    for prefix in prefixes {
        found.extend(repository.find_reference(prefix).ok().and_then(|reference| listed(&reference)));
        if prefix.starts_with("refs/") {
            let all = repository.references_glob(&format!("{prefix}*"))?;
            found.extend(all.flatten().filter_map(|reference| listed(&reference)));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.name == b.name);
    Ok(found)
}

/// A reference with the commit it leads to; `None` when it leads nowhere.
fn listed(reference: &Reference<'_>) -> Option<RemoteRef> {
    let commit = reference.peel_to_commit().ok()?.id();
    let target = reference.symbolic_target().ok().flatten().map(str::to_owned);
    let object = reference.resolve().ok()?.target()?;
    let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
    let peeled = (object != commit).then(|| CommitId::parse(&commit.to_string())).flatten();
    Some(RemoteRef { name, object: CommitId::parse(&object.to_string())?, peeled, target })
}

/// Reads one revision (`HEAD~1`) of a repository.
pub(super) fn revision(
    repository: &Repository,
    revision: &str,
    below: Below<'_>,
) -> Result<Snapshot, TreeError> {
    let object = repository.revparse_single(revision).and_then(|object| object.peel_to_commit());
    let commit: Oid = object.map_err(|_| TreeError::Git(GitError::NoRevision(revision.to_owned())))?.id();
    let listing = tree::read(repository, commit, below, &Listing::default())?;
    let info = commit_info(repository, commit);
    Ok(Snapshot { commit: info, ..Snapshot::assemble(format!("{revision}@sha1:{commit}"), listing.files()) })
}

/// Reads a revision of the repository that the directory `base` belongs to, as if it had been checked out there.
pub(crate) fn revision_of_directory(
    base: &Path,
    prefix: &str,
    name: &str,
    decryption: &Decryption,
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
    let below = Below { path: &below, hidden: &within, decryption, namespace: DEFAULT_NAMESPACE };
    revision(&repository, name, below).map_err(|error| error.located(&id))
}
