//! Why an attempt ended before anything was planned, as a condition of the MailRepository: aspect, reason, message with the
//! next step. One table from the errors of the parts.

use mailwright_crds::{ConditionType, Reason};

use crate::source::verify::{self, KeysError, LastError};
use crate::source::{CredentialsError, GitError, KeyError, ReferenceError, SourceError};

/// Why a revision was not taken; what was taken before stays in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// The aspect that fails: SourceReady or Verified, or Ready where it is none of these.
    pub aspect: ConditionType,
    /// The reason.
    pub reason: Reason,
    /// What is wrong and what to do, without secrets.
    pub message: String,
    /// Whether the same attempt may succeed later without anybody doing anything.
    pub temporary: bool,
    /// The revision that was refused, when one was found.
    pub revision: Option<String>,
}

impl Trouble {
    /// Something that stays until somebody changes it.
    pub fn lasting(aspect: ConditionType, reason: Reason, message: impl Into<String>) -> Trouble {
        Trouble { aspect, reason, message: message.into(), temporary: false, revision: None }
    }

    /// Names the revision that was refused.
    pub fn of(mut self, revision: &str) -> Trouble {
        self.revision = Some(revision.to_owned());
        self
    }

    /// Of something beside what is followed: the source itself can be read.
    pub fn beside(self) -> Trouble {
        Trouble { aspect: ConditionType::Ready, ..self }
    }

    fn source(reason: Reason, message: impl Into<String>) -> Trouble {
        Trouble::lasting(ConditionType::SourceReady, reason, message)
    }

    /// A Secret that is not there.
    pub fn no_secret(namespace: &str, name: &str, what: &str) -> Trouble {
        let message = format!("Secret {namespace}/{name} does not exist; make it, with {what}");
        Trouble::source(Reason::SecretNotFound, message)
    }

    /// A Secret that cannot be used.
    pub fn secret(namespace: &str, name: &str, error: &CredentialsError) -> Trouble {
        let reason = match error {
            CredentialsError::Nothing | CredentialsError::Lone(..) => Reason::SecretKeyNotFound,
            CredentialsError::Both(..) | CredentialsError::NotText(_) | CredentialsError::Proxy => {
                Reason::SecretInvalid
            }
        };
        Trouble::source(reason, format!("Secret {namespace}/{name}: {error}"))
    }

    /// Keys that signatures cannot be verified with.
    pub fn keys(namespace: &str, name: &str, error: &KeysError) -> Trouble {
        let reason = match error {
            KeysError::None => Reason::SecretKeyNotFound,
            KeysError::AllowedSigners(_) | KeysError::OpenPgp { .. } => Reason::SecretInvalid,
        };
        Trouble::source(reason, format!("Secret {namespace}/{name}: {error}"))
    }

    /// Keys that encrypted files cannot be opened with.
    pub fn age_keys(namespace: &str, name: &str, error: &KeyError) -> Trouble {
        Trouble::source(Reason::SecretInvalid, format!("Secret {namespace}/{name}: {error}"))
    }

