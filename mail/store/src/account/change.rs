//! Changes of account data and why one is refused.

use crate::account::{AliasRow, DomainRow, MailboxRow, NewCredential, ServerRow};
use crate::options::UnixTime;

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
    /// Makes or updates an alias.
    PutAlias(AliasRow),
    /// Stops serving a domain; its mailboxes and their mail stay.
    DisableDomain(Target),
    /// No login, no mail (550 5.2.1); everything is kept, retention starts.
    DisableMailbox(Target),
    /// Takes back `DisableMailbox`.
    EnableMailbox(Target),
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

impl Change {
    /// Whether it may make the database grow. What removes or disables is the way out of a full disk.
    pub(super) fn needs_room(&self) -> bool {
        matches!(
            self,
            Change::PutServer(_) | Change::PutDomain(_) | Change::PutMailbox { .. } | Change::PutAlias(_)
        )
    }
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
    /// Deleting is refused as long as a legal hold lasts, also by force.
    #[error(
        "a legal hold keeps {address}; to lift it, declare the Mailbox once without the label mailwright.dev/legal-hold"
    )]
    Held {
        /// The mailbox.
        address: String,
    },
    /// Not a canonical address or domain.
    #[error("{name} is not a canonical address or domain")]
    Invalid {
        /// What was given.
        name: String,
    },
    /// It could have been made, and another one of its batch could not, of which all were to be made or none.
    #[error("not applied, since something else of the same change failed; mend that first")]
    NotAlone,
    /// The change failed in the database; it alone was rolled back.
    #[error("database: {0}")]
    Failed(String),
}

/// What a remote writer proves: its term is not older than one that was seen, and it means this database. A batch of another
/// writer is refused whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fence {
    /// Lease transitions.
    pub epoch: u64,
    /// The [`database`](crate::AccountStore::database_id) that is meant; `None` while none is bound.
    pub database: Option<String>,
}
