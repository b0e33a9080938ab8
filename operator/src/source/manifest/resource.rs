//! A resource of mailwright.dev: its tree without places goes to the schema and CEL rules; what they find gets its
//! place back, and the remedies that need to know how the text was written.

use mailwright_crds::{Kind, Segment, Violation, check_manifest};
use serde_json::Value as Json;

use super::super::object::Content;
use super::super::yaml::{Node, Step};
use super::metadata::quoting;
use super::{Finding, Severity};

/// Violations told of one object: a list of a million wrong addresses is one mistake, not a million.
const MAX_VIOLATIONS: usize = 100;

/// Checks a manifest; `metadata` replaces what the manifest says, checked and with the namespace filled in.
pub(super) fn read(kind: Kind, node: &Node, metadata: Json) -> (Option<Content>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut manifest = node.to_json();
    if let Some(fields) = manifest.as_object_mut() {
        fields.insert("metadata".to_owned(), metadata);
        if fields.shift_remove("status").is_some() {
            let message = "is written by Mailwright and ignored here";
            findings.push(Finding::warning(&["status"], message, "remove it"));
        }
    }
    match check_manifest(kind, &manifest) {
        Ok(resource) => (Some(Content::Resource(Box::new(resource))), findings),
        Err(violations) => {
            let told = violations.into_iter().take(MAX_VIOLATIONS);
            findings.extend(told.map(|violation| finding(node, violation)));
            (None, findings)
        }
    }
}

pub(super) fn finding(root: &Node, violation: Violation) -> Finding {
    let path: Vec<Step> = violation.path.into_iter().map(step).collect();
    let (node, _, reached) = root.locate(&path);
    let remedy = match violation.remedy {
        Some(remedy) if remedy.contains("in quotes") && reached == path.len() => {
            quoting(node).or(Some(remedy))
        }
        remedy => remedy,
    };
    Finding { path, severity: Severity::Error, message: violation.message, remedy }
}

fn step(segment: Segment) -> Step {
    match segment {
        Segment::Key(key) => Step::Key(key.into()),
        Segment::Index(index) => Step::Index(index),
    }
}
