//! One declared object: what it is, where it was declared, and what it says.
//!
//! Secret values live here in a newtype that never shows them; comparing objects with each other is the planner's.

use std::collections::BTreeMap;
use std::fmt;

pub use mailwright_crds::Resource;
use mailwright_crds::namespaces::Labels;
use mailwright_crds::{Kind, Policy, Text};
use mailwright_plan::Lines;
pub use mailwright_plan::Origin;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// What stands in for a secret value wherever it would be shown.
const REDACTED: &str = "[redacted]";

/// The kinds that a source reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A kind of mailwright.dev.
    Resource(Kind),
    /// The core/v1 Secret.
    Secret,
    /// The core/v1 Namespace: read for its labels.
    Namespace,
    /// A policy as a document beside the manifests.
    Policy,
    /// Tests of policies.
    PolicyTest,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectKind::Resource(kind) => kind.fmt(f),
            ObjectKind::Secret => f.write_str("Secret"),
            ObjectKind::Namespace => f.write_str("Namespace"),
            ObjectKind::Policy => f.write_str("MailPolicy"),
            ObjectKind::PolicyTest => f.write_str("MailPolicyTest"),
        }
    }
}

impl Serialize for ObjectKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Kind, namespace and name: what makes an object itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectRef {
    /// The kind.
    pub kind: ObjectKind,
    /// The namespace, `default` when the manifest names none; empty for a Namespace, which is in none.
    pub namespace: Text,
    /// The name.
    pub name: Text,
}

impl ObjectRef {
    /// The reference to a resource; `None` for a Secret or a Namespace.
    pub fn resource(&self) -> Option<mailwright_crds::ObjectRef> {
        let ObjectKind::Resource(kind) = self.kind else { return None };
        Some(mailwright_crds::ObjectRef { kind, namespace: self.namespace.clone(), name: self.name.clone() })
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ObjectKind::Namespace => write!(f, "{} {}", self.kind, self.name),
            _ => write!(f, "{} {}/{}", self.kind, self.namespace, self.name),
        }
    }
}

/// One object that passed every check of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// What it is.
    pub reference: ObjectRef,
    /// Where it was declared.
    pub origin: Origin,
    /// Lines of the fields of its spec, by path (`spec.targets[2]`).
    pub lines: Lines,
    /// What it says.
    pub content: Content,
}

/// What an object says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// One of Mailwright's resources, with the schema's defaults and the namespace filled in.
    Resource(Box<Resource>),
    /// A core/v1 Secret.
    Secret(Secret),
    /// The labels of a namespace.
    Namespace(Labels),
    /// A policy.
    Policy(Box<Policy>),
    /// The spec of tests of policies, as `mailwright policy test` reads it.
    PolicyTest(Box<serde_json::Value>),
}

/// A core/v1 Secret: `data` decoded, `stringData` merged over it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secret {
    /// The values by key.
    pub values: BTreeMap<String, SecretValue>,
}

/// The bytes of a secret. `Debug`, `Display` and `Serialize` never show them, and their memory is cleared when they go.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes the bytes in.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The one way to the bytes; a search for this name finds every use.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for SecretValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_value_never_shows_itself() {
        let value = SecretValue::new("hunter2");
        let secret = Secret { values: BTreeMap::from([("password".to_owned(), value.clone())]) };
        let shown = [
            format!("{value:?}"),
            format!("{value:#?}"),
            value.to_string(),
            serde_json::to_string(&value).unwrap(),
            format!("{secret:?}"),
            format!("{:?}", Content::Secret(secret.clone())),
        ];
        for text in shown {
            assert!(!text.contains("hunter2") && !text.contains("104, 117"), "{text}");
            assert!(text.contains(REDACTED), "{text}");
        }
        assert_eq!(value.expose(), b"hunter2");
    }
}
