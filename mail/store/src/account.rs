//! Domains, mailboxes (accounts), credentials, aliases, ownership: the declared side written by plans, the runtime
//! side (usage, last login, disabled since, a password its owner set) kept apart from it.
//!
//! Addresses and domains are canonical here: ASCII lower case, domains as A-labels. Input is lower-cased; anything else
//! that is not canonical is refused.

use serde_json::Value;

use crate::error::Result;
use crate::options::UnixTime;
use crate::store::Store;

/// A mailbox's number; stable for its life, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub i64);

/// Who manages a row, and where it was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// Id of the source; another source's change gets `Conflict`.
    pub managed_by: String,
    /// `namespace/name` of the resource.
    pub object: String,
    /// File it was declared in.
    pub origin_file: String,
    /// Line of its document in the file.
    pub origin_line: u32,
}

/// Declared mail server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerRow {
    /// `namespace/name`.
    pub name: String,
    /// The declared settings, opaque here.
    pub settings: Value,
    /// None: nobody manages it.
    pub owner: Option<Ownership>,
}

/// Declared domain.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainRow {
    /// A-label, lower case.
    pub name: String,
    /// The server it belongs to, `namespace/name`.
    pub server: String,
    /// Alias domains.
    pub aliases: Vec<String>,
    /// Receives no mail at all.
    pub parked: bool,
    /// Where mail to unknown addresses goes.
    pub catch_all: Option<String>,
    /// The rest of the declaration (limits, DNS policy), opaque here.
    pub settings: Value,
    /// None: nobody manages it.
    pub owner: Option<Ownership>,
}

/// What happens to a mailbox that is no longer declared (kept from the last apply).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// Disabled; its mail stays until somebody purges it.
    Disable,
    /// Stays as it is, unmanaged.
    Retain,
    /// Disabled; deleted once the retention time has passed.
    Delete,
}

/// Declared mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxRow {
    /// Canonical address.
    pub address: String,
    /// Shown name, may be empty.
    pub display_name: String,
    /// Bytes; None: no limit.
    pub quota: Option<u64>,
    /// Declared `enabled`.
    pub enabled: bool,
    /// Further addresses it may send as.
    pub send_as: Vec<String>,
    /// What removal means.
    pub deletion_policy: DeletionPolicy,
    /// How long removed mail is kept.
    pub retain_for_seconds: i64,
    /// None: nobody manages it.
    pub owner: Option<Ownership>,
}

/// Whether a declared password may replace one its owner set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Management {
    /// The declared password is the first one only.
    Initial,
    /// The declared password always wins.
    Enforced,
}

/// Who set the password in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// A plan.
    Declared,
    /// The person (or an administrator for them).
    Owner,
}

/// A declared credential, hashed by the caller.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// PHC or crypt string.
    pub hash: String,
    /// Opaque fingerprint of the declared secret: the same fingerprint writes nothing.
    pub fingerprint: String,
    /// Whether it replaces the owner's.
    pub management: Management,
}

impl std::fmt::Debug for NewCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCredential").field("management", &self.management).finish_non_exhaustive()
    }
}

/// A credential as shown: never its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Who set the password in force.
    pub set_by: SetBy,
    /// Fingerprint of the secret declared last, if one ever was.
    pub fingerprint: Option<String>,
    /// Management declared last.
    pub management: Option<Management>,
    /// When the password in force was set.
    pub changed_at: UnixTime,
}

/// Who may post to an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Senders {
    /// Everybody.
    Anyone,
    /// Its members.
    Members,
    /// Senders of its domain.
    Domain,
}

/// Declared alias.
#[derive(Debug, Clone, PartialEq)]
pub struct AliasRow {
    /// Canonical address, or `@domain`.
    pub address: String,
    /// Canonical target addresses, in the declared order.
    pub targets: Vec<String>,
    /// Posting policy.
    pub senders: Senders,
    /// Declared `enabled`.
    pub enabled: bool,
    /// None: nobody manages it.
    pub owner: Option<Ownership>,
}

/// A server as observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Declared state.
    pub row: ServerRow,
}

/// A domain as observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// Declared state.
    pub row: DomainRow,
    /// Not served since.
    pub disabled_at: Option<UnixTime>,
}

/// A mailbox as observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Mailbox {
    /// Stable number.
    pub id: AccountId,
    /// Declared state.
    pub row: MailboxRow,
    /// Its password's facts; None: cannot log in.
    pub credential: Option<Credential>,
    /// Removed from its source since.
    pub disabled_at: Option<UnixTime>,
    /// Purging is refused before this time.
    pub retain_until: Option<UnixTime>,
    /// Bytes of mail.
    pub used_bytes: u64,
    /// Last login, to the hour.
    pub last_login: Option<UnixTime>,
    /// When the account was made.
    pub created_at: UnixTime,
}

impl Mailbox {
    /// Whether it receives mail and may log in.
    pub fn is_active(&self) -> bool {
        self.row.enabled && self.disabled_at.is_none()
    }
}

/// An alias as observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// Declared state.
    pub row: AliasRow,
    /// Removed from its source since.
    pub disabled_at: Option<UnixTime>,
}

/// Everything about accounts, read in one snapshot; each list ordered by name or address.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Accounts {
    /// Mail servers.
    pub servers: Vec<Server>,
    /// Domains.
    pub domains: Vec<Domain>,
    /// Mailboxes.
    pub mailboxes: Vec<Mailbox>,
    /// Aliases.
    pub aliases: Vec<Alias>,
    /// Counts real writes of account data; the same number means nothing was written.
    pub change_counter: i64,
}

