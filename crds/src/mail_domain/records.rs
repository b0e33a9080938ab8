//! The parts of a MailDomain that become DNS records: DMARC, SPF, MTA-STS, TLS reporting and CAA. The records themselves are
//! written by the planner.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::domain::DomainName;
use crate::duration::Duration;
use crate::network::{Ip4Network, Ip6Network, RecordName};
use crate::words::{words, words_schema};

/// What receivers should do with mail that only claims to be from the domain (RFC 9989).
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dmarc {
    /// What receivers should do with mail that fails.
    #[serde(default)]
    pub policy: DmarcPolicy,
    /// The same for mail from subdomains; without it they have the policy of the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomain_policy: Option<DmarcPolicy>,
    /// The addresses that get aggregate reports.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 10))]
    pub rua: Vec<Address>,
}

words! {
    /// What receivers should do with mail that fails DMARC.
    DmarcPolicy = None {
        /// Only report.
        None,
        /// Treat it as suspicious.
        Quarantine,
        /// Refuse it.
        Reject,
    }
}
words_schema!(closed DmarcPolicy);

/// Who else, beside the server itself, may send mail from the domain (RFC 7208 §3).
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spf {
    /// Names whose SPF records count too. RFC 7208 §4.6.4 allows ten lookups, one of which is the server's own.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 9))]
    pub include: Vec<RecordName>,
    /// IPv4 addresses and networks.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 50))]
    pub ip4: Vec<Ip4Network>,
    /// IPv6 addresses and networks.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 50))]
    pub ip6: Vec<Ip6Network>,
    /// What to say about everybody else.
    #[serde(default)]
    pub all: SpfAll,
}

words! {
    /// What an SPF record says about everybody it does not list.
    SpfAll = SoftFail {
        /// `~all`: probably not permitted.
        SoftFail,
        /// `-all`: not permitted.
        Fail,
        /// `?all`: nothing.
        Neutral,
    }
}
words_schema!(closed SpfAll);

/// Whether senders must use TLS with a valid certificate to reach the domain (RFC 8461 §3.2).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MtaSts {
    /// Whether there is a policy, and whether it is enforced.
    #[serde(default)]
    pub mode: MtaStsMode,
    /// How long senders keep the policy (RFC 8461 §3.2 allows a year and asks for weeks).
    #[serde(default = "one_week")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('8766h')")
        .message("maxAge must be at least 1s and at most 8766h"))]
    pub max_age: Duration,
}

impl Default for MtaSts {
    fn default() -> MtaSts {
        MtaSts { mode: MtaStsMode::None, max_age: one_week() }
    }
}

fn one_week() -> Duration {
    Duration::hours(168)
}

words! {
    /// The mode of an MTA-STS policy.
    MtaStsMode = None {
        /// No policy.
        None,
        /// Senders report failures and deliver all the same.
        Testing,
        /// Senders do not deliver without TLS and a valid certificate.
        Enforce,
    }
}
words_schema!(closed MtaStsMode);

/// Where senders report failed TLS connections (RFC 8460 §3).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsReporting {
    /// The addresses that get the reports.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 10))]
    pub rua: Vec<Address>,
}

/// Which authorities may issue certificates for the names of the domain (RFC 8659 §4).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Caa {
    /// The authorities' own domain names, for example letsencrypt.org.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 10))]
    pub issuers: Vec<DomainName>,
}
