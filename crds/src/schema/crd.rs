//! The CustomResourceDefinition of each kind: what kube-derive makes of the types, tidied so that an API server takes it
//! without a warning and treats `null` as absent.

use std::sync::OnceLock;

use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::alias::Alias;
use crate::kind::{Kind, PACKAGE_VERSION, VERSION_ANNOTATION};
use crate::mail_domain::MailDomain;
use crate::mail_repository::MailRepository;
use crate::mail_server::MailServer;
use crate::mailbox::Mailbox;
use crate::words::{Meaning, enumerations};

/// The definition as JSON, made once.
pub fn crd(kind: Kind) -> &'static Value {
    static ALL: [OnceLock<Value>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
    ALL[kind as usize].get_or_init(|| tidy(derived(kind)))
}

/// The structural schema of the only version.
pub fn schema(kind: Kind) -> &'static Value {
    &crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// The definition as it stands in crds/manifests.
pub fn crd_yaml(kind: Kind) -> String {
    serde_yaml::to_string(crd(kind)).unwrap_or_default()
}

fn derived(kind: Kind) -> Value {
    let definition = match kind {
        Kind::MailServer => MailServer::crd(),
        Kind::MailDomain => MailDomain::crd(),
        Kind::Mailbox => Mailbox::crd(),
        Kind::Alias => Alias::crd(),
        Kind::MailRepository => MailRepository::crd(),
    };
    // Serialising plain data cannot fail; the tests compare the whole of it with the tree.
    serde_json::to_value(definition).unwrap_or_default()
}

fn tidy(mut crd: Value) -> Value {
    // Which version's types this is, for an operator to compare with its own and for people to read.
    crd["metadata"]["annotations"] = json!({VERSION_ANNOTATION: PACKAGE_VERSION});
    let root = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    tidy_schema(root);
    // An object without a status is one that nothing has observed, at any generation.
    if let Some(status) = root.pointer_mut("/properties/status").and_then(Value::as_object_mut) {
        status.insert("default".to_owned(), json!({"observedGeneration": -1}));
    }
    sorted(crd)
}

/// Every mapping in the order of its keys, whatever order the derives and features produce.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(String, Value)> =
                object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Walks a schema: `nullable` goes (an API server drops a `null` where the field is not nullable, and so do we), integer
/// formats become ones that Kubernetes knows, whole numbers lose their decimal point.
fn tidy_schema(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    schema.remove("nullable");
    schema.remove("title");
    // Kubernetes forbids it; an object without properties is pruned to {} anyway.
    if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        schema.remove("additionalProperties");
    }
    if schema.get("type").is_some_and(|kind| kind == "integer") {
        let wide = schema.get("format").is_some_and(|format| format == "int64");
        schema.insert("format".to_owned(), json!(if wide { "int64" } else { "int32" }));
    }
    for bound in ["minimum", "maximum"] {
        if let Some(number) = schema.get(bound).and_then(Value::as_f64) {
            schema.insert(bound.to_owned(), json!(number as i64));
        }
    }
    describe_words(schema);
    for_each_subschema(schema, tidy_schema);
}

/// Adds to a description what each word of the enumeration means.
fn describe_words(schema: &mut Map<String, Value>) {
    let Some(words) = schema.get("enum").and_then(Value::as_array).cloned() else { return };
    let same = |meanings: &Vec<Meaning>| {
        meanings.iter().map(|(word, _)| *word).eq(words.iter().filter_map(Value::as_str))
    };
    let Some(meanings) = enumerations().into_iter().find(same) else { return };
    let meanings: Vec<String> = meanings.iter().map(|(word, meaning)| format!("{word}: {meaning}")).collect();
    let before = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{before} {}", meanings.join(" "));
    schema.insert("description".to_owned(), json!(description.trim_ascii()));
}

fn for_each_subschema(schema: &mut Map<String, Value>, f: fn(&mut Value)) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(f);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(inner) {
            f(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mut schema: Value, expected: Value) {
        tidy_schema(&mut schema);
        assert_eq!(schema, expected);
    }

    #[test]
    fn schemas_are_tidied_at_every_depth() {
        check(json!({"type": "string", "nullable": true, "title": "X"}), json!({"type": "string"}));
        check(
            json!({"type": "integer", "format": "uint16", "minimum": 1.0, "maximum": 65535.0}),
            json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535}),
        );
        check(json!({"type": "integer", "format": "int64"}), json!({"type": "integer", "format": "int64"}));
        check(json!({"type": "object", "additionalProperties": false}), json!({"type": "object"}));
        check(
            json!({"type": "object", "additionalProperties": {"type": "string", "nullable": true}}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
        );
        check(
            json!({"type": "array", "items": {"type": "object", "properties": {"title": {"type": "string", "title": "T"}}}}),
            json!({"type": "array", "items": {"type": "object", "properties": {"title": {"type": "string"}}}}),
        );
    }

    #[test]
    fn words_are_described_where_they_are_known() {
        check(
            json!({"type": "string", "enum": ["Initial", "Enforced"], "description": "Whose password counts."}),
            json!({"type": "string", "enum": ["Initial", "Enforced"], "description": "Whose password counts. Initial: The \
                declared password is the first one; once the owner changed it, theirs stays. Enforced: The declared password \
                always counts."}),
        );
        check(json!({"type": "string", "enum": ["A", "B"]}), json!({"type": "string", "enum": ["A", "B"]}));
    }

    #[test]
    fn mappings_are_sorted_and_lists_are_not() {
        let value = sorted(json!({"b": [{"z": 1, "a": 2}, "y", "x"], "a": {"d": 1, "c": 2}}));
        assert_eq!(value.to_string(), r#"{"a":{"c":2,"d":1},"b":[{"a":2,"z":1},"y","x"]}"#);
    }
}
