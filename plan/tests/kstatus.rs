//! Statuses in a cluster, and what programs that wait for an object (`kubectl wait`, Helm, Flux) make of every status: the
//! rules of kstatus, read anew here so that they are not the code's own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use mailwright_crds::mail_server::CertificateStatus;
use mailwright_crds::{Reason, Timestamp};
use mailwright_plan::status::{self, AspectFacts, CertificateFacts, DatabaseProblem, Facts, Input};
use mailwright_plan::{
    Catalog, FailureReason, ObjectRef, Observed, Operation, Outcome, Plan, Verdict, plan, simulate,
};
use serde_json::Value;

const BASE: &str = "MailServer mail/main {hostname: mail.example.test}\n\
    MailDomain mail/one {serverRef: {name: main}, domain: one.test, limits: {maxQuota: 1Gi}}\n\
    Mailbox mail/alice {address: alice@one.test}\n\
    Alias mail/postmaster {address: postmaster@one.test, targets: [alice@one.test]}\n";

fn ready(reason: Reason) -> Option<AspectFacts> {
    Some(AspectFacts { ready: true, reason, message: String::new() })
}

fn not(reason: Reason, message: &str) -> Option<AspectFacts> {
    Some(AspectFacts { ready: false, reason, message: message.to_owned() })
}

/// A pod that runs, with an address and a certificate.
fn facts() -> Facts {
    let certificate = CertificateStatus {
        issuer: "CN=mail.example.test".into(),
        not_before: Timestamp::from(support::start()),
        not_after: Timestamp::from(support::start() + Duration::days(365)),
        fingerprint: "00".into(),
    };
    Facts {
        certificate: CertificateFacts { certificate: Some(certificate), self_signed: true, problem: None },
        workloads: ready(Reason::PodReady),
        address: ready(Reason::AddressAssigned),
        addresses: vec!["192.0.2.25".into()],
        database_id: Some("d1".into()),
        ..Facts::default()
    }
}

struct Cluster {
    observed: Observed,
    kept: BTreeMap<ObjectRef, Value>,
    facts: Facts,
    now: DateTime<Utc>,
}

impl Cluster {
    fn new() -> Self {
        Self { observed: Observed::default(), kept: BTreeMap::new(), facts: facts(), now: support::start() }
    }

    fn pass(&mut self, text: &str) -> Plan {
        self.pass_with(&support::watched(text), |_| Some(Verdict::Applied))
    }

    /// Operations without a verdict are ones that nothing is known of.
    fn pass_with(&mut self, catalog: &Catalog, verdict: impl Fn(&Operation) -> Option<Verdict>) -> Plan {
        let planned = plan(catalog, &self.observed, &support::settings("kubernetes", self.now));
        let applied = planned.applicable().filter(|it| verdict(it) == Some(Verdict::Applied));
        self.observed = simulate::apply_operations(&self.observed, "kubernetes", applied, self.now).0;
        let outcomes: Vec<Outcome> =
            planned.applicable().filter_map(|it| Some(Outcome::of(it, verdict(it)?))).collect();
        let input = Input {
            catalog,
            plan: &planned,
            outcomes: &outcomes,
            observed: &self.observed,
            facts: &self.facts,
            now: self.now,
        };
        self.kept.extend(status::compute(&input, &self.kept));
        planned
    }

    fn condition(&self, kind: &str, name: &str, type_: &str) -> Option<&Value> {
        self.kept.get(&support::object(kind, name))?["conditions"]
            .as_array()?
            .iter()
            .find(|it| it["type"] == type_)
    }

    /// `False PodNotReady` of a condition; empty where there is none.
    fn said(&self, kind: &str, name: &str, type_: &str) -> String {
        self.condition(kind, name, type_).map_or(String::new(), |it| {
            format!("{} {}", it["status"].as_str().unwrap(), it["reason"].as_str().unwrap())
        })
    }

    fn kstatus(&self, kind: &str, name: &str, generation: i64) -> &'static str {
        kstatus(&self.kept[&support::object(kind, name)], generation)
    }
}

