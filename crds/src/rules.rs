//! The CEL rules of the schemas, run here as an API server runs them: compiled once per kind, on values with their defaults.

use std::sync::LazyLock;

use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde_json::Value;

use crate::kind::Kind;
use crate::schema::schema;
use crate::violation::{Segment, Violation};

static COMPILED: LazyLock<[CompiledSchema; 4]> =
    LazyLock::new(|| Kind::ALL.map(|kind| compile_schema(schema(kind))));

thread_local! {
    /// Its functions are not shareable between threads; registering them takes longer than a check.
    static VALIDATOR: Validator = Validator::new();
}

/// Runs the rules on a manifest, and the transition rules too when there is an old one. `wrong` is what the schema says is
/// wrong already: a rule that could not be evaluated because of it, or would only repeat it, says nothing.
pub(crate) fn check(
    kind: Kind,
    manifest: &Value,
    old: Option<&Value>,
    wrong: &[Violation],
) -> Vec<Violation> {
    let result =
        VALIDATOR.with(|validator| validator.validate_compiled(&COMPILED[kind as usize], manifest, old));
    let Err(errors) = result else { return Vec::new() };
    let mut found = Vec::new();
    for error in errors {
        let path = segments(&error.field_path);
        let same = wrong.iter().any(|violation| violation.path == path);
        let below = wrong.iter().any(|violation| violation.path.starts_with(&path));
        let failed = error.kind == ErrorKind::ValidationFailure;
        if !same && (failed || !below) {
            let violation = Violation { path, message: error.message, remedy: None };
            if !found.contains(&violation) {
                found.push(violation);
            }
        }
    }
    found.sort_by(|a, b| (&a.path, &a.message).cmp(&(&b.path, &b.message)));
    found
}

/// Reads `spec.targets[3]`. Keys with dots occur in metadata only, where there are no rules.
fn segments(path: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        segments.extend(pieces.next().map(|key| Segment::Key(key.to_owned())));
        let indices = pieces.filter_map(|piece| piece.trim_end_matches(']').parse().ok());
        segments.extend(indices.map(Segment::Index));
    }
    segments
}
