//! Whether a host is the one that it should be: lines of known_hosts (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), pure.
//!
//! Plain names with wildcards and negations, ports in brackets, hashed names, several keys for a host, and `@revoked`.
//! Certificates (`@cert-authority`) are left out: no server is asked for one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use sha1::Sha1;

use super::super::GitError;

/// Lines that are read: a key of one host is about 100 bytes, and a Secret holds a megabyte.
const MAX_LINES: usize = 20_000;

/// The keys that are known for one host.
#[derive(Debug)]
pub(super) struct KnownHost {
    /// As it is written in known_hosts: `example.test` or `[example.test]:2222`.
    name: String,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    line: usize,
    revoked: bool,
    key: PublicKey,
}

impl KnownHost {
    /// What the lines say of a host.
    pub(super) fn new(text: &str, host: &str, port: u16) -> KnownHost {
        let host = host.to_ascii_lowercase();
        let name = if port == 22 { host } else { format!("[{host}]:{port}") };
        let lines = text.lines().take(MAX_LINES).enumerate();
        let entries = lines.filter_map(|(at, line)| entry(&name, at + 1, line)).collect();
        KnownHost { name, entries }
    }

    /// The kinds of keys that the server is asked for: those that are known, so that it does not show another.
    pub(super) fn algorithms(&self) -> Result<Vec<Algorithm>, GitError> {
        let known: Vec<Algorithm> =
            self.entries.iter().filter(|entry| !entry.revoked).map(|entry| entry.key.algorithm()).collect();
        let mut usable: Vec<Algorithm> = known.iter().filter(|kind| is_usable(kind)).cloned().collect();
        usable.sort();
        usable.dedup();
        if usable.is_empty() && !known.is_empty() {
            let text = format!(
                "known_hosts has only keys of {} of a kind that is not used here; add its Ed25519 or ECDSA key \
                 (ssh-keyscan -t ed25519)",
                self.name
            );
            return Err(GitError::HostKey(text));
        }
        Ok(usable)
    }

    /// Whether this is the key of the host.
    pub(super) fn check(&self, key: &PublicKey) -> Result<(), GitError> {
        let same = |entry: &&Entry| entry.key.key_data() == key.key_data();
        let shown = show(key);
        let name = &self.name;
        let text = if let Some(entry) = self.entries.iter().filter(same).find(|entry| entry.revoked) {
            format!(
                "the host key of {name} ({shown}) is marked @revoked in line {} of known_hosts, so whoever has it is \
                 not the server; ask its owner for the new key",
                entry.line
            )
        } else if self.entries.iter().any(|entry| same(&entry)) {
            return Ok(());
        } else if let Some(entry) = self.entries.iter().find(|entry| !entry.revoked) {
            format!(
                "the host key of {name} has changed to {shown}, and line {} of known_hosts has {}; someone may be \
                 listening in: replace the line only when the server's owner confirms the new fingerprint",
                entry.line,
                show(&entry.key)
            )
        } else {
            let line = PublicKey::from(key.key_data().clone()).to_openssh().unwrap_or_default();
            format!(
                "the host key of {name} is not in known_hosts ({shown}); when the server's owner confirms the \
                 fingerprint, add this line: {name} {line}"
            )
        };
        Err(GitError::HostKey(text))
    }
}

/// RSA is left out: nothing of it is needed for any server in use, and a signature by it costs a library.
fn is_usable(kind: &Algorithm) -> bool {
    matches!(kind, Algorithm::Ed25519 | Algorithm::Ecdsa { .. })
}

/// `ssh-ed25519 SHA256:…`.
fn show(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

/// A line that is about the host; what cannot be read is passed over, as ssh does.
fn entry(name: &str, line: usize, text: &str) -> Option<Entry> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let mut words = text.split_whitespace();
    let mut hosts = words.next()?;
    let revoked = hosts == "@revoked";
    if revoked {
        hosts = words.next()?;
    } else if hosts.starts_with('@') {
        return None;
    }
    let (kind, key) = (words.next()?, words.next()?);
    let key = matches(name, hosts).then(|| PublicKey::from_openssh(&format!("{kind} {key}")).ok())??;
    Some(Entry { line, revoked, key })
}

/// Whether a list of names and patterns means the host; a negated pattern that matches excludes it.
fn matches(name: &str, hosts: &str) -> bool {
    let mut found = false;
    for pattern in hosts.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if wildcard(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None if pattern.starts_with('|') => found |= hashed(pattern, name),
            None => found |= wildcard(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// `|1|salt|HMAC-SHA1 of the name`, both in base64.
fn hashed(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('|').skip(1);
    let (Some("1"), Some(salt), Some(hash)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.update(name.as_bytes());
    mac.verify_slice(&hash).is_ok()
}

/// `*` and `?`, over the last star that was met: no pattern takes longer than its length times the name's.
fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests;
