//! One object that always fails: the others do not wait for it, and it is not tried all the time.

use super::bench::{Bench, LONG, mailbox, object};
use mailwright_tests::cluster::{Fault, Operator, Rule};
use mailwright_tests::harness::run;
use serde_json::json;
use std::process::Command;
use std::time::Duration;

/// How many attempts there may be in a minute: doubling waits from a second on, less what chance takes, and one for each of the
/// few statuses that a new object has before its last one.
const ATTEMPTS: usize = 10;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn what_always_fails_delays_nobody_and_is_tried_seldom() {
    let Some(bench) = Bench::new(1) else { return };
    bench.proxy.add(Rule::new(Fault::Refuse(500)).resources(&["mailboxes/status"]).names(&["stuck"]));
    bench.proxy.add(Rule::new(Fault::Refuse(409)).resources(&["aliases/status"]).names(&["stuck"]));
    let mut operator = bench.operator();
    bench.install();
    bench.converged(LONG);
    refuse_rows_of(&bench, "broken@example.test");

    let secret = || json!({"secretRef": {"name": "password"}});
    let mut all = vec![
        mailbox("stuck", secret()),
        mailbox("broken", secret()),
        object(
            "Alias",
            "stuck",
            json!({"address": "stuck2@example.test", "targets": ["alice@example.test"]}),
        ),
    ];
    all.extend((0..5).map(|number| mailbox(&format!("m{number}"), secret())));
    bench.apply(&all);
    for number in 0..5 {
        bench.ready("mailboxes", &format!("m{number}"), LONG);
    }
    let rows = bench.rows().unwrap();
    let has = |address: &str| rows.mailboxes.iter().any(|row| row.declared.address == address);
    assert!(has("stuck@example.test") && !has("broken@example.test"));
    let broken = bench.kubectl.wait_until(&bench.namespace, "mailbox/broken", LONG, |object| {
        super::bench::condition(object, "Ready")["status"] == "False"
    });
    let said = super::bench::condition(&broken, "Ready")["message"].as_str().unwrap();
    assert!(said.contains("not this one"), "{said}");

    let attempts = |resource: &str| {
        let asked = bench.proxy.asked();
        asked.iter().filter(|it| it.is_write() && it.resource == resource && it.name == "stuck").count()
    };
    let applied = |operator: &Operator| -> f64 {
        let page = operator.metrics();
        let of_batches =
            page.lines().filter(|line| line.contains("database_requests_total{request=\"apply\""));
        of_batches.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let before = applied(&operator);
    // Those that come later do not wait either, while the others fail on.
    std::thread::sleep(MINUTE / 2);
    let batches = applied(&operator) - before;
    assert!((1.0..=6.0).contains(&batches), "{batches} attempts at the row in half a minute");
    bench.apply(&[mailbox("late", secret())]);
    bench.ready("mailboxes", "late", MINUTE / 2);
    std::thread::sleep(MINUTE / 3);
    for resource in ["mailboxes/status", "aliases/status"] {
        let count = attempts(resource);
        assert!((2..=ATTEMPTS).contains(&count), "{count} attempts at {resource}");
    }

    // Once the cause is gone, another spec is tried at once.
    bench.proxy.clear();
    let fields = json!({"spec": {"displayName": "Free"}});
    bench.api.patch(&bench.path("mailboxes", "stuck"), &fields).unwrap();
    bench.ready("mailboxes", "stuck", MINUTE / 2);
    operator.kill();
}

/// Has the account database refuse this address, and no other.
fn refuse_rows_of(bench: &Bench, address: &str) {
    let claim = bench.kubectl.get(&bench.namespace, "persistentvolumeclaim/data-mail-0");
    let volume = bench.plane.dir().join("volumes").join(claim["spec"]["volumeName"].as_str().unwrap());
    let script = "import sqlite3, sys\n\
        database = sqlite3.connect(sys.argv[1], timeout=10)\n\
        database.execute(\"create trigger refuse before insert on mailbox when new.address = '%s' \
        begin select raise(abort, 'not this one'); end\" % sys.argv[2])\n\
        database.commit()\n";
    let database = volume.join("mailwright.db");
    run(Command::new("python3").args(["-c", script]).arg(database).arg(address)).ok();
}
