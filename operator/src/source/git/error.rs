//! What went wrong with a repository: whose fault it is, what to do, and whether waiting may help.

use git2::{ErrorClass, ErrorCode};

use super::upload_pack::ProtocolError;

/// What went wrong with a repository. Nothing of it ever shows credentials.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The other end does not answer, or not to the end; it may be better next time.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The other end answers that it has too much to do.
    #[error("{0}")]
    Busy(String),
    /// It will stay so until someone changes something; the text says what.
    #[error("{0}")]
    Refused(String),
    /// The other end is not the one that it should be, or nobody can tell.
    #[error("{0}")]
    HostKey(String),
    /// What is followed is not there.
    #[error("there is no {0}; it may have been deleted or renamed")]
    NoReference(String),
    /// A repository without commits, or without a default branch.
    #[error("the repository has no default branch; push a commit, or name a branch")]
    NoDefault,
    /// No tag is within the range.
    #[error(
        "no tag is a version within {range}; {}; push a tag, or widen the range",
        highest.as_ref().map_or("there is none like v1.2.3".to_owned(), |tag| format!("the highest is {tag}"))
    )]
    NoVersion {
        /// The range.
        range: String,
        /// The highest version that there is.
        highest: Option<String>,
    },
    /// The path is not in the commit.
    #[error("there is no {0} in the commit; check the path, or push a commit that has it")]
    NoPath(String),
    /// A commit without a single file.
    #[error(
        "the commit {0} has no files at all, which counts as a mistake; push a commit that has the manifests"
    )]
    Empty(String),
    /// A revision that does not exist.
    #[error("there is no revision {0}; give a branch, a tag, a commit or something like HEAD~1")]
    NoRevision(String),
    /// A commit that the server does not give by its id; the text says what helps.
    #[error("{0}")]
    NotGiven(String),
    /// More than this process takes in.
    #[error("{what} is refused; {remedy}")]
    TooLarge {
        /// What was counted, with its limit.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The repository on this machine is damaged or cannot be used.
    #[error("{0}")]
    Repository(String),
}

impl GitError {
    /// Whether the same attempt may succeed later without anyone doing anything.
    pub fn is_temporary(&self) -> bool {
        matches!(self, GitError::Unreachable(_) | GitError::Busy(_) | GitError::Repository(_))
    }

    /// Something larger than a limit.
    pub(super) fn too_large(what: impl Into<String>, remedy: &'static str) -> GitError {
        GitError::TooLarge { what: what.into(), remedy }
    }

    /// Nothing came for as long as one waits.
    pub(super) fn silent() -> GitError {
        GitError::Unreachable("the server does not answer in time".to_owned())
    }
}

impl From<git2::Error> for GitError {
    fn from(error: git2::Error) -> Self {
        match (error.code(), error.class()) {
            (ErrorCode::Owner, _) => GitError::Refused(
                "the repository belongs to another user; allow it with git config --global --add safe.directory"
                    .to_owned(),
            ),
            (_, ErrorClass::NoMemory) => GitError::too_large(
                "an object that does not fit into memory",
                "take the file out of the branch",
            ),
            _ => GitError::Repository(error.message().to_owned()),
        }
    }
}

impl From<ProtocolError> for GitError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Unadvertised(_) => GitError::NotGiven(error.to_string()),
            _ => GitError::Refused(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_whether_waiting_helps() {
        let text = || "x".to_owned();
        let table = [
            (GitError::Unreachable(text()), true),
            (GitError::Busy(text()), true),
            (GitError::Repository(text()), true),
            (GitError::Refused(text()), false),
            (GitError::HostKey(text()), false),
            (GitError::NoReference(text()), false),
            (GitError::NoDefault, false),
            (GitError::NoVersion { range: text(), highest: None }, false),
            (GitError::NoPath(text()), false),
            (GitError::Empty(text()), false),
            (GitError::NoRevision(text()), false),
            (GitError::NotGiven(text()), false),
            (GitError::too_large("x", "y"), false),
            (ProtocolError::Malformed("x").into(), false),
        ];
        for (error, expected) in table {
            assert_eq!(error.is_temporary(), expected, "{error}");
        }
    }
}
