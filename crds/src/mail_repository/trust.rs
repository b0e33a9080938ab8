//! Who is believed: signatures that a revision needs, and the keys that open its encrypted files.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::mail_server::SecretName;
use crate::words::{words, words_schema};

/// Whose signatures a revision needs.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verify {
    /// What must be signed.
    #[serde(default)]
    pub mode: VerifyMode,
    /// A Secret in the same namespace with the keys that are believed: allowed_signers as ssh-keygen reads it, and any number of
    /// keys that end in .asc with OpenPGP public keys.
    pub secret_ref: SecretName,
}

words! {
    /// What must be signed.
    VerifyMode = Range {
        /// The commit that is applied.
        Head as "HEAD",
        /// The annotated tag that names it.
        Tag,
        /// The tag and the commit.
        TagAndHead as "TagAndHEAD",
        /// Every commit since the last one that was verified.
        Range,
    }
}
words_schema!(closed VerifyMode);

/// How encrypted files of a repository are read.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decryption {
    /// What encrypted them.
    #[serde(default)]
    pub provider: DecryptionProvider,
    /// A Secret in the same namespace whose keys that end in .agekey are age identities.
    pub secret_ref: SecretName,
}

words! {
    /// What encrypted the files of a repository.
    DecryptionProvider = Sops {
        /// The program sops, for age keys.
        Sops as "SOPS",
    }
}
words_schema!(closed DecryptionProvider);
