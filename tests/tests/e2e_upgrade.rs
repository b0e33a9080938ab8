//! What an administrator does to an installation on a real node, with mail served meanwhile: older and newer definitions, other
//! values, leaving and coming back, an image that is not there, and asking with the kubectl plugin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{Cluster, Kubectl, install};
use mailwright_tests::harness::{Output, PATIENCE, mailwright, root, run, wait_for, wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;

/// The port of the node that the examples choose.
const SMTP: u16 = 30025;

#[test]
fn an_installation_is_upgraded_left_taken_over_broken_and_mended() {
    let place = tempfile::tempdir().unwrap();
    let Some(cluster) = Cluster::start(&[install::image(place.path())]) else { return };
    cluster.serve_examples(None);
    let smtp = cluster.forward(&cluster.address(), SMTP);
    let served = || {
        let text = "Subject: hello\r\n\r\nHello.\r\n";
        let reply = wire::deliver(smtp, "carol@example.org", &["alice@example.test"], text);
        assert!(
            reply.as_ref().is_ok_and(|reply| reply.starts_with("250")),
            "{reply:?}\n{}",
            cluster.explain()
        );
    };
    let kubectl = cluster.plane.kubectl();
    wait_for("mail to be taken", PATIENCE, || {
        let text = "Subject: first\r\n\r\nHello.\r\n";
        wire::deliver(smtp, "carol@example.org", &["alice@example.test"], text).ok()
    });
    let pod = kubectl.get("default", "pod/mail-0")["metadata"]["uid"].clone();
    let stays = || {
        let now = kubectl.get("default", "pod/mail-0");
        assert_eq!(now["metadata"]["uid"], pod, "the mail pod stays as it is");
        assert_eq!(now["status"]["containerStatuses"][0]["restartCount"], 0);
        served();
    };
    the_plugin_asks_in_the_pod(&cluster, place.path());
    older_definitions(&cluster, place.path());
    stays();
    other_values(&cluster);
    stays();
    leave_and_come_back(&cluster, &stays);
    stays();
    an_image_that_is_not_there(&cluster);
    wait_for("mail to be taken again", PATIENCE, || {
        wire::deliver(smtp, "carol@example.org", &["alice@example.test"], "Subject: last\r\n\r\nHello.\r\n")
            .ok()
    });
    served();
}

fn chart(name: &str) -> String {
    root().join("charts").join(name).display().to_string()
}

#[track_caller]
fn rolled_out(cluster: &Cluster) {
    let status = ["rollout", "status", "deployment/mailwright-operator", "--namespace=mailwright"];
    cluster.explained(&cluster.plane.kubectl(), |kubectl| {
        kubectl.run(&[&status[..], &["--timeout=90s"]].concat()).ok();
    });
}

/// `kubectl mailwright` on a real node: what it execs runs in an image without a shell, on a root that is read-only.
fn the_plugin_asks_in_the_pod(cluster: &Cluster, place: &Path) {
    symlink(mailwright(), place.join("kubectl-mailwright")).unwrap();
    let plugin = |line: &str| -> Output {
        let words: Vec<&str> = ["mailwright", "-n", "default"].into_iter().chain(line.split(' ')).collect();
        let kubectl = cluster.plane.kubectl();
        let mut command = kubectl.command("kubectl", &words);
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value).unwrap();
        let path = format!("{}:{}", place.display(), path.to_str().unwrap());
        run(command.env("PATH", path))
    };
    plugin("status").exits(0).says("All 7 resources are Ready.");
    plugin("why mailbox/alice").exits(0).says("alice is Ready");
    plugin("queue list").exits(0).says("the queue is empty");
    let trace = plugin("trace --from bob@example.test --to team@example.test").exits(0);
    assert!(trace.stdout.contains("stored in    alice@example.test"), "{}", trace.all());
}

/// Definitions without a field that the operator knows: it is not ready, says the command, and the command mends it.
fn older_definitions(cluster: &Cluster, place: &Path) {
    let kubectl = cluster.plane.kubectl();
    let older = place.join("mailwright-crds");
    run(std::process::Command::new("cp").args(["-r", &chart("mailwright-crds")]).arg(&older)).ok();
    let mailboxes = older.join("templates/mailboxes.yaml");
    let text = std::fs::read_to_string(&mailboxes).unwrap();
    std::fs::write(&mailboxes, without(&text, "displayName")).unwrap();
    kubectl.helm(&["upgrade", "mailwright-crds", &older.display().to_string()]).ok();
    let event = |reason: &str| {
        cluster.explained(&kubectl, |kubectl| {
            wait_for(reason, 2 * PATIENCE, || {
                let events = kubectl.list("mailwright", "events");
                events.into_iter().find(|event| event["reason"] == reason)
            });
        });
        kubectl.list("mailwright", "events").into_iter().find(|event| event["reason"] == reason).unwrap()
    };
    let before = versions(&kubectl);
    let note = event("DefinitionsOutdated")["message"].as_str().unwrap().to_owned();
    assert!(note.contains("lacks spec.displayName"), "{note}");
    assert!(note.contains("helm upgrade --install mailwright-crds"), "{note}");
    kubectl.wait_until("mailwright", "deployment/mailwright-operator", PATIENCE, |deployment| {
        deployment["status"]["readyReplicas"].as_u64().unwrap_or(0) == 0
    });
    kubectl.helm(&["upgrade", "--install", "mailwright-crds", &chart("mailwright-crds")]).ok();
    rolled_out(cluster);
    event("DefinitionsCurrent");
    assert_eq!(versions(&kubectl), before, "an upgrade of the definitions writes no object");
}

