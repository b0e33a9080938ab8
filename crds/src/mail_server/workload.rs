//! What a MailServer is in a cluster beside its pod: where its data is, how it is reached, who may talk to it.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::label::LabelKey;
use crate::name::ObjectName;
use crate::quantity::Quantity;
use crate::words::{words, words_schema};

/// Where accounts and mail are kept.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Database {
    /// In a database file on a volume of the pod.
    #[serde(default)]
    pub sqlite: Sqlite,
}

/// A database file on a volume of the pod.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sqlite {
    /// The volume for the database and for all mail.
    #[serde(default)]
    pub storage: Storage,
}

/// A volume. It outlives the MailServer: whoever wants the mail gone deletes its PersistentVolumeClaim.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Storage {
    /// Its size. To enlarge it later, edit the PersistentVolumeClaim.
    #[serde(default = "ten_gibibytes")]
    pub size: Quantity,
    /// Its StorageClass; without one, the default of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<ObjectName>,
}

impl Default for Storage {
    fn default() -> Storage {
        Storage { size: ten_gibibytes(), storage_class_name: None }
    }
}

/// Some dozen mailboxes of a usual quota.
fn ten_gibibytes() -> Quantity {
    Quantity::gibibytes(10)
}

/// The Service that mail clients and other mail servers reach, on the standard ports.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!has(self.loadBalancerClass) || self.type == 'LoadBalancer'")
    .message("loadBalancerClass goes with type: LoadBalancer"))]
#[x_kube(validation = Rule::new("!has(self.nodePorts) || self.type != 'ClusterIP'")
    .message("nodePorts go with type: NodePort or LoadBalancer"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// How it is reached.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Whether connections are handed on between nodes.
    #[serde(default)]
    pub external_traffic_policy: TrafficPolicy,
    /// Annotations of the Service, for whoever provides the load balancer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    pub annotations: BTreeMap<String, String>,
    /// Which implementation provides the load balancer; without it, the default of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<LabelKey>,
    /// The ports on every node; those left out are chosen by the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_ports: Option<NodePorts>,
}

words! {
    /// How a Service is reached.
    ServiceType = LoadBalancer {
        /// At an address of its own, from outside the cluster.
        LoadBalancer,
        /// At the same port of every node.
        NodePort,
        /// From inside the cluster only.
        ClusterIp as "ClusterIP",
    }
}
words_schema!(closed ServiceType);

words! {
    /// Whether connections are handed on between nodes.
    TrafficPolicy = Local {
        /// No: the server sees the addresses of its clients, which its checks and limits are about.
        Local,
        /// Yes: every node takes connections, and the server sees addresses of nodes.
        Cluster,
    }
}
words_schema!(closed TrafficPolicy);

/// Ports on every node, by protocol.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new(NODE_PORTS_DIFFER).message("two protocols have the same node port"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodePorts {
    /// For port 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub smtp: Option<u16>,
    /// For port 587.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub submission: Option<u16>,
    /// For port 465.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub submissions: Option<u16>,
    /// For port 143.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub imap: Option<u16>,
    /// For port 993.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub imaps: Option<u16>,
}

/// Ports that are left out count as different negative numbers.
const NODE_PORTS_DIFFER: &str = "[has(self.smtp) ? self.smtp : -1, has(self.submission) ? self.submission : -2, \
     has(self.submissions) ? self.submissions : -3, has(self.imap) ? self.imap : -4, has(self.imaps) ? self.imaps : -5]\
     .all(p, [has(self.smtp) ? self.smtp : -1, has(self.submission) ? self.submission : -2, \
     has(self.submissions) ? self.submissions : -3, has(self.imap) ? self.imap : -4, has(self.imaps) ? self.imaps : -5]\
     .filter(q, q == p).size() == 1)";

/// Who may talk to the pod, and whom it may talk to.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkPolicy {
    /// Whether NetworkPolicies are made: mail ports from anywhere, management from the operator, and nothing else.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

impl Default for NetworkPolicy {
    fn default() -> NetworkPolicy {
        NetworkPolicy { enabled: enabled() }
    }
}

fn enabled() -> bool {
    true
}
