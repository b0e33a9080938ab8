//! Passwords that are made up: whether one is due, and the making. What is decided here is carried out by [`super::Vault`].

use super::SecretName;
use super::found::Found;
use crate::kubernetes::names;

/// Letters and digits that are not mistaken for each other: no `l`, `o`, `0`, `1`. Thirty-two, so that five bits choose one.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Five groups of five characters: 125 bits, which nobody guesses, and which can be read out over a telephone.
const GROUPS: usize = 5;
const GROUP: usize = 5;

/// What to do about a password that a Mailbox asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is there.
    Keep,
    /// There is no Secret: make it.
    Create,
    /// The Secret was made for this Mailbox and lacks the key, or a new password is asked for.
    Write,
    /// The Secret is somebody else's and lacks the key. It is left alone.
    NotOurs,
    /// It cannot be; the password in force stays.
    Refuse(String),
}

/// What to do for the Mailbox of this name.
pub fn decide(
    secret: &SecretName,
    found: Option<&Found>,
    mailbox: &str,
    key: &str,
    token: Option<&str>,
) -> Step {
    let Some(found) = found else { return Step::Create };
    let there = found.secret.values.contains_key(key);
    if found.annotations.get(names::MAILBOX).map(String::as_str) != Some(mailbox) {
        // Whoever made it chose a password too; it is used and never replaced.
        return if there { Step::Keep } else { Step::NotOurs };
    }
    let rotated = found.annotations.get(names::ROTATED).map(String::as_str);
    if there && (token.is_none() || token == rotated) {
        Step::Keep
    } else if found.immutable {
        Step::Refuse(format!("{secret} is immutable; delete it, and a new password is made"))
    } else {
        Step::Write
    }
}

/// A new password; `None` when the system has no entropy.
pub fn password() -> Option<String> {
    let mut octets = [0_u8; GROUPS * GROUP];
    aws_lc_rs::rand::fill(&mut octets).ok()?;
    let groups = octets.chunks(GROUP).map(|group| {
        group.iter().map(|octet| char::from(ALPHABET[usize::from(octet & 31)])).collect::<String>()
    });
    Some(groups.collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::source::{Secret, SecretValue};

    fn found(mailbox: Option<&str>, keys: &[&str], rotated: Option<&str>, immutable: bool) -> Found {
        let annotations = [(names::MAILBOX, mailbox), (names::ROTATED, rotated)];
        let values = keys.iter().map(|key| ((*key).to_owned(), SecretValue::new("old")));
        Found {
            name: SecretName::new("people", "alice"),
            version: "7".into(),
            uid: "u".into(),
            type_: "Opaque".into(),
            immutable,
            labels: BTreeMap::new(),
            annotations: annotations
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                .collect(),
            secret: Secret { values: values.collect() },
        }
    }

    #[test]
    fn a_password_is_made_once_and_again_when_asked() {
        let ours = |keys, rotated| Some(found(Some("alice"), keys, rotated, false));
        let cases = [
            ("no Secret", None, None, "create"),
            ("there", ours(&["password"], None), None, "keep"),
            ("rotated before, nobody asks now", ours(&["password"], Some("1")), None, "keep"),
            ("asked the first time", ours(&["password"], None), Some("1"), "write"),
            ("the same token", ours(&["password"], Some("1")), Some("1"), "keep"),
            ("another token", ours(&["password"], Some("1")), Some("2"), "write"),
            ("the key is another one now", ours(&["old"], None), None, "write"),
            ("somebody's own Secret", Some(found(None, &["password"], None, false)), None, "keep"),
            ("another Mailbox's", Some(found(Some("bob"), &["password"], None, false)), None, "keep"),
            ("another's, and asked", Some(found(Some("bob"), &["password"], None, false)), Some("1"), "keep"),
            ("somebody's, without the key", Some(found(None, &["other"], None, false)), None, "not ours"),
            ("immutable", Some(found(Some("alice"), &["password"], None, true)), Some("1"), "immutable"),
            (
                "immutable and right",
                Some(found(Some("alice"), &["password"], Some("1"), true)),
                Some("1"),
                "keep",
            ),
        ];
        for (what, found, token, expected) in cases {
            let name = SecretName::new("people", "alice");
            let word = match decide(&name, found.as_ref(), "alice", "password", token) {
                Step::Keep => "keep".to_owned(),
                Step::Create => "create".to_owned(),
                Step::Write => "write".to_owned(),
                Step::NotOurs => "not ours".to_owned(),
                Step::Refuse(why) => why,
            };
            assert!(word.contains(expected), "{what}: {word}");
        }
    }

    #[test]
    fn passwords_are_long_readable_and_all_different() {
        let made: BTreeSet<String> = (0..500).map(|_| password().unwrap()).collect();
        assert_eq!(made.len(), 500);
        let mut seen = BTreeSet::new();
        for password in &made {
            assert_eq!(password.len(), GROUPS * GROUP + GROUPS - 1, "{password}");
            let letters = password.bytes().filter(|octet| *octet != b'-');
            seen.extend(letters.inspect(|octet| assert!(ALPHABET.contains(octet), "{password}")));
        }
        assert_eq!(seen.len(), ALPHABET.len(), "every letter is used");
        assert_eq!(ALPHABET.iter().collect::<BTreeSet<_>>().len(), 32, "five bits, and none twice");
    }
}
