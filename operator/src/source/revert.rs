//! The commit that takes another one back, made in a local clone without touching its files, its index or its branches.
//!
//! No hook runs and nothing is fetched or pushed. Leaves out what reverting means for mail (`plan/`).

use std::path::{Path, PathBuf};

use git2::{Commit, DiffFormat, Repository, Signature};

/// Bytes of a patch that are kept for showing: more is not read by anybody.
const MAX_PATCH: usize = 256 * 1024;
/// Conflicting files that are named.
const MAX_NAMED: usize = 20;

/// A commit that no branch leads to yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revert {
    /// Its name.
    pub commit: String,
    /// What it changes.
    pub patch: String,
}

/// Why a commit cannot be taken back like this. Nothing of the clone changed.
#[derive(Debug, thiserror::Error)]
pub enum RevertError {
    /// There is no clone.
    #[error("{} is no Git repository; give a clone of the one that is followed", .0.display())]
    NoRepository(PathBuf),
    /// The clone has no such commit.
    #[error(
        "the clone has no commit {0}; run `git fetch` there, or check that it is a clone of the right repository"
    )]
    NoCommit(String),
    /// What it changed was changed again.
    #[error(
        "commit {commit} cannot be reverted by itself, because {files} changed again since; run `git revert {commit}` and resolve it by hand"
    )]
    Conflict {
        /// The commit.
        commit: String,
        /// The files, as far as they are named.
        files: String,
    },
    /// It changes nothing.
    #[error("the files are as they were before commit {0} already; there is nothing to revert")]
    Nothing(String),
    /// Nobody is named as the author.
    #[error("Git does not know who you are; set user.name and user.email (git config)")]
    Nobody,
    /// The branch for it is there.
    #[error("the branch {0} is there already; delete it (git branch -D {0}) or push it")]
    Branch(String),
    /// Anything else.
    #[error("the clone cannot be read or written: {0}")]
    Git(#[from] git2::Error),
}

/// Makes the reverting commit on top of what is checked out.
pub fn prepare(place: &Path, commit: &str) -> Result<Revert, RevertError> {
    let repository = Repository::discover(place).map_err(|_| RevertError::NoRepository(place.to_owned()))?;
    let missing = |_| RevertError::NoCommit(commit.to_owned());
    let gone =
        repository.revparse_single(commit).and_then(|object| object.peel_to_commit()).map_err(missing)?;
    let head = repository.head()?.peel_to_commit()?;
    if gone.id() != head.id() && !repository.graph_descendant_of(head.id(), gone.id())? {
        return Err(RevertError::NoCommit(commit.to_owned()));
    }
    let mainline = u32::from(gone.parent_count() > 1);
    let mut index = repository.revert_commit(&gone, &head, mainline, None)?;
    if index.has_conflicts() {
        return Err(RevertError::Conflict { commit: commit.to_owned(), files: conflicts(&index)? });
    }
    let tree = repository.find_tree(index.write_tree_to(&repository)?)?;
    if tree.id() == head.tree_id() {
        return Err(RevertError::Nothing(commit.to_owned()));
    }
    let signature =
        repository.signature().or_else(|_| Signature::now("mailwright undo", "undo@localhost"))?;
    let id = repository.commit(None, &signature, &signature, &message(&gone), &tree, &[&head])?;
    let diff = repository.diff_tree_to_tree(Some(&head.tree()?), Some(&tree), None)?;
    let mut patch = Vec::new();
    diff.print(DiffFormat::Patch, |_, _, line| {
        if matches!(line.origin(), '+' | '-' | ' ') {
            patch.push(u8::try_from(line.origin()).unwrap_or(b' '));
        }
        patch.extend_from_slice(line.content());
        patch.len() < MAX_PATCH
    })
    .or_else(|error| if error.code() == git2::ErrorCode::User { Ok(()) } else { Err(error) })?;
    Ok(Revert { commit: id.to_string(), patch: String::from_utf8_lossy(&patch).into_owned() })
}

