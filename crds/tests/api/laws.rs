//! Laws that hold for every manifest that is accepted, on random right specs of every kind.

use mailwright_crds::schema::{apply_defaults, check};
use mailwright_crds::{Kind, MailRepository, Resource, check_object, check_update};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

fn manifest(kind: Kind, spec: Value) -> Value {
    json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(), "metadata": {"name": "test"}, "spec": spec})
}

/// Optional fields of each kind, of which any selection makes a right spec.
fn optional(kind: Kind) -> Vec<(&'static str, Value)> {
    match kind {
        Kind::MailServer => vec![
            ("listeners", json!({"smtp": {"port": 25}, "imap": {"enabled": false}})),
            ("tls", json!({"secretName": "mail-tls"})),
            ("limits", json!({"messageSize": "1.5Gi", "connections": 100})),
            ("relay", json!({"host": "smtp.example.org", "credentials": {"secretRef": {"name": "relay"}}})),
            ("trustedNetworks", json!(["10.42.0.0/16"])),
            ("auth", json!({"plaintextOnLoopback": true})),
            ("dns", json!({"resolvers": ["192.0.2.53"]})),
            ("queue", json!({"lifetime": "1h30m", "delayWarning": "10m"})),
            (
                "policies",
                json!([{"name": "names", "expression": "true", "kinds": ["Mailbox"], "action": "Warn"}]),
            ),
        ],
        Kind::MailDomain => vec![
            ("aliases", json!(["example.org"])),
            ("catchAll", json!("office@example.test")),
            ("limits", json!({"mailboxes": 5, "maxQuota": "10Gi"})),
            ("dkim", json!({"keys": ["RSA2048"]})),
            ("dmarc", json!({"policy": "Reject", "rua": ["dmarc@example.test"]})),
            ("spf", json!({"ip4": ["192.0.2.1"], "all": "Fail"})),
            ("mtaSTS", json!({"mode": "Enforce"})),
            ("tlsReporting", json!({"rua": ["tls@example.test"]})),
            ("caa", json!({"issuers": ["letsencrypt.org"]})),
        ],
        Kind::Mailbox => vec![
            ("displayName", json!("Alice")),
            ("credentials", json!({"secretRef": {"name": "alice"}})),
            ("quota", json!("5Gi")),
            ("enabled", json!(false)),
            ("sendAs", json!(["office@example.test"])),
            ("forward", json!({"targets": ["alice@example.org"]})),
            ("deletionPolicy", json!("Delete")),
            ("retainFor", json!("1h30m")),
        ],
        Kind::Alias => vec![("senders", json!("Members")), ("enabled", json!(false))],
        Kind::MailRepository => vec![
            ("ref", json!({"semver": "^1.2"})),
            ("path", json!("mail/accounts")),
            ("interval", json!("5m")),
            ("secretRef", json!({"name": "git"})),
            ("verify", json!({"mode": "HEAD", "secretRef": {"name": "signers"}})),
            ("decryption", json!({"secretRef": {"name": "age"}})),
            ("mode", json!("Plan")),
            ("guards", json!({"maxRemoved": 5})),
            ("approval", json!("Always")),
            ("webhook", json!({"provider": "GitLab", "secretRef": {"name": "hook"}})),
            ("previews", json!({"refs": ["refs/pull/*/head"], "comment": false, "status": false})),
            (
                "policies",
                json!([{"name": "names", "expression": "true", "kinds": ["Alias"], "action": "Deny"}]),
            ),
        ],
    }
}

fn required(kind: Kind) -> Value {
    match kind {
        Kind::MailServer => json!({"hostname": "mail.example.test"}),
        Kind::MailDomain => json!({"serverRef": {"name": "mail"}, "domain": "example.test"}),
        Kind::Mailbox => json!({"address": "alice@example.test"}),
        Kind::Alias => json!({"address": "info@example.test", "targets": ["alice@example.test"]}),
        Kind::MailRepository => json!({"url": "https://git.example.test/mail.git"}),
    }
}

