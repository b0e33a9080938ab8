//! Every rule of every schema, found by walking the definitions: for each of them a manifest that keeps it and one that
//! breaks it. The manifests are made from a full one of each kind by changing one field.

mod breaking;
mod envelope;
mod full;

use breaking::{Break, breaks};
use full::full;
use serde_json::{Value, json};

use super::*;
use crate::{MailRepository, Resource, check_object};

#[test]
fn full_manifests_have_every_field_and_are_accepted() {
    for kind in Kind::ALL {
        for manifest in full(kind) {
            assert_eq!(check(kind, &manifest), [], "{kind}");
            let object = typed(kind, check_object(kind, &manifest).unwrap());
            assert_eq!(object["spec"], manifest["spec"], "{kind}: full manifests state every default");
        }
    }
}

/// A value through the type of its kind and back.
fn typed(kind: Kind, value: Value) -> Value {
    match kind {
        Kind::MailRepository => {
            serde_json::to_value(serde_json::from_value::<MailRepository>(value).unwrap()).unwrap()
        }
        kind => Resource::from_value(kind, value).unwrap().to_value().unwrap(),
    }
}

#[test]
fn every_rule_of_every_schema_is_kept_and_broken() {
    let mut count = 0;
    for kind in Kind::ALL {
        let rules = breaks(&schema(kind)["properties"]["spec"]);
        let manifests = full(kind);
        for Break { path, rule, with } in rules {
            let Some(manifest) = manifests.iter().find(|manifest| manifest["spec"].pointer(&path).is_some())
            else {
                panic!("{kind}: no full manifest has spec{path}");
            };
            let mut broken = manifest.clone();
            with(broken["spec"].pointer_mut(&path).unwrap());
            let found = check(kind, &broken);
            let at = format!("/spec{path}");
            let there = |violation: &Violation| pointer(violation).starts_with(&at);
            assert!(found.iter().any(there), "{kind} {path} {rule}: {found:?}");
            assert!(
                found.iter().all(there),
                "{kind} {path} {rule}: says something about other fields: {found:?}"
            );
            assert!(check_object(kind, &broken).is_err());
            count += 1;
        }
    }
    assert!(count > 300, "only {count} rules found");
}

/// A violation's path as a JSON pointer.
fn pointer(violation: &Violation) -> String {
    violation.path.iter().map(|segment| format!("/{segment}")).collect()
}

#[test]
fn every_pattern_of_the_specs_has_a_type_that_explains_it() {
    fn walk(schema: &Value, found: &mut Vec<String>) {
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            assert!(regex::Regex::new(pattern).is_ok(), "{pattern}");
            assert!(scalars::by_pattern(pattern).is_some(), "{pattern}");
            found.push(pattern.to_owned());
        }
        schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .for_each(|(_, inner)| walk(inner, found));
        schema.get("items").into_iter().for_each(|inner| walk(inner, found));
    }
    let mut found = Vec::new();
    Kind::ALL.into_iter().for_each(|kind| walk(&schema(kind)["properties"]["spec"], &mut found));
    for scalar in SCALARS {
        assert!(found.iter().any(|pattern| pattern == scalar.pattern), "{} is used nowhere", scalar.name);
    }
}

#[test]
fn every_list_and_text_of_the_specs_has_a_bound() {
    fn walk(path: &str, schema: &Value) {
        match schema["type"].as_str() {
            Some("array") => assert!(schema["maxItems"].is_u64(), "{path}"),
            Some("string") => assert!(schema["maxLength"].is_u64() || schema["enum"].is_array(), "{path}"),
            Some("integer") => assert!(schema["minimum"].is_i64() && schema["maximum"].is_i64(), "{path}"),
            _ => {}
        }
        for (key, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            walk(&format!("{path}.{key}"), inner);
        }
        schema.get("items").into_iter().for_each(|inner| walk(&format!("{path}[]"), inner));
    }
    Kind::ALL.into_iter().for_each(|kind| walk(kind.as_str(), &schema(kind)["properties"]["spec"]));
}

