//! The test bench itself: a control plane, its certificates, its audit log, and what is left of it afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{ControlPlane, Write};
use mailwright_tests::harness::wait_for;
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(60);

#[test]
fn the_definitions_are_served_and_an_unknown_field_is_not() {
    let Some(plane) = ControlPlane::shared() else { return };
    plane.install_crds();
    let kubectl = plane.kubectl();
    let served = kubectl.run(&["api-resources", "--api-group=mailwright.dev", "--output=name"]).ok().stdout;
    for kind in ["mailservers", "maildomains", "mailboxes", "aliases"] {
        assert!(served.contains(&format!("{kind}.mailwright.dev")), "{served}");
    }
    let namespace = kubectl.namespace("bench");
    let manifest = |field: &str| {
        format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {{name: sales, namespace: {namespace}}}\n\
             spec: {{address: sales@example.test, targets: [alice@example.test], {field}: true}}\n"
        )
    };
    kubectl.apply(&manifest("enabled"));
    assert_ne!(kubectl.apply_with(&manifest("enabeld"), &[]).code, Some(0));
}

#[test]
fn the_audit_log_tells_who_wrote_and_who_was_refused() {
    let Some(plane) = ControlPlane::shared() else { return };
    let kubectl = plane.kubectl();
    let namespace = kubectl.namespace("bench");
    kubectl.run(&["create", "serviceaccount", "reader", "--namespace", &namespace]).ok();
    let reader = plane.kubectl_as(&plane.service_account(&namespace, "reader"));
    let user = format!("system:serviceaccount:{namespace}:reader");
    let mark = plane.audit().mark();
    let create = ["create", "configmap", "note", "--from-literal=key=value", "--namespace", &namespace];
    assert!(reader.run(&create).exits(1).says("orbidden").all().contains(&user));
    assert!(reader.run(&["get", "secrets", "--namespace", &namespace]).exits(1).all().contains("orbidden"));
    kubectl.run(&create).ok();
    let here = |list: Vec<Write>| -> Vec<_> {
        let ours = list.into_iter().filter(|write| write.namespace == namespace && !write.is_of_kubernetes());
        ours.map(|write| (write.user, write.verb, write.resource, write.code)).collect()
    };
    let entry = |user: &str, verb: &str, resource: &str, code| {
        (user.to_owned(), verb.to_owned(), resource.to_owned(), code)
    };
    assert_eq!(
        here(plane.audit().forbidden_since(mark)),
        [entry(&user, "create", "configmaps", 403), entry(&user, "list", "secrets", 403)]
    );
    assert_eq!(
        here(plane.audit().writes_since(mark)),
        [entry(&user, "create", "configmaps", 403), entry("admin", "create", "configmaps", 201)]
    );
}

#[test]
fn controllers_run_what_is_owned_goes_with_its_owner_and_namespaces_end() {
    let Some(plane) = ControlPlane::shared() else { return };
    let kubectl = plane.kubectl();
    let namespace = kubectl.namespace("bench");
    kubectl.run(&["create", "deployment", "web", "--image=localhost/none", "--namespace", &namespace]).ok();
    let count = |kind| kubectl.list(&namespace, kind).len();
    wait_for("a pod", SECONDS, || (count("pods") == 1).then_some(()));
    kubectl.run(&["delete", "deployment", "web", "--namespace", &namespace]).ok();
    wait_for("what it owned to go", SECONDS, || (count("replicasets") + count("pods") == 0).then_some(()));
    kubectl.run(&["delete", "namespace", &namespace, "--timeout=60s"]).ok();
    assert!(kubectl.get("default", &format!("namespace/{namespace}")).is_null());
}

#[test]
fn secrets_are_not_in_the_audit_log() {
    let Some(plane) = ControlPlane::shared() else { return };
    let kubectl = plane.kubectl();
    let namespace = kubectl.namespace("bench");
    let mark = plane.audit().mark();
    let sentinel = "c2VudGluZWwtcGFzc3dvcmQ";
    kubectl.apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: {namespace}}}\nstringData: {{p: {sentinel}}}\n"
    ));
    let seen = plane.audit().writes_since(mark);
    assert!(seen.iter().any(|write| write.resource == "secrets" && write.namespace == namespace));
    assert!(!plane.audit().text().contains(sentinel));
}
