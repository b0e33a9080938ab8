//! The table "What deleting does" of docs/kubernetes.md: every policy against everything that may go away.

use std::time::Duration;

use mailwright_tests::cluster::ControlPlane;
use mailwright_tests::harness::{PATIENCE, wait_for};
use serde_json::{Value, json};

use super::bench::{Cluster, mailbox, object, secret, server};

const POLICIES: [&str; 3] = ["Retain", "Disable", "Delete"];

/// Every policy's account goes on.
const STAYS: [bool; 3] = [true; 3];

/// What the policies say about an account that is declared no more.
const AS_DECLARED: [bool; 3] = [true, false, false];

/// Longer than the operator takes to see, to decide and to look again: what did not happen by then does not happen.
const LONG_ENOUGH: Duration = Duration::from_secs(7);

fn name(policy: &str) -> String {
    policy.to_lowercase()
}

/// The addresses of the server's namespace, and so many of them that a guard finds two removals unremarkable.
fn crowd(cluster: &Cluster<'_>) {
    let alias = |number: usize| {
        let spec =
            json!({"address": format!("list{number}@example.test"), "targets": ["alice@example.test"]});
        object("Alias", &format!("list{number}"), spec)
    };
    cluster
        .apply(&json!({"apiVersion": "v1", "kind": "List", "items": (0..25).map(alias).collect::<Vec<_>>()}));
}

/// One mailbox for each policy, in the tenant's namespace.
fn declare(cluster: &Cluster<'_>) {
    cluster.apply_in(&cluster.tenant, &secret());
    for policy in POLICIES {
        cluster.apply_in(&cluster.tenant, &mailbox(&name(policy), policy));
    }
}

/// Their accounts, once all are served.
fn accounts(cluster: &Cluster<'_>) -> [Value; 3] {
    POLICIES.map(|policy| {
        let what = format!("mailbox/{}", name(policy));
        let account = cluster.ready_in(&cluster.tenant, &what)["status"]["accountID"].clone();
        cluster.wait_for_login(&name(policy), true);
        account
    })
}

fn undeclare(cluster: &Cluster<'_>) {
    for policy in POLICIES {
        let what = format!("mailbox/{}", name(policy));
        cluster.kubectl.run(&["delete", &what, "--namespace", &cluster.tenant, "--timeout=60s"]).ok();
    }
}

/// Who logs in is who is expected to, and stays so.
fn serves(cluster: &Cluster<'_>, expected: [bool; 3]) {
    for (policy, expected) in POLICIES.into_iter().zip(expected) {
        cluster.wait_for_login(&name(policy), expected);
    }
    std::thread::sleep(LONG_ENOUGH);
    let now = POLICIES.map(|policy| cluster.logs_in(&name(policy)));
    assert_eq!(now, expected.map(Some), "{POLICIES:?}");
}

/// Declared again: the account that was kept, and after `Delete` without a period another one.
fn declared_again(cluster: &Cluster<'_>, before: &[Value; 3], was_deleted: bool) {
    declare(cluster);
    let after = accounts(cluster);
    assert_eq!(after[..2], before[..2], "the same accounts, with their mail");
    assert_eq!(after[2] != before[2], was_deleted, "{before:?} {after:?}");
}

/// What is done to an installation, and who is served after it.
fn after(does: impl FnOnce(&mut Cluster<'_>), expected: [bool; 3], was_deleted: bool) {
    let Some(plane) = ControlPlane::shared() else { return };
    let mut cluster = Cluster::installed(plane);
    crowd(&cluster);
    declare(&cluster);
    let before = accounts(&cluster);
    does(&mut cluster);
    serves(&cluster, expected);
    declared_again(&cluster, &before, was_deleted);
}

#[test]
fn the_mailbox_is_deleted() {
    after(|cluster| undeclare(cluster), AS_DECLARED, true);
}

/// The label is no field of the spec, and `kubectl label` makes no generation.
#[test]
fn a_mailbox_under_a_legal_hold_is_deleted() {
    let does = |cluster: &mut Cluster<'_>| {
        let label =
            ["label", "mailbox/delete", "mailwright.dev/legal-hold=true", "--namespace", &cluster.tenant];
        cluster.kubectl.run(&label).ok();
        wait_for("the hold", PATIENCE, || {
            (cluster.row("delete")["declared"]["legalHold"] == true).then_some(())
        });
        undeclare(cluster);
        cluster.wait_for_login("delete", false);
        std::thread::sleep(LONG_ENOUGH);
        assert_eq!(cluster.row("delete")["declared"]["legalHold"], true, "its mail stays");
    };
    after(does, AS_DECLARED, false);
}

#[test]
fn its_namespace_is_deleted() {
    let does = |cluster: &mut Cluster<'_>| {
        cluster.kubectl.run(&["delete", "namespace", &cluster.tenant, "--timeout=90s"]).ok();
        cluster.kubectl.run(&["create", "namespace", &cluster.tenant]).ok();
    };
    after(does, AS_DECLARED, true);
}

#[test]
fn the_operator_is_away() {
    let does = |cluster: &mut Cluster<'_>| {
        cluster.operator.kill();
        undeclare(cluster);
        serves(cluster, STAYS);
        cluster.restart_operator();
    };
    after(does, AS_DECLARED, true);
}

#[test]
fn the_server_is_deleted_first() {
    let does = |cluster: &mut Cluster<'_>| {
        cluster.delete("mailserver/mail");
        wait_for("the pod to go", PATIENCE, || cluster.logs_in("alice").is_none().then_some(()));
        undeclare(cluster);
        cluster.apply(&server());
        cluster.ready("mailserver/mail");
    };
    after(does, AS_DECLARED, true);
}

#[test]
fn the_database_is_down() {
    let does = |cluster: &mut Cluster<'_>| {
        cluster.pod.cut_off(true);
        undeclare(cluster);
        cluster.pod.cut_off(false);
    };
    after(does, AS_DECLARED, true);
}

/// All definitions, and with them all resources: the pod goes, its volume stays with all accounts. The addresses are declared
/// again before the server that would find them missing.
#[test]
fn the_definitions_are_deleted() {
    let Some(plane) = ControlPlane::start(&Default::default()) else { return };
    let mut cluster = Cluster::installed(&plane);
    declare(&cluster);
    let before = accounts(&cluster);
    let definitions = |plurals: &[&str]| {
        for plural in plurals {
            let definition = format!("customresourcedefinition/{plural}.mailwright.dev");
            cluster.kubectl.run(&["delete", &definition, "--timeout=60s"]).ok();
        }
    };
    definitions(&["mailboxes", "aliases", "maildomains"]);
    serves(&cluster, STAYS);
    definitions(&["mailservers"]);
    wait_for("the pod to go", PATIENCE, || cluster.logs_in("alice").is_none().then_some(()));
    plane.install_crds();
    cluster.restart_operator();
    declare(&cluster);
    cluster.declare_installation();
    declared_again(&cluster, &before, false);
}
