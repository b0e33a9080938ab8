//! Mailwright on a cluster of real nodes as the README says it: the image, both charts, the examples.

use super::{Cluster, Kubectl};
use crate::harness::{PATIENCE, Sink, mailwright, root, run};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the image is called on the nodes.
pub const TAG: &str = "test";

/// Writes an image of the executable under test to `<place>/mailwright.tar`, as `cargo xtask image` does for everyone.
///
/// # Panics
/// When that does not work.
pub fn image(place: &Path) -> PathBuf {
    let output = place.join("mailwright.tar");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--locked", "--package=xtask", "--", "image", "--tag"]);
    command.arg(format!("localhost/mailwright:{TAG}")).arg("--binary").arg(mailwright());
    run(command.arg("--output").arg(&output).current_dir(root())).ok();
    output
}

/// Whether a pod is Ready and stays.
fn is_ready(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_null() && has_ready(pod)
}

fn has_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
}

impl Cluster {
    /// `helm install` of both charts, waiting until the operator runs; `values` are more `--set` of the operator's.
    #[track_caller]
    pub fn install_charts(&self, values: &[&str]) {
        let kubectl = self.plane.kubectl();
        let charts = root().join("charts");
        let chart = |name: &str| charts.join(name).display().to_string();
        kubectl.helm(&["install", "mailwright-crds", &chart("mailwright-crds"), "--wait"]).ok();
        let (operator, tag) = (chart("mailwright"), format!("image.tag={TAG}"));
        let mut arguments =
            vec!["install", "mailwright", &operator, "--namespace=mailwright", "--create-namespace"];
        arguments.extend(["--wait", "--timeout=110s", "--set", &tag, "--set", "image.pullPolicy=Never"]);
        values.iter().for_each(|value| arguments.extend(["--set", value]));
        self.explained(&kubectl, |kubectl| drop(kubectl.helm(&arguments).ok()));
    }

    /// `kubectl apply` of the examples into `namespace`, waiting until alice is Ready.
    #[track_caller]
    pub fn apply_examples(&self, namespace: &str) {
        let kubectl = self.plane.kubectl();
        let examples = format!("--filename={}", root().join("examples/kubernetes").display());
        let within = format!("--namespace={namespace}");
        kubectl.run(&["apply", &examples, &within]).ok();
        let wait = ["wait", "mailbox/alice", "--for=condition=Ready", "--timeout=110s", &within];
        self.explained(&kubectl, |kubectl| drop(kubectl.run(&wait).ok()));
    }

    /// Charts, and the examples in namespace `default`, the mail server Ready. Outgoing mail goes to `sink` from the first
    /// message on: it stands in the manifest that is applied.
    #[track_caller]
    pub fn serve_examples(&self, sink: Option<&Sink>) {
        self.serve_examples_with(&[], sink);
    }

    /// The same with more `--set` of the operator's chart.
    #[track_caller]
    pub fn serve_examples_with(&self, values: &[&str], sink: Option<&Sink>) {
        self.install_charts(values);
        let server = root().join("examples/kubernetes/server.yaml");
        let mut server = std::fs::read_to_string(server).expect("an example");
        if let Some(sink) = sink {
            let (host, port) = (self.address(), sink.port);
            server.push_str(&format!("  relay: {{host: {host}, port: {port}, tls: None}}\n"));
        }
        // By another manager than that of `kubectl apply` below, which takes nothing away that is not its own.
        self.plane.kubectl().apply_with(&server, &["--namespace=default", "--field-manager=test"]).ok();
        self.apply_examples("default");
        self.explained(&self.plane.kubectl(), |kubectl| {
            kubectl.wait_until("default", "mailserver/mail", PATIENCE, has_ready);
        });
    }

    /// Changes these fields of the example's MailServer, as `kubectl edit` would.
    #[track_caller]
    pub fn change_server(&self, spec: &Value) {
        let patch = json!({"spec": spec}).to_string();
        let arguments =
            ["patch", "mailserver/mail", "--type=merge", "--patch", &patch, "--namespace=default"];
        self.plane.kubectl().run(&arguments).ok();
    }

    /// Waits until the example's pod is another one than `old` (its uid) and Ready; the new one.
    #[track_caller]
    pub fn replaced(&self, old: &Value) -> Value {
        self.explained(&self.plane.kubectl(), |kubectl| {
            kubectl.wait_until("default", "pod/mail-0", PATIENCE, |pod| {
                pod["metadata"]["uid"] != old["metadata"]["uid"] && is_ready(pod)
            });
        });
        self.plane.kubectl().get("default", "pod/mail-0")
    }

    /// A next hop outside of all pods, which they reach at the first node's address.
    ///
    /// # Panics
    /// When there is no port.
    pub fn sink(&self) -> Sink {
        Sink::over(self.nodes()[0].network().listen().expect("a port of the node"), "nobody")
    }

    /// Runs `step`, and says how everything is when it panics.
    #[track_caller]
    pub fn explained<T>(&self, kubectl: &Kubectl, step: impl Fn(&Kubectl) -> T) -> T {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| step(kubectl)));
        outcome.unwrap_or_else(|panic| {
            eprintln!("{}", self.explain());
            std::panic::resume_unwind(panic)
        })
    }

    /// How everything is: objects, events, what the operator and the mail pods say.
    pub fn explain(&self) -> String {
        let kubectl = self.plane.kubectl();
        let logs =
            ["logs", "--selector=app.kubernetes.io/name=mailwright", "--tail=40", "--prefix", "--namespace"];
        [
            kubectl.run(&["get", "pods,pvc,services", "--all-namespaces", "--output=wide"]).all(),
            kubectl.run(&["get", "mailservers,maildomains,mailboxes,aliases", "--all-namespaces"]).all(),
            kubectl.run(&["get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"]).all(),
            kubectl.run(&[&logs[..], &["mailwright"]].concat()).all(),
            kubectl.run(&[&logs[..], &["default"]].concat()).all(),
        ]
        .join("\n")
    }
}
