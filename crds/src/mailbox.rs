//! Mailbox: one account, its address, credentials and quota, and what happens to its mail when it is declared no more.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::condition::{self, Condition};
use crate::duration::Duration;
use crate::name::{DisplayName, ObjectName, SecretKey};
use crate::password_hash::PasswordHash;
use crate::quantity::Quantity;
use crate::words::{words, words_schema};

/// One account: an address with a password, mail folders and a quota.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "mailwright.dev",
    version = "v1alpha1",
    kind = "Mailbox",
    doc = "One account: an address with a password, mail folders and a quota.",
    namespaced,
    status = "MailboxStatus",
    derive = "PartialEq",
    shortname = "mbx",
    category = "mail",
    selectable = ".spec.address",
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.address"),
    printcolumn(name = "Quota", type_ = "string", json_path = ".spec.quota"),
    printcolumn(name = "Enabled", type_ = "boolean", json_path = ".spec.enabled"),
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
    printcolumn(
        name = "Credentials",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"CredentialsReady\")].reason",
        priority = "1"
    ),
    printcolumn(name = "Display Name", type_ = "string", json_path = ".spec.displayName", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("!(self.address in self.sendAs)")
    .message("sendAs need not name the mailbox's own address"))]
#[x_kube(validation = Rule::new("!has(self.forward) || !(self.address in self.forward.targets)")
    .message("a loop: the mailbox forwards to itself; to keep a copy, set forward.keepCopy"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailboxSpec {
    /// The address, in lower case with an A-label domain. It cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("address cannot be changed: declare another Mailbox, or an Alias for the new address")
        .reason(Reason::FieldValueForbidden))]
    pub address: Address,
    /// The name of the person or the purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<DisplayName>,
    /// Where the password comes from. Without it nobody can log in until a password is set with `mailwright passwd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// How much mail the mailbox holds; without it the defaultQuota of the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quantity>,
    /// Whether the mailbox takes mail and its owner can log in.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Further addresses that the owner may send from, and that count as this mailbox's own where an alias asks who the
    /// sender is.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 100))]
    pub send_as: Vec<Address>,
    /// Sends the mailbox's mail on to other addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<Forward>,
    /// What happens when the mailbox is declared no more.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How long the mail of a removed mailbox is kept at least.
    #[serde(default = "thirty_days")]
    pub retain_for: Duration,
}

/// Where the mail of a mailbox goes beside it, or instead.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forward {
    /// The addresses that get the mail: here or anywhere else.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 100))]
    pub targets: Vec<Address>,
    /// Whether the mailbox keeps the mail too.
    #[serde(default = "enabled")]
    pub keep_copy: bool,
}

/// Where the password comes from: exactly one of secretRef, passwordHash and generate.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new(
        "(has(self.secretRef) ? 1 : 0) + (has(self.passwordHash) ? 1 : 0) + (has(self.generate) ? 1 : 0) == 1")
    .message("needs exactly one of secretRef, passwordHash and generate"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// A Secret in the same namespace with the password or its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The hash of the password, as made by `openssl passwd -6` or `doveadm pw -s ARGON2ID`. Never the password itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<PasswordHash>,
    /// A password is made up once and written into a Secret of the same namespace. The annotation mailwright.dev/rotate, with
    /// any new value, asks for another one. `mailwright up` keeps it below passwords/ in its data directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
    /// Whether the declared password wins over one that the owner set.
    #[serde(default)]
    pub management: Management,
}

impl Credentials {
    /// The Secret and the key that the password is in, wherever it comes from.
    pub fn secret(&self) -> Option<(&ObjectName, &SecretKey)> {
        let named = self.secret_ref.as_ref().map(|reference| (&reference.name, &reference.key));
        named.or_else(|| self.generate.as_ref().map(|generate| (&generate.secret_name, &generate.key)))
    }
}

/// A password that is made up.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Generate {
    /// The Secret that is made for it. It outlives the mailbox.
    pub secret_name: ObjectName,
    /// The key in its data.
    #[serde(default = "SecretKey::password")]
    pub key: SecretKey,
}

/// A value in a Secret of the same namespace.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// The name of the Secret.
    pub name: ObjectName,
    /// The key in its data.
    #[serde(default = "SecretKey::password")]
    pub key: SecretKey,
}

words! {
    /// Whose password counts.
    Management = Initial {
        /// The declared password is the first one; once the owner changed it, theirs stays.
        Initial,
        /// The declared password always counts.
        Enforced,
    }
}
words_schema!(closed Management);

words! {
    /// What happens when a mailbox is declared no more.
    DeletionPolicy = Disable {
        /// It takes no mail and no login; its mail is kept, and can be purged by hand after retainFor.
        Disable,
        /// It stays as it is, but is managed no more.
        Retain,
        /// It takes no mail and no login; its deletion is planned once retainFor has passed.
        Delete,
    }
}
words_schema!(closed DeletionPolicy);

fn enabled() -> bool {
    true
}

/// Long enough for a holiday to end before somebody misses the mail.
fn thirty_days() -> Duration {
    Duration::hours(720)
}

/// What was observed of a Mailbox.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailboxStatus {
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
    /// The number of the account in the database; it stays the same as long as the account exists.
    #[serde(default, rename = "accountID", skip_serializing_if = "Option::is_none")]
    pub account_id: Option<i64>,
}

impl Default for MailboxStatus {
    fn default() -> MailboxStatus {
        MailboxStatus {
            observed_generation: crate::kind::never_observed(),
            conditions: Vec::new(),
            last_handled_reconcile_at: None,
            account_id: None,
        }
    }
}
