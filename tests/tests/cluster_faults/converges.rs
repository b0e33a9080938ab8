//! An API server that refuses, loses, delays and repeats, and a cache that is old: the end is the same, and nobody is out of service
//! meanwhile.

use super::bench::{Bench, KINDS, LONG, Lookout, mailbox};
use mailwright_tests::cluster::{Asked, Fault, Operator, Rule, WRITES};
use mailwright_tests::harness::wire;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Everything that an API server and the way to it can do, each to some requests. Leases are left out: who cannot renew
/// ends, as `cluster_leader` shows.
fn storm(bench: &Bench) {
    let rule = |fault, percent| Rule::new(fault).except(&["leases"]).percent(percent).surely(1);
    let second = Duration::from_secs(1);
    for rule in [
        rule(Fault::StaleFor(2 * second), 25),
        rule(Fault::LoseEvents(2), 30),
        rule(Fault::RepeatEvents, 30),
        rule(Fault::DelayEvents(second / 5), 20),
        rule(Fault::Refuse(409), 5).verbs(WRITES),
        rule(Fault::Refuse(422), 5).verbs(WRITES),
        rule(Fault::LoseAnswer, 5).verbs(WRITES),
        rule(Fault::Refuse(500), 5),
        rule(Fault::TooMany(1), 3),
        rule(Fault::Drop, 5),
        rule(Fault::Silence(3 * second), 2),
        rule(Fault::Delay(second / 3), 5),
    ] {
        bench.proxy.add(rule);
    }
}

fn readiness(operator: &Operator) -> String {
    wire::http_get(operator.port(), "/readyz").unwrap_or_default()
}

