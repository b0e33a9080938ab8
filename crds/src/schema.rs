//! The structural schema of each kind, and the walk that checks a manifest against it: what an API server would refuse, said
//! for people. CEL rules are not checked here.

mod crd;
mod defaults;
mod metadata;
mod scalars;
mod walk;
mod words;

use std::sync::OnceLock;

use serde_json::Value;

pub use crd::{crd, crd_yaml, schema};
pub(crate) use scalars::matches;
pub(crate) use scalars::{SCALARS, ScalarInfo};

use crate::kind::Kind;
use crate::name::ObjectName;
use crate::policy::Policy;
use crate::violation::{Segment, Violation};

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

/// Reads the `spec` of a MailPolicy document, whose name is that of the document: the same fields as an entry of
/// `spec.policies`.
pub fn check_policy(name: &ObjectName, spec: Option<&Value>) -> Result<Policy, Vec<Violation>> {
    let schema = policy_schema();
    let mut walk = walk::Walk::default();
    walk.field("spec", spec, schema, true);
    let mut wrong = walk.finish();
    let mut spec = spec.cloned().unwrap_or_default();
    defaults::apply(schema, &mut spec);
    let both = spec.get("message").is_some() && spec.get("messageExpression").is_some();
    let refuse = |message: String| {
        let path = vec![Segment::Key("spec".to_owned())];
        Violation { path, message, remedy: None }
    };
    if both {
        wrong.push(refuse("a policy has either a message or a messageExpression".to_owned()));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    spec["name"] = Value::from(name.as_str());
    // The schema accepts nothing that the type refuses; should it, the message is serde's.
    serde_json::from_value(spec).map_err(|error| vec![refuse(error.to_string())])
}

/// The schema of a policy but for its name.
fn policy_schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let spec = &schema(Kind::MailServer)["properties"]["spec"];
        let mut policy = spec["properties"]["policies"]["items"].clone();
        if let Some(properties) = policy["properties"].as_object_mut() {
            properties.shift_remove("name");
        }
        if let Some(required) = policy["required"].as_array_mut() {
            required.retain(|field| field != "name");
        }
        policy
    })
}

#[cfg(test)]
mod tests;
