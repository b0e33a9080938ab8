//! Guards and approvals: a plan that removes much waits, an approval names exactly that plan, and dies with it.

use mailwright_tests::cluster::ControlPlane;
use mailwright_tests::cluster::mail::condition;
use serde_json::{Value, json};

use super::company::{COMPANY, Company};

fn digest(found: &Value) -> String {
    found["status"]["plan"]["digest"].as_str().unwrap_or_else(|| panic!("no plan: {found}")).to_owned()
}

#[test]
fn a_large_removal_waits_for_an_approval_that_dies_with_its_plan() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "guarded") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    let names = ["m0", "m1", "m2", "m3", "m4", "m5"];
    names.iter().for_each(|name| company.mailbox(name, ""));
    let first = company.push("mail: six");
    company.follow(&json!({}));
    company.applied(&first);

    // Four of six: more than half. What is harmless in the same push is done.
    ["m1.yaml", "m2.yaml", "m3.yaml", "m4.yaml"].iter().for_each(|file| company.remove(file));
    company.mailbox("m0", "  quota: 1Gi\n");
    let second = company.push("mail: four leave");
    let found = company.attempted(&second, "HeldByGuard");
    let plan = &found["status"]["plan"];
    assert_eq!((&plan["held"], &plan["remove"]), (&json!(4), &json!(4)), "{plan}");
    let told = condition(&found, "PlanAccepted")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("4 of") && told.contains("more than 50 %"), "{told}");
    company.everybody(&names, "held by a guard");
    assert_eq!(company.get("mailbox/m0")["spec"]["quota"], "1Gi");
    let found = company.look_again("one");
    let old = digest(&found);

    // One more leaves, and the approval is of the plan before: it counts no more.
    company.remove("m5.yaml");
    let third = company.push("mail: five leave");
    company.attempted(&third, "HeldByGuard");
    company.annotate(&format!("mailwright.dev/approve={old}"));
    let found = company.look_again("two");
    assert_ne!(digest(&found), old);
    assert_eq!(found["status"]["plan"]["held"], 5);
    assert_eq!(condition(&found, "Ready")["reason"], "HeldByGuard");
    company.everybody(&names, "an approval of another plan");

    // A commit approves the plan as it is now.
    let message = format!("mail: they may go\n\nMailwright-Approve: {}", digest(&found));
    let fourth = company.push(&message);
    names[1..].iter().for_each(|name| company.gone(&format!("mailbox/{name}")));
    company.applied(&fourth);
    company.everybody(&["m0"], "it stays declared");

    // The same by annotation, of a plan that comes afterwards.
    ["n0", "n1", "n2"].iter().for_each(|name| company.mailbox(name, ""));
    let fifth = company.push("mail: three come");
    company.applied(&fifth);
    ["n0.yaml", "n1.yaml", "n2.yaml"].iter().for_each(|file| company.remove(file));
    let sixth = company.push("mail: and leave");
    let found = company.attempted(&sixth, "HeldByGuard");
    company.annotate(&format!("mailwright.dev/approve={}", &digest(&found)[..16]));
    company.gone("mailbox/n2");
    company.applied(&sixth);
    company.everybody(&["m0"], "it stays declared");
    company.mail.witness("while a repository removes");
}

#[test]
fn where_every_plan_is_approved_nothing_happens_before() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "approved") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    company.mailbox("alice", "");
    company.push("mail: alice");
    company.follow(&json!({"approval": "Always"}));
    let found = company.until("ApprovalNeeded");
    assert_eq!(found["status"]["plan"]["held"], 1);
    assert!(company.get("mailbox/alice").is_null());
    let digest = digest(&found);
    let approved = company.mail.plugin(&format!("approve {digest}"));
    approved.exits(0);
    company.mail.ready("mailbox/alice");
    company.until("Reconciled");
    // The next one waits again.
    company.mailbox("bob", "");
    let second = company.push("mail: bob");
    company.attempted(&second, "ApprovalNeeded");
    assert!(company.get("mailbox/bob").is_null());
    // Asked for by nobody: with mode Plan it is told and stays a plan.
    company.follow(&json!({"mode": "Plan"}));
    assert_eq!(company.until("Planned")["status"]["plan"]["create"], 1);
    company.follow(&json!({"suspend": true}));
    company.mail.says(COMPANY, "Ready", "Unknown Suspended", "suspend is set");
    assert!(company.get("mailbox/bob").is_null());
}
