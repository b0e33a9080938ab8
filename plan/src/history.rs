//! What was done: the rows of the account database's history as the management API tells them. Each says what changed, why, by
//! whom and who let it through, and how the row was before. No secret is in any of them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::observed::{AliasRow, DomainRow, MailboxDeclared, Owner, ServerRow};
use crate::operation::FieldChange;
use crate::reference::{Kind, ObjectRef, Origin};
use crate::shared::Shared;

/// The action of a row that tells of an approval; its key is the digest.
pub const APPROVE: &str = "approve";
/// The action of a row that tells of a new password, and not which.
pub const PASSWORD: &str = "password";
/// The action of a row that tells of an account database that was accepted; its key is the database.
pub const ACCEPT_DATABASE: &str = "acceptDatabase";

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Grows with time; names a page's end.
    pub id: i64,
    /// When it was done.
    pub at: DateTime<Utc>,
    /// What did it: `up`, `apply`, `operator`, `passwd`, `purge`, `approve`.
    pub actor: String,
    /// The source that asked for it.
    pub source: String,
    /// What was read of the source.
    pub revision: String,
    /// The commit.
    pub commit: Option<String>,
    /// Who wrote the commit.
    pub author: Option<String>,
    /// Who signed it.
    pub signer: Option<String>,
    /// When it was committed.
    pub committed_at: Option<DateTime<Utc>>,
    /// The digest of the plan.
    pub digest: String,
    /// Who approved the plan, and how.
    pub approved: Option<String>,
    /// `create`, `update`, `disable`, `enable`, `delete`, `adopt`, `release`, `password`, `approve`, `acceptDatabase`.
    pub action: String,
    /// `none`, `access`, `data`.
    pub risk: String,
    /// The kind of the row; absent where no row changed.
    pub kind: Option<Kind>,
    /// Address, domain or server; the digest of an approval.
    pub key: String,
    /// The object that asked for it.
    pub object: Option<ObjectRef>,
    /// Where it stood.
    pub origin: Option<Origin>,
    /// The fields that changed.
    pub changes: Vec<FieldChange>,
    /// The row before; absent for what was new.
    pub before: Option<Before>,
}

impl Record {
    /// Whether a row changed that could be changed back.
    pub fn changes_a_row(&self) -> bool {
        self.kind.is_some() && self.action != PASSWORD
    }

    /// The commit in short, or whatever else names what was read.
    pub fn short_revision(&self) -> String {
        match (&self.commit, self.revision.is_empty()) {
            (Some(commit), _) => commit.get(..12).unwrap_or(commit).to_owned(),
            (None, false) => self.revision.chars().take(19).collect(),
            (None, true) => self.actor.clone(),
        }
    }
}

/// A row before it was changed: what was declared, by whom, and since when it was out of service. Its password is no part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Before {
    /// A server's settings.
    Server(ServerRow),
    /// A domain.
    Domain(DomainRow),
    /// A mailbox.
    #[serde(rename_all = "camelCase")]
    Mailbox {
        /// What was declared.
        declared: Shared<MailboxDeclared>,
        /// Who declared it.
        owner: Option<Shared<Owner>>,
        /// Out of service since.
        removed_at: Option<DateTime<Utc>>,
    },
    /// An alias.
    Alias(AliasRow),
}

/// Which records; every field that is set narrows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Query {
    /// Of this address, domain or server.
    pub key: Option<String>,
    /// Of this domain and every address in it.
    pub domain: Option<String>,
    /// Of this revision, or of commits and digests that begin like this.
    pub revision: Option<String>,
    /// Older than the record of this id: the next page.
    pub below: Option<i64>,
    /// At most so many; a page has at most 1000.
    pub limit: u32,
}
