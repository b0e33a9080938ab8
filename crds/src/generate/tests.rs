//! The tree has what the types say, and the examples are right.

use super::*;
use crate::check_manifest;

#[test]
fn generated_files_are_fresh() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (path, content) in generated() {
        let there = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
        assert!(there == content, "{path} is stale: run `cargo xtask generate`");
    }
}

#[test]
fn examples_are_accepted_and_named_in_full() {
    for kind in Kind::ALL {
        let manifest: serde_json::Value = serde_yaml::from_str(example(kind)).unwrap();
        let resource = check_manifest(kind, &manifest).unwrap();
        assert_eq!(resource.kind(), kind);
        assert_eq!(manifest["kind"], kind.as_str());
    }
}

#[test]
fn definitions_name_what_the_kinds_name() {
    for kind in Kind::ALL {
        let names = &crate::schema::crd(kind)["spec"]["names"];
        assert_eq!(names["kind"], kind.as_str());
        assert_eq!(names["plural"], kind.plural());
        assert_eq!(names["singular"], kind.singular());
        assert_eq!(names["shortNames"], serde_json::json!([kind.short_name()]));
        assert_eq!(names["categories"], serde_json::json!(["mail"]));
        assert_eq!(crate::schema::crd(kind)["spec"]["scope"], "Namespaced");
    }
}

#[test]
fn every_field_has_a_meaning() {
    for kind in Kind::ALL {
        for part in ["spec", "status"] {
            for field in fields::fields(&crate::schema::schema(kind)["properties"][part]) {
                assert!(field.meaning.ends_with('.'), "{kind} {part}.{}: {:?}", field.path, field.meaning);
                assert!(!field.type_.is_empty(), "{kind} {part}.{}", field.path);
            }
        }
    }
}
