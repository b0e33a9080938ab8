//! Manifests out of what other mail systems keep: one file for each format that says what is there, one model that all of them
//! fill, and one way to write it down. Leaves out reading files and asking databases.
//!
//! Nothing is guessed: what cannot be said in a manifest is told with its place, and what is left out is left out whole.

mod domains;
pub mod dovecot;
pub mod iredmail;
pub mod limits;
pub mod mailcow;
pub mod mailu;
pub mod manifests;
pub mod postfix;
pub mod sql;

use std::collections::BTreeMap;
use std::fmt;

use mailwright_crds::{
    Address, AliasAddress, DisplayName, DomainName, PasswordHash, Quantity, Scalar as _, Senders,
};
use mailwright_server::auth::hash;

/// Entries of one import: more than the largest installation that one server holds.
pub const MAX_ENTRIES: usize = 1_000_000;
/// Longest line of a text file: a list of ten thousand addresses fits.
pub const MAX_LINE: usize = 1 << 20;
/// Targets of an alias, as its schema has it.
const MAX_TARGETS: usize = 500;
/// Targets of a mailbox's forward, and addresses in its sendAs, as the schema has them.
const MAX_OF_MAILBOX: usize = 100;

/// Where something stands in what is imported: `file:line` or a table's row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// File or table.
    pub file: String,
    /// Line or row, from 1.
    pub line: usize,
}

