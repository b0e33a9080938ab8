//! DKIM signatures on mail that is submitted here: one by each key of the author's domain.
//!
//! RFC 6376 (signing), RFC 8301 §3.1 (rsa-sha256), RFC 8463 §3 (ed25519-sha256). `relaxed/relaxed`, From signed once more than
//! it is there, so that nobody adds a second one; `t=` and never `l=` (RFC 6376 §8.2). The keys are parsed when the
//! configuration is loaded; both signatures share one pass over the body.
//!
//! Own code over aws-lc-rs: docs/decisions/0016-sending.md says why.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mailwright_flow::header::{body_offset, fields};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::Semaphore;

use crate::config::{DkimAlgorithm, SigningKey};

mod canonical;

/// Fields that are signed where they are there: RFC 6376 §5.4.1, with what says how the body is to be read. Trace fields and
/// those that hosts on the way rewrite are not among them.
const SIGNED: [&str; 22] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Resent-From",
    "Resent-To",
    "Resent-Date",
    "Resent-Message-ID",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Post",
];

/// The signing field that is named once more than it is there (RFC 6376 §8.15).
const OVERSIGNED: &str = "From";

/// Messages signed at once: an RSA signature is a quarter of a millisecond of CPU, so there is no use in more than cores.
static CORES: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))));

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the DKIM key {selector} of {domain} is damaged, mail of {domain} is sent without its signature: {reason}"
)]
pub struct DkimError {
    /// The domain it was to sign for.
    pub domain: String,
    /// Its selector.
    pub selector: String,
    /// What the decoder found.
    pub reason: &'static str,
}

/// The keys of all domains, ready to sign.
#[derive(Debug, Default)]
pub struct Signers {
    domains: HashMap<String, Vec<Key>>,
}

/// One key.
struct Key {
    selector: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Shows nothing of the key.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("selector", &self.selector).finish_non_exhaustive()
    }
}

impl Signers {
    /// Parses the keys. One that is damaged is left out and reported: the other signature of its domain still passes, and mail
    /// goes on.
    #[must_use]
    pub fn new(keys: &BTreeMap<String, Vec<SigningKey>>) -> (Signers, Vec<DkimError>) {
        let (mut signers, mut errors) = (Signers::default(), Vec::new());
        for (domain, key) in keys.iter().flat_map(|(domain, keys)| keys.iter().map(move |key| (domain, key)))
        {
            match Key::parse(key) {
                Ok(key) => signers.domains.entry(domain.to_ascii_lowercase()).or_default().push(key),
                Err(reason) => {
                    let (domain, selector) = (domain.clone(), key.selector.clone());
                    errors.push(DkimError { domain, selector, reason });
                }
            }
        }
        (signers, errors)
    }

    /// The selectors and algorithms that sign for a domain.
    pub fn selectors(&self, domain: &str) -> Vec<(&str, &'static str)> {
        self.keys(domain).iter().map(|key| (key.selector.as_str(), key.algorithm())).collect()
    }

    /// The `DKIM-Signature:` fields for a message, to be put in front of it: empty without a key of the domain, or without From.
    #[must_use]
    pub fn sign(&self, domain: &str, message: &[u8], now: i64) -> Vec<u8> {
        let keys = self.keys(domain);
        let mut out = Vec::new();
        if keys.is_empty() {
            return out;
        }
        let Some((names, header)) = signed_fields(message) else { return out };
        let body = canonical::body_hash(&message[body_offset(message)..]);
        let body = STANDARD.encode(body);
        for key in keys {
            match key.field(&domain.to_ascii_lowercase(), now, &names, &body, &header) {
                Some(field) => out.extend_from_slice(field.as_bytes()),
                None => tracing::error!(domain, selector = key.selector, "a DKIM key does not sign"),
            }
        }
        out
    }

