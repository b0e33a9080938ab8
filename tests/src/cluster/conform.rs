//! JSON schemas for kubeconform from an API server's own OpenAPI document, one file for each kind: whoever checks manifests
//! without a cluster gets the answers of this release and of these definitions. Strict: a field that is not in a schema is an
//! error. Leaves out what only CEL and admission say.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where [`write()`] puts a schema, in kubeconform's words.
pub const LOCATION: &str = "{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json";

const REFERENCE: &str = "#/definitions/";

/// The kinds of the documents in a YAML text, as `apiVersion` and `kind` at its margin.
pub fn kinds(text: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for document in format!("\n{text}").split("\n---") {
        let field = |name: &str| document.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if let (Some(version), Some(kind)) = (field("apiVersion:"), field("kind:")) {
            found.insert((version.to_owned(), kind.to_owned()));
        }
    }
    found
}

/// Writes the schemas of `kinds` below `place`. A kind that the document does not have is none to write about.
pub fn write(document: &Value, kinds: &BTreeSet<(String, String)>, place: &Path) {
    let definitions = document["definitions"].as_object().expect("an OpenAPI document has definitions");
    let names = names(definitions);
    for (version, kind) in kinds {
        let Some(name) = names.get(&(version.clone(), kind.clone())) else { continue };
        let mut needed = BTreeMap::new();
        collect(definitions, name, &mut needed);
        let schema = json!({"$ref": format!("{REFERENCE}{name}"), "definitions": needed});
        let (group, version) = version.split_once('/').unwrap_or((version, version));
        let folder = place.join(group);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let file = folder.join(format!("{}_{version}.json", kind.to_lowercase()));
        std::fs::write(file, schema.to_string()).expect("a schema can be written");
    }
}

/// The definitions by `apiVersion` and kind.
fn names(definitions: &Map<String, Value>) -> BTreeMap<(String, String), &String> {
    let mut names = BTreeMap::new();
    for (name, definition) in definitions {
        for gvk in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let [group, version, kind] =
                ["group", "version", "kind"].map(|it| gvk[it].as_str().unwrap_or_default());
            let version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
            names.insert((version, kind.to_owned()), name);
        }
    }
    names
}

/// A definition and all that it refers to.
fn collect(definitions: &Map<String, Value>, name: &str, needed: &mut BTreeMap<String, Value>) {
    if needed.contains_key(name) {
        return;
    }
    let schema = strict(definitions.get(name).unwrap_or(&Value::Null));
    let mut references = Vec::new();
    referred(&schema, &mut references);
    needed.insert(name.to_owned(), schema);
    for reference in references {
        collect(definitions, &reference, needed);
    }
}

fn referred(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            found.extend(reference.and_then(|it| it.strip_prefix(REFERENCE)).map(str::to_owned));
            fields.values().for_each(|value| referred(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, found)),
        _ => {}
    }
}

/// A schema of OpenAPI 2 as a strict one of JSON Schema.
fn strict(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else { return schema.clone() };
    if fields.get("format").is_some_and(|format| format == "int-or-string") {
        return json!({"type": ["string", "integer"]});
    }
    let is_quantity =
        |text: &Value| text.as_str().is_some_and(|text| text.starts_with("Quantity is a fixed-point"));
    if fields.get("description").is_some_and(is_quantity) {
        return json!({"type": ["string", "number"]});
    }
    let mut strict_fields: Map<String, Value> = fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "description" | "format"))
        .map(|(name, value)| {
            let value = match (name.as_str(), value) {
                ("properties", Value::Object(all)) => {
                    all.iter().map(|(name, it)| (name.clone(), strict(it))).collect()
                }
                ("items" | "additionalProperties", value) => strict(value),
                (_, value) => value.clone(),
            };
            (name.clone(), value)
        })
        .collect();
    let is_open = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if fields.contains_key("properties") && !is_open {
        strict_fields.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    Value::Object(strict_fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_gets_a_strict_schema_with_all_that_it_refers_to() {
        let document = json!({"definitions": {
            "a.Deployment": {
                "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Deployment"}],
                "type": "object", "properties": {"spec": {"$ref": "#/definitions/a.Spec"}},
            },
            "a.Spec": {"properties": {"port": {"type": "string", "format": "int-or-string"}, "free": {"type": "object"}}},
            "a.Other": {"properties": {}},
        }});
        let place = tempfile::tempdir().unwrap();
        let text =
            "---\napiVersion: apps/v1\nkind: Deployment\n---\nkind: Pod\napiVersion: v1\nspec:\n  kind: x\n";
        let kinds = kinds(text);
        assert_eq!(kinds.len(), 2);
        write(&document, &kinds, place.path());
        assert!(!place.path().join("v1").exists(), "the document knows no Pod");
        let written = std::fs::read(place.path().join("apps/deployment_v1.json")).unwrap();
        let written: Value = serde_json::from_slice(&written).unwrap();
        let spec = &written["definitions"]["a.Spec"];
        assert_eq!(spec["additionalProperties"], false);
        assert_eq!(spec["properties"]["port"]["type"], json!(["string", "integer"]));
        assert_eq!(spec["properties"]["free"], json!({"type": "object"}));
        assert_eq!(written["definitions"].as_object().unwrap().len(), 2, "{written}");
    }
}
