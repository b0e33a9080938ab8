//! Renames: the same address under another file, directory, object or repository is the same account, with its mail and password, and
//! no removal that a guard would count.

use mailwright_tests::cluster::ControlPlane;
use mailwright_tests::harness::{PATIENCE, wait_for};
use serde_json::{Value, json};

use super::company::{Company, mailbox};

/// The account of alice as it is in force: its number, and whether it is out of service.
fn account(company: &Company<'_>) -> (Value, Value) {
    let row = company.row("alice").expect("a row");
    (row["accountId"].clone(), row["removedAt"].clone())
}

#[test]
fn an_address_that_moves_is_the_same_account() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "renamed") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    ["alice", "bob", "carol"].iter().for_each(|name| company.mailbox(name, ""));
    let first = company.push("mail: three");
    // Nothing may be removed.
    company.follow(&json!({"guards": {"maxRemoved": 0}}));
    company.applied(&first);
    company.mail.ready("mailbox/alice");
    wait_for("alice to log in", PATIENCE, || (company.mail.logs_in("alice") == Some(true)).then_some(()));
    let (id, _) = account(&company);

    // Another file in another directory: the same objects, so nothing is written.
    let mark = plane.audit().mark();
    for name in ["alice", "bob", "carol"] {
        company.remove(&format!("{name}.yaml"));
        company.write(&format!("people/{name}-of-ours.yaml"), &mailbox(name, name, ""));
    }
    let second = company.push("mail: a directory of people");
    company.applied(&second);
    let written = company.written(mark);
    assert!(written.iter().all(|it| it.event["impersonatedUser"].is_null()), "{written:?}");

    // Other names of all objects: new ones come, and the old ones go, without a guard.
    for name in ["alice", "bob", "carol"] {
        let file = format!("people/{name}-of-ours.yaml");
        company.write(&file, &mailbox(&format!("{name}-smith"), name, ""));
    }
    let third = company.push("mail: names with surnames");
    ["alice", "bob", "carol"].iter().for_each(|name| company.gone(&format!("mailbox/{name}")));
    company.applied(&third);
    company.mail.ready("mailbox/alice-smith");
    assert_eq!(account(&company), (id.clone(), Value::Null));
    assert_eq!(company.mail.logs_in("alice"), Some(true));
    let row = company.row("alice").unwrap();
    assert_eq!(row["owner"]["object"]["name"], "alice-smith", "{row}");
    never_out_of_service(&company);

    // Another repository takes it over while the first one still has it, and then the first one lets it go.
    company.follow(&json!({}));
    company.write("../other/alice.yaml", &mailbox("alice", "alice", ""));
    company.push("mail: for another repository");
    company.follow_as("other", &json!({"path": "other/"}));
    company.mail.says("mailbox/alice", "Ready", "False DuplicateAddress", "alice-smith");
    assert_eq!(account(&company), (id.clone(), Value::Null), "who has it keeps it");
    company.remove("people/alice-of-ours.yaml");
    let last = company.push("mail: alice moved");
    company.gone("mailbox/alice-smith");
    company.applied(&last);
    company.mail.ready("mailbox/alice");
    assert_eq!(account(&company), (id, Value::Null));
    assert_eq!(company.mail.logs_in("alice"), Some(true));
    never_out_of_service(&company);
}

/// The history knows of no moment in which alice was disabled.
fn never_out_of_service(company: &Company<'_>) {
    let history = company.mail.plugin("history alice@example.test -o json").exits(0);
    let entries: Value = serde_json::from_str(&history.stdout).unwrap();
    let actions: Vec<&str> =
        entries.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert!(actions.ends_with(&["update", "create"]), "{actions:?}");
    assert!(actions.iter().all(|action| ["update", "create"].contains(action)), "{}", history.stdout);
}