impl Place {
    /// A line of a file.
    pub fn new(file: &str, line: usize) -> Self {
        Self { file: file.to_owned(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What could not be carried over, and where it stands. Never quotes a password or a hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// A mailbox that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundMailbox {
    /// The person's name.
    pub display_name: Option<String>,
    /// A hash that the server verifies.
    pub password_hash: Option<String>,
    /// Bytes; `None` is no limit.
    pub quota: Option<u64>,
    /// Whether it is switched off.
    pub disabled: bool,
    /// Addresses beside its own that it may send from.
    pub send_as: Vec<String>,
}

/// An alias or a catch-all that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundAlias {
    /// Where its mail goes.
    pub targets: Vec<String>,
    /// Who may send to it.
    pub senders: Senders,
    /// Whether it is switched off.
    pub disabled: bool,
}

impl From<&[String]> for FoundAlias {
    fn from(targets: &[String]) -> FoundAlias {
        FoundAlias { targets: targets.to_vec(), ..FoundAlias::default() }
    }
}

/// What was found, by canonical names.
#[derive(Debug, Default)]
pub struct Found {
    /// Domains with their alias domains.
    pub domains: BTreeMap<String, Vec<String>>,
    /// What domains are allowed there.
    pub limits: limits::All,
    /// Mailboxes by address.
    pub mailboxes: BTreeMap<String, (Place, FoundMailbox)>,
    /// Aliases and catch-alls with their targets.
    pub aliases: BTreeMap<String, (Place, FoundAlias)>,
    /// What could not be carried over.
    pub notes: Vec<Note>,
}

impl Found {
    /// Says what could not be carried over.
    pub fn note(&mut self, place: &Place, message: impl Into<String>) {
        self.notes.push(Note { place: place.clone(), message: message.into() });
    }

    /// Whether there is room for one more; says once when there is none.
    fn has_room(&mut self, place: &Place) -> bool {
        let entries = self.mailboxes.len() + self.aliases.len();
        if entries == MAX_ENTRIES {
            self.note(
                place,
                format!("more than {MAX_ENTRIES} addresses: import in parts; the rest is left out"),
            );
        }
        entries < MAX_ENTRIES
    }

    /// A domain that is served.
    pub fn domain(&mut self, place: &Place, text: &str) -> Option<String> {
        match DomainName::canonical(text) {
            Ok(domain) => {
                let domain = domain.as_str().to_owned();
                self.domains.entry(domain.clone()).or_default();
                Some(domain)
            }
            Err(refusal) => {
                self.note(place, format!("{text:?} is no domain: {}", refusal.message));
                None
            }
        }
    }

    /// An address in its canonical form.
    pub fn address(&mut self, place: &Place, text: &str) -> Option<String> {
        let address = text.rsplit_once('@').and_then(|(local, domain)| {
            let domain = DomainName::canonical(domain).ok()?;
            Some(format!("{}@{domain}", local.to_ascii_lowercase()))
        });
        let parsed = Address::parse(address.as_deref().unwrap_or(text));
        match parsed {
            Ok(address) => Some(address.as_str().to_owned()),
            Err(refusal) => {
                self.note(place, format!("{text:?} is no address that can be declared: {}", refusal.message));
                None
            }
        }
    }

    /// A mailbox; its domain is served.
    pub fn mailbox(&mut self, place: &Place, text: &str, mut found: FoundMailbox) {
        let Some(address) = self.address(place, text) else { return };
        if let Some(Err(refusal)) = found.display_name.as_deref().map(DisplayName::parse) {
            self.note(place, format!("the name of {address} is left out: {}", refusal.message));
            found.display_name = None;
        }
        if let Some(Err(refusal)) = found.quota.map(Quantity::from_bytes) {
            self.note(place, format!("the quota of {address} is left out: {}", refusal.message));
            found.quota = None;
        }
        if found.send_as.len() > MAX_OF_MAILBOX {
            self.note(
                place,
                format!(
                    "{address} may send as {} addresses, {MAX_OF_MAILBOX} are possible; they are left out",
                    found.send_as.len()
                ),
            );
            found.send_as.clear();
        }
        if let Some((first, _)) = self.mailboxes.get(&address) {
            let first = first.clone();
            return self.note(place, format!("{address} stands at {first} already; this one is left out"));
        }
        if !self.has_room(place) {
            return;
        }
        self.domain_of(&address);
        self.mailboxes.insert(address, (place.clone(), found));
    }

    /// An alias of an address or, as `@domain`, of everything else in a domain.
    pub fn alias(&mut self, place: &Place, text: &str, alias: impl Into<FoundAlias>) {
        let alias: FoundAlias = alias.into();
        let address = match text.strip_prefix('@') {
            None => self.address(place, text),
            Some(domain) => match DomainName::canonical(domain) {
                Ok(domain) => {
                    AliasAddress::parse(&format!("@{domain}")).ok().map(|it| it.as_str().to_owned())
                }
                Err(refusal) => return self.note(place, format!("{text:?}: {}", refusal.message)),
            },
        };
        let Some(address) = address else { return };
        let mut good: Vec<String> = Vec::new();
        for target in &alias.targets {
            if let Some(target) = self.address(place, target).filter(|target| !good.contains(target)) {
                good.push(target);
            }
        }
        if good.is_empty() {
            return self.note(place, format!("{address} has no target that can be declared; it is left out"));
        }
        if good.len() > MAX_TARGETS {
            let message = format!("{address} has {} targets, {MAX_TARGETS} are possible", good.len());
            return self.note(place, format!("{message}: split it; it is left out"));
        }
        if let Some((first, _)) = self.aliases.get(&address) {
            let first = first.clone();
            return self.note(place, format!("{address} stands at {first} already; this one is left out"));
        }
        if !self.has_room(place) {
            return;
        }
        self.domain_of(&address);
        self.aliases.insert(address, (place.clone(), FoundAlias { targets: good, ..alias }));
    }

    /// Another domain for the same addresses.
    pub fn alias_domain(&mut self, place: &Place, name: &str, real: &str) {
        let (Some(name), Some(real)) = (self.domain(place, name), self.domain(place, real)) else { return };
        if name == real {
            return self.note(place, format!("{name} is the same as itself; it is left out"));
        }
        self.domains.entry(real).or_default().push(name);
    }

    fn domain_of(&mut self, address: &str) {
        if let Some((_, domain)) = address.rsplit_once('@') {
            self.domains.entry(domain.to_owned()).or_default();
        }
    }

    /// A password as other systems store it: kept when the server verifies it, hashed when it is there in clear, else told.
    pub fn password(&mut self, place: &Place, who: &str, stored: &str) -> Option<String> {
        let clear = ["{PLAIN}", "{CLEARTEXT}", "{CLEAR}"];
        if let Some(password) = clear.iter().find_map(|scheme| strip(stored, scheme)) {
            return match hash::hash_password(password.as_bytes()) {
                Ok(hash) => Some(hash),
                Err(error) => {
                    self.note(place, format!("the password of {who}: {error}"));
                    None
                }
            };
        }
        let parsed = PasswordHash::parse(stored).map(|hash| hash.expose().to_owned());
        if let Ok(hash) = &parsed
            && hash::PasswordHash::parse(hash).is_ok()
        {
            return parsed.ok();
        }
        let scheme = scheme(stored);
        self.note(
            place,
            format!("the password of {who} is stored as {scheme}, which cannot be verified here: mailwright passwd {who}"),
        );
        None
    }
}

fn strip<'a>(stored: &'a str, scheme: &str) -> Option<&'a str> {
    let head = stored.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| &stored[scheme.len()..])
}

/// What a stored password calls itself, and nothing of the rest.
fn scheme(stored: &str) -> String {
    let braced = stored.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
    let dollars = || stored.strip_prefix('$').and_then(|rest| rest.split_once('$')).map(|(name, _)| name);
    let known = |name: &&str| {
        name.len() <= 24 && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
    };
    match braced.or_else(dollars).filter(known) {
        Some(name) => name.to_owned(),
        None => "something without a scheme".to_owned(),
    }
}

