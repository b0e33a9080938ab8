//! The tree has what the types say, and the examples are right.

use super::*;
use crate::check_object;

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
        assert_eq!(check_object(kind, &manifest).unwrap()["metadata"], manifest["metadata"]);
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

#[test]
fn pages_have_every_part() {
    for kind in Kind::ALL {
        let page = page::page(kind);
        for part in ["## Example", "## spec", "### Rules", "## status", "### Conditions", "## Types"] {
            assert_eq!(page.matches(&format!("\n{part}\n")).count(), 1, "{kind} {part}");
        }
        assert!(page.contains(example(kind)), "{kind}");
        for info in crate::condition::conditions_of(kind) {
            assert!(page.contains(&format!("| `{}` |", info.type_)), "{kind} {}", info.type_);
        }
        let columns: Vec<usize> = page
            .lines()
            .filter(|line| line.starts_with("| `spec"))
            .map(|line| line.matches(" | ").count())
            .collect();
        assert!(columns.iter().all(|count| *count == 3), "{kind}");
        assert!(!page.contains("\n\n\n"), "{kind} has two empty lines in a row");
    }
}

#[test]
fn pages_say_what_cannot_be_changed_and_what_must_be_there() {
    let page = page::page(Kind::Mailbox);
    assert!(page.contains("| `address` | Address | required | The address, in lower case with an A-label domain. It cannot be changed. |"));
    assert!(page.contains("- `spec.address` (when it is changed): address cannot be changed"));
    assert!(
        page.contains("- `spec.credentials`: needs exactly one of secretRef, passwordHash and generate.")
    );
    assert!(page.contains("| `retainFor` | Duration | `720h` |"));
    assert!(page.contains("| Duration | `720h`, `1h30m`, `45s`"));
    assert!(page.contains("| `SecretNotFound` | The Secret does not exist. |"));
    assert!(!page.contains("DatabaseFailed"));
}
