//! MailRepository: a Git repository of manifests that is followed, who is believed, what of it is applied and how carefully.
//! It is never part of a plan itself: a repository does not say how it is guarded.

mod change;
mod forge;
mod location;
mod reference;
mod status;
mod trust;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use change::{
    Adoption, ApprovalMode, DriftPolicy, FailurePolicy, RepositoryGuards, RepositoryMode, Sink,
};
pub use forge::{ForgeUrl, PreviewProvider, Previews, RefPattern, Webhook, WebhookProvider};
pub use location::{RepositoryPath, RepositoryUrl};
pub use reference::{CommitId, RefName, Reference, VersionRange};
pub use status::{
    AppliedRevision, Failure, MAX_FAILURES, MAX_HISTORY, MAX_PREVIEWS, MailRepositoryStatus, PlanStatus,
    PreviewStatus, VerifiedCommit,
};
pub use trust::{Decryption, DecryptionProvider, Verify, VerifyMode};

use crate::duration::Duration;
use crate::mail_server::SecretName;
use crate::name::ObjectName;
use crate::policy::Policy;

/// A Git repository of manifests that is followed: where it is, who is believed, and how its changes are applied.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "mailwright.dev",
    version = "v1alpha1",
    kind = "MailRepository",
    doc = "A Git repository of manifests that is followed: where it is, who is believed, and how its changes are applied.",
    namespaced,
    status = "MailRepositoryStatus",
    derive = "PartialEq",
    shortname = "mrepo",
    category = "mail",
    selectable = ".spec.url",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.lastAppliedRevision"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", priority = "1"),
    printcolumn(name = "Plan", type_ = "string", json_path = ".status.plan.digest", priority = "1"),
    printcolumn(name = "Objects", type_ = "integer", json_path = ".status.inventory", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("(self.sink == 'Database') == has(self.serverRef)")
    .message("serverRef goes with sink: Database, and sink: Database needs one"))]
#[x_kube(validation = Rule::new("!has(self.secretRef) || !self.url.startsWith('http://') || \
        self.url.matches('^http://(localhost|127[.]0[.]0[.]1|\\\\[::1\\\\])[:/]')")
    .message("credentials are sent under TLS only: with secretRef, url must be https or ssh"))]
#[x_kube(validation = Rule::new("!has(self.verify) || !(self.verify.mode in ['Tag', 'TagAndHEAD']) || \
        (has(self.ref) && (has(self.ref.tag) || has(self.ref.semver)))")
    .message("verify.mode Tag and TagAndHEAD look at the signature of a tag: set ref.tag or ref.semver"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailRepositorySpec {
    /// Where the repository is, without credentials.
    pub url: RepositoryUrl,
    /// What is followed. Without it the branch that the repository calls its default.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Only manifests below this path of the repository are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<RepositoryPath>,
    /// How often the repository is asked for changes, also when webhooks tell of them.
    #[serde(default = "one_minute")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('5s') && duration(self) <= duration('24h')")
        .message("interval must be at least 5s and at most 24h"))]
    pub interval: Duration,
    /// How long one fetch may take.
    #[serde(default = "sixty_seconds")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('1h')")
        .message("timeout must be at least 1s and at most 1h"))]
    pub timeout: Duration,
    /// A Secret in the same namespace with the credentials: username and password, or bearerToken, for https; identity (and
    /// password, when the key has one) and known_hosts for ssh; ca.crt for a certificate authority of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// A Secret in the same namespace with the proxy for https and http: address, and username and password when it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<SecretName>,
    /// Whose signatures a revision needs. Without it none are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// Whether a revision is taken that is no descendant of the last applied one. Without it such a revision is refused: who can
    /// push an old commit could bring back a removed account.
    #[serde(default)]
    pub allow_rewind: bool,
    /// How encrypted files of the repository are read. Without it they are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// Where the manifests go, in a cluster. `mailwright up` has one sink, its own account database.
    #[serde(default)]
    pub sink: Sink,
    /// The MailServer of the same namespace whose account database is the sink, with sink: Database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ref: Option<RepositoryServer>,
    /// Whether the plan is applied, or only told.
    #[serde(default)]
    pub mode: RepositoryMode,
    /// Whether objects that leave the repository are removed.
    #[serde(default = "yes")]
    pub prune: bool,
    /// What comes of changes that were made behind the repository's back.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
    /// Which rows it takes over that it did not make, where it writes to an account database. Rows of another source are also
    /// taken over with the token of that source in the annotation mailwright.dev/adopt, of the object or of the MailRepository.
    #[serde(default)]
    pub adoption: Adoption,
    /// How much one plan may remove without an approval.
    #[serde(default)]
    pub guards: RepositoryGuards,
    /// Which plans wait until somebody approves their digest.
    #[serde(default)]
    pub approval: ApprovalMode,
    /// Whether what is wrong in the repository holds back what is right.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// The ServiceAccount of the same namespace in whose name is applied, in a cluster: it decides what the repository may
    /// change. `mailwright up` reads it not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<ObjectName>,
    /// Who tells of pushes, beside asking every interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Which proposed changes get a plan, and where it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previews: Option<Previews>,
    /// Rules that the domains, mailboxes and aliases of the repository must keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 50))]
    pub policies: Vec<Policy>,
    /// Whether to leave everything as it is: nothing is fetched, planned or applied.
    #[serde(default)]
    pub suspend: bool,
}

/// The MailServer whose account database is written to.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryServer {
    /// Its name.
    pub name: ObjectName,
}

/// Often enough where nobody set up a webhook, and one reference advertisement is all that it costs.
fn one_minute() -> Duration {
    Duration::minutes(1)
}

fn sixty_seconds() -> Duration {
    Duration::seconds(60)
}

fn yes() -> bool {
    true
}
