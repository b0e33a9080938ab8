//! The rules of a spec: policies, all or nothing, what is only told of drift, and who was first with an object.

use mailwright_tests::cluster::mail::{condition, object, server_spec};
use mailwright_tests::cluster::{ControlPlane, Write};
use mailwright_tests::harness::PATIENCE;
use serde_json::{Value, json};

use super::company::{COMPANY, Company, mailbox};

/// Whether it was only asked what would happen.
fn is_dry(write: &Write) -> bool {
    // A removal has it in its body.
    write.event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All"))
        || write.event["requestObject"]["dryRun"] == json!(["All"])
}

#[test]
fn all_or_nothing_writes_nothing_while_one_object_is_refused() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "atomic") else { return };
    let mut operator = company.operator(&["--default-service-account=deployer"]);
    operator.wait_ready();
    let spec = |more: Value| {
        let mut spec = json!({"serviceAccountName": null});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    company.mailbox("alice", "");
    company.mailbox("carol", "");
    let first = company.push("mail: alice and carol");
    company.follow(&spec(json!({"failurePolicy": "Atomic"})));
    company.applied(&first);
    company.mail.ready("mailbox/alice");
    company.mail.ready("mailbox/carol");

    // The API server refuses another address of an object, so nobody comes or goes either.
    let mark = plane.audit().mark();
    company.write("alice.yaml", &mailbox("alice", "other", ""));
    company.mailbox("bob", "");
    company.remove("carol.yaml");
    let second = company.push("mail: another address");
    let found = company.attempted(&second, "SourceBroken");
    let failures = found["status"]["failures"].as_array().unwrap();
    let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures.len(), 1, "{told:?}");
    assert_eq!(failures[0]["file"], "mail/alice.yaml");
    assert!(failures[0]["message"].as_str().unwrap().contains("address cannot be changed"), "{told:?}");
    assert_eq!(found["status"]["lastAppliedRevision"], format!("main@sha1:{first}"));
    company.look_again("now");
    assert!(company.get("mailbox/bob").is_null());
    company.everybody(&["alice", "carol"], "all or nothing");
    let written: Vec<String> =
        company.written(mark).iter().filter(|it| !is_dry(it)).map(ToString::to_string).collect();
    assert_eq!(written, Vec::<String>::new(), "nothing but questions");

    // Each for itself.
    company.follow(&spec(json!({})));
    company.mail.ready("mailbox/bob");
    company.gone("mailbox/carol");
    let found = company.until("PartiallyApplied");
    assert_eq!(found["status"]["failures"][0]["file"], "mail/alice.yaml");

    // And mended, as a whole.
    company.follow(&spec(json!({"failurePolicy": "Atomic"})));
    company.mailbox("alice", "  quota: 1Gi\n");
    let third = company.push("mail: the address again");
    company.applied(&third);
    assert_eq!(company.get("mailbox/alice")["spec"]["quota"], "1Gi");
}