/// The end of an installation that went through a storm of this seed, or through none.
fn end_state(seed: Option<u64>) -> Option<Value> {
    let bench = Bench::new(seed.unwrap_or_default())?;
    if seed.is_some() {
        storm(&bench);
    }
    let mut operator = bench.operator();
    let bob = "bob@example.test";
    Lookout::during(&bench, &[bob], || {
        bench.install();
        if seed.is_none() {
            bench.converged(LONG);
        } else {
            let start = Instant::now();
            // With their passwords: bob is removed next, and a row keeps what it had.
            while bench
                .rows()
                .is_none_or(|rows| rows.mailboxes.iter().filter(|row| row.credential.is_some()).count() != 2)
            {
                assert!(start.elapsed() < LONG, "{}", readiness(&operator));
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        bench.change();
        // Watches that are open have the fault that they began with: others begin.
        for _ in 0..if seed.is_some() { 6 } else { 0 } {
            std::thread::sleep(Duration::from_millis(1500));
            bench.proxy.cut();
        }
        bench.proxy.clear();
        bench.proxy.cut();
        bench.converged(LONG);
    });
    let injected = bench.proxy.injected();
    assert_eq!(injected.len(), if seed.is_some() { 10 } else { 0 }, "{injected:?}");
    let picture = bench.picture();
    operator.kill();
    Some(picture)
}

#[test]
fn a_storm_ends_in_the_same_state() {
    let ends: Vec<Option<Value>> = std::thread::scope(|scope| {
        let runs = [None, Some(20_261_121), Some(5)].map(|seed| scope.spawn(move || end_state(seed)));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let [Some(calm), storms @ ..] = ends.as_slice() else { return };
    for storm in storms.iter().flatten() {
        let differs: Vec<String> = differences(calm, storm);
        assert_eq!(differs, Vec::<String>::new());
    }
    assert!(calm["rows"]["mailboxes"].as_array().unwrap().len() == 2, "{:#}", calm["rows"]);
}

/// What is another one in two pictures, each with its path.
pub fn differences(one: &Value, other: &Value) -> Vec<String> {
    let fields = |value: &Value| match value {
        Value::Object(fields) => fields.clone().into_iter().collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, it)| (at.to_string(), it.clone())).collect()
        }
        _ => std::collections::BTreeMap::new(),
    };
    let (ours, theirs) = (fields(one), fields(other));
    if one == other {
        return Vec::new();
    }
    if ours.is_empty() || theirs.is_empty() {
        return vec![format!(": {one} and {other}")];
    }
    let keys: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let of = |all: &std::collections::BTreeMap<String, Value>, key: &String| {
        all.get(key).cloned().unwrap_or_default()
    };
    let below = keys.into_iter().flat_map(|key| {
        let found = differences(&of(&ours, key), &of(&theirs, key));
        found.into_iter().map(move |found| format!("/{key}{found}"))
    });
    below.collect()
}

#[test]
fn nothing_is_removed_on_the_word_of_a_stale_cache() {
    let Some(bench) = Bench::new(1) else { return };
    bench.install();
    let mut operator = bench.operator();
    bench.converged(LONG);
    // The old state is that of before: one mailbox less, which no guard would stop.
    bench.apply(&[mailbox("carol", json!({"secretRef": {"name": "password"}}))]);
    bench.converged(LONG);
    let rows = bench.rows().unwrap();
    let children = |bench: &Bench| {
        let path = |plural: &str| format!("/apis/apps/v1/namespaces/{}/{plural}/mail", bench.namespace);
        bench.api.get(&path("statefulsets")).unwrap().unwrap()["metadata"]["uid"].clone()
    };
    let before = children(&bench);
    for (round, stale) in [&["mailboxes", "aliases"][..], &["mailboxes", "aliases", "maildomains"], KINDS]
        .into_iter()
        .enumerate()
    {
        let before_round = bench.proxy.asked().len();
        Lookout::during(&bench, &[], || {
            bench.proxy.add(Rule::new(Fault::LoseEvents(0)).resources(stale));
            bench.proxy.cut();
            std::thread::sleep(Duration::from_secs(2));
            bench.proxy.clear();
            bench.proxy.add(Rule::new(Fault::StaleFor(Duration::from_secs(5))).resources(stale));
            // An event for each watch to lose; it is told so, lists again, and sees the old state.
            for (plural, name) in [
                ("mailboxes", "carol"),
                ("aliases", "postmaster"),
                ("maildomains", "example"),
                ("mailservers", "mail"),
            ] {
                let fields = json!({"metadata": {"annotations": {"round": round.to_string()}}});
                bench.api.patch(&bench.path(plural, name), &fields).unwrap();
            }
            std::thread::sleep(Duration::from_secs(7));
            bench.proxy.clear();
            bench.converged(LONG);
        });
        let stales = bench.proxy.injected()["StaleFor"];
        assert!(stales >= stale.len(), "{stales} stale states");
        // Not because nobody thought of it: it was asked about.
        let asked = bench.proxy.asked();
        let of_carol = |it: &Asked| (it.verb, &*it.resource, &*it.name) == ("get", "mailboxes", "carol");
        assert!(asked[before_round..].iter().any(of_carol), "{stale:?}: nobody asked for carol");
        let now = bench.rows().unwrap();
        assert_eq!(now.change_counter, rows.change_counter, "{stale:?}: rows were written");
        assert_eq!(children(&bench), before, "{stale:?}");
    }
    operator.kill();
}

#[test]
fn an_unknown_field_is_not_sent_for_ever() {
    let Some(bench) = Bench::new(1) else { return };
    bench.proxy.add(Rule::new(Fault::UnknownField).resources(&["mailboxes/status"]).names(&["alice"]));
    bench.proxy.add(Rule::new(Fault::UnknownField).verbs(&["patch"]).resources(&["poddisruptionbudgets"]));
    let mut operator = bench.operator();
    bench.install();
    bench.ready("mailboxes", "bob", LONG);
    bench.ready("aliases", "postmaster", LONG);
    let attempts = |resource: &str, name: &str| {
        let asked = bench.proxy.asked();
        asked.iter().filter(|it| it.is_write() && it.resource == resource && it.name == name).count()
    };
    let counts = || [attempts("mailboxes/status", "alice"), attempts("poddisruptionbudgets", "mail")];
    // Whatever is tried again comes within this.
    std::thread::sleep(Duration::from_secs(25));
    let first = counts();
    assert!(first.iter().all(|count| (1..=8).contains(count)), "{first:?}");
    std::thread::sleep(Duration::from_secs(20));
    assert_eq!(counts(), first, "it goes on");
    let server = bench.api.get(&bench.path("mailservers", "mail")).unwrap().unwrap();
    assert!(server["status"].to_string().contains("field not declared in schema"), "{server:#}");
    operator.kill();
}
