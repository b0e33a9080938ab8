//! Stored passwords: reading every hash format an account may bring along, checking a password against it, and making
//! new ones (argon2id, OWASP's 19 MiB / 2 / 1).
//!
//! Reads PHC strings (`$argon2id$…`, `$scrypt$…`, `$pbkdf2-sha256$…`), crypt(3) strings (`$2b$…`, `$5$…`, `$6$…`,
//! `$1$…`), passlib's bcrypt over SHA-256 (`$bcrypt-sha256$…`, which Mailu makes) and Dovecot's `{SCHEME}` prefixes with their `.HEX` and `.B64` encodings. Leaves out DES-CRYPT, whose
//! eight significant characters nobody should rely on, and everything that stores the password in clear.
//! Secrets are compared in constant time everywhere.

mod argon;
mod crypt;
mod digest;
mod encoding;
mod phc;
mod scram;

/// Longest password that is looked at. SHA-crypt's work grows with the square of the length, so an unbounded password
/// is a way to burn the server's CPU before login; 1 KiB is far beyond any passphrase.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Longest stored hash that is parsed: the longest real one (SCRAM or SSHA512 in hex) is below 400 bytes.
pub const MAX_HASH_BYTES: usize = 1024;

/// Most memory one verification may take: argon2 and scrypt strings name their own price, and a manifest must not be
/// able to name all of the machine's memory.
const MAX_MEMORY_BYTES: u64 = 256 * 1024 * 1024;

/// A stored password that could be parsed, ready to be compared.
pub struct PasswordHash {
    scheme: Scheme,
}

enum Scheme {
    Argon2(Box<argon::Argon>),
    Scrypt(phc::Scrypt),
    Pbkdf2(phc::Pbkdf2),
    Bcrypt(crypt::Bcrypt),
    ShaCrypt(crypt::ShaCrypt),
    Md5Crypt(crypt::Md5Crypt),
    Digest(digest::Digest),
    Scram(scram::Scram),
}

/// Why a stored password is not usable, or a new one could not be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HashError {
    /// The prefix names nothing this server knows.
    #[error("unknown password scheme {0}; use argon2id (`mailwright passwd` makes one)")]
    UnknownScheme(String),
    /// The scheme is known but the rest does not parse.
    #[error(
        "malformed {scheme} hash: {what}; copy the whole hash once more, make a new one with `openssl passwd -6`, or give the \
         password itself in a Secret (credentials.secretRef)"
    )]
    Malformed {
        /// The scheme's name.
        scheme: &'static str,
        /// The part that is wrong.
        what: &'static str,
    },
    /// The parameters ask for more memory or time than one login may cost.
    #[error("{scheme} hash is too expensive: {what}; hash the password again with smaller parameters")]
    TooExpensive {
        /// The scheme's name.
        scheme: &'static str,
        /// The limit it exceeds.
        what: &'static str,
    },
    /// `{PLAIN}` and friends.
    #[error("a password in clear is not a hash; put it into a Secret and name that in credentials.secretRef")]
    Cleartext,
    /// The new password is longer than [`MAX_PASSWORD_BYTES`].
    #[error("the password is longer than {MAX_PASSWORD_BYTES} bytes; choose a shorter one")]
    PasswordTooLong,
    /// The new password is empty.
    #[error("the password is empty; choose one")]
    PasswordEmpty,
    /// The hash function refused or the system gave no random numbers.
    #[error("hashing failed; look whether the system's random source works")]
    Failed,
}

/// Gives back what memory this thread keeps for the next computation.
pub(super) fn release_memory() {
    argon::release();
}

impl PasswordHash {
    /// Parses a stored password of any accepted format.
    ///
    /// # Errors
    /// When the scheme is unknown, refused, malformed or would cost too much to verify.
    pub fn parse(stored: &str) -> Result<PasswordHash, HashError> {
        if stored.len() > MAX_HASH_BYTES {
            return Err(HashError::Malformed { scheme: "password", what: "longer than 1024 bytes" });
        }
        let scheme = match stored.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((prefix, body)) => prefixed(prefix, body)?,
            None => modular(stored)?,
        };
        Ok(PasswordHash { scheme })
    }

    /// Whether it is what [`hash_password`] would make today, or costs a thief as much.
    #[must_use]
    pub fn is_current(&self) -> bool {
        matches!(&self.scheme, Scheme::Argon2(hash) if hash.is_current())
    }

    /// The scheme's name, for people.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match &self.scheme {
            Scheme::Argon2(hash) if hash.is_id() => "argon2id",
            Scheme::Argon2(_) => "argon2i",
            Scheme::Scrypt(_) => "scrypt",
            Scheme::Pbkdf2(_) => "pbkdf2",
            Scheme::Bcrypt(_) => "bcrypt",
            Scheme::ShaCrypt(hash) if hash.is_512() => "sha512-crypt",
            Scheme::ShaCrypt(_) => "sha256-crypt",
            Scheme::Md5Crypt(_) => "md5-crypt",
            Scheme::Digest(_) => "digest",
            Scheme::Scram(_) => "scram",
        }
    }

    /// Whether `password` is the one this hash was made of. Slow on purpose: call it on a blocking thread.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        if password.len() > MAX_PASSWORD_BYTES {
            return false;
        }
        match &self.scheme {
            Scheme::Argon2(hash) => hash.verify(password),
            Scheme::Scrypt(hash) => hash.verify(password),
            Scheme::Pbkdf2(hash) => hash.verify(password),
            Scheme::Bcrypt(hash) => hash.verify(password),
            Scheme::ShaCrypt(hash) => hash.verify(password),
            Scheme::Md5Crypt(hash) => hash.verify(password),
            Scheme::Digest(hash) => hash.verify(password),
            Scheme::Scram(hash) => hash.verify(password),
        }
    }
}

