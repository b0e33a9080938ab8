//! Tables over deciding: every state of an object at the API server against every declaration of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use mailwright_crds::{Kind, MailRepository};
use mailwright_plan::Origin;
use serde_json::{Value, json};

use super::*;

mod perturbed;

const HASH: &str = "$6$rounds=5000$saltsalt$0123456789";

fn claim() -> Claim {
    Claim { name: "company".into(), namespace: "mail".into() }
}

fn mailbox(name: &str, spec: &Value) -> Value {
    let mut whole = json!({"address": format!("{name}@example.test")});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "Mailbox",
        "metadata": {"name": name, "namespace": "mail"}, "spec": whole,
    })
}

fn alias(name: &str) -> Value {
    json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "Alias", "metadata": {"name": name, "namespace": "mail"},
        "spec": {"address": format!("{name}@example.test"), "targets": ["m0@example.test"]},
    })
}

fn kind(value: &Value) -> Kind {
    value["kind"].as_str().unwrap().parse().unwrap()
}

fn declared(value: &Value) -> Desired {
    let resource = Resource::from_value(kind(value), value.clone()).unwrap();
    Desired::new(&resource, &Origin::new("mail/x.yaml", 3))
}

/// The object as the API server has it after it was written.
fn written(value: &Value) -> Value {
    let mut object = declared(value).manifest(&claim(), "main@sha1:0", None);
    object["metadata"]["uid"] = json!("u1");
    object
}

struct Case {
    desired: Vec<Value>,
    live: Vec<Value>,
    problems: Vec<Problem>,
    unread: Unread,
    spec: Value,
    approved: Vec<String>,
}

impl Default for Case {
    fn default() -> Case {
        let spec = json!({});
        let (desired, live, problems, approved) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Case { desired, live, problems, unread: Unread::default(), spec, approved }
    }
}

impl Case {
    fn decide(&self) -> Decision {
        let mut spec = json!({"url": "https://git.example.test/x.git"});
        spec.as_object_mut().unwrap().extend(self.spec.as_object().unwrap().clone());
        let repository: MailRepository = serde_json::from_value(json!({
            "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
            "metadata": {"name": "company", "namespace": "mail"}, "spec": spec,
        }))
        .unwrap();
        let desired: Vec<Desired> = self.desired.iter().map(declared).collect();
        let live: BTreeMap<ObjectRef, Arc<Seen>> = self
            .live
            .iter()
            .map(|value| {
                let object = ObjectRef {
                    kind: kind(value),
                    namespace: value["metadata"]["namespace"].as_str().unwrap().into(),
                    name: value["metadata"]["name"].as_str().unwrap().into(),
                };
                (object, Arc::new(Seen::new(kind(value), serde_json::from_value(value.clone()).unwrap())))
            })
            .collect();
        decide(Facts {
            claim: &claim(),
            desired: &desired,
            problems: &self.problems,
            unread: &self.unread,
            live: &live,
            rules: &PlanRules::new(&repository),
            approved: &self.approved,
        })
    }
}

#[test]
fn what_turns_out_to_be_gone_is_not_removed_and_not_counted() {
    let names = ["m0", "m1", "m2", "m3"];
    let all = names.map(|name| mailbox(name, &json!({})));
    let spec = json!({"guards": {"maxRemovedPercent": 100}});
    let live = all.iter().map(written).collect();
    let case = Case { desired: all[..1].to_vec(), live, spec, ..Case::default() };
    let mut decision = case.decide();
    assert_eq!((decision.owned, said(&decision).as_str()), (4, "delete m1, delete m2, delete m3"));
    let uid = |name: &str| match name {
        "m1" => Some(Owned { uid: Some("u1".into()) }),
        "m2" => Some(Owned { uid: None }),
        _ => None,
    };
    let answers = decision.questions().into_iter().map(|object| (object.clone(), uid(&object.name)));
    decision.believe(&answers.collect());
    assert_eq!((decision.owned, said(&decision).as_str()), (3, "delete m1, delete m3"));
    let unsure: Vec<&str> = decision.unsure.iter().map(|object| &*object.name).collect();
    assert_eq!(unsure, ["m3"], "it stays, and it is told that it should not be there");
}

