//! What happens to mail when something goes away, with a real API server, the operator as a process and the mail server it
//! makes: the deletion table of docs/kubernetes.md line by line, and that nothing is written when nothing changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod deletion;

use std::time::Duration;

use bench::{Cluster, PASSWORD, condition, domain, mailbox, secret, server};
use mailwright_tests::cluster::ControlPlane;
use mailwright_tests::harness::{PATIENCE, wait_for};

#[test]
fn nothing_is_written_when_nothing_changed_and_no_secret_is_said() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mut cluster = Cluster::installed(plane);
    cluster.wait_for_login("alice", true);
    cluster.kubectl.wait_until(&cluster.namespace, "mailserver/mail", PATIENCE, |server| {
        condition(server, "WorkloadsAvailable")["status"] != "False"
            && condition(server, "Reconciling").is_null()
    });
    cluster.kubectl.wait_until(&cluster.namespace, "maildomain/example", PATIENCE, |domain| {
        domain["metadata"]["finalizers"].is_array()
    });
    std::thread::sleep(Duration::from_secs(2));
    let mark = plane.audit().mark();
    for object in
        [secret(), server(), domain(), mailbox("postmaster", "Disable"), mailbox("alice", "Disable")]
    {
        cluster.apply(&object);
    }
    cluster.restart_operator();
    std::thread::sleep(Duration::from_secs(7));
    let writes = plane.audit().writes_since(mark);
    let ours = writes.iter().filter(|write| {
        [&cluster.namespace, &cluster.operator_namespace].contains(&&write.namespace)
            && !write.is_of_kubernetes()
            && !write.agent.starts_with("kubectl")
            && !["leases", "pods", "pods/status", "pods/binding"].contains(&write.resource.as_str())
    });
    let ours: Vec<String> = ours.map(ToString::to_string).collect();
    assert_eq!(ours, Vec::<String>::new(), "a second time, and a restart, write nothing");

    let everything = cluster.kubectl.run(&[
        "get",
        "mailservers,maildomains,mailboxes,aliases,events,configmaps,statefulsets,pods",
        "--output=yaml",
        "--namespace",
        &cluster.namespace,
    ]);
    for (what, text) in [
        ("objects and events", everything.ok().stdout),
        ("the log", cluster.operator.log()),
        ("the metrics", cluster.operator.metrics()),
    ] {
        assert!(!text.contains(PASSWORD), "{what} hold a password");
    }
}

#[test]
fn a_domain_waits_for_its_addresses_and_a_server_leaves_its_volume() {
    let Some(plane) = ControlPlane::shared() else { return };
    let cluster = Cluster::installed(plane);
    let delete = ["delete", "maildomain/example", "--wait=false", "--namespace", &cluster.namespace];
    cluster.kubectl.run(&delete).ok();
    cluster.kubectl.wait_until(&cluster.namespace, "maildomain/example", PATIENCE, |domain| {
        condition(domain, "DeletionBlocked")["status"] == "True"
    });
    cluster.wait_for_login("alice", true);
    cluster.delete("mailbox/alice");
    cluster.delete("mailbox/postmaster");
    cluster.delete("maildomain/example");

    // The server first, the rest stays declared.
    cluster.apply(&domain());
    cluster.apply(&mailbox("postmaster", "Disable"));
    cluster.apply(&mailbox("alice", "Disable"));
    let before = cluster.ready("mailbox/alice")["status"]["accountID"].clone();
    cluster.delete("mailserver/mail");
    cluster.kubectl.wait_until(&cluster.namespace, "maildomain/example", PATIENCE, |domain| {
        condition(domain, "Ready")["reason"] == "ServerNotFound"
    });
    wait_for("the StatefulSet to go", PATIENCE, || {
        cluster.kubectl.list(&cluster.namespace, "statefulsets").is_empty().then_some(())
    });
    let claims = cluster.kubectl.list(&cluster.namespace, "persistentvolumeclaims");
    assert_eq!(claims.len(), 1, "the volume outlives everything");
    cluster.apply(&server());
    cluster.ready("mailserver/mail");
    assert_eq!(
        cluster.ready("mailbox/alice")["status"]["accountID"],
        before,
        "the same account on the same volume"
    );
    cluster.wait_for_login("alice", true);
}

#[test]
fn while_the_database_is_down_nobody_loses_anything_and_a_namespace_goes() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mut cluster = Cluster::installed(plane);
    let scale = ["scale", "statefulset/mail", "--replicas=0", "--namespace", &cluster.namespace];
    // The operator would put it right at once: it is away meanwhile.
    cluster.operator.signal("STOP");
    cluster.kubectl.run(&scale).ok();
    wait_for("the pod to go", PATIENCE, || cluster.logs_in("alice").is_none().then_some(()));
    cluster.pod.cut_off(true);
    cluster.operator.signal("CONT");
    cluster.restart_operator();
    cluster.kubectl.wait_until(&cluster.namespace, "mailserver/mail", PATIENCE, |server| {
        condition(server, "DatabaseReady")["status"] == "False"
    });
    let alice = cluster.kubectl.get(&cluster.namespace, "mailbox/alice");
    assert_eq!(condition(&alice, "Ready")["status"], "True", "{alice:#}");
    cluster.apply(&mailbox("late", "Disable"));
    cluster.kubectl.wait_until(&cluster.namespace, "mailbox/late", PATIENCE, |mailbox| {
        condition(mailbox, "Ready")["reason"] == "DatabaseUnreachable"
            && condition(mailbox, "Reconciling")["status"] == "True"
    });
    cluster.pod.cut_off(false);
    let delete = ["delete", "namespace", &cluster.namespace, "--timeout=90s"];
    cluster.kubectl.run(&delete).ok();
}
