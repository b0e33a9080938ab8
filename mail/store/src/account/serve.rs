//! What serving asks of accounts: who is this recipient, who logs in.

use crate::account::{AccountId, Senders};
use crate::options::UnixTime;

/// What serving needs to know of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A mailbox.
    Mailbox {
        /// Its number.
        account: AccountId,
        /// False: refuse with 550 5.2.1.
        active: bool,
        /// Bytes; None: no limit.
        quota: Option<u64>,
        /// Bytes of mail.
        used: u64,
        /// Canonical addresses that what it gets is sent on to.
        forward: Vec<String>,
        /// Whether what is sent on stays here as well.
        keep_copy: bool,
    },
    /// An alias, or the catch-all of a domain.
    Alias {
        /// False: refuse as unknown.
        enabled: bool,
        /// Canonical addresses.
        targets: Vec<String>,
        /// Posting policy.
        senders: Senders,
        /// Only when `senders` is `Members`: addresses of all members and what they may send as.
        member_addresses: Vec<String>,
    },
    /// The domain is an alias of this one.
    DomainAlias {
        /// The real domain.
        domain: String,
    },
    /// The domain is ours, the address is not.
    NoSuchAddress,
    /// Not our domain.
    NoSuchDomain,
    /// Our domain, and it takes no mail.
    ParkedDomain,
}

/// What login needs.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub account: AccountId,
    /// Canonical address (not the alias domain's).
    pub address: String,
    /// None: no password was ever set.
    pub hash: Option<String>,
    /// The SCRAM-SHA-256 record of the same password (RFC 5803), if there is one.
    pub scram: Option<String>,
    /// Counts the account's passwords: another number, another password. A rehashed one is the same.
    pub version: i64,
    /// False: refuse.
    pub active: bool,
    /// Last login, to the hour.
    pub last_login: Option<UnixTime>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("account", &self.account)
            .field("address", &self.address)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}
