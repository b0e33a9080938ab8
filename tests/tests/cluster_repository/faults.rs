//! Death in the middle, and an API server that misbehaves: everything comes in the end, and nothing is removed on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use mailwright_tests::cluster::{ControlPlane, Fault, Mark, Operator, Proxy, Rule};
use mailwright_tests::harness::{PATIENCE, wait_for};
use serde_json::json;

use super::company::{Company, LEASE};

#[test]
fn a_leader_that_dies_in_the_middle_is_followed_by_one_that_ends_it() {
    const MANY: usize = 120;
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "killed") else { return };
    let (mut first, mut second) = (company.electable(&[]), company.electable(&[]));
    first.wait_ready();
    second.wait_ready();
    (0..MANY).for_each(|at| company.mailbox(&format!("m{at}"), ""));
    let commit = company.push("mail: many");
    company.follow(&json!({}));
    let count = || {
        let all = company.mail.kubectl.list(&company.mail.namespace, "mailboxes");
        all.iter().filter(|it| it["metadata"]["labels"]["mailwright.dev/repository"] == "company").count()
    };
    wait_for("some of them", PATIENCE * 2, || (count() > 0).then_some(()));
    let leads = |operator: &Operator| operator.metrics().contains("mailwright_operator_leader 1");
    if leads(&first) {
        first.kill()
    } else {
        second.kill()
    }
    let found = company.applied(&commit);
    assert_eq!((count(), &found["status"]["inventory"]), (MANY, &json!(MANY)));
    // Requests that were on their way at the death have no code that says what came of them; that nobody was removed is certain.
    let written = company.written(Mark::default());
    let made: BTreeSet<&str> =
        written.iter().filter(|it| it.code == 201).map(|it| it.name.as_str()).collect();
    assert!(made.len() > MANY / 2, "{} were seen to be made", made.len());
    assert_eq!(written.iter().find(|it| it.verb == "delete").map(ToString::to_string), None);
    company.mail.ready("mailbox/m0");
}

#[test]
fn an_api_server_that_misbehaves_delays_and_loses_nothing() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(company) = Company::new(plane, "storm") else { return };
    let proxy = Proxy::start(plane, 20_261_121);
    let endpoint = company.mail.pod.management_endpoint();
    let cache = format!("--cache={}", company.tree.path().join("cache").display());
    let mut arguments = vec!["--watch-namespace", company.mail.namespace.as_str(), &endpoint, &cache];
    arguments.extend(LEASE);
    let config = proxy.kubeconfig(plane.admin());
    let mut operator = plane.operator(&config, &company.mail.namespace, &arguments);
    operator.wait_ready();
    let names: Vec<String> = (0..30).map(|at| format!("m{at}")).collect();
    names.iter().for_each(|name| company.mailbox(name, ""));
    let rule = |fault, percent| {
        let kinds = ["mailboxes", "mailrepositories", "mailrepositories/status"];
        Rule::new(fault).resources(&kinds).percent(percent)
    };
    // Each at least once: to requests that certainly come, the writes of thirty mailboxes and the two watches that begin anew.
    for (fault, percent) in [(Fault::DelayEvents(Duration::from_millis(300)), 30), (Fault::RepeatEvents, 30)]
    {
        proxy.add(rule(fault, percent).surely(1));
    }
    for (fault, percent) in [
        (Fault::Refuse(409), 10),
        (Fault::Refuse(500), 10),
        (Fault::TooMany(1), 5),
        (Fault::LoseAnswer, 10),
        (Fault::Drop, 10),
        (Fault::Silence(Duration::from_secs(2)), 3),
    ] {
        proxy.add(rule(fault, 100).verbs(&["patch"]).resources(&["mailboxes"]).times(1));
        proxy.add(rule(fault, percent));
    }
    // Watches that are open have the fault that they began with.
    proxy.cut();
    company.push("mail: thirty");
    company.follow(&json!({}));
    let there = |name: &String| !company.get(&format!("mailbox/{name}")).is_null();
    wait_for("most of them", PATIENCE * 4, || {
        (names.iter().filter(|name| there(name)).count() > 20).then_some(())
    });
    // Some leave while nothing is certain; what stays declared is never removed.
    names[..3].iter().for_each(|name| company.remove(&format!("{name}.yaml")));
    let commit = company.push("mail: three leave");
    std::thread::sleep(Duration::from_secs(3));
    proxy.clear();
    proxy.cut();
    let found = company.applied(&commit);
    assert_eq!(found["status"]["inventory"], 27, "{}", found["status"]);
    let left: Vec<&String> = names.iter().filter(|name| there(name)).collect();
    assert_eq!(left, names[3..].iter().collect::<Vec<_>>());
    // Who had not come yet did not have to leave.
    let deleted = company.written(Mark::default()).into_iter().filter(|it| it.verb == "delete");
    let deleted: BTreeSet<String> = deleted.map(|it| it.name).collect();
    assert!(deleted.iter().all(|name| names[..3].contains(name)), "somebody else was removed: {deleted:?}");
    let injected = proxy.injected();
    let faults = ["DelayEvents", "Drop", "LoseAnswer", "Refuse", "RepeatEvents", "Silence", "TooMany"];
    assert_eq!(injected.keys().collect::<Vec<_>>(), faults, "{injected:?}");
}