/// The lines of a text file with their numbers; one that is too long is told and left out.
pub fn lines<'a>(found: &mut Found, file: &str, text: &'a str) -> Vec<(usize, &'a str)> {
    let mut good = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.len() > MAX_LINE {
            found
                .note(&Place::new(file, index + 1), format!("longer than {MAX_LINE} octets; it is left out"));
        } else {
            good.push((index + 1, line));
        }
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_kept_hashed_or_told() {
        let hash = "$6$saltstring$.Oq6XmpoJ8HDLKnQtrF5FcmKZ5wer04s.9RTp74/4ef0CpDeNfu0HtxtGk.4u4wirwmAr3K3UwbUSRB3ZAkkH.";
        for (stored, kept, told) in [
            (hash.to_owned(), true, ""),
            (format!("{{SHA512-CRYPT}}{hash}"), true, ""),
            ("{SSHA}8xBdU+Fa1wyMBs6rbaMyhhaqJv1nZmY=".to_owned(), true, ""),
            ("{CRYPT}ab01FAX.bQRSU".to_owned(), false, "CRYPT"),
            ("{NTLM}0123456789abcdef0123456789abcdef".to_owned(), false, "NTLM"),
            ("$bcrypt-sha512$v=2,t=2b,r=12$abc".to_owned(), false, "bcrypt-sha512"),
            ("hunter2".to_owned(), false, "something without a scheme"),
        ] {
            let mut found = Found::default();
            let password = found.password(&Place::new("passwd", 3), "alice@one.test", &stored);
            assert_eq!(password.as_ref(), kept.then_some(&stored), "{stored}");
            let notes: Vec<String> = found.notes.iter().map(ToString::to_string).collect();
            let said = notes.iter().any(|note| note.starts_with("passwd:3: ") && note.contains(told));
            assert_eq!(said, !kept, "{notes:?}");
            assert!(!notes.concat().contains("hunter2") && !notes.concat().contains("FAX"), "{notes:?}");
        }
        let mut found = Found::default();
        let hashed = found.password(&Place::new("p", 1), "a@b.test", "{plain}hunter2").unwrap();
        assert!(
            hash::PasswordHash::parse(&hashed).unwrap().verify(b"hunter2") && !hashed.contains("hunter2")
        );
    }

    #[test]
    fn what_a_mailbox_cannot_have_is_told_and_the_rest_kept() {
        let mut found = Found::default();
        let mailbox = FoundMailbox {
            display_name: Some("two\nlines".into()),
            quota: Some(u64::MAX),
            send_as: (0..101).map(|number| format!("a{number}@one.test")).collect(),
            ..FoundMailbox::default()
        };
        found.mailbox(&Place::new("f", 1), "alice@one.test", mailbox);
        let kept = &found.mailboxes["alice@one.test"].1;
        assert_eq!((kept.display_name.as_ref(), kept.quota, kept.send_as.len()), (None, None, 0));
        let notes: Vec<String> = found.notes.iter().map(ToString::to_string).collect();
        for (note, told) in
            notes.iter().zip(["the name of alice@one.test", "the quota of", "may send as 101 addresses"])
        {
            assert!(note.contains(told), "{notes:?}");
        }
        assert_eq!(notes.len(), 3, "{notes:?}");
    }

    #[test]
    fn names_are_canonical_and_stand_once() {
        let mut found = Found::default();
        let at = |line| Place::new("f", line);
        found.mailbox(&at(1), "Alice@ONE.test", FoundMailbox::default());
        found.mailbox(&at(2), "alice@one.test", FoundMailbox::default());
        found.mailbox(&at(3), "not an address", FoundMailbox::default());
        let to = |targets: &[&str]| -> FoundAlias {
            let targets: Vec<String> = targets.iter().map(|it| (*it).to_owned()).collect();
            targets.as_slice().into()
        };
        found.alias(&at(4), "@One.test", to(&["Alice@one.test", "alice@one.test"]));
        found.alias(&at(5), "@one.test", to(&["alice@one.test"]));
        found.alias(&at(6), "x@one.test", to(&["broken"]));
        assert_eq!(found.mailboxes.keys().collect::<Vec<_>>(), ["alice@one.test"]);
        assert_eq!(found.aliases["@one.test"].1.targets, ["alice@one.test"]);
        assert_eq!(found.domains.keys().collect::<Vec<_>>(), ["one.test"]);
        let places: Vec<usize> = found.notes.iter().map(|note| note.place.line).collect();
        assert_eq!(places, [2, 3, 5, 6, 6]);
    }
}
