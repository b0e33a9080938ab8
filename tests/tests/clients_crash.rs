//! kill -9 under load: nothing that was answered with 250 is lost, nothing is stored by halves, the plan stays empty.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, need, root};
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Each kill falls on another moment.
const ROUNDS: [u64; 3] = [700, 1100, 1900];

/// Sends until the server is killed `after` milliseconds later; the ids that were answered with 250.
fn load_until_killed(server: &mut Server, label: &str, after: u64) -> Vec<String> {
    let mut sender = Command::new("python3");
    sender.arg("-B").arg(root().join("tests/clients/load.py")).args(server.script_arguments()).arg(label);
    let sender = sender.stdout(Stdio::piped()).spawn().expect("python3 runs");
    std::thread::sleep(Duration::from_millis(after));
    server.kill();
    let output = sender.wait_with_output().expect("the sender ends when the server is gone");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if !need(&["python3"]) {
        return;
    }
    let mut server = Server::quickstart();
    let mut acknowledged = BTreeSet::new();
    for (round, after) in ROUNDS.into_iter().enumerate() {
        let fresh = load_until_killed(&mut server, &format!("r{round}"), after);
        assert!(!fresh.is_empty(), "round {round}: the load never got going");
        acknowledged.extend(fresh);
        server.start();
        let dir = server.manifests.dir().display().to_string();
        server.cli(&["plan", &dir]).ok();
    }
    for user in ["alice@example.test", "bob@example.test"] {
        let stored = server.script("read_all.py", &[user]).ok().stdout;
        let mut ids = BTreeSet::new();
        for line in stored.lines() {
            let (id, state) = line.split_once(' ').unwrap();
            assert_eq!(state, "whole", "{user}: {id}");
            assert!(ids.insert(id.to_owned()), "{user}: {id} is there twice");
        }
        let lost: Vec<_> = acknowledged.difference(&ids).collect();
        assert!(lost.is_empty(), "{user}: {} of {} lost: {lost:?}", lost.len(), acknowledged.len());
    }
    println!("{} messages acknowledged, none lost", acknowledged.len());
}
