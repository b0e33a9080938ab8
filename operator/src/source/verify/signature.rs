//! One signature: what it claims, and why it is not believed.

use chrono::{DateTime, Utc};

use super::refusal::Reason;
use crate::source::Signed;

/// A signature block, what it signs, and what the object says of its maker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub signed: &'a Signed,
    /// The address of the committer or tagger.
    pub address: &'a str,
    /// When the object says that it was made.
    pub made_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

impl Claim<'_> {
    /// The time that windows of validity are judged at. A time to come is not believed: it would make a key valid early.
    pub(super) fn judged_at(&self) -> DateTime<Utc> {
        self.made_at.min(self.now)
    }
}

/// Why a signature is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignatureError {
    #[error("is not signed")]
    Missing,
    #[error("has a signature of a kind that is not supported (X.509)")]
    Unsupported,
    #[error("has a signature that cannot be read ({0})")]
    Malformed(String),
    #[error("is signed in the namespace {namespace:?}, and commits are signed in \"git\"")]
    Namespace { namespace: String },
    #[error(
        "has a signature by the key {key} that does not fit: it, or what it signs, was changed afterwards"
    )]
    Wrong { key: String },
    #[error("is signed by the unknown key {key}")]
    UnknownKey { key: String },
    #[error("has a signature by a removed key, {key}")]
    RemovedKey { key: String },
    #[error("is signed by the key {key}, which is valid from {from} on")]
    NotYet { key: String, from: DateTime<Utc> },
    #[error("is signed by the key {key}, which was valid until {until}")]
    Expired { key: String, until: DateTime<Utc> },
    #[error("is signed by the key {key}, which was revoked by its owner")]
    Revoked { key: String },
    #[error(
        "is signed by the key {key}, which line {line} of allowed_signers does not allow to sign in \"git\""
    )]
    NotForGit { key: String, line: usize },
    #[error(
        "is signed by the key {key}, which line {line} of allowed_signers does not let stand for {address}"
    )]
    NotFor { key: String, line: usize, address: String },
    #[error("is signed by the key {key}, which is not one for signing")]
    NotForSigning { key: String },
    #[error("is signed with a certificate that is refused: {why}")]
    Certificate { why: String },
    #[error("is signed with {what}, which is no evidence any more")]
    Weak { what: String },
    #[error("has a signature from the future ({at})")]
    Future { at: DateTime<Utc> },
}

impl SignatureError {
    pub(super) fn reason(&self) -> Reason {
        match self {
            SignatureError::Missing => Reason::Unsigned,
            SignatureError::Unsupported | SignatureError::Weak { .. } => Reason::UnsupportedSignature,
            SignatureError::Malformed(_) | SignatureError::Wrong { .. } => Reason::WrongSignature,
            SignatureError::Namespace { .. } => Reason::WrongNamespace,
            SignatureError::UnknownKey { .. } => Reason::UnknownKey,
            SignatureError::RemovedKey { .. } => Reason::RemovedKey,
            SignatureError::NotYet { .. } | SignatureError::Future { .. } => Reason::NotYetValid,
            SignatureError::Expired { .. } => Reason::ExpiredKey,
            SignatureError::Revoked { .. } => Reason::RevokedKey,
            SignatureError::NotForGit { .. }
            | SignatureError::NotFor { .. }
            | SignatureError::NotForSigning { .. } => Reason::NotAllowed,
            SignatureError::Certificate { .. } => Reason::WrongCertificate,
        }
    }

    /// What to do about it.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            SignatureError::Missing => {
                "sign it (git commit --amend -S; git rebase --exec for several) and push again"
            }
            SignatureError::Unsupported | SignatureError::Weak { .. } => {
                "sign again with an ed25519, ecdsa or rsa key of SSH, or with OpenPGP and SHA-2"
            }
            SignatureError::Malformed(_) | SignatureError::Wrong { .. } => {
                "find out who changed it; if nobody did, sign it again"
            }
            SignatureError::Namespace { .. } => {
                "sign with git, not with ssh-keygen -Y sign for something else"
            }
            SignatureError::UnknownKey { .. } => {
                "if the key is a colleague's, add it to the keys of verify.secretRef; if not, find out who pushed it"
            }
            SignatureError::RemovedKey { .. } => {
                "the key is not among those of verify.secretRef any more; have someone whose key is there sign the change"
            }
            SignatureError::NotYet { .. } | SignatureError::Expired { .. } => {
                "sign with a key that is valid, or change its validity where the keys are"
            }
            SignatureError::Revoked { .. } => "sign with a key that is not revoked",
            SignatureError::NotForGit { .. } => {
                "add git to namespaces= of that line, or sign with another key"
            }
            SignatureError::NotFor { .. } => "commit under an address that the line allows",
            SignatureError::NotForSigning { .. } => "sign with a key or subkey that may sign",
            SignatureError::Certificate { .. } => "have a certificate issued that fits, and sign again",
            SignatureError::Future { .. } => "put the clock of the machine that signs right, and sign again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_what_to_do() {
        let (key, at) = (String::from("SHA256:x"), DateTime::UNIX_EPOCH);
        let table = [
            (SignatureError::Missing, "Unsigned"),
            (SignatureError::Unsupported, "UnsupportedSignature"),
            (SignatureError::Malformed("x".to_owned()), "WrongSignature"),
            (SignatureError::Namespace { namespace: "file".to_owned() }, "WrongNamespace"),
            (SignatureError::Wrong { key: key.clone() }, "WrongSignature"),
            (SignatureError::UnknownKey { key: key.clone() }, "UnknownKey"),
            (SignatureError::RemovedKey { key: key.clone() }, "RemovedKey"),
            (SignatureError::NotYet { key: key.clone(), from: at }, "NotYetValid"),
            (SignatureError::Expired { key: key.clone(), until: at }, "ExpiredKey"),
            (SignatureError::Revoked { key: key.clone() }, "RevokedKey"),
            (SignatureError::NotForGit { key: key.clone(), line: 3 }, "NotAllowed"),
            (SignatureError::NotFor { key: key.clone(), line: 3, address: "a@b".to_owned() }, "NotAllowed"),
            (SignatureError::NotForSigning { key }, "NotAllowed"),
            (SignatureError::Certificate { why: "x".to_owned() }, "WrongCertificate"),
            (SignatureError::Weak { what: "x".to_owned() }, "UnsupportedSignature"),
            (SignatureError::Future { at }, "NotYetValid"),
        ];
        for (error, reason) in table {
            assert_eq!(error.reason().as_str(), reason);
            assert!(error.remedy().len() > 20, "{error}");
            let text = error.to_string();
            assert!(text.starts_with("is ") || text.starts_with("has "), "{text}");
        }
    }
}
