//! Two operators at once, and a leader that is paused, killed, or slow on the way to the database: whoever was replaced writes
//! nothing any more, and nothing that was declared is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use mailwright_tests::cluster::mail::{alias, domain, is_ready, mailbox, object};
use mailwright_tests::cluster::{ControlPlane, Gate, Kubeconfig, Mail, Mark, Operator, Write};
use mailwright_tests::harness::{PATIENCE, wait_for};
use serde_json::{Value, json};

/// Another one leads within this; with one second for what is busy on the machine of the test.
const FAILOVER: Duration = Duration::from_secs(16);

/// Where a pod is managed.
const MANAGEMENT: u16 = 9443;

/// How long a process that woke up is watched for what it may still write.
const AFTERMATH: Duration = Duration::from_secs(3);

struct Bench<'a> {
    mail: Mail<'a>,
    first: Kubeconfig,
    second: Kubeconfig,
    /// On the way of the first to the pod.
    gate: Gate,
}

impl<'a> Bench<'a> {
    /// A mail server with everything declared and nobody who leads yet; each operator is a person of its own to the API server.
    fn new(plane: &'a ControlPlane) -> Bench<'a> {
        let mail = Mail::new(plane, "fence");
        let account = |name: &str| {
            let within = format!("--namespace={}", mail.namespace);
            mail.kubectl.run(&["create", "serviceaccount", name, &within]).ok();
            let binding = format!("{}-{name}", mail.namespace);
            let subject = format!("--serviceaccount={}:{name}", mail.namespace);
            let role = ["create", "clusterrolebinding", &binding, "--clusterrole=cluster-admin", &subject];
            mail.kubectl.run(&role).ok();
            plane.service_account(&mail.namespace, name)
        };
        let (first, second) = (account("first"), account("second"));
        let gate = Gate::new(SocketAddr::new(mail.pod.address(), MANAGEMENT));
        mail.declare();
        Bench { mail, first, second, gate }
    }

    fn operator(&self, config: &Kubeconfig, endpoint: &str, more: &[&str]) -> Operator {
        let namespace = &self.mail.namespace;
        let log = "--log=info,mailwright_operator=debug";
        let arguments = [&["--watch-namespace", namespace, endpoint, log], more].concat();
        self.mail.plane.operator(config, namespace, &arguments)
    }

    /// The first, through the gate and leading, and the second, waiting.
    fn two(&self) -> (Operator, Operator) {
        let through =
            format!("--management-endpoint={}/mail=127.0.0.1:{}", self.mail.namespace, self.gate.port());
        let first = self.operator(&self.first, &through, &[]);
        wait_until_leads(&first);
        let mut second = self.operator(&self.second, &self.mail.pod.management_endpoint(), &[]);
        second.wait_ready();
        for what in ["mailserver/mail", "mailbox/witness", "mailbox/postmaster"] {
            self.mail.ready(what);
        }
        assert!(leads(&first) && !leads(&second));
        (first, second)
    }

    /// What the first wrote since, leaving out renewals of the lease that were refused, and requests that were in the socket only
    /// by half when it was frozen: the server gives them up, and nothing is stored.
    fn writes_of_first(&self, mark: Mark, woken: DateTime<Utc>) -> Vec<String> {
        let user = format!("system:serviceaccount:{}:first", self.mail.namespace);
        let refused = |write: &Write| {
            write.code >= 400 && (write.resource == "leases" || write.received() < Some(woken))
        };
        let counts = |write: &&Write| write.user == user && !refused(write);
        let writes = self.mail.plane.audit().writes_since(mark);
        writes.iter().filter(counts).map(ToString::to_string).collect()
    }

    /// All aliases of second.test are in force, and a domain for them.
    fn aliases_are_ready(&self, count: usize) {
        wait_for("the aliases to be ready", PATIENCE * 2, || {
            let all = self.mail.kubectl.list(&self.mail.namespace, "aliases");
            (all.len() == count && all.iter().all(is_ready)).then_some(())
        });
    }

    fn targets(&self, address: &str) -> Value {
        let rows = self.mail.rows();
        let row =
            rows["aliases"].as_array().unwrap().iter().find(|row| row["declared"]["address"] == address);
        row.map(|row| row["declared"]["targets"].clone()).unwrap_or_default()
    }
}

fn leads(operator: &Operator) -> bool {
    operator.metrics().lines().any(|line| line == "mailwright_operator_leader 1")
}

fn wait_until_leads(operator: &Operator) -> Duration {
    let start = Instant::now();
    wait_for("the operator to lead", PATIENCE, || leads(operator).then_some(()));
    start.elapsed()
}

/// Aliases of second.test to the postmaster, which nothing serves until the domain is declared.
fn aliases(count: usize) -> Vec<Value> {
    let name = |number: usize| match number {
        0 => "abuse".to_owned(),
        1 => "postmaster".to_owned(),
        number => format!("list-{number}"),
    };
    let one = |number| {
        alias(&format!("a{number}"), &format!("{}@second.test", name(number)), "postmaster@example.test")
    };
    (0..count).map(one).collect()
}

#[test]
fn the_late_batch_of_a_paused_leader_is_refused() {
    const COUNT: usize = 60;
    let Some(plane) = ControlPlane::shared() else { return };
    let bench = Bench::new(plane);
    let mail = &bench.mail;
    let (mut first, second) = bench.two();
    mail.apply_all(&aliases(COUNT));
    bench.gate.shut();
    mail.apply(&object("MailDomain", "second", domain("second.test")));
    wait_for("a batch on its way", PATIENCE, || (bench.gate.held() > 0).then_some(()));
    // What is left of it goes into the socket.
    std::thread::sleep(Duration::from_millis(500));
    first.signal("STOP");
    let took = wait_until_leads(&second);
    println!("the second led {took:?} after the first was paused");
    assert!(took <= FAILOVER, "{took:?}");
    let mark = plane.audit().mark();

    // The new leader takes up what the old one had begun, and what changed since.
    bench.aliases_are_ready(COUNT);
    mail.apply(&alias("a7", "list-7@second.test", "witness@example.test"));
    mail.ready("alias/a7");
    assert_eq!(bench.targets("list-7@second.test"), json!(["witness@example.test"]));
    let before = mail.rows();

    let refused = "a write of an older leader was refused";
    assert!(!mail.log().contains(refused));
    bench.gate.open();
    wait_for("the late batch to be refused", PATIENCE, || mail.log().contains(refused).then_some(()));
    assert_eq!(mail.rows(), before, "not even the change counter moved");

    let woken = Utc::now();
    first.signal("CONT");
    assert_eq!(first.wait(PATIENCE).code(), Some(1), "{}", first.log());
    std::thread::sleep(AFTERMATH);
    assert_eq!(bench.writes_of_first(mark, woken), Vec::<String>::new());
    assert_eq!(bench.targets("list-7@second.test"), json!(["witness@example.test"]));
    assert!(leads(&second));
    mail.witness("after the late batch");
}

#[test]
fn a_leader_that_is_paused_while_it_writes_statuses_and_children_writes_none_afterwards() {
    const COUNT: usize = 200;
    let Some(plane) = ControlPlane::shared() else { return };
    let bench = Bench::new(plane);
    let mail = &bench.mail;
    let (mut first, second) = bench.two();
    mail.apply_all(&aliases(COUNT));
    let start = plane.audit().mark();
    mail.apply(&object("MailDomain", "second", domain("second.test")));
    let begun = |resource: &str| {
        let writes = bench.writes_of_first(start, Utc::now());
        writes.iter().filter(|write| write.contains(resource)).count()
    };
    // Some statuses are written, most are not.
    wait_for("the first statuses", PATIENCE, || (begun("aliases/status") > 3).then_some(()));
    first.signal("STOP");
    let written = begun("aliases/status");
    // Children, a password and a mailbox are to be written by whoever leads.
    let mut changed = mailbox("witness");
    changed["spec"]["displayName"] = json!("changed meanwhile");
    mail.apply(&changed);
    mail.delete("service/mail-headless");
    let took = wait_until_leads(&second);
    println!("the second led {took:?} after the first was paused with {written} of {COUNT} statuses written");
    assert!(took <= FAILOVER, "{took:?}");
    let mark = plane.audit().mark();
    bench.aliases_are_ready(COUNT);
    mail.ready("mailbox/witness");
    mail.kubectl.wait_until(&mail.namespace, "service/mail-headless", PATIENCE, |it| !it.is_null());

    // Something to write for whoever believes to lead.
    mail.delete("service/mail");
    let woken = Utc::now();
    first.signal("CONT");
    assert_eq!(first.wait(PATIENCE).code(), Some(1), "{}", first.log());
    mail.kubectl.wait_until(&mail.namespace, "service/mail", PATIENCE, |it| !it.is_null());
    std::thread::sleep(AFTERMATH);
    assert_eq!(bench.writes_of_first(mark, woken), Vec::<String>::new(), "{}", first.log());
    mail.witness("after the pause");
}

#[test]
fn a_leader_that_is_killed_under_changes_loses_nothing() {
    const ROUNDS: usize = 4;
    let Some(plane) = ControlPlane::shared() else { return };
    let bench = Bench::new(plane);
    let mail = &bench.mail;
    let quick = ["--lease-duration=3s", "--renew-deadline=2s", "--retry-period=500ms"];
    let endpoint = mail.pod.management_endpoint();
    let mut leader = bench.operator(&bench.first, &endpoint, &quick);
    mail.ready("mailserver/mail");
    mail.ready("mailbox/witness");
    mail.apply(&object("MailDomain", "second", domain("second.test")));
    let all = aliases(10 * ROUNDS);
    for round in 0..ROUNDS {
        let follower =
            bench.operator(if round % 2 == 0 { &bench.second } else { &bench.first }, &endpoint, &quick);
        mail.apply_all(&all[10 * round..10 * (round + 1)]);
        let mut changed = mailbox("witness");
        changed["spec"]["displayName"] = json!(format!("round {round}"));
        mail.apply(&changed);
        // Another moment of the pass in every round.
        std::thread::sleep(Duration::from_millis(60 * u64::try_from(round).unwrap()));
        leader.kill();
        mail.witness(&format!("round {round}"));
        let took = wait_until_leads(&follower);
        println!("round {round}: another one led after {took:?}");
        leader = follower;
    }
    bench.aliases_are_ready(all.len());
    mail.ready("mailbox/witness");
    let rows = mail.rows();
    let declared =
        |row: &Value| row["declared"]["address"].as_str().unwrap_or_default().ends_with("@second.test");
    let kept = rows["aliases"].as_array().unwrap().iter().filter(|row| declared(row)).count();
    assert_eq!(kept, all.len());
    let witness = rows["mailboxes"].as_array().unwrap().iter();
    let witness = witness.filter(|row| row["declared"]["address"] == "witness@example.test");
    let names: Vec<&Value> = witness.map(|row| &row["declared"]["displayName"]).collect();
    assert_eq!(names, [&json!(format!("round {}", ROUNDS - 1))]);
    assert!(leads(&leader));
}
