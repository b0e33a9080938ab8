//! Files of allowed signers, as `ssh-keygen -Y verify` reads them: ssh-keygen(1) ALLOWED SIGNERS.
//!
//! ```text
//! principals [options] key-type base64-key [comment]
//! alice@example.test,*@ops.example.test namespaces="git",valid-before="20270101Z" ssh-ed25519 AAAA… alice's laptop
//! ```
//!
//! Owns reading the file; a line that is not understood makes the whole file wrong, because a signer left out by a slip
//! would be noticed too late. Times without `Z` are UTC here, and the local time zone to ssh-keygen. What an entry
//! means for a signature is in `ssh`.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, PublicKey};

use super::pattern;

/// The whole file: ten thousand keys of people are below it.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// One line: the longest RSA key is below 3 KiB.
const MAX_LINE: usize = 16 * 1024;

/// One line.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub line: usize,
    /// The pattern list of identities that the key stands for.
    pub principals: String,
    /// The key signs certificates, not commits.
    pub authority: bool,
    /// The namespaces that it may sign in; all when absent.
    pub namespaces: Option<String>,
    pub valid_after: Option<DateTime<Utc>>,
    pub valid_before: Option<DateTime<Utc>>,
    pub key: KeyData,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {wrong}")]
pub struct LineError {
    line: usize,
    wrong: String,
}

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Entry>, LineError> {
    let error = |line, wrong: &str| LineError { line, wrong: wrong.to_owned() };
    if bytes.len() > MAX_BYTES {
        return Err(error(0, "the file is larger than 4 MiB; take out what is not needed"));
    }
    let mut entries = Vec::new();
    for (number, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = number + 1;
        let text = std::str::from_utf8(text).map_err(|_| error(line, "it is not UTF-8"))?;
        if text.len() > MAX_LINE {
            return Err(error(line, "it is longer than 16 KiB"));
        }
        let text = text.trim_matches([' ', '\t', '\r']);
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        entries.push(entry(line, text).map_err(|wrong| LineError { line, wrong })?);
    }
    Ok(entries)
}

fn entry(line: usize, text: &str) -> Result<Entry, String> {
    let (principals, rest) = word(text)?;
    if principals.is_empty() {
        return Err("there are no principals; begin with an address such as alice@example.test".to_owned());
    }
    let bare = |key| Entry {
        line,
        principals: principals.clone(),
        authority: false,
        namespaces: None,
        valid_after: None,
        valid_before: None,
        key,
    };
    // As ssh-keygen does: what cannot be a key is options with a key behind them.
    if let Ok(key) = PublicKey::from_openssh(rest) {
        return usable(bare(key.key_data().clone()));
    }
    let (options, rest) = past_options(rest)?;
    let rest = rest.trim_start_matches([' ', '\t']);
    let key = PublicKey::from_openssh(rest).map_err(|_| no_key(rest))?;
    let mut entry = bare(key.key_data().clone());
    read_options(options, &mut entry)?;
    usable(entry)
}

fn no_key(text: &str) -> String {
    let key_type = text.split([' ', '\t']).next().unwrap_or_default();
    match key_type.contains("-cert-v") {
        true => "it lists a certificate; list the key of its authority, with the option cert-authority",
        false => "there is no key that can be read; the form is \"principals [options] key-type base64-key\"",
    }
    .to_owned()
}

/// Keys whose signatures can never be checked are told now and not when everyone waits.
fn usable(entry: Entry) -> Result<Entry, String> {
    match &entry.key {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::Rsa(_) => Ok(entry),
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => Ok(entry),
        other => Err(format!(
            "keys of the type {} are not supported; use ed25519, ecdsa or rsa",
            other.algorithm().as_str()
        )),
    }
}

