//! Password hashes in manifests: which formats may stand there. Only the outer form is checked here; verifying a password
//! is mail/server's. A plain password is refused, and no message ever quotes the value.

use std::fmt;

use crate::scalar::{Refusal, Scalar, scalar_traits};

/// A password hash in PHC, crypt or `{SCHEME}` form. Its `Debug` shows the scheme only.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash itself, for verifying and storing; never for logs.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What kind of hash it is: `argon2id`, `2y`, `6`, `SSHA512`.
    pub fn scheme(&self) -> &str {
        split(&self.0).map_or("", |(scheme, _)| scheme)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({}, …)", self.scheme())
    }
}

/// The identifiers of the PHC and crypt forms, between the first two dollar signs: what mail/server verifies.
pub const IDENTIFIERS: [&str; 16] = [
    "argon2id",
    "argon2i",
    "argon2d",
    "scrypt",
    "pbkdf2",
    "pbkdf2-sha1",
    "pbkdf2-sha256",
    "pbkdf2-sha512",
    "2a",
    "2b",
    "2y",
    "bcrypt-sha256",
    "6",
    "5",
    "1",
    "apr1",
];

/// The schemes of the `{SCHEME}` form that mail/server verifies; those that hold the password itself are not among them.
pub const SCHEMES: [&str; 21] = [
    "ARGON2ID",
    "ARGON2I",
    "BLF-CRYPT",
    "CRYPT",
    "SHA512-CRYPT",
    "SHA256-CRYPT",
    "MD5-CRYPT",
    "MD5",
    "PBKDF2",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "SSHA512",
    "SSHA256",
    "SSHA",
    "SMD5",
    "SHA512",
    "SHA256",
    "SHA1",
    "SHA",
    "LDAP-MD5",
    "PLAIN-MD5",
];

impl Scalar for PasswordHash {
    const WHAT: &'static str = "a password hash";
    const PATTERN: &'static str = "^(\\$(argon2id|argon2i|argon2d|scrypt|pbkdf2|pbkdf2-sha1|pbkdf2-sha256|pbkdf2-sha512|2a|2b|2y|bcrypt-sha256|6|5|1|apr1)\\$[!-~]+|\\{(ARGON2ID|ARGON2I|BLF-CRYPT|CRYPT|SHA512-CRYPT|SHA256-CRYPT|MD5-CRYPT|MD5|PBKDF2|SCRAM-SHA-256|SCRAM-SHA-1|SSHA512|SSHA256|SSHA|SMD5|SHA512|SHA256|SHA1|SHA|LDAP-MD5|PLAIN-MD5)(\\.(B64|HEX|b64|hex))?\\}[!-~]+)$";
    const MAX_LENGTH: u32 = 512;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<PasswordHash, Refusal> {
        if text.chars().count() > Self::MAX_LENGTH as usize {
            return Err(Refusal::new(format!("a password hash has at most {} characters", Self::MAX_LENGTH)));
        }
        let Some((scheme, rest)) = split(text) else {
            return Err(Refusal::new("the value is not a password hash (it is not shown)").remedy(
                "make a hash with `openssl passwd -6`, or put the password into a Secret and use secretRef",
            ));
        };
        let known = match text.starts_with('$') {
            true => IDENTIFIERS.contains(&scheme),
            false => SCHEMES.contains(&bare(scheme)),
        };
        if !known {
            return Err(Refusal::new("the scheme of the password hash is not supported (it is not shown)").remedy(
                "use argon2id, scrypt, pbkdf2, bcrypt ($2b$), SHA-512-crypt ($6$) or a scheme like {SSHA512}, in capitals",
            ));
        }
        if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal::new("the password hash is empty or has spaces or control characters in it")
                .remedy("copy the whole hash, on one line"));
        }
        Ok(PasswordHash(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(PasswordHash, secret);

/// Scheme and hash.
fn split(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('$') {
        Some(rest) => rest.split_once('$'),
        None => text.strip_prefix('{')?.split_once('}'),
    }
}

/// A scheme without its encoding suffix.
fn bare(scheme: &str) -> &str {
    let encodings = [".b64", ".hex", ".B64", ".HEX"];
    encodings.iter().find_map(|encoding| scheme.strip_suffix(encoding)).unwrap_or(scheme)
}
