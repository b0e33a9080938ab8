//! A rolling update on a real node while people send and read through the Service: another template, an image that is not
//! there and is mended, then another image of operator and pods. What was accepted is there once, in the mailbox and at the next host.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::mail::condition;
use mailwright_tests::cluster::{Cluster, install};
use mailwright_tests::harness::load::{Load, Route, counted, subjects};
use mailwright_tests::harness::wire::{self, Wire};
use mailwright_tests::harness::{PATIENCE, Taken, root, run, wait_for};
use serde_json::json;
use std::time::Duration;

/// The ports of the node that the examples choose.
const SMTP: u16 = 30025;
const SUBMISSIONS: u16 = 30465;
const IMAPS: u16 = 30993;
/// The password of the examples.
const ALICE: &str = "alice@example.test mailwright";
/// Between two messages of one sender: the machine is busy with the cluster already.
const PAUSE: Duration = Duration::from_millis(50);

#[test]
fn nothing_is_lost_or_doubled_by_a_rolling_update() {
    let place = tempfile::tempdir().unwrap();
    let Some(cluster) = Cluster::start(&[install::image(place.path())]) else { return };
    let sink = cluster.sink();
    cluster.serve_examples(Some(&sink));
    let port = |port| cluster.forward(&cluster.address(), port);
    let (smtp, submissions, imaps) = (port(SMTP), port(SUBMISSIONS), port(IMAPS));
    let (open_in, open_out) = (|| wire::smtp(smtp), || wire::submissions(submissions));
    let inward =
        Route { from: "carol@example.org", to: &["alice@example.test"], open: &open_in, pause: PAUSE };
    let outward = Route {
        from: "alice@example.test",
        to: &["alice@example.test", "victor@there.test"],
        open: &open_out,
        pause: PAUSE,
    };
    let load = Load::default();
    let more = || {
        let (before_in, before_out) = (load.accepted("in").len(), load.accepted("out").len());
        let sent =
            || load.accepted("in").len() >= before_in + 10 && load.accepted("out").len() >= before_out + 10;
        cluster.explained(&cluster.plane.kubectl(), |_| {
            wait_for("mail both ways", PATIENCE, || sent().then_some(()))
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(|| load.keep_sending("in", &inward));
        scope.spawn(|| load.keep_sending("out", &outward));
        scope.spawn(|| load.keep_reading(ALICE, || Wire::connect_tls(imaps)));
        // Whatever fails below must not leave the senders running.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            more();
            change_the_template(&cluster);
            more();
            mend_a_wrong_image(&cluster);
            more();
            change_the_image(&cluster);
            more();
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
    let inbox = subjects(Wire::connect_tls(imaps).unwrap(), ALICE);
    assert_eq!(inbox, load.accepted(""), "each once in the mailbox");
    let expected = load.accepted("out");
    wait_for("the queue to be empty", PATIENCE, || (sink.taken().len() >= expected.len()).then_some(()));
    let taken = sink.taken();
    assert_eq!(counted(taken.iter().filter_map(Taken::subject)), expected, "each once at the next host");
}

/// A field of `spec.template`: the StatefulSet replaces its pod.
fn change_the_template(cluster: &Cluster) {
    let old = cluster.plane.kubectl().get("default", "pod/mail-0");
    cluster.change_server(&json!({"template": {"resources": {"requests": {"cpu": "15m"}}}}));
    let pod = cluster.replaced(&old);
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"]["cpu"], "15m");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
}

/// An image that is nowhere takes the one pod away. Mended, it is there again by itself, without anybody who deletes the broken
/// pod.
fn mend_a_wrong_image(cluster: &Cluster) {
    let kubectl = cluster.plane.kubectl();
    let old = kubectl.get("default", "pod/mail-0");
    cluster.change_server(&json!({"template": {"image": "localhost/mailwright:nowhere"}}));
    cluster.explained(&kubectl, |kubectl| {
        kubectl.wait_until("default", "mailserver/mail", PATIENCE, |server| {
            let told = condition(server, "WorkloadsAvailable");
            let step = "`kubectl describe pod mail-0 -n default`";
            told["reason"] == "ImagePullFailed" && told["message"].as_str().unwrap().contains(step)
        });
    });
    let broken = kubectl.get("default", "pod/mail-0");
    assert_ne!(broken["metadata"]["uid"], old["metadata"]["uid"]);
    cluster.change_server(&json!({"template": {"image": null}}));
    let pod = cluster.replaced(&broken);
    assert_eq!(pod["spec"]["containers"][0]["image"], old["spec"]["containers"][0]["image"]);
}

/// `helm upgrade` to another tag, the same image: the operator is replaced, and the new one replaces the pod.
fn change_the_image(cluster: &Cluster) {
    let (from, to) = (format!("localhost/mailwright:{}", install::TAG), "localhost/mailwright:next");
    run(&mut cluster.nodes()[0].command("ctr", &["-n", "k8s.io", "images", "tag", &from, to])).ok();
    let kubectl = cluster.plane.kubectl();
    let old = kubectl.get("default", "pod/mail-0");
    let chart = root().join("charts/mailwright").display().to_string();
    let upgrade = ["upgrade", "mailwright", &chart, "--namespace=mailwright", "--reuse-values", "--set"];
    let upgrade = [&upgrade[..], &["image.tag=next", "--wait", "--timeout=110s"]].concat();
    cluster.explained(&kubectl, |kubectl| drop(kubectl.helm(&upgrade).ok()));
    let pod = cluster.replaced(&old);
    assert_eq!(pod["spec"]["containers"][0]["image"], to);
    for pod in kubectl.list("mailwright", "pods") {
        let leaves = !pod["metadata"]["deletionTimestamp"].is_null();
        assert!(leaves || pod["spec"]["containers"][0]["image"] == to, "{pod:#}");
    }
}
