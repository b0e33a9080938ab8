//! kill -9 under load: nothing that was answered with 250 is lost, nothing is stored by halves, the plan stays empty.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, need, root};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Each kill falls on another moment.
const ROUNDS: [u64; 4] = [50, 400, 900, 1600];

/// Sends until the server is killed `after` milliseconds into the answers; the ids that were answered with 250.
fn load_until_killed(server: &mut Server, label: &str, after: u64) -> Vec<String> {
    let mut sender = Command::new("python3");
    sender.arg("-B").arg(root().join("tests/clients/load.py")).args(server.script_arguments()).arg(label);
    let mut sender = sender.stdout(Stdio::piped()).spawn().expect("python3 runs");
    let mut lines = BufReader::new(sender.stdout.take().expect("a pipe")).lines().map(Result::unwrap);
    let mut acknowledged = vec![lines.next().expect("the load gets going")];
    let rest = std::thread::spawn(move || lines.collect::<Vec<_>>());
    std::thread::sleep(Duration::from_millis(after));
    server.kill();
    acknowledged.extend(rest.join().expect("the sender ends when the server is gone"));
    sender.wait().expect("a child can be waited for");
    acknowledged
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

#[test]
fn a_first_start_that_is_killed_anywhere_is_finished_by_the_next() {
    // From before the database exists to after everything is ready.
    for after in [5, 20, 60, 120, 250, 500] {
        let mut server = Server::example("quickstart");
        let mut running = server.spawn();
        std::thread::sleep(Duration::from_millis(after));
        running.kill();
        server.start();
        let dir = server.manifests.dir().display().to_string();
        server.cli(&["plan", &dir]).ok();
        let mailboxes = server.cli(&["get", "mailboxes", "-o", "name"]).ok().stdout;
        assert_eq!(mailboxes.lines().count(), 2, "killed after {after} ms: {mailboxes}");
        let zone = server.cli(&["dns", "--format", "zone"]).ok().stdout;
        assert_eq!(zone.matches("v=DKIM1").count(), 4, "killed after {after} ms: {zone}");
    }
}