/// `create m0, update m1 (held)` in the order of applying.
fn said(decision: &Decision) -> String {
    assert_eq!(decision.plan.operations.len(), decision.steps.len());
    let words = decision.plan.operations.iter().map(|operation| {
        let action = serde_json::to_value(operation.action).unwrap();
        let held = if operation.held.is_some() { " (held)" } else { "" };
        let drift = if operation.drift { " (drift)" } else { "" };
        format!("{} {}{drift}{held}", action.as_str().unwrap(), operation.object.name)
    });
    words.collect::<Vec<_>>().join(", ")
}

fn with(mut value: Value, path: &str, to: Value) -> Value {
    let (parent, key) = path.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap()[key] = to;
    value
}

#[test]
fn one_object_in_every_state() {
    let plain = mailbox("m0", &json!({}));
    let quota = mailbox("m0", &json!({"quota": "1Gi"}));
    let hand_made = with(plain.clone(), "/metadata/uid", json!("u1"));
    let other = |value: Value| with(value, "/metadata/labels/mailwright.dev~1repository", json!("other"));
    let other = |value: Value| {
        let mut value = other(value);
        value["metadata"]["labels"] = json!({
            "mailwright.dev/repository": "other", "mailwright.dev/repository-namespace": "mail",
        });
        value
    };
    let going = |value: Value| with(value, "/metadata/deletionTimestamp", json!("2026-11-21T12:00:00Z"));
    for (what, desired, live, expected, problem) in [
        ("it is not there", Some(&plain), None, "create m0", ""),
        ("it is there", Some(&plain), Some(written(&plain)), "", ""),
        ("the declaration changed", Some(&quota), Some(written(&plain)), "update m0", ""),
        (
            "somebody changed it",
            Some(&plain),
            Some(with(written(&plain), "/spec/quota", json!("9Gi"))),
            "update m0 (drift)",
            "",
        ),
        (
            "somebody added a label",
            Some(&plain),
            Some(with(written(&plain), "/metadata/labels/team", json!("x"))),
            "",
            "",
        ),
        ("it was made by hand", Some(&plain), Some(hand_made.clone()), "adopt m0", ""),
        (
            "it is another repository's",
            Some(&plain),
            Some(other(written(&plain))),
            "",
            "belongs to MailRepository mail/other",
        ),
        ("it is being deleted", Some(&plain), Some(going(written(&plain))), "", "is being deleted"),
        ("it is declared no more", None, Some(written(&plain)), "delete m0", ""),
        ("it was never ours", None, Some(hand_made), "", ""),
        ("it is another's, and not declared", None, Some(other(written(&plain))), "", ""),
        ("it is going already", None, Some(going(written(&plain))), "", ""),
    ] {
        let case = Case {
            desired: desired.into_iter().cloned().collect(),
            live: live.into_iter().collect(),
            ..Case::default()
        };
        let decision = case.decide();
        assert_eq!(said(&decision), expected, "{what}");
        let problems: Vec<String> = decision.plan.problems.iter().map(ToString::to_string).collect();
        let told = problems.join("\n");
        assert!(told.contains(problem) && (told.is_empty() == problem.is_empty()), "{what}: {told}");
    }
}

