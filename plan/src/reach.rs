//! Whether mail for an address can reach anybody while a plan is being applied, and which rows that depends on.
//!
//! An interrupted plan leaves each row as it was or as it will be. Looking at both versions of every row gives the same
//! answer before, in the middle of and after an interruption, so guards that ask here hold the same operations.

use std::collections::BTreeSet;

use crate::observed::{AliasRow, MailboxRow};
use crate::operation::{Change, Operation};
use crate::reference::Kind;
use crate::routes::{Routes, plain_address};

/// The row of an address, domain or catch-all.
pub(crate) type Key = (Kind, String);

/// Both versions of every row.
pub(crate) struct Reach<'a> {
    pub(crate) before: &'a Routes<'a>,
    pub(crate) after: &'a Routes<'a>,
}

/// What one address can come to.
#[derive(Default)]
struct Search {
    seen: BTreeSet<String>,
    rows: BTreeSet<Key>,
    reached: bool,
}

impl<'a> Reach<'a> {
    /// The rows that decide about an address, when mail for it can reach somebody in some mixture of versions.
    pub(crate) fn rows(&self, address: &str) -> Option<BTreeSet<Key>> {
        let mut search = Search::default();
        let mut open = vec![address.to_owned()];
        while let Some(address) = open.pop() {
            if search.seen.insert(address.clone()) {
                self.visit(&address, &mut search, &mut open);
            }
        }
        search.reached.then_some(search.rows)
    }

    fn versions(&self) -> [&'a Routes<'a>; 2] {
        [self.before, self.after]
    }

    fn visit(&self, address: &str, search: &mut Search, open: &mut Vec<String>) {
        let Some((local, name)) = address.rsplit_once('@') else { return };
        if self.versions().iter().all(|version| version.domain(name).is_none()) {
            search.reached = true;
        }
        for domain in self.versions().iter().filter_map(|version| version.domain(name)) {
            let domain = domain.declared.domain.as_str();
            search.rows.insert((Kind::MailDomain, domain.to_owned()));
            let exact = format!("{local}@{domain}");
            if !self.row(&exact, search, open) {
                continue;
            }
            if plain_address(&exact).is_some_and(|plain| !self.row(&plain, search, open)) {
                continue;
            }
            if self.row(&format!("@{domain}"), search, open) {
                let rows = self.versions().into_iter().filter_map(|version| version.domain(domain));
                open.extend(rows.filter_map(|row| row.declared.catch_all.clone()));
            }
        }
    }

    /// Looks at the rows of exactly this address. Says whether there may be none, so that the search goes on.
    fn row(&self, address: &str, search: &mut Search, open: &mut Vec<String>) -> bool {
        search.rows.insert((Kind::Mailbox, address.to_owned()));
        search.rows.insert((Kind::Alias, address.to_owned()));
        let mailboxes: [Option<&MailboxRow>; 2] = self.versions().map(|version| version.mailbox(address));
        let aliases: [Option<&AliasRow>; 2] = self.versions().map(|version| version.alias(address));
        search.reached |= mailboxes.iter().flatten().any(|row| row.is_active());
        for row in mailboxes.iter().flatten().filter(|row| row.is_active()) {
            open.extend(row.declared.forward.iter().flat_map(|forward| forward.targets.iter().cloned()));
        }
        for row in aliases.iter().flatten().filter(|row| row.declared.enabled) {
            open.extend(row.declared.targets.iter().cloned());
        }
        mailboxes.iter().any(Option::is_none) && aliases.iter().any(Option::is_none)
    }

    /// Whether an operation could take mail away from an address that its row decides about.
    pub(crate) fn is_harmful(&self, operation: &Operation) -> bool {
        match &operation.change {
            Change::PutServer { .. }
            | Change::DeleteServer { .. }
            | Change::Release { .. }
            | Change::Object { .. } => false,
            Change::PutMailbox { declared, .. } => {
                let before = self.before.mailbox(&declared.address);
                before.is_none_or(|row| row.is_active() && !declared.enabled)
            }
            Change::PutAlias { declared, .. } => self.before.alias(&declared.address).is_none_or(|row| {
                let loses = row.declared.targets.iter().any(|target| !declared.targets.contains(target));
                row.declared.enabled && (loses || !declared.enabled)
            }),
            Change::PutDomain { declared, .. } => self.before.domain(&declared.domain).is_some_and(|row| {
                let before = &row.declared;
                let loses = before.aliases.iter().any(|alias| !declared.aliases.contains(alias));
                let redirects = before.catch_all.is_some() && before.catch_all != declared.catch_all;
                loses || redirects || (declared.parked && !before.parked)
            }),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests;
