//! Who gets a message: a recipient expanded through aliases, catch-alls and alias domains to mailboxes.
//!
//! Sans-IO: the expander says which key it wants looked up, the driver answers from the database. For each address it asks
//! for the address as sent, then without its detail, then in the domain that its domain is another name of, then for the
//! catch-all. RFC 5321 §3.9 (aliases and lists); RFC 5233 §4 (subaddresses).

use std::collections::{HashSet, VecDeque};

use crate::address::{Address, Recipient, Sender, canonical_domain};
use crate::reason::Reason;

mod step;

pub use self::step::{AccountId, Decision, Key, Lookup, Quota, SendersPolicy, Skipped, Step};

/// Aliases within aliases. Honest lists nest three or four deep; a chain beyond this is a loop in all but name.
pub const MAX_DEPTH: usize = 16;

/// Lookups of one expansion: ten full aliases (500 targets each) can be resolved, a product of them cannot.
pub const MAX_LOOKUPS: usize = 5000;

/// Steps from a domain to the one it is another name of: one in a consistent database.
const MAX_DOMAIN_STEPS: usize = 4;

/// The expansion of one recipient.
///
/// Each mailbox comes out once, however many ways lead to it; each alias is expanded once. A member that cannot get
/// mail is skipped as long as another can, except when it could later (a full mailbox): then the recipient is refused for
/// now as a whole, since accepting it would lose that member's copy.
#[derive(Debug, Clone)]
pub struct Expander {
    original: Recipient,
    sender: Sender,
    size: u64,
    search: Option<Search>,
    waiting: VecDeque<Waiting>,
    aliases: Vec<Alias>,
    expanded: HashSet<Key>,
    accounts: Vec<AccountId>,
    skipped: Vec<Skipped>,
    lookups: usize,
    aborted: Option<Reason>,
}

/// An address to expand, and the alias it is a target of.
#[derive(Debug, Clone)]
struct Waiting {
    recipient: Recipient,
    parent: Option<usize>,
}

/// An alias that was expanded, and the one that led to it.
#[derive(Debug, Clone)]
struct Alias {
    key: Key,
    parent: Option<usize>,
    depth: usize,
}

/// The address being looked up.
#[derive(Debug, Clone)]
struct Search {
    waiting: Waiting,
    stage: Stage,
    domain_steps: usize,
}

/// Where in the order of lookups a search is.
#[derive(Debug, Clone)]
enum Stage {
    /// The address as it is.
    Exact,
    /// Without its detail.
    Plain,
    /// `@domain`.
    CatchAll,
    /// An alias was found; is the sender's domain another name of its domain?
    SenderDomain { alias: Key, sender_domain: String, targets: Vec<String> },
}

impl Expander {
    /// Begins with a recipient; `size` is the declared size of the message (MAIL's SIZE), for the quota.
    pub fn new(recipient: Recipient, sender: Sender, size: Option<u64>) -> Expander {
        Expander {
            waiting: VecDeque::from([Waiting { recipient: recipient.clone(), parent: None }]),
            original: recipient,
            sender,
            size: size.unwrap_or(0),
            search: None,
            aliases: Vec::new(),
            expanded: HashSet::new(),
            accounts: Vec::new(),
            skipped: Vec::new(),
            lookups: 0,
            aborted: None,
        }
    }

    /// What is wanted now; the same until [`Expander::answer`] is called.
    pub fn step(&mut self) -> Step {
        if self.search.is_none() && self.aborted.is_none() {
            self.search = self.waiting.pop_front().map(Search::new);
        }
        match &self.search {
            Some(search) if self.aborted.is_none() => Step::Lookup(search.key()),
            _ => Step::Done(self.decision()),
        }
    }

    /// The answer to the last lookup.
    pub fn answer(&mut self, lookup: Lookup) {
        let Some(search) = self.search.take() else { return };
        self.lookups += 1;
        if self.lookups >= MAX_LOOKUPS {
            self.aborted = Some(Reason::ExpansionTooLarge);
            return;
        }
        match search.stage {
            Stage::SenderDomain { alias, targets, .. } => {
                let real = match lookup {
                    Lookup::DomainAlias { domain } => canonical_domain(&domain),
                    _ => None,
                };
                match real.as_deref() == Some(alias.domain()) {
                    true => self.expand(alias, &search.waiting, targets),
                    false => self.skip(alias.to_string(), Reason::SenderNotPermitted),
                }
            }
            Stage::Exact | Stage::Plain | Stage::CatchAll => self.found(search, lookup),
        }
    }

    fn found(&mut self, search: Search, lookup: Lookup) {
        let address = search.waiting.recipient.full_address().to_string();
        match lookup {
            Lookup::Mailbox { account_id, enabled, quota } => match quota.takes(self.size) {
                _ if !enabled => self.skip(address, Reason::DisabledMailbox),
                false => self.skip(address, Reason::OverQuota),
                true if self.accounts.contains(&account_id) => {}
                true => self.accounts.push(account_id),
            },
            Lookup::Alias { enabled: false, .. } if matches!(search.stage, Stage::CatchAll) => {
                self.skip(address, Reason::UnknownUser);
            }
            Lookup::Alias { enabled: false, .. } => self.skip(address, Reason::DisabledMailbox),
            Lookup::Alias { targets, senders, member_addresses, .. } => {
                self.alias(search, targets, senders, &member_addresses);
            }
            Lookup::ParkedDomain => self.skip(address, Reason::ParkedDomain),
            Lookup::NoSuchDomain => self.skip(address, Reason::NoRelay),
            Lookup::NoSuchAddress => match search.next() {
                Some(next) => self.search = Some(next),
                None => self.skip(address, Reason::UnknownUser),
            },
            Lookup::DomainAlias { domain } => match search.in_domain(&domain) {
                Some(next) => self.search = Some(next),
                None => self.skip(address, Reason::AliasLoop),
            },
        }
    }

