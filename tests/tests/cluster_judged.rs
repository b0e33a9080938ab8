//! Schema and CEL, judged by a real API server: every manifest of `crds/tests/api/judged.jsonl`, which the offline check is
//! held to, is asked about again, so that what is written there is what Kubernetes says of today's definitions. The rules of
//! the definitions are all among them, each kept and broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mailwright_crds::{Kind, check_manifest, check_object, check_update};
use mailwright_tests::cluster::{Api, ControlPlane, Refusal};
use mailwright_tests::harness::root;
use serde_json::{Value, json};

/// Nothing is kept, and a field that is not in the schema is an error, as `kubectl apply` asks for.
const ONLY_ASK: &str = "?dryRun=All&fieldValidation=Strict";

struct Judge<'a> {
    api: &'a Api,
    namespace: String,
    /// Objects that are there, for changes.
    running: HashMap<(Kind, u64), Value>,
}

impl Judge<'_> {
    fn path(&self, kind: Kind) -> String {
        format!("/apis/mailwright.dev/v1alpha1/namespaces/{}/{}", self.namespace, kind.plural())
    }

    fn create(&self, kind: Kind, spec: &Value) -> Result<Value, Refusal> {
        self.api.create(&(self.path(kind) + ONLY_ASK), &manifest(kind, "judged", spec))
    }

    fn change(&mut self, kind: Kind, base: u64, from: &Value, to: &Value) -> Result<Value, Refusal> {
        let (path, name) = (self.path(kind), format!("base-{base}"));
        let there = self
            .running
            .entry((kind, base))
            .or_insert_with(|| self.api.create(&path, &manifest(kind, &name, from)).expect("a base"));
        let mut object = manifest(kind, &name, to);
        object["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"].clone();
        self.api.replace(&format!("{path}/{name}{ONLY_ASK}"), &object)
    }
}

fn manifest(kind: Kind, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(), "metadata": {"name": name}, "spec": spec})
}

/// A merge patch, as kubectl has it.
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

/// Everything that a verdict differs in, of all lines at once.
fn differences(judge: &mut Judge<'_>, lines: &[Value]) -> Vec<String> {
    let mut bases: HashMap<(Kind, u64), Value> = HashMap::new();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let kind: Kind = line["kind"].as_str().unwrap().parse().unwrap();
        let base = line["base"].as_u64().unwrap();
        if let Some(spec) = line.get("spec") {
            bases.insert((kind, base), spec.clone());
            if let Err(refusal) = judge.create(kind, spec) {
                found.push(format!("{}: the base is refused: {}", number + 1, refusal.message));
            }
            continue;
        }
        let from = &bases[&(kind, base)];
        let mut to = from.clone();
        merge(&mut to, &line["patch"]);
        let verdict = match line.get("update") {
            Some(_) => judge.change(kind, base, from, &to),
            None => judge.create(kind, &to),
        };
        let refused: Vec<&str> =
            line["refused"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
        match verdict {
            Ok(_) if refused.is_empty() => {}
            // It is a matter of the manifest (400: unknown field; 422), and it is said of the fields that are written there.
            Err(refusal) if [400, 422].contains(&refusal.code) => {
                if !refused.iter().any(|field| refusal.message.contains(field)) {
                    found.push(format!("{}: {line}: {}", number + 1, refusal.message));
                }
            }
            other => found.push(format!("{}: {line}: {other:?}", number + 1)),
        }
    }
    found
}

fn lines() -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("crds/tests/api/judged.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_api_server_says_of_every_manifest_what_the_offline_check_says() {
    let Some(plane) = ControlPlane::shared() else { return };
    plane.install_crds();
    let namespace = plane.kubectl().namespace("judged");
    let mut judge = Judge { api: plane.api(), namespace, running: HashMap::new() };
    let lines = lines();
    let found = differences(&mut judge, &lines);
    assert!(found.is_empty(), "{} of {}:\n{}", found.len(), lines.len(), found.join("\n"));
    assert!(lines.len() > 1500, "only {}", lines.len());
}

/// The messages of all rules of a definition but those of its scalar types, which say more offline than the rule does. A
/// rule of a field that is a text begins with the field's name.
fn messages(key: &str, schema: &Value, found: &mut BTreeSet<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = rule["message"].as_str().unwrap();
        if schema.get("pattern").is_none() || (!key.is_empty() && message.starts_with(key)) {
            found.insert(message.to_owned());
        }
    }
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.for_each(|(key, inner)| messages(key, inner, found));
    schema.get("items").into_iter().for_each(|inner| messages("", inner, found));
}

/// Held without a cluster: the lines break every rule, and keep it too in some line that is accepted.
#[test]
fn every_rule_is_broken_by_a_manifest_that_was_judged() {
    let mut bases: HashMap<(Kind, u64), Value> = HashMap::new();
    let mut broken: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for line in lines() {
        let kind: Kind = line["kind"].as_str().unwrap().parse().unwrap();
        let key = (kind, line["base"].as_u64().unwrap());
        if let Some(spec) = line.get("spec") {
            bases.insert(key, spec.clone());
            continue;
        }
        let mut to = bases[&key].clone();
        merge(&mut to, &line["patch"]);
        let said = match check_object(kind, &manifest(kind, "judged", &to)) {
            Err(wrong) => wrong,
            Ok(_) if line.get("update").is_some() => {
                let new = check_manifest(kind, &manifest(kind, "judged", &to)).unwrap();
                let old = check_manifest(kind, &manifest(kind, "judged", &bases[&key])).unwrap();
                check_update(&old, &new).err().unwrap_or_default()
            }
            Ok(_) => continue,
        };
        broken.entry(kind).or_default().extend(said.into_iter().map(|violation| violation.message));
    }
    let mut count = 0;
    for kind in Kind::ALL {
        let mut rules = BTreeSet::new();
        messages("spec", &mailwright_crds::schema::schema(kind)["properties"]["spec"], &mut rules);
        let unbroken: Vec<&String> = rules.difference(&broken[&kind]).collect();
        assert!(unbroken.is_empty(), "{kind}: nothing breaks {unbroken:?}");
        count += rules.len();
    }
    assert!(count >= 30, "only {count} rules");
}
