//! Known answers: `judged.jsonl` has manifests with the verdict of Kubernetes 1.36.3 on the generated definitions, of its
//! code (apiextensions-apiserver: pruning, defaulting, structural schema, list types, CEL rules) or of a whole API server
//! (base 2 and 3 of a MailServer, 1 of a MailDomain, 2 of a Mailbox), which `tests/tests/cluster_judged.rs` asks again. Whoever changes a rule
//! changes the verdicts of the lines it touches.
//!
//! The first lines are whole specs; each other line is a merge patch on one of them, and the fields that were
//! refused. Not among them: labels that look like A-labels but do not decode, which only the parser can refuse.

use std::collections::HashMap;

use mailwright_crds::{Kind, Violation, check_manifest, check_object, check_update};
use serde_json::{Value, json};

const JUDGED: &str = include_str!("judged.jsonl");

fn manifest(kind: Kind, spec: &Value) -> Value {
    json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(), "metadata": {"name": "test"}, "spec": spec})
}

fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        match value {
            Value::Null => drop(into.as_object_mut().unwrap().remove(key)),
            value => merge(&mut into[key.as_str()], value),
        }
    }
}

/// Whether one path is the other or leads to it: `spec.targets` and `spec.targets[0]`.
fn related(one: &str, other: &str) -> bool {
    let leads = |short: &str, long: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    leads(one, other) || leads(other, one)
}

/// As Kubernetes writes them: keys with dots stand there as others do.
fn fields(wrong: &[Violation]) -> Vec<String> {
    wrong.iter().map(|it| it.field().replace("[\"", ".").replace("\"]", "")).collect()
}

#[test]
fn verdicts_are_those_of_kubernetes() {
    let mut bases: HashMap<(Kind, u64), Value> = HashMap::new();
    let (mut accepted, mut refused) = (0, 0);
    for (number, line) in JUDGED.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let kind: Kind = line["kind"].as_str().unwrap().parse().unwrap();
        let key = (kind, line["base"].as_u64().unwrap());
        if let Some(spec) = line.get("spec") {
            assert!(check_object(kind, &manifest(kind, spec)).is_ok(), "line {}", number + 1);
            bases.insert(key, spec.clone());
            continue;
        }
        let mut spec = bases[&key].clone();
        merge(&mut spec, &line["patch"]);
        let update = line.get("update").is_some();
        let wrong = match check_object(kind, &manifest(kind, &spec)) {
            Err(wrong) => wrong,
            Ok(_) if update => {
                let new = check_manifest(kind, &manifest(kind, &spec)).unwrap();
                let old = check_manifest(kind, &manifest(kind, &bases[&key])).unwrap();
                check_update(&old, &new).err().unwrap_or_default()
            }
            Ok(_) => Vec::new(),
        };
        let theirs: Vec<&str> =
            line["refused"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
        assert_eq!(wrong.is_empty(), theirs.is_empty(), "line {}: {line}: {wrong:?}", number + 1);
        let ours = fields(&wrong);
        for field in &theirs {
            assert!(
                ours.iter().any(|our| related(our, field)),
                "line {}: {field} is not in {ours:?}",
                number + 1
            );
        }
        if theirs.is_empty() { accepted += 1 } else { refused += 1 }
    }
    assert!(accepted > 400 && refused > 1000, "{accepted} accepted, {refused} refused");
}

#[test]
fn paths_relate_by_whole_steps() {
    for (one, other, expected) in [
        ("spec.targets", "spec.targets[0]", true),
        ("spec.targets[0]", "spec.targets", true),
        ("spec", "spec.quota", true),
        ("spec.quota", "spec.quota", true),
        ("spec.quota", "spec.quotas", false),
        ("spec.a", "spec.b", false),
    ] {
        assert_eq!(related(one, other), expected, "{one} {other}");
    }
}
