//! Who gets a message: a recipient expanded through aliases, catch-alls, alias domains and forwards to mailboxes and to
//! addresses on other hosts.
//!
//! Sans-IO: the expander says which key it wants looked up, the driver answers from the database. For each address it asks
//! for the address as sent, then without its detail, then in the domain that its domain is another name of, then for the
//! catch-all. RFC 5321 §3.9 (aliases and lists), §6.3 (loops); RFC 5233 §4 (subaddresses).
//!
//! Loops end. Within one expansion a set of what was visited ends them, and a mailbox in the circle keeps the message. A
//! loop over another host comes back with [`loop_marks`]: a mailbox that finds its own keeps the message, an alias refuses.

use std::collections::{HashSet, VecDeque};

use crate::address::{Address, Recipient, Sender, canonical_domain};
use crate::reason::Reason;

mod step;

pub use self::step::{AccountId, Decision, Key, Lookup, Quota, RemoteTarget, SendersPolicy, Skipped, Step};

/// Aliases within aliases. Honest lists nest three or four deep; a chain beyond this is a loop in all but name.
pub const MAX_DEPTH: usize = 16;

/// Lookups of one expansion: ten full aliases (500 targets each) can be resolved, a product of them cannot.
pub const MAX_LOOKUPS: usize = 5000;

/// Steps from a domain to the one it is another name of: one in a consistent database.
const MAX_DOMAIN_STEPS: usize = 4;

/// The expansion of one recipient.
///
/// Each mailbox comes out once, however many ways lead to it; each alias and forward is expanded once. A member that cannot
/// get mail is skipped as long as another can, except when it could later (a full mailbox): then the recipient is refused
/// for now as a whole, since accepting it would lose that member's copy, or the member is deferred ([`Expander::deferring`]).
#[derive(Debug, Clone)]
pub struct Expander {
    original: Recipient,
    sender: Sender,
    size: u64,
    relaying: bool,
    deferring: bool,
    marks: HashSet<String>,
    search: Option<Search>,
    waiting: VecDeque<Waiting>,
    hops: Vec<Hop>,
    expanded: HashSet<Key>,
    found: Found,
    lookups: usize,
    aborted: Option<Reason>,
}

/// What came out so far.
#[derive(Debug, Clone, Default)]
struct Found {
    accounts: Vec<AccountId>,
    remote: Vec<RemoteTarget>,
    remote_seen: HashSet<String>,
    deferred: Vec<String>,
    skipped: Vec<Skipped>,
}

/// An address to expand, and the alias or forward it is a target of.
#[derive(Debug, Clone)]
struct Waiting {
    recipient: Recipient,
    parent: Option<usize>,
}

/// An alias or a forwarding mailbox that was expanded, and the one that led to it.
#[derive(Debug, Clone)]
struct Hop {
    key: Key,
    address: String,
    /// The mailbox, and whether it takes this message.
    mailbox: Option<(AccountId, bool)>,
    parent: Option<usize>,
    depth: usize,
}

