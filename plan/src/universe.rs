//! Which names exist once every valid object is applied: what checks resolve references against.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use crate::draft::Draft;
use crate::observed::{DomainDeclared, MailboxDeclared, Observed};
use crate::reference::{Kind, ObjectRef};
use crate::routes::plain_address;

/// Suggestions look through no more names than this; a longer list makes every typing error slow.
const MAX_SUGGESTIONS: usize = 1_000;

/// The names that stand, by key.
pub(crate) struct Universe<'a> {
    draft: &'a Draft<'a>,
    /// What is before the `@` by what is after it; made when the first typing error is met.
    locals: OnceCell<HashMap<&'a str, Vec<&'a str>>>,
    pub(crate) servers: BTreeMap<&'a str, ()>,
    pub(crate) domains: BTreeMap<&'a str, &'a DomainDeclared>,
    alias_domains: HashMap<&'a str, &'a str>,
    /// Mailboxes, with whether they are enabled.
    pub(crate) mailboxes: BTreeMap<&'a str, bool>,
    /// Aliases with their targets.
    pub(crate) aliases: BTreeMap<&'a str, &'a [String]>,
    /// Mailboxes that forward, with where to.
    forwards: BTreeMap<&'a str, &'a [String]>,
}

impl<'a> Universe<'a> {
    pub(crate) fn new(draft: &'a Draft<'a>) -> Self {
        let mut universe = Self {
            draft,
            locals: OnceCell::new(),
            servers: BTreeMap::new(),
            domains: BTreeMap::new(),
            alias_domains: HashMap::new(),
            mailboxes: BTreeMap::new(),
            aliases: BTreeMap::new(),
            forwards: BTreeMap::new(),
        };
        universe.add_rows(draft, draft.observed);
        universe.servers.extend(draft.servers.iter().map(|it| (it.declared.name.as_str(), ())));
        universe.domains.extend(draft.domains.iter().map(|it| (it.declared.domain.as_str(), &*it.declared)));
        let mailboxes = draft.mailboxes.iter().map(|it| (it.declared.address.as_str(), it.declared.enabled));
        universe.mailboxes.extend(mailboxes);
        draft.mailboxes.iter().for_each(|it| universe.set_forward(&it.declared));
        let aliases =
            draft.aliases.iter().map(|it| (it.declared.address.as_str(), it.declared.targets.as_slice()));
        universe.aliases.extend(aliases);
        for domain in universe.domains.values() {
            universe
                .alias_domains
                .extend(domain.aliases.iter().map(|name| (name.as_str(), domain.domain.as_str())));
        }
        universe
    }

    fn add_rows(&mut self, draft: &Draft<'_>, observed: &'a Observed) {
        for row in &observed.servers {
            let standing = draft.standing(Kind::MailServer, &row.declared.name, row.owner.as_deref());
            // Settings of a server that is declared no more stay in force until another server is declared.
            if standing.stays() || draft.servers.is_empty() {
                self.servers.insert(&row.declared.name, ());
            }
        }
        for row in observed.mailboxes.iter().filter(|row| draft.stays_in_service(row)) {
            self.mailboxes.insert(&row.declared.address, row.declared.enabled);
            self.set_forward(&row.declared);
        }
        for row in &observed.aliases {
            if draft.standing(Kind::Alias, &row.declared.address, row.owner.as_deref()).stays() {
                self.aliases.insert(&row.declared.address, &row.declared.targets);
            }
        }
        let blocked = crate::domain::blocked(draft);
        for row in observed.domains.iter().filter(|row| row.removed_at.is_none()) {
            let name = row.declared.domain.as_str();
            let standing = draft.standing(Kind::MailDomain, name, row.owner.as_deref());
            if standing.stays() || blocked.contains_key(name) {
                self.domains.insert(name, &row.declared);
            }
        }
    }

    fn set_forward(&mut self, declared: &'a MailboxDeclared) {
        match declared.forward.as_ref().filter(|_| declared.enabled) {
            Some(forward) => self.forwards.insert(&declared.address, &forward.targets),
            None => self.forwards.remove(declared.address.as_str()),
        };
    }

    /// Everything that hands mail on: aliases and forwards, with where to.
    pub(crate) fn ways_on(&self) -> BTreeMap<&'a str, &'a [String]> {
        self.aliases.iter().chain(&self.forwards).map(|(address, targets)| (*address, *targets)).collect()
    }

