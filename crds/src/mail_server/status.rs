//! What is observed of a MailServer.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::condition::{self, Condition};
use crate::timestamp::Timestamp;

/// What was observed of a MailServer.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailServerStatus {
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
    /// The host name in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The certificate in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateStatus>,
    /// The listeners in use.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub endpoints: Vec<Endpoint>,
    /// The addresses and host names that the Service is reached at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub addresses: Vec<String>,
    /// The identity of the account database that this server is bound to.
    #[serde(default, rename = "databaseID", skip_serializing_if = "Option::is_none")]
    pub database_id: Option<String>,
}

impl Default for MailServerStatus {
    fn default() -> MailServerStatus {
        MailServerStatus {
            observed_generation: crate::kind::never_observed(),
            conditions: Vec::new(),
            last_handled_reconcile_at: None,
            hostname: None,
            certificate: None,
            endpoints: Vec::new(),
            addresses: Vec::new(),
            database_id: None,
        }
    }
}

/// A certificate in use.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// Who signed it.
    pub issuer: String,
    /// When it becomes valid.
    pub not_before: Timestamp,
    /// When it expires.
    pub not_after: Timestamp,
    /// The SHA-256 of its DER form, in hexadecimal.
    pub fingerprint: String,
}

/// A listener in use.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The protocol: smtp, submission, submissions, lmtp, imap, imaps or http.
    pub protocol: String,
    /// The socket address, for example 127.0.0.1:2525.
    pub address: String,
}
