//! Passes over children against an API server of the test's own: it keeps objects, counts requests and fails when told. What
//! a real one answers is asked in the project's cluster tests.

mod server;

use serde_json::json;
use server::Server;

use super::awaited::Awaited;
use super::*;
use crate::workload::names;

fn owner() -> Owner {
    Owner { namespace: "post".to_owned(), name: "mail".to_owned(), uid: "uid-1".to_owned() }
}

/// A child that says one thing, in the shape that `workload` gives it.
fn child(kind: ChildKind, name: &str, says: &str) -> Child {
    let object = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.as_str(),
        "metadata": {
            "name": name,
            "namespace": "post",
            "labels": names::labels("mail"),
            "ownerReferences": [{"apiVersion": "mailwright.dev/v1alpha1", "kind": "MailServer", "name": "mail",
                "uid": "uid-1", "controller": true}],
            "annotations": {names::APPLIED_ANNOTATION: says},
        },
        "data": {"says": says},
    });
    Child { kind, name: name.to_owned(), object }
}

fn both(says: &str) -> Vec<Child> {
    vec![child(ChildKind::ConfigMap, "mail-config", says), child(ChildKind::StatefulSet, "mail", says)]
}

const CONFIG: &str = "/api/v1/namespaces/post/configmaps/mail-config";
const SET: &str = "/apis/apps/v1/namespaces/post/statefulsets/mail";
const LMTP: &str = "/api/v1/namespaces/post/services/mail-lmtp";

fn faults(report: &Report) -> Vec<Fault> {
    report.problems.iter().map(|problem| problem.fault).collect()
}

#[tokio::test]
async fn a_second_pass_asks_nothing_and_a_change_writes_what_changed() {
    let server = Server::start().await;
    let mut children = Children::new(server.client(), owner());
    let report = children.apply(&both("one"), &[]).await;
    assert_eq!((report.written, report.problems.len()), (2, 0), "{report:?}");
    assert_eq!(
        server.requests(),
        [format!("GET {CONFIG}"), format!("PATCH {CONFIG}"), format!("GET {SET}"), format!("PATCH {SET}")]
    );
    let report = children.apply(&both("one"), &server.live()).await;
    assert_eq!((report, server.requests().len()), (Report::default(), 0));
    let mut mixed = both("one");
    mixed[0] = child(ChildKind::ConfigMap, "mail-config", "two");
    let report = children.apply(&mixed, &server.live()).await;
    assert_eq!((report.written, server.requests()), (1, vec![format!("PATCH {CONFIG}")]));
    assert_eq!(server.object(CONFIG).unwrap()["data"]["says"], "two");
}

#[tokio::test]
async fn what_was_just_written_is_seen_as_the_server_answered_it() {
    let server = Server::start().await;
    let mut children = Children::new(server.client(), owner());
    children.apply(&both("one"), &[]).await;
    let old = server.live();
    let mut mixed = both("one");
    mixed[1] = child(ChildKind::StatefulSet, "mail", "two");
    let report = children.apply(&mixed, &old).await;
    let says = |view: Vec<Live>| -> Vec<Value> {
        let seen = report.clone().over(view);
        seen.into_iter().map(|live| live.object["data"]["says"].clone()).collect()
    };
    assert_eq!(says(old), ["one", "two"], "the view is behind");
    assert_eq!(says(Vec::new()), ["two"], "the view has nothing");
    // Somebody else was there before us: what the view has is newer.
    server.put(SET, child(ChildKind::StatefulSet, "mail", "three").object);
    assert_eq!(says(server.live()), ["one", "three"]);
}

#[tokio::test]
async fn a_view_that_is_behind_writes_nothing_twice_and_removes_nothing_new() {
    let server = Server::start().await;
    let mut children = Children::new(server.client(), owner());
    children.apply(&both("one"), &[]).await;
    server.requests();
    // A view from before the first pass: what is there is found by its name.
    let report = children.apply(&both("one"), &[]).await;
    assert_eq!((report.written, server.requests().len()), (0, 2), "two looks, no write");
    assert_eq!(report.found, server.live(), "and what they showed is known");
    // A surplus that was seen in an older version than the one that is there.
    server.put(LMTP, child(ChildKind::Service, "mail-lmtp", "new").object);
    let mut old = server.live().into_iter().find(|live| live.name() == "mail-lmtp").unwrap();
    old.object["metadata"]["resourceVersion"] = json!("0");
    let report = children.apply(&[], &[old]).await;
    assert_eq!(faults(&report), [Fault::Transient]);
    assert!(server.object(LMTP).is_some());
}

