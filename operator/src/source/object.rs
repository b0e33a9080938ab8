//! One declared object: what it is, where it was declared, and what it says.
//!
//! Secret values live here in a newtype that never shows them; comparing objects with each other is the planner's.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// A checked resource; its type moves to `mailwright_crds::Resource`.
pub type Resource = serde_json::Value;

/// What stands in for a secret value wherever it would be shown.
const REDACTED: &str = "[redacted]";

/// Kind, namespace and name: what makes an object itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectRef {
    /// `MailServer`, `MailDomain`, `Mailbox`, `Alias` or `Secret`.
    pub kind: String,
    /// The namespace, `default` when the manifest names none.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The place of a declaration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Origin {
    /// Path below the source's root, with `/`.
    pub file: String,
    /// Line of the object's first key, from 1.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One object that passed every check of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// What it is.
    pub reference: ObjectRef,
    /// Where it was declared.
    pub origin: Origin,
    /// What it says.
    pub content: Content,
}

/// What an object says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// One of Mailwright's resources, with the schema's defaults filled in.
    Resource(Box<Resource>),
    /// A core/v1 Secret.
    Secret(Secret),
}

/// A core/v1 Secret: `data` decoded, `stringData` merged over it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secret {
    /// The values by key.
    pub values: BTreeMap<String, SecretValue>,
}

/// The bytes of a secret. `Debug`, `Display` and `Serialize` never show them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecretValue(Vec<u8>);

impl SecretValue {
    /// Takes the bytes in.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The one way to the bytes; a search for this name finds every use.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// A keyed digest that tells whether a value changed and nothing else.
    ///
    /// The key belongs to the installation: a plain hash of a weak password could be guessed from the database.
    pub fn fingerprint(&self, key: &[u8; 32]) -> String {
        blake3::keyed_hash(key, &self.0).to_hex()[..32].to_owned()
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