    fn keys(&self, domain: &str) -> &[Key] {
        self.domains.get(&domain.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }
}

/// [`Signers::sign`] where it holds up nobody else. A thread that dies makes no signature.
pub async fn sign(signers: &Arc<Signers>, domain: &str, message: Bytes, now: i64) -> Vec<u8> {
    if signers.keys(domain).is_empty() {
        return Vec::new();
    }
    let Ok(turn) = Arc::clone(&CORES).acquire_owned().await else { return Vec::new() };
    let (signers, domain) = (Arc::clone(signers), domain.to_owned());
    let work = move || {
        let _turn = turn;
        signers.sign(&domain, &message, now)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

impl Key {
    fn parse(key: &SigningKey) -> Result<Key, &'static str> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(key.pem.reveal().as_bytes())
            .map_err(|_| "it is no PKCS #8 key in PEM")?;
        let der = der.secret_pkcs8_der();
        let pair = match key.algorithm {
            DkimAlgorithm::RsaSha256 => {
                Pair::Rsa(RsaKeyPair::from_pkcs8(der).map_err(|_| "it is no RSA key")?)
            }
            DkimAlgorithm::Ed25519Sha256 => Pair::Ed25519(
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| "it is no Ed25519 key")?,
            ),
        };
        if key.selector.is_empty()
            || !key.selector.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        {
            return Err("its selector is no DNS label");
        }
        Ok(Key { selector: key.selector.clone(), pair })
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "rsa-sha256",
            Pair::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// The field, CRLF included (RFC 6376 §3.5).
    fn field(&self, domain: &str, now: i64, names: &str, body: &str, header: &[u8]) -> Option<String> {
        let mut field = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed;\r\n\td={domain}; s={}; t={now};\r\n\th={names};\r\n\tbh={body};\r\n\tb=",
            self.algorithm(),
            self.selector
        );
        let mut signed = header.to_vec();
        canonical::field(&mut signed, b"DKIM-Signature", &field.as_bytes()["DKIM-Signature:".len()..]);
        // RFC 6376 §3.7: the field that is being made comes last, without its line end.
        signed.truncate(signed.len() - 2);
        let signature = STANDARD.encode(self.sign(&signed)?);
        for (at, line) in signature.as_bytes().chunks(LINE).enumerate() {
            if at > 0 {
                field.push_str("\r\n\t ");
            }
            field.push_str(std::str::from_utf8(line).ok()?);
        }
        field.push_str("\r\n");
        Some(field)
    }

    fn sign(&self, signed: &[u8]) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature).ok()?;
                Some(signature)
            }
            // RFC 8463 §3: Ed25519 signs the hash, not the text.
            Pair::Ed25519(pair) => Some(pair.sign(digest(&SHA256, signed).as_ref()).as_ref().to_vec()),
        }
    }
}

/// Octets of base64 in a line.
const LINE: usize = 72;

/// The names for `h=`, folded, and the signed fields in canonical form: of several with one name the last one first
/// (RFC 6376 §5.4.2). `None` without From, which every signature must cover (§5.4).
fn signed_fields(message: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut found: Vec<Vec<_>> = vec![Vec::new(); SIGNED.len()];
    for field in fields(message) {
        if let Some(at) = SIGNED.iter().position(|name| field.is(name)) {
            found[at].push(field);
        }
    }
    if found[0].is_empty() {
        return None;
    }
    let (mut names, mut header) = (vec![OVERSIGNED], Vec::with_capacity(1024));
    for (name, fields) in SIGNED.iter().zip(&found) {
        for field in fields.iter().rev() {
            names.push(name);
            canonical::field(&mut header, field.name, field.value);
        }
    }
    let mut folded = String::new();
    let mut room = LINE;
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            folded.push(':');
        }
        if name.len() + 1 > room {
            folded.push_str("\r\n\t ");
            room = LINE;
        }
        folded.push_str(name);
        room = room.saturating_sub(name.len() + 1);
    }
    Some((folded, header))
}

#[cfg(test)]
mod tests;
