//! The keys that are believed, as a Secret holds them: `allowed_signers` and any number of `*.asc`.

use std::collections::BTreeMap;
use std::fmt;

use pgp::composed::SignedPublicKey;

use super::allowed_signers::{self, Entry, LineError};
use super::openpgp::{self, KeyFileError};
use super::signature::{Claim, SignatureError};
use super::ssh;
use crate::source::Signer;

/// The key of the Secret with SSH keys.
pub const ALLOWED_SIGNERS: &str = "allowed_signers";
/// The end of keys of the Secret with OpenPGP public keys.
pub const OPENPGP_SUFFIX: &str = ".asc";

/// Keys of SSH and OpenPGP that are believed. Public keys, so nothing in here is secret.
#[derive(Clone, Default)]
pub struct Keys {
    ssh: Vec<Entry>,
    openpgp: Vec<SignedPublicKey>,
}

/// Why keys cannot be read. Nothing is verified with a part of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// There is none.
    #[error(
        "there is no key to verify with; give allowed_signers, or OpenPGP public keys in keys that end in .asc"
    )]
    None,
    /// A line of the allowed signers is wrong.
    #[error("allowed_signers, {0}; put it right, or take the line out")]
    AllowedSigners(LineError),
    /// A file of OpenPGP keys is wrong.
    #[error("{file}: {error}")]
    OpenPgp {
        /// The key of the Secret.
        file: String,
        /// What is wrong with it.
        error: KeyFileError,
    },
}

impl Keys {
    /// Reads the data of a Secret; other keys of it are left alone.
    pub fn parse(data: &BTreeMap<String, Vec<u8>>) -> Result<Keys, KeysError> {
        let mut keys = Keys::default();
        if let Some(file) = data.get(ALLOWED_SIGNERS) {
            keys.ssh = allowed_signers::parse(file).map_err(KeysError::AllowedSigners)?;
        }
        for (file, bytes) in data.iter().filter(|(file, _)| file.ends_with(OPENPGP_SUFFIX)) {
            let found = openpgp::parse(bytes);
            keys.openpgp.extend(found.map_err(|error| KeysError::OpenPgp { file: file.clone(), error })?);
        }
        if keys.ssh.is_empty() && keys.openpgp.is_empty() { Err(KeysError::None) } else { Ok(keys) }
    }

    /// The fingerprints of all keys. Whoever keeps them can tell a removed key from one that was never there.
    pub fn fingerprints(&self) -> Vec<String> {
        let ssh = self.ssh.iter().map(Entry::fingerprint);
        let mut all: Vec<String> = ssh.chain(openpgp::fingerprints(&self.openpgp)).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Who made a signature; `former` are fingerprints of keys that were believed once.
    pub(super) fn check(&self, claim: &Claim<'_>, former: &[String]) -> Result<Signer, SignatureError> {
        let armour = claim.signed.signature.as_slice();
        let checked = if armour.starts_with(b"-----BEGIN SSH SIGNATURE-----") {
            ssh::check(&self.ssh, claim)
        } else if armour.starts_with(b"-----BEGIN PGP ") {
            openpgp::check(&self.openpgp, claim)
        } else if armour.starts_with(b"-----BEGIN SIGNED MESSAGE-----") {
            Err(SignatureError::Unsupported)
        } else {
            Err(SignatureError::Malformed("it is none of Git's".to_owned()))
        };
        checked.map_err(|error| match error {
            SignatureError::UnknownKey { key } if former.contains(&key) => SignatureError::RemovedKey { key },
            other => other,
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({} SSH, {} OpenPGP)", self.ssh.len(), self.openpgp.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_cannot_be_read_are_named() {
        let data = |file: &str, text: &str| BTreeMap::from([(file.to_owned(), text.as_bytes().to_vec())]);
        let none = "there is no key to verify with; give allowed_signers, or OpenPGP public keys in keys that end in .asc";
        let table = [
            (BTreeMap::new(), none),
            (data("known_hosts", "x"), none),
            (data("allowed_signers", "# nobody\n"), none),
            (
                data("allowed_signers", "\nalice\n"),
                "allowed_signers, line 2: there is no key behind the principals and options; put it right, or take the line out",
            ),
            (
                data("bob.asc", "hello"),
                "bob.asc: there is no armoured public key in it (gpg --armor --export ADDRESS writes one)",
            ),
            (
                data("bob.asc", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"),
                "bob.asc: it holds a private key; give public keys only (gpg --armor --export), and consider that one as known to others",
            ),
        ];
        for (data, expected) in table {
            assert_eq!(Keys::parse(&data).unwrap_err().to_string(), expected);
        }
        let damaged = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n";
        let error = Keys::parse(&data("bob.asc", damaged)).unwrap_err().to_string();
        assert!(error.starts_with("bob.asc: key 1 cannot be read: "), "{error}");
    }
}
