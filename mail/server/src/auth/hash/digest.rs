//! Plain and salted digests under Dovecot's and LDAP's `{SCHEME}` prefixes: `{SSHA512}`, `{SSHA}`, `{SHA256}`, … One
//! fast hash protects a password badly; they are read so that accounts can be brought along, and never made.

use sha2::digest as digest_trait;
use subtle::ConstantTimeEq;

use super::{HashError, encoding};

/// Longest salt that is accepted after the digest: LDAP servers use 4 to 16 bytes.
const MAX_SALT_BYTES: usize = 64;

/// Which digest, whether a salt follows it, and how its bytes are written when the prefix does not say.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    name: &'static str,
    function: Function,
    salted: bool,
    hex: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// Every prefix, as Dovecot 2.3 and 2.4 list them.
const KINDS: &[Kind] = &[
    Kind { name: "SSHA512", function: Function::Sha512, salted: true, hex: false },
    Kind { name: "SSHA256", function: Function::Sha256, salted: true, hex: false },
    Kind { name: "SSHA", function: Function::Sha1, salted: true, hex: false },
    Kind { name: "SMD5", function: Function::Md5, salted: true, hex: false },
    Kind { name: "SHA512", function: Function::Sha512, salted: false, hex: false },
    Kind { name: "SHA256", function: Function::Sha256, salted: false, hex: false },
    Kind { name: "SHA1", function: Function::Sha1, salted: false, hex: false },
    Kind { name: "SHA", function: Function::Sha1, salted: false, hex: false },
    Kind { name: "LDAP-MD5", function: Function::Md5, salted: false, hex: false },
    Kind { name: "PLAIN-MD5", function: Function::Md5, salted: false, hex: true },
];

impl Kind {
    /// The kind with this upper-case prefix.
    pub(super) fn named(name: &str) -> Option<Kind> {
        KINDS.iter().find(|kind| kind.name == name).copied()
    }
}

impl Function {
    fn output_bytes(self) -> usize {
        match self {
            Function::Md5 => 16,
            Function::Sha1 => 20,
            Function::Sha256 => 32,
            Function::Sha512 => 64,
        }
    }

    fn compute(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        fn run<D: digest_trait::Digest>(password: &[u8], salt: &[u8]) -> Vec<u8> {
            D::new().chain_update(password).chain_update(salt).finalize().to_vec()
        }
        match self {
            Function::Md5 => run::<md5::Md5>(password, salt),
            Function::Sha1 => run::<sha1::Sha1>(password, salt),
            Function::Sha256 => run::<sha2::Sha256>(password, salt),
            Function::Sha512 => run::<sha2::Sha512>(password, salt),
        }
    }
}

/// A digest and the salt that follows it (empty when the scheme has none).
pub(super) struct Digest {
    function: Function,
    digest: Vec<u8>,
    salt: Vec<u8>,
}

impl Digest {
    pub(super) fn parse(kind: Kind, suffix: Option<&str>, body: &str) -> Result<Self, HashError> {
        let malformed = |what| HashError::Malformed { scheme: kind.name, what };
        let encoding = suffix.unwrap_or(if kind.hex { "HEX" } else { "B64" });
        let mut digest = encoding::bytes(encoding, body).ok_or(malformed("not in its encoding"))?;
        let length = kind.function.output_bytes();
        if digest.len() < length || digest.len() > length + MAX_SALT_BYTES {
            return Err(malformed("wrong length"));
        }
        let salt = digest.split_off(length);
        if salt.is_empty() == kind.salted {
            return Err(malformed("wrong length"));
        }
        Ok(Digest { function: kind.function, digest, salt })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        self.function.compute(password, &self.salt).ct_eq(&self.digest).into()
    }
}
