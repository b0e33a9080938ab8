//! Who leads, with real processes and a real Lease: one of two, another one when it dies, stops or freezes, and never two; and
//! what makes a replica unready.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{ControlPlane, Operator, Options};
use mailwright_tests::harness::{PATIENCE, need, run_with_input, wait_for, wire};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

/// After a kill somebody else leads within this; with one second for what is busy on the machine of the test.
const FAILOVER: Duration = Duration::from_secs(16);

fn metric(operator: &Operator, name: &str) -> Option<f64> {
    let page = operator.metrics();
    let line = page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn leads(operator: &Operator) -> bool {
    metric(operator, "mailwright_operator_leader") == Some(1.0)
}

fn term(operator: &Operator) -> f64 {
    metric(operator, "mailwright_operator_leader_term").unwrap()
}

fn wait_until_leads(operator: &Operator) -> Duration {
    let start = Instant::now();
    wait_for("the operator to lead", PATIENCE, || leads(operator).then_some(()));
    start.elapsed()
}

fn readiness(operator: &Operator) -> String {
    wire::http_get(operator.port(), "/readyz").unwrap_or_default()
}

fn lease(plane: &ControlPlane, namespace: &str) -> Value {
    plane.kubectl().get(namespace, "lease/mailwright-operator")["spec"].clone()
}

/// A namespace with a leader and a follower.
fn two(plane: &ControlPlane) -> (String, Operator, Operator) {
    let namespace = plane.kubectl().namespace("leader");
    let start = || plane.operator(plane.admin(), &namespace, &["--watch-namespace", &namespace]);
    let first = start();
    wait_until_leads(&first);
    let second = start();
    wait_for("the second to look at the lease", PATIENCE, || {
        readiness(&second).contains("[+] lease: ok").then_some(())
    });
    assert!(leads(&first) && !leads(&second));
    (namespace, first, second)
}

#[test]
fn another_replica_takes_over_when_the_leader_dies() {
    let Some(plane) = ControlPlane::shared() else { return };
    let (namespace, mut first, second) = two(plane);
    let (before, at) = (term(&first), lease(plane, &namespace));
    first.kill();
    let took = wait_until_leads(&second);
    assert!(took <= FAILOVER, "{took:?}");
    assert_eq!(term(&second), before + 1.0);
    let now = lease(plane, &namespace);
    assert_ne!(now["holderIdentity"], at["holderIdentity"]);
    assert_eq!(now["leaseDurationSeconds"], 10);
}

#[test]
fn a_leader_that_stops_gives_the_lease_back_at_once() {
    let Some(plane) = ControlPlane::shared() else { return };
    let (namespace, mut first, second) = two(plane);
    first.signal("TERM");
    let status = first.wait(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", first.log());
    let took = wait_until_leads(&second);
    // It did not have to wait for the lease to expire.
    assert!(took < Duration::from_secs(7), "{took:?}");

    let mut last = second;
    last.signal("TERM");
    last.wait(PATIENCE);
    let lease = lease(plane, &namespace);
    assert_eq!((&lease["holderIdentity"], &lease["leaseDurationSeconds"]), (&json!(""), &json!(1)));
}

#[test]
fn a_frozen_leader_ends_when_it_wakes() {
    let Some(plane) = ControlPlane::shared() else { return };
    let (_, mut first, second) = two(plane);
    let before = term(&first);
    first.signal("STOP");
    let took = wait_until_leads(&second);
    assert!(took <= FAILOVER, "{took:?}");
    assert!(term(&second) > before);
    first.signal("CONT");
    let status = first.wait(PATIENCE);
    assert_eq!(status.code(), Some(1));
    assert!(first.log().contains("leadership was lost"), "{}", first.log());
    assert!(leads(&second));
}

#[test]
fn a_deleted_lease_does_not_make_terms_begin_anew() {
    let Some(plane) = ControlPlane::shared() else { return };
    let (namespace, mut first, second) = two(plane);
    let before = term(&first);
    plane.kubectl().run(&["delete", "lease", "mailwright-operator", "--namespace", &namespace]).ok();
    assert_eq!(first.wait(PATIENCE).code(), Some(1));
    assert!(first.log().contains("the lease was deleted"), "{}", first.log());
    wait_until_leads(&second);
    assert!(term(&second) > before);
}

#[test]
fn without_the_right_to_the_lease_a_replica_says_so() {
    let Some(plane) = ControlPlane::shared() else { return };
    let kubectl = plane.kubectl();
    let namespace = kubectl.namespace("leader");
    kubectl.run(&["create", "serviceaccount", "nobody", "--namespace", &namespace]).ok();
    let config = plane.service_account(&namespace, "nobody");
    let operator = plane.operator(&config, &namespace, &["--watch-namespace", &namespace]);
    let said = wait_for("the replica to be refused", PATIENCE, || {
        Some(readiness(&operator)).filter(|text| text.contains("forbids the lease"))
    });
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(said.contains("needs get, create and update on leases"), "{said}");
    assert!(wire::http_get(operator.port(), "/livez").unwrap().starts_with("HTTP/1.1 200"));
    assert!(metric(&operator, "mailwright_operator_lease_failures_total").unwrap() >= 1.0);
}

#[test]
fn definitions_that_are_missing_or_old_make_a_replica_unready_until_they_are_upgraded() {
    // A cluster of its own: its definitions come and go.
    let Some(plane) = ControlPlane::start(&Options::default()) else { return };
    let kubectl = plane.kubectl();
    let namespace = kubectl.namespace("leader");
    let mut operator = plane.operator(plane.admin(), &namespace, &[]);
    let says = |text: &str| {
        wait_for(text, PATIENCE, || Some(readiness(&operator)).filter(|page| page.contains(text)))
    };
    let page = says("mailboxes.mailwright.dev is not installed");
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    assert!(page.contains("helm upgrade --install mailwright-crds"), "{page}");
    let mailboxes = "mailwright_operator_definition_current{resource=\"mailboxes\"}";
    assert_eq!(metric(&operator, mailboxes), Some(0.0));

    plane.install_crds();
    says("[+] definitions: ok");
    assert_eq!(metric(&operator, mailboxes), Some(1.0));

    let quota = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/quota";
    let older = json!([{"op": "remove", "path": quota}]).to_string();
    kubectl.run(&["patch", "crd", "mailboxes.mailwright.dev", "--type=json", "--patch", &older]).ok();
    // It is looked at every 20 s while all is well.
    let page =
        wait_for("the older definition to be noticed", 2 * PATIENCE.max(Duration::from_secs(60)), || {
            Some(readiness(&operator)).filter(|page| page.contains("lacks spec.quota"))
        });
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    plane.install_crds();
    says("[+] definitions: ok");
    operator.wait_ready();

    let events = kubectl.list(&namespace, "events");
    let reasons: Vec<&str> = events.iter().filter_map(|event| event["reason"].as_str()).collect();
    for reason in ["DefinitionsOutdated", "DefinitionsCurrent"] {
        assert!(reasons.contains(&reason), "{reason} is not among {reasons:?}");
    }
}

#[test]
fn what_a_replica_serves_pleases_prometheus() {
    let Some(plane) = ControlPlane::shared() else { return };
    if !need(&["promtool"]) {
        return;
    }
    let namespace = plane.kubectl().namespace("leader");
    let operator = plane.operator(plane.admin(), &namespace, &["--watch-namespace", &namespace]);
    wait_until_leads(&operator);
    let answer = operator.metrics();
    let (_, page) = answer.split_once("\r\n\r\n").unwrap();
    let judged = run_with_input(Command::new("promtool").args(["check", "metrics"]), page).ok();
    assert_eq!(judged.all().trim(), "");
}