/// What kstatus says of an object that is not being deleted.
fn kstatus(status: &Value, generation: i64) -> &'static str {
    if status["observedGeneration"].as_i64().is_some_and(|observed| observed != generation) {
        return "InProgress";
    }
    let of = |type_: &str| {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let found = conditions.into_iter().find(|it| it["type"] == type_);
        found.map(|it| it["status"].as_str().unwrap().to_owned())
    };
    let (reconciling, stalled) = (of("Reconciling"), of("Stalled"));
    assert!(reconciling.is_none() || stalled.is_none(), "both at once: {status}");
    for only_true in [&reconciling, &stalled].into_iter().flatten() {
        assert_eq!(only_true, "True", "there only while it holds: {status}");
    }
    match (reconciling.is_some(), stalled.is_some(), of("Ready").as_deref()) {
        (true, ..) => "InProgress",
        (_, true, _) => "Failed",
        (_, _, Some("False" | "Unknown")) => "InProgress",
        _ => "Current",
    }
}

#[test]
fn a_sound_installation_is_current() {
    let mut cluster = Cluster::new();
    cluster.pass(BASE);
    for (kind, name) in [
        ("MailServer", "mail/main"),
        ("MailDomain", "mail/one"),
        ("Mailbox", "mail/alice"),
        ("Alias", "mail/postmaster"),
    ] {
        assert_eq!(cluster.kstatus(kind, name, 1), "Current", "{kind}");
        assert_eq!(cluster.kstatus(kind, name, 2), "InProgress", "{kind} was changed since");
    }
    let status = &cluster.kept[&support::object("MailServer", "mail/main")];
    assert_eq!((&status["addresses"][0], &status["databaseID"]), (&"192.0.2.25".into(), &"d1".into()));
    for (type_, expected) in [
        ("WorkloadsAvailable", "True PodReady"),
        ("AddressReady", "True AddressAssigned"),
        ("PlanAccepted", "True NothingHeld"),
        ("Reconciling", ""),
        ("Stalled", ""),
    ] {
        assert_eq!(cluster.said("MailServer", "mail/main", type_), expected, "{type_}");
    }
}

/// A declaration beside a sound installation: its `Ready`, and what a program that waits makes of it.
#[track_caller]
fn check(line: &str, kind: &str, name: &str, ready: &str, expected: &str) {
    let mut cluster = Cluster::new();
    cluster.pass(&format!("{BASE}{line}\n"));
    assert_eq!(cluster.said(kind, name, "Ready"), ready, "{line}");
    assert_eq!(cluster.kstatus(kind, name, 1), expected, "{line}");
    for progress in ["Reconciling", "Stalled"] {
        let said = cluster.said(kind, name, progress);
        assert!(said.is_empty() || said[5..] == ready[6..], "{progress} repeats the reason of Ready: {said}");
    }
}

#[test]
fn what_waits_for_another_object_is_in_progress() {
    let bob = |rest: &str| format!("Mailbox mail/bob {{address: {rest}}}");
    check(&bob("bob@later.test"), "Mailbox", "mail/bob", "False DependencyNotReady", "InProgress");
    let alias = "Alias mail/all {address: all@one.test, targets: [nobody@one.test]}";
    check(alias, "Alias", "mail/all", "False DependencyNotReady", "InProgress");
    let domain = "MailDomain mail/two {serverRef: {name: later}, domain: two.test}";
    check(domain, "MailDomain", "mail/two", "False ServerNotFound", "InProgress");
    let secret = bob("bob@one.test, credentials: {secretRef: {name: later}}");
    check(&secret, "Mailbox", "mail/bob", "True Reconciled", "Current");
    let suspended = "Mailbox suspended mail/bob {address: bob@one.test}";
    check(suspended, "Mailbox", "mail/bob", "Unknown Suspended", "InProgress");
}

