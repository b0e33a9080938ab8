//! What is observed of a MailDomain.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::DkimAlgorithm;
use crate::condition::{self, Condition};
use crate::words::{words, words_schema};

/// What was observed of a MailDomain.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailDomainStatus {
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
    /// The records that the domain should have in DNS.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub dns_records: Vec<DnsRecord>,
    /// The DKIM keys of the domain.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub dkim: Vec<DkimStatus>,
    /// How many mailboxes the domain has.
    #[serde(default)]
    pub mailboxes: i32,
    /// How many aliases the domain has.
    #[serde(default)]
    pub aliases: i32,
}

impl Default for MailDomainStatus {
    fn default() -> MailDomainStatus {
        MailDomainStatus {
            observed_generation: crate::kind::never_observed(),
            conditions: Vec::new(),
            last_handled_reconcile_at: None,
            dns_records: Vec::new(),
            dkim: Vec::new(),
            mailboxes: 0,
            aliases: 0,
        }
    }
}

/// A record that the domain should have in DNS.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsRecord {
    /// The owner name, fully qualified and without the final dot.
    pub name: String,
    /// The record type: MX, TXT, SRV, CNAME, CAA.
    #[serde(rename = "type")]
    pub type_: String,
    /// The data as in a zone file.
    pub value: String,
    /// The suggested time to live in seconds.
    pub ttl: i32,
    /// What it is for.
    pub purpose: String,
    /// How much it matters.
    pub requirement: Requirement,
}

words! {
    /// How much a DNS record matters.
    Requirement {
        /// Mail does not work without it.
        Required,
        /// Mail works worse without it.
        Recommended,
        /// Mail works without it.
        Optional,
    }
}
words_schema!(closed Requirement);

/// A DKIM key of the domain.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DkimStatus {
    /// The selector: the key is published under selector._domainkey.domain.
    pub selector: String,
    /// Its algorithm.
    pub algorithm: DkimAlgorithm,
}
