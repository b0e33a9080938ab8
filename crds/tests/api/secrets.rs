//! A password never comes out again: not in a message, not in a debug print, wherever somebody puts it.

use mailwright_crds::{Kind, PasswordHash, Resource, check_manifest};
use proptest::prelude::*;
use serde_json::{Value, json};

const SECRET: &str = "hunter2hunter2";

fn messages(credentials: &Value) -> Vec<String> {
    let manifest = json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "Mailbox", "metadata": {"name": "alice"},
        "spec": {"address": "alice@example.test", "credentials": credentials},
    });
    match check_manifest(Kind::Mailbox, &manifest) {
        Ok(resource) => panic!("taken: {:?}", resource.object_ref()),
        Err(wrong) => wrong.iter().map(|violation| format!("{violation} {violation:?}")).collect(),
    }
}

#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    for credentials in [
        json!(SECRET),
        json!([SECRET]),
        json!({"password": SECRET}),
        json!({"passwordHash": SECRET}),
        json!({"passwordHash": format!("{{PLAIN}}{SECRET}")}),
        json!({"passwordHash": format!("{{CLEARTEXT}}{SECRET}")}),
        json!({"passwordHash": format!("${SECRET}$x")}),
        json!({"passwordHash": format!("{{{SECRET}}}x")}),
        json!({"passwordHash": [SECRET]}),
        json!({"passwordHash": {"value": SECRET}}),
        json!({"secretRef": SECRET}),
        json!({"secretRef": [SECRET]}),
        json!({"secretRef": {"name": "alice", "value": SECRET}}),
        json!({"passwordHash": format!("$6${SECRET}\n")}),
        json!({"passwordHash": format!("{{SSHA}}{} {SECRET}", "a".repeat(600))}),
        json!({"passwordHash": "$6$saltsalt$hash", "secretRef": {"name": "alice"}, "password": SECRET}),
    ] {
        let messages = messages(&credentials);
        assert!(!messages.is_empty(), "{credentials}");
        assert!(messages.iter().all(|message| !message.contains(SECRET)), "{messages:#?}");
    }
}

#[test]
fn a_hash_is_not_printed() {
    let manifest = json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "Mailbox", "metadata": {"name": "alice"},
        "spec": {"address": "alice@example.test", "credentials": {"passwordHash": format!("$6$saltsalt${SECRET}")}},
    });
    let resource = check_manifest(Kind::Mailbox, &manifest).unwrap();
    assert!(!format!("{resource:?}").contains(SECRET));
    assert!(!format!("{resource:#?}").contains("saltsalt"));
    let Resource::Mailbox(mailbox) = &resource else { panic!("another kind") };
    let hash: &PasswordHash = mailbox.spec.credentials.as_ref().unwrap().password_hash.as_ref().unwrap();
    assert_eq!(format!("{hash:?}"), "PasswordHash(6, …)");
    let value = resource.to_value().unwrap();
    assert_eq!(value["spec"]["credentials"]["passwordHash"], format!("$6$saltsalt${SECRET}"));
}

proptest! {
    #[test]
    fn no_refusal_of_a_hash_has_a_part_of_it(before in "[$A-Z0-9a-z.{}-]{0,12}", after in "[ !-~]{0,12}") {
        let text = format!("{before}{SECRET}{after}");
        if let Err(refusal) = text.parse::<PasswordHash>() {
            let said = format!("{refusal:?} {refusal}");
            prop_assert!(!said.contains(SECRET));
        }
    }
}
