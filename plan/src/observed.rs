//! What runs: the rows of the account database as the management API reports them, in one read snapshot.
//!
//! Each row keeps apart what a manifest declared (`declared`, written only by plans), who declared it (`owner`) and
//! what happened since (disabled when, password set by whom, bytes used). Sizes are bytes and periods are seconds:
//! defaults are resolved before a row is written, so that a row says what is in force without its domain.

mod sending;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Duration, Utc};
use mailwright_crds::Policy;
pub use mailwright_crds::Senders;
pub use mailwright_crds::mail_server::RelayTls;
pub use mailwright_crds::mailbox::{DeletionPolicy, Management};
pub use sending::{Auth, Dns, Forward, Queue, Relay, RelayCredentials, SecretName};
use serde::{Deserialize, Serialize};

use crate::operation::{Change, Plan};
use crate::reference::{ObjectRef, Origin};
use crate::shared::Shared;

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

/// A state's rows: as they were read, or as a plan would make them.
pub(crate) trait Rows {
    /// The mail installation.
    fn servers(&self) -> impl Iterator<Item = &ServerRow>;
    /// The domains.
    fn domains(&self) -> impl Iterator<Item = &DomainRow>;
    /// The mailboxes.
    fn mailboxes(&self) -> impl Iterator<Item = &MailboxRow>;
    /// The aliases.
    fn aliases(&self) -> impl Iterator<Item = &AliasRow>;
}

impl Observed {
    /// Takes in the mailboxes and aliases of some addresses as they were read by themselves later; false, and nothing is done, when
    /// these rows are not in the order of their addresses.
    pub fn take_in(&mut self, addresses: &BTreeSet<String>, part: Observed) -> bool {
        let sorted = self.mailboxes.is_sorted_by(|a, b| a.declared.address < b.declared.address)
            && self.aliases.is_sorted_by(|a, b| a.declared.address < b.declared.address);
        if !sorted {
            return false;
        }
        put_each(&mut self.mailboxes, addresses, part.mailboxes, |row| &row.declared.address);
        put_each(&mut self.aliases, addresses, part.aliases, |row| &row.declared.address);
        self.change_counter = part.change_counter;
        true
    }
}

impl Observed {
    /// Rows that say what an operation of a plan made them say are from now on the operation's own: one copy of both.
    pub fn share(&mut self, plan: &Plan) {
        let (mut mailboxes, mut aliases) = (HashMap::new(), HashMap::new());
        for operation in &plan.operations {
            match &operation.change {
                Change::PutMailbox { declared, owner, .. } => {
                    mailboxes.insert(declared.address.as_str(), (declared, owner));
                }
                Change::PutAlias { declared, owner } => {
                    aliases.insert(declared.address.as_str(), (declared, owner));
                }
                _ => {}
            }
        }
        for row in &mut self.mailboxes {
            if let Some((declared, owner)) = mailboxes.get(row.declared.address.as_str()) {
                share(&mut row.declared, declared);
                row.owner.iter_mut().for_each(|it| share(it, owner));
            }
        }
        for row in &mut self.aliases {
            if let Some((declared, owner)) = aliases.get(row.declared.address.as_str()) {
                share(&mut row.declared, declared);
                row.owner.iter_mut().for_each(|it| share(it, owner));
            }
        }
    }
}

fn share<T: PartialEq>(own: &mut Shared<T>, other: &Shared<T>) {
    if own == other {
        *own = other.clone();
    }
}

fn put_each<T>(rows: &mut Vec<T>, addresses: &BTreeSet<String>, part: Vec<T>, key: impl Fn(&T) -> &String) {
    let mut new: BTreeMap<String, T> = part.into_iter().map(|row| (key(&row).clone(), row)).collect();
    for address in addresses {
        let place = rows.binary_search_by(|row| key(row).cmp(address));
        match (place, new.remove(address)) {
            (Ok(place), Some(row)) => rows[place] = row,
            (Err(place), Some(row)) => rows.insert(place, row),
            (Ok(place), None) => drop(rows.remove(place)),
            (Err(_), None) => {}
        }
    }
}

impl Rows for Observed {
    fn servers(&self) -> impl Iterator<Item = &ServerRow> {
        self.servers.iter()
    }

    fn domains(&self) -> impl Iterator<Item = &DomainRow> {
        self.domains.iter()
    }

    fn mailboxes(&self) -> impl Iterator<Item = &MailboxRow> {
        self.mailboxes.iter()
    }

    fn aliases(&self) -> impl Iterator<Item = &AliasRow> {
        self.aliases.iter()
    }
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
    /// The digest of what was last applied: a row that is not so any more was changed behind the manifests' back. `None`
    /// once the row was taken out of service, and of rows that were written before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// The source that the row was taken over from. It does not take it back by itself, so that two never fight over a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<String>,
}

impl Owner {
    /// The same owner for the database: equal but for the line, which moves with every edit above it.
    pub fn is(&self, other: &Owner) -> bool {
        self.managed_by == other.managed_by
            && self.object == other.object
            && self.origin.file == other.origin.file
            && self.applied == other.applied
            && self.former == other.former
    }
}

/// A mail installation's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerRow {
    /// What was declared.
    pub declared: Shared<ServerDeclared>,
    /// Who declared it; `None` for a released row, which stays in force and may be adopted.
    pub owner: Option<Shared<Owner>>,
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
    /// Its policies by name: what is in force while a MailServer cannot be understood.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, Policy>,
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
    pub declared: Shared<DomainDeclared>,
    /// Who declared it.
    pub owner: Option<Shared<Owner>>,
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
    pub declared: Shared<MailboxDeclared>,
    /// Who declared it.
    pub owner: Option<Shared<Owner>>,
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
    /// Its mail must not be deleted, whatever else is declared; remembered when the object goes away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub legal_hold: bool,
}

/// What a planner may know of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialRow {
    /// Keyed digest of the declared secret that was last applied; `None` when none ever was, [`state::BLINDED`](crate::state::BLINDED)
    /// when that is not told.
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
    pub declared: Shared<AliasDeclared>,
    /// Who declared it.
    pub owner: Option<Shared<Owner>>,
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
