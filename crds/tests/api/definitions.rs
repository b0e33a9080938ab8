//! What the generated definitions promise to an API server and to kubectl.

use mailwright_crds::schema::{crd, crd_yaml, schema};
use mailwright_crds::{Kind, check_object};
use serde_json::{Value, json};

#[test]
fn definitions_are_stored_served_and_have_a_status() {
    for kind in Kind::ALL {
        let crd = crd(kind);
        assert_eq!(crd["apiVersion"], "apiextensions.k8s.io/v1");
        assert_eq!(crd["metadata"]["name"], format!("{}.mailwright.dev", kind.plural()));
        assert_eq!(crd["spec"]["group"], "mailwright.dev");
        let versions = crd["spec"]["versions"].as_array().unwrap();
        assert_eq!(versions.len(), 1);
        assert_eq!(
            (&versions[0]["name"], &versions[0]["served"], &versions[0]["storage"]),
            (&json!("v1alpha1"), &json!(true), &json!(true))
        );
        assert_eq!(versions[0]["subresources"], json!({"status": {}}));
        let status = &schema(kind)["properties"]["status"];
        assert_eq!(status["default"], json!({"observedGeneration": -1}));
        assert_eq!(status["properties"]["observedGeneration"]["default"], -1);
        let conditions = &status["properties"]["conditions"];
        assert_eq!(
            (&conditions["x-kubernetes-list-type"], &conditions["x-kubernetes-list-map-keys"]),
            (&json!("map"), &json!(["type"]))
        );
    }
}

#[test]
fn the_yaml_is_the_definition() {
    for kind in Kind::ALL {
        let value: Value = serde_yaml::from_str(&crd_yaml(kind)).unwrap();
        assert_eq!(&value, crd(kind));
    }
}

#[test]
fn keys_are_sorted_so_that_differences_are_readable() {
    fn walk(value: &Value) {
        match value {
            Value::Object(object) => {
                let keys: Vec<&String> = object.keys().collect();
                assert!(keys.is_sorted(), "{keys:?}");
                object.values().for_each(walk);
            }
            Value::Array(items) => items.iter().for_each(walk),
            _ => {}
        }
    }
    Kind::ALL.into_iter().for_each(|kind| walk(crd(kind)));
}

#[test]
fn selectable_fields_and_columns_are_there() {
    for (kind, selectable, narrow, wide) in [
        (Kind::MailServer, vec![".spec.hostname"], "Hostname Ready Reason Address Age", "Certificate"),
        (
            Kind::MailDomain,
            vec![".spec.domain", ".spec.serverRef.name"],
            "Domain Server Mailboxes Aliases Ready Reason Age",
            "Parked",
        ),
        (
            Kind::Mailbox,
            vec![".spec.address"],
            "Address Quota Enabled Ready Reason Age",
            "Credentials Display Name",
        ),
        (Kind::Alias, vec![".spec.address"], "Address Targets Senders Ready Reason Age", "Enabled"),
        (Kind::MailRepository, vec![".spec.url"], "URL Ready Reason Revision Age", "Mode Plan Objects"),
    ] {
        let version = &crd(kind)["spec"]["versions"][0];
        let paths: Vec<&str> = version["selectableFields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| field["jsonPath"].as_str().unwrap())
            .collect();
        assert_eq!(paths, selectable);
        for path in paths {
            let pointer = path.replace('.', "/properties/");
            assert_eq!(schema(kind).pointer(&pointer).unwrap()["type"], "string", "{kind} {path}");
        }
        let columns = version["additionalPrinterColumns"].as_array().unwrap();
        let names = |priority: i64| {
            let of = columns.iter().filter(|column| column["priority"].as_i64().unwrap_or(0) == priority);
            of.map(|column| column["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((names(0).as_str(), names(1).as_str()), (narrow, wide));
    }
}

/// Kubernetes refuses a definition whose default its own schema refuses.
#[test]
fn every_default_is_a_value_that_its_field_takes() {
    fn place(path: &[String], value: &Value) -> Value {
        path.iter().rev().fold(value.clone(), |inner, key| json!({key.as_str(): inner}))
    }
    fn merge(into: &mut Value, from: Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                for (key, value) in from {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
            (into, from) => *into = from,
        }
    }
    fn walk(schema: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Value)>) {
        for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            path.push(key.clone());
            if let Some(default) = property.get("default") {
                found.push((path.clone(), default.clone()));
            }
            walk(property, path, found);
            path.pop();
        }
    }
    for kind in Kind::ALL {
        let mut defaults = Vec::new();
        walk(&schema(kind)["properties"]["spec"], &mut Vec::new(), &mut defaults);
        assert!(!defaults.is_empty());
        for (path, default) in defaults {
            let mut manifest = json!({
                "apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(), "metadata": {"name": "test"},
                "spec": match kind {
                    Kind::MailServer => json!({
                        "hostname": "mail.example.test", "relay": {"host": "smtp.example.org"},
                        "tls": {"certManager": {"issuerRef": {"name": "ca"}}},
                    }),
                    Kind::MailDomain => json!({"serverRef": {"name": "mail"}, "domain": "example.test"}),
                    Kind::Mailbox => json!({
                        "address": "alice@example.test", "credentials": {"generate": {"secretName": "alice"}},
                        "forward": {"targets": ["bob@example.test"]},
                    }),
                    Kind::Alias => json!({"address": "info@example.test", "targets": ["alice@example.test"]}),
                    Kind::MailRepository => json!({
                        "url": "https://git.example.test/mail.git", "verify": {"secretRef": {"name": "signers"}},
                        "decryption": {"secretRef": {"name": "age"}},
                        "previews": {"refs": ["refs/pull/*/head"], "provider": "GitHub", "secretRef": {"name": "forge"}},
                    }),
                },
            });
            // One of three: the default belongs to another one than the manifest has.
            if path == ["tls"] {
                manifest["spec"]["tls"] = json!({});
            }
            if path.iter().any(|key| key == "secretRef") {
                manifest["spec"]["credentials"] = json!({"secretRef": {"name": "alice"}});
            }
            merge(&mut manifest["spec"], place(&path, &default));
            let result = check_object(kind, &manifest);
            assert!(result.is_ok(), "{kind} {path:?} {default}: {result:?}");
        }
    }
}

#[test]
fn rules_that_forbid_a_change_say_so_to_programs() {
    fn walk(schema: &Value, count: &mut usize) {
        for rule in schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
            let transition = rule["rule"].as_str().unwrap().contains("oldSelf");
            assert_eq!(rule.get("reason") == Some(&json!("FieldValueForbidden")), transition, "{rule}");
            *count += usize::from(transition);
        }
        schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .for_each(|(_, inner)| walk(inner, count));
    }
    let mut count = 0;
    Kind::ALL.into_iter().for_each(|kind| walk(schema(kind), &mut count));
    assert_eq!(count, 5);
}

#[test]
fn descriptions_tell_what_each_word_of_an_enumeration_means() {
    let policy = &schema(Kind::Mailbox)["properties"]["spec"]["properties"]["deletionPolicy"];
    assert_eq!(
        policy["description"],
        "What happens when the mailbox is declared no more. Disable: It takes no mail and no login; its mail is kept, and can \
         be purged by hand after retainFor. Retain: It stays as it is, but is managed no more. Delete: It takes no mail and no \
         login; its deletion is planned once retainFor has passed."
    );
}