#[test]
fn no_definition_has_what_kubernetes_forbids_or_warns_about() {
    fn walk(path: &str, value: &Value) {
        let Some(object) = value.as_object() else { return };
        for key in
            ["nullable", "title", "anyOf", "oneOf", "allOf", "not", "$ref", "definitions", "uniqueItems"]
        {
            assert!(!object.contains_key(key), "{path}: {key}");
        }
        assert_ne!(object.get("additionalProperties"), Some(&json!(false)), "{path}");
        if let Some(format) = object.get("format").and_then(Value::as_str) {
            assert!(["int32", "int64", "date-time"].contains(&format), "{path}: {format}");
        }
        for (key, inner) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let typed = inner["type"].is_string() || inner["x-kubernetes-int-or-string"] == true;
            assert!(typed, "{path}.{key} has no type");
            walk(&format!("{path}.{key}"), inner);
        }
        object.get("items").into_iter().for_each(|inner| walk(&format!("{path}[]"), inner));
    }
    Kind::ALL.into_iter().for_each(|kind| walk(kind.as_str(), schema(kind)));
}

#[track_caller]
fn defaulted(kind: Kind, spec: Value) -> Value {
    let mut manifest = json!({"spec": spec});
    apply_defaults(kind, &mut manifest);
    manifest["spec"].take()
}

#[test]
fn defaults_fill_what_is_missing_from_the_outside_to_the_inside() {
    assert_eq!(
        defaulted(Kind::Alias, json!({"address": "a@example.test", "targets": ["b@example.test"]})),
        json!({"address": "a@example.test", "targets": ["b@example.test"], "senders": "Anyone", "enabled": true})
    );
    assert_eq!(
        defaulted(
            Kind::MailServer,
            json!({"hostname": "mail.example.test", "listeners": {"imap": {"enabled": false}}})
        ),
        json!({
            "hostname": "mail.example.test",
            "listeners": {
                "smtp": {"enabled": true, "port": 2525},
                "submission": {"enabled": true, "port": 1587},
                "submissions": {"enabled": true, "port": 1465},
                "lmtp": {"enabled": false, "port": 2400},
                "imap": {"enabled": false, "port": 1143},
                "imaps": {"enabled": true, "port": 1993},
                "http": {"enabled": true, "port": 8080},
            },
            "limits": {"messageSize": "50Mi", "recipientsPerMessage": 1000, "connections": 2000, "connectionsPerAddress": 50},
            "trustedNetworks": [],
            "auth": {"plaintextOnLoopback": false},
            "dns": {"resolvers": []},
            "queue": {"lifetime": "120h", "delayWarning": "4h", "remotePort": 25},
            "allowedDomains": {"from": "Same"},
            "database": {"sqlite": {"storage": {"size": "10Gi"}}},
            "service": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
            "template": {
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {}},
                "terminationGracePeriodSeconds": 60,
            },
            "networkPolicy": {"enabled": true},
        })
    );
    assert_eq!(
        defaulted(
            Kind::Mailbox,
            json!({"address": "a@example.test", "credentials": {"secretRef": {"name": "a"}}})
        ),
        json!({
            "address": "a@example.test", "credentials": {"secretRef": {"name": "a", "key": "password"}, "management": "Initial"},
            "enabled": true, "sendAs": [], "deletionPolicy": "Disable", "retainFor": "720h",
        })
    );
    assert_eq!(
        defaulted(Kind::MailDomain, json!({"domain": "example.test", "serverRef": {"name": "mail"}})),
        json!({
            "domain": "example.test", "serverRef": {"name": "mail"}, "aliases": [], "parked": false, "limits": {},
            "allowedMailboxes": {"from": "Same"},
            "dkim": {"keys": ["RSA2048", "Ed25519"]}, "dmarc": {"policy": "None", "rua": []},
            "spf": {"include": [], "ip4": [], "ip6": [], "all": "SoftFail"}, "mtaSTS": {"mode": "None", "maxAge": "168h"},
        })
    );
    assert_eq!(
        defaulted(
            Kind::MailRepository,
            json!({"url": "file:///srv/mail.git", "verify": {"secretRef": {"name": "signers"}},
                "previews": {"refs": ["refs/pull/*/head"]}, "decryption": {"secretRef": {"name": "age"}}})
        ),
        json!({
            "url": "file:///srv/mail.git", "interval": "1m", "timeout": "60s",
            "verify": {"mode": "Range", "secretRef": {"name": "signers"}}, "allowRewind": false,
            "decryption": {"provider": "SOPS", "secretRef": {"name": "age"}}, "sink": "Resources", "mode": "Apply", "prune": true,
            "driftPolicy": "Repair", "adoption": "Unmanaged", "guards": {"maxRemoved": 20, "maxRemovedPercent": 10}, "approval": "OnGuard",
            "failurePolicy": "Isolate", "previews": {"refs": ["refs/pull/*/head"], "comment": true, "status": true},
            "suspend": false,
        })
    );
}