#[test]
fn what_may_be_declared_where_something_is_broken_stays() {
    let live = vec![written(&mailbox("m0", &json!({}))), written(&mailbox("m1", &json!({})))];
    let m0 = ObjectRef { kind: Kind::Mailbox, namespace: "mail".into(), name: "m0".into() };
    let unread = |unread: Unread| Case {
        live: live.clone(),
        unread,
        spec: json!({"guards": {"maxRemovedPercent": 100}}),
        ..Case::default()
    };
    for (what, case, expected) in [
        ("nothing is broken", unread(Unread::default()), "delete m1, delete m0"),
        (
            "a broken object",
            unread(Unread { objects: [m0.clone()].into(), ..Unread::default() }),
            "delete m1",
        ),
        (
            "a name in a broken file",
            unread(Unread { texts: vec!["metadata: {name: m0".into()], ..Unread::default() }),
            "delete m1",
        ),
        (
            "an address in a broken file",
            unread(Unread { texts: vec!["- m1@example.test".into()], ..Unread::default() }),
            "delete m0",
        ),
        ("a file that is no text", unread(Unread { everything: true, ..Unread::default() }), ""),
        (
            "nothing is declared at all",
            unread(Unread { empty: true, ..Unread::default() }),
            "delete m1 (held), delete m0 (held)",
        ),
        ("prune is off", Case { spec: json!({"prune": false}), ..unread(Unread::default()) }, ""),
    ] {
        let decision = case.decide();
        let said = said(&decision);
        let mut words: Vec<&str> = said.split(", ").filter(|word| !word.is_empty()).collect();
        let mut expected: Vec<&str> = expected.split(", ").filter(|word| !word.is_empty()).collect();
        words.sort_unstable();
        expected.sort_unstable();
        assert_eq!(words, expected, "{what}");
        assert_eq!(decision.plan.operations.len() + decision.plan.kept.len(), 2, "{what}: each is told");
    }
}

#[test]
fn an_object_with_an_error_is_neither_written_nor_removed() {
    let plain = mailbox("m0", &json!({}));
    let object = declared(&plain).object;
    let error = |severity| Problem {
        object: Some(object.clone()),
        ..problem(&declared(&plain), severity, "x", None)
    };
    for (severity, live, expected) in [
        (Severity::Error, None, ""),
        (Severity::Error, Some(written(&mailbox("m0", &json!({"quota": "1Gi"})))), ""),
        (Severity::Warning, None, "create m0"),
    ] {
        let case = Case {
            desired: vec![plain.clone()],
            live: live.into_iter().collect(),
            problems: vec![error(severity)],
            ..Case::default()
        };
        assert_eq!(said(&case.decide()), expected, "{severity:?}");
    }
}

#[test]
fn guards_hold_removals_and_an_approval_of_this_plan_lets_them_go() {
    let live = |count: usize| {
        (0..count).map(|at| written(&mailbox(&format!("m{at}"), &json!({})))).collect::<Vec<_>>()
    };
    let kept = |from: usize, to: usize| {
        (from..to).map(|at| mailbox(&format!("m{at}"), &json!({}))).collect::<Vec<_>>()
    };
    for (what, gone, of, guards, held) in [
        ("one of two", 1, 2, json!({}), false),
        ("two of ten", 2, 10, json!({}), true),
        ("two of twenty", 2, 20, json!({}), false),
        ("three, and two are allowed", 3, 30, json!({"maxRemoved": 2, "maxRemovedPercent": 100}), true),
        ("none may go", 1, 30, json!({"maxRemoved": 0}), true),
        ("all of them", 10, 10, json!({"maxRemovedPercent": 100}), false),
    ] {
        let mut case = Case {
            desired: kept(gone, of),
            live: live(of),
            spec: json!({"guards": guards}),
            ..Case::default()
        };
        let first = case.decide();
        assert_eq!(first.plan.operations.len(), gone, "{what}");
        assert_eq!(first.plan.held().count(), if held { gone } else { 0 }, "{what}");
        case.approved = vec![first.plan.digest[..16].to_owned()];
        let approved = case.decide();
        assert_eq!(approved.plan.held().count(), 0, "{what}: approved");
        assert_eq!(approved.plan.digest, first.plan.digest, "{what}: an approval is no other plan");
        case.spec["approval"] = json!("Never");
        assert_eq!(
            case.decide().plan.held().count(),
            if held { gone } else { 0 },
            "{what}: no approval counts"
        );
    }
}

#[test]
fn the_rules_of_a_repository_hold() {
    let plain = mailbox("m0", &json!({}));
    let drifted = with(written(&plain), "/spec/quota", json!("9Gi"));
    for (what, spec, live, expected) in [
        ("every plan is approved", json!({"approval": "Always"}), None, "create m0 (held)"),
        (
            "drift is reported",
            json!({"driftPolicy": "Report"}),
            Some(drifted.clone()),
            "update m0 (drift) (held)",
        ),
        ("drift is repaired", json!({}), Some(drifted), "update m0 (drift)"),
    ] {
        let case =
            Case { desired: vec![plain.clone()], live: live.into_iter().collect(), spec, ..Case::default() };
        let decision = case.decide();
        assert_eq!(said(&decision), expected, "{what}");
    }
}