#[tokio::test]
async fn surplus_goes_and_what_is_not_ours_stays() {
    let server = Server::start().await;
    let mut children = Children::new(server.client(), owner());
    server.put(LMTP, child(ChildKind::Service, "mail-lmtp", "x").object);
    let mut foreign = child(ChildKind::Service, "mail-other", "x").object;
    foreign["metadata"]["ownerReferences"] = json!([]);
    let other = "/api/v1/namespaces/post/services/mail-other";
    server.put(other, foreign);
    let report = children.apply(&[], &server.live()).await;
    assert_eq!((report.written, report.problems.len()), (1, 0));
    assert_eq!((server.object(LMTP), server.object(other).is_some()), (None, true));
    // Gone already in the meantime: that is what was wanted.
    let gone = Live { kind: ChildKind::Service, object: child(ChildKind::Service, "mail-lmtp", "x").object };
    assert_eq!(children.apply(&[], &[gone]).await.problems, []);
}

#[tokio::test]
async fn an_object_of_somebody_else_is_found_although_it_has_no_label_of_ours() {
    let server = Server::start().await;
    let mut children = Children::new(server.client(), owner());
    server.put(
        CONFIG,
        json!({"kind": "ConfigMap", "metadata": {"name": "mail-config"}, "data": {"mine": "1"}}),
    );
    let report = children.apply(&both("one"), &[]).await;
    assert_eq!((report.written, faults(&report)), (1, vec![Fault::NotOurs]), "the other child is made");
    assert!(report.refused() && !report.transient());
    assert_eq!(server.object(CONFIG).unwrap()["data"], json!({"mine": "1"}));
}

#[tokio::test]
async fn what_another_writer_makes_of_it_is_accepted_once() {
    let server = Server::start().await;
    let mut children = Children::new(server.client(), owner());
    server.rewrite("says", "from the mirror");
    let report = children.apply(&both("one"), &[]).await;
    assert_eq!((report.written, report.problems.len()), (2, 0));
    server.requests();
    assert_eq!(children.apply(&both("one"), &server.live()).await.written, 0);
    assert!(server.requests().is_empty());
    // Somebody edits it: ours again, and again what the other writer makes of it.
    let mut edited = server.object(CONFIG).unwrap();
    edited["data"]["says"] = json!("by hand");
    server.put(CONFIG, edited);
    assert_eq!(children.apply(&both("one"), &server.live()).await.written, 1);
    assert_eq!(children.apply(&both("one"), &server.live()).await.written, 0);
}

#[tokio::test]
async fn one_bad_object_holds_back_no_other_and_says_what_to_do() {
    for (code, fault, part) in [
        (409, Fault::Transient, "tried again"),
        (429, Fault::Transient, "tried again"),
        (503, Fault::Transient, "tried again"),
        (500, Fault::Transient, "the API server failed over ConfigMap mail-config"),
        (422, Fault::Refused, "change the MailServer"),
        (403, Fault::Refused, "the API server refused ConfigMap mail-config"),
    ] {
        let server = Server::start().await;
        let mut children = Children::new(server.client(), owner());
        server.fail("PATCH", CONFIG, code, 1);
        let report = children.apply(&both("one"), &[]).await;
        assert_eq!(faults(&report), [fault], "{code}");
        assert!(report.problems[0].message.contains(part), "{:?}", report.problems);
        assert!(server.object(SET).is_some(), "{code}");
        server.requests();
        let later = Utc::now() + backoff::LONGEST;
        let report = children.apply_at(&both("one"), &server.live(), later).await;
        assert_eq!((report.written, report.problems.len()), (1, 0), "{code}: mended");
    }
}

