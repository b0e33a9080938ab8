//! ServiceAccount: a name for the pods, with no rights and no token.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names;
use super::{Child, ChildKind, WorkloadInput};

/// The ServiceAccount of the pods.
pub(super) fn service_account(input: &WorkloadInput<'_>) -> Child {
    let metadata = names::metadata(input, input.name, &BTreeMap::new());
    let fields = [("automountServiceAccountToken", Value::Bool(false))];
    Child::new(ChildKind::ServiceAccount, input.name.to_owned(), metadata, &fields)
}
