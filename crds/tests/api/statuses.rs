//! Statuses: every field there and back, and nothing in the types that the definition would prune.

use mailwright_crds::schema::schema;
use mailwright_crds::{
    AliasStatus, Kind, MailDomainStatus, MailRepositoryStatus, MailServerStatus, MailboxStatus,
};
use serde_json::{Value, json};

fn common() -> Value {
    json!({
        "observedGeneration": 3,
        "conditions": [{
            "type": "Ready", "status": "False", "observedGeneration": 3, "lastTransitionTime": "2026-11-20T12:00:00Z",
            "reason": "SecretNotFound", "message": "Secret mail/alice does not exist",
        }],
        "lastHandledReconcileAt": "2026-11-20T11:59:00Z",
    })
}

/// A status with every field of its kind.
fn full(kind: Kind) -> Value {
    let own = match kind {
        Kind::MailServer => json!({
            "hostname": "mail.example.test",
            "certificate": {
                "issuer": "CN=mail.example.test", "notBefore": "2026-11-01T00:00:00Z", "notAfter": "2027-11-01T00:00:00Z",
                "fingerprint": "00ff",
            },
            "endpoints": [{"protocol": "smtp", "address": "127.0.0.1:2525"}],
            "addresses": ["192.0.2.25", "mail.cloud.example.net"],
            "databaseID": "0e2f4a52-8a3e-4a0e-9b5e-0d6c6f1f2a3b",
        }),
        Kind::MailDomain => json!({
            "dnsRecords": [{
                "name": "example.test", "type": "MX", "value": "10 mail.example.test.", "ttl": 3600,
                "purpose": "Mail for the domain goes to the server.", "requirement": "Required",
            }],
            "dkim": [{"selector": "r1", "algorithm": "RSA2048"}, {"selector": "e1", "algorithm": "Ed25519"}],
            "mailboxes": 12,
            "aliases": 3,
        }),
        Kind::Mailbox => json!({"accountID": 42}),
        Kind::Alias => json!({}),
        Kind::MailRepository => json!({
            "lastAttemptedRevision": "main@sha1:0f", "lastAppliedRevision": "main@sha1:0e",
            "lastVerified": {"commit": "0f", "signer": "alice@example.test", "at": "2026-11-20T12:00:00Z"},
            "plan": {"digest": "00ff", "create": 1, "update": 2, "remove": 3, "held": 4},
            "failures": [{"file": "a.yaml", "line": 3, "reason": "SourceBroken", "message": "no YAML"}],
            "history": [{
                "revision": "main@sha1:0e", "digest": "00fe", "appliedAt": "2026-11-20T11:00:00Z", "author": "alice",
                "signer": "alice@example.test", "operations": 7,
            }],
            "webhookPath": "/hook/0123", "adoptionToken": "0123456789abcdef0123456789abcdef", "inventory": 12,
            "previews": [{"ref": "refs/pull/1/head", "commit": "0d", "digest": "00fd", "postedAt": "2026-11-20T11:30:00Z"}],
        }),
    };
    let mut status = common();
    status.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    status
}

fn there_and_back(kind: Kind, status: Value) -> Value {
    let read = match kind {
        Kind::MailServer => serde_json::from_value::<MailServerStatus>(status).map(serde_json::to_value),
        Kind::MailDomain => serde_json::from_value::<MailDomainStatus>(status).map(serde_json::to_value),
        Kind::Mailbox => serde_json::from_value::<MailboxStatus>(status).map(serde_json::to_value),
        Kind::Alias => serde_json::from_value::<AliasStatus>(status).map(serde_json::to_value),
        Kind::MailRepository => {
            serde_json::from_value::<MailRepositoryStatus>(status).map(serde_json::to_value)
        }
    };
    read.unwrap().unwrap()
}

#[test]
fn every_field_comes_back() {
    for kind in Kind::ALL {
        assert_eq!(there_and_back(kind, full(kind)), full(kind), "{kind}");
    }
}

#[test]
fn an_empty_status_is_one_that_nothing_observed() {
    for kind in Kind::ALL {
        let empty = there_and_back(kind, json!({}));
        assert_eq!((&empty["observedGeneration"], &empty["conditions"]), (&json!(-1), &json!([])), "{kind}");
        assert!(empty.get("lastHandledReconcileAt").is_none(), "{kind}");
    }
}

#[test]
fn full_statuses_have_exactly_the_fields_of_the_definition() {
    fn same(path: &str, schema: &Value, value: &Value) {
        match value {
            Value::Object(object) => {
                let declared: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
                let mut there: Vec<&String> = object.keys().collect();
                there.sort();
                assert_eq!(there, declared, "{path}");
                object.iter().for_each(|(key, value)| {
                    same(&format!("{path}.{key}"), &schema["properties"][key.as_str()], value)
                });
            }
            Value::Array(items) => {
                assert!(!items.is_empty(), "{path}");
                items.iter().for_each(|item| same(&format!("{path}[]"), &schema["items"], item));
            }
            Value::Number(_) => assert_eq!(schema["type"], "integer", "{path}"),
            _ => assert_eq!(schema["type"], "string", "{path}"),
        }
    }
    for kind in Kind::ALL {
        same(kind.as_str(), &schema(kind)["properties"]["status"], &full(kind));
    }
}
