//! A plan as JSON: its serde form with a summary, and without anything that is derived from a secret.

use serde_json::{Value, json as value};

use super::counts;
use crate::operation::{Operation, Plan};

/// The plan as indented JSON.
pub fn json(plan: &Plan) -> String {
    let counted: serde_json::Map<String, Value> =
        counts(plan).into_iter().map(|(name, count)| (name.to_owned(), value!(count))).collect();
    let document = value!({
        "source": plan.source_id,
        "digest": plan.digest,
        "approval": plan.approval,
        "summary": {
            "operations": counted,
            "held": plan.held().count(),
            "drift": plan.drift().count(),
            "errors": plan.errors().count(),
            "warnings": plan.problems.len() - plan.errors().count(),
        },
        "operations": plan.operations.iter().map(redacted).collect::<Vec<_>>(),
        "kept": plan.kept,
        "problems": plan.problems,
    });
    format!("{document:#}")
}

/// Even a keyed fingerprint says that two people have the same password.
fn redacted(operation: &Operation) -> Value {
    let mut operation = value!(operation);
    if let Some(fingerprint) = operation.pointer_mut("/change/credential/fingerprint") {
        *fingerprint = value!("[redacted]");
    }
    operation
}
