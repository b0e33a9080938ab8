//! crypt(3) strings: bcrypt (`$2b$`, and passlib's `$bcrypt-sha256$`), SHA-crypt (`$5$`, `$6$`) and, for accounts brought along from old servers,
//! MD5-crypt (`$1$`, Apache's `$apr1$`). Leaves out DES-CRYPT, `$2x$` (a known broken variant), yescrypt.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest, Md5};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::HashError;
use sha_crypt::PasswordVerifier;

/// Highest bcrypt cost: 2^16 rounds take about four seconds; the usual cost is 10 to 12.
const MAX_BCRYPT_COST: u32 = 16;
/// Fewest and most SHA-crypt rounds: the algorithm's own minimum, and about three seconds of CPU.
const SHA_CRYPT_ROUNDS: std::ops::RangeInclusive<u32> = 1_000..=5_000_000;
/// Longest SHA-crypt salt: what the algorithm uses.
const MAX_SHA_CRYPT_SALT: usize = 16;
/// Longest MD5-crypt salt: what the algorithm uses.
const MAX_MD5_CRYPT_SALT: usize = 8;
/// crypt(3)'s base64 alphabet, least significant six bits first.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A bcrypt string. Passwords count up to their 72nd byte, as everywhere with bcrypt.
pub(super) struct Bcrypt {
    text: String,
    digest: Digested,
}

/// What bcrypt is given.
enum Digested {
    /// The password itself.
    Not,
    /// The base64 of its SHA-256.
    Sha256,
    /// The base64 of its HMAC-SHA-256, whose key is the salt as text.
    Hmac { salt: String },
}

impl Bcrypt {
    pub(super) fn parse(stored: &str) -> Result<Self, HashError> {
        Self::of(stored.to_owned(), Digested::Not)
    }

    /// passlib's bcrypt_sha256, in which long passwords count whole: `$bcrypt-sha256$v=2,t=2b,r=12$salt$digest`, and before
    /// passlib 1.7.3 `$bcrypt-sha256$2b,12$salt$digest`, where the HMAC was a plain digest.
    pub(super) fn parse_sha256(stored: &str) -> Result<Self, HashError> {
        let malformed = HashError::Malformed {
            scheme: "bcrypt-sha256",
            what: "expected $bcrypt-sha256$v=2,t=2b,r=nn$, a salt of 22 and a digest of 31 characters",
        };
        let fields: Vec<&str> = stored.split('$').collect();
        let ["", "bcrypt-sha256", parameters, salt, digest] = fields[..] else { return Err(malformed) };
        let (variant, cost, digested) = match parameters.split(',').collect::<Vec<&str>>()[..] {
            ["v=2", "t=2b", cost] => {
                ("2b", cost.strip_prefix("r="), Digested::Hmac { salt: salt.to_owned() })
            }
            [variant @ ("2a" | "2b"), cost] => (variant, Some(cost), Digested::Sha256),
            _ => return Err(malformed),
        };
        let cost: Option<u32> = cost.and_then(|cost| cost.parse().ok());
        match (cost, salt.len(), digest.len()) {
            (Some(cost @ 0..100), 22, 31) => {
                Self::of(format!("${variant}${cost:02}${salt}{digest}"), digested)
            }
            _ => Err(malformed),
        }
    }

    fn of(text: String, digest: Digested) -> Result<Self, HashError> {
        let malformed = HashError::Malformed { scheme: "bcrypt", what: "expected $2b$nn$ and 53 characters" };
        let parts: bcrypt::HashParts = text.parse().map_err(|_| malformed)?;
        match parts.get_cost() {
            4..=MAX_BCRYPT_COST => Ok(Bcrypt { text, digest }),
            0..4 => Err(HashError::Malformed { scheme: "bcrypt", what: "cost is below 4" }),
            _ => Err(HashError::TooExpensive { scheme: "bcrypt", what: "cost is above 16" }),
        }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let digested = match &self.digest {
            Digested::Not => return bcrypt::verify(password, &self.text).unwrap_or(false),
            Digested::Sha256 => Sha256::digest(password),
            Digested::Hmac { salt } => match Hmac::<Sha256>::new_from_slice(salt.as_bytes()) {
                Ok(mac) => mac.chain_update(password).finalize().into_bytes(),
                // An HMAC takes keys of any length.
                Err(_) => return false,
            },
        };
        bcrypt::verify(STANDARD.encode(digested), &self.text).unwrap_or(false)
    }
}

