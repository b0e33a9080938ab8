//! Two real nodes: one is drained and the mail pod moves to the other with its mail; one with the operator's leader is switched
//! off and the other operator leads.
//!
//! A double: the volume is a directory that both nodes see, as a network volume would be (tests/src/cluster/provision.rs).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{Cluster, Kubectl, install};
use mailwright_tests::harness::load::{Load, Route, subjects};
use mailwright_tests::harness::wire::{self, Wire};
use mailwright_tests::harness::{PATIENCE, wait_for};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The password of the examples.
const ALICE: &str = "alice@example.test mailwright";
/// Between two messages.
const PAUSE: Duration = Duration::from_millis(50);
/// A replica leads within 15 s of a leader's death; the rest is what is busy on the machine of the test.
const FAILOVER: Duration = Duration::from_secs(30);

/// Moves pods off `node` and lets none come.
fn drain(kubectl: &Kubectl, node: &str) {
    let options = ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=110s"];
    kubectl.run(&[&["drain", node], &options[..]].concat()).ok();
}

fn cordon(kubectl: &Kubectl, verb: &str, node: &str) {
    kubectl.run(&[verb, node]).ok();
}

/// The name of the operator's pod that leads.
fn leader(kubectl: &Kubectl) -> String {
    let lease = kubectl.get("mailwright", "lease/mailwright-operator");
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
    let pods = kubectl.list("mailwright", "pods");
    let mut names = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
    names.find(|name| holder.starts_with(name)).unwrap_or_default().to_owned()
}

fn node_of(kubectl: &Kubectl, pod: &str) -> String {
    kubectl.get("mailwright", &format!("pod/{pod}"))["spec"]["nodeName"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The leader on `wanted`, the other operator on `other`: first all of them go to `wanted`, then whoever does not lead leaves it.
fn place_leader(cluster: &Cluster, kubectl: &Kubectl, wanted: &str, other: &str) {
    let delete = |pod: &str| drop(kubectl.run(&["delete", "pod", pod, "--namespace=mailwright"]).ok());
    let names = || -> Vec<String> {
        let name = |pod: &Value| pod["metadata"]["name"].as_str().map(str::to_owned);
        kubectl.list("mailwright", "pods").iter().filter_map(name).collect()
    };
    let settled = || {
        let all = ["rollout", "status", "deployment/mailwright-operator", "--namespace=mailwright"];
        kubectl.run(&[&all[..], &["--timeout=60s"]].concat()).ok();
        let now = || Some(leader(kubectl)).filter(|now| !now.is_empty());
        cluster.explained(kubectl, |_| wait_for("a leader there", PATIENCE, now))
    };
    cordon(kubectl, "cordon", other);
    for pod in names().iter().filter(|pod| node_of(kubectl, pod) == other) {
        delete(pod);
    }
    let leads = settled();
    cordon(kubectl, "uncordon", other);
    cordon(kubectl, "cordon", wanted);
    for pod in names().iter().filter(|pod| **pod != leads) {
        delete(pod);
    }
    assert_eq!(settled(), leads);
    cordon(kubectl, "uncordon", wanted);
}

#[test]
fn mail_goes_on_when_a_node_is_drained_and_when_the_leaders_node_dies() {
    let place = tempfile::tempdir().unwrap();
    let Some(mut cluster) = Cluster::start(&[install::image(place.path())]) else { return };
    cluster.add_node();
    let kubectl = cluster.plane.kubectl();
    let names: Vec<String> = cluster.nodes().iter().map(|node| node.name.clone()).collect();
    let [first, second] = [names[0].as_str(), names[1].as_str()];
    // The mail pod starts on the second.
    cordon(&kubectl, "cordon", first);
    cluster.serve_examples(None);
    cordon(&kubectl, "uncordon", first);
    let service = kubectl.get("default", "service/mail");
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let (smtp, imaps) = (cluster.forward(address, 25), cluster.forward(address, 993));
    let open = || wire::smtp(smtp);
    let route = Route { from: "carol@example.org", to: &["alice@example.test"], open: &open, pause: PAUSE };
    let load = Load::default();
    let more = |what: &str| {
        let before = load.count();
        cluster.explained(&kubectl, |_| {
            wait_for(what, PATIENCE, || (load.count() >= before + 10).then_some(()))
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(|| load.keep_sending("in", &route));
        scope.spawn(|| load.keep_reading(ALICE, || Wire::connect_tls(imaps)));
        // Whatever fails below must not leave the senders running.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            more("mail before the drain");
            let old = kubectl.get("default", "pod/mail-0");
            assert_eq!(old["spec"]["nodeName"], second);
            let start = Instant::now();
            cluster.explained(&kubectl, |kubectl| drain(kubectl, second));
            println!("drained after {:?}", start.elapsed());
            let pod = cluster.replaced(&old);
            assert_eq!(pod["spec"]["nodeName"], first);
            more("mail after the drain");
            cordon(&kubectl, "uncordon", second);
        }));
        load.stop();
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    println!(
        "{} messages, {} attempts sent away, at most {:?} without one that was accepted",
        load.count(),
        load.refused(),
        load.longest_gap()
    );
    assert_eq!(load.doubted(), Vec::<String>::new(), "a whole message is never met with silence");
    assert_eq!(subjects(Wire::connect_tls(imaps).unwrap(), ALICE), load.accepted(""), "each once");

    // The leader to the second node, where the mail pod is not.
    place_leader(&cluster, &kubectl, second, first);
    let old = leader(&kubectl);
    assert_eq!(node_of(&kubectl, &old), second);
    let before = kubectl.get("default", "pod/mail-0");
    let start = Instant::now();
    cluster.node_mut(1).power_off();
    let term = |lease: &Value| lease["spec"]["leaseTransitions"].as_u64();
    let was = term(&kubectl.get("mailwright", "lease/mailwright-operator"));
    wait_for("another leader", FAILOVER, || {
        let now = leader(&kubectl);
        (!now.is_empty() && now != old).then_some(())
    });
    println!("another operator leads after {:?}", start.elapsed());
    assert!(term(&kubectl.get("mailwright", "lease/mailwright-operator")) > was);
    let reply =
        wire::deliver(smtp, "carol@example.org", &["alice@example.test"], "Subject: after\r\n\r\nHello.\r\n");
    assert!(reply.as_ref().is_ok_and(|reply| reply.starts_with("250")), "{reply:?}");

    // It leads in earnest: what is declared now comes true.
    let carol = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: carol}\n\
                 spec: {address: carol@example.test}\n";
    kubectl.apply_with(carol, &["--namespace=default"]).ok();
    let wait = ["wait", "mailbox/carol", "--for=condition=Ready", "--timeout=60s", "--namespace=default"];
    cluster.explained(&kubectl, |kubectl| drop(kubectl.run(&wait).ok()));
    println!("and a new mailbox is Ready after {:?}", start.elapsed());
    let after = kubectl.get("default", "pod/mail-0");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "the mail pod stays as it is");
    assert_eq!(after["status"]["containerStatuses"][0]["restartCount"], 0);
}
