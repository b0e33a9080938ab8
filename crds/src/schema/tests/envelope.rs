//! The envelope: apiVersion, kind, metadata, and what does not belong into a manifest.

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::schema::check;

/// Puts `patch` over a right manifest (null removes) and compares what is said about it.
#[track_caller]
fn says(patch: Value, expected: &[&str]) {
    let mut manifest = json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "Alias",
        "metadata": {"name": "info", "namespace": "mail"},
        "spec": {"address": "info@example.test", "targets": ["alice@example.test"]},
    });
    for (key, value) in patch.as_object().unwrap() {
        match value {
            Value::Null => drop(manifest.as_object_mut().unwrap().remove(key)),
            value => manifest[key] = value.clone(),
        }
    }
    let found: Vec<String> = check(Kind::Alias, &manifest).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn right_envelopes_are_taken() {
    says(json!({}), &[]);
    says(
        json!({"metadata": {"name": "info", "labels": {"team": "", "app.kubernetes.io/name": "mail"},
        "annotations": {"mailwright.dev/reconcile": "disabled", "note": "any ✉ text"}}}),
        &[],
    );
    says(
        json!({"metadata": {"name": "info", "uid": "1", "resourceVersion": "2", "generation": 3, "managedFields": [{}],
        "creationTimestamp": null, "finalizers": ["x"], "ownerReferences": []}}),
        &[],
    );
}

#[test]
fn names_of_the_api_are_checked() {
    says(json!({"apiVersion": null}), &["apiVersion: is missing; add apiVersion: mailwright.dev/v1alpha1"]);
    says(
        json!({"apiVersion": "mailwright.dev/v1"}),
        &["apiVersion: \"mailwright.dev/v1\" is not known; write mailwright.dev/v1alpha1"],
    );
    says(json!({"kind": "alias"}), &["kind: \"alias\" is not known; write Alias"]);
    says(json!({"kind": 5}), &["kind: must be a text; write Alias"]);
}

#[test]
fn metadata_is_checked() {
    says(json!({"metadata": null}), &["metadata.name: is missing; add name with an object name"]);
    says(json!({"metadata": []}), &["metadata: must be a mapping, not a list"]);
    says(
        json!({"metadata": {"name": "Info Desk", "nmae": "x"}}),
        &[
            "metadata.name: \"Info Desk\" is not the name of an object; write info-desk",
            "metadata.nmae: unknown field; the fields here are name, namespace, labels, annotations, generation, \
         creationTimestamp, deletionGracePeriodSeconds, deletionTimestamp, finalizers, managedFields, ownerReferences, \
         resourceVersion, selfLink, uid",
        ],
    );
    says(
        json!({"metadata": {"name": "info", "lables": {}}}),
        &["metadata.lables: unknown field; did you mean labels?"],
    );
    says(
        json!({"metadata": {"name": "info", "generation": "3"}}),
        &["metadata.generation: must be a whole number, not a text; remove the quotes"],
    );
    says(
        json!({"metadata": {"name": "info", "namespace": "Mail.Team"}}),
        &[
            "metadata.namespace: \"Mail.Team\" is not the name of a namespace; use at most 63 lower-case letters, digits and \
         hyphens, a letter or digit at both ends",
        ],
    );
}

#[test]
fn labels_and_annotations_are_checked() {
    says(
        json!({"metadata": {"name": "info", "labels": {"a/b/c": "x", "team": "two words", "count": 5}}}),
        &[
            "metadata.labels.count: must be a text, not a number; put it in quotes",
            "metadata.labels[\"a/b/c\"]: \"a/b/c\" is not a key of labels; write a name of letters, digits, -, _ and ., with a \
         domain and a slash before it if it has one",
            "metadata.labels.team: \"two words\" is not the value of a label; use at most 63 letters, digits, -, _ and ., a \
         letter or digit at both ends",
        ],
    );
    says(
        json!({"metadata": {"name": "info", "annotations": {"note": "x".repeat(256 * 1024)}}}),
        &["metadata.annotations: all annotations together have at most 262144 octets"],
    );
}

#[test]
fn what_does_not_belong_into_a_manifest_is_refused() {
    says(
        json!({"status": {"conditions": []}}),
        &["status: the status is written by Mailwright, not declared; remove it"],
    );
    says(json!({"targets": ["bob@example.test"]}), &["targets: unknown field; targets belongs into spec"]);
    says(json!({"metdata": {}}), &["metdata: unknown field; did you mean metadata?"]);
    says(json!({"data": {}}), &["data: unknown field; a manifest has apiVersion, kind, metadata and spec"]);
    says(json!({"spec": null}), &["spec: is missing; add spec with a mapping"]);
    says(json!({"spec": []}), &["spec: must be a mapping, not a list"]);
    let found = check(Kind::Alias, &json!("text"));
    assert_eq!(
        found[0].to_string(),
        "manifest: a manifest is a mapping; start with apiVersion, kind, metadata and spec"
    );
}
