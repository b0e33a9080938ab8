//! What a plan consists of, and what applying it answers: typed operations that leave the applier no choice.

mod held;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::approval::{Approval, Standing};
use crate::observed::{AliasDeclared, DomainDeclared, MailboxDeclared, Management, Owner, ServerDeclared};
use crate::problem::Problem;
use crate::provenance::Provenance;
use crate::reference::{Kind, ObjectRef, Origin, Text};
use crate::shared::Shared;

pub use held::Guard;

/// Everything that would happen, in the order it would happen, and what would not and why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The source it was made for.
    pub source_id: String,
    /// Every operation, held ones included, in the order of applying.
    pub operations: Vec<Operation>,
    /// What is wrong, sorted by place.
    pub problems: Vec<Problem>,
    /// Rows that nothing declares any more but that stay as they are, because absent is not empty.
    pub kept: Vec<Kept>,
    /// Identifies the operations: approve this digest and nothing else.
    pub digest: String,
    /// What approvals came to.
    #[serde(default)]
    pub approval: Standing,
}

impl Plan {
    /// The operations that will be applied.
    pub fn applicable(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| operation.held.is_none())
    }

    /// The operations that a guard holds back.
    pub fn held(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| operation.held.is_some())
    }

    /// Whether an approval of this plan lets go what the guard holds.
    pub fn can_be_approved(&self, guard: &Guard) -> bool {
        self.approval.mode != Approval::Never && guard.can_be_approved()
    }

    /// What lets go what the guard holds, or what to do instead.
    pub fn remedy(&self, guard: &Guard) -> String {
        if guard.can_be_approved() && !self.can_be_approved(guard) {
            return "no approval lifts this (approval: Never): make the change smaller, or change the guards"
                .to_owned();
        }
        guard.remedy(&self.digest)
    }

    /// The operations that put back what was changed behind the manifests' back; with [`DriftPolicy::Report`] they are held.
    ///
    /// [`DriftPolicy::Report`]: crate::settings::DriftPolicy::Report
    pub fn drift(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| operation.drift)
    }

    /// The problems that stop an object.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.is_error())
    }
}

/// One change to one row, with its reason, its risk and its effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// What happens.
    pub action: Action,
    /// The object that asks for it, or asked for it before it went away.
    pub object: ObjectRef,
    /// The address, domain or host name it concerns.
    pub subject: String,
    /// The fields that change; secrets are redacted.
    pub changes: Vec<FieldChange>,
    /// What could be lost.
    pub risk: Risk,
    /// What it means for mail, in words.
    pub effect: Vec<String>,
    /// Where the object stands, or stood.
    pub origin: Option<Origin>,
    /// What the database is told.
    pub change: Change,
    /// Why it is not applied. Boxed: few are held.
    pub held: Option<Box<Guard>>,
    /// It puts back what was changed behind the manifests' back: the object did not change since it was last applied, the
    /// row did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drift: bool,
}

/// What an operation does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A new row.
    Create,
    /// Changed fields.
    Update,
    /// Out of service, everything kept.
    Disable,
    /// Back in service, with its mail.
    Enable,
    /// The row goes away; for a mailbox, its mail too.
    Delete,
    /// A row gets another owner, or its first one.
    Adopt,
    /// A row loses its owner and stays as it is.
    Release,
}

/// What could be lost by an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nothing.
    None,
    /// Somebody can no longer log in, or mail is no longer accepted or no longer reaches somebody.
    Access,
    /// Mail is deleted.
    Data,
}

/// One field before and after, by its path in the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// `spec.quota`; `spec.targets[]` for an element that comes (only `to`) or goes (only `from`).
    pub field: Text,
    /// Before; `None` when it was not set.
    pub from: Option<Text>,
    /// After; `None` when it is not set any more.
    pub to: Option<Text>,
}

/// What the database is told. A `Put` carries the whole declared row and brings the row back into service (unless it
/// declares otherwise), so applying it twice writes once; runtime state that it does not name stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Change {
    /// Creates or replaces a server's settings, by `declared.name`.
    PutServer {
        /// The row.
        declared: Shared<ServerDeclared>,
        /// Its owner from now on.
        owner: Shared<Owner>,
    },
    /// Creates or replaces a domain, by `declared.domain`; clears `removed_at`.
    PutDomain {
        /// The row.
        declared: Shared<DomainDeclared>,
        /// Its owner from now on.
        owner: Shared<Owner>,
    },
    /// Creates or replaces an account, by `declared.address`; clears `removed_at`.
    PutMailbox {
        /// The row.
        declared: Shared<MailboxDeclared>,
        /// Its owner from now on.
        owner: Shared<Owner>,
        /// Also set this password (`set_by` becomes `Declared`); `None` leaves the password alone.
        credential: Option<CredentialChange>,
    },
    /// Creates or replaces an alias, by `declared.address`.
    PutAlias {
        /// The row.
        declared: Shared<AliasDeclared>,
        /// Its owner from now on.
        owner: Shared<Owner>,
    },
    /// Stops serving a domain: sets `removed_at` to the time of applying; the row stays.
    DisableDomain {
        /// The domain.
        domain: String,
    },
    /// Takes an account out of service: sets `removed_at` to the time of applying; row, owner and mail stay.
    DisableMailbox {
        /// Its address.
        address: String,
    },
    /// Removes a server's settings.
    DeleteServer {
        /// `namespace/name`.
        name: String,
    },
    /// Removes a domain that has no addresses left.
    DeleteDomain {
        /// The domain.
        domain: String,
    },
    /// Removes an account and its mail.
    DeleteMailbox {
        /// Its address.
        address: String,
    },
    /// Removes an alias.
    DeleteAlias {
        /// Its address.
        address: String,
    },
    /// Clears the owner of a row and changes nothing else.
    Release {
        /// Which table.
        kind: Kind,
        /// The key of the row.
        key: String,
    },
    /// Writes or removes an object of an API server: no row, and no database takes it.
    Object {
        /// Its kind.
        kind: Kind,
        /// `namespace/name`.
        key: String,
        /// Identifies what it is to say; `None` when it goes.
        digest: Option<String>,
    },
}