    /// An alias was found: may the sender write to it?
    fn alias(&mut self, search: Search, targets: Vec<String>, policy: SendersPolicy, members: &[String]) {
        let key = search.key();
        let permitted = match (policy, &self.sender) {
            (SendersPolicy::Anyone, _) => true,
            (_, None) => false,
            (SendersPolicy::Members, Some(sender)) => is_member(sender, members),
            (SendersPolicy::Domain, Some(sender)) if sender.domain() == key.domain() => true,
            (SendersPolicy::Domain, Some(sender)) => {
                let sender_domain = sender.domain().to_owned();
                self.search = Some(Search {
                    stage: Stage::SenderDomain { alias: key, sender_domain, targets },
                    ..search
                });
                return;
            }
        };
        match permitted {
            true => self.expand(key, &search.waiting, targets),
            false => self.skip(key.to_string(), Reason::SenderNotPermitted),
        }
    }

    fn expand(&mut self, key: Key, waiting: &Waiting, targets: Vec<String>) {
        if self.leads_to(waiting.parent, &key) {
            return self.skip(key.to_string(), Reason::AliasLoop);
        }
        if !self.expanded.insert(key.clone()) {
            return;
        }
        let depth = waiting.parent.map_or(1, |parent| self.aliases[parent].depth + 1);
        if depth > MAX_DEPTH {
            self.aborted = Some(Reason::AliasLoop);
            return;
        }
        self.aliases.push(Alias { key, parent: waiting.parent, depth });
        let parent = Some(self.aliases.len() - 1);
        for target in targets {
            match Recipient::parse(&target) {
                Some(recipient) => self.waiting.push_back(Waiting { recipient, parent }),
                None => self.skip(target, Reason::UnknownUser),
            }
        }
        if self.waiting.len() > MAX_LOOKUPS {
            self.aborted = Some(Reason::ExpansionTooLarge);
        }
    }

    /// True when `key` is among the aliases that led here.
    fn leads_to(&self, mut parent: Option<usize>, key: &Key) -> bool {
        while let Some(alias) = parent.and_then(|at| self.aliases.get(at)) {
            if alias.key == *key {
                return true;
            }
            parent = alias.parent;
        }
        false
    }

    fn skip(&mut self, address: String, reason: Reason) {
        self.skipped.push(Skipped { address, reason });
    }

    fn decision(&self) -> Decision {
        let temporary =
            self.skipped.iter().map(|skipped| skipped.reason).find(|reason| reason.is_temporary());
        if let Some(reason) = self.aborted.or(temporary) {
            return Decision::Reject(reason);
        }
        if self.accounts.is_empty() {
            return Decision::Reject(
                self.skipped.first().map_or(Reason::UnknownUser, |skipped| skipped.reason),
            );
        }
        Decision::Deliver {
            accounts: self.accounts.clone(),
            original: self.original.clone(),
            skipped: self.skipped.clone(),
        }
    }
}

impl Search {
    fn new(waiting: Waiting) -> Search {
        Search { waiting, stage: Stage::Exact, domain_steps: 0 }
    }

    fn key(&self) -> Key {
        let recipient = &self.waiting.recipient;
        match &self.stage {
            Stage::Exact => Key::Address(recipient.full_address()),
            Stage::Plain => Key::Address(recipient.address()),
            Stage::CatchAll => Key::CatchAll(recipient.domain().to_owned()),
            Stage::SenderDomain { sender_domain, .. } => Key::CatchAll(sender_domain.clone()),
        }
    }

    /// The next lookup in the same domain.
    fn next(mut self) -> Option<Search> {
        self.stage = match self.stage {
            Stage::Exact if self.waiting.recipient.detail().is_some() => Stage::Plain,
            Stage::Exact | Stage::Plain => Stage::CatchAll,
            Stage::CatchAll | Stage::SenderDomain { .. } => return None,
        };
        Some(self)
    }

    /// The domain is another name: first what is left of the addresses in it, then the real one.
    fn in_domain(mut self, domain: &str) -> Option<Search> {
        if let (Stage::Exact, Some(_)) = (&self.stage, self.waiting.recipient.detail()) {
            self.stage = Stage::Plain;
            return Some(self);
        }
        self.domain_steps += 1;
        if self.domain_steps > MAX_DOMAIN_STEPS {
            return None;
        }
        self.waiting.recipient = self.waiting.recipient.in_domain(domain)?;
        self.stage = Stage::Exact;
        Some(self)
    }
}

/// Whether the sender, with or without its detail, is one of these addresses.
fn is_member(sender: &Address, members: &[String]) -> bool {
    let plain = sender.without_detail();
    members
        .iter()
        .filter_map(|member| Address::parse(member))
        .any(|member| member == *sender || member == plain)
}

#[cfg(test)]
mod tests;
