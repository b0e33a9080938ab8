//! ConfigMap: `server.json`, which the pod reads at its start and again whenever the kubelet renews the file.

use std::collections::BTreeMap;

use mailwright_plan::observed::ServerDeclared;
use serde_json::json;

use super::names;
use super::{Child, ChildKind, WorkloadInput};

/// The file that the pod reads.
pub const FILE: &str = "server.json";

/// The form of the file, raised when an older server could not read it.
pub const VERSION: u32 = 1;

/// The content of the file.
pub fn server_json(declared: &ServerDeclared) -> String {
    format!("{:#}\n", json!({"version": VERSION, "server": declared}))
}

/// The name that a pod has for the content of its file once it is loaded: BLAKE3 in hexadecimal, as in its health.
pub fn digest(declared: &ServerDeclared) -> String {
    blake3::hash(server_json(declared).as_bytes()).to_hex().to_string()
}

/// The ConfigMap of the pod.
pub(super) fn config_map(input: &WorkloadInput<'_>) -> Child {
    let name = names::config_map(input.name);
    let metadata = names::metadata(input, &name, &BTreeMap::new());
    Child::new(ChildKind::ConfigMap, name, metadata, &[("data", json!({FILE: server_json(input.declared)}))])
}
