//! The bare repository that holds what was fetched: one per URL and branch, thrown away whenever it is in doubt.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository, RepositoryInitOptions};

use super::GitError;
use super::upload_pack::CommitId;

/// The commit that was fetched completely.
const REFERENCE: &str = "refs/mailwright/fetched";
/// Every fetch adds a pack. After this many the cache is made anew, so that old states do not pile up.
const MAX_PACKS: usize = 50;

/// A place for a bare repository.
#[derive(Debug)]
pub(super) struct Cache {
    path: PathBuf,
}

impl Cache {
    /// The cache of one URL and branch below `directory`.
    pub(super) fn new(directory: &Path, location: &str, reference: Option<&str>) -> Cache {
        let key = format!("{location}\0{}", reference.unwrap_or_default());
        let name = blake3::hash(key.as_bytes()).to_hex();
        Cache { path: directory.join(&name[..32]) }
    }

    /// Opens the repository, or makes it; one that cannot be opened or has grown too long is made anew.
    pub(super) fn open(&self) -> Result<Repository, GitError> {
        if self.packs() > MAX_PACKS {
            self.remove()?;
        }
        match Repository::open_bare(&self.path) {
            Ok(repository) => {
                self.remove_leftovers();
                Ok(repository)
            }
            Err(_) => {
                self.remove()?;
                self.create()
            }
        }
    }

    fn create(&self) -> Result<Repository, GitError> {
        let parent = self.path.parent().unwrap_or(&self.path);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(|error| self.unusable(&error))?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).mkpath(true);
        Ok(Repository::init_opts(&self.path, &options)?)
    }

    /// Forgets everything; the next fetch is a whole one.
    pub(super) fn remove(&self) -> Result<(), GitError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.unusable(&error)),
            _ => Ok(()),
        }
    }

    fn packs(&self) -> usize {
        let files = fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|extension| extension == "pack")).count()
    }

    /// Unfinished packs of a process that was killed.
    fn remove_leftovers(&self) {
        for file in fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().contains("_git2_") {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn unusable(&self, error: &io::Error) -> GitError {
        GitError::Repository(format!("the cache {} cannot be used: {error}", self.path.display()))
    }
}

/// The commit that is complete here.
pub(super) fn fetched(repository: &Repository) -> Option<CommitId> {
    let commit = repository.refname_to_id(REFERENCE).ok()?;
    repository.find_commit(commit).ok()?;
    CommitId::parse(&commit.to_string())
}

/// Notes that a commit is complete.
pub(super) fn set_fetched(repository: &Repository, commit: Oid) -> Result<(), GitError> {
    repository.reference(REFERENCE, commit, true, "fetched")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cache_belongs_to_one_place_and_branch() {
        let path = |location, branch| Cache::new(Path::new("/data/git"), location, branch).path;
        let one = path("https://example.org/a", Some("main"));
        assert_eq!(one, path("https://example.org/a", Some("main")));
        assert_ne!(one, path("https://example.org/a", None));
        assert_ne!(one, path("https://example.org/b", Some("main")));
        assert_eq!(one.parent(), Some(Path::new("/data/git")));
    }

    #[test]
    fn a_cache_is_private_and_made_anew_when_in_doubt() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data/git");
        let cache = Cache::new(&data, "x", None);
        assert!(cache.open().unwrap().is_bare());
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);

        let marker = cache.path.join("marker");
        let packs = cache.path.join("objects/pack");
        fs::write(&marker, "").unwrap();
        fs::write(packs.join("pack_git2_1a2b3c"), "").unwrap();
        cache.open().unwrap();
        assert!(marker.exists(), "a good cache is kept");
        assert_eq!(fs::read_dir(&packs).unwrap().count(), 0, "leftovers are removed");

        for n in 0..=MAX_PACKS {
            fs::write(packs.join(format!("pack-{n}.pack")), "").unwrap();
        }
        cache.open().unwrap();
        assert!(!marker.exists(), "too many packs");

        fs::write(&marker, "").unwrap();
        fs::remove_file(cache.path.join("HEAD")).unwrap();
        assert!(fetched(&cache.open().unwrap()).is_none());
        assert!(!marker.exists(), "no repository any more");
    }

    #[test]
    fn only_a_commit_that_is_there_counts_as_fetched() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Cache::new(directory.path(), "x", None).open().unwrap();
        assert_eq!(fetched(&repository), None);
        let signature = git2::Signature::now("alice", "alice@example.test").unwrap();
        let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
        let commit = repository.commit(None, &signature, &signature, "one", &tree, &[]).unwrap();
        set_fetched(&repository, commit).unwrap();
        assert_eq!(fetched(&repository).map(|id| id.as_str().to_owned()), Some(commit.to_string()));
    }
}
