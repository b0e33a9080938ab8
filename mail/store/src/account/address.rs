//! What counts as a canonical address or domain here.

use crate::account::ChangeError;

/// RFC 5321 §4.5.3.1.1 and §4.5.3.1.2: 64 octets of local part, 255 of domain, and the `@`.
const ADDRESS_MAX: usize = 64 + 1 + 255;
/// RFC 5321 §4.5.3.1.2
const DOMAIN_MAX: usize = 255;

/// Lower case; UTF-8 local parts (RFC 6531 §3.3) keep their other letters as they are.
pub(crate) fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// A canonical domain: A-labels (letters, digits, inner hyphens), lower case.
pub(crate) fn domain(name: &str) -> Result<String, ChangeError> {
    let name = lower(name);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= DOMAIN_MAX && name.split('.').all(label) {
        Ok(name)
    } else {
        Err(ChangeError::Invalid { name })
    }
}

/// A canonical address and its domain.
pub(crate) fn address(name: &str) -> Result<(String, String), ChangeError> {
    let name = lower(name);
    let Some((local, at)) = name.rsplit_once('@') else { return Err(ChangeError::Invalid { name }) };
    let local_ok = !local.is_empty() && !local.chars().any(char::is_control) && name.len() <= ADDRESS_MAX;
    match domain(at) {
        Ok(domain) if local_ok => Ok((name, domain)),
        _ => Err(ChangeError::Invalid { name }),
    }
}

/// A canonical address or `@domain`, and its domain.
pub(crate) fn address_or_catch_all(name: &str) -> Result<(String, String), ChangeError> {
    match name.strip_prefix('@') {
        Some(at) => domain(at).map(|domain| (format!("@{domain}"), domain)),
        None => address(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_made_canonical_or_refused() {
        for (given, expected) in [
            ("Alice@Example.TEST", Some(("alice@example.test", "example.test"))),
            ("a.b+c@xn--bcher-kva.example", Some(("a.b+c@xn--bcher-kva.example", "xn--bcher-kva.example"))),
            ("\"a@b\"@example.test", Some(("\"a@b\"@example.test", "example.test"))),
            ("jörg@example.test", Some(("jörg@example.test", "example.test"))),
            ("alice@bücher.example", None),
            ("alice", None),
            ("@example.test", None),
            ("alice@", None),
            ("alice@example..test", None),
            ("alice@-example.test", None),
            ("al\nice@example.test", None),
        ] {
            let found = address(given).ok();
            assert_eq!(found.as_ref().map(|(a, d)| (a.as_str(), d.as_str())), expected, "{given}");
        }
        assert!(address(&format!("{}@example.test", "a".repeat(400))).is_err());
    }

    #[test]
    fn a_catch_all_is_the_domain_behind_the_at() {
        let found = address_or_catch_all("@Example.Test").unwrap();
        assert_eq!(found, ("@example.test".to_owned(), "example.test".to_owned()));
        assert!(address_or_catch_all("@").is_err() && address_or_catch_all("@b@c").is_err());
    }

    #[test]
    fn labels_have_limits() {
        assert!(domain(&format!("{}.test", "a".repeat(63))).is_ok());
        assert!(domain(&format!("{}.test", "a".repeat(64))).is_err());
        assert!(domain(&["abcdefg."; 40].concat()).is_err());
    }
}
