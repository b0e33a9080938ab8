//! What a source is opened with: what of it is followed, and the credentials for it, given as values.
//!
//! Owns the ways to name a revision and the keys of Secrets that hold credentials. It leaves out using them (`git`).
//! Nothing in here shows a secret: not `Debug`, not an error.

mod credentials;
mod reference;

use std::path::PathBuf;
use std::time::Duration;

pub use credentials::{Credentials, CredentialsError, HttpCredentials, Proxy, SshCredentials};
pub use reference::{CommitId, Reference, ReferenceError};

use super::Decryption;

/// What a source is opened with; everything but `cache` may stay at its default.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What to follow; anything but the default makes a local path a Git source.
    pub reference: Reference,
    /// Only manifests below this path of the repository or directory are read.
    pub path: Option<String>,
    /// The namespace of objects of a repository that name none; `default` when absent.
    pub namespace: Option<String>,
    /// Directory for the bare caches of remote repositories (`data/git`). Whoever shares it can read what was fetched
    /// with the credentials of another, so owners that do not trust each other have one each.
    pub cache: PathBuf,
    /// What the server and the way to it ask for.
    pub credentials: Credentials,
    /// One conversation with the server from beginning to end, and the longest silence within it; ten minutes and a
    /// minute when absent.
    pub timeout: Option<Duration>,
    /// PEM file of certificate authorities besides the system's; `GIT_SSL_CAINFO` when absent.
    pub ca_file: Option<PathBuf>,
    /// Shell command to use for ssh without an identity; `GIT_SSH_COMMAND`, then plain `ssh`, when absent.
    pub ssh_command: Option<String>,
    /// The keys for manifests that are encrypted by SOPS.
    pub decryption: Decryption,
}
