//! The pod of a MailServer: what it may use and where it runs. What makes it safe (its user, its read-only root, its
//! probes) is not for a manifest to change.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SecretName;
use crate::label::{LabelKey, LabelValue};
use crate::name::ObjectName;
use crate::pod::{Amount, ImageName};
use crate::words::{words, words_schema};

/// The pod of a MailServer.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Template {
    /// What it is promised and what it may take.
    #[serde(default)]
    pub resources: Resources,
    /// The labels of the nodes that it may run on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    pub node_selector: BTreeMap<String, LabelValue>,
    /// The taints that it bears.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub tolerations: Vec<Toleration>,
    /// Where it would rather run, or must not: the affinity of a pod, as Kubernetes has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_mapping")]
    pub affinity: Option<BTreeMap<String, Value>>,
    /// How the pods of all MailServers of the namespace are spread over the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub topology_spread_constraints: Vec<TopologySpread>,
    /// Its priority class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<ObjectName>,
    /// Further labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    #[x_kube(validation = Rule::new(
            "self.all(key, !key.startsWith('app.kubernetes.io/') && !key.startsWith('mailwright.dev/'))")
        .message("labels of app.kubernetes.io and mailwright.dev are set by Mailwright"))]
    pub labels: BTreeMap<String, LabelValue>,
    /// Further annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('mailwright.dev/'))")
        .message("annotations of mailwright.dev are set by Mailwright"))]
    pub annotations: BTreeMap<String, String>,
    /// The image; without it, that of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageName>,
    /// When the image is pulled; without it, the usual rule of Kubernetes for its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// Secrets of the same namespace that open the registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub image_pull_secrets: Vec<SecretName>,
    /// How long it may take to say goodbye: sessions end, and mail in hand is stored.
    #[serde(default = "one_minute")]
    #[schemars(range(min = 10, max = 3600))]
    pub termination_grace_period_seconds: i32,
}

impl Default for Template {
    fn default() -> Template {
        Template {
            resources: Resources::default(),
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            affinity: None,
            topology_spread_constraints: Vec::new(),
            priority_class_name: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            image: None,
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            termination_grace_period_seconds: one_minute(),
        }
    }
}

/// Affinity is a language of its own; an API server checks it where it is used.
fn any_mapping(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Longer than any session that is asked to end.
fn one_minute() -> i32 {
    60
}

/// What the pod is promised and what it may take.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// What it is promised.
    #[serde(default)]
    pub requests: Amounts,
    /// What it may take at most.
    #[serde(default)]
    pub limits: Amounts,
}

/// What an idle server with a few users needs; without a limit, a large mailbox is never the end of the pod.
impl Default for Resources {
    fn default() -> Resources {
        let requests = Amounts {
            cpu: Some(Amount::of("100m")),
            memory: Some(Amount::of("128Mi")),
            ephemeral_storage: None,
        };
        Resources { requests, limits: Amounts::default() }
    }
}

/// Amounts of resources.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amounts {
    /// CPU time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Amount::schema")]
    pub cpu: Option<Amount>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Amount::schema")]
    pub memory: Option<Amount>,
    /// Room for messages on their way in.
    #[serde(default, rename = "ephemeral-storage", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Amount::schema")]
    pub ephemeral_storage: Option<Amount>,
}

/// A taint that the pod bears.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("self.operator == 'Exists' ? !has(self.value) : has(self.key)")
    .message("Exists takes no value, and Equal needs a key"))]
#[x_kube(validation = Rule::new("!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')")
    .message("tolerationSeconds goes with effect: NoExecute"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// The key of the taint; without it, with operator: Exists, every taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<LabelKey>,
    /// How its value is compared.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// The value of the taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<LabelValue>,
    /// What the taint does; without it, anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// How long the pod stays on a node that gets the taint; without it, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub toleration_seconds: Option<i32>,
}

words! {
    /// How the value of a taint is compared.
    TolerationOperator = Equal {
        /// It is this one.
        Equal,
        /// It may be any.
        Exists,
    }
}
words_schema!(closed TolerationOperator);

words! {
    /// What a taint does.
    TaintEffect {
        /// It keeps pods away.
        NoSchedule,
        /// It keeps pods away where there is another node.
        PreferNoSchedule,
        /// It drives pods away.
        NoExecute,
    }
}
words_schema!(closed TaintEffect);

words! {
    /// When an image is pulled.
    ImagePullPolicy {
        /// Every time a pod starts.
        Always,
        /// When the node does not have it.
        IfNotPresent,
        /// Never: the node must have it.
        Never,
    }
}
words_schema!(closed ImagePullPolicy);

/// How pods are spread over the parts of a cluster.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopologySpread {
    /// The label of nodes that says which part they belong to, like topology.kubernetes.io/zone.
    pub topology_key: LabelKey,
    /// How many more pods one part may have than another.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub max_skew: i32,
    /// What happens to a pod that cannot be placed so.
    #[serde(default)]
    pub when_unsatisfiable: WhenUnsatisfiable,
}

words! {
    /// What happens to a pod that cannot be placed as it should be.
    WhenUnsatisfiable = ScheduleAnyway {
        /// It runs where it can.
        ScheduleAnyway,
        /// It waits.
        DoNotSchedule,
    }
}
words_schema!(closed WhenUnsatisfiable);

fn one() -> i32 {
    1
}
