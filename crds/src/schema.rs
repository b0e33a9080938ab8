//! The structural schema of each kind, and the walk that checks a manifest against it: what an API server would refuse, said
//! for people. CEL rules are not checked here.

mod crd;
mod defaults;
mod metadata;
mod scalars;
mod walk;
mod words;

use serde_json::Value;

pub use crd::{crd, crd_yaml, schema};
#[cfg(test)]
pub(crate) use scalars::matches;
pub(crate) use scalars::{SCALARS, ScalarInfo};

use crate::kind::Kind;
use crate::violation::Violation;

/// The most messages for one manifest: what a person reads before correcting the first ones.
pub const MAX_VIOLATIONS: usize = 100;

/// Everything that is wrong with a manifest by its schema, all at once: unknown and missing fields, types, enumerations,
/// ranges, patterns, lengths, duplicates in sets; the envelope (`apiVersion`, `kind`, `metadata`) included.
pub fn check(kind: Kind, manifest: &Value) -> Vec<Violation> {
    let mut walk = walk::Walk::default();
    match manifest.as_object() {
        Some(object) => {
            metadata::check(kind, object, &mut walk);
            walk.field("spec", object.get("spec"), &schema(kind)["properties"]["spec"], true);
        }
        None => walk.report(
            "a manifest is a mapping",
            Some("start with apiVersion, kind, metadata and spec".to_owned()),
        ),
    }
    walk.finish()
}

/// Fills in the defaults of the spec, and drops fields that are `null`, as an API server does.
pub fn apply_defaults(kind: Kind, manifest: &mut Value) {
    if let Some(spec) = manifest.get_mut("spec") {
        defaults::apply(&schema(kind)["properties"]["spec"], spec);
    }
}

#[cfg(test)]
mod tests;
