//! The tables of the account database, with the rules that each of its writes obeys. Rows that nothing changed are borrowed: a
//! change among a hundred thousand rows copies one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Refused, in_use, not_found, taken};
use crate::observed::{
    AliasDeclared, AliasRow, CredentialRow, DomainDeclared, DomainRow, MailboxDeclared, MailboxRow, Observed,
    Owner, Rows, ServerDeclared, ServerRow, SetBy,
};
use crate::operation::CredentialChange;
use crate::reference::Kind;
use crate::shared::Shared;

/// Rows of one kind by key.
type Table<'a, R> = BTreeMap<Cow<'a, str>, Cow<'a, R>>;

/// The rows by key.
pub(crate) struct Tables<'a> {
    pub(super) change_counter: u64,
    next_account: i64,
    servers: Table<'a, ServerRow>,
    domains: Table<'a, DomainRow>,
    domain_aliases: BTreeMap<String, String>,
    mailboxes: Table<'a, MailboxRow>,
    aliases: Table<'a, AliasRow>,
    /// Mailboxes and aliases of each domain.
    addresses: BTreeMap<String, usize>,
}

/// The table of some rows.
fn table<'a, R: Clone>(rows: &'a [R], key: impl Fn(&'a R) -> &'a str) -> Table<'a, R> {
    rows.iter().map(|row| (Cow::Borrowed(key(row)), Cow::Borrowed(row))).collect()
}

/// The row of a key, to be changed.
fn changed<'t, R: Clone>(table: &'t mut Table<'_, R>, key: &str) -> Option<&'t mut R> {
    table.get_mut(key).map(Cow::to_mut)
}

fn rows<R: Clone>(table: Table<'_, R>) -> Vec<R> {
    table.into_values().map(Cow::into_owned).collect()
}

impl<'a> From<&'a Observed> for Tables<'a> {
    fn from(observed: &'a Observed) -> Self {
        let names = observed.domains.iter().flat_map(|row| {
            row.declared.aliases.iter().map(|alias| (alias.clone(), row.declared.domain.clone()))
        });
        let mut tables = Self {
            change_counter: observed.change_counter,
            next_account: observed.mailboxes.iter().map(|row| row.account_id).max().unwrap_or(0) + 1,
            servers: table(&observed.servers, |row| &row.declared.name),
            domains: table(&observed.domains, |row| &row.declared.domain),
            domain_aliases: names.collect(),
            mailboxes: table(&observed.mailboxes, |row| &row.declared.address),
            aliases: table(&observed.aliases, |row| &row.declared.address),
            addresses: BTreeMap::new(),
        };
        let mailboxes = observed.mailboxes.iter().map(|row| &row.declared.address);
        let aliases = observed.aliases.iter().map(|row| &row.declared.address);
        mailboxes.chain(aliases).for_each(|address| *tables.addresses_of(address) += 1);
        tables
    }
}

impl Rows for Tables<'_> {
    fn servers(&self) -> impl Iterator<Item = &ServerRow> {
        self.servers.values().map(AsRef::as_ref)
    }

    fn domains(&self) -> impl Iterator<Item = &DomainRow> {
        self.domains.values().map(AsRef::as_ref)
    }

    fn mailboxes(&self) -> impl Iterator<Item = &MailboxRow> {
        self.mailboxes.values().map(AsRef::as_ref)
    }

    fn aliases(&self) -> impl Iterator<Item = &AliasRow> {
        self.aliases.values().map(AsRef::as_ref)
    }
}

