//! The node with the mail pod on it is switched off. Switched on again, the pod is there on its volume with all mail that was
//! acknowledged; or somebody says that it will not come back, and the pod begins on another one. Meanwhile the status says so.
//!
//! A double: the volume is a directory that both nodes see, as a network volume would be (tests/src/cluster/provision.rs). The
//! power cut ends processes; what the kernel has not written yet stays, so it says nothing of disks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::mail::condition;
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

/// Two nodes, the operator on the first, the mail pod on the second.
fn two_nodes(place: &std::path::Path) -> Option<Cluster> {
    let mut cluster = Cluster::start(&[install::image(place)])?;
    cluster.add_node();
    let kubectl = cluster.plane.kubectl();
    let cordon = |verb: &str, node: usize| drop(kubectl.run(&[verb, &cluster.nodes()[node].name]).ok());
    cordon("cordon", 1);
    cluster.install_charts(&[]);
    cordon("uncordon", 1);
    cordon("cordon", 0);
    cluster.apply_examples("default");
    let ready = ["wait", "mailserver/mail", "--for=condition=Ready", "--timeout=110s", "--namespace=default"];
    cluster.explained(&kubectl, |kubectl| drop(kubectl.run(&ready).ok()));
    cordon("uncordon", 0);
    Some(cluster)
}

/// Waits until the status says that the pod is away, and why; says how long that took.
fn told(cluster: &Cluster, kubectl: &Kubectl, since: Instant, words: &[&str]) {
    cluster.explained(kubectl, |kubectl| {
        kubectl.wait_until("default", "mailserver/mail", PATIENCE * 2, |server| {
            let found = condition(server, "WorkloadsAvailable");
            let message = found["message"].as_str().unwrap_or_default();
            found["status"] == "False" && words.iter().all(|word| message.contains(word))
        });
    });
    let server = kubectl.get("default", "mailserver/mail");
    let found = condition(&server, "WorkloadsAvailable");
    println!("told after {:?}: {} {}", since.elapsed(), found["reason"], found["message"]);
    assert_eq!(condition(&server, "Ready")["status"], "False", "{server:#}");
}

/// Sends until the power is cut in the middle of it, and some more after `mend`.
fn cut(cluster: &mut Cluster, who: &str, smtp: u16, load: &Load, mend: impl FnOnce(&mut Cluster, Instant)) {
    let open = || wire::smtp(smtp);
    let route = Route { from: "carol@example.org", to: &["alice@example.test"], open: &open, pause: PAUSE };
    std::thread::scope(|scope| {
        scope.spawn(|| load.keep_sending(who, &route));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let more = |cluster: &Cluster, what: &str| {
                let before = load.count();
                cluster.explained(&cluster.plane.kubectl(), |_| {
                    wait_for(what, PATIENCE * 3, || (load.count() >= before + 10).then_some(()));
                });
            };
            more(cluster, "mail before the power is cut");
            let start = Instant::now();
            cluster.node_mut(1).power_off();
            mend(cluster, start);
            more(cluster, "mail afterwards");
            println!("{who}: mail goes in again after {:?}", start.elapsed());
        }));
        load.stop();
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// Everything that was acknowledged is there, once; twice only what was complete and met with silence.
fn all_there(imaps: u16, loads: &[&Load]) {
    let found = subjects(Wire::connect_tls(imaps).unwrap(), ALICE);
    for load in loads {
        println!(
            "{} accepted, {} in doubt, {} sent away",
            load.count(),
            load.doubted().len(),
            load.refused()
        );
        for id in load.accepted("").keys() {
            let times = found.get(id).copied().unwrap_or(0);
            let most = if load.doubted().contains(id) { 2 } else { 1 };
            assert!((1..=most).contains(&times), "{id} is there {times} times");
        }
    }
}

fn uid(kubectl: &Kubectl) -> Value {
    kubectl.get("default", "pod/mail-0")["metadata"]["uid"].clone()
}

#[test]
fn a_power_cut_under_the_mail_pod_loses_no_acknowledged_mail() {
    let place = tempfile::tempdir().unwrap();
    let Some(mut cluster) = two_nodes(place.path()) else { return };
    let kubectl = cluster.plane.kubectl();
    let (first, second) = (cluster.nodes()[0].name.clone(), cluster.nodes()[1].name.clone());
    let pod = kubectl.get("default", "pod/mail-0");
    assert_eq!(pod["spec"]["nodeName"], second);
    let address = kubectl.get("default", "service/mail")["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let (smtp, imaps) = (cluster.forward(&address, 25), cluster.forward(&address, 993));
    let (once, twice) = (Load::default(), Load::default());

    cut(&mut cluster, "on", smtp, &once, |cluster, start| {
        told(cluster, &cluster.plane.kubectl(), start, &[&second, "does not answer", "out-of-service"]);
        cluster.power_on(1);
        println!("the node is Ready again after {:?}", start.elapsed());
    });
    let ready = ["wait", "mailserver/mail", "--for=condition=Ready", "--timeout=110s", "--namespace=default"];
    cluster.explained(&kubectl, |kubectl| drop(kubectl.run(&ready).ok()));
    let after = kubectl.get("default", "pod/mail-0");
    assert_eq!(
        (&after["metadata"]["uid"], &after["spec"]["nodeName"]),
        (&pod["metadata"]["uid"], &pod["spec"]["nodeName"])
    );
    all_there(imaps, &[&once]);

    // It does not come back. Nothing moves by itself, because the volume might still be written to there; somebody who knows says so.
    let before = uid(&kubectl);
    cut(&mut cluster, "moved", smtp, &twice, |cluster, start| {
        told(cluster, &cluster.plane.kubectl(), start, &[&second, "does not answer", "out-of-service"]);
        assert_eq!(uid(&kubectl), before);
        let taint = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";
        kubectl.run(&["taint", "node", &second, taint]).ok();
    });
    let moved = kubectl.get("default", "pod/mail-0");
    assert_eq!(moved["spec"]["nodeName"], first, "{moved:#}");
    cluster.explained(&kubectl, |kubectl| drop(kubectl.run(&ready).ok()));
    all_there(imaps, &[&once, &twice]);
}