    /// A revision without a manifest.
    pub fn empty(revision: &str, path: Option<&str>) -> Trouble {
        let place = path.map_or("it".to_owned(), |path| format!("its path {path}"));
        Trouble::source(
            Reason::SourceEmpty,
            format!(
                "{revision} has no manifest in {place}, which is never taken for the wish to remove everything; check path and \
                 branch, or push a commit with manifests; the last state stays in force"
            ),
        )
        .of(revision)
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Trouble {
        let reason = match &error {
            SourceError::Root { .. } => Reason::FetchFailed,
            SourceError::Location { .. } => Reason::Invalid,
            SourceError::Limit { .. } => Reason::LimitExceeded,
            SourceError::Git { error, .. } => of_git(error),
        };
        let aspect =
            if reason == Reason::Invalid { ConditionType::Ready } else { ConditionType::SourceReady };
        Trouble { temporary: error.is_temporary(), ..Trouble::lasting(aspect, reason, error.to_string()) }
    }
}

fn of_git(error: &GitError) -> Reason {
    match error {
        GitError::Unreachable(_) | GitError::Busy(_) | GitError::Repository(_) => Reason::FetchFailed,
        // What a server refuses is nearly always the login; the message has its words.
        GitError::Refused(_) => Reason::AuthenticationFailed,
        GitError::HostKey(_) => Reason::HostUntrusted,
        GitError::NoReference(_)
        | GitError::NoDefault
        | GitError::NoVersion { .. }
        | GitError::NoRevision(_)
        | GitError::NotGiven(_) => Reason::RefNotFound,
        GitError::NoPath(_) | GitError::Empty(_) => Reason::SourceEmpty,
        GitError::TooLarge { .. } => Reason::LimitExceeded,
    }
}

impl From<verify::Refused> for Trouble {
    fn from(refused: verify::Refused) -> Trouble {
        use verify::Reason as V;
        let reason = match refused.reason {
            V::Unsigned | V::NoTag => Reason::SignatureMissing,
            V::Rewound | V::TooManyCommits => Reason::RevisionRewound,
            _ => Reason::SignatureInvalid,
        };
        Trouble::lasting(
            ConditionType::Verified,
            reason,
            format!("{}; the last state stays in force", refused.message),
        )
    }
}

impl From<LastError> for Trouble {
    fn from(error: LastError) -> Trouble {
        Trouble::lasting(ConditionType::Verified, Reason::RevisionRewound, error.to_string())
    }
}

impl From<ReferenceError> for Trouble {
    fn from(error: ReferenceError) -> Trouble {
        Trouble::lasting(ConditionType::Ready, Reason::Invalid, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_git_has_a_reason_and_says_what_to_do() {
        let text = || "x; do y".to_owned();
        for (error, reason, temporary) in [
            (GitError::Unreachable(text()), Reason::FetchFailed, true),
            (GitError::Busy(text()), Reason::FetchFailed, true),
            (GitError::Refused(text()), Reason::AuthenticationFailed, false),
            (GitError::HostKey(text()), Reason::HostUntrusted, false),
            (GitError::NoReference("branch main".into()), Reason::RefNotFound, false),
            (GitError::NoDefault, Reason::RefNotFound, false),
            (GitError::NotGiven(text()), Reason::RefNotFound, false),
            (
                GitError::NoVersion { range: "^2".into(), highest: Some("v1.0.0".into()) },
                Reason::RefNotFound,
                false,
            ),
            (GitError::NoRevision("x".into()), Reason::RefNotFound, false),
            (GitError::NoPath("mail".into()), Reason::SourceEmpty, false),
            (GitError::Empty("main".into()), Reason::SourceEmpty, false),
            (
                GitError::TooLarge { what: "a file".into(), remedy: "take it out" },
                Reason::LimitExceeded,
                false,
            ),
            (GitError::Repository(text()), Reason::FetchFailed, true),
        ] {
            let trouble =
                Trouble::from(SourceError::Git { location: "https://git.example.test/x".into(), error });
            assert_eq!(
                (trouble.aspect, trouble.reason, trouble.temporary),
                (ConditionType::SourceReady, reason, temporary)
            );
            assert!(trouble.message.contains("the last state stays in force"), "{trouble}");
        }
    }

    #[test]
    fn refused_revisions_are_about_verification() {
        use verify::Reason as V;
        for (reason, expected) in [
            (V::Unsigned, Reason::SignatureMissing),
            (V::NoTag, Reason::SignatureMissing),
            (V::Rewound, Reason::RevisionRewound),
            (V::TooManyCommits, Reason::RevisionRewound),
            (V::UnknownKey, Reason::SignatureInvalid),
            (V::RemovedKey, Reason::SignatureInvalid),
            (V::WrongSignature, Reason::SignatureInvalid),
        ] {
            let refused =
                verify::Refused { reason, commit: "0f".into(), message: "commit 0f; sign it".into() };
            let trouble = Trouble::from(refused).of("main@sha1:0f");
            assert_eq!(
                (trouble.aspect, trouble.reason, trouble.temporary),
                (ConditionType::Verified, expected, false)
            );
            assert_eq!(trouble.revision.as_deref(), Some("main@sha1:0f"));
        }
        let empty = Trouble::empty("main@sha1:0f", Some("mail"));
        assert_eq!(empty.reason, Reason::SourceEmpty);
        assert!(empty.message.contains("its path mail") && empty.message.contains("check path"), "{empty}");
    }

    #[test]
    fn secrets_are_named_and_never_shown() {
        for (error, reason) in [
            (CredentialsError::Nothing, Reason::SecretKeyNotFound),
            (CredentialsError::Lone("identity", "known_hosts"), Reason::SecretKeyNotFound),
            (CredentialsError::Both("identity", "bearerToken"), Reason::SecretInvalid),
            (CredentialsError::NotText("username"), Reason::SecretInvalid),
            (CredentialsError::Proxy, Reason::SecretInvalid),
        ] {
            let trouble = Trouble::secret("mail", "git", &error);
            assert_eq!(trouble.reason, reason, "{trouble}");
            assert!(trouble.message.starts_with("Secret mail/git: "), "{trouble}");
        }
        assert_eq!(Trouble::keys("mail", "signers", &KeysError::None).reason, Reason::SecretKeyNotFound);
        assert_eq!(
            Trouble::no_secret("mail", "git", "username and password").message,
            "Secret mail/git does not exist; make it, with username and password"
        );
    }
}