fn right_spec(kind: Kind) -> impl Strategy<Value = Value> {
    let fields = optional(kind);
    let most = fields.len();
    subsequence(fields, 0..=most).prop_shuffle().prop_map(move |fields| {
        let mut spec = required(kind);
        for (key, value) in fields {
            spec[key] = value;
        }
        spec
    })
}

fn any_right() -> impl Strategy<Value = (Kind, Value, Value)> {
    (0..Kind::ALL.len()).prop_flat_map(|kind| {
        let kind = Kind::ALL[kind];
        (Just(kind), right_spec(kind), right_spec(kind))
    })
}

/// Through the schema, the rules and the type.
fn accepted(kind: Kind, spec: Value) -> Value {
    match check_object(kind, &manifest(kind, spec)) {
        Ok(object) if kind == Kind::MailRepository => {
            serde_json::to_value(serde_json::from_value::<MailRepository>(object).unwrap()).unwrap()
        }
        Ok(object) => Resource::from_value(kind, object).unwrap().to_value().unwrap(),
        Err(wrong) => panic!("{wrong:#?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_was_accepted_is_accepted_again_unchanged((kind, spec, _) in any_right()) {
        let once = accepted(kind, spec);
        let twice = accepted(kind, once["spec"].clone());
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn defaults_change_nothing_the_second_time_and_nothing_that_was_declared((kind, spec, _) in any_right()) {
        let declared = manifest(kind, spec);
        let mut once = declared.clone();
        apply_defaults(kind, &mut once);
        let mut twice = once.clone();
        apply_defaults(kind, &mut twice);
        prop_assert_eq!(&once, &twice);
        prop_assert_eq!(check(kind, &once), []);
        prop_assert!(contains(&once, &declared), "{} {}", once, declared);
    }

    #[test]
    fn fields_that_may_change_may_change_together((kind, old, new) in any_right()) {
        // Nothing of a MailRepository is for ever, so it has no rule about changes.
        prop_assume!(kind != Kind::MailRepository);
        let resource = |spec| Resource::from_value(kind, accepted(kind, spec)).unwrap();
        let (old, new) = (resource(old), resource(new));
        prop_assert_eq!(check_update(&old, &new), Ok(()));
        prop_assert_eq!(check_update(&new, &old), Ok(()));
    }

    #[test]
    fn the_order_of_fields_does_not_matter((kind, spec, _) in any_right()) {
        let reversed: Value = spec.as_object().unwrap().clone().into_iter().rev().collect();
        prop_assert_eq!(accepted(kind, spec), accepted(kind, reversed));
    }

    #[test]
    fn an_unknown_field_anywhere_is_refused_and_named((kind, spec, _) in any_right(), place in any::<prop::sample::Index>()) {
        let mut broken = manifest(kind, spec);
        let places = mappings(&broken["spec"], "/spec");
        let pointer = place.get(&places);
        broken.pointer_mut(pointer).unwrap()["surprise"] = json!(1);
        let wrong = check_object(kind, &broken).unwrap_err();
        let expected = format!("{}.surprise", pointer.trim_start_matches('/').replace('/', "."));
        prop_assert_eq!(wrong.iter().map(|violation| violation.field()).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn through_yaml_and_back((kind, spec, _) in any_right()) {
        let manifest = manifest(kind, spec);
        let text = serde_yaml::to_string(&manifest).unwrap();
        let back: Value = serde_yaml::from_str(&text).unwrap();
        prop_assert_eq!(check_object(kind, &back), check_object(kind, &manifest));
    }
}

/// Everything of `part` is in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|inner| contains(inner, value)))
        }
        (whole, part) => whole == part,
    }
}

/// JSON pointers of every mapping in a value.
fn mappings(value: &Value, at: &str) -> Vec<String> {
    let Some(object) = value.as_object() else { return Vec::new() };
    let inner = object.iter().flat_map(|(key, value)| mappings(value, &format!("{at}/{key}")));
    std::iter::once(at.to_owned()).chain(inner).collect()
}
