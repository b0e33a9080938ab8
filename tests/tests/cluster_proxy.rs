//! The proxy that makes an API server misbehave, in front of a real one: each fault as a client meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{Api, ControlPlane, Fault, Proxy, Rule};
use mailwright_tests::harness::{PATIENCE, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Bench {
    proxy: Proxy,
    /// Through the proxy, by token.
    api: Api,
    /// Past it.
    direct: Api,
    maps: String,
}

fn bench(name: &str) -> Option<Bench> {
    let plane = ControlPlane::shared()?;
    let kubectl = plane.kubectl();
    let namespace = kubectl.namespace(name);
    let within = format!("--namespace={namespace}");
    kubectl.run(&["create", "serviceaccount", "client", &within]).ok();
    let account = format!("--serviceaccount={namespace}:client");
    kubectl.run(&["create", "rolebinding", "client", "--clusterrole=edit", &account, &within]).ok();
    let proxy = Proxy::start(plane, 20_261_121);
    let config = proxy.kubeconfig(&plane.service_account(&namespace, "client"));
    let maps = format!("/api/v1/namespaces/{namespace}/configmaps");
    let bench = Bench { api: Api::new(&config), direct: plane.api().clone(), proxy, maps };
    // Rights take a moment, and so does the ConfigMap that every namespace has.
    wait_for("a namespace that is ready", PATIENCE, || {
        let answer = bench.api.create(&format!("{}?dryRun=All", bench.maps), &map("may-i"));
        answer.is_ok().then_some(())?;
        bench.direct.get(&format!("{}/kube-root-ca.crt", bench.maps)).ok()?
    });
    Some(bench)
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

impl Bench {
    fn names(&self, api: &Api) -> Vec<String> {
        let items = api.list(&self.maps).unwrap();
        let names = items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned());
        names.filter(|name| name != "kube-root-ca.crt").collect()
    }
}

#[test]
fn refusals_reach_the_client_and_not_the_server() {
    let Some(bench) = bench("refusals") else { return };
    for (fault, expected) in [
        (Fault::Refuse(409), 409),
        (Fault::Refuse(422), 422),
        (Fault::Refuse(500), 500),
        (Fault::Drop, 0),
        (Fault::Silence(Duration::from_millis(100)), 0),
    ] {
        bench.proxy.clear();
        bench.proxy.add(Rule::new(fault).verbs(&["create"]).resources(&["configmaps"]));
        let refusal = bench.api.create(&bench.maps, &map("refused")).unwrap_err();
        assert_eq!(refusal.code, expected, "{fault:?}: {refusal:?}");
    }
    assert_eq!(bench.names(&bench.direct), Vec::<String>::new());
    bench.proxy.clear();
    // Told to come back at once, a client does.
    bench.proxy.add(Rule::new(Fault::TooMany(0)).times(1));
    bench.api.create(&bench.maps, &map("taken")).unwrap();
    assert_eq!(bench.names(&bench.api), ["taken"]);
    let injected = bench.proxy.injected();
    assert!(injected["Refuse"] >= 3 && injected["TooMany"] == 1 && injected["Silence"] >= 1, "{injected:?}");
}

#[test]
fn a_lost_answer_is_of_a_request_that_took_effect() {
    let Some(bench) = bench("lost") else { return };
    bench.proxy.add(Rule::new(Fault::LoseAnswer).verbs(&["create"]).times(1));
    assert_eq!(bench.api.create(&bench.maps, &map("there")).unwrap_err().code, 0);
    assert_eq!(bench.names(&bench.direct), ["there"]);
    assert_eq!(bench.api.create(&bench.maps, &map("there")).unwrap_err().code, 409);
}

#[test]
fn a_stale_list_is_the_first_one() {
    let Some(bench) = bench("stale") else { return };
    bench.api.create(&bench.maps, &map("old")).unwrap();
    assert_eq!(bench.names(&bench.api), ["old"]);
    bench.api.create(&bench.maps, &map("new")).unwrap();
    bench.proxy.add(Rule::new(Fault::StaleState).times(1));
    assert_eq!(bench.names(&bench.api), ["old"]);
    assert_eq!(bench.names(&bench.api), ["new", "old"]);
}

/// A watch from now on by kubectl, which prints an event per line.
struct Watch {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watch {
    fn open(bench: &Bench, initial: bool) -> Watch {
        let plane = ControlPlane::shared().unwrap();
        let config = bench.proxy.kubeconfig(plane.admin());
        let query = match initial {
            true => {
                "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
            }
            false => "watch=true",
        };
        let mut kubectl: Command = plane.kubectl_as(&config).command("kubectl", &["get", "--raw"]);
        kubectl.arg(format!("{}?{query}", bench.maps)).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = kubectl.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Watch { child, lines }
    }

    /// The next events up to `last`, as `kind name`; `410` for the error of that code.
    fn until(&mut self, last: &str) -> Vec<String> {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|event| event != last) {
            let event: Value = serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap();
            let (kind, object) = (event["type"].as_str().unwrap(), &event["object"]);
            seen.push(match (object["code"].as_u64(), object["metadata"]["name"].as_str()) {
                (Some(code), _) => code.to_string(),
                (None, name) => format!("{kind} {}", name.unwrap_or_default()),
            });
        }
        seen.retain(|event| !event.contains("kube-root-ca.crt") && !event.starts_with("BOOKMARK"));
        seen
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn events_of_a_watch_are_repeated_and_lost() {
    let Some(bench) = bench("events") else { return };
    bench.proxy.add(Rule::new(Fault::RepeatEvents).times(1));
    let mut watch = Watch::open(&bench, false);
    bench.direct.create(&bench.maps, &map("one")).unwrap();
    bench.direct.create(&bench.maps, &map("two")).unwrap();
    let expected = ["ADDED one", "ADDED one", "ADDED two"];
    assert_eq!(watch.until("ADDED two"), expected);

    bench.proxy.clear();
    bench.proxy.add(Rule::new(Fault::LoseEvents(3)));
    let mut watch = Watch::open(&bench, false);
    // What was there comes first: two of these and the authority's certificate are passed on.
    watch.until("ADDED two");
    bench.direct.create(&bench.maps, &map("lost")).unwrap();
    assert_eq!(watch.until("410"), ["410"]);
    assert!(watch.lines.next().is_none(), "the watch ended");
}

#[test]
fn a_stale_initial_state_is_followed_by_what_happened_since() {
    let Some(bench) = bench("initial") else { return };
    bench.direct.create(&bench.maps, &map("old")).unwrap();
    let state = |bench: &Bench, last: &str| Watch::open(bench, true).until(last);
    assert_eq!(state(&bench, "BOOKMARK "), ["ADDED old"]);
    bench.direct.create(&bench.maps, &map("new")).unwrap();
    bench.direct.delete(&format!("{}/old", bench.maps), &json!({})).unwrap();
    assert_eq!(state(&bench, "BOOKMARK "), ["ADDED new"]);
    bench.proxy.add(Rule::new(Fault::StaleState));
    assert_eq!(state(&bench, "BOOKMARK "), ["ADDED old"]);
    assert_eq!(state(&bench, "DELETED old"), ["ADDED old", "ADDED new", "DELETED old"]);
}