/// What a change without a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Address, domain, or the server's `namespace/name`.
    pub name: String,
    /// The source that asks; None skips the ownership check (an administrator by hand).
    pub managed_by: Option<String>,
}

/// One change of account data. Applying the same change again writes nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Makes or updates a server.
    PutServer(ServerRow),
    /// Makes or updates a domain; a disabled one is served again.
    PutDomain(DomainRow),
    /// Makes or updates a mailbox; one that was disabled by removal comes back with its mail.
    PutMailbox {
        /// Declared state.
        row: MailboxRow,
        /// None leaves the password as it is.
        credential: Option<NewCredential>,
    },
    /// Makes or updates an alias; a disabled one works again.
    PutAlias(AliasRow),
    /// Stops serving a domain; its mailboxes and their mail stay.
    DisableDomain(Target),
    /// No login, no mail (550 5.2.1); everything is kept, retention starts.
    DisableMailbox(Target),
    /// Takes back `DisableMailbox`.
    EnableMailbox(Target),
    /// Stops expanding an alias.
    DisableAlias(Target),
    /// Forgets a server's settings; refused while domains name it.
    DeleteServer(Target),
    /// Forgets a domain; refused while it has addresses.
    DeleteDomain(Target),
    /// Purges a disabled mailbox with all its mail; refused while retention lasts, unless told so.
    DeleteMailbox {
        /// Which.
        target: Target,
        /// Purge although retention lasts.
        ignore_retention: bool,
    },
    /// Forgets an alias.
    DeleteAlias(Target),
    /// The server stays as it is, managed by nobody.
    ReleaseServer(Target),
    /// The domain stays as it is, managed by nobody.
    ReleaseDomain(Target),
    /// The mailbox stays as it is, managed by nobody.
    ReleaseMailbox(Target),
    /// The alias stays as it is, managed by nobody.
    ReleaseAlias(Target),
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Rows were written.
    Written,
    /// Everything was so already.
    Unchanged,
}

/// Why one change of a batch was not made; its neighbours are not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Another source manages it.
    #[error("{name} is managed by {managed_by}; remove it there first")]
    Conflict {
        /// Address, domain or server.
        name: String,
        /// The source that keeps it.
        managed_by: String,
    },
    /// The address or domain is taken by something of another kind.
    #[error("{name} is already {by}")]
    Taken {
        /// Address or domain.
        name: String,
        /// What it is: "a mailbox", "an alias", "a domain", "an alias domain of example.org".
        by: String,
    },
    /// The address' domain is not there.
    #[error("domain {domain} does not exist; declare it first")]
    NoSuchDomain {
        /// The missing domain.
        domain: String,
    },
    /// There is nothing to change.
    #[error("{name} does not exist")]
    NotFound {
        /// What was asked for.
        name: String,
    },
    /// The domain still has addresses, or the server still has domains.
    #[error("{name} is still used by {count} others")]
    InUse {
        /// Domain or server.
        name: String,
        /// How many use it.
        count: u64,
    },
    /// Purging needs the mailbox to be disabled first.
    #[error("{address} is not disabled; disable it before purging its mail")]
    NotDisabled {
        /// The mailbox.
        address: String,
    },
    /// Purging is refused while retention lasts.
    #[error("{address} keeps its mail until {until} (Unix time)")]
    Retained {
        /// The mailbox.
        address: String,
        /// End of retention.
        until: UnixTime,
    },
    /// Not a canonical address or domain.
    #[error("{name} is not a canonical address or domain")]
    Invalid {
        /// What was given.
        name: String,
    },
    /// The change failed in the database; it alone was rolled back.
    #[error("database: {0}")]
    Failed(String),
}

/// A leader's term; a batch with a lower epoch than the last seen is refused whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// Lease transitions.
    pub epoch: u64,
}

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
    /// False: refuse.
    pub active: bool,
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

/// Domains, accounts, credentials, aliases.
#[derive(Clone, Copy)]
pub struct AccountStore<'a> {
    pub(crate) store: &'a Store,
}

impl AccountStore<'_> {
    /// All rows in one snapshot.
    pub async fn observe(&self) -> Result<Accounts> {
        todo!()
    }

    /// The change counter alone.
    pub async fn change_counter(&self) -> Result<i64> {
        todo!()
    }

    /// Applies a batch in one transaction, each change in a savepoint; answers in the batch's order.
    /// A change that needs a later one of the same batch (a mailbox before its domain) is tried again after it.
    pub async fn apply(
        &self,
        batch: Vec<Change>,
        fence: Option<Fence>,
    ) -> Result<Vec<std::result::Result<Effect, ChangeError>>> {
        let _ = (batch, fence);
        todo!()
    }

    /// What an address (`local@domain` or `@domain`) is. Exactly this address: +detail is the caller's.
    pub async fn lookup_recipient(&self, address: &str) -> Result<Recipient> {
        let _ = address;
        todo!()
    }

    /// The account that logs in as this address; an alias domain stands for its domain.
    pub async fn lookup_login(&self, address: &str) -> Result<Option<Login>> {
        let _ = address;
        todo!()
    }

    /// Sets a password; `SetBy::Owner` protects it from `Management::Initial`.
    pub async fn set_password(&self, address: &str, hash: String, by: SetBy) -> Result<()> {
        let _ = (address, hash, by);
        todo!()
    }

    /// Notes a login; written at most once an hour per account.
    pub async fn record_login(&self, account: AccountId) -> Result<()> {
        let _ = account;
        todo!()
    }
}
