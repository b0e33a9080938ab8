//! The one entry for manifests: schema → defaults → CEL rules → types.

use serde_json::Value;

use crate::kind::{Kind, Resource};
use crate::mail_repository::MailRepository;
use crate::violation::{Segment, Violation};
use crate::{rules, schema};

/// Checks a manifest and gives the resource with its defaults, or everything that is wrong with it, in the order of the
/// schema and then of the rules.
pub fn check_manifest(kind: Kind, manifest: &Value) -> Result<Resource, Vec<Violation>> {
    let object = check_object(kind, manifest)?;
    // The schema accepts nothing that the types refuse (a property test holds that); should it, the message is serde's.
    Resource::from_value(kind, object).map_err(|error| misfit(kind, &error))
}

/// The same for a MailRepository, which is no resource that is planned.
pub fn check_repository(manifest: &Value) -> Result<MailRepository, Vec<Violation>> {
    let object = check_object(Kind::MailRepository, manifest)?;
    serde_json::from_value(object).map_err(|error| misfit(Kind::MailRepository, &error))
}

/// Checks a manifest of any kind and gives it with its defaults, or everything that is wrong with it.
pub fn check_object(kind: Kind, manifest: &Value) -> Result<Value, Vec<Violation>> {
    let mut wrong = schema::check(kind, manifest);
    let mut object = manifest.clone();
    schema::apply_defaults(kind, &mut object);
    wrong.extend(rules::check(kind, &object, None, &wrong));
    if wrong.is_empty() { Ok(object) } else { Err(wrong) }
}

fn misfit(kind: Kind, error: &serde_json::Error) -> Vec<Violation> {
    vec![violation(format!("does not fit the type {kind}: {error}"))]
}

/// Checks what may not change between two versions of an object: the transition rules of its schema.
pub fn check_update(old: &Resource, new: &Resource) -> Result<(), Vec<Violation>> {
    if old.kind() != new.kind() {
        return Err(vec![violation(format!("this is a {}, it cannot become a {}", old.kind(), new.kind()))]);
    }
    let value = |resource: &Resource| resource.to_value().map_err(|error| vec![violation(error.to_string())]);
    let wrong = rules::check(new.kind(), &value(new)?, Some(&value(old)?), &[]);
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn violation(message: String) -> Violation {
    Violation { path: vec![Segment::Key("spec".to_owned())], message, remedy: None }
}

#[cfg(test)]
mod tests;
