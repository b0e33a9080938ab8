//! The age identities that files are decrypted with: read once, never shown; only their public halves are.

use std::fmt;
use std::sync::Arc;

use age::x25519;

use crate::source::SecretValue;

/// The end of the keys of a Secret that hold identities, as other tools that read SOPS files have it.
const SUFFIX: &str = ".agekey";
/// Identities given together: each is tried against each recipient of a file.
const MAX_IDENTITIES: usize = 50;
/// One file of identities: far above what `age-keygen` writes.
const MAX_BYTES: usize = 64 * 1024;

/// What encrypted manifests are decrypted with. Empty by default: then an encrypted file says which key it wants.
#[derive(Clone, Default)]
pub struct Decryption {
    identities: Arc<Vec<Identity>>,
    stays_sealed: bool,
}

struct Identity {
    secret: x25519::Identity,
    public: String,
}

/// Why a key cannot be used. Never holds any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text holds no identity at all.
    #[error("{0} holds no age identity; write the line AGE-SECRET-KEY-1… that age-keygen makes")]
    Empty(String),
    /// A line is none.
    #[error("{place}, line {line}: {what}")]
    Line {
        /// The file or the key of the Secret.
        place: String,
        /// From 1.
        line: usize,
        /// What is wrong, and what would be right.
        what: &'static str,
    },
    /// More than a repository needs.
    #[error(
        "more than {MAX_IDENTITIES} age identities, or a file of more than {MAX_BYTES} bytes; give those in use"
    )]
    TooMany,
}

impl Decryption {
    /// The identities of texts as `age-keygen` writes them, each with the name of the place it came from.
    pub fn from_keys<'a>(
        keys: impl IntoIterator<Item = (&'a str, &'a SecretValue)>,
    ) -> Result<Decryption, KeyError> {
        let mut identities: Vec<Identity> = Vec::new();
        for (place, text) in keys {
            for identity in read(place, text.expose())? {
                if identities.iter().all(|known| known.public != identity.public) {
                    identities.push(identity);
                }
            }
            if identities.len() > MAX_IDENTITIES {
                return Err(KeyError::TooMany);
            }
        }
        identities.sort_by(|a, b| a.public.cmp(&b.public));
        Ok(Decryption { identities: Arc::new(identities), stays_sealed: false })
    }

    /// The identities of a Secret: the values whose keys end in `.agekey`.
    pub fn from_secret<'a>(
        values: impl IntoIterator<Item = (&'a str, &'a SecretValue)>,
    ) -> Result<Decryption, KeyError> {
        let mut keys = values.into_iter().filter(|(key, _)| key.ends_with(SUFFIX)).peekable();
        if keys.peek().is_none() {
            return Err(KeyError::Empty(format!("the Secret has no key that ends in {SUFFIX} and")));
        }
        Decryption::from_keys(keys)
    }

    /// No key, and none is wanted: encrypted values are read as values that nobody knows. For whoever may plan a file and
    /// not read it; a MAC cannot be checked so.
    pub fn sealed() -> Decryption {
        Decryption { identities: Arc::default(), stays_sealed: true }
    }

    /// Whether files are read without being opened.
    pub(crate) fn stays_sealed(&self) -> bool {
        self.stays_sealed
    }

    /// Whether no key was given.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// The public keys, which files are encrypted for.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.identities.iter().map(|identity| identity.public.as_str())
    }

    /// The identities themselves.
    pub(super) fn identities(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.identities.iter().map(|identity| &identity.secret as &dyn age::Identity)
    }
}

/// The same keys open the same files.
impl PartialEq for Decryption {
    fn eq(&self, other: &Decryption) -> bool {
        self.stays_sealed == other.stays_sealed && self.recipients().eq(other.recipients())
    }
}

impl fmt::Debug for Decryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.recipients()).finish()
    }
}

