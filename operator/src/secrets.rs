//! Owns the Secrets that came with the manifests: which there are, what they hold, and their fingerprints. Values leave
//! this module only towards a password hash or a TLS key.

use std::collections::BTreeMap;

use mailwright_crds::PasswordHash;
use mailwright_plan::catalog::SecretState;
use mailwright_plan::operation::Material;

use crate::certificate::PemPair;
use crate::source::{Secret, SecretValue};

/// The Secrets of a source by namespace and name.
#[derive(Debug, Default, Clone)]
pub struct Secrets {
    by_name: BTreeMap<(String, String), Secret>,
}

impl Secrets {
    /// Takes a Secret in, in place of one of the same name.
    pub fn insert(&mut self, namespace: &str, name: &str, secret: Secret) {
        self.by_name.insert((namespace.to_owned(), name.to_owned()), secret);
    }

    /// Takes one value in, beside the others of its Secret.
    pub fn insert_value(&mut self, namespace: &str, name: &str, key: &str, value: SecretValue) {
        let secret = self.by_name.entry((namespace.to_owned(), name.to_owned())).or_default();
        secret.values.insert(key.to_owned(), value);
    }

    /// Forgets a Secret.
    pub fn remove(&mut self, namespace: &str, name: &str) {
        self.by_name.remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Whether there is a Secret of this name.
    pub fn contains(&self, namespace: &str, name: &str) -> bool {
        self.by_name.contains_key(&(namespace.to_owned(), name.to_owned()))
    }

    /// The Secrets, in the order of namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Secret)> {
        self.by_name.iter().map(|((namespace, name), secret)| (namespace.as_str(), name.as_str(), secret))
    }

    /// A whole Secret.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Secret> {
        self.by_name.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// One value, if the Secret and the key are there.
    pub fn value(&self, namespace: &str, name: &str, key: &str) -> Option<&SecretValue> {
        self.by_name.get(&(namespace.to_owned(), name.to_owned()))?.values.get(key)
    }

    /// The TLS pair of a Secret of type `kubernetes.io/tls`: `tls.crt` and `tls.key`.
    pub fn tls_pair(&self, namespace: &str, name: &str) -> Option<PemPair> {
        let text =
            |key| Some(String::from_utf8_lossy(self.value(namespace, name, key)?.expose()).into_owned());
        Some(PemPair { certificate: text("tls.crt")?, key: text("tls.key")? })
    }
}

/// The longest password that is hashed; more is a mistake, or somebody who wants the server to work for nothing.
const LONGEST_PASSWORD: usize = 1024;

/// A password as the server takes it. One trailing line end is an editor's and not the password's; a hash is kept as it
/// is. The error says why a value is no password, without showing it.
pub fn material(value: &SecretValue) -> Result<Material, String> {
    let text = std::str::from_utf8(value.expose()).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if text.len() > LONGEST_PASSWORD {
        return Err(format!("it is longer than {LONGEST_PASSWORD} octets"));
    }
    if text.parse::<PasswordHash>().is_ok() {
        return Ok(Material::Hash(text.to_owned()));
    }
    Ok(Material::Plain(text.to_owned()))
}

/// A value on one line, as user names and passwords of other servers are; `None` for what cannot be one.
pub fn line(value: &SecretValue) -> Option<String> {
    let text = std::str::from_utf8(value.expose()).ok()?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let fits = !text.is_empty() && text.len() <= LONGEST_PASSWORD && !text.contains(['\r', '\n', '\0']);
    fits.then(|| text.to_owned())
}

/// Keys of a Secret that hold PEM text and are as long as they are: no password is under them.
const FILES: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];

/// What the planner may know of the value under a key.
pub fn state(key: &str, value: &SecretValue, fingerprint_key: &[u8; 32]) -> SecretState {
    let usable = match FILES.contains(&key) {
        true if value.expose().is_empty() => Err("it is empty".to_owned()),
        true => Ok(()),
        false => material(value).map(|_| ()),
    };
    match usable {
        Ok(()) => SecretState::Present {
            fingerprint: mailwright_plan::fingerprint(fingerprint_key, value.expose()),
        },
        Err(why) => SecretState::Unusable { why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_line_end_is_not_part_of_a_password() {
        for (value, expected) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")]
        {
            assert_eq!(material(&SecretValue::new(value)), Ok(Material::Plain(expected.into())), "{value:?}");
        }
    }

    #[test]
    fn lines_are_one_line() {
        for (value, expected) in
            [("a", Some("a")), ("a\r\n", Some("a")), ("a\nb", None), ("", None), ("\n", None), ("a\0", None)]
        {
            assert_eq!(line(&SecretValue::new(value)).as_deref(), expected, "{value:?}");
        }
        assert_eq!(line(&SecretValue::new("a".repeat(LONGEST_PASSWORD + 1))), None);
    }

    #[test]
    fn hashes_are_kept() {
        for hash in
            ["{SSHA512}abcd", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g", "$6$salt$hash"]
        {
            assert_eq!(material(&SecretValue::new(hash)), Ok(Material::Hash(hash.into())), "{hash}");
        }
    }

    #[test]
    fn what_cannot_be_a_password_says_why_without_showing_it() {
        for (value, why) in [
            (vec![], "empty"),
            (b"\n".to_vec(), "empty"),
            (vec![0xff], "UTF-8"),
            (vec![b'a'; 1025], "longer"),
        ] {
            let message = material(&SecretValue::new(value)).unwrap_err();
            assert!(message.contains(why), "{message}");
        }
    }

    #[test]
    fn fingerprints_need_the_key() {
        let value = SecretValue::new("mailwright");
        assert_eq!(state("password", &value, &[1; 32]), state("password", &value, &[1; 32]));
        assert_ne!(state("password", &value, &[1; 32]), state("password", &value, &[2; 32]));
    }

    #[test]
    fn a_chain_of_certificates_may_be_longer_than_any_password() {
        let chain = SecretValue::new("x".repeat(LONGEST_PASSWORD + 1));
        let usable = |key| matches!(state(key, &chain, &[0; 32]), SecretState::Present { .. });
        assert_eq!(["tls.crt", "tls.key", "password"].map(usable), [true, true, false]);
        let empty = state("tls.crt", &SecretValue::default(), &[0; 32]);
        assert_eq!(empty, SecretState::Unusable { why: "it is empty".into() });
    }

    #[test]
    fn pairs_need_both_halves() {
        let mut secrets = Secrets::default();
        let mut secret = Secret::default();
        secret.values.insert("tls.crt".into(), SecretValue::new("C"));
        secrets.insert("default", "tls", secret.clone());
        assert_eq!(secrets.tls_pair("default", "tls"), None);
        secret.values.insert("tls.key".into(), SecretValue::new("K"));
        secrets.insert("default", "tls", secret);
        assert_eq!(secrets.tls_pair("default", "tls").unwrap().key, "K");
        assert!(secrets.contains("default", "tls") && !secrets.contains("other", "tls"));
        assert_eq!(secrets.iter().count(), 1);
    }
}
