//! Which objects and rows a change can concern: from what changed along names, rows and targets until nothing new is met.

use std::collections::{BTreeSet, HashMap};

use mailwright_crds::Resource;

use crate::catalog::{Catalog, Entry};
use crate::guard::PROTECTED;
use crate::observed::{AliasRow, MailboxRow, Observed, Owner};
use crate::reference::ObjectRef;
use crate::routes::plain_address;

/// A search that goes on until everything found was looked at.
pub(super) struct Neighbours<'a> {
    catalog: &'a Catalog,
    observed: &'a Observed,
    /// Objects by the address that they ask for.
    declared: HashMap<&'a str, Vec<&'a Entry>>,
    mailboxes: HashMap<&'a str, &'a MailboxRow>,
    aliases: HashMap<&'a str, &'a AliasRow>,
    /// Addresses of rows by the object that declared them.
    owned: HashMap<&'a ObjectRef, Vec<&'a str>>,
    /// Domains by each of their names, as declared and as they run.
    domains: HashMap<&'a str, BTreeSet<&'a str>>,
    objects: BTreeSet<ObjectRef>,
    addresses: BTreeSet<String>,
    new_objects: Vec<ObjectRef>,
    new_addresses: Vec<String>,
}

impl<'a> Neighbours<'a> {
    /// Begins with what belongs to every part: servers and domains, the addresses that must go on being answered, catch-alls, what
    /// is suspended, and what is removed and kept for a time.
    pub(super) fn new(catalog: &'a Catalog, observed: &'a Observed) -> Neighbours<'a> {
        let mut found = Neighbours {
            catalog,
            observed,
            declared: HashMap::with_capacity(catalog.len()),
            mailboxes: HashMap::with_capacity(observed.mailboxes.len()),
            aliases: HashMap::with_capacity(observed.aliases.len()),
            owned: HashMap::with_capacity(observed.mailboxes.len() + observed.aliases.len()),
            domains: HashMap::new(),
            objects: BTreeSet::new(),
            addresses: BTreeSet::new(),
            new_objects: Vec::new(),
            new_addresses: Vec::new(),
        };
        found.index_rows();
        let suspended = found.index_objects();
        found.begin();
        suspended.iter().for_each(|object| found.add_object(object));
        found
    }

    fn index_rows(&mut self) {
        for row in &self.observed.mailboxes {
            self.mailboxes.insert(&row.declared.address, row);
            self.own(row.owner.as_deref(), &row.declared.address);
        }
        for row in &self.observed.aliases {
            self.aliases.insert(&row.declared.address, row);
            self.own(row.owner.as_deref(), &row.declared.address);
        }
        for row in &self.observed.domains {
            let domain = row.declared.domain.as_str();
            for name in row.declared.aliases.iter().map(String::as_str).chain([domain]) {
                self.domains.entry(name).or_default().insert(domain);
            }
        }
    }

    fn own(&mut self, owner: Option<&'a Owner>, address: &'a str) {
        if let Some(owner) = owner {
            self.owned.entry(&owner.object).or_default().push(address);
        }
    }

    /// Answers what is suspended.
    fn index_objects(&mut self) -> Vec<ObjectRef> {
        let mut suspended = Vec::new();
        for entry in self.catalog.entries() {
            if let Resource::MailDomain(it) = &entry.resource {
                let domain = it.spec.domain.as_str();
                for name in it.spec.aliases.iter().map(|alias| alias.as_str()).chain([domain]) {
                    self.domains.entry(name).or_default().insert(domain);
                }
            }
            if let Some(address) = entry.address() {
                self.declared.entry(address).or_default().push(entry);
            }
            if entry.resource.is_suspended() {
                suspended.push(entry.object());
            }
        }
        suspended
    }

    fn begin(&mut self) {
        for entry in self.catalog.heads() {
            self.add_object(&entry.object());
            if let Resource::MailDomain(domain) = &entry.resource {
                domain.spec.catch_all.iter().for_each(|target| self.add_target(target.as_str()));
            }
        }
        for row in &self.observed.domains {
            row.declared.catch_all.iter().for_each(|target| self.add_target(target));
        }
        let domains: BTreeSet<&str> = self.domains.values().flatten().copied().collect();
        for domain in domains {
            PROTECTED.iter().for_each(|local| self.add_address(&format!("{local}@{domain}")));
            self.add_address(&format!("@{domain}"));
        }
        for row in self.observed.mailboxes.iter().filter(|row| row.removed_at.is_some()) {
            self.add_address(&row.declared.address);
        }
    }

    /// Whether a row takes mail for an address.
    pub(super) fn is_served(&self, address: &str) -> bool {
        self.mailboxes.get(address).is_some_and(|row| row.removed_at.is_none())
            || self.aliases.contains_key(address)
    }

    /// Looks at an object, wherever it is declared, and at the rows that it owns.
    pub(super) fn add_object(&mut self, object: &ObjectRef) {
        if self.objects.insert(object.clone()) {
            self.new_objects.push(object.clone());
        }
    }

    /// Looks at the rows of an address, at who declares it and at where its mail goes on to.
    pub(super) fn add_address(&mut self, address: &str) {
        if self.addresses.insert(address.to_owned()) {
            self.new_addresses.push(address.to_owned());
        }
    }

    /// Looks at what a target can mean: the address itself, at each domain that has the name, with and without its detail.
    fn add_target(&mut self, target: &str) {
        let Some((local, name)) = target.rsplit_once('@') else { return };
        for domain in self.domains.get(name).cloned().unwrap_or_default() {
            let address = format!("{local}@{domain}");
            if let Some(plain) = plain_address(&address) {
                self.add_address(&plain);
            }
            self.add_address(&address);
        }
    }

    /// Everything that is met, with its rows; `None` when that is more than `limit` objects or addresses.
    pub(super) fn find(mut self, limit: usize) -> Option<(BTreeSet<ObjectRef>, Observed)> {
        loop {
            if self.objects.len() > limit || self.addresses.len() > limit {
                return None;
            }
            if let Some(object) = self.new_objects.pop() {
                self.look_at_object(&object);
            } else if let Some(address) = self.new_addresses.pop() {
                self.look_at_address(&address);
            } else {
                break;
            }
        }
        let rows = |address: &String| self.mailboxes.get(address.as_str()).map(|row| MailboxRow::clone(row));
        let aliases = |address: &String| self.aliases.get(address.as_str()).map(|row| AliasRow::clone(row));
        let part = Observed {
            change_counter: self.observed.change_counter,
            servers: self.observed.servers.clone(),
            domains: self.observed.domains.clone(),
            mailboxes: self.addresses.iter().filter_map(rows).collect(),
            aliases: self.addresses.iter().filter_map(aliases).collect(),
        };
        Some((self.objects, part))
    }

    fn look_at_object(&mut self, object: &ObjectRef) {
        let catalog = self.catalog;
        for entry in catalog.all_of(object) {
            entry.address().into_iter().for_each(|address| self.add_address(address));
        }
        for address in self.owned.get(object).cloned().unwrap_or_default() {
            self.add_address(address);
        }
    }

    fn look_at_address(&mut self, address: &str) {
        for entry in self.declared.get(address).cloned().unwrap_or_default() {
            self.add_object(&entry.object());
            targets_of(entry).into_iter().for_each(|target| self.add_target(target));
        }
        if let Some(row) = self.mailboxes.get(address).copied() {
            row.owner.iter().for_each(|owner| self.add_object(&owner.object));
            let targets = row.declared.forward.iter().flat_map(|forward| &forward.targets);
            targets.for_each(|target| self.add_target(target));
        }
        if let Some(row) = self.aliases.get(address).copied() {
            row.owner.iter().for_each(|owner| self.add_object(&owner.object));
            row.declared.targets.iter().for_each(|target| self.add_target(target));
        }
    }
}

fn targets_of(entry: &Entry) -> Vec<&str> {
    match &entry.resource {
        Resource::Mailbox(mailbox) => {
            mailbox.spec.forward.iter().flat_map(|it| &it.targets).map(|target| target.as_str()).collect()
        }
        Resource::Alias(alias) => alias.spec.targets.iter().map(|target| target.as_str()).collect(),
        Resource::MailServer(_) | Resource::MailDomain(_) => Vec::new(),
    }
}
