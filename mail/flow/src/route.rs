//! Who gets a message: a recipient expanded through aliases, catch-alls and alias domains to mailboxes.
//!
//! Sans-IO: the expander says which key it wants looked up, the driver answers from the database.

use crate::address::{Address, Recipient, Sender};
use crate::reason::Reason;

/// The database's number of a mailbox.
pub type AccountId = i64;

/// What to look up next.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An address. Answer with the mailbox or alias of exactly this address; without one, with what its domain is:
    /// `DomainAlias`, `ParkedDomain`, `NoSuchDomain`, or `NoSuchAddress` when the domain is served.
    Address(Address),
    /// The catch-all `@domain`: its alias, or as above.
    CatchAll(String),
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
    /// Look this up and call [`Expander::answer`].
    Lookup(Key),
    /// Done.
    Done(Decision),
}

/// Where one recipient leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// To these mailboxes, each once, in the order of expansion.
    Deliver {
        /// The mailboxes.
        accounts: Vec<AccountId>,
        /// The recipient it began with.
        original: Recipient,
        /// Members of an alias that get nothing, for the log.
        skipped: Vec<Skipped>,
    },
    /// Nowhere.
    Reject(Reason),
}

/// A member of an alias that gets nothing while others do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The member.
    pub address: String,
    /// Why.
    pub reason: Reason,
}

/// The expansion of one recipient.
#[derive(Debug, Clone)]
pub struct Expander {
    recipient: Recipient,
}

impl Expander {
    /// Begins with a recipient; `size` is the declared size of the message (MAIL's SIZE), for the quota.
    pub fn new(recipient: Recipient, sender: Sender, size: Option<u64>) -> Expander {
        let _ = (sender, size);
        Expander { recipient }
    }

    /// What is wanted now; the same until [`Expander::answer`] is called.
    pub fn step(&mut self) -> Step {
        let _ = &self.recipient;
        todo!()
    }

    /// The answer to the last lookup.
    pub fn answer(&mut self, lookup: Lookup) {
        let _ = lookup;
        todo!()
    }
}