/// A SHA-256-crypt or SHA-512-crypt string.
pub(super) struct ShaCrypt(String);

impl ShaCrypt {
    pub(super) fn parse(stored: &str) -> Result<Self, HashError> {
        let malformed = |what| HashError::Malformed { scheme: "SHA-crypt", what };
        let fields: Vec<&str> = stored.split('$').collect();
        let (rounds, salt, hash) = match fields[..] {
            ["", _, rounds, salt, hash] => (Some(rounds), salt, hash),
            ["", _, salt, hash] => (None, salt, hash),
            _ => return Err(malformed("expected $6$salt$hash")),
        };
        if let Some(rounds) = rounds {
            let rounds = rounds.strip_prefix("rounds=").and_then(|count| count.parse::<u32>().ok());
            match rounds.ok_or(malformed("rounds"))? {
                count if SHA_CRYPT_ROUNDS.contains(&count) => {}
                count if count < *SHA_CRYPT_ROUNDS.start() => return Err(malformed("rounds below 1000")),
                _ => {
                    let what = "more than 5,000,000 rounds";
                    return Err(HashError::TooExpensive { scheme: "SHA-crypt", what });
                }
            }
        }
        let length = if stored.starts_with("$6$") { 86 } else { 43 };
        if salt.len() > MAX_SHA_CRYPT_SALT || hash.len() != length || !is_crypt_base64(hash) {
            return Err(malformed("salt or hash"));
        }
        Ok(ShaCrypt(stored.to_owned()))
    }

    pub(super) fn is_512(&self) -> bool {
        self.0.starts_with("$6$")
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        sha_crypt::ShaCrypt::SHA512.verify_password(password, self.0.as_str()).is_ok()
    }
}

/// An MD5-crypt string, FreeBSD's or Apache's; they differ only in the magic that is hashed along.
pub(super) struct Md5Crypt {
    magic: &'static str,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Md5Crypt {
    pub(super) fn parse(stored: &str) -> Result<Self, HashError> {
        let malformed =
            HashError::Malformed { scheme: "MD5-crypt", what: "expected $1$salt$ and 22 characters" };
        let magic = if stored.starts_with("$1$") { "$1$" } else { "$apr1$" };
        match stored.strip_prefix(magic).and_then(|rest| rest.split_once('$')) {
            Some((salt, hash))
                if salt.len() <= MAX_MD5_CRYPT_SALT && hash.len() == 22 && is_crypt_base64(hash) =>
            {
                Ok(Md5Crypt { magic, salt: salt.as_bytes().to_vec(), hash: hash.as_bytes().to_vec() })
            }
            _ => Err(malformed),
        }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let digest = md5_crypt(self.magic.as_bytes(), &self.salt, password);
        md5_crypt_text(&digest).ct_eq(&self.hash).into()
    }
}

/// Poul-Henning Kamp's algorithm as in FreeBSD's crypt-md5.c.
fn md5_crypt(magic: &[u8], salt: &[u8], password: &[u8]) -> [u8; 16] {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut first = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    for chunk in password.chunks(16) {
        first.update(&inner[..chunk.len()]);
    }
    let mut length = password.len();
    while length > 0 {
        if length & 1 == 1 {
            first.update([0]);
        } else {
            first.update(&password[..1]);
        }
        length >>= 1;
    }
    let mut digest: [u8; 16] = first.finalize().into();
    for round in 0..1000 {
        let mut next = Md5::new();
        next.update(if round & 1 == 1 { password } else { &digest });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round & 1 == 1 { &digest } else { password });
        digest = next.finalize().into();
    }
    digest
}

/// The digest in MD5-crypt's byte order and crypt(3)'s alphabet: 22 characters.
fn md5_crypt_text(digest: &[u8; 16]) -> Vec<u8> {
    let byte = |index: usize| u32::from(digest[index]);
    let groups = [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)];
    let mut text = Vec::with_capacity(22);
    let mut push = |mut value: u32, characters: usize| {
        for _ in 0..characters {
            text.push(ALPHABET[(value & 0x3f) as usize]);
            value >>= 6;
        }
    };
    for (a, b, c) in groups {
        push(byte(a) << 16 | byte(b) << 8 | byte(c), 4);
    }
    push(byte(11), 2);
    text
}

fn is_crypt_base64(text: &str) -> bool {
    text.bytes().all(|byte| ALPHABET.contains(&byte))
}
