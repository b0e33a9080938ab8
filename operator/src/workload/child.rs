//! One object made for a MailServer, and the digest by which a later pass knows that it wrote it.

use serde_json::{Value, json};

use super::names::APPLIED_ANNOTATION;

/// The kinds of children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChildKind {
    /// Who the pods are.
    ServiceAccount,
    /// What the pods read.
    ConfigMap,
    /// Who may talk with the pods, and with whom they may.
    NetworkPolicy,
    /// How the pods are reached.
    Service,
    /// How many pods may be away at once.
    PodDisruptionBudget,
    /// The pods.
    StatefulSet,
}

impl ChildKind {
    /// All, in the order in which children are written.
    pub const ALL: [ChildKind; 6] = [
        ChildKind::ServiceAccount,
        ChildKind::ConfigMap,
        ChildKind::NetworkPolicy,
        ChildKind::Service,
        ChildKind::PodDisruptionBudget,
        ChildKind::StatefulSet,
    ];

    /// The API group; empty for the core.
    pub fn group(self) -> &'static str {
        match self {
            ChildKind::ServiceAccount | ChildKind::ConfigMap | ChildKind::Service => "",
            ChildKind::NetworkPolicy => "networking.k8s.io",
            ChildKind::PodDisruptionBudget => "policy",
            ChildKind::StatefulSet => "apps",
        }
    }

    /// The version; every kind here has had it for years.
    pub fn version(self) -> &'static str {
        "v1"
    }

    /// `apiVersion` in a manifest.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// `kind` in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            ChildKind::ServiceAccount => "ServiceAccount",
            ChildKind::ConfigMap => "ConfigMap",
            ChildKind::NetworkPolicy => "NetworkPolicy",
            ChildKind::Service => "Service",
            ChildKind::PodDisruptionBudget => "PodDisruptionBudget",
            ChildKind::StatefulSet => "StatefulSet",
        }
    }

    /// The resource in a path.
    pub fn plural(self) -> &'static str {
        match self {
            ChildKind::ServiceAccount => "serviceaccounts",
            ChildKind::ConfigMap => "configmaps",
            ChildKind::NetworkPolicy => "networkpolicies",
            ChildKind::Service => "services",
            ChildKind::PodDisruptionBudget => "poddisruptionbudgets",
            ChildKind::StatefulSet => "statefulsets",
        }
    }

    /// The kind of a live object; `None` when it is no kind of child.
    pub fn of(object: &Value) -> Option<ChildKind> {
        let kind = object.get("kind")?.as_str()?;
        ChildKind::ALL.into_iter().find(|known| known.as_str() == kind)
    }
}

/// One object made for a MailServer, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// Its kind.
    pub kind: ChildKind,
    /// Its name; the namespace is the MailServer's.
    pub name: String,
    /// The object: every field that is ours and no other, in a fixed order.
    pub object: Value,
}

impl Child {
    /// An object of `kind` with `metadata` and further top-level fields.
    pub(super) fn new(kind: ChildKind, name: String, metadata: Value, fields: &[(&str, Value)]) -> Child {
        let mut object =
            json!({"apiVersion": kind.api_version(), "kind": kind.as_str(), "metadata": metadata});
        for (field, value) in fields {
            object[*field] = value.clone();
        }
        Child { kind, name, object }
    }

    /// The same with its digest as an annotation. The digest is of everything else.
    pub(super) fn sealed(mut self) -> Child {
        let digest = digest(&self.object);
        self.object["metadata"]["annotations"][APPLIED_ANNOTATION] = Value::String(digest);
        self
    }

    /// The digest it carries.
    pub fn digest(&self) -> Option<&str> {
        self.object["metadata"]["annotations"][APPLIED_ANNOTATION].as_str()
    }

    /// `StatefulSet mail`, for messages.
    pub fn title(&self) -> String {
        format!("{} {}", self.kind.as_str(), self.name)
    }
}

/// The digest of an object: of its JSON in the order of its fields, which is fixed.
fn digest(object: &Value) -> String {
    blake3::hash(object.to_string().as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(data: &str) -> Child {
        let fields = [("data", json!({"server.json": data}))];
        let metadata = json!({"name": "mail-config", "annotations": {"a": "b"}});
        Child::new(ChildKind::ConfigMap, "mail-config".to_owned(), metadata, &fields).sealed()
    }

    #[test]
    fn the_digest_follows_every_field_and_stands_beside_other_annotations() {
        let one = child("{}");
        assert_eq!(one, child("{}"));
        assert_eq!(one.digest().map(str::len), Some(64));
        assert_ne!(one.digest(), child("{ }").digest());
        assert_eq!(one.object["metadata"]["annotations"]["a"], "b");
        assert_eq!(one.title(), "ConfigMap mail-config");
    }

    #[test]
    fn kinds_are_what_the_api_server_calls_them() {
        let table =
            ChildKind::ALL.map(|kind| format!("{} {} {}", kind.api_version(), kind.as_str(), kind.plural()));
        let expected = [
            "v1 ServiceAccount serviceaccounts",
            "v1 ConfigMap configmaps",
            "networking.k8s.io/v1 NetworkPolicy networkpolicies",
            "v1 Service services",
            "policy/v1 PodDisruptionBudget poddisruptionbudgets",
            "apps/v1 StatefulSet statefulsets",
        ];
        assert_eq!(table, expected);
        for kind in ChildKind::ALL {
            assert_eq!(ChildKind::of(&json!({"kind": kind.as_str()})), Some(kind));
        }
        assert_eq!(ChildKind::of(&json!({"kind": "PersistentVolumeClaim"})), None);
        assert_eq!(ChildKind::of(&json!({})), None);
    }
}