#[test]
fn drift_is_shown_field_by_field_and_repaired_or_only_told() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "drift") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    company.mailbox("alice", "  displayName: Alice\n");
    let first = company.push("mail: alice");
    company.follow(&json!({"driftPolicy": "Report"}));
    let found = company.applied(&first);
    assert_eq!(condition(&found, "Drifted")["reason"], "NoDrift");

    let behind = json!({
        "metadata": {"labels": {"team": "ours"}}, "spec": {"quota": "9Gi", "displayName": "Mallory"},
    });
    company.patch("mailbox/alice", &behind);
    let told = company.mail.says(COMPANY, "Drifted", "True DriftFound", "alice@example.test");
    for field in ["spec.quota", "spec.displayName"] {
        assert!(told.contains(field), "{told}");
    }
    assert!(!told.contains("labels"), "a label that nobody declares is nobody's business: {told}");
    company.look_again("told");
    let alice = company.get("mailbox/alice");
    assert_eq!((&alice["spec"]["quota"], &alice["spec"]["displayName"]), (&json!("9Gi"), &json!("Mallory")));

    // What is declared anew is no drift any more, and what was only told is put back with it.
    company.follow(&json!({}));
    let is_back = |found: &Value| found["spec"]["quota"].is_null() && found["spec"]["displayName"] == "Alice";
    let alice = company.mail.kubectl.wait_until(&company.mail.namespace, "mailbox/alice", PATIENCE, is_back);
    assert_eq!(alice["metadata"]["labels"]["team"], "ours");
    company.mail.says(COMPANY, "Drifted", "False NoDrift", "nothing was changed");

    // Deleted by hand: made anew.
    company.mail.delete("mailbox/alice");
    company.mail.ready("mailbox/alice");
    // A change of the status is none.
    let mark = plane.audit().mark();
    let words = ["patch", "mailbox/alice", "--subresource=status", "--type=merge", "--namespace"];
    let status = json!({"status": {"observedGeneration": 0}}).to_string();
    company.mail.kubectl.run(&[&words[..], &[&company.mail.namespace, "--patch", &status]].concat()).ok();
    company.look_again("status");
    let of_the_repository = |it: &Write| !it.event["impersonatedUser"].is_null();
    assert_eq!(company.written(mark).iter().filter(|it| of_the_repository(it)).count(), 0);
}

#[test]
fn who_was_first_keeps_an_object_and_policies_are_kept() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "first") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    company.mailbox("alice", "");
    let first = company.push("mail: alice");
    let policy = json!([{
        "name": "quota", "expression": "has(object.spec.quota)", "message": "say a quota", "kinds": ["Mailbox"],
    }]);
    company.follow(&json!({"policies": policy}));
    let found = company.attempted(&first, "PartiallyApplied");
    assert!(found["status"]["failures"][0]["message"].as_str().unwrap().contains("say a quota"), "{found}");
    assert!(company.get("mailbox/alice").is_null());
    company.follow(&json!({}));
    company.applied(&first);

    // The MailServer has one from now on: the same revision is judged again.
    let server = |policies: Value| {
        let mut spec = server_spec();
        spec["policies"] = policies;
        company.mail.apply(&object("MailServer", "mail", spec));
    };
    let expression = "object.metadata.name != 'alice'";
    server(
        json!([{"name": "names", "expression": expression, "message": "not this name", "kinds": ["Mailbox"]}]),
    );
    let company_says = |expected: &str, step: &str| company.mail.says(COMPANY, "Ready", expected, step);
    company_says("False PartiallyApplied", "not this name");
    assert!(!company.get("mailbox/alice").is_null(), "what is in force stays");
    server(json!([]));
    company_says("True Reconciled", "is in force");

    // Another repository declares the same object otherwise, and another one beside it.
    let other = |text: &str| company.write("../other/alice.yaml", text);
    other(&mailbox("alice", "alice", "  quota: 2Gi\n"));
    company.write("../other/dave.yaml", &mailbox("dave", "dave", ""));
    company.push("mail: another repository");
    company.follow_as("other", &json!({"path": "other/"}));
    let told = company.mail.says(
        "mailrepository/other",
        "Ready",
        "False PartiallyApplied",
        &format!("it belongs to MailRepository {}/company", company.mail.namespace),
    );
    assert!(told.contains("other/alice.yaml:1"), "{told}");
    company.mail.ready("mailbox/dave");
    let alice = company.get("mailbox/alice");
    assert_eq!(alice["metadata"]["labels"]["mailwright.dev/repository"], "company");
    assert_eq!(alice["spec"]["quota"], Value::Null);

    // It removes nothing either that was never its own.
    std::fs::remove_file(company.tree.path().join("work/other/alice.yaml")).unwrap();
    let last = company.push("mail: without alice");
    let revision = format!("main@sha1:{last}");
    company.mail.kubectl.wait_until(&company.mail.namespace, "mailrepository/other", PATIENCE * 2, |found| {
        found["status"]["lastAppliedRevision"] == revision.as_str()
            && condition(found, "Ready")["reason"] == "Reconciled"
    });
    company.everybody(&["alice"], "of the first repository");
}
