//! The bare repository that holds what was fetched: one per URL, thrown away whenever it is in doubt.
//!
//! References of our own say which commits are there with all their files; others may be there without. No program ever
//! runs on it: it has no hooks, and nothing is checked out.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use git2::{Oid, Repository, RepositoryInitOptions};

use super::super::CommitId;
use super::GitError;

/// The commit that was fetched last.
const LAST: &str = "refs/mailwright/fetched";
/// What is here with all its files.
const COMPLETE: &str = "refs/mailwright/complete/";
/// Every fetch adds a pack, and each is looked through for an object that is new. After this many the cache is made
/// anew, so that old states do not pile up: with a push every minute, about twice in a working day.
const MAX_PACKS: usize = 256;
/// As many bytes of packs make the cache anew too: two of the largest fetches.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// A place for a bare repository.
#[derive(Debug)]
pub(super) struct Cache {
    path: PathBuf,
    /// Held while it is used: sources of the same repository share it.
    lock: Arc<Mutex<()>>,
}

/// The locks of the caches in use.
static LOCKS: LazyLock<Mutex<HashMap<PathBuf, Weak<Mutex<()>>>>> = LazyLock::new(Mutex::default);

impl Cache {
    /// The cache of one URL below `directory`.
    pub(super) fn new(directory: &Path, location: &str) -> Cache {
        let name = blake3::hash(location.as_bytes()).to_hex();
        let path = directory.join(&name[..32]);
        let mut locks = LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = locks.get(&path).and_then(Weak::upgrade).unwrap_or_default();
        locks.insert(path.clone(), Arc::downgrade(&lock));
        Cache { path, lock }
    }

    /// Waits until no other source uses it.
    pub(super) fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the repository, or makes it; one that cannot be opened or has grown too long is made anew.
    pub(super) fn open(&self) -> Result<Repository, GitError> {
        let (packs, bytes) = self.size();
        if packs > MAX_PACKS || bytes > MAX_BYTES {
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
        let repository = Repository::init_opts(&self.path, &options)?;
        let _ = fs::remove_dir_all(self.path.join("hooks"));
        Ok(repository)
    }

    /// Forgets everything; the next fetch is a whole one.
    pub(super) fn remove(&self) -> Result<(), GitError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.unusable(&error)),
            _ => Ok(()),
        }
    }

    /// The number of packs, and their bytes beside the largest: a repository may be as large as it is.
    fn size(&self) -> (usize, u64) {
        let files = fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten();
        let packs = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "pack"));
        let sizes: Vec<u64> = packs.map(|pack| pack.metadata().map_or(0, |data| data.len())).collect();
        (sizes.len(), sizes.iter().sum::<u64>() - sizes.iter().max().copied().unwrap_or_default())
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

/// The commit that was fetched last, if it is here.
pub(super) fn last(repository: &Repository) -> Option<CommitId> {
    let id = CommitId::parse(&repository.refname_to_id(LAST).ok()?.to_string())?;
    is_complete(repository, &id).then_some(id)
}

/// Whether a commit (or annotated tag) is here with all its files.
pub(super) fn is_complete(repository: &Repository, id: &CommitId) -> bool {
    let noted = repository.refname_to_id(&format!("{COMPLETE}{id}"));
    noted.is_ok_and(|id| repository.find_object(id, None).is_ok_and(|object| object.peel_to_commit().is_ok()))
}

/// Notes that `object` and the commit it leads to are here with all their files.
pub(super) fn set_complete(repository: &Repository, object: Oid) -> Result<(), GitError> {
    let commit = repository.find_object(object, None)?.peel_to_commit().map_err(|_| {
        GitError::Refused("what is followed is no commit; name a branch or tag that is one".to_owned())
    })?;
    for id in [object, commit.id()] {
        repository.reference(&format!("{COMPLETE}{id}"), id, true, "fetched")?;
    }
    repository.reference(LAST, commit.id(), true, "fetched")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cache_belongs_to_one_place_and_is_used_by_one_at_a_time() {
        let cache = |location| Cache::new(Path::new("/data/git"), location);
        let one = cache("https://example.org/a");
        let same = cache("https://example.org/a");
        let other = cache("https://example.org/b");
        assert_eq!(one.path, same.path);
        assert_ne!(one.path, other.path);
        assert_eq!(one.path.parent(), Some(Path::new("/data/git")));
        let held = one.lock();
        assert!(same.lock.try_lock().is_err());
        assert!(other.lock.try_lock().is_ok());
        drop(held);
        assert!(same.lock.try_lock().is_ok());
    }

    #[test]
    fn a_cache_is_private_and_made_anew_when_in_doubt() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data/git");
        let cache = Cache::new(&data, "x");
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
        assert!(last(&cache.open().unwrap()).is_none());
        assert!(!marker.exists(), "no repository any more");
    }

    #[test]
    fn old_states_do_not_pile_up_and_one_large_pack_is_no_reason() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path(), "x");
        cache.open().unwrap();
        let (packs, marker) = (cache.path.join("objects/pack"), cache.path.join("marker"));
        fs::write(&marker, "").unwrap();
        for (name, length, kept) in [("a", MAX_BYTES * 2, true), ("b", 1000, true), ("c", MAX_BYTES, false)] {
            fs::File::create(packs.join(format!("pack-{name}.pack"))).unwrap().set_len(length).unwrap();
            cache.open().unwrap();
            assert_eq!(marker.exists(), kept, "{name}");
        }
    }

    #[test]
    fn only_what_is_there_counts_as_fetched() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Cache::new(directory.path(), "x").open().unwrap();
        assert_eq!(last(&repository), None);
        let signature = git2::Signature::now("alice", "alice@example.test").unwrap();
        let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
        let commit = repository.commit(None, &signature, &signature, "one", &tree, &[]).unwrap();
        let id = CommitId::parse(&commit.to_string()).unwrap();
        assert!(!is_complete(&repository, &id));
        let object = repository.find_object(commit, None).unwrap();
        let tag = repository.tag_annotation_create("v1", &object, &signature, "one").unwrap();
        set_complete(&repository, tag).unwrap();
        assert_eq!(last(&repository).as_ref(), Some(&id));
        assert!(is_complete(&repository, &CommitId::parse(&tag.to_string()).unwrap()));
        let refused = set_complete(&repository, tree.id()).unwrap_err().to_string();
        assert!(refused.contains("what is followed is no commit"), "{refused}");
        let objects = repository.path().join("objects");
        fs::remove_dir_all(&objects).unwrap();
        fs::create_dir(&objects).unwrap();
        assert!(
            !is_complete(&Repository::open_bare(repository.path()).unwrap(), &id),
            "the objects are gone"
        );
    }
}
