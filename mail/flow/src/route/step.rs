//! What goes between the expander and its driver: keys, answers, the decision.

use std::fmt;

use crate::address::{Address, Recipient};
use crate::reason::Reason;

/// The database's number of a mailbox.
pub type AccountId = i64;

/// What to look up next.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An address. Answer with the mailbox or alias of exactly this address; without one, with what its domain is:
    /// `DomainAlias`, `ParkedDomain`, `NoSuchDomain`, or `NoSuchAddress` when the domain is served.
    Address(Address),
    /// The catch-all of a domain: its alias (or mailbox), or as above.
    CatchAll(String),
}

impl Key {
    /// The domain of the key.
    pub fn domain(&self) -> &str {
        match self {
            Key::Address(address) => address.domain(),
            Key::CatchAll(domain) => domain,
        }
    }
}

/// `local@domain` or `@domain`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Address(address) => address.fmt(f),
            Key::CatchAll(domain) => write!(f, "@{domain}"),
        }
    }
}

/// What the database says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// A mailbox.
    Mailbox {
        /// Its number.
        account_id: AccountId,
        /// Switched on.
        enabled: bool,
        /// How full it is.
        quota: Quota,
        /// Where its mail goes on to; addresses as text. Empty: it stays here.
        forward: Vec<String>,
        /// Whether mail that goes on stays here as well; without a forward it stays.
        keep_copy: bool,
    },
    /// An alias or a catch-all.
    Alias {
        /// Switched on.
        enabled: bool,
        /// Where it leads; addresses as text.
        targets: Vec<String>,
        /// Who may write to it.
        senders: SendersPolicy,
        /// The addresses of its members with what they may send as; needed only for [`SendersPolicy::Members`].
        member_addresses: Vec<String>,
    },
    /// The domain is another name of this one.
    DomainAlias {
        /// The real domain.
        domain: String,
    },
    /// The domain is served, the address does not exist.
    NoSuchAddress,
    /// The domain is not served.
    NoSuchDomain,
    /// The domain is served and takes no mail.
    ParkedDomain,
}

/// How full a mailbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Octets it may hold; `None` is no limit.
    pub limit: Option<u64>,
    /// Octets it holds.
    pub used: u64,
}

impl Quota {
    /// True when a message of this size fits.
    pub fn takes(&self, size: u64) -> bool {
        self.limit.is_none_or(|limit| self.used < limit && self.used.saturating_add(size) <= limit)
    }
}

/// Who may write to an alias. The envelope sender of port 25 is not proven: this keeps out mistakes, not forgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SendersPolicy {
    /// Everybody.
    #[default]
    Anyone,
    /// Its members.
    Members,
    /// Senders of the alias' domain or of one of that domain's other names.
    Domain,
}

/// What the expander wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Look this up and call [`crate::Expander::answer`].
    Lookup(Key),
    /// Done.
    Done(Decision),
}

/// Where one recipient leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// To these mailboxes and to these other hosts, each once, in the order of expansion. One of the lists may be empty.
    Deliver {
        /// The mailboxes.
        accounts: Vec<AccountId>,
        /// The addresses on other hosts.
        remote: Vec<RemoteTarget>,
        /// Addresses of ours whose mailbox is full, while others get their copy: they go into the queue. Always empty without
        /// [`crate::Expander::deferring`].
        deferred: Vec<String>,
        /// The recipient it began with.
        original: Recipient,
        /// Members of an alias that get nothing, for the log.
        skipped: Vec<Skipped>,
    },
    /// Nowhere.
    Reject(Reason),
}

/// An address on another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTarget {
    /// The address as it goes into RCPT.
    pub address: String,
    /// The aliases and forwarding mailboxes of ours that led to it, outermost first; empty when the client named it. The
    /// copy for it carries [`crate::route::loop_marks`] of them.
    pub via: Vec<String>,
}

/// A member of an alias that gets nothing while others do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The member.
    pub address: String,
    /// Why.
    pub reason: Reason,
}
