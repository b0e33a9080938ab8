//! A MailPolicy document: a policy that lives beside the manifests it judges and is never sent to an API server. Its spec is an
//! entry of `spec.policies`, named by the document. Whether its expression compiles is the planner's to say, at its line.

use mailwright_crds::{ObjectName, Scalar, check_policy};
use serde_json::Value as Json;

use super::super::object::Content;
use super::super::yaml::Node;
use super::{Finding, resource};

const FIELDS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];

/// Reads a policy; `metadata` was checked already.
pub(super) fn read(node: &Node, metadata: &Json) -> (Option<Content>, Vec<Finding>) {
    let mut findings = Vec::new();
    for entry in node.entries().unwrap_or_default() {
        if !FIELDS.contains(&&*entry.key) {
            let remedy = "a MailPolicy has metadata and spec";
            findings.push(Finding::error(&[&entry.key], "unknown field", remedy));
        }
    }
    let manifest = node.to_json();
    let name = ObjectName::parse(metadata.get("name").and_then(Json::as_str).unwrap_or_default());
    // A name that is none is told with the metadata.
    let Ok(name) = name else { return (None, findings) };
    match check_policy(&name, manifest.get("spec")) {
        Ok(policy) => (Some(Content::Policy(Box::new(policy))), findings),
        Err(wrong) => {
            findings.extend(wrong.into_iter().map(|violation| resource::finding(node, violation)));
            (None, findings)
        }
    }
}