#[test]
fn what_needs_somebody_has_failed() {
    let bob = |rest: &str| format!("Mailbox mail/bob {{address: {rest}}}");
    check(&bob("bob@one.test, quota: 2Gi"), "Mailbox", "mail/bob", "False Invalid", "Failed");
    check(&bob("alice@one.test"), "Mailbox", "mail/bob", "False DuplicateAddress", "Failed");
    let elsewhere = "Mailbox shop/bob {address: bob@one.test}";
    check(elsewhere, "Mailbox", "shop/bob", "False AddressNotAllowed", "Failed");
    let elsewhere = "MailDomain shop/two {serverRef: {name: main, namespace: mail}, domain: two.test}";
    check(elsewhere, "MailDomain", "shop/two", "False DomainNotAllowed", "Failed");
    let round = "Alias mail/x {address: x@one.test, targets: [y@one.test]}\nAlias mail/y {address: y@one.test, targets: [x@one.test]}";
    check(round, "Alias", "mail/x", "False Invalid", "Failed");
    let second = "MailDomain mail/uno {serverRef: {name: main}, domain: one.test}";
    check(second, "MailDomain", "mail/uno", "False DuplicateAddress", "Failed");
}

#[test]
fn a_server_is_ready_when_all_that_it_needs_is() {
    type Change = fn(&mut Facts);
    let table: [(&str, Change, &str, &str); 17] = [
        (
            "starting",
            |it| it.workloads = not(Reason::PodNotReady, "it starts"),
            "False PodNotReady",
            "InProgress",
        ),
        (
            "unschedulable",
            |it| it.workloads = not(Reason::PodUnschedulable, "no node"),
            "False PodUnschedulable",
            "InProgress",
        ),
        (
            "crashing",
            |it| it.workloads = not(Reason::PodCrashing, "exit 1"),
            "False PodCrashing",
            "InProgress",
        ),
        (
            "no image",
            |it| it.workloads = not(Reason::ImagePullFailed, "no such image"),
            "False ImagePullFailed",
            "InProgress",
        ),
        (
            "no volume",
            |it| it.workloads = not(Reason::VolumeNotBound, "no such StorageClass"),
            "False VolumeNotBound",
            "Failed",
        ),
        (
            "refused",
            |it| it.workloads = not(Reason::ChildRefused, "the Service is wrong"),
            "False ChildRefused",
            "Failed",
        ),
        (
            "not ours",
            |it| it.workloads = not(Reason::ChildNotOurs, "the Service is somebody's"),
            "False ChildNotOurs",
            "Failed",
        ),
        (
            "silent",
            |it| it.database_problem = Some(DatabaseProblem::Unreachable("timed out".into())),
            "False DatabaseUnreachable",
            "InProgress",
        ),
        (
            "replaced",
            |it| it.database_problem = Some(DatabaseProblem::Replaced("another".into())),
            "False DatabaseReplaced",
            "Failed",
        ),
        (
            "full",
            |it| it.database_problem = Some(DatabaseProblem::StorageFull("0 bytes".into())),
            "False StorageFull",
            "Failed",
        ),
        (
            "broken",
            |it| it.database_problem = Some(DatabaseProblem::Failed("no".into())),
            "False DependencyNotReady",
            "InProgress",
        ),
        (
            "no address",
            |it| it.address = not(Reason::AddressPending, "no address yet"),
            "False AddressPending",
            "InProgress",
        ),
        (
            "port taken",
            |it| it.listener_error = Some("taken".into()),
            "False DependencyNotReady",
            "InProgress",
        ),
        (
            "settings on their way",
            |it| it.configuration_pending = Some("not loaded yet".into()),
            "False ConfigurationPending",
            "InProgress",
        ),
        (
            "settings that are refused",
            |it| {
                it.configuration_pending = Some("not loaded yet".into());
                it.listener_error = Some("the configuration file is not usable".into());
            },
            "False DependencyNotReady",
            "InProgress",
        ),
        (
            "settings on their way to a pod that is not there",
            |it| {
                it.configuration_pending = Some("not loaded yet".into());
                it.workloads = not(Reason::PodCrashing, "again and again");
            },
            "False PodCrashing",
            "InProgress",
        ),
        ("no certificate", |it| it.certificate.certificate = None, "False DependencyNotReady", "InProgress"),
    ];
    for (what, change, expected, progress) in table {
        let mut cluster = Cluster::new();
        change(&mut cluster.facts);
        cluster.pass(BASE);
        assert_eq!(cluster.said("MailServer", "mail/main", "Ready"), expected, "{what}");
        assert_eq!(cluster.kstatus("MailServer", "mail/main", 1), progress, "{what}");
    }
    // The pod explains the database, not the other way round.
    let mut cluster = Cluster::new();
    cluster.facts.workloads = not(Reason::PodUnschedulable, "no node");
    cluster.facts.database_problem = Some(DatabaseProblem::Unreachable("timed out".into()));
    cluster.pass(BASE);
    assert_eq!(cluster.said("MailServer", "mail/main", "Ready"), "False PodUnschedulable");
    assert_eq!(cluster.said("MailServer", "mail/main", "DatabaseReady"), "False DatabaseUnreachable");
}