impl Change {
    /// The source whose row it may take over.
    pub fn takes_from(&self) -> Option<&str> {
        match self {
            Self::PutServer { owner, .. } | Self::PutDomain { owner, .. } => owner.former.as_deref(),
            Self::PutMailbox { owner, .. } | Self::PutAlias { owner, .. } => owner.former.as_deref(),
            _ => None,
        }
    }

    /// The kind and the key of the row it changes.
    pub fn key(&self) -> (Kind, &str) {
        match self {
            Self::PutServer { declared, .. } => (Kind::MailServer, &declared.name),
            Self::PutDomain { declared, .. } => (Kind::MailDomain, &declared.domain),
            Self::PutMailbox { declared, .. } => (Kind::Mailbox, &declared.address),
            Self::PutAlias { declared, .. } => (Kind::Alias, &declared.address),
            Self::DeleteServer { name } => (Kind::MailServer, name),
            Self::DisableDomain { domain } | Self::DeleteDomain { domain } => (Kind::MailDomain, domain),
            Self::DisableMailbox { address } | Self::DeleteMailbox { address } => (Kind::Mailbox, address),
            Self::DeleteAlias { address } => (Kind::Alias, address),
            Self::Release { kind, key } | Self::Object { kind, key, .. } => (*kind, key),
        }
    }
}

/// A password to set: named, never carried. The applier hands the material over beside the plan ([`Batch`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialChange {
    /// The keyed digest to remember: the key of the material in [`Batch::credentials`].
    pub fingerprint: String,
    /// `Initial` is checked once more where it is applied: an owner may have set a password since the plan was made.
    pub management: Management,
    /// Where the material is.
    pub source: CredentialSource,
}

/// Where the material of a password is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CredentialSource {
    /// A key of a Secret.
    Secret {
        /// The namespace of Mailbox and Secret.
        namespace: Text,
        /// The Secret.
        name: Text,
        /// The key.
        key: Text,
    },
    /// `spec.credentials.passwordHash` of the Mailbox itself.
    PasswordHash,
}

/// A row that nothing declares any more, and why it stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kept {
    /// The object that declared it.
    pub object: ObjectRef,
    /// Its address or domain.
    pub subject: String,
    /// Why.
    pub reason: String,
}

/// What the management API is asked to apply: operations of one plan and the passwords they name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// The source; rows of another source are refused with [`FailureReason::Conflict`].
    pub source_id: String,
    /// The operations, in order. Held ones must not be here.
    pub operations: Vec<Operation>,
    /// The passwords by fingerprint.
    pub credentials: BTreeMap<String, Material>,
    /// Who may write; without it (one process, no cluster) nobody else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<Fence>,
    /// Where the operations come from, for the history; a writer of an earlier version does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// Whether nothing of it is applied when one of the operations fails. It has a route of its own, so that a server which does not
    /// know of it refuses and does not apply the half.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
}

/// What a writer proves with every write: that no later leader wrote before it, and that it means this database. Checked
/// inside the transaction that writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fence {
    /// The leader's term: it grows with every change of the leader.
    pub term: u64,
    /// The database that is meant; `None` while none is bound yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

/// A password on its way to the server. Never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Material {
    /// In clear; the server hashes it.
    Plain(String),
    /// A hash in PHC, crypt or `{SCHEME}` form, stored as it is.
    Hash(String),
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain([redacted])",
            Self::Hash(_) => "Hash([redacted])",
        })
    }
}

/// The answer to a [`Batch`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchReply {
    /// One per operation, in their order.
    pub outcomes: Vec<Outcome>,
    /// The change counter after the batch.
    pub change_counter: u64,
    /// By how much the batch itself moved it; who answers without it is asked for everything anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The object of the operation.
    pub object: ObjectRef,
    /// The subject of the operation.
    pub subject: String,
    /// The action of the operation.
    pub action: Action,
    /// What became of it.
    pub verdict: Verdict,
}

impl Outcome {
    /// The outcome of `operation`.
    pub fn of(operation: &Operation, verdict: Verdict) -> Self {
        Self {
            object: operation.object.clone(),
            subject: operation.subject.clone(),
            action: operation.action,
            verdict,
        }
    }
}

/// Applied, or why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is in force.
    Applied,
    /// It changed nothing.
    Failed {
        /// What stands in the way.
        reason: FailureReason,
        /// In words, without secrets.
        message: String,
    },
}

impl Verdict {
    /// That of an operation which could have been applied, and another of the same batch could not.
    pub fn not_alone() -> Self {
        let message = "not applied, since something else of the same change failed; mend that first";
        Self::Failed { reason: FailureReason::NotAlone, message: message.to_owned() }
    }

    /// Whether it failed for the sake of another one.
    pub fn is_for_another(&self) -> bool {
        matches!(self, Self::Failed { reason: FailureReason::NotAlone, .. })
    }
}

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FailureReason {
    /// Another source owns the address.
    Conflict,
    /// The row it changes, or one it refers to, does not exist.
    NotFound,
    /// Something still needs the row, or its retention is not over.
    InUse,
    /// The password it names was not handed over or is not a known hash.
    Credential,
    /// The database refused; nothing of it was written.
    Database,
    /// Nothing is wrong with it: another operation failed, and all were to be applied or none.
    NotAlone,
}
