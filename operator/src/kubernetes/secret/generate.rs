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
    if found.annotations.get(names::MAILBOX).map(String::as_str) != Some(mailbox) {
        return Step::Refuse(format!(
            "{secret} exists and was not made for this Mailbox; delete it, or name another one in \
             credentials.generate.secretName"
        ));
    }
    let rotated = found.annotations.get(names::ROTATED).map(String::as_str);
    let there = found.secret.values.contains_key(key);
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
