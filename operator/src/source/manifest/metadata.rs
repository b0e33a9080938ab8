//! `metadata`: who the object is, and labels and annotations as an API server would take them.

use mailwright_crds::{ObjectName, Scalar};
use serde_json::{Map, json};

use super::super::yaml::{Entry, Node, Value};
use super::Finding;
use super::nearest::nearest;

/// Fields that a manifest may set.
const FIELDS: [&str; 4] = ["name", "namespace", "labels", "annotations"];
/// Fields that an API server writes; they come along when a running object is saved to a file.
const SERVER_FIELDS: [&str; 10] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "ownerReferences",
    "finalizers",
    "selfLink",
];
/// An API server's limit on all annotations of an object together.
const MAX_ANNOTATIONS: usize = 256 * 1024;
/// RFC 1123 §2.1: a namespace is one DNS label.
const MAX_NAMESPACE: usize = 63;

/// Metadata whose name and namespace are known.
pub(super) struct Metadata {
    pub namespace: String,
    pub name: String,
    /// What the resource carries on: name, namespace, labels, annotations.
    pub json: serde_json::Value,
}

impl Metadata {
    /// Reads the metadata of a manifest. `None` when it does not say which object this is.
    pub(super) fn read(node: &Node, namespace: &str) -> (Option<Metadata>, Vec<Finding>) {
        let Some(metadata) = node.get("metadata") else {
            let remedy = "write metadata: with a name: below it";
            return (None, vec![Finding::error(&["metadata"], "is missing", remedy)]);
        };
        let Some(entries) = metadata.entries() else {
            let message = format!("must be a mapping and is {}", metadata.kind());
            let remedy = "write a name: below it";
            return (None, vec![Finding::error(&["metadata"], message, remedy)]);
        };
        let mut findings = Vec::new();
        let name = name(metadata, &mut findings);
        let namespace = namespace_of(metadata, namespace, &mut findings);
        for entry in entries {
            // Without a name, generateName is already told.
            if name.is_some() || &*entry.key != "generateName" {
                unknown_field(entry, &mut findings);
            }
        }
        let labels = strings(metadata, "labels", &mut findings);
        check_labels(&labels, &mut findings);
        let annotations = strings(metadata, "annotations", &mut findings);
        check_annotations(&annotations, &mut findings);
        let (Some(name), Some(namespace)) = (name, namespace) else { return (None, findings) };
        let mut json = json!({ "name": name, "namespace": namespace });
        for (key, map) in [("labels", labels), ("annotations", annotations)] {
            if !map.is_empty() {
                json[key] = map.into();
            }
        }
        (Some(Metadata { namespace, name, json }), findings)
    }
}

fn name(metadata: &Node, findings: &mut Vec<Finding>) -> Option<String> {
    const PATH: &[&str] = &["metadata", "name"];
    let remedy = "write name: with lower-case letters, digits and hyphens";
    let Some(node) = metadata.get("name") else {
        let generated = metadata.get("generateName").is_some();
        let message =
            if generated { "is missing; generateName works only with kubectl create" } else { "is missing" };
        findings.push(Finding::error(PATH, message, remedy));
        return None;
    };
    checked(node, PATH, remedy, findings)
}

fn namespace_of(metadata: &Node, usual: &str, findings: &mut Vec<Finding>) -> Option<String> {
    const PATH: &[&str] = &["metadata", "namespace"];
    let Some(node) = metadata.get("namespace") else { return Some(usual.to_owned()) };
    let namespace = checked(node, PATH, "write the name of a namespace, or leave it out", findings)?;
    if namespace.len() > MAX_NAMESPACE || namespace.contains('.') {
        let message = format!("a namespace has at most {MAX_NAMESPACE} characters and no dots");
        findings.push(Finding::error(PATH, message, "use the name of a namespace"));
        return None;
    }
    Some(namespace)
}

