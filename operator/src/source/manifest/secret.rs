//! A core/v1 Secret: `data` in base64, `stringData` as text. No message ever repeats a value.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailwright_crds::{Scalar, name::SecretKey};
use zeroize::Zeroizing;

use super::super::object::{Content, Secret, SecretValue};
use super::super::yaml::{Entry, Node, Value};
use super::Finding;
use super::nearest::nearest;

const FIELDS: [&str; 7] = ["apiVersion", "kind", "metadata", "type", "data", "stringData", "immutable"];
/// An API server's limit on the values of one Secret together.
const MAX_SECRET: usize = 1024 * 1024;

/// Reads a Secret; `stringData` wins over `data`, as it does for an API server.
pub(super) fn read(node: &Node) -> (Option<Content>, Vec<Finding>) {
    let mut findings = Vec::new();
    for entry in node.entries().unwrap_or_default() {
        unknown_field(entry, &mut findings);
    }
    type_field(node, &mut findings);
    let mut values = BTreeMap::new();
    for (field, decode) in [("data", decode as Decode), ("stringData", plain as Decode)] {
        for entry in mapping(node, field, &mut findings) {
            let path = [field, &*entry.key];
            if let Err(refusal) = SecretKey::parse(&entry.key) {
                findings.push(Finding::error(&path, refusal.message, refusal.remedy.unwrap_or_default()));
            }
            match decode(&entry.node) {
                Ok(value) => drop(values.insert(entry.key.to_string(), SecretValue::new(value))),
                Err((message, remedy)) => findings.push(Finding::error(&path, message, remedy)),
            }
        }
    }
    let size: usize = values.values().map(|value| value.expose().len()).sum();
    if size > MAX_SECRET {
        let message = format!("{size} bytes of values, and a Secret may have {MAX_SECRET}");
        findings.push(Finding::error(&[], message, "split it"));
    }
    (Some(Content::Secret(Secret { values })), findings)
}

type Decode = fn(&Node) -> Result<Vec<u8>, (String, &'static str)>;

fn unknown_field(entry: &Entry, findings: &mut Vec<Finding>) {
    let key = &*entry.key;
    if FIELDS.contains(&key) {
        return;
    }
    let (message, remedy) = match (key, nearest(key, FIELDS)) {
        ("sops", _) => (
            "the Secret was encrypted by SOPS and then put into a List",
            "put it into a file of its own, as sops wrote it".into(),
        ),
        (_, Some(meant)) => ("unknown field of a Secret", format!("write {meant}")),
        _ => ("unknown field of a Secret", "put values below stringData: or data:".to_owned()),
    };
    findings.push(Finding::error(&[key], message, remedy));
}

fn type_field(node: &Node, findings: &mut Vec<Finding>) {
    if let Some(value) = node.get("type").filter(|value| value.as_str().is_none()) {
        let message = format!("must be a string and is {}", value.kind());
        findings.push(Finding::error(&["type"], message, "write type: Opaque, or leave it out"));
    }
    if let Some(value) = node.get("immutable").filter(|value| !matches!(value.value, Value::Bool(_))) {
        let message = format!("must be a boolean and is {}", value.kind());
        findings.push(Finding::error(&["immutable"], message, "write true or false"));
    }
}

fn mapping<'a>(node: &'a Node, field: &str, findings: &mut Vec<Finding>) -> &'a [Entry] {
    match node.get(field) {
        None | Some(Node { value: Value::Null, .. }) => &[],
        Some(value) => value.entries().unwrap_or_else(|| {
            let message = format!("must be a mapping and is {}", value.kind());
            findings.push(Finding::error(&[field], message, "write key: value lines below it"));
            &[]
        }),
    }
}

/// A value of `data`. Line breaks within base64 are allowed, as they are for an API server.
fn decode(node: &Node) -> Result<Vec<u8>, (String, &'static str)> {
    let remedy = "write the value in base64, or as text below stringData:";
    match &node.value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => {
            let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
            base64.extend(text.chars().filter(|c| !matches!(c, '\r' | '\n')));
            STANDARD.decode(base64.as_bytes()).map_err(|_| ("is not base64".to_owned(), remedy))
        }
        _ => Err((format!("must be base64 and is {}", node.kind()), remedy)),
    }
}

fn plain(node: &Node) -> Result<Vec<u8>, (String, &'static str)> {
    match &node.value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        _ => Err((format!("must be a string and is {}", node.kind()), "put the value in quotes")),
    }
}
