//! What runs: the rows of the account database as the management API reports them, in one read snapshot.
//!
//! Each row keeps apart what a manifest declared (`declared`, written only by plans), who declared it (`owner`) and
//! what happened since (disabled when, password set by whom, bytes used). Sizes are bytes and periods are seconds:
//! defaults are resolved before a row is written, so that a row says what is in force without its domain.

mod sending;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
pub use mailwright_crds::Senders;
pub use mailwright_crds::mail_server::RelayTls;
pub use mailwright_crds::mailbox::{DeletionPolicy, Management};
pub use sending::{Auth, Dns, Forward, Queue, Relay, RelayCredentials, SecretName};
use serde::{Deserialize, Serialize};

use crate::reference::{ObjectRef, Origin};

/// Every row, read at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// Grows with every real write of the database and with nothing else.
    pub change_counter: u64,
    /// The mail installation; at most one in practice.
    pub servers: Vec<ServerRow>,
    /// The domains, disabled ones included.
    pub domains: Vec<DomainRow>,
    /// The mailboxes, disabled ones included.
    pub mailboxes: Vec<MailboxRow>,
    /// The aliases.
    pub aliases: Vec<AliasRow>,
}

/// Who declared a row. Only the same `managed_by` may change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The source: its location without credentials.
    pub managed_by: String,
    /// The object that declared it.
    pub object: ObjectRef,
    /// Where it stood when it was last written. A line that merely moved is not written again.
    pub origin: Origin,
}

impl Owner {
    /// The same owner for the database: equal but for the line, which moves with every edit above it.
    pub fn is(&self, other: &Owner) -> bool {
        self.managed_by == other.managed_by
            && self.object == other.object
            && self.origin.file == other.origin.file
    }
}

/// A mail installation's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerRow {
    /// What was declared.
    pub declared: ServerDeclared,
    /// Who declared it; `None` for a released row, which stays in force and may be adopted.
    pub owner: Option<Owner>,
}

/// MailServer, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerDeclared {
    /// `namespace/name` of the MailServer: the key of the row.
    pub name: String,
    /// The name it greets with and the target of MX records.
    pub hostname: String,
    /// Its listeners by protocol: `smtp`, `submission`, `submissions`, `lmtp`, `imap`, `imaps`, `http`.
    pub listeners: BTreeMap<String, Listener>,
    /// Where its certificate comes from.
    pub tls: Tls,
    /// Its limits.
    pub limits: ServerLimits,
    /// The server that takes all outgoing mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<Relay>,
    /// Networks that may relay without a login.
    #[serde(default)]
    pub trusted_networks: Vec<String>,
    /// How people log in.
    #[serde(default)]
    pub auth: Auth,
    /// Who is asked about DNS.
    #[serde(default)]
    pub dns: Dns,
    /// How long outgoing mail is tried.
    #[serde(default)]
    pub queue: Queue,
}

impl ServerDeclared {
    /// What a MailServer called `name` (`namespace/name`) declares. Before an account database has it, a pod starts with this.
    pub fn of(name: String, spec: &mailwright_crds::MailServerSpec) -> Self {
        crate::server::declare(name, spec)
    }
}

/// One listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Whether it listens.
    pub enabled: bool,
    /// On which port.
    pub port: u16,
}

/// Where a server's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tls {
    /// Made by the installation itself.
    SelfSigned,
    /// Secret of the server's namespace with `tls.crt` and `tls.key`.
    SecretName(String),
    /// Issued by cert-manager.
    CertManager(Issuer),
}

/// An issuer of cert-manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issuer {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The API group of its kind.
    pub group: String,
}

/// What a peer can use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerLimits {
    /// Bytes of one message.
    pub message_size: u64,
    /// Recipients of one message.
    pub recipients_per_message: u32,
    /// Connections at once.
    pub connections: u32,
    /// Connections at once of one address.
    pub connections_per_address: u32,
}

