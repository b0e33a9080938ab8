//! MailDomain: one mail domain on a server, with its limits and the DNS records it should have.

mod records;
mod status;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use records::{Caa, Dmarc, DmarcPolicy, MtaSts, MtaStsMode, Spf, SpfAll, TlsReporting};
pub use status::{DkimStatus, DnsRecord, MailDomainStatus, Requirement};

use crate::address::Address;
use crate::domain::DomainName;
use crate::name::{NamespaceName, ObjectName};
use crate::namespaces::AllowedNamespaces;
use crate::quantity::Quantity;
use crate::words::{words, words_schema};

/// One mail domain on a server: who may have addresses in it, and the DNS records it should have.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "mailwright.dev",
    version = "v1alpha1",
    kind = "MailDomain",
    doc = "One mail domain on a server: who may have addresses in it, and the DNS records it should have.",
    namespaced,
    status = "MailDomainStatus",
    derive = "PartialEq",
    shortname = "mdom",
    category = "mail",
    selectable = ".spec.domain",
    selectable = ".spec.serverRef.name",
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.domain"),
    printcolumn(name = "Server", type_ = "string", json_path = ".spec.serverRef.name"),
    printcolumn(name = "Mailboxes", type_ = "integer", json_path = ".status.mailboxes"),
    printcolumn(name = "Aliases", type_ = "integer", json_path = ".status.aliases"),
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
    printcolumn(name = "Parked", type_ = "boolean", json_path = ".spec.parked", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("!self.parked || !has(self.catchAll)")
    .message("a parked domain takes no mail: it cannot have a catchAll"))]
#[x_kube(validation = Rule::new("!self.parked || size(self.aliases) == 0")
    .message("a parked domain takes no mail: declare each of its aliases as a parked MailDomain of its own"))]
#[x_kube(validation = Rule::new("!self.parked || self.mtaSTS.mode == 'None'")
    .message("a parked domain takes no mail: its mtaSTS.mode must be None"))]
#[x_kube(validation = Rule::new("!(self.domain in self.aliases)")
    .message("the domain cannot be an alias of itself"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailDomainSpec {
    /// The MailServer that serves the domain. It cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("serverRef cannot be changed: delete the MailDomain and declare it anew")
        .reason(Reason::FieldValueForbidden))]
    pub server_ref: ServerRef,
    /// The mail domain, in lower-case A-labels. It cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("domain cannot be changed: declare another MailDomain, or add the new name to aliases")
        .reason(Reason::FieldValueForbidden))]
    pub domain: DomainName,
    /// Other domains whose every address means the same address in this domain.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 100))]
    pub aliases: Vec<DomainName>,
    /// The domain neither takes nor sends mail, and its DNS records say so.
    #[serde(default)]
    pub parked: bool,
    /// The address, on this server, that gets mail for unknown addresses of the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_all: Option<Address>,
    /// Which namespaces may have Mailboxes and Aliases in the domain.
    #[serde(default)]
    pub allowed_mailboxes: AllowedNamespaces,
    /// How many addresses the domain may have, and how large its mailboxes may be.
    #[serde(default)]
    pub limits: DomainLimits,
    /// The DKIM keys of the domain. Their public halves are in its DNS records.
    #[serde(default)]
    pub dkim: Dkim,
    /// What receivers should do with mail that only claims to be from the domain.
    #[serde(default)]
    pub dmarc: Dmarc,
    /// Who else may send mail from the domain.
    #[serde(default)]
    pub spf: Spf,
    /// Whether senders must use TLS with a valid certificate to reach the domain (RFC 8461 §3.2).
    #[serde(default, rename = "mtaSTS")]
    pub mta_sts: MtaSts,
    /// Where senders report failed TLS connections to the domain (RFC 8460 §3). Without it no such record is suggested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_reporting: Option<TlsReporting>,
    /// Which authorities may issue certificates (RFC 8659 §4). Without it no such record is suggested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caa: Option<Caa>,
}

/// A MailServer.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerRef {
    /// Its name.
    pub name: ObjectName,
    /// Its namespace, when it is another one; its allowedDomains must allow that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<NamespaceName>,
}

impl ServerRef {
    /// The namespace of the MailServer that a MailDomain of the namespace `own` names.
    pub fn namespace<'a>(&'a self, own: &'a str) -> &'a str {
        self.namespace.as_ref().map_or(own, NamespaceName::as_str)
    }
}

/// How many addresses the domain may have, and how large its mailboxes may be. What is left out has no limit.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new(
        "!has(self.defaultQuota) || !has(self.maxQuota) || !quantity(self.defaultQuota).isGreaterThan(quantity(self.maxQuota))")
    .message("defaultQuota cannot be above maxQuota"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DomainLimits {
    /// The most mailboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000_000))]
    pub mailboxes: Option<i32>,
    /// The most aliases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000_000))]
    pub aliases: Option<i32>,
    /// The quota of a mailbox that declares none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_quota: Option<Quantity>,
    /// The largest quota that a mailbox may declare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_quota: Option<Quantity>,
}

/// The DKIM keys of the domain (RFC 6376 §3.6.1, RFC 8463 §4).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dkim {
    /// The algorithms; the server makes one key for each.
    #[serde(default = "both")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 2))]
    pub keys: Vec<DkimAlgorithm>,
}

impl Default for Dkim {
    fn default() -> Dkim {
        Dkim { keys: both() }
    }
}

/// Every receiver verifies RSA, some only that; Ed25519 is for when the others follow.
fn both() -> Vec<DkimAlgorithm> {
    vec![DkimAlgorithm::Rsa2048, DkimAlgorithm::Ed25519]
}

words! {
    /// A kind of DKIM key.
    DkimAlgorithm {
        /// RSA with 2048 bits (RFC 8301 §3.2).
        Rsa2048 as "RSA2048",
        /// Ed25519 (RFC 8463 §3).
        Ed25519,
    }
}
words_schema!(closed DkimAlgorithm);
