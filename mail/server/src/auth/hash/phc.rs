//! Key derivation functions with their parameters in the string: scrypt (RFC 7914) and PBKDF2 (RFC 8018 §5.2) in PHC's
//! format, passlib's dialect of it and Dovecot's `{PBKDF2}`.

use subtle::ConstantTimeEq;

use super::{HashError, MAX_MEMORY_BYTES, encoding};

/// Most scrypt parallelism: each lane repeats the whole work.
const MAX_SCRYPT_LANES: u32 = 16;
/// Most PBKDF2 rounds: eight times OWASP's 1,300,000 for SHA-1, several seconds of CPU.
const MAX_PBKDF2_ROUNDS: u32 = 10_000_000;
/// Shortest derived key that is worth comparing; a shorter one would match by chance.
const MIN_KEY_BYTES: usize = 16;
/// Longest derived key that is computed: PHC's own limit.
const MAX_KEY_BYTES: usize = 64;

/// `$scrypt$ln=…,r=…,p=…$salt$key`, PHC's and passlib's common form.
pub(super) struct Scrypt {
    params: scrypt::Params,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Scrypt {
    pub(super) fn parse(stored: &str) -> Result<Self, HashError> {
        let scheme = "scrypt";
        let malformed = |what| HashError::Malformed { scheme, what };
        let fields: Vec<&str> = stored.split('$').collect();
        let ["", "scrypt", params, salt, key] = fields[..] else {
            return Err(malformed("expected $scrypt$ln=…,r=…,p=…$salt$hash"));
        };
        let [log_n, r, p] = parameters(params, ["ln", "r", "p"]).ok_or(malformed("parameters"))?;
        if p > MAX_SCRYPT_LANES {
            return Err(HashError::TooExpensive { scheme, what: "more than 16 lanes" });
        }
        let memory =
            u64::from(r).checked_mul(128).and_then(|block| block.checked_shl(log_n).filter(|_| log_n < 32));
        if memory.is_none_or(|bytes| bytes > MAX_MEMORY_BYTES) {
            return Err(HashError::TooExpensive { scheme, what: "more than 256 MiB of memory" });
        }
        let log_n = u8::try_from(log_n).map_err(|_| malformed("ln"))?;
        let params = scrypt::Params::new(log_n, r, p).map_err(|_| malformed("parameters"))?;
        let (salt, key) = salt_and_key(scheme, salt, key)?;
        Ok(Scrypt { params, salt, key })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut derived = vec![0; self.key.len()];
        scrypt::scrypt(password, &self.salt, &self.params, &mut derived).is_ok()
            && derived.ct_eq(&self.key).into()
    }
}

/// The hash function under PBKDF2's HMAC.
#[derive(Clone, Copy)]
enum Prf {
    Sha1,
    Sha256,
    Sha512,
}

/// PBKDF2 in three notations.
pub(super) struct Pbkdf2 {
    prf: Prf,
    rounds: u32,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Pbkdf2 {
    /// `$pbkdf2-sha256$i=600000,l=32$salt$key` (PHC) or `$pbkdf2-sha256$600000$salt$key` (passlib).
    pub(super) fn parse(stored: &str) -> Result<Self, HashError> {
        let scheme = "pbkdf2";
        let malformed = |what| HashError::Malformed { scheme, what };
        let fields: Vec<&str> = stored.split('$').collect();
        let ["", id, cost, salt, key] = fields[..] else {
            return Err(malformed("expected $pbkdf2-…$rounds$salt$hash"));
        };
        let prf = match id {
            "pbkdf2-sha256" => Prf::Sha256,
            "pbkdf2-sha512" => Prf::Sha512,
            _ => Prf::Sha1,
        };
        let (rounds, length) = match parameters(cost, ["i", "l"]) {
            Some([rounds, length]) => (Some(rounds), Some(length)),
            None => (parameters(cost, ["i"]).map(|[rounds]| rounds).or_else(|| cost.parse().ok()), None),
        };
        let (salt, key) = salt_and_key(scheme, salt, key)?;
        if length.is_some_and(|length| usize::try_from(length) != Ok(key.len())) {
            return Err(malformed("l= is not the length of the hash"));
        }
        Self::checked(prf, rounds.ok_or(malformed("rounds"))?, salt, key)
    }

    /// Dovecot's `{PBKDF2}$1$salt$rounds$hex`: SHA-1, and the salt's characters are the salt.
    pub(super) fn parse_dovecot(body: &str) -> Result<Self, HashError> {
        let malformed = |what| HashError::Malformed { scheme: "pbkdf2", what };
        let fields: Vec<&str> = body.split('$').collect();
        let ["", "1", salt, rounds, key] = fields[..] else {
            return Err(malformed("expected {PBKDF2}$1$salt$rounds$hash"));
        };
        let rounds = rounds.parse().map_err(|_| malformed("rounds"))?;
        let key = encoding::hex(key).ok_or(malformed("hash is not hexadecimal"))?;
        check_key("pbkdf2", &key)?;
        Self::checked(Prf::Sha1, rounds, salt.as_bytes().to_vec(), key)
    }

    fn checked(prf: Prf, rounds: u32, salt: Vec<u8>, key: Vec<u8>) -> Result<Self, HashError> {
        match rounds {
            0 => Err(HashError::Malformed { scheme: "pbkdf2", what: "rounds" }),
            1..=MAX_PBKDF2_ROUNDS => Ok(Pbkdf2 { prf, rounds, salt, key }),
            _ => Err(HashError::TooExpensive { scheme: "pbkdf2", what: "more than 10,000,000 rounds" }),
        }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut derived = vec![0; self.key.len()];
        match self.prf {
            Prf::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, &self.salt, self.rounds, &mut derived),
            Prf::Sha256 => {
                pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, &self.salt, self.rounds, &mut derived)
            }
            Prf::Sha512 => {
                pbkdf2::pbkdf2_hmac::<sha2::Sha512>(password, &self.salt, self.rounds, &mut derived)
            }
        }
        derived.ct_eq(&self.key).into()
    }
}

/// `a=1,b=2` with exactly these names in this order.
fn parameters<const N: usize>(text: &str, names: [&str; N]) -> Option<[u32; N]> {
    let mut values = [0; N];
    let mut parts = text.split(',');
    for (value, name) in values.iter_mut().zip(names) {
        *value = parts.next()?.strip_prefix(name)?.strip_prefix('=')?.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

fn salt_and_key(scheme: &'static str, salt: &str, key: &str) -> Result<(Vec<u8>, Vec<u8>), HashError> {
    let salt = encoding::base64(salt).ok_or(HashError::Malformed { scheme, what: "salt is not base64" })?;
    let key = encoding::base64(key).ok_or(HashError::Malformed { scheme, what: "hash is not base64" })?;
    check_key(scheme, &key)?;
    Ok((salt, key))
}

fn check_key(scheme: &'static str, key: &[u8]) -> Result<(), HashError> {
    if (MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&key.len()) {
        Ok(())
    } else {
        Err(HashError::Malformed { scheme, what: "hash is shorter than 16 or longer than 64 bytes" })
    }
}