/// A domain that is, or was, served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainRow {
    /// What was declared.
    pub declared: DomainDeclared,
    /// Who declared it.
    pub owner: Option<Owner>,
    /// Set while the domain is not served because its object was removed.
    pub removed_at: Option<DateTime<Utc>>,
}

/// MailDomain, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainDeclared {
    /// The domain as lower-case A-label: the key of the row.
    pub domain: String,
    /// `namespace/name` of its MailServer.
    pub server: String,
    /// Domains that mean the same addresses.
    pub aliases: Vec<String>,
    /// Accepts no mail at all and says so in DNS.
    pub parked: bool,
    /// Address that gets mail for unknown addresses.
    pub catch_all: Option<String>,
    /// Its limits.
    pub limits: DomainLimits,
    /// `dkim`, `dmarc`, `spf`, `mtaSTS`, `tlsReporting` and `caa` as in the manifest with defaults filled in.
    pub dns: serde_json::Value,
}

/// Limits of a domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainLimits {
    /// Most mailboxes.
    pub mailboxes: Option<u32>,
    /// Most aliases.
    pub aliases: Option<u32>,
    /// Bytes for a mailbox that declares no quota.
    pub default_quota: Option<u64>,
    /// Most bytes a mailbox may declare.
    pub max_quota: Option<u64>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailboxRow {
    /// The account's number in the database; never used again for another account.
    pub account_id: i64,
    /// What was declared.
    pub declared: MailboxDeclared,
    /// Who declared it.
    pub owner: Option<Owner>,
    /// Set while it is out of service because its object was removed; `declared.enabled` is apart from this.
    pub removed_at: Option<DateTime<Utc>>,
    /// Its password as far as a planner may know it; `None` when nobody can log in.
    pub credential: Option<CredentialRow>,
    /// Bytes of mail it holds.
    pub used_bytes: u64,
}

impl MailboxRow {
    /// Whether it gets mail and logs in.
    pub fn is_active(&self) -> bool {
        self.declared.enabled && self.removed_at.is_none()
    }

    /// When a removed mailbox may be deleted: its last declared `retainFor` after it was removed.
    pub fn retain_until(&self) -> Option<DateTime<Utc>> {
        let seconds = i64::try_from(self.declared.retain_for).unwrap_or(i64::MAX);
        let period = Duration::try_seconds(seconds).unwrap_or(Duration::MAX);
        Some(self.removed_at?.checked_add_signed(period).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }
}

/// Mailbox, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailboxDeclared {
    /// The canonical address: the key of the row.
    pub address: String,
    /// The person's or the room's name.
    pub display_name: Option<String>,
    /// Bytes of mail it may hold, its own or the domain's default; `None` is no limit.
    pub quota: Option<u64>,
    /// Further addresses it may send as.
    pub send_as: Vec<String>,
    /// Where its mail goes beside it, or instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<Forward>,
    /// False disables it on request.
    pub enabled: bool,
    /// What happens when the object goes away.
    pub deletion_policy: DeletionPolicy,
    /// Seconds its mail is kept after it was removed.
    pub retain_for: u64,
}

/// What a planner may know of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialRow {
    /// Keyed digest of the declared secret that was last applied; `None` when none ever was.
    pub fingerprint: Option<String>,
    /// Who set the password that is in force.
    pub set_by: SetBy,
}

/// Who set a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetBy {
    /// A manifest.
    Declared,
    /// The person it belongs to (or an administrator for them).
    Owner,
}

/// An address that hands mail on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasRow {
    /// What was declared.
    pub declared: AliasDeclared,
    /// Who declared it.
    pub owner: Option<Owner>,
}

/// Alias, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasDeclared {
    /// The canonical address, or `@domain` for a catch-all: the key of the row.
    pub address: String,
    /// Who gets its mail.
    pub targets: Vec<String>,
    /// Who may send to it.
    pub senders: Senders,
    /// False refuses mail for it.
    pub enabled: bool,
}
