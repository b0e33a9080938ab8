//! Every decision, by what is desired and what is there.

use serde_json::json;

use super::*;

fn owner() -> Owner {
    Owner { namespace: "post".to_owned(), name: "mail".to_owned(), uid: "uid-1".to_owned() }
}

fn controller(kind: &str, name: &str, uid: &str) -> Value {
    json!([{"apiVersion": "x/v1", "kind": kind, "name": name, "uid": uid, "controller": true}])
}

fn ours() -> Value {
    controller("MailServer", "mail", "uid-1")
}

/// A ConfigMap as it would be desired, with one value.
fn desired(value: &str) -> Child {
    let object = json!({
        "metadata": {"name": "mail-config", "labels": names::labels("mail"), "ownerReferences": ours()},
        "data": {"server.json": value},
    });
    Child { kind: ChildKind::ConfigMap, name: "mail-config".to_owned(), object }
}

fn live(value: &str, owners: Value) -> Live {
    let mut object = desired(value).object;
    object["metadata"]["ownerReferences"] = owners;
    object["metadata"]["uid"] = json!("x");
    Live { kind: ChildKind::ConfigMap, object }
}

#[test]
fn what_is_ours_is_kept_or_written() {
    let child = desired("a");
    let decided = |live: Option<&Live>| decide(&owner(), Some(&child), live, None);
    assert_eq!(decided(None), Decision::Apply);
    assert_eq!(decided(Some(&live("a", ours()))), Decision::Keep);
    assert_eq!(decided(Some(&live("b", ours()))), Decision::Apply);
    assert_eq!(decided(Some(&live("a", json!([])))), Decision::Apply, "labelled as ours: adopted");
    assert_eq!(decide(&owner(), None, None, None), Decision::Keep);
}

#[test]
fn what_another_writer_settled_is_left_until_something_changes() {
    let (child, live) = (desired("a"), live("mirror/a", ours()));
    let settled = project(&live.object, &child.object);
    assert_eq!(decide(&owner(), Some(&child), Some(&live), Some(&settled)), Decision::Keep);
    assert_eq!(decide(&owner(), Some(&desired("b")), Some(&live), None), Decision::Apply);
    let mut edited = live.clone();
    edited.object["data"]["server.json"] = json!("by hand");
    assert_eq!(decide(&owner(), Some(&child), Some(&edited), Some(&settled)), Decision::Apply);
}

#[test]
fn what_is_not_ours_is_never_written() {
    let unlabelled = |owners: Value| {
        let mut live = live("a", owners);
        live.object["metadata"]["labels"] = json!({"app": "mine"});
        live
    };
    for (live, part) in [
        (
            unlabelled(json!([])),
            "ConfigMap mail-config exists and belongs to nobody, not to MailServer mail; delete it, or",
        ),
        (
            unlabelled(controller("Deployment", "web", "uid-7")),
            "belongs to Deployment web, not to MailServer mail",
        ),
        (
            live("b", controller("MailServer", "other", "uid-2")),
            "belongs to MailServer other, not to MailServer mail",
        ),
    ] {
        match decide(&owner(), Some(&desired("a")), Some(&live), None) {
            Decision::Refuse(message) => assert!(message.contains(part), "{message}"),
            other => panic!("{other:?} for {live:?}"),
        }
    }
}

#[test]
fn what_is_going_is_waited_for() {
    let mut going = live("a", ours());
    going.object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let earlier = live("a", controller("MailServer", "mail", "uid-0"));
    for (live, part) in [(going, "is being removed"), (earlier, "an earlier MailServer mail")] {
        match decide(&owner(), Some(&desired("a")), Some(&live), None) {
            Decision::Wait(message) => assert!(message.contains(part), "{message}"),
            other => panic!("{other:?} for {live:?}"),
        }
    }
}

#[test]
fn only_our_own_surplus_is_removed() {
    let mut unlabelled = live("a", ours());
    unlabelled.object["metadata"]["labels"]["mailwright.dev/server"] = json!("other");
    let mut going = live("a", ours());
    going.object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    for (live, expected, why) in [
        (live("a", ours()), Decision::Delete, "ours"),
        (live("a", json!([])), Decision::Keep, "labelled, but nobody's"),
        (
            live("a", controller("MailServer", "mail", "uid-0")),
            Decision::Keep,
            "an earlier server's: the garbage collector's",
        ),
        (unlabelled, Decision::Keep, "controlled by us, labelled as another's"),
        (going, Decision::Keep, "going already"),
    ] {
        assert_eq!(decide(&owner(), None, Some(&live), None), expected, "{why}");
    }
}
