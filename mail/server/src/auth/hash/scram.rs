//! Dovecot's `{SCRAM-SHA-256}` and `{SCRAM-SHA-1}`: what a SCRAM server keeps (RFC 5802 §3), checked here against a
//! password that came in clear over TLS. Leaves out the SCRAM exchange itself.

use hmac::{Hmac, KeyInit, Mac};
use sha2::digest::Digest;
use subtle::ConstantTimeEq;

use super::{HashError, encoding};

/// Most iterations: several times what servers choose, below a second of CPU.
const MAX_ITERATIONS: u32 = 2_000_000;

/// The mechanism's hash function.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// SCRAM-SHA-1, RFC 5802.
    Sha1,
    /// SCRAM-SHA-256, RFC 7677.
    Sha256,
}

/// `iterations,salt,StoredKey,ServerKey`; the server key proves the server and is not needed to check a password.
pub(super) struct Scram {
    kind: Kind,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
}

impl Scram {
    pub(super) fn parse(kind: Kind, body: &str) -> Result<Self, HashError> {
        let malformed = |what| HashError::Malformed { scheme: "SCRAM", what };
        let fields: Vec<&str> = body.split(',').collect();
        let [iterations, salt, stored_key, _server_key] = fields[..] else {
            return Err(malformed("expected iterations,salt,StoredKey,ServerKey"));
        };
        let iterations = iterations.parse().map_err(|_| malformed("iterations"))?;
        match iterations {
            0 => return Err(malformed("iterations")),
            1..=MAX_ITERATIONS => {}
            _ => {
                return Err(HashError::TooExpensive {
                    scheme: "SCRAM",
                    what: "more than 2,000,000 iterations",
                });
            }
        }
        let salt = encoding::base64(salt).ok_or(malformed("salt is not base64"))?;
        let stored_key = encoding::base64(stored_key).ok_or(malformed("StoredKey is not base64"))?;
        let length = match kind {
            Kind::Sha1 => 20,
            Kind::Sha256 => 32,
        };
        if stored_key.len() != length {
            return Err(malformed("StoredKey has the wrong length"));
        }
        Ok(Scram { kind, iterations, salt, stored_key })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let stored_key = match self.kind {
            Kind::Sha1 => {
                let mut salted = [0; 20];
                pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, &self.salt, self.iterations, &mut salted);
                Hmac::<sha1::Sha1>::new_from_slice(&salted).map(|mac| {
                    sha1::Sha1::digest(mac.chain_update(b"Client Key").finalize().into_bytes()).to_vec()
                })
            }
            Kind::Sha256 => {
                let mut salted = [0; 32];
                pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, &self.salt, self.iterations, &mut salted);
                Hmac::<sha2::Sha256>::new_from_slice(&salted).map(|mac| {
                    sha2::Sha256::digest(mac.chain_update(b"Client Key").finalize().into_bytes()).to_vec()
                })
            }
        };
        stored_key.is_ok_and(|key| key.ct_eq(&self.stored_key).into())
    }
}
