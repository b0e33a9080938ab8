//! NetworkPolicies that are enforced, by kube-router on a real node: what a mail pod must reach and be reached by goes through,
//! and nothing else. Without somebody who enforces them the same connections come about, so it is the policies that are seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{Cluster, Network, install, need_tools};
use mailwright_tests::harness::{PATIENCE, need, run, wait_for, wire};
use serde_json::json;
use std::net::SocketAddr;
use std::process::Child;

/// What the enforcer calls for.
const NEEDED: &[&str] = &["ipset", "iptables", "curl"];

const SMTP: u16 = 30025;
const SUBMISSIONS: u16 = 30465;
const IMAPS: u16 = 30993;

/// Ports of the mail pod itself.
const MANAGEMENT: u16 = 9443;
const HTTP: u16 = 8080;

/// The network of a pod: that of any process in it, which its control group names.
fn network(uid: &str) -> Network {
    let is_of_pod = |pid: &u32| {
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        groups.contains(uid)
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    Network::of(numbers.find(is_of_pod).unwrap_or_else(|| panic!("no process of pod {uid}")))
}

/// The network of a pod, and its address.
fn pod(cluster: &Cluster, namespace: &str, name: &str) -> (Network, String) {
    let kubectl = cluster.plane.kubectl();
    let pod = kubectl.wait_until(namespace, &format!("pod/{name}"), PATIENCE, |pod| {
        pod["status"]["phase"] == "Running" && pod["status"]["podIP"].is_string()
    });
    (network(pod["metadata"]["uid"].as_str().unwrap()), pod["status"]["podIP"].as_str().unwrap().to_owned())
}

fn connects(from: &Network, address: &str, port: u16) -> bool {
    from.connect(SocketAddr::new(address.parse().unwrap(), port)).is_ok()
}

/// A pod that does nothing, in a namespace that has nothing to do with mail.
fn stranger(cluster: &Cluster) -> Network {
    let kubectl = cluster.plane.kubectl();
    kubectl.run(&["create", "namespace", "elsewhere"]).ok();
    kubectl.wait_until("elsewhere", "serviceaccount/default", PATIENCE, |account| !account.is_null());
    let container = json!({"name": "pause", "image": "localhost/pause:test", "imagePullPolicy": "Never"});
    let spec = json!({"containers": [container], "automountServiceAccountToken": false});
    let metadata = json!({"name": "stranger", "namespace": "elsewhere"});
    kubectl
        .apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}).to_string());
    pod(cluster, "elsewhere", "stranger").0
}

/// Starts who enforces policies on the first node, and waits until it does.
fn enforce(cluster: &Cluster, router: &std::path::Path, is_enforced: impl Fn() -> bool) -> Child {
    let config = format!("--kubeconfig={}", cluster.plane.dir().join("inside.kubeconfig").display());
    let arguments = [
        config.as_str(),
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--run-loadbalancer=false",
        "--hostname-override=node-1",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--iptables-sync-period=5s",
    ];
    let mut command = cluster.nodes()[0].command(&router.display().to_string(), &arguments);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let child = cluster.guard().start("kube-router", &mut command);
    let enforced = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for("policies to be enforced", PATIENCE, || is_enforced().then_some(()));
    }));
    assert!(enforced.is_ok(), "{}", cluster.guard().log("kube-router"));
    child
}

/// Alice sends to somebody elsewhere, which goes through the relay.
fn sends(cluster: &Cluster, subject: &str) {
    let url = format!("smtps://{}:{SUBMISSIONS}", cluster.address());
    let text = format!("From: alice@example.test\r\nSubject: {subject}\r\n\r\nHello.\r\n");
    let file = cluster.plane.dir().join("message");
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let arguments =
        ["--silent", "--show-error", "--insecure", "--user", "alice@example.test:mailwright", &url];
    let envelope =
        ["--mail-from", "alice@example.test", "--mail-rcpt", "dave@example.net", "--upload-file", &file];
    run(&mut cluster.nodes()[0].command("curl", &[&arguments[..], &envelope].concat())).ok();
}