/// Passes as often as one likes: what was refused is tried when it is due, and is told in between.
#[tokio::test]
async fn what_failed_is_not_tried_in_every_pass() {
    let now = Utc::now();
    for (code, message, fault, tries) in [
        (422, "no", Fault::Refused, 12),
        (500, "etcdserver: leader changed", Fault::Refused, 12),
        (500, ".spec.x: field not declared in schema", Fault::GivenUp, attempts::ATTEMPTS as usize),
    ] {
        let server = Server::start().await;
        let mut children = Children::new(server.client(), owner());
        children.apply(&both("one")[1..], &[]).await;
        server.requests();
        server.fail_saying("PATCH", CONFIG, code, message);
        let mut last = Report::default();
        // Half an hour of passes, one every five seconds.
        for pass in 0..360 {
            let at = now + chrono::Duration::seconds(pass * 5);
            let report = children.apply_at(&both("one"), &server.live(), at).await;
            if report.written == 0 {
                last = report;
            }
        }
        assert_eq!(faults(&last), [fault], "{message}");
        let writes = server.requests().iter().filter(|request| request.contains("PATCH")).count();
        assert!((tries.min(9)..=tries + 8).contains(&writes), "{message}: {writes} writes");
        // Somebody mends it and asks.
        server.fail("PATCH", CONFIG, code, 0);
        children.try_anew();
        let report = children.apply_at(&both("one"), &server.live(), now).await;
        assert_eq!((report.written, report.problems.len()), (1, 0), "{message}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let late = api::within::<()>(Duration::from_millis(5), std::future::pending()).await;
    assert!(
        matches!(failure::classify(&late.unwrap_err()), Failure::Transient(message) if message.contains("5ms"))
    );
}

#[tokio::test]
async fn a_namespace_that_goes_and_a_server_that_is_away_are_no_refusals() {
    let server = Server::start().await;
    let mut children = Children::new(server.client(), owner());
    server.namespace_goes();
    let report = children.apply(&both("one"), &[]).await;
    assert!(report.problems.is_empty(), "everything in it is going, too: {report:?}");
    let mut children = Children::new(Server::nowhere().await, owner());
    let report = children.apply(&both("one"), &[]).await;
    assert_eq!(faults(&report), [Fault::Transient, Fault::Transient]);
    assert_eq!(report.written, 0);
}

/// What a look costs, by how the StatefulSet is and how its Service is reached.
#[tokio::test]
async fn a_look_costs_as_many_requests_as_there_are_questions() {
    let set = |ready: u32| {
        let status = json!({"observedGeneration": 1, "replicas": 1, "readyReplicas": ready});
        json!({"metadata": {"name": "mail", "generation": 1}, "status": status,
            "spec": {"serviceName": "x", "selector": {}, "template": {}}})
    };
    let service = |type_: &str, ingress: Value| json!({"metadata": {"name": "mail"}, "spec": {"type": type_}, "status": {"loadBalancer": {"ingress": ingress}}});
    let given = json!([{"ip": "192.0.2.1"}]);
    for (ready, service, requests) in [
        (1, service("LoadBalancer", given.clone()), vec![]),
        (1, service("ClusterIP", json!([])), vec![]),
        (1, service("LoadBalancer", json!([])), vec!["events"]),
        (1, service("NodePort", json!([])), vec!["pods/mail-0"]),
        (
            0,
            service("ClusterIP", json!([])),
            vec!["pods/mail-0", "persistentvolumeclaims/data-mail-0", "events", "events", "events"],
        ),
    ] {
        let server = Server::start().await;
        let live = [
            Live { kind: ChildKind::StatefulSet, object: set(ready) },
            Live { kind: ChildKind::Service, object: service },
        ];
        let (client, mut awaited) = (server.client(), Awaited::default());
        let seen = look::look(&client, &owner(), &live, &mut awaited, Utc::now()).await.unwrap();
        assert!(seen.stateful_set.is_some() && seen.service.is_some());
        let asked: Vec<String> =
            requests.iter().map(|path| format!("GET /api/v1/namespaces/post/{path}")).collect();
        assert_eq!(server.requests(), asked, "{live:?}");
    }
}