/// The first word: up to white space, or with quotes around white space.
fn word(text: &str) -> Result<(String, &str), String> {
    let end = text.find([' ', '\t', '"']).unwrap_or(text.len());
    let (before, rest) = text.split_at(end);
    let Some(quoted) = rest.strip_prefix('"') else {
        return Ok((before.to_owned(), rest.trim_start_matches([' ', '\t'])));
    };
    let (inside, after) = quoted.split_once('"').ok_or_else(|| "a quote has no end".to_owned())?;
    Ok((format!("{before}{inside}"), after.trim_start_matches([' ', '\t'])))
}

/// Cuts behind the options: at white space outside quotes.
fn past_options(text: &str) -> Result<(&str, &str), String> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if text[at + 1..].starts_with('"') => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok((&text[..at], &text[at..])),
            _ => {}
        }
    }
    let wrong =
        if quoted { "a quote has no end" } else { "there is no key behind the principals and options" };
    Err(wrong.to_owned())
}

fn read_options(mut text: &str, entry: &mut Entry) -> Result<(), String> {
    loop {
        let end = text.find([',', '=']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let name = name.to_ascii_lowercase();
        let rest = match (name.as_str(), rest.strip_prefix('=')) {
            ("cert-authority", None) => {
                entry.authority = true;
                rest
            }
            ("namespaces" | "valid-after" | "valid-before", Some(value)) => {
                let (value, rest) = dequote(&name, value)?;
                set(&name, value, entry)?;
                rest
            }
            _ => {
                let known = "cert-authority, namespaces=\"…\", valid-after=\"…\" and valid-before=\"…\"";
                return Err(format!("the option {:?} is not known; there are {known}", shown(&name)));
            }
        };
        if rest.is_empty() {
            break;
        }
        text =
            rest.strip_prefix(',').filter(|text| !text.is_empty()).ok_or("options are divided by commas")?;
    }
    match (entry.valid_after, entry.valid_before) {
        (Some(after), Some(before)) if before <= after => {
            Err("valid-before is not later than valid-after".to_owned())
        }
        _ => Ok(()),
    }
}

fn set(name: &str, value: String, entry: &mut Entry) -> Result<(), String> {
    let twice = || Err(format!("the option {name} is there twice"));
    match name {
        "namespaces" if entry.namespaces.is_some() => twice(),
        "namespaces" => {
            entry.namespaces = Some(value);
            Ok(())
        }
        _ => {
            let time = time(&value).ok_or_else(|| {
                format!("{name} is no time; write YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ")
            })?;
            let place = if name == "valid-after" { &mut entry.valid_after } else { &mut entry.valid_before };
            if place.replace(time).is_some() { twice() } else { Ok(()) }
        }
    }
}

/// A value in quotes, in which `\"` is a quote.
fn dequote<'a>(name: &str, text: &'a str) -> Result<(String, &'a str), String> {
    let wrong = || format!("the value of {name} is not in quotes");
    let text = text.strip_prefix('"').ok_or_else(wrong)?;
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' if text[at + 1..].starts_with('"') => {
                value.push('"');
                characters.next();
            }
            other => value.push(other),
        }
    }
    Err(wrong())
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let time = match digits.len() {
        8 => NaiveDate::parse_from_str(digits, "%Y%m%d").ok()?.and_time(NaiveTime::MIN),
        12 => NaiveDateTime::parse_from_str(&format!("{digits}00"), "%Y%m%d%H%M%S").ok()?,
        14 => NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok()?,
        _ => return None,
    };
    Some(time.and_utc())
}

/// What is repeated of a file that may be anything.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

impl Entry {
    /// `SHA256:…`, as ssh-keygen shows it.
    pub(super) fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The first pattern that is meant.
    pub(super) fn first_principal(&self) -> &str {
        self.principals.split(',').find(|pattern| !pattern.starts_with('!')).unwrap_or(&self.principals)
    }

    /// What the list says of an address.
    pub(super) fn stands_for(&self, address: &str) -> pattern::Match {
        pattern::list(address, &self.principals)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.line, self.principals, self.fingerprint())
    }
}

#[cfg(test)]
mod tests;
