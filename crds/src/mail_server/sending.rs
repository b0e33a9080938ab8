//! How the mail of a MailServer leaves: its smarthost, its login rules, whom it asks about DNS, how long it tries.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::name::ObjectName;
use crate::network::{RelayHost, Resolver};
use crate::words::{words, words_schema};

/// The server that takes all outgoing mail (a smarthost).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!has(self.credentials) || self.tls == 'StartTLS' || self.tls == 'Implicit'")
    .message("a password is sent under TLS only: with credentials, tls must be StartTLS or Implicit"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Relay {
    /// Its name or IP address; IPv6 without brackets.
    pub host: RelayHost,
    /// Its TCP port.
    #[serde(default = "submission_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Whether the connection is encrypted.
    #[serde(default)]
    pub tls: RelayTls,
    /// How this server logs in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<RelayCredentials>,
}

words! {
    /// Whether the connection to a smarthost is encrypted.
    RelayTls = StartTls {
        /// With STARTTLS where the smarthost offers it, in the clear where it does not.
        Opportunistic,
        /// With STARTTLS, or not at all.
        StartTls as "StartTLS",
        /// TLS from the first byte, as on port 465.
        Implicit,
        /// Never.
        None,
    }
}
words_schema!(closed RelayTls);

/// How this server logs in at its smarthost.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RelayCredentials {
    /// A Secret in the same namespace with the keys username and password.
    pub secret_ref: SecretName,
}

/// A Secret of the same namespace.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretName {
    /// The name of the Secret.
    pub name: ObjectName,
}

/// How people log in.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Auth {
    /// Whether connections from this host itself may log in without TLS.
    #[serde(default)]
    pub plaintext_on_loopback: bool,
}

/// Who is asked about DNS.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// Addresses of name servers, asked in this order; without any, those of the operating system.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 8))]
    pub resolvers: Vec<Resolver>,
}

/// How long outgoing mail is tried.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("duration(self.delayWarning) < duration(self.lifetime)")
    .message("delayWarning must be shorter than lifetime"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Queue {
    /// How long a message is tried before it goes back to its sender (RFC 5321 §4.5.4.1 asks for four to five days).
    #[serde(default = "five_days")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1m') && duration(self) <= duration('720h')")
        .message("lifetime must be at least 1m and at most 720h"))]
    pub lifetime: Duration,
    /// After how long its sender is told that it has not arrived yet.
    #[serde(default = "four_hours")]
    pub delay_warning: Duration,
    /// The port that mail to other servers goes to.
    #[serde(default = "smtp_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub remote_port: u16,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue { lifetime: five_days(), delay_warning: four_hours(), remote_port: smtp_port() }
    }
}

/// The port that smarthosts take their customers' mail on (RFC 6409 §3.1).
fn submission_port() -> u16 {
    587
}

fn smtp_port() -> u16 {
    25
}

fn five_days() -> Duration {
    Duration::hours(120)
}

/// Half a working day: long enough for greylisting and a restart, short enough to telephone instead.
fn four_hours() -> Duration {
    Duration::hours(4)
}