/// A mailbox as it was looked up.
#[derive(Debug)]
struct Local {
    account: AccountId,
    fits: bool,
    forward: Vec<String>,
    keep_copy: bool,
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
            relaying: false,
            deferring: false,
            marks: HashSet::new(),
            search: None,
            hops: Vec::new(),
            expanded: HashSet::new(),
            found: Found::default(),
            lookups: 0,
            aborted: None,
        }
    }

    /// The session may send mail to other hosts: it is authenticated, or in a trusted network. Without this a recipient that
    /// is not ours is refused; what aliases and forwards of ours lead to leaves in any case.
    #[must_use]
    pub fn relaying(mut self, may_relay: bool) -> Expander {
        self.relaying = may_relay;
        self
    }

    /// The driver queues what the decision calls deferred: full mailboxes behind an alias hold the others back no more.
    #[must_use]
    pub fn deferring(mut self) -> Expander {
        self.deferring = true;
        self
    }

    /// The `Delivered-To:` fields of the message ([`crate::MessageFacts::delivered_to`]).
    #[must_use]
    pub fn marked<'a>(mut self, delivered_to: impl IntoIterator<Item = &'a String>) -> Expander {
        self.marks = delivered_to.into_iter().map(|mark| mark.to_ascii_lowercase()).collect();
        self
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
            Lookup::Mailbox { enabled: false, .. } => self.skip(address, Reason::DisabledMailbox),
            Lookup::Mailbox { account_id, quota, forward, keep_copy, .. } => {
                let fits = quota.takes(self.size);
                self.mailbox(&search, Local { account: account_id, fits, forward, keep_copy });
            }
            Lookup::Alias { enabled: false, .. } if matches!(search.stage, Stage::CatchAll) => {
                self.skip(address, Reason::UnknownUser);
            }
            Lookup::Alias { enabled: false, .. } => self.skip(address, Reason::DisabledMailbox),
            Lookup::Alias { targets, senders, member_addresses, .. } => {
                self.alias(search, targets, senders, &member_addresses);
            }
            Lookup::ParkedDomain => self.skip(address, Reason::ParkedDomain),
            Lookup::NoSuchDomain => self.foreign(&search.waiting),
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

    /// A mailbox: it keeps the message, or sends it on, or both. One that is met again on its own way, or that finds its mark
    /// in the message, keeps it and sends nothing on.
    fn mailbox(&mut self, search: &Search, local: Local) {
        let waiting = &search.waiting;
        let key = search.key();
        let address = mark(&key, waiting);
        let looped = self.circle(waiting.parent, &key).is_some() || self.marks.contains(&address);
        if local.forward.is_empty() || local.keep_copy || looped {
            if !local.fits && self.deferring && waiting.parent.is_some() && !looped {
                // All of it later, what it sends on included: the queue expands this address again.
                return self.found.deferred.push(address);
            }
            self.keep(&address, local.account, local.fits);
        }
        if !local.forward.is_empty() && !looped && self.expanded.insert(key.clone()) {
            self.follow(key, waiting, Some((local.account, local.fits)), local.forward);
        }
    }

    fn keep(&mut self, address: &str, account: AccountId, fits: bool) {
        match fits {
            false => self.skip(address.to_owned(), Reason::OverQuota),
            true if self.found.accounts.contains(&account) => {}
            true => self.found.accounts.push(account),
        }
    }

    /// A domain that is not ours.
    fn foreign(&mut self, waiting: &Waiting) {
        if waiting.parent.is_none() && !self.relaying {
            return self.skip(waiting.recipient.full_address().to_string(), Reason::NoRelay);
        }
        let address = waiting.recipient.wire();
        if self.found.remote_seen.insert(address.clone()) {
            let via = self.way(waiting.parent).map(|hop| hop.address.clone()).collect::<Vec<_>>();
            let via = via.into_iter().rev().collect();
            self.found.remote.push(RemoteTarget { address, via });
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
        if let Some(circle) = self.circle(waiting.parent, &key) {
            // The mailbox that sent it back here keeps it; aliases alone have nobody to keep it.
            let keeper =
                circle.iter().find_map(|hop| hop.mailbox.map(|mailbox| (hop.address.clone(), mailbox)));
            return match keeper {
                Some((address, (account, fits))) => self.keep(&address, account, fits),
                None => self.skip(key.to_string(), Reason::AliasLoop),
            };
        }
        if self.marks.contains(&mark(&key, waiting)) {
            return self.skip(key.to_string(), Reason::AliasLoop);
        }
        if self.expanded.insert(key.clone()) {
            self.follow(key, waiting, None, targets);
        }
    }

    /// Puts the targets of an alias or a forward in the line.
    fn follow(
        &mut self,
        key: Key,
        waiting: &Waiting,
        mailbox: Option<(AccountId, bool)>,
        targets: Vec<String>,
    ) {
        let depth = waiting.parent.map_or(1, |parent| self.hops[parent].depth + 1);
        if depth > MAX_DEPTH {
            self.aborted = Some(Reason::AliasLoop);
            return;
        }
        let address = mark(&key, waiting);
        self.hops.push(Hop { key, address, mailbox, parent: waiting.parent, depth });
        let parent = Some(self.hops.len() - 1);
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

    /// The hops that led to one, innermost first.
    fn way(&self, from: Option<usize>) -> impl Iterator<Item = &Hop> {
        std::iter::successors(from.and_then(|at| self.hops.get(at)), |hop| {
            hop.parent.and_then(|at| self.hops.get(at))
        })
    }

    /// The hops of a circle that closes with `key`, innermost first; `None` when `key` is not on the way.
    fn circle(&self, from: Option<usize>, key: &Key) -> Option<Vec<&Hop>> {
        let way: Vec<&Hop> = self.way(from).collect();
        let end = way.iter().position(|hop| hop.key == *key)?;
        Some(way.into_iter().take(end + 1).collect())
    }

    fn skip(&mut self, address: String, reason: Reason) {
        self.found.skipped.push(Skipped { address, reason });
    }

    fn decision(&self) -> Decision {
        let found = &self.found;
        let temporary =
            found.skipped.iter().map(|skipped| skipped.reason).find(|reason| reason.is_temporary());
        if let Some(reason) = self.aborted.or(temporary) {
            return Decision::Reject(reason);
        }
        if found.accounts.is_empty() && found.remote.is_empty() {
            let reason = match found.deferred.is_empty() {
                true => found.skipped.first().map_or(Reason::UnknownUser, |skipped| skipped.reason),
                false => Reason::OverQuota,
            };
            return Decision::Reject(reason);
        }
        let mut deferred = found.deferred.clone();
        deferred.sort_unstable();
        deferred.dedup();
        Decision::Deliver {
            accounts: found.accounts.clone(),
            remote: found.remote.clone(),
            deferred,
            original: self.original.clone(),
            skipped: found.skipped.clone(),
        }
    }
}

/// What a hop is called in a loop mark: an address, also for a catch-all.
fn mark(key: &Key, waiting: &Waiting) -> String {
    match key {
        Key::Address(address) => address.to_string(),
        Key::CatchAll(_) => waiting.recipient.full_address().to_string(),
    }
}

/// The fields that a copy carries which leaves through these aliases and forwards, so that it is known when it comes back
/// (RFC 5321 §6.3 asks for more than counting). `Delivered-To:` is what other servers keep and write for the same purpose.
pub fn loop_marks(via: &[String]) -> Vec<u8> {
    let lines = via.iter().rev().map(|address| {
        // An address holds no control character (RFC 5321 §4.1.2), yet a header is no place to trust that.
        let address: String = address.chars().filter(|c| !c.is_control()).collect();
        format!("Delivered-To: {address}\r\n")
    });
    lines.collect::<String>().into_bytes()
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

#[cfg(test)]
mod forwards;