#[test]
fn policies_that_are_enforced_let_through_what_mail_needs_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let (true, Some(tools)) = (need(NEEDED), need_tools(&["kube-router"])) else { return };
    let Some(cluster) = Cluster::start(&[install::image(place.path())]) else { return };
    let kubectl = cluster.plane.kubectl();
    let sink = cluster.sink();
    // The chart lets the operator out to an API server's usual ports; this one has another.
    let endpoints = kubectl.get("default", "endpoints/kubernetes");
    let api_server = u16::try_from(endpoints["subsets"][0]["ports"][0]["port"].as_u64().unwrap()).unwrap();
    let port = format!("networkPolicy.apiServer.ports={{{api_server}}}");
    cluster.serve_examples_with(&[&port], Some(&sink));
    let strange = stranger(&cluster);
    let (mail, address) = pod(&cluster, "default", "mail-0");
    let operator = kubectl.list("mailwright", "pods")[0]["status"]["podIP"].as_str().unwrap().to_owned();
    for port in [MANAGEMENT, HTTP] {
        assert!(connects(&strange, &address, port), "nobody enforces policies yet: {port}");
    }
    assert!(connects(&mail, &operator, HTTP), "nobody enforces policies yet");
    assert!(connects(&mail, &cluster.address(), api_server), "nobody enforces policies yet");

    let mut enforcer =
        enforce(&cluster, &tools.program("kube-router"), || !connects(&strange, &address, MANAGEMENT));

    // A stranger reaches what is for the public, and nothing else.
    assert!(connects(&strange, &address, 1993) && connects(&strange, &address, 2525));
    assert!(!connects(&strange, &address, HTTP), "metrics are not for strangers");
    // The mail pod resolves names and sends mail, and does nothing else.
    let dns =
        kubectl.get("kube-system", "service/kube-dns")["spec"]["clusterIP"].as_str().unwrap().to_owned();
    assert!(connects(&mail, &dns, 53), "names are resolved");
    for (address, port) in [(&operator, HTTP), (&cluster.address(), api_server)] {
        assert!(!connects(&mail, address, port), "{address}:{port}");
    }

    // An operator that begins anew reaches the pod, and what is declared comes into force.
    kubectl.run(&["delete", "pods", "--all", "--namespace=mailwright", "--timeout=180s"]).ok();
    let carol = "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {name: carol, namespace: default}\n\
                 spec: {address: carol@example.test, targets: [alice@example.test]}\n";
    kubectl.apply(carol);
    let ready = ["wait", "alias/carol", "--for=condition=Ready", "--timeout=110s", "--namespace=default"];
    cluster.explained(&kubectl, |kubectl| drop(kubectl.run(&ready).ok()));

    // Mail comes in and out, and is read.
    let smtp = cluster.forward(&cluster.address(), SMTP);
    let text = "From: dave@example.net\r\nSubject: behind policies\r\n\r\nHello.\r\n";
    let reply = wire::deliver(smtp, "dave@example.net", &["carol@example.test"], text).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    let url = format!("imaps://{}:{IMAPS}/INBOX;MAILINDEX=1", cluster.address());
    let fetch = ["--silent", "--show-error", "--insecure", "--user", "alice@example.test:mailwright", &url];
    let fetched = run(&mut cluster.nodes()[0].command("curl", &fetch)).ok().stdout;
    assert!(fetched.contains("Subject: behind policies"), "{fetched}");
    sends(&cluster, "out of the cluster");
    let relayed = wait_for("the relay to get the message", PATIENCE, || sink.taken().into_iter().next());
    assert_eq!(relayed.subject(), Some("out of the cluster"));
    // The kubelet's probes go through as well.
    let pod = kubectl.get("default", "pod/mail-0");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "{pod:#}");
    assert_eq!(pod["status"]["containerStatuses"][0]["ready"], true, "{pod:#}");
    assert!(enforcer.try_wait().unwrap().is_none(), "{}", cluster.guard().log("kube-router"));
    enforcer.kill().unwrap();
    enforcer.wait().unwrap();
}
