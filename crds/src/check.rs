//! The one entry for manifests: schema, defaults, types, CEL rules.

use serde_json::Value;

use crate::kind::{Kind, Resource};
use crate::violation::Violation;

/// Checks a manifest and gives the resource with its defaults, or everything that is wrong with it.
pub fn check_manifest(kind: Kind, manifest: &Value) -> Result<Resource, Vec<Violation>> {
    let _ = (kind, manifest);
    todo!()
}

/// Checks what may not change between two versions of an object.
pub fn check_update(old: &Resource, new: &Resource) -> Result<(), Vec<Violation>> {
    let _ = (old, new);
    todo!()
}
