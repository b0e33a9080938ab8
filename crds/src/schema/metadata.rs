//! The envelope of a manifest: `apiVersion`, `kind`, `metadata`. What only an API server writes (uid, managedFields, …) is
//! let through unread, so that `kubectl get -o yaml` can be piped in; `status` is not, because nothing would come of it.

use serde_json::{Map, Value, json};
use std::sync::LazyLock;

use super::scalars::matches;
use super::walk::Walk;
use super::words::nearest;
use crate::kind::{API_VERSION, Kind};
use crate::name::ObjectName;
use crate::scalar::{Scalar, quote};

/// RFC 1123 §2.1 label: the name of a namespace.
const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// The key of a label or an annotation: an optional DNS subdomain, a slash, a name.
const QUALIFIED: &str =
    "^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
/// The value of a label.
const LABEL: &str = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";
/// The most octets of all annotations together, as in Kubernetes.
const MAX_ANNOTATIONS: usize = 256 * 1024;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let any = json!({});
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "pattern": ObjectName::PATTERN, "maxLength": ObjectName::MAX_LENGTH, "minLength": 1},
            "namespace": {"type": "string"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            "generation": {"type": "integer", "format": "int64"},
            "creationTimestamp": any, "deletionGracePeriodSeconds": any, "deletionTimestamp": any, "finalizers": any,
            "managedFields": any, "ownerReferences": any, "resourceVersion": any, "selfLink": any, "uid": any,
        },
    })
});

/// Checks everything of a manifest but its spec.
pub(super) fn check(kind: Kind, manifest: &Map<String, Value>, walk: &mut Walk) {
    expect(walk, "apiVersion", manifest.get("apiVersion"), API_VERSION);
    expect(walk, "kind", manifest.get("kind"), kind.as_str());
    let metadata = manifest.get("metadata").filter(|value| !value.is_null());
    walk.field("metadata", Some(metadata.unwrap_or(&json!({}))), &SCHEMA, true);
    if let Some(metadata) = metadata.and_then(Value::as_object) {
        walk.within("metadata", |walk| texts(metadata, walk));
    }
    if manifest.get("status").is_some_and(|status| !status.is_null()) {
        walk.within("status", |walk| {
            walk.report("the status is written by Mailwright, not declared", Some("remove it".to_owned()));
        });
    }
    for key in manifest.keys().filter(|key| !ROOT.contains(&key.as_str())) {
        let spec = super::schema(kind).pointer("/properties/spec/properties").and_then(Value::as_object);
        let remedy = match spec.is_some_and(|fields| fields.contains_key(key)) {
            true => format!("{key} belongs into spec"),
            false => match nearest(key, ROOT.into_iter()) {
                Some(name) => format!("did you mean {name}?"),
                None => "a manifest has apiVersion, kind, metadata and spec".to_owned(),
            },
        };
        walk.within(key, |walk| walk.report("unknown field", Some(remedy)));
    }
}

const ROOT: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

fn expect(walk: &mut Walk, key: &str, value: Option<&Value>, expected: &str) {
    walk.within(key, |walk| match value.filter(|value| !value.is_null()) {
        None => walk.report("is missing", Some(format!("add {key}: {expected}"))),
        Some(value) if value == expected => {}
        Some(Value::String(text)) => {
            walk.report(format!("{} is not known", quote(text)), Some(format!("write {expected}")))
        }
        Some(_) => walk.report("must be a text", Some(format!("write {expected}"))),
    });
}

/// What the schema of the metadata cannot say: grammar of the namespace, of labels, and the size of annotations.
fn texts(metadata: &Map<String, Value>, walk: &mut Walk) {
    if let Some(text) = metadata.get("namespace").and_then(Value::as_str)
        && (text.len() > 63 || !matches(NAMESPACE, text))
    {
        walk.within("namespace", |walk| {
            walk.report(
                format!("{} is not the name of a namespace", quote(text)),
                Some(
                    "use at most 63 lower-case letters, digits and hyphens, a letter or digit at both ends"
                        .to_owned(),
                ),
            );
        });
    }
    for field in ["labels", "annotations"] {
        let Some(entries) = metadata.get(field).and_then(Value::as_object) else { continue };
        walk.within(field, |walk| {
            entries.iter().for_each(|(key, value)| entry(walk, field, key, value));
            let size = |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
            if entries.iter().map(size).sum::<usize>() > MAX_ANNOTATIONS {
                walk.report(format!("all {field} together have at most {MAX_ANNOTATIONS} octets"), None);
            }
        });
    }
}

fn entry(walk: &mut Walk, field: &str, key: &str, value: &Value) {
    let value = value.as_str().unwrap_or_default();
    walk.within(key, |walk| {
        if !matches(QUALIFIED, key) {
            let remedy = "write a name of letters, digits, -, _ and ., with a domain and a slash before it if it has one";
            walk.report(format!("{} is not a key of {field}", quote(key)), Some(remedy.to_owned()));
        }
        if field == "labels" && !matches(LABEL, value) {
            let remedy = "use at most 63 letters, digits, -, _ and ., a letter or digit at both ends";
            walk.report(format!("{} is not the value of a label", quote(value)), Some(remedy.to_owned()));
        }
    });
}