/// Gives the commit a branch of its own; the branch's name.
pub fn write(place: &Path, revert: &Revert, commit: &str) -> Result<String, RevertError> {
    let repository = Repository::discover(place).map_err(|_| RevertError::NoRepository(place.to_owned()))?;
    repository.signature().map_err(|_| RevertError::Nobody)?;
    let name = format!("undo-{}", commit.get(..12).unwrap_or(commit));
    let missing = |_| RevertError::NoCommit(revert.commit.clone());
    let made = repository.revparse_single(&revert.commit).and_then(|object| object.peel_to_commit());
    match repository.branch(&name, &made.map_err(missing)?, false) {
        Ok(_) => Ok(name),
        Err(error) if error.code() == git2::ErrorCode::Exists => Err(RevertError::Branch(name)),
        Err(error) => Err(error.into()),
    }
}

/// As `git revert` writes it.
fn message(gone: &Commit<'_>) -> String {
    let subject = gone.summary().ok().flatten().unwrap_or("a commit");
    format!("Revert \"{subject}\"\n\nThis reverts commit {}.\n", gone.id())
}

fn conflicts(index: &git2::Index) -> Result<String, RevertError> {
    let mut files = Vec::new();
    for conflict in index.conflicts()?.take(MAX_NAMED) {
        let conflict = conflict?;
        let entry = conflict.our.or(conflict.their).or(conflict.ancestor);
        files.extend(entry.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()));
    }
    files.dedup();
    Ok(files.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clone with these contents of one file, a commit each.
    fn clone(contents: &[&str]) -> (tempfile::TempDir, Repository, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init(directory.path()).unwrap();
        let mut config = repository.config().unwrap();
        config.set_str("user.name", "alice").unwrap();
        config.set_str("user.email", "alice@example.test").unwrap();
        let mut commits = Vec::new();
        for text in contents {
            std::fs::write(directory.path().join("people.yaml"), text).unwrap();
            let mut index = repository.index().unwrap();
            index.add_path(Path::new("people.yaml")).unwrap();
            let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
            let who = repository.signature().unwrap();
            let parent = repository.head().ok().map(|head| head.peel_to_commit().unwrap());
            let parents: Vec<&Commit<'_>> = parent.iter().collect();
            let id = repository.commit(Some("HEAD"), &who, &who, &format!("make it {text}"), &tree, &parents);
            commits.push(id.unwrap().to_string());
        }
        (directory, repository, commits)
    }

    #[test]
    fn a_commit_is_taken_back_without_touching_the_clone() {
        let (directory, repository, commits) = clone(&["one\n", "one\ntwo\n"]);
        let before = repository.head().unwrap().target();
        let revert = prepare(directory.path(), &commits[1]).unwrap();
        assert!(revert.patch.contains("-two\n"), "{}", revert.patch);
        let branch = write(directory.path(), &revert, &commits[1]).unwrap();
        assert_eq!(branch, format!("undo-{}", &commits[1][..12]));
        assert!(matches!(write(directory.path(), &revert, &commits[1]), Err(RevertError::Branch(_))));
        assert_eq!(repository.head().unwrap().target(), before);
        assert_eq!(std::fs::read_to_string(directory.path().join("people.yaml")).unwrap(), "one\ntwo\n");
        let made =
            repository.find_branch(&branch, git2::BranchType::Local).unwrap().get().peel_to_commit().unwrap();
        assert_eq!(
            made.tree_id(),
            repository.revparse_single(&commits[0]).unwrap().peel_to_commit().unwrap().tree_id()
        );
        assert!(made.message().unwrap().contains(&format!("This reverts commit {}.", commits[1])));
    }

    #[test]
    fn what_cannot_be_taken_back_is_said() {
        let (directory, _repository, commits) = clone(&["one\n", "two\n", "three\n"]);
        let nothing = clone(&["one\n", "two\n", "one\n"]);
        let elsewhere = tempfile::tempdir().unwrap();
        for (place, commit, expected) in [
            (directory.path(), commits[1].as_str(), "people.yaml changed again since"),
            (directory.path(), "0123456789012345678901234567890123456789", "has no commit"),
            (nothing.0.path(), nothing.2[1].as_str(), "nothing to revert"),
            (elsewhere.path(), commits[1].as_str(), "is no Git repository"),
        ] {
            let error = prepare(place, commit).unwrap_err().to_string();
            assert!(error.contains(expected), "{commit}: {error}");
        }
    }
}
