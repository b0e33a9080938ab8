//! Declared rows, and the same with what is known at runtime.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::options::UnixTime;

/// A mailbox's number; stable for its life, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub i64);

/// Who manages a row, and where it was declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// Id of the source; another source's change gets `Conflict`.
    pub managed_by: String,
    /// `namespace/name` of the resource.
    pub object: String,
    /// File it was declared in.
    pub origin_file: String,
    /// Line of its document in the file when the row was last written: a line that merely moves is not written again.
    pub origin_line: u32,
    /// Digest of what was applied last; None once it went out of service. Opaque here.
    pub applied: Option<String>,
    /// Id of the source that the row was, or is, taken over from: only that one's row may be written over.
    pub former: Option<String>,
}

/// Declared mail server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerRow {
    /// `namespace/name`.
    pub name: String,
    /// The declared settings, opaque here.
    pub settings: Value,
    /// None: nobody manages it.
    pub owner: Option<Ownership>,
}

/// Declared domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// Disabled; its mail stays until somebody purges it.
    Disable,
    /// Stays as it is, unmanaged.
    Retain,
    /// Disabled; deleted once the retention time has passed.
    Delete,
}

/// Declared mailbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Addresses that what it gets is sent on to.
    pub forward: Vec<String>,
    /// Whether what is sent on stays here as well; without forwards it always does.
    pub keep_copy: bool,
    /// What removal means.
    pub deletion_policy: DeletionPolicy,
    /// How long removed mail is kept.
    pub retain_for_seconds: i64,
    /// It must not be deleted, whoever asks.
    pub legal_hold: bool,
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
    /// The SCRAM-SHA-256 record of the same password (RFC 5803), when it was known in clear.
    pub scram: Option<String>,
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

/// A new password, hashed by the caller.
#[derive(Clone, PartialEq, Eq)]
pub struct NewPassword {
    /// PHC or crypt string.
    pub hash: String,
    /// Its SCRAM-SHA-256 record (RFC 5803), when it was known in clear.
    pub scram: Option<String>,
}

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewPassword").finish_non_exhaustive()
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Senders {
    /// Everybody.
    Anyone,
    /// Its members.
    Members,
    /// Senders of its domain.
    Domain,
}

/// Declared alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