/// A string that is the name of an object.
fn checked(node: &Node, path: &[&str], remedy: &str, findings: &mut Vec<Finding>) -> Option<String> {
    let Some(text) = node.as_str() else {
        let remedy = quoting(node).unwrap_or_else(|| remedy.to_owned());
        findings.push(Finding::error(path, format!("must be a string and is {}", node.kind()), remedy));
        return None;
    };
    match ObjectName::parse(text) {
        Ok(name) => Some(name.as_str().to_owned()),
        Err(refusal) => {
            let remedy = refusal.remedy.unwrap_or_else(|| remedy.to_owned());
            findings.push(Finding::error(path, refusal.message, remedy));
            None
        }
    }
}

fn unknown_field(entry: &Entry, findings: &mut Vec<Finding>) {
    let key = &*entry.key;
    if FIELDS.contains(&key) {
        return;
    }
    let path = ["metadata", key];
    findings.push(if SERVER_FIELDS.contains(&key) {
        Finding::warning(&path, "is written by an API server and ignored here", "remove it")
    } else if key == "generateName" {
        Finding::error(&path, "has no meaning in a repository", "write name: instead")
    } else {
        let remedy = match nearest(key, FIELDS) {
            Some(meant) => format!("write {meant}"),
            None => "metadata has name, namespace, labels and annotations".to_owned(),
        };
        Finding::error(&path, "unknown field of metadata", remedy)
    });
}

/// A mapping from strings to strings; values of other types are errors, as they are for an API server.
fn strings(metadata: &Node, field: &str, findings: &mut Vec<Finding>) -> Map<String, serde_json::Value> {
    let mut strings = Map::new();
    let Some(node) = metadata.get(field) else { return strings };
    let Some(entries) = node.entries() else {
        if node.value != Value::Null {
            let message = format!("must be a mapping and is {}", node.kind());
            findings.push(Finding::error(
                &["metadata", field],
                message,
                "write key: \"value\" lines below it",
            ));
        }
        return strings;
    };
    for entry in entries {
        match entry.node.as_str() {
            Some(text) => drop(strings.insert(entry.key.to_string(), text.into())),
            None => {
                let message = format!("must be a string and is {}", entry.node.kind());
                let remedy = quoting(&entry.node).unwrap_or_else(|| "write a string".to_owned());
                findings.push(Finding::error(&["metadata", field, &entry.key], message, remedy));
            }
        }
    }
    strings
}

/// How to write a number or boolean as the string that was meant.
pub(super) fn quoting(node: &Node) -> Option<String> {
    match &node.value {
        Value::Bool(value) => Some(format!("write \"{value}\" in quotes")),
        Value::Number(_, text) => Some(format!("write \"{text}\" in quotes")),
        Value::Null | Value::String(_) | Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

/// Label values are short words; keys are words with an optional domain before a slash.
fn check_labels(labels: &Map<String, serde_json::Value>, findings: &mut Vec<Finding>) {
    for (key, value) in labels {
        let path = ["metadata", "labels", key];
        if !is_qualified(key) {
            findings.push(Finding::error(&path, "is no key of a label", KEY_REMEDY));
        }
        let value = value.as_str().unwrap_or_default();
        if !value.is_empty() && !is_word(value) {
            let remedy =
                "use at most 63 letters, digits, hyphens, underscores and dots; an annotation takes any text";
            findings.push(Finding::error(&path, "is no value of a label", remedy));
        }
    }
}

fn check_annotations(annotations: &Map<String, serde_json::Value>, findings: &mut Vec<Finding>) {
    let mut size = 0;
    for (key, value) in annotations {
        size += key.len() + value.as_str().map_or(0, str::len);
        if !is_qualified(key) {
            findings.push(Finding::error(
                &["metadata", "annotations", key],
                "is no key of an annotation",
                KEY_REMEDY,
            ));
        }
    }
    if size > MAX_ANNOTATIONS {
        let message = format!("{size} bytes of annotations, and an object may have {MAX_ANNOTATIONS}");
        findings.push(Finding::error(&["metadata", "annotations"], message, "shorten them"));
    }
}

const KEY_REMEDY: &str =
    "write name or example.org/name, with at most 63 letters, digits, -, _ and . in the name";

fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((domain, word)) => ObjectName::parse(domain).is_ok() && is_word(word),
        None => is_word(key),
    }
}

fn is_word(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && bytes.iter().all(|b| inside(*b)) && ends(bytes.first()) && ends(bytes.last())
}