impl Tables<'_> {
    pub(super) fn into_observed(self) -> Observed {
        Observed {
            change_counter: self.change_counter,
            servers: rows(self.servers),
            domains: rows(self.domains),
            mailboxes: rows(self.mailboxes),
            aliases: rows(self.aliases),
        }
    }

    pub(super) fn owner(&self, kind: Kind, key: &str) -> Option<&Owner> {
        match kind {
            Kind::MailServer => self.servers.get(key)?.owner.as_deref(),
            Kind::MailDomain => self.domains.get(key)?.owner.as_deref(),
            Kind::Mailbox => self.mailboxes.get(key)?.owner.as_deref(),
            Kind::Alias => self.aliases.get(key)?.owner.as_deref(),
            Kind::MailRepository => None,
        }
    }

    pub(super) fn put_server(&mut self, declared: &Shared<ServerDeclared>, owner: &Shared<Owner>) -> bool {
        let row = ServerRow { declared: declared.clone(), owner: Some(owner.clone()) };
        let before = self.servers.get(declared.name.as_str());
        let same = before.is_some_and(|before| before.declared == row.declared && same(&before.owner, owner));
        if !same {
            self.servers.insert(Cow::Owned(declared.name.clone()), Cow::Owned(row));
        }
        !same
    }

    pub(super) fn put_domain(
        &mut self,
        declared: &Shared<DomainDeclared>,
        owner: &Shared<Owner>,
    ) -> Result<bool, Refused> {
        if let Some(holder) = self.domain_aliases.get(&declared.domain) {
            return Err(taken(holder));
        }
        for alias in &declared.aliases {
            let other = self.domain_aliases.get(alias).filter(|holder| **holder != declared.domain);
            let domain = self.domains.get_key_value(alias.as_str()).map(|(domain, _)| domain.as_ref());
            if let Some(holder) = domain.or(other.map(String::as_str)) {
                return Err(taken(holder));
            }
        }
        self.domain_aliases.retain(|_, holder| *holder != declared.domain);
        self.domain_aliases
            .extend(declared.aliases.iter().map(|alias| (alias.clone(), declared.domain.clone())));
        let row = DomainRow { declared: declared.clone(), owner: Some(owner.clone()), removed_at: None };
        let before = self.domains.get(declared.domain.as_str());
        let same = before.is_some_and(|before| {
            before.declared == row.declared && before.removed_at.is_none() && same(&before.owner, owner)
        });
        if !same {
            self.domains.insert(Cow::Owned(declared.domain.clone()), Cow::Owned(row));
        }
        Ok(!same)
    }

    pub(super) fn put_mailbox(
        &mut self,
        declared: &Shared<MailboxDeclared>,
        owner: &Shared<Owner>,
    ) -> Result<bool, Refused> {
        self.check_domain_of(&declared.address)?;
        if self.aliases.contains_key(declared.address.as_str()) {
            return Err(taken(&declared.address));
        }
        let Some(row) = self.mailboxes.get_mut(declared.address.as_str()) else {
            self.create_mailbox(declared, owner);
            return Ok(true);
        };
        let same = row.declared == *declared && row.removed_at.is_none() && same(&row.owner, owner);
        if !same {
            let before = row.to_mut();
            before.declared = declared.clone();
            before.owner = Some(owner.clone());
            before.removed_at = None;
        }
        Ok(!same)
    }

    fn create_mailbox(&mut self, declared: &Shared<MailboxDeclared>, owner: &Shared<Owner>) {
        let row = MailboxRow {
            account_id: self.next_account,
            declared: declared.clone(),
            owner: Some(owner.clone()),
            removed_at: None,
            credential: None,
            used_bytes: 0,
        };
        self.next_account += 1;
        *self.addresses_of(&declared.address) += 1;
        self.mailboxes.insert(Cow::Owned(declared.address.clone()), Cow::Owned(row));
    }

    pub(super) fn set_by(&self, address: &str) -> Option<SetBy> {
        self.mailboxes.get(address)?.credential.as_ref().map(|credential| credential.set_by)
    }

    pub(super) fn set_credential(&mut self, address: &str, credential: &CredentialChange) -> bool {
        let row =
            CredentialRow { fingerprint: Some(credential.fingerprint.clone()), set_by: SetBy::Declared };
        match changed(&mut self.mailboxes, address) {
            Some(mailbox) => mailbox.credential.replace(row.clone()) != Some(row),
            None => false,
        }
    }

    pub(super) fn put_alias(
        &mut self,
        declared: &Shared<AliasDeclared>,
        owner: &Shared<Owner>,
    ) -> Result<bool, Refused> {
        self.check_domain_of(&declared.address)?;
        if self.mailboxes.get(declared.address.as_str()).is_some_and(|row| row.removed_at.is_none()) {
            return Err(taken(&declared.address));
        }
        let before = self.aliases.get(declared.address.as_str());
        if before.is_none() {
            *self.addresses_of(&declared.address) += 1;
        } else if before.is_some_and(|before| before.declared == *declared && same(&before.owner, owner)) {
            return Ok(false);
        }
        let row = AliasRow { declared: declared.clone(), owner: Some(owner.clone()) };
        self.aliases.insert(Cow::Owned(declared.address.clone()), Cow::Owned(row));
        Ok(true)
    }

    pub(super) fn remove_domain_from_service(
        &mut self,
        domain: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, Refused> {
        let row = changed(&mut self.domains, domain).ok_or_else(|| not_found(domain))?;
        forget_applied(&mut row.owner);
        Ok(set_once(&mut row.removed_at, now))
    }

    pub(super) fn remove_mailbox_from_service(
        &mut self,
        address: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, Refused> {
        let row = changed(&mut self.mailboxes, address).ok_or_else(|| not_found(address))?;
        forget_applied(&mut row.owner);
        Ok(set_once(&mut row.removed_at, now))
    }

    pub(super) fn delete_server(&mut self, name: &str) -> Result<bool, Refused> {
        if !self.servers.contains_key(name) {
            return Ok(false);
        }
        if let Some((domain, _)) = self.domains.iter().find(|(_, row)| row.declared.server == name) {
            return Err(in_use(domain));
        }
        Ok(self.servers.remove(name).is_some())
    }

    pub(super) fn delete_domain(&mut self, domain: &str) -> Result<bool, Refused> {
        if !self.domains.contains_key(domain) {
            return Ok(false);
        }
        if self.addresses.get(domain).is_some_and(|count| *count > 0) {
            let mut addresses = self.mailboxes.keys().chain(self.aliases.keys());
            let user = addresses.find(|address| domain_of(address) == domain);
            return Err(in_use(user.map_or(domain, AsRef::as_ref)));
        }
        self.forget_aliases(domain);
        Ok(self.domains.remove(domain).is_some())
    }

    pub(super) fn delete_mailbox(&mut self, address: &str, now: DateTime<Utc>) -> Result<bool, Refused> {
        let Some(row) = self.mailboxes.get(address) else { return Ok(false) };
        if row.declared.legal_hold || row.retain_until().is_none_or(|until| now < until) {
            return Err(in_use(address));
        }
        self.mailboxes.remove(address);
        *self.addresses_of(address) -= 1;
        Ok(true)
    }

    pub(super) fn delete_alias(&mut self, address: &str) -> bool {
        let existed = self.aliases.remove(address).is_some();
        if existed {
            *self.addresses_of(address) -= 1;
        }
        existed
    }

    pub(super) fn release(&mut self, kind: Kind, key: &str) -> Result<bool, Refused> {
        let owner = match kind {
            Kind::MailServer => changed(&mut self.servers, key).map(|row| &mut row.owner),
            Kind::MailDomain => changed(&mut self.domains, key).map(|row| &mut row.owner),
            Kind::Mailbox => changed(&mut self.mailboxes, key).map(|row| &mut row.owner),
            Kind::Alias => changed(&mut self.aliases, key).map(|row| &mut row.owner),
            Kind::MailRepository => None,
        };
        Ok(owner.ok_or_else(|| not_found(key))?.take().is_some())
    }

    fn forget_aliases(&mut self, domain: &str) {
        let row = self.domains.get(domain);
        for alias in row.into_iter().flat_map(|row| &row.declared.aliases) {
            self.domain_aliases.remove(alias);
        }
    }

    fn check_domain_of(&self, address: &str) -> Result<(), Refused> {
        let domain = domain_of(address);
        if self.domains.contains_key(domain) { Ok(()) } else { Err(not_found(domain)) }
    }

    fn addresses_of(&mut self, address: &str) -> &mut usize {
        self.addresses.entry(domain_of(address).to_owned()).or_default()
    }
}

fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// An owner whose line merely moved is not written again.
fn same(before: &Option<Shared<Owner>>, owner: &Owner) -> bool {
    before.as_ref().is_some_and(|before| before.is(owner))
}

/// What goes out of service on purpose is no drift.
fn forget_applied(owner: &mut Option<Shared<Owner>>) {
    if let Some(owner) = owner {
        owner.applied = None;
    }
}

fn set_once(slot: &mut Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    let unset = slot.is_none();
    slot.get_or_insert(now);
    unset
}