fn read(place: &str, bytes: &[u8]) -> Result<Vec<Identity>, KeyError> {
    if bytes.len() > MAX_BYTES {
        return Err(KeyError::TooMany);
    }
    let wrong = |line, what| KeyError::Line { place: place.to_owned(), line, what };
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(1, "this is no text"))?;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let secret: x25519::Identity = line.parse().map_err(|_| wrong(number, reason(line)))?;
        let public = secret.to_public().to_string();
        found.push(Identity { secret, public });
    }
    match found.is_empty() {
        true => Err(KeyError::Empty(place.to_owned())),
        false => Ok(found),
    }
}

/// Why a line is no identity that is read here.
fn reason(line: &str) -> &'static str {
    let begins = |word: &str| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if begins("AGE-SECRET-KEY-PQ-") {
        "post-quantum age keys are not read here yet; make one with age-keygen without -pq"
    } else if begins("AGE-SECRET-KEY-1") {
        "the age key is damaged; copy the whole line that age-keygen wrote"
    } else if begins("AGE-PLUGIN-") {
        "keys of age plugins need a program beside them and are not read here; make one with age-keygen"
    } else if begins("age1") {
        "this is the public half; give the line that begins with AGE-SECRET-KEY-1"
    } else if begins("-----BEGIN") || begins("age-encryption.org/") {
        "this is an ssh key or an encrypted file, which is not read here; make a key with age-keygen"
    } else {
        "this is no age key; give the line that begins with AGE-SECRET-KEY-1"
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    /// A fresh identity as `age-keygen` writes it, and its public half.
    fn made() -> (String, String) {
        let identity = x25519::Identity::generate();
        let public = identity.to_public().to_string();
        (format!("# public key: {public}\n{}\n", identity.to_string().expose_secret()), public)
    }

    #[test]
    fn identities_come_from_texts_and_secrets() {
        let ((one, first), (two, second)) = (made(), made());
        let values = [("a.agekey", one.clone() + &two), ("b.agekey", one), ("c.txt", "x".to_owned())];
        let values = values.map(|(key, text)| (key, SecretValue::new(text)));
        let decryption = Decryption::from_secret(values.iter().map(|(key, value)| (*key, value))).unwrap();
        let mut expected = [first, second];
        expected.sort();
        assert!(decryption.recipients().eq(expected.iter().map(String::as_str)));
        assert!(!decryption.is_empty() && Decryption::default().is_empty());
        assert_eq!(decryption, decryption.clone());
        assert_ne!(decryption, Decryption::default());
        let shown = format!("{decryption:?}");
        assert!(shown.contains(&expected[0]) && !shown.contains("AGE-SECRET"), "{shown}");
    }

    #[test]
    fn what_is_no_key_says_what_would_be() {
        let (text, public) = made();
        let secret = text.lines().last().unwrap();
        let table = [
            (String::new(), "k holds no age identity"),
            ("# only a comment\n".to_owned(), "k holds no age identity"),
            (format!("\n{public}"), "k, line 2: this is the public half"),
            (secret[..40].to_owned(), "k, line 1: the age key is damaged"),
            (secret.replace("KEY-1", "KEY-1Q"), "k, line 1: the age key is damaged"),
            ("AGE-SECRET-KEY-PQ-1ABC".to_owned(), "post-quantum"),
            ("AGE-PLUGIN-YUBIKEY-1ABC".to_owned(), "plugins"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "ssh key"),
            ("hunter2".to_owned(), "this is no age key"),
            ("ä".to_owned(), "this is no age key"),
        ];
        for (text, expected) in table {
            let value = SecretValue::new(text.clone());
            let error = Decryption::from_keys([("k", &value)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hunter2") && !error.contains(&secret[20..40]), "{error}");
        }
        let none = Decryption::from_secret([("identity", &SecretValue::new(text))]).unwrap_err();
        assert!(none.to_string().contains("no key that ends in .agekey"), "{none}");
    }

    #[test]
    fn what_can_grow_is_bounded() {
        let many: String = (0..=MAX_IDENTITIES).map(|_| made().0).collect();
        assert_eq!(Decryption::from_keys([("k", &SecretValue::new(many))]), Err(KeyError::TooMany));
        let long = SecretValue::new("#".repeat(MAX_BYTES + 1));
        assert_eq!(Decryption::from_keys([("k", &long)]), Err(KeyError::TooMany));
    }
}
