//! What goes wrong at the source is told, removes nothing, and leaves what is in force in force, the repair of drift included.

use mailwright_tests::cluster::ControlPlane;
use mailwright_tests::cluster::mail::condition;
use mailwright_tests::harness::PATIENCE;
use serde_json::{Value, json};

use super::company::{COMPANY, Company};

const NAMES: [&str; 4] = ["m0", "m1", "m2", "m3"];

#[test]
fn a_source_that_cannot_be_read_leaves_everything_and_drift_is_put_back() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "unread") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    NAMES.iter().for_each(|name| company.mailbox(name, ""));
    let first = company.push("mail: four");
    company.follow(&json!({}));
    company.applied(&first);
    for (spec, reason, step) in [
        (json!({"ref": {"branch": "other"}}), "RefNotFound", "there is no branch other"),
        (
            json!({"secretRef": {"name": "git"}, "url": "https://git.example.test/x.git"}),
            "SecretNotFound",
            "make it",
        ),
        (json!({"path": "nowhere/"}), "SourceEmpty", "nowhere"),
        (json!({"url": "http://127.0.0.1:1/mail.git"}), "FetchFailed", "the last state stays in force"),
    ] {
        company.follow(&spec);
        let told = company.mail.says(COMPANY, "Ready", &format!("False {reason}"), step);
        company.everybody(&NAMES, &told);
    }
    company.patch("mailbox/m0", &json!({"spec": {"quota": "9Gi", "displayName": "Somebody"}}));
    let is_back = |found: &Value| found["spec"]["quota"].is_null() && found["spec"]["displayName"].is_null();
    company.mail.kubectl.wait_until(&company.mail.namespace, "mailbox/m0", PATIENCE, is_back);
    assert_eq!(condition(&company.get(COMPANY), "Ready")["reason"], "FetchFailed");
    company.follow(&json!({}));
    company.until("Reconciled");
}

#[test]
fn a_broken_file_holds_back_nothing_else_and_counts_as_no_removal() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "slip") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    NAMES.iter().for_each(|name| company.mailbox(name, ""));
    let first = company.push("mail: four");
    // Nobody may be removed here, so a file that counted as removed would be held and told.
    company.follow(&json!({"guards": {"maxRemoved": 0}}));
    company.applied(&first);

    company.write("m0.yaml", "kind: [Mailbox\nmetadata: {name: m0\n");
    company.write(
        "m1.yaml",
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: m1}\nspec: {adress: x}\n",
    );
    company.mailbox("m4", "");
    let second = company.push("mail: a slip");
    let found = company.attempted(&second, "PartiallyApplied");
    let failures = found["status"]["failures"].as_array().unwrap();
    let mut files: Vec<&str> = failures.iter().map(|it| it["file"].as_str().unwrap()).collect();
    files.dedup();
    assert_eq!(files, ["mail/m0.yaml", "mail/m1.yaml"], "{failures:?}");
    assert!(failures.iter().all(|it| it["line"].as_i64().is_some_and(|line| line > 0)), "{failures:?}");
    let status = &found["status"];
    assert_eq!(status["lastAppliedRevision"], format!("main@sha1:{second}"), "as far as it can be");
    assert_eq!((&status["plan"]["remove"], &status["plan"]["held"]), (&json!(0), &json!(0)), "{status}");
    assert_eq!(condition(&found, "PartiallyApplied")["status"], "True");
    company.mail.ready("mailbox/m4");
    company.everybody(&NAMES, "broken files");

    company.mailbox("m0", "");
    company.mailbox("m1", "  quota: 1Gi\n");
    let third = company.push("mail: mended");
    let found = company.applied(&third);
    assert_eq!(found["status"]["failures"].as_array().map_or(0, Vec::len), 0);
    assert_eq!(company.get("mailbox/m1")["spec"]["quota"], "1Gi");
}

#[test]
fn a_history_that_was_rewritten_is_taken_with_allow_rewind_only() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "rewound") else { return };
    let mut operator = company.operator(&[]);
    operator.wait_ready();
    company.mailbox("m0", "");
    let first = company.push("mail: one");
    company.follow(&json!({}));
    company.applied(&first);
    company.mailbox("m1", "");
    let second = company.push("mail: two");
    company.applied(&second);

    // An older revision is pushed over the newer one: what was applied stays.
    let work = company.tree.path().join("work");
    mailwright_tests::harness::git(&work, &["reset", "-q", "--hard", &first]);
    mailwright_tests::harness::git(
        &work,
        &["push", "-q", "--force", &company.git.url(), "HEAD:refs/heads/main"],
    );
    let found = company.until("RevisionRewound");
    let applied = |found: &Value| found["status"]["lastAppliedRevision"].clone();
    assert_eq!(applied(&found), format!("main@sha1:{second}"));
    company.everybody(&["m0", "m1"], "an older revision");

    // Another history, and another process looks at it.
    std::fs::remove_dir_all(work.join(".git")).unwrap();
    company.mailbox("m2", "");
    let third = company.push("mail: another history");
    let _operator = company.another(operator);
    let found = company.attempted(&third, "RevisionRewound");
    assert_eq!(applied(&found), format!("main@sha1:{second}"));
    company.everybody(&["m0", "m1"], "another history");
    assert!(company.get("mailbox/m2").is_null());

    company.follow(&json!({"allowRewind": true}));
    company.applied(&third);
    company.gone("mailbox/m1");
    company.everybody(&["m0", "m2"], "the rewound revision is in force");
}
