//! The keys of SCRAM-SHA-256 (RFC 5802 §3, RFC 7677): what a server keeps instead of a password, and the proofs of both sides.
//!
//! A record's text is that of RFC 5803. Leaves out the exchange (`sasl/`), and Dovecot's hash of the same name as a password check
//! (`hash/scram.rs`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Iterations of records made here. RFC 7677 §4 asks for 4096 at least. The price is paid by the client at each login and by us once
/// per password: OpenSSL took 1.9 ms of one core for 10,000. A thief of the database attacks this instead of argon2id; ten
/// times as many would hold him up little and each login of each client ten times as long.
pub(crate) const ITERATIONS: u32 = 10_000;
/// Fewest iterations that a peer or a record may name, RFC 7677 §4.
pub(crate) const MIN_ITERATIONS: u32 = 4096;
/// Most iterations that a peer or a record may name: below a second of CPU.
pub(crate) const MAX_ITERATIONS: u32 = 2_000_000;
/// Octets of a salt made here, as every library's.
const SALT: usize = 16;
/// Longest salt that is taken.
const MAX_SALT: usize = 64;
const SCHEME: &str = "SCRAM-SHA-256";

/// A SHA-256 key or signature.
pub(crate) type Key = [u8; 32];

/// What a server keeps of a password: enough to check a proof and to prove itself, not enough to log in elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) iterations: u32,
    pub(crate) salt: Vec<u8>,
    pub(crate) stored_key: Key,
    pub(crate) server_key: Key,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl Record {
    /// Of a password in clear. Slow: call it on a thread for that. `None` when the password is nothing SASLprep takes, or no
    /// random salt is to be had.
    pub(crate) fn of(password: &[u8]) -> Option<Record> {
        let mut salt = vec![0; SALT];
        aws_lc_rs::rand::fill(&mut salt).ok()?;
        Some(Record::with(&prepared(password)?, salt, ITERATIONS))
    }

    /// From SaltedPassword on (RFC 5802 §3).
    pub(crate) fn with(prepared: &str, salt: Vec<u8>, iterations: u32) -> Record {
        let Keys { client_key, server_key } = Keys::of(prepared, &salt, iterations);
        Record { iterations, salt, stored_key: Sha256::digest(client_key).into(), server_key }
    }

    /// Reads `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` (RFC 5803 §2), or Dovecot's
    /// `{SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey`.
    pub(crate) fn parse(text: &str) -> Option<Record> {
        let [iterations, salt, stored_key, server_key] = match text.strip_prefix("{SCRAM-SHA-256}") {
            Some(fields) => split(fields, ',')?,
            None => {
                let (iterations_and_salt, keys) =
                    text.strip_prefix(SCHEME)?.strip_prefix('$')?.split_once('$')?;
                let (iterations, salt) = iterations_and_salt.split_once(':')?;
                let (stored_key, server_key) = keys.split_once(':')?;
                [iterations, salt, stored_key, server_key]
            }
        };
        let iterations = iterations.parse().ok().filter(|n| (MIN_ITERATIONS..=MAX_ITERATIONS).contains(n))?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| (1..=MAX_SALT).contains(&salt.len()))?;
        Some(Record { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }

    /// What nobody knows the password of, the same each time for the same name (RFC 5802 §9: an unknown user is not told by the
    /// salt).
    pub(crate) fn decoy(secret: &[u8], user: &str) -> Record {
        let key = |what: &[u8]| hmac(secret, &[what, user.as_bytes()]);
        let salt = key(b"salt ")[..SALT].to_vec();
        Record { iterations: ITERATIONS, salt, stored_key: key(b"stored "), server_key: key(b"server ") }
    }

    /// Whether the proof shows knowledge of the password (RFC 5802 §3).
    pub(crate) fn accepts(&self, proof: &Key, auth_message: &str) -> bool {
        let signature = hmac(&self.stored_key, &[auth_message.as_bytes()]);
        let client_key = xor(*proof, signature);
        Sha256::digest(client_key).as_slice().ct_eq(&self.stored_key).into()
    }

    /// What proves the server.
    pub(crate) fn signature(&self, auth_message: &str) -> Key {
        hmac(&self.server_key, &[auth_message.as_bytes()])
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        let (salt, stored, server) = (encode(&self.salt), encode(&self.stored_key), encode(&self.server_key));
        write!(f, "{SCHEME}${}:{salt}${stored}:{server}", self.iterations)
    }
}

/// A client's keys.
pub(crate) struct Keys {
    client_key: Key,
    server_key: Key,
}

impl Keys {
    /// Slow.
    pub(crate) fn of(prepared: &str, salt: &[u8], iterations: u32) -> Keys {
        let mut salted = Zeroizing::new([0; 32]);
        pbkdf2::pbkdf2_hmac::<Sha256>(prepared.as_bytes(), salt, iterations, salted.as_mut_slice());
        Keys {
            client_key: hmac(salted.as_slice(), &[b"Client Key"]),
            server_key: hmac(salted.as_slice(), &[b"Server Key"]),
        }
    }

    /// ClientProof.
    pub(crate) fn proof(&self, auth_message: &str) -> Key {
        let stored_key = Sha256::digest(self.client_key);
        xor(self.client_key, hmac(&stored_key, &[auth_message.as_bytes()]))
    }

    /// Whether the server has shown that it knows the password, too.
    pub(crate) fn accept(&self, signature: &[u8], auth_message: &str) -> bool {
        hmac(&self.server_key, &[auth_message.as_bytes()]).ct_eq(signature).into()
    }
}

/// SASLprep (RFC 4013) of a password or name; unassigned code points are refused (a stored string, RFC 3454 §7).
pub(crate) fn prepared(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let prepared = stringprep::saslprep(text).ok()?.into_owned();
    (!prepared.is_empty()).then_some(prepared)
}

fn hmac(key: &[u8], pieces: &[&[u8]]) -> Key {
    // HMAC takes keys of any length (RFC 2104 §2); the constructor's error belongs to other MACs.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

fn xor(mut left: Key, right: Key) -> Key {
    left.iter_mut().zip(right).for_each(|(left, right)| *left ^= right);
    left
}

fn key(text: &str) -> Option<Key> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn split(text: &str, at: char) -> Option<[&str; 4]> {
    text.split(at).collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_and_read() {
        let record = Record::of("pencil".as_bytes()).unwrap();
        assert_eq!(Record::parse(&record.to_string()), Some(record.clone()));
        assert_eq!((record.iterations, record.salt.len()), (ITERATIONS, SALT));
        assert_ne!(Record::of(b"pencil").unwrap().salt, record.salt);
        // What Dovecot keeps is the same in other clothes.
        let text = record.to_string();
        let fields = text.strip_prefix("SCRAM-SHA-256$").unwrap().replace([':', '$'], ",");
        assert_eq!(Record::parse(&format!("{{SCRAM-SHA-256}}{fields}")), Some(record.clone()));
        assert!(!format!("{record:?}").contains("stored"));
    }

    #[test]
    fn damaged_records_are_none() {
        let key = STANDARD.encode([0; 32]);
        let short = STANDARD.encode([0; 31]);
        let text = |iterations: &str, salt: &str, key: &str| {
            format!("SCRAM-SHA-256${iterations}:{salt}${key}:{key}")
        };
        assert!(Record::parse(&text("4096", "c2FsdA==", &key)).is_some());
        for bad in [
            text("4095", "c2FsdA==", &key),
            text("2000001", "c2FsdA==", &key),
            text("x", "c2FsdA==", &key),
            text("4096", "", &key),
            text("4096", "*", &key),
            text("4096", &STANDARD.encode([0; 65]), &key),
            text("4096", "c2FsdA==", &short),
            "SCRAM-SHA-256$4096:c2FsdA==".to_owned(),
            "SCRAM-SHA-1$4096:c2FsdA==$a:b".to_owned(),
            "{SCRAM-SHA-256}4096,c2FsdA==,x".to_owned(),
            String::new(),
        ] {
            assert_eq!(Record::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn decoys_are_stable_and_like_real_ones() {
        let decoy = Record::decoy(b"secret", "nobody@example.test");
        assert_eq!(decoy, Record::decoy(b"secret", "nobody@example.test"));
        assert_ne!(decoy.salt, Record::decoy(b"secret", "nobody@example.org").salt);
        assert_ne!(decoy.salt, Record::decoy(b"other", "nobody@example.test").salt);
        let real = Record::of(b"password").unwrap();
        assert_eq!((decoy.iterations, decoy.salt.len()), (real.iterations, real.salt.len()));
    }

    /// RFC 4013 §3.
    #[test]
    fn strings_are_prepared() {
        for (given, expected) in [
            ("I\u{ad}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("\u{627}1", None),
            ("", None),
        ] {
            assert_eq!(prepared(given.as_bytes()).as_deref(), expected, "{given:?}");
        }
        assert_eq!(prepared(b"\xff"), None);
    }
}