    /// The domain that serves a name, under its own name or as an alias domain.
    pub(crate) fn domain(&self, name: &str) -> Option<&'a DomainDeclared> {
        let real = || self.domains.get(self.real_domain(name)?);
        self.domains.get(name).or_else(real).copied()
    }

    /// Whether a domain was served before this plan and is no more after it.
    pub(crate) fn is_given_up(&self, name: &str) -> bool {
        let rows = self.draft.observed.domains.iter();
        let names =
            |row: &DomainDeclared| row.domain == name || row.aliases.iter().any(|alias| alias == name);
        self.domain(name).is_none() && rows.into_iter().any(|row| names(&row.declared))
    }

    /// The domain that a name is an alias domain of; a domain of its own is none, whoever claims it as an alias.
    pub(crate) fn real_domain(&self, name: &str) -> Option<&'a str> {
        self.alias_domains.get(name).filter(|_| !self.domains.contains_key(name)).copied()
    }

    /// The mailbox or alias that an address means.
    pub(crate) fn resolve(&self, address: &str) -> Option<(Kind, &'a str)> {
        let (local, name) = address.rsplit_once('@')?;
        let address = format!("{local}@{}", self.domain(name)?.domain);
        self.exact(&address).or_else(|| self.exact(&plain_address(&address)?))
    }

    fn exact(&self, address: &str) -> Option<(Kind, &'a str)> {
        let mailbox = self.mailboxes.get_key_value(address).map(|(key, _)| (Kind::Mailbox, *key));
        mailbox.or_else(|| self.aliases.get_key_value(address).map(|(key, _)| (Kind::Alias, *key)))
    }

    /// Where a name is declared by an object that has an error of its own (or is suspended), in words. Of an object that
    /// could not be understood only the name is known; the names that people give are taken as what they stand for.
    pub(crate) fn declared_wrongly(&self, kinds: &[Kind], key: &str) -> Option<String> {
        let frozen = kinds.iter().find_map(|kind| Some((*kind, self.draft.frozen_at(*kind, key)?)));
        if let Some((kind, origin)) = frozen {
            return Some(format!("the {kind} {key}{} is not applied", origin.at()));
        }
        let broken = self.draft.catalog.broken_objects().iter();
        let mut broken = broken.filter(|(object, _)| kinds.contains(&object.kind) && stands_for(object, key));
        let (object, origin) = broken.find_map(|(object, origins)| Some((object, origins.first()?)))?;
        Some(format!("the {object}{} cannot be understood", origin.at()))
    }

    /// The address of the same domain that was probably meant.
    pub(crate) fn similar_address(&self, address: &str) -> Option<String> {
        let (local, domain) = address.rsplit_once('@')?;
        let locals = self.locals.get_or_init(|| self.locals_by_domain()).get(domain)?;
        nearest(local, locals.iter().copied()).map(|local| format!("{local}@{domain}"))
    }

    fn locals_by_domain(&self) -> HashMap<&'a str, Vec<&'a str>> {
        let mut locals: HashMap<&str, Vec<&str>> = HashMap::new();
        for address in self.mailboxes.keys().chain(self.aliases.keys()) {
            if let Some((local, domain)) = address.rsplit_once('@').filter(|(local, _)| !local.is_empty()) {
                locals.entry(domain).or_default().push(local);
            }
        }
        locals
    }

    /// The domain that was probably meant.
    pub(crate) fn similar_domain(&self, name: &str) -> Option<&'a str> {
        nearest(name, self.domains.keys().copied())
    }
}

/// Whether an object is probably the one of a key: a server by namespace and name, a domain or an address by its name
/// (`example-test` or `example` for example.test, `alice` for alice@example.test).
fn stands_for(object: &ObjectRef, key: &str) -> bool {
    let dashed = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    match object.kind {
        Kind::MailServer => format!("{}/{}", object.namespace, object.name) == key,
        Kind::MailDomain => {
            object.name == key
                || object.name == dashed(key)
                || key.split_once('.').is_some_and(|(first, _)| object.name == first)
        }
        Kind::Mailbox | Kind::Alias => {
            object.name == dashed(key)
                || key.rsplit_once('@').is_some_and(|(local, _)| object.name == dashed(local))
        }
        Kind::MailRepository => false,
    }
}

/// The candidate with the fewest differing characters, when it is at most a third of the text away.
pub(crate) fn nearest<'b>(text: &str, candidates: impl Iterator<Item = &'b str>) -> Option<&'b str> {
    let limit = text.len().div_ceil(3).clamp(1, 3);
    let others = candidates.take(MAX_SUGGESTIONS).filter(|other| *other != text);
    let near = others.filter(|other| other.len().abs_diff(text.len()) <= limit);
    near.map(|other| (distance(text, other), other))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|it| it.1)
}

/// Levenshtein distance over characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_what_was_meant() {
        let known = ["alice", "bob", "sales"];
        let check = |text, expected| assert_eq!(nearest(text, known.into_iter()), expected, "{text}");
        check("alcie", Some("alice"));
        check("alise", Some("alice"));
        check("bobb", Some("bob"));
        check("sale", Some("sales"));
        check("zoe", None);
        check("marketing", None);
        check("", None);
        assert_eq!(nearest("bob", ["bob"].into_iter()), None, "what was written is no suggestion");
    }

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("ü", "u", 1)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
