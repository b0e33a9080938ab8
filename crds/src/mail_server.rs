//! MailServer: one mail installation, its name, listeners, certificate, limits, how its mail leaves, and what it is in a
//! cluster.

mod sending;
mod status;
mod template;
mod tls;
mod workload;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::DomainName;
use crate::namespaces::AllowedNamespaces;
use crate::network::TrustedNetwork;
use crate::policy::Policy;
use crate::quantity::Quantity;

pub use sending::{Auth, Dns, Queue, Relay, RelayCredentials, RelayTls, SecretName};
pub use status::{CertificateStatus, Endpoint, MailServerStatus};
pub use template::{
    Amounts, ImagePullPolicy, Resources, TaintEffect, Template, Toleration, TolerationOperator,
    TopologySpread, WhenUnsatisfiable,
};
pub use tls::{CertManager, IssuerRef, SelfSigned, Tls};
pub use workload::{
    Database, NetworkPolicy, NodePorts, Service, ServiceType, Sqlite, Storage, TrafficPolicy,
};

/// One mail installation: its host name, the ports it listens on, its certificate and its limits.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "mailwright.dev",
    version = "v1alpha1",
    kind = "MailServer",
    doc = "One mail installation: its host name, the ports it listens on, its certificate and its limits.",
    namespaced,
    status = "MailServerStatus",
    derive = "PartialEq",
    shortname = "msrv",
    category = "mail",
    selectable = ".spec.hostname",
    printcolumn(name = "Hostname", type_ = "string", json_path = ".spec.hostname"),
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
    printcolumn(name = "Address", type_ = "string", json_path = ".status.addresses"),
    printcolumn(
        name = "Certificate",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"CertificateReady\")].reason",
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailServerSpec {
    /// The name the server gives itself in greetings, and the name that MX records and mail clients point to.
    pub hostname: DomainName,
    /// The protocols to listen for, and their ports.
    #[serde(default)]
    pub listeners: Listeners,
    /// Where the TLS certificate comes from. Without it, it is self-signed.
    #[serde(default, skip_serializing_if = "Tls::is_unsaid")]
    pub tls: Tls,
    /// What one message and one peer may take.
    #[serde(default)]
    pub limits: ServerLimits,
    /// The server that takes all outgoing mail. Without it mail goes to the MX hosts of each recipient's domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<Relay>,
    /// Networks whose hosts may send mail anywhere without a login. Every program on every host of them can send in
    /// anybody's name.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 100))]
    pub trusted_networks: Vec<TrustedNetwork>,
    /// How people log in.
    #[serde(default)]
    pub auth: Auth,
    /// Who is asked about DNS.
    #[serde(default)]
    pub dns: Dns,
    /// How long outgoing mail is tried.
    #[serde(default)]
    pub queue: Queue,
    /// Which namespaces may have MailDomains on this server.
    #[serde(default)]
    pub allowed_domains: AllowedNamespaces,
    /// Rules that its domains, mailboxes and aliases must keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 50))]
    pub policies: Vec<Policy>,
    /// Where accounts and mail are kept, in a cluster. It cannot be changed. `mailwright up` keeps them in its data directory.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("database cannot be changed: declare another MailServer; a volume is enlarged at its PersistentVolumeClaim")
        .reason(Reason::FieldValueForbidden))]
    pub database: Database,
    /// The Service that is made in a cluster; `mailwright up` makes none.
    #[serde(default)]
    pub service: Service,
    /// The pod that is made in a cluster; `mailwright up` makes none.
    #[serde(default)]
    pub template: Template,
    /// The NetworkPolicies that are made in a cluster; `mailwright up` makes none.
    #[serde(default)]
    pub network_policy: NetworkPolicy,
}

/// The protocols to listen for. Two enabled listeners cannot share a port.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new(PORTS_DIFFER).message("two enabled listeners have the same port"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listeners {
    /// Mail from other servers (SMTP with STARTTLS).
    #[serde(default = "Listener::smtp")]
    #[schemars(schema_with = "Listener::smtp_schema")]
    pub smtp: Listener,
    /// Mail clients that send (submission with STARTTLS).
    #[serde(default = "Listener::submission")]
    #[schemars(schema_with = "Listener::submission_schema")]
    pub submission: Listener,
    /// Mail clients that send (submission, TLS from the first byte).
    #[serde(default = "Listener::submissions")]
    #[schemars(schema_with = "Listener::submissions_schema")]
    pub submissions: Listener,
    /// Mail from another MTA on this host (LMTP), also on the Unix socket lmtp.sock in the data directory. It has no login:
    /// who reaches the port can deliver.
    #[serde(default = "Listener::lmtp")]
    #[schemars(schema_with = "Listener::lmtp_schema")]
    pub lmtp: Listener,
    /// Mail clients (IMAP with STARTTLS).
    #[serde(default = "Listener::imap")]
    #[schemars(schema_with = "Listener::imap_schema")]
    pub imap: Listener,
    /// Mail clients (IMAP, TLS from the first byte).
    #[serde(default = "Listener::imaps")]
    #[schemars(schema_with = "Listener::imaps_schema")]
    pub imaps: Listener,
    /// Health, metrics and the MTA-STS policies (HTTP).
    #[serde(default = "Listener::http")]
    #[schemars(schema_with = "Listener::http_schema")]
    pub http: Listener,
}

