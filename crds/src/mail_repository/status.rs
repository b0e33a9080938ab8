//! What is observed of a MailRepository. Nothing in it ticks: it changes when a revision, a plan or a failure does.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::condition::{self, Condition};
use crate::timestamp::Timestamp;

/// The failures that a status lists: what a person reads before correcting the first ones.
pub const MAX_FAILURES: usize = 20;
/// The revisions that a status remembers; `mailwright history` remembers all.
pub const MAX_HISTORY: usize = 10;
/// The previews that a status lists, the newest first.
pub const MAX_PREVIEWS: usize = 20;

/// What was observed of a MailRepository.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailRepositoryStatus {
    /// The generation of the spec that this status speaks about.
    #[serde(default = "crate::kind::never_observed")]
    pub observed_generation: i64,
    /// The state in its aspects.
    #[serde(default, deserialize_with = "condition::known")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 32))]
    pub conditions: Vec<Condition>,
    /// The value of the annotation mailwright.dev/requestedAt that was last acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The revision that was read last, like main@sha1:ab12….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempted_revision: Option<String>,
    /// The revision that was applied last, in full or in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_applied_revision: Option<String>,
    /// The commit whose signatures were verified last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified: Option<VerifiedCommit>,
    /// What the last plan would change, or has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,
    /// What is wrong in the repository, the first of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub failures: Vec<Failure>,
    /// The revisions that were applied, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub history: Vec<AppliedRevision>,
    /// The path that webhooks are sent to. Who does not know it cannot guess it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_path: Option<String>,
    /// What lets another source take over rows of this one: its annotation mailwright.dev/adopt. Only with a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption_token: Option<String>,
    /// How many objects of the repository are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<i32>,
    /// The proposed changes that were planned, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub previews: Vec<PreviewStatus>,
}

impl Default for MailRepositoryStatus {
    fn default() -> MailRepositoryStatus {
        MailRepositoryStatus {
            observed_generation: crate::kind::never_observed(),
            conditions: Vec::new(),
            last_handled_reconcile_at: None,
            last_attempted_revision: None,
            last_applied_revision: None,
            last_verified: None,
            plan: None,
            failures: Vec::new(),
            history: Vec::new(),
            webhook_path: None,
            adoption_token: None,
            inventory: None,
            previews: Vec::new(),
        }
    }
}

/// A commit whose signatures were verified.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedCommit {
    /// Its name.
    pub commit: String,
    /// Who signed it.
    pub signer: String,
    /// When it was verified.
    pub at: Timestamp,
}

/// A plan in figures.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// The digest, by which it is approved.
    pub digest: String,
    /// How many objects it makes.
    #[serde(default)]
    pub create: i32,
    /// How many objects it changes.
    #[serde(default)]
    pub update: i32,
    /// How many objects it removes, switches off or deletes.
    #[serde(default)]
    pub remove: i32,
    /// How many of these wait for an approval or are held by a guard.
    #[serde(default)]
    pub held: i32,
}

/// Something that is wrong in a repository.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The file, from the root of the repository; empty when it is in none.
    #[serde(default)]
    pub file: String,
    /// The line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<i32>,
    /// What kind of failure it is, in one word for programs.
    pub reason: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// A revision that was applied.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppliedRevision {
    /// The revision.
    pub revision: String,
    /// The digest of the plan that was applied.
    pub digest: String,
    /// When.
    pub applied_at: Timestamp,
    /// Who made the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Who signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// How many objects it changed.
    pub operations: i32,
}

/// A proposed change that was planned.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewStatus {
    /// Its reference.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Its commit.
    pub commit: String,
    /// The digest of its plan.
    pub digest: String,
    /// When the plan was posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted_at: Option<Timestamp>,
}
