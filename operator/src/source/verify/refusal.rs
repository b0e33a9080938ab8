//! Why a revision is not taken: a reason for programs, and words for people.

use std::fmt;

/// The reason, as it is shown in conditions and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A commit or tag has no signature.
    Unsigned,
    /// A signature of a kind, or with an algorithm, that is no evidence here.
    UnsupportedSignature,
    /// Damaged, or over something else.
    WrongSignature,
    /// Made for another purpose than Git.
    WrongNamespace,
    /// By a key that was never among the given ones.
    UnknownKey,
    /// By a key that is not among the given ones any more.
    RemovedKey,
    /// By a key that was not valid yet, or from the future.
    NotYetValid,
    /// By a key that was not valid any more.
    ExpiredKey,
    /// By a key that its owner revoked.
    RevokedKey,
    /// By a key that may not sign this.
    NotAllowed,
    /// With an SSH certificate that does not fit.
    WrongCertificate,
    /// The mode asks for a signed tag, and none is followed.
    NoTag,
    /// The signed tag has another name, or names something else.
    WrongTag,
    /// An object is not as Git writes it.
    MalformedObject,
    /// The revision does not follow the last one: rewritten history, or an older commit.
    Rewound,
    /// More commits at once than are checked.
    TooManyCommits,
}

impl Reason {
    /// The word in CamelCase.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Unsigned => "Unsigned",
            Reason::UnsupportedSignature => "UnsupportedSignature",
            Reason::WrongSignature => "WrongSignature",
            Reason::WrongNamespace => "WrongNamespace",
            Reason::UnknownKey => "UnknownKey",
            Reason::RemovedKey => "RemovedKey",
            Reason::NotYetValid => "NotYetValid",
            Reason::ExpiredKey => "ExpiredKey",
            Reason::RevokedKey => "RevokedKey",
            Reason::NotAllowed => "NotAllowed",
            Reason::WrongCertificate => "WrongCertificate",
            Reason::NoTag => "NoTag",
            Reason::WrongTag => "WrongTag",
            Reason::MalformedObject => "MalformedObject",
            Reason::Rewound => "Rewound",
            Reason::TooManyCommits => "TooManyCommits",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A revision that is not taken; what was taken before stays in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The reason.
    pub reason: Reason,
    /// The commit or tag object that it is about.
    pub commit: String,
    /// What is wrong with which commit, and what to do.
    pub message: String,
}

/// Enough of an object's name to find it.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
