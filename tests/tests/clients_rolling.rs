//! A pod is replaced while people send and read: what was acknowledged is there once, here and at the next host, and nobody is
//! left in doubt. What a StatefulSet does to a pod is a SIGTERM, a wait, and a start on the same volume.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::load::{Load, Route, counted, subjects};
use mailwright_tests::harness::{PATIENCE, Pod, Sink, Taken, wait_for, wire};
use serde_json::json;
use std::time::Duration;

/// How often the pod is replaced.
const ROUNDS: usize = 4;
/// People who send at once.
const SENDERS: usize = 6;
/// The password of the examples.
const ALICE: &str = "alice@example.test mailwright";

#[test]
fn nothing_is_lost_or_doubled_while_the_pod_is_replaced() {
    let sink = Sink::start("nobody");
    let mut pod = Pod::new();
    pod.configure(|server| {
        server["relay"] = json!({"host": "127.0.0.1", "port": sink.port, "tls": "None"});
    });
    pod.start();
    pod.populate(1);
    let load = Load::default();
    let (submission, imap) = (pod.ports.submission, pod.ports.imap);
    let open = || wire::submission(submission);
    // To herself and to somebody elsewhere.
    let to = ["alice@example.test", "victor@there.test"];
    let route = Route { from: "alice@example.test", to: &to, open: &open, pause: Duration::ZERO };
    let more = |count: usize| {
        let before = load.count();
        wait_for("some mail", PATIENCE, || (load.count() >= before + count).then_some(()));
    };
    std::thread::scope(|scope| {
        for who in 0..SENDERS {
            let (load, route) = (&load, &route);
            scope.spawn(move || load.keep_sending(&format!("m{who}"), route));
        }
        scope.spawn(|| load.keep_reading(ALICE, || wire::Wire::connect(imap)));
        for _ in 0..ROUNDS {
            more(2 * SENDERS);
            let ended = pod.stop();
            assert!(ended.success(), "{ended:?}");
            pod.start();
        }
        more(SENDERS);
        load.stop();
    });
    assert_eq!(load.doubted(), Vec::<String>::new(), "a whole message is never met with silence");
    let expected = load.accepted("m");
    assert_eq!(subjects(wire::Wire::connect(imap).unwrap(), ALICE), expected, "each once in the mailbox");
    wait_for("the queue to be empty", PATIENCE, || (sink.taken().len() >= expected.len()).then_some(()));
    let elsewhere = sink.taken();
    assert_eq!(counted(elsewhere.iter().filter_map(Taken::subject)), expected, "each once at the next host");
    println!("{} messages over {ROUNDS} restarts, {} attempts sent away", load.count(), load.refused());
    assert!(!pod.logs().contains("sessions were cut off"), "the grace was enough");
}