#[test]
fn only_a_load_balancer_waits_for_its_address() {
    for (type_, expected) in [
        ("LoadBalancer", "False AddressPending"),
        ("NodePort", "True Reconciled"),
        ("ClusterIP", "True Reconciled"),
    ] {
        let mut cluster = Cluster::new();
        cluster.facts.address = not(Reason::AddressPending, "no address yet");
        cluster.facts.addresses.clear();
        let base = BASE.replace("{hostname:", &format!("{{service: {{type: {type_}}}, hostname:"));
        cluster.pass(&base);
        assert_eq!(cluster.said("MailServer", "mail/main", "Ready"), expected, "{type_}");
        assert_eq!(
            cluster.said("MailServer", "mail/main", "AddressReady"),
            "False AddressPending",
            "{type_}"
        );
    }
}

#[test]
fn what_is_decided_and_not_applied_is_not_ready() {
    let mut cluster = Cluster::new();
    let catalog = support::watched(BASE);
    cluster
        .pass_with(&catalog, |operation| (operation.subject != "alice@one.test").then_some(Verdict::Applied));
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Ready"), "False PendingApply");
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Reconciling"), "True PendingApply");
    assert_eq!(cluster.said("MailDomain", "mail/one", "Ready"), "True Reconciled");
    cluster.pass(BASE);
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Ready"), "True Reconciled");
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Reconciling"), "");
    for (reason, expected, progress) in [
        (FailureReason::Database, "False ApplyFailed", "InProgress"),
        (FailureReason::Conflict, "False OwnedByAnother", "Failed"),
    ] {
        let mut cluster = Cluster::new();
        cluster.pass_with(&catalog, |operation| {
            Some(match operation.subject == "alice@one.test" {
                true => Verdict::Failed { reason, message: "no".into() },
                false => Verdict::Applied,
            })
        });
        assert_eq!(cluster.said("Mailbox", "mail/alice", "Ready"), expected);
        assert_eq!(cluster.kstatus("Mailbox", "mail/alice", 1), progress);
    }
}

#[test]
fn what_a_guard_holds_is_said_by_the_server_with_the_way_to_let_it_through() {
    let people: String = (0..30).map(|n| format!("Mailbox mail/m{n} {{address: m{n}@one.test}}\n")).collect();
    let mut cluster = Cluster::new();
    cluster.pass(&format!("{BASE}{people}"));
    let planned = cluster.pass(BASE);
    assert_eq!(planned.held().count(), 30);
    let accepted = cluster.condition("MailServer", "mail/main", "PlanAccepted").unwrap();
    assert_eq!((&accepted["status"], &accepted["reason"]), (&"False".into(), &"HeldByGuard".into()));
    let message = accepted["message"].as_str().unwrap();
    let digest = mailwright_plan::short_digest(&planned.digest);
    assert_eq!(
        message,
        format!(
            "held back: m0@one.test, m10@one.test and 28 more: 30 objects would be removed or disabled, more than 20; if that \
             is meant: kubectl annotate --overwrite mailserver -n mail main mailwright.dev/approve={digest}"
        )
    );
    assert_eq!(cluster.said("MailServer", "mail/main", "Ready"), "True Reconciled", "it serves on");
    assert_eq!(cluster.kstatus("MailServer", "mail/main", 1), "Current");

    // Held because of what its object says: there the object says so itself.
    let off = BASE.replace("{address: alice@one.test}", "{address: alice@one.test, enabled: false}");
    let mut cluster = Cluster::new();
    cluster.pass(BASE);
    cluster.pass(&off);
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Ready"), "False HeldByGuard");
    assert_eq!(cluster.kstatus("Mailbox", "mail/alice", 1), "Failed");
    let message = cluster.condition("Mailbox", "mail/alice", "Ready").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("no approval lifts this") && !message.contains("--approve"), "{message}");
}

