//! Renderings: the same plan as text, in colour and as JSON; and how problems and guards read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::{Guard, Observed, Origin, Plan, Problem, ProblemCode, Severity, plan, render};
use serde_json::Value;
use support::{BASE, running, with};

/// A plan with something in each of its parts.
fn everything() -> Plan {
    let before = with(
        "Mailbox carol {address: carol@two.test, credentials: {secretRef: {name: p}}}\n\
         Mailbox dave {address: dave@two.test}\nMailbox erin {address: erin@two.test}\nSecret p {password: one}\n# other.yaml\n\
         Mailbox frank {address: frank@two.test}",
    );
    let after = BASE
        .replace("postmaster2 ", "renamed ")
        .replace("bob@one.test}", "bob@one.test, quota: 1Gi}")
        + "# more.yaml\nMailbox carol {address: carol@two.test, credentials: {secretRef: {name: p}}}\nSecret p {password: two}\n\
           Alias team {address: team@two.test, targets: [nobody@two.test]}\nMailbox gina {address: gina@two.test, credentials: {secretRef: {name: none}}}\n\
           # other.yaml\nbroken frank: [\n";
    let settings = support::settings("git", support::start());
    plan(&support::catalog(&after), &running(&before), &settings)
}

#[test]
fn text_and_json() {
    let plan = everything();
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("everything_text", render::text(&plan, false));
        insta::assert_snapshot!("everything_json", render::json(&plan));
    });
}

#[test]
fn colours_only_colour() {
    let plan = everything();
    let coloured = render::text(&plan, true);
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, render::text(&plan, false));
    assert_ne!(coloured, plain);
    assert!(coloured.contains("\x1b[32m+ create\x1b[0m Mailbox default/gina"));
    assert!(coloured.contains("\x1b[31m- disable\x1b[0m"));
}

#[test]
fn json_is_the_wire_format_with_a_summary_and_without_fingerprints() {
    let plan = everything();
    let document: Value = serde_json::from_str(&render::json(&plan)).unwrap();
    assert_eq!(document["digest"], plan.digest.as_str());
    assert_eq!(document["summary"]["operations"]["create"], 1);
    assert_eq!(document["summary"]["held"], 2);
    assert_eq!(document["summary"]["errors"], 2);
    assert_eq!(document["summary"]["warnings"], 1);
    assert_eq!(document["operations"].as_array().unwrap().len(), plan.operations.len());
    let text = render::json(&plan);
    for secret in ["one", "two"] {
        assert!(!text.contains(&mailwright_plan::fingerprint(&support::KEY, secret.as_bytes())));
    }
    let wire = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&wire).unwrap(), plan, "a plan survives the wire");
}

#[test]
fn nothing_to_do_is_three_lines() {
    let plan = plan(&support::catalog(BASE), &running(BASE), &support::settings("git", support::start()));
    assert_eq!(
        render::text(&plan, false),
        format!("Plan for git: nothing to do\n\n0 operations. Digest {}\n", &plan.digest[..16])
    );
    assert_eq!(render::problems(&plan.problems, false), "");
    assert_eq!(
        plan,
        mailwright_plan::plan(
            &support::catalog(BASE),
            &running(BASE),
            &support::settings("git", support::start())
        )
    );
}

#[test]
fn digests_follow_what_is_done_and_nothing_else() {
    let digest = |repository: &str, observed: &Observed, source: &str| {
        plan(&support::catalog(repository), observed, &support::settings(source, support::start())).digest
    };
    let empty = Observed::default();
    let base = digest(BASE, &empty, "git");
    assert_eq!(base, digest(&BASE.replace("# base.yaml\n", "# base.yaml\n\n"), &empty, "git"), "lines moved");
    assert_eq!(base, digest(&with("Mailbox bad {address: bad@none.test}"), &empty, "git"), "another problem");
    for (repository, source) in [
        (BASE.replace("# base.yaml", "# other.yaml"), "git"),
        (BASE.replace("alice@one.test}", "alice@one.test, quota: 1Gi}"), "git"),
        (with("Mailbox carol {address: carol@one.test}"), "git"),
        (BASE.to_owned(), "other"),
    ] {
        assert_ne!(base, digest(&repository, &empty, source), "{repository} {source}");
    }
    assert_ne!(base, digest(BASE, &running(BASE), "git"));
}

#[test]
fn problems_read_as_one_line() {
    let problem = |origin: Option<Origin>, field: &str, severity, remedy: Option<&str>| Problem {
        origin,
        object: Some(support::object("Mailbox", "alice")),
        field: field.into(),
        code: ProblemCode::Invalid,
        severity,
        message: "is wrong".into(),
        remedy: remedy.map(str::to_owned),
    };
    let at = |line| Some(Origin::new("a.yaml", line));
    for (problem, text) in [
        (
            problem(at(3), "spec.quota", Severity::Error, Some("write 1Gi")),
            "a.yaml:3: spec.quota: is wrong; write 1Gi",
        ),
        (problem(at(3), "", Severity::Warning, None), "a.yaml:3: warning: is wrong"),
        (problem(at(0), "", Severity::Error, None), "a.yaml: is wrong"),
        (problem(None, "spec", Severity::Error, None), "Mailbox default/alice: spec: is wrong"),
    ] {
        assert_eq!(problem.to_string(), text);
        assert_eq!(problem.is_error(), problem.severity == Severity::Error);
        let coloured = render::problems(std::slice::from_ref(&problem), true);
        assert_eq!(coloured.contains("\x1b[31m"), problem.is_error());
    }
}

#[test]
fn guards_say_why_and_what_to_do() {
    let digest = "0123456789abcdef0123";
    for (guard, text, remedy) in [
        (
            Guard::Share { removed: 2, recent: 0, managed: 9, limit: 10 },
            "2 of 9 objects would be removed or disabled, more than 10 %",
            "if that is meant: --approve 0123456789abcdef",
        ),
        (
            Guard::Count { removed: 21, recent: 0, limit: 20 },
            "21 objects would be removed or disabled, more than 20",
            "if that is meant: --approve 0123456789abcdef",
        ),
        (
            Guard::LastTarget { alias: "team@a.test".into() },
            "team@a.test would lose its last target",
            "if that is meant: --approve 0123456789abcdef",
        ),
        (
            Guard::EmptySource,
            "the source declares nothing at all; an empty source removes nothing",
            "check branch and path; to remove everything, leave the MailServer declared",
        ),
        (
            Guard::Protected { address: "postmaster@a.test".into() },
            "postmaster@a.test must keep accepting mail",
            "no approval lifts this: declare another way for postmaster@a.test to reach an enabled mailbox",
        ),
        (
            Guard::After { subject: "a.test".into() },
            "it depends on a.test, which is held back",
            "it is applied together with that",
        ),
        (
            Guard::Approval { digest: digest.to_owned() },
            "every plan has to be approved, and 0123456789abcdef… is not",
            "if that is meant: --approve 0123456789abcdef",
        ),
    ] {
        assert_eq!((guard.to_string().as_str(), guard.remedy(digest).as_str()), (text, remedy));
        assert_eq!(guard.can_be_approved(), remedy.contains("--approve"));
        let wire = serde_json::to_value(&guard).unwrap();
        assert_eq!(serde_json::from_value::<Guard>(wire).unwrap(), guard);
    }
}
