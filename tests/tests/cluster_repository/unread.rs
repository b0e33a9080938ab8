//! A MailRepository that this operator cannot understand, as one that was made under newer definitions: it says so, and what was
//! understood last stays in force.

use mailwright_tests::cluster::mail::condition;
use mailwright_tests::cluster::{ControlPlane, Options};
use mailwright_tests::harness::PATIENCE;
use serde_json::{Value, json};

use super::company::{COMPANY, Company};

#[test]
fn one_that_cannot_be_understood_says_so() {
    // A control plane of its own, because the definition is changed.
    let Some(plane) = ControlPlane::start(&Options::default()) else { return };
    let Some(company) = Company::new(&plane, "newer") else { return };
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/driftPolicy/enum/-";
    let patch = json!([{"op": "add", "path": path, "value": "Ask"}]).to_string();
    let definition = ["patch", "crd/mailrepositories.mailwright.dev", "--type=json", "--patch", &patch];
    company.mail.kubectl.run(&definition).ok();
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    company.mailbox("alice", "");
    let first = company.push("mail: alice");

    // Never understood.
    let newer = json!({"driftPolicy": "Ask"});
    follow_once_served(&company, &newer);
    let told = company.mail.says(COMPANY, "Ready", "False Invalid", "spec cannot be understood");
    assert!(told.contains("Ask") && told.contains("what is in force stays"), "{told}");
    let found = company.until("Invalid");
    assert_eq!(condition(&found, "Stalled")["status"], "True");
    assert!(company.get("mailbox/alice").is_null());

    // Understood, and then no more: what was understood is followed on.
    company.follow(&json!({}));
    company.applied(&first);
    company.follow(&newer);
    company.until("Invalid");
    company.patch("mailbox/alice", &json!({"spec": {"quota": "9Gi"}}));
    let is_back = |found: &Value| found["spec"]["quota"].is_null();
    company.mail.kubectl.wait_until(&company.mail.namespace, "mailbox/alice", PATIENCE, is_back);

    // Another process understands nothing of it, and leaves everything as it is.
    let _operator = company.another(operator);
    company.annotate("mailwright.dev/example=x");
    let found = company.until("Invalid");
    assert_eq!(found["status"]["lastAppliedRevision"], format!("main@sha1:{first}"));
    company.everybody(&["alice"], "a spec that nobody understands");
    company.follow(&json!({}));
    company.until("Reconciled");
}

/// The API server takes a moment to serve a changed definition.
fn follow_once_served(company: &Company<'_>, more: &Value) {
    let served = || {
        let explained =
            company.mail.kubectl.run(&["get", "crd/mailrepositories.mailwright.dev", "-o", "json"]).ok();
        explained.stdout.contains("\"Ask\"")
    };
    mailwright_tests::harness::wait_for("the changed definition", PATIENCE, || served().then_some(()));
    std::thread::sleep(std::time::Duration::from_secs(2));
    company.follow(more);
}
