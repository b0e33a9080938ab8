//! Who gets the mail for an address in some state of the database: the planner's own view of routing, for effects and
//! guards. It follows the order of delivery: the address itself, its domain's real name, then the catch-all.

use std::collections::{BTreeSet, HashMap};

use crate::observed::{AliasRow, DomainRow, MailboxRow, Rows};
use crate::reference::Kind;

/// Longer chains of aliases are not followed; delivery ends them too.
const MAX_DEPTH: usize = 32;

/// An index over one state.
pub(crate) struct Routes<'a> {
    domains: HashMap<&'a str, &'a DomainRow>,
    mailboxes: HashMap<&'a str, &'a MailboxRow>,
    aliases: HashMap<&'a str, &'a AliasRow>,
    members_of: HashMap<&'a str, Vec<&'a str>>,
}

/// Where mail for one address ends, and every row that was looked at on the way.
#[derive(Debug, Default)]
pub(crate) struct Route<'a> {
    /// Active mailboxes that get it.
    pub(crate) mailboxes: BTreeSet<&'a str>,
    /// Whether a copy leaves for another server.
    pub(crate) leaves: bool,
    /// The rows that decided.
    pub(crate) path: BTreeSet<(Kind, &'a str)>,
}

impl<'a> Routes<'a> {
    pub(crate) fn new(rows: &'a impl Rows) -> Self {
        let mut domains = HashMap::new();
        for row in rows.domains() {
            for name in std::iter::once(&row.declared.domain).chain(&row.declared.aliases) {
                domains.insert(name.as_str(), row);
            }
        }
        let mut members_of: HashMap<&str, Vec<&str>> = HashMap::new();
        for row in rows.aliases() {
            for target in &row.declared.targets {
                members_of.entry(target.as_str()).or_default().push(row.declared.address.as_str());
            }
        }
        let mailboxes = rows.mailboxes().map(|row| (row.declared.address.as_str(), row)).collect();
        let aliases = rows.aliases().map(|row| (row.declared.address.as_str(), row)).collect();
        Self { domains, mailboxes, aliases, members_of }
    }

    /// The domain that serves a name, under its own name or as an alias domain.
    pub(crate) fn domain(&self, name: &str) -> Option<&'a DomainRow> {
        self.domains.get(name).copied()
    }

    /// Whether mail for the domain is accepted at all.
    pub(crate) fn takes_mail(&self, name: &str) -> bool {
        self.domain(name).is_some_and(|row| row.removed_at.is_none() && !row.declared.parked)
    }

    pub(crate) fn mailbox(&self, address: &str) -> Option<&'a MailboxRow> {
        self.mailboxes.get(address).copied()
    }

    pub(crate) fn alias(&self, address: &str) -> Option<&'a AliasRow> {
        self.aliases.get(address).copied()
    }

    /// The enabled aliases that name an address as a target, sorted.
    pub(crate) fn aliases_to(&self, address: &str) -> Vec<&'a str> {
        let mut aliases = self.members_of.get(address).cloned().unwrap_or_default();
        aliases.retain(|alias| self.alias(alias).is_some_and(|row| row.declared.enabled));
        aliases.sort_unstable();
        aliases
    }

    /// Who gets mail for unknown addresses of a domain: `catchAll`, or the targets of `@domain`.
    pub(crate) fn catch_all(&self, domain: &str) -> Option<String> {
        let row = self.domain(domain).filter(|_| self.takes_mail(domain))?;
        if let Some(alias) = self.alias(&format!("@{}", row.declared.domain)) {
            return alias.declared.enabled.then(|| alias.declared.targets.join(", "));
        }
        row.declared.catch_all.clone()
    }

    pub(crate) fn route(&self, address: &str) -> Route<'a> {
        let mut route = Route::default();
        self.follow(address, MAX_DEPTH, &mut BTreeSet::new(), &mut route);
        route
    }

    /// Whether mail for the address reaches anybody.
    pub(crate) fn reaches_somebody(&self, address: &str) -> bool {
        let route = self.route(address);
        route.leaves || !route.mailboxes.is_empty()
    }

    /// Whether an address is at a domain that this installation has nothing to do with.
    pub(crate) fn is_foreign(&self, address: &str) -> bool {
        address.rsplit_once('@').is_some_and(|(_, name)| self.domain(name).is_none())
    }

    /// The address that `local+detail@domain` stands for (RFC 5233 §1), unless it is somebody's as it is.
    fn without_detail(&self, address: &str) -> String {
        let known = |address: &str| self.mailbox(address).is_some() || self.alias(address).is_some();
        match plain_address(address) {
            Some(plain) if !known(address) && known(&plain) => plain,
            _ => address.to_owned(),
        }
    }

    fn follow(&self, address: &str, depth: usize, seen: &mut BTreeSet<String>, route: &mut Route<'a>) {
        let Some((local, name)) = address.rsplit_once('@') else { return };
        let Some(domain) = self.domain(name) else {
            route.leaves = true;
            return;
        };
        let domain = &domain.declared;
        route.path.insert((Kind::MailDomain, &domain.domain));
        let address = format!("{local}@{}", domain.domain);
        if depth == 0 || !self.takes_mail(name) || !seen.insert(address.clone()) {
            return;
        }
        let plain = self.without_detail(&address);
        // Who left may have an alias in their place.
        let left = |row: &MailboxRow| row.removed_at.is_some() && self.alias(&plain).is_some();
        if let Some(mailbox) = self.mailbox(&plain).filter(|row| !left(row)) {
            route.path.insert((Kind::Mailbox, &mailbox.declared.address));
            if mailbox.is_active() {
                self.keep_or_forward(mailbox, depth, seen, route);
            }
            return;
        }
        let catch_all = || self.alias(&format!("@{}", domain.domain));
        if let Some(alias) = self.alias(&plain).or_else(catch_all) {
            route.path.insert((Kind::Alias, &alias.declared.address));
            let targets = alias.declared.targets.iter().filter(|_| alias.declared.enabled);
            targets.for_each(|target| self.follow(target, depth - 1, seen, route));
        } else if let Some(target) = &domain.catch_all {
            self.follow(target, depth - 1, seen, route);
        }
    }

    /// A mailbox keeps its mail unless it only forwards. A forward that comes to nobody else leaves the mail here.
    fn keep_or_forward(
        &self,
        mailbox: &'a MailboxRow,
        depth: usize,
        seen: &mut BTreeSet<String>,
        route: &mut Route<'a>,
    ) {
        let declared = &mailbox.declared;
        let forward = declared.forward.as_ref();
        let mut ways = Route::default();
        for target in forward.iter().flat_map(|forward| &forward.targets) {
            self.follow(target, depth - 1, seen, &mut ways);
        }
        let nowhere = !ways.leaves && ways.mailboxes.is_empty();
        if nowhere || forward.is_none_or(|forward| forward.keep_copy) {
            ways.mailboxes.insert(&declared.address);
        }
        route.leaves |= ways.leaves;
        route.mailboxes.extend(ways.mailboxes);
        route.path.extend(ways.path);
    }
}

/// An address without its `+detail`; `None` when it has none.
pub(crate) fn plain_address(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let (plain, _) = local.split_once('+').filter(|(plain, _)| !plain.is_empty())?;
    Some(format!("{plain}@{domain}"))
}

#[cfg(test)]
mod tests;