/// Disabled listeners count as different negative numbers.
const PORTS_DIFFER: &str = "[self.smtp.enabled ? self.smtp.port : -1, self.submission.enabled ? self.submission.port : -2, \
     self.submissions.enabled ? self.submissions.port : -3, self.lmtp.enabled ? self.lmtp.port : -4, \
     self.imap.enabled ? self.imap.port : -5, self.imaps.enabled ? self.imaps.port : -6, \
     self.http.enabled ? self.http.port : -7].all(p, \
     [self.smtp.enabled ? self.smtp.port : -1, self.submission.enabled ? self.submission.port : -2, \
     self.submissions.enabled ? self.submissions.port : -3, self.lmtp.enabled ? self.lmtp.port : -4, \
     self.imap.enabled ? self.imap.port : -5, self.imaps.enabled ? self.imaps.port : -6, \
     self.http.enabled ? self.http.port : -7].filter(q, q == p).size() == 1)";

impl Default for Listeners {
    fn default() -> Listeners {
        Listeners {
            smtp: Listener::smtp(),
            submission: Listener::submission(),
            submissions: Listener::submissions(),
            lmtp: Listener::lmtp(),
            imap: Listener::imap(),
            imaps: Listener::imaps(),
            http: Listener::http(),
        }
    }
}

/// One listening port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// Whether to listen at all.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// The TCP port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// The standalone ports, above 1024 so that no privileges are needed.
const SMTP_PORT: u16 = 2525;
const SUBMISSION_PORT: u16 = 1587;
const SUBMISSIONS_PORT: u16 = 1465;
const LMTP_PORT: u16 = 2400;
const IMAP_PORT: u16 = 1143;
const IMAPS_PORT: u16 = 1993;
const HTTP_PORT: u16 = 8080;

impl Listener {
    fn smtp() -> Listener {
        Listener { enabled: true, port: SMTP_PORT }
    }

    fn submission() -> Listener {
        Listener { enabled: true, port: SUBMISSION_PORT }
    }

    fn submissions() -> Listener {
        Listener { enabled: true, port: SUBMISSIONS_PORT }
    }

    /// Off: nobody without another MTA in front needs it, and it asks for no password.
    fn lmtp() -> Listener {
        Listener { enabled: false, port: LMTP_PORT }
    }

    fn imap() -> Listener {
        Listener { enabled: true, port: IMAP_PORT }
    }

    fn imaps() -> Listener {
        Listener { enabled: true, port: IMAPS_PORT }
    }

    fn http() -> Listener {
        Listener { enabled: true, port: HTTP_PORT }
    }

    fn smtp_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        listener_schema(generator, &Listener::smtp())
    }

    fn submission_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        listener_schema(generator, &Listener::submission())
    }

    fn submissions_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        listener_schema(generator, &Listener::submissions())
    }

    fn lmtp_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        listener_schema(generator, &Listener::lmtp())
    }

    fn imap_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        listener_schema(generator, &Listener::imap())
    }

    fn imaps_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        listener_schema(generator, &Listener::imaps())
    }

    fn http_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        listener_schema(generator, &Listener::http())
    }
}

/// The schema of a listener, whose defaults depend on the protocol.
fn listener_schema(generator: &mut schemars::SchemaGenerator, default: &Listener) -> schemars::Schema {
    let mut schema = <Listener as JsonSchema>::json_schema(generator);
    schema.remove("required");
    for (field, value) in [("port", default.port.into()), ("enabled", default.enabled.into())] {
        let pointer = format!("/properties/{field}");
        if let Some(field) = schema.pointer_mut(&pointer).and_then(serde_json::Value::as_object_mut) {
            field.insert("default".to_owned(), value);
        }
    }
    schema
}

/// What one message and one peer may take.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("self.connectionsPerAddress <= self.connections")
    .message("connectionsPerAddress cannot be above connections"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerLimits {
    /// The largest accepted message.
    #[serde(default = "message_size")]
    pub message_size: Quantity,
    /// The most recipients of one message (RFC 5321 §4.5.3.1.8 asks for 100 at least).
    #[serde(default = "recipients_per_message")]
    #[schemars(range(min = 100, max = 100_000))]
    pub recipients_per_message: i32,
    /// The most connections at a time, over all listeners.
    #[serde(default = "connections")]
    #[schemars(range(min = 1, max = 100_000))]
    pub connections: i32,
    /// The most connections at a time from one IPv4 address or one IPv6 /64.
    #[serde(default = "connections_per_address")]
    #[schemars(range(min = 1, max = 100_000))]
    pub connections_per_address: i32,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        ServerLimits {
            message_size: message_size(),
            recipients_per_message: recipients_per_message(),
            connections: connections(),
            connections_per_address: connections_per_address(),
        }
    }
}

fn enabled() -> bool {
    true
}

/// What the large providers take, so that few senders ever meet it.
fn message_size() -> Quantity {
    Quantity::mebibytes(50)
}

fn recipients_per_message() -> i32 {
    1000
}

fn connections() -> i32 {
    2000
}

/// A household or a small office behind one address, with several connections per client.
fn connections_per_address() -> i32 {
    50
}
