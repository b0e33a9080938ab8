//! The structural schema of each kind, and the walk that checks a manifest against it.

use serde_json::Value;

use crate::kind::Kind;
use crate::violation::Violation;

/// Everything that is wrong with a manifest by its schema, all at once: unknown and missing fields, types, enumerations,
/// ranges, patterns, lengths, duplicates in sets.
pub fn check(kind: Kind, manifest: &Value) -> Vec<Violation> {
    let _ = (kind, manifest);
    todo!()
}

/// Fills in the defaults of the schema, as an API server does.
pub fn apply_defaults(kind: Kind, manifest: &mut Value) {
    let _ = (kind, manifest);
    todo!()
}
