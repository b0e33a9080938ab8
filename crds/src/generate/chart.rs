//! The definitions as templates of charts/mailwright-crds: what `crds/manifests` holds, kept when the release is
//! uninstalled, because deleting a definition deletes every resource of its kind.

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::schema::crd;

/// What a template begins with: a comment of Helm's, so that it is in no rendered manifest.
const HEADER: &str = "{{- /* Generated from crds/src by `cargo xtask generate`. Do not edit. */ -}}\n";
/// Asks Helm to leave the object where it is when the release goes.
const KEEP: &str = "helm.sh/resource-policy";
/// Stands in the YAML where the chart's labels go.
const LABELS: &str = "labels: LABELS-OF-THE-CHART";

/// The template of one definition.
pub(super) fn template(kind: Kind) -> String {
    let mut definition = crd(kind).clone();
    definition["metadata"]["annotations"][KEEP] = json!("keep");
    definition["metadata"]["labels"] = json!("LABELS-OF-THE-CHART");
    HEADER.to_owned() + &with_labels(&escaped(&yaml(&definition)))
}

fn yaml(value: &Value) -> String {
    // Plain data; a test compares the outcome with the definition.
    serde_yaml::to_string(value).unwrap_or_default()
}

/// Text in which Helm sees no action, whatever a description says.
fn escaped(text: &str) -> String {
    text.replace("{{", r#"{{ "{{" }}"#)
}

fn with_labels(text: &str) -> String {
    text.replace(LABELS, "labels: {{- include \"mailwright-crds.labels\" . | nindent 4 }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The template as Helm would render it, with one label.
    fn rendered(kind: Kind) -> Value {
        let text = template(kind);
        let text = text.strip_prefix(HEADER).unwrap();
        let text = text.replace("{{- include \"mailwright-crds.labels\" . | nindent 4 }}", "{a: b}");
        serde_yaml::from_str(&text.replace(r#"{{ "{{" }}"#, "{{")).unwrap()
    }

    #[test]
    fn a_template_is_the_definition_with_labels_that_is_kept() {
        for kind in Kind::ALL {
            let mut rendered = rendered(kind);
            let metadata = rendered["metadata"].as_object_mut().unwrap();
            assert_eq!(metadata.remove("labels"), Some(json!({"a": "b"})), "{kind}");
            let annotations = metadata["annotations"].as_object_mut().unwrap();
            assert_eq!(annotations.shift_remove(KEEP), Some(json!("keep")), "{kind}");
            assert_eq!(&rendered, crd(kind), "{kind}");
        }
    }

    #[test]
    fn braces_of_a_description_are_no_action() {
        for (text, expected) in [
            ("plain {a}", "plain {a}"),
            ("use {{ .Values }}", r#"use {{ "{{" }} .Values }}"#),
            ("{{{{", r#"{{ "{{" }}{{ "{{" }}"#),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