/// Hashes a new password with argon2id (19 MiB, two passes, one lane) into a PHC string.
///
/// # Errors
/// When the password is empty or longer than [`MAX_PASSWORD_BYTES`], or no random salt is to be had.
pub fn hash_password(password: &[u8]) -> Result<String, HashError> {
    match password.len() {
        0 => return Err(HashError::PasswordEmpty),
        length if length > MAX_PASSWORD_BYTES => return Err(HashError::PasswordTooLong),
        _ => {}
    }
    argon::make(password)
}

/// `{SCHEME}body` and `{SCHEME.ENCODING}body` as Dovecot writes them; scheme names are case-insensitive.
fn prefixed(prefix: &str, body: &str) -> Result<Scheme, HashError> {
    let prefix = prefix.to_ascii_uppercase();
    let (name, encoding) = match prefix.split_once('.') {
        Some((name, encoding)) => (name, Some(encoding)),
        None => (prefix.as_str(), None),
    };
    if let Some(kind) = digest::Kind::named(name) {
        return digest::Digest::parse(kind, encoding, body).map(Scheme::Digest);
    }
    let text = encoding::text(encoding, body)?;
    match name {
        "PLAIN" | "CLEAR" | "CLEARTEXT" | "PLAIN-TRUNC" => Err(HashError::Cleartext),
        "PBKDF2" => phc::Pbkdf2::parse_dovecot(&text).map(Scheme::Pbkdf2),
        "SCRAM-SHA-1" => scram::Scram::parse(scram::Kind::Sha1, &text).map(Scheme::Scram),
        "SCRAM-SHA-256" => scram::Scram::parse(scram::Kind::Sha256, &text).map(Scheme::Scram),
        // The rest are crypt(3) strings that name themselves; the prefix must not contradict them.
        "CRYPT" => modular(&text),
        "ARGON2I" | "ARGON2ID" | "BLF-CRYPT" | "SHA256-CRYPT" | "SHA512-CRYPT" | "MD5-CRYPT" | "MD5" => {
            let scheme = modular(&text)?;
            if scheme.dovecot_names().contains(&name) {
                Ok(scheme)
            } else {
                Err(HashError::Malformed {
                    scheme: "{SCHEME}",
                    what: "the hash is of another scheme than its prefix",
                })
            }
        }
        _ => Err(HashError::UnknownScheme(format!("{{{}}}", shorten(name)))),
    }
}

impl Scheme {
    /// The Dovecot prefixes under which this crypt(3) string may stand.
    fn dovecot_names(&self) -> &'static [&'static str] {
        match self {
            Scheme::Argon2(hash) if hash.is_id() => &["ARGON2ID"],
            Scheme::Argon2(_) => &["ARGON2I"],
            Scheme::Bcrypt(_) => &["BLF-CRYPT"],
            Scheme::ShaCrypt(hash) if hash.is_512() => &["SHA512-CRYPT"],
            Scheme::ShaCrypt(_) => &["SHA256-CRYPT"],
            Scheme::Md5Crypt(_) => &["MD5-CRYPT", "MD5"],
            Scheme::Scrypt(_) | Scheme::Pbkdf2(_) | Scheme::Digest(_) | Scheme::Scram(_) => &[],
        }
    }
}

/// `$id$…`: PHC strings and crypt(3)'s.
fn modular(stored: &str) -> Result<Scheme, HashError> {
    let id = stored.strip_prefix('$').and_then(|rest| rest.split('$').next()).unwrap_or_default();
    match id {
        "argon2id" | "argon2i" | "argon2d" => argon::Argon::parse(stored).map(Box::new).map(Scheme::Argon2),
        "scrypt" => phc::Scrypt::parse(stored).map(Scheme::Scrypt),
        "pbkdf2" | "pbkdf2-sha1" | "pbkdf2-sha256" | "pbkdf2-sha512" => {
            phc::Pbkdf2::parse(stored).map(Scheme::Pbkdf2)
        }
        "2a" | "2b" | "2y" => crypt::Bcrypt::parse(stored).map(Scheme::Bcrypt),
        "bcrypt-sha256" => crypt::Bcrypt::parse_sha256(stored).map(Scheme::Bcrypt),
        "5" | "6" => crypt::ShaCrypt::parse(stored).map(Scheme::ShaCrypt),
        "1" | "apr1" => crypt::Md5Crypt::parse(stored).map(Scheme::Md5Crypt),
        "" => Err(HashError::UnknownScheme("(none: neither $id$ nor {SCHEME})".to_owned())),
        other => Err(HashError::UnknownScheme(format!("${}$", shorten(other)))),
    }
}

/// The scheme's name as far as it may be a name: never enough of the string to leak a secret into an error.
fn shorten(name: &str) -> String {
    name.chars().take(16).filter(char::is_ascii_graphic).collect()
}

#[cfg(test)]
mod tests;
