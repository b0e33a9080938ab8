//! Alias: an address, or all other addresses of a domain, whose mail goes to other addresses.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::address::{Address, AliasAddress};
use crate::condition::{self, Condition};
use crate::words::{words, words_schema};

/// An address whose mail goes to other addresses: a list, a role, a catch-all.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "mailwright.dev",
    version = "v1alpha1",
    kind = "Alias",
    doc = "An address whose mail goes to other addresses: a list, a role, a catch-all.",
    namespaced,
    status = "AliasStatus",
    derive = "PartialEq",
    plural = "aliases",
    shortname = "malias",
    category = "mail",
    selectable = ".spec.address",
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.address"),
    printcolumn(name = "Targets", type_ = "string", json_path = ".spec.targets"),
    printcolumn(name = "Senders", type_ = "string", json_path = ".spec.senders"),
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
    printcolumn(name = "Enabled", type_ = "boolean", json_path = ".spec.enabled", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("!(self.address in self.targets)")
    .message("a loop: the alias is one of its own targets; remove it from them"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AliasSpec {
    /// The address, or `@domain` for every address of the domain that nothing else answers for. It cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("address cannot be changed: declare another Alias")
        .reason(Reason::FieldValueForbidden))]
    pub address: AliasAddress,
    /// Where the mail goes: mailboxes and aliases on this server, or addresses anywhere else.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 500))]
    pub targets: Vec<Address>,
    /// Who may send to the alias.
    #[serde(default)]
    pub senders: Senders,
    /// Whether the alias takes mail.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

words! {
    /// Who may send to an alias; the envelope sender counts.
    Senders = Anyone {
        /// Everybody.
        Anyone,
        /// The mailboxes that the alias leads to, with their sendAs addresses.
        Members,
        /// Addresses of the alias' own domain and of its alias domains.
        Domain,
    }
}
words_schema!(closed Senders);

fn enabled() -> bool {
    true
}

/// What was observed of an Alias.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasStatus {
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
}

impl Default for AliasStatus {
    fn default() -> AliasStatus {
        AliasStatus {
            observed_generation: crate::kind::never_observed(),
            conditions: Vec::new(),
            last_handled_reconcile_at: None,
        }
    }
}
