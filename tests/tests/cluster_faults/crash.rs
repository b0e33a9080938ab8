//! An operator that dies at every one of its effects: before the request is passed on, and after it took effect but before the
//! answer came. Each time another process with an empty memory goes on. The end is that of one that never died.

use super::bench::{Bench, LONG};
use super::converges::differences;
use mailwright_tests::cluster::{Asked, Fault, Operator, Rule, WRITES};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longer than any operator lives here.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// When a life ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Dies {
    Before,
    After,
}

/// How a life ended.
#[derive(Debug, Clone)]
struct Step {
    asked: Asked,
    dies: Dies,
    /// The account database was written to before that.
    wrote_rows: bool,
}

/// A quiet operator has nothing left to do: several passes long.
pub const QUIET: Duration = Duration::from_secs(4);

/// Lives until the first write, and says which one it was; `None` when there was nothing left to write.
fn live(bench: &Bench, dies: Dies) -> Option<Step> {
    bench.proxy.clear();
    let not_leases = |fault| Rule::new(fault).verbs(WRITES).except(&["leases"]);
    if dies == Dies::After {
        bench.proxy.add(not_leases(Fault::KeepAnswer(FOR_EVER)).times(1));
    }
    // No other write takes effect beside the one, however many are under way.
    bench.proxy.add(not_leases(Fault::Silence(FOR_EVER)));
    give_lease_back(bench);
    let (before, kept, rows) = (bench.proxy.asked().len(), bench.proxy.kept(), counter(bench));
    let mut operator = bench.operator();
    let step = first_write(bench, before, &mut operator);
    if step.is_some() && dies == Dies::After {
        took_effect(bench, kept, step.as_ref());
    }
    operator.kill();
    step.map(|asked| Step { asked, wrote_rows: rows.is_some() && counter(bench) != rows, dies })
}

pub fn counter(bench: &Bench) -> Option<u64> {
    bench.rows().map(|rows| rows.change_counter)
}

fn first_write(bench: &Bench, before: usize, operator: &mut Operator) -> Option<Asked> {
    let mut quiet_since = Instant::now();
    let start = Instant::now();
    loop {
        let asked = bench.proxy.asked();
        if let Some(step) = asked[before..].iter().find(|it| it.is_write() && it.resource != "leases") {
            return Some(step.clone());
        }
        if bench.is_converged().is_err() || !leads(operator) {
            quiet_since = Instant::now();
        }
        if quiet_since.elapsed() > QUIET {
            return None;
        }
        assert!(
            start.elapsed() < LONG,
            "nothing is written and nothing is done: {:#?}",
            bench.is_converged()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn leads(operator: &Operator) -> bool {
    operator.metrics().contains("mailwright_operator_leader 1")
}

/// Waits until the proxy has the answer.
fn took_effect(bench: &Bench, kept: usize, step: Option<&Asked>) {
    let start = Instant::now();
    while bench.proxy.kept() == kept {
        assert!(start.elapsed() < LONG, "{step:?} is not answered");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// As a leader that ends does: another one need not wait, which would show nothing here.
pub fn give_lease_back(bench: &Bench) {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/mailwright-operator", bench.own);
    let released = json!({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}});
    let _ = bench.api.patch(&path, &released);
}

/// Dies before and after every write until there is none; what the lives were, in order.
fn die_at_every_write(bench: &Bench) -> Vec<Step> {
    let mut lives = Vec::new();
    while let Some(before) = live(bench, Dies::Before) {
        lives.push(before);
        lives.extend(live(bench, Dies::After));
        assert!(lives.len() < 400, "it never ends: {:#?}", words(bench, &lives));
    }
    // Died with rows written and nobody told: what the next life finds is what it would have written.
    assert!(lives.iter().any(|life| life.wrote_rows && life.dies == Dies::Before), "{lives:#?}");
    lives
}

/// The kinds of steps. What is made under a name that the request does not say is counted: it is made once.
fn words(bench: &Bench, lives: &[Step]) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for step in lives.iter().filter(|life| life.dies == Dies::After).map(|life| &life.asked) {
        let place = if step.namespace == bench.own { "operator" } else { "mail" };
        *counts.entry(format!("{} {} {place}/{}", step.verb, step.resource, step.name)).or_default() += 1;
    }
    let word = |(word, count): (String, usize)| match word.starts_with("create") {
        true => format!("{word} {count} times"),
        false => word,
    };
    counts.into_iter().map(word).collect()
}

/// The end without any crash.
pub fn calm() -> Option<Value> {
    let bench = Bench::new(1)?;
    let mut operator = bench.operator();
    bench.install();
    bench.converged(LONG);
    bench.change();
    bench.converged(LONG);
    let picture = bench.picture();
    operator.kill();
    Some(picture)
}

#[test]
fn a_crash_at_any_write_leads_to_the_same_end() {
    let Some(bench) = Bench::new(1) else { return };
    bench.install();
    let mut steps = die_at_every_write(&bench);
    let (dkim, password) = (bench.dkim(), bench.secret("bob-password"));
    assert!(dkim.as_object().is_some_and(|keys| !keys.is_empty()) && !password.is_null());
    bench.change();
    let later = die_at_every_write(&bench);
    assert!(!later.is_empty());
    println!("{} lives, then {}", steps.len(), later.len());
    steps.extend(later);
    assert_eq!(words(&bench, &steps), STEPS);
    assert_eq!((bench.dkim(), bench.secret("bob-password")), (dkim, password), "published keys stay");
    let Some(calm) = calm() else { return };
    assert_eq!(differences(&calm, &bench.picture()), Vec::<String>::new());
}

/// Every kind of write there is, each of which killed an operator before and after it. A new one has to be added here.
const STEPS: &[&str] = &[
    "create secrets mail/ 4 times",
    "create secrets operator/ 3 times",
    "patch aliases/status mail/postmaster",
    "patch configmaps mail/example-dns",
    "patch configmaps mail/mail-config",
    "patch mailboxes/status mail/alice",
    "patch mailboxes/status mail/bob",
    "patch maildomains mail/example",
    "patch maildomains/status mail/example",
    "patch mailservers/status mail/mail",
    "patch networkpolicies mail/mail",
    "patch networkpolicies mail/mail-default-deny",
    "patch poddisruptionbudgets mail/mail",
    "patch secrets mail/mail-tls",
    "patch serviceaccounts mail/mail",
    "patch services mail/mail",
    "patch services mail/mail-headless",
    "patch statefulsets mail/mail",
];