#[test]
fn nulls_are_as_good_as_missing() {
    let spec = defaulted(
        Kind::Mailbox,
        json!({"address": "a@example.test", "quota": null, "enabled": null, "credentials": null}),
    );
    assert_eq!(spec["enabled"], true);
    assert!(spec.get("quota").is_none() && spec.get("credentials").is_none(), "{spec}");
    for kind in Kind::ALL {
        let mut odd = json!({"spec": 5});
        apply_defaults(kind, &mut odd);
        assert_eq!(odd, json!({"spec": 5}));
    }
}

#[test]
fn defaults_of_types_and_of_the_schema_are_the_same() {
    for kind in Kind::ALL {
        for manifest in full(kind) {
            let mut spec = manifest["spec"].clone();
            let required: Vec<String> =
                serde_json::from_value(schema(kind)["properties"]["spec"]["required"].clone()).unwrap();
            spec.as_object_mut().unwrap().retain(|key, _| required.contains(key));
            let mut bare = manifest.clone();
            bare["spec"] = spec;
            let from_types = typed(kind, bare.clone());
            apply_defaults(kind, &mut bare);
            assert_eq!(typed(kind, bare), from_types, "{kind}");
        }
    }
}

#[test]
fn violations_are_bounded() {
    let targets: Vec<String> = (0..400).map(|number| format!("wrong{number}")).collect();
    let manifest = json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": "Alias", "metadata": {"name": "a"},
        "spec": {"address": "a@example.test", "targets": targets}});
    let found = check(Kind::Alias, &manifest);
    assert_eq!(found.len(), MAX_VIOLATIONS + 1);
    assert_eq!(
        found[MAX_VIOLATIONS].to_string(),
        "manifest: 300 more things are wrong with this manifest; correct the others first"
    );
}

proptest::proptest! {
    /// Whatever the value, the walk says something or the types take it.
    #[test]
    fn any_value_in_any_place_is_judged_without_a_panic(kind in 0..Kind::ALL.len(), place in 0..200usize, value in any_json()) {
        let kind = Kind::ALL[kind];
        for mut manifest in full(kind) {
            let paths = breaking::paths(&manifest, "");
            let path = &paths[place % paths.len()];
            *manifest.pointer_mut(path).unwrap() = value.clone();
            if let Ok(object) = check_object(kind, &manifest) {
                assert!(check_object(kind, &typed(kind, object)).is_ok(), "{manifest}");
            }
        }
    }
}

fn any_json() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z@.0-9 ]{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("5Gi"),
            Just("alice@example.test"),
            Just("Delete"),
            Just("1h"),
            Just("example.test")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z]{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