/// Rows that cannot be read say nothing: least of all that everything is to be made anew.
#[test]
fn while_the_database_is_away_statuses_stay() {
    for problem in [
        DatabaseProblem::Unreachable("timed out".into()),
        DatabaseProblem::Replaced("another".into()),
        DatabaseProblem::Failed("no".into()),
    ] {
        let mut cluster = Cluster::new();
        cluster.pass(BASE);
        let before = cluster.kept.clone();
        // A restarted operator knows no rows at all.
        cluster.observed = Observed::default();
        cluster.facts.database_problem = Some(problem.clone());
        cluster.now += Duration::hours(1);
        let mut catalog = support::watched(&format!("{BASE}Mailbox mail/bob {{address: bob@one.test}}\n"));
        let mut changed = catalog.get(&support::object("Alias", "mail/postmaster")).unwrap().clone();
        changed.resource.metadata_mut().generation = Some(2);
        catalog.apply(changed);
        cluster.pass_with(&catalog, |_| None);
        for (kind, name) in [("MailDomain", "mail/one"), ("Mailbox", "mail/alice")] {
            let object = support::object(kind, name);
            assert_eq!(cluster.kept[&object], before[&object], "{problem:?}");
        }
        for (kind, name) in [("Alias", "mail/postmaster"), ("Mailbox", "mail/bob")] {
            assert_eq!(cluster.said(kind, name, "Ready"), "False DatabaseUnreachable", "{problem:?}");
            assert_eq!(cluster.kstatus(kind, name, if kind == "Alias" { 2 } else { 1 }), "InProgress");
        }
        assert_eq!(cluster.said("MailServer", "mail/main", "ListenersReady"), "True Listening");
        let server = support::object("MailServer", "mail/main");
        assert_eq!(cluster.kept[&server]["hostname"], "mail.example.test");
    }
}

#[test]
fn what_belongs_nowhere_has_a_status_too() {
    let catalog = support::watched(
        "Mailbox mail/alice {address: alice@later.test}\nMailDomain mail/two {serverRef: {name: later}, domain: two.test}\n",
    );
    let found = mailwright_plan::partition::assign(catalog.entries(), catalog.namespaces(), &BTreeMap::new());
    let statuses = status::unassigned(&catalog, &found.problems, &BTreeMap::new(), support::start());
    let cluster = Cluster { kept: statuses.into_iter().collect(), ..Cluster::new() };
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Ready"), "False DependencyNotReady");
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Accepted"), "False DomainNotFound");
    assert_eq!(cluster.said("MailDomain", "mail/two", "Ready"), "False ServerNotFound");
    let message = cluster.condition("Mailbox", "mail/alice", "Ready").unwrap()["message"].as_str().unwrap();
    assert_eq!(message, "spec.address: there is no MailDomain for later.test; declare one");
    assert_eq!(cluster.kstatus("Mailbox", "mail/alice", 1), "InProgress");
}

#[test]
fn progress_that_ends_leaves_nothing_behind() {
    let mut cluster = Cluster::new();
    let wrong = BASE.replace("{address: alice@one.test}", "{address: alice@one.test, quota: 2Gi}");
    cluster.pass(&wrong);
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Stalled"), "True Invalid");
    let since = cluster.condition("Mailbox", "mail/alice", "Stalled").unwrap()["lastTransitionTime"].clone();
    cluster.now += Duration::hours(1);
    cluster.pass(&wrong);
    let stalled = cluster.condition("Mailbox", "mail/alice", "Stalled").unwrap();
    assert_eq!(stalled["lastTransitionTime"], since, "nothing ticks");
    let later = BASE.replace("alice@one.test}", "alice@later.test}");
    cluster.pass(
        &later
            .replace("Alias mail/postmaster {address: postmaster@one.test, targets: [alice@later.test]}", ""),
    );
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Stalled"), "");
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Reconciling"), "True DependencyNotReady");
    cluster.pass(BASE);
    assert_eq!(cluster.said("Mailbox", "mail/alice", "Reconciling"), "");
    assert_eq!(cluster.kstatus("Mailbox", "mail/alice", 1), "Current");
}