/// The text of a definition without the property `name` of `spec`, whose lines are those that stand further in.
fn without(text: &str, name: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().peekable();
    let mut rest = Vec::new();
    while let Some(line) = lines.next() {
        if line.trim_start() != format!("{name}:") {
            rest.push(line);
            continue;
        }
        while lines.next_if(|next| indent(next) > indent(line)).is_some() {}
    }
    assert_ne!(rest.len(), text.lines().count(), "there is no {name}");
    rest.join("\n")
}

fn other_values(cluster: &Cluster) {
    let kubectl = cluster.plane.kubectl();
    let chart = chart("mailwright");
    let upgrade = ["upgrade", "mailwright", &chart, "--namespace=mailwright", "--reuse-values"];
    let values = ["--set", "log.level=debug", "--wait", "--timeout=110s"];
    cluster.explained(&kubectl, |kubectl| drop(kubectl.helm(&[&upgrade[..], &values].concat()).ok()));
    let deployment = kubectl.get("mailwright", "deployment/mailwright-operator").to_string();
    assert!(deployment.contains(r#"{"name":"MAILWRIGHT_LOG","value":"debug"}"#), "{deployment}");
}

/// What the operator writes, by kind and name, as it is now.
fn versions(kubectl: &Kubectl) -> BTreeMap<String, (Value, Value)> {
    let kinds = "mailservers,maildomains,mailboxes,aliases,services,configmaps,secrets,networkpolicies,poddisruptionbudgets,\
                 serviceaccounts,persistentvolumeclaims";
    let all = kubectl.list("default", kinds);
    let version = |object: &Value| {
        let metadata = &object["metadata"];
        (
            format!("{} {}", object["kind"], metadata["name"]),
            (metadata["uid"].clone(), metadata["resourceVersion"].clone()),
        )
    };
    // Helm's own notes about the charts are not the operator's.
    all.iter().filter(|object| object["type"] != "helm.sh/release.v1").map(version).collect()
}

/// `helm uninstall` of both charts leaves all that serves mail; installing them again finds nothing to do.
fn leave_and_come_back(cluster: &Cluster, stays: &dyn Fn()) {
    let kubectl = cluster.plane.kubectl();
    kubectl.helm(&["uninstall", "mailwright", "--namespace=mailwright", "--wait"]).ok();
    kubectl.helm(&["uninstall", "mailwright-crds", "--wait"]).ok();
    let before = versions(&kubectl);
    let mark = cluster.plane.audit().mark();
    assert!(
        before.contains_key(r#""Mailbox" "alice""#) && before.contains_key(r#""Service" "mail""#),
        "{before:?}"
    );
    let set = kubectl.get("default", "statefulset/mail")["metadata"]["generation"].clone();
    stays();
    cluster.install_charts(&[]);
    let passed = || {
        let pods = kubectl.list("mailwright", "pods");
        let mut addresses = pods.iter().filter_map(|pod| pod["status"]["podIP"].as_str());
        addresses.find(|address| passes(cluster, address))?;
        Some(())
    };
    cluster.explained(&kubectl, |_| wait_for("a pass that changed nothing", PATIENCE, passed));
    let ours = cluster.plane.audit().writes_since(mark).into_iter().filter(|it| it.group == "mailwright.dev");
    let ours: Vec<String> = ours.map(|write| format!("{write} {}", write.event)).collect();
    assert_eq!(ours, Vec::<String>::new(), "coming back writes nothing");
    assert_eq!(versions(&kubectl), before);
    assert_eq!(kubectl.get("default", "statefulset/mail")["metadata"]["generation"], set);
}

/// Whether the operator at `address` has gone over the mail server and had nothing to write.
fn passes(cluster: &Cluster, address: &str) -> bool {
    let page = wire::http_get(cluster.forward(address, 8080), "/metrics").unwrap_or_default();
    let counter = "mailwright_operator_reconciles_total{result=\"unchanged\"} ";
    page.lines().any(|line| line.strip_prefix(counter).is_some_and(|count| count != "0"))
}

/// The update replaces the one pod before anybody knows that its image cannot be had, so nothing is served; the condition says
/// what to do, and doing it brings the pod back with its mail.
fn an_image_that_is_not_there(cluster: &Cluster) {
    let kubectl = cluster.plane.kubectl();
    cluster.change_server(&json!({"template": {"image": "localhost/mailwright:unknown"}}));
    cluster.explained(&kubectl, |kubectl| {
        kubectl.wait_until("default", "mailserver/mail", PATIENCE, |server| {
            workloads(server)
                .is_some_and(|one| one["status"] == "False" && one["reason"] == "ImagePullFailed")
        });
    });
    let said = workloads(&kubectl.get("default", "mailserver/mail")).unwrap()["message"].to_string();
    println!("{said}");
    assert!(said.contains("localhost/mailwright:unknown"), "{said}");
    let broken = kubectl.get("default", "pod/mail-0");
    cluster.change_server(&json!({"template": {"image": null}}));
    cluster.replaced(&broken);
    cluster.explained(&kubectl, |kubectl| {
        kubectl.wait_until("default", "mailserver/mail", PATIENCE, |server| {
            workloads(server).is_some_and(|one| one["status"] == "True")
        });
    });
}

fn workloads(server: &Value) -> Option<Value> {
    let conditions = server["status"]["conditions"].as_array()?;
    conditions.iter().find(|one| one["type"] == "WorkloadsAvailable").cloned()
}
