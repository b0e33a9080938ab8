//! The columns that `kubectl get` prints for a kind, without kubectl: a small JSONPath evaluator and the formatting of cells.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::kind::Kind;

/// The headings: NAME first, AGE last; columns of lower priority only with `wide`.
pub fn header(kind: Kind, wide: bool) -> Vec<String> {
    let _ = (kind, wide);
    todo!()
}

/// The cells of one object, in the order of [`header`]. Dates are ages at `now`.
pub fn row(kind: Kind, object: &Value, wide: bool, now: DateTime<Utc>) -> Vec<String> {
    let _ = (kind, object, wide, now);
    todo!()
}
