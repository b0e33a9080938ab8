//! What is pushed becomes objects of the cluster, written in the name of a ServiceAccount and with its rights.

use mailwright_tests::cluster::{ControlPlane, Mark};
use mailwright_tests::harness::{PATIENCE, wait_for};
use serde_json::json;

use super::company::{COMPANY, Company};

#[test]
fn what_is_pushed_becomes_objects_and_what_leaves_is_removed() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "followed") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    company.mailbox("alice", "");
    company.mailbox("bob", "");
    company.write(
        "team.yaml",
        "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {name: team}\nspec: {address: team@example.test, targets: \
         [alice@example.test, bob@example.test]}\n",
    );
    let first = company.push("mail: three");
    company.follow(&json!({}));
    let found = company.applied(&first);
    let status = &found["status"];
    assert_eq!((&status["inventory"], &status["plan"]["create"]), (&json!(3), &json!(3)), "{status}");
    assert_eq!(status["history"][0]["author"], "alice <alice@example.test>");
    let alice = company.get("mailbox/alice");
    assert_eq!(alice["metadata"]["labels"]["mailwright.dev/repository"], "company");
    let source = alice["metadata"]["annotations"]["mailwright.dev/source"].as_str().unwrap();
    assert_eq!(source, format!("mail/alice.yaml:1 at main@sha1:{first}"));
    company.mail.ready("mailbox/alice");
    wait_for("alice to log in", PATIENCE, || (company.mail.logs_in("alice") == Some(true)).then_some(()));

    // As the account, and not as the operator.
    let user = format!("system:serviceaccount:{}:deployer", company.mail.namespace);
    let mut written = company.written(Mark::default()).into_iter();
    assert!(
        written.any(|it| it.name == "alice" && it.event["impersonatedUser"]["username"] == user.as_str())
    );

    // Nothing changes: nothing is written.
    let before = company.versions();
    let mark = plane.audit().mark();
    let asked = company.git.fetches();
    company.git.wait_fetched(asked + 2, PATIENCE * 2);
    assert_eq!(company.versions(), before);
    let wrote = company.written(mark);
    assert_eq!(wrote.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());

    // One changes, one leaves, one comes.
    company.mailbox("alice", "  quota: 1Gi\n");
    company.remove("bob.yaml");
    company.mailbox("carol", "");
    let second = company.push("mail: bob leaves");
    let found = company.applied(&second);
    assert_eq!(found["status"]["plan"]["remove"], 1, "{}", found["status"]);
    company.gone("mailbox/bob");
    assert_eq!(company.get("mailbox/alice")["spec"]["quota"], "1Gi");
    company.mail.ready("mailbox/carol");

    // The MailRepository goes, and what it declared stays.
    company.mail.delete(COMPANY);
    for name in ["mailbox/alice", "mailbox/carol", "alias/team"] {
        assert!(!company.get(name).is_null(), "{name}");
    }
    company.mail.witness("after the repository");
}

#[test]
fn who_applies_may_do_what_the_account_may_and_no_more() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "rights") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    company.mailbox("alice", "");
    company.push("mail: alice");
    company.follow(&json!({"serviceAccountName": null}));
    company.mail.says(COMPANY, "Ready", "False AccessDenied", "serviceAccountName is missing");
    company.follow(&json!({"serviceAccountName": "nobody"}));
    let told = company.mail.says(COMPANY, "Ready", "False AccessDenied", "bind a Role");
    assert!(told.contains(&format!("{}/nobody may not patch mailboxes", company.mail.namespace)), "{told}");
    assert!(company.get("mailbox/alice").is_null());

    // Mailboxes, and no MailDomains: what is allowed is applied, and the rest is told with its line.
    company.write(
        "second.yaml",
        "apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {name: second}\nspec: {serverRef: {name: mail}, domain: \
         second.test}\n",
    );
    company.push("mail: a domain");
    company.follow(&json!({}));
    let found = company.until("PartiallyApplied");
    let failure = &found["status"]["failures"][0];
    assert_eq!((&failure["file"], &failure["line"]), (&json!("mail/second.yaml"), &json!(1)), "{failure}");
    assert!(failure["message"].as_str().unwrap().contains("may not patch maildomains"), "{failure}");
    company.mail.ready("mailbox/alice");
    company.allow(&["mailboxes", "aliases", "maildomains"]);
    company.look_again("now");
    company.until("Reconciled");
    company.mail.ready("maildomain/second");
}