#[test]
fn domains_come_before_addresses_and_go_after_them() {
    let domain = json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailDomain", "metadata": {"name": "d", "namespace": "mail"},
        "spec": {"serverRef": {"name": "mail"}, "domain": "example.test"},
    });
    let all = vec![alias("a"), mailbox("m0", &json!({})), domain];
    let come = Case { desired: all.clone(), ..Case::default() }.decide();
    assert_eq!(said(&come), "create d, create m0, create a");
    let go = Case {
        live: all.iter().map(written).collect(),
        spec: json!({"guards": {"maxRemovedPercent": 100}}),
        ..Case::default()
    };
    assert_eq!(said(&go.decide()), "delete a, delete m0, delete d");
}

#[test]
fn a_hash_is_never_in_a_plan() {
    let hashed = |hash: &str| mailbox("m0", &json!({"credentials": {"passwordHash": hash}}));
    let case = Case {
        desired: vec![hashed(HASH)],
        live: vec![written(&hashed(&HASH.replace("0123", "3210")))],
        ..Case::default()
    };
    let decision = case.decide();
    assert_eq!(said(&decision), "update m0");
    assert!(!format!("{:?}", decision.plan).contains("saltsalt"), "{:?}", decision.plan);
}

#[test]
fn what_is_left_over_is_patched_away() {
    for (from, to, expected) in [
        (json!({"a": 1}), json!({"a": 1}), None),
        (json!({"a": 1, "b": 2}), json!({"a": 1}), Some(json!({"b": null}))),
        (json!({"a": [1, 2]}), json!({"a": [1]}), Some(json!({"a": [1]}))),
        (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 3}}), Some(json!({"a": {"b": 3, "c": null}}))),
        (json!({}), json!({"a": {"b": 3}}), Some(json!({"a": {"b": 3}}))),
        (json!({"a": 1}), json!({"a": {"b": 3}}), Some(json!({"a": {"b": 3}}))),
    ] {
        assert_eq!(merge_patch(&from, &to), expected, "{from} to {to}");
    }
}

#[test]
fn an_address_under_another_name_is_no_removal() {
    let named =
        |object: &str, address: &str| with(mailbox(object, &json!({})), "/spec/address", json!(address));
    let moved: Vec<Value> =
        (0..4).map(|at| named(&format!("n{at}"), &format!("m{at}@example.test"))).collect();
    let live: Vec<Value> = (0..4).map(|at| written(&mailbox(&format!("m{at}"), &json!({})))).collect();
    let none = json!({"guards": {"maxRemoved": 0}});
    let case = Case { desired: moved.clone(), live: live.clone(), spec: none.clone(), ..Case::default() };
    let decision = case.decide();
    let expected = "create n0, create n1, create n2, create n3, delete m0, delete m1, delete m2, delete m3";
    assert_eq!(said(&decision), expected, "no guard holds it");
    assert_eq!(decision.plan.operations[4].effect, ["its address goes on as Mailbox mail/n0"]);
    assert!(matches!(&decision.steps[4], Step::Delete { heir: Some(heir), .. } if heir.name == "n0"));

    // Whoever is to have the address cannot be written: who has it stays.
    let wrong = declared(&moved[0]);
    let problems = vec![problem(&wrong, Severity::Error, "x", None)];
    let case = Case { problems, ..case };
    let decision = case.decide();
    assert!(!said(&decision).contains("m0") && !said(&decision).contains("n0"), "{}", said(&decision));
    assert_eq!(decision.plan.kept.len(), 1);
    assert!(decision.plan.kept[0].reason.contains("of another name"), "{:?}", decision.plan.kept);

    // A real removal beside them counts alone.
    let desired = moved[..3].to_vec();
    let case = Case { desired, live, spec: none, ..Case::default() };
    assert!(said(&case.decide()).ends_with("delete m2, delete m3 (held)"), "{}", said(&case.decide()));
}
