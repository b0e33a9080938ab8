//! `kubectl mailwright`, called by kubectl as its plugin, against a real API server with an operator and a mail pod beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{ControlPlane, Kubectl, Operator, Plugin, Pod};
use mailwright_tests::harness::{Output, PATIENCE, root};
use serde_json::Value;

/// The example of a cluster in a namespace of its own, served.
struct Example {
    kubectl: Kubectl,
    namespace: String,
    plugin: Plugin,
    _pod: Pod,
    _operator: Operator,
}

impl Example {
    fn start(plane: &ControlPlane) -> Example {
        plane.install_crds();
        let kubectl = plane.kubectl();
        let namespace = kubectl.namespace("plugin");
        let pod = plane.pod(&namespace, "mail");
        let arguments = ["--watch-namespace", &namespace, &pod.management_endpoint()];
        let operator = plane.operator(plane.admin(), &namespace, &arguments);
        // Ports of a node are one set for the whole cluster, and another test may have them.
        let example = root().join("examples/kubernetes");
        for file in ["server.yaml", "domain.yaml", "mailboxes.yaml", "aliases.yaml", "secrets.yaml"] {
            let text = std::fs::read_to_string(example.join(file)).unwrap();
            let text = match text.split_once("  service:\n") {
                Some((before, _)) => format!("{before}  service: {{type: ClusterIP}}\n"),
                None => text,
            };
            kubectl.apply_with(&text, &["--namespace", &namespace]).ok();
        }
        for what in ["mailserver/mail", "mailbox/alice", "mailbox/bob", "maildomain/example", "alias/team"] {
            kubectl.wait_until(&namespace, what, PATIENCE, |object| {
                let conditions = object["status"]["conditions"].as_array();
                conditions
                    .is_some_and(|all| all.iter().any(|it| it["type"] == "Ready" && it["status"] == "True"))
            });
        }
        let claim = kubectl.get(&namespace, "persistentvolumeclaim/data-mail-0");
        let data = plane.dir().join("volumes").join(claim["spec"]["volumeName"].as_str().unwrap());
        let plugin = Plugin::new(plane, &namespace, data);
        Example { kubectl, namespace, plugin, _pod: pod, _operator: operator }
    }

    /// `kubectl mailwright` with these words, in the namespace of the example.
    #[track_caller]
    fn plugin(&self, line: &str) -> Output {
        self.plugin.run(&self.kubectl, line)
    }

    /// A directory with one manifest.
    fn directory(&self, name: &str, text: &str) -> String {
        let directory = self.plugin.place().join(name);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("change.yaml"), text).unwrap();
        directory.display().to_string()
    }

    fn versions(&self) -> Vec<(String, Value)> {
        let kinds = "mailserver,maildomain,mailbox,alias,secret,configmap";
        let all = self.kubectl.list(&self.namespace, kinds);
        let version = |object: &Value| {
            let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
            (name, object["metadata"]["resourceVersion"].clone())
        };
        all.iter().map(version).collect()
    }
}

#[test]
fn the_plugin_answers_about_a_cluster() {
    let Some(plane) = ControlPlane::shared() else { return };
    let example = Example::start(plane);
    let before = example.versions();

    let status = example.plugin("status").exits(0);
    for text in
        ["MAILSERVER", "mail.example.test", "MAILDOMAIN", "example.test", "All 7 resources are Ready."]
    {
        assert!(status.stdout.contains(text), "{}", status.all());
    }
    example.plugin("why mailbox/alice").exits(0).says("alice is Ready\n└─ maildomain");
    let zone = example.plugin("dns example.test -o zone").exits(0);
    assert!(zone.stdout.contains("_dmarc") && zone.stdout.contains("v=DKIM1"), "{}", zone.stdout);
    example.plugin("dns other.test").exits(1).says("no MailDomain declares other.test");
    example.plugin("queue list").exits(0).says("the queue is empty");
    let trace = example.plugin("trace --from bob@example.test --to team@example.test").exits(0);
    assert!(trace.stdout.contains("stored in    alice@example.test"), "{}", trace.stdout);
    example.plugin("trace --from bob@example.test --to nobody@example.test").exits(1);
    example.plugin("queue --server other list").exits(1).says("there is no MailServer other");
    let log = std::fs::read_to_string(example.plugin.place().join("exec.log")).unwrap();
    let exec = format!("--namespace {} exec pod/mail-0 --container mailwright", example.namespace);
    assert!(log.lines().all(|line| line.starts_with(&exec)), "{log}");

    plans(&example);
    assert_eq!(example.versions(), before, "it only reads");
    faults(&example);
    held(&example);
}

fn plans(example: &Example) {
    let unchanged = root().join("examples/kubernetes/mailboxes.yaml");
    let unchanged = example.directory("same", &std::fs::read_to_string(unchanged).unwrap());
    example.plugin(&format!("plan {unchanged}")).exits(0).says("nothing to do");
    let header = |kind: &str, name: &str| {
        format!("apiVersion: mailwright.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\n")
    };
    let alias =
        header("Alias", "team") + "spec: {address: team@example.test, targets: [alice@example.test]}\n";
    let alias = example.directory("alias", &alias);
    let plan = example.plugin(&format!("plan {alias}")).exits(2);
    assert!(
        plan.stdout.contains("mail for team@example.test no longer goes to bob@example.test"),
        "{}",
        plan.all()
    );
    let json = example.plugin(&format!("plan {alias} --output json")).exits(2);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["operations"].as_array().unwrap().len(), 1);
    let wrong = header("Mailbox", "bob") + "spec: {address: bob@other.test}\n";
    let wrong = example.directory("wrong", &wrong);
    example.plugin(&format!("plan {wrong}")).exits(1).says("change.yaml:4");
}

fn faults(example: &Example) {
    let alone = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: carol}\n\
                 spec: {address: carol@other.test}\n";
    example.kubectl.apply_with(alone, &["--namespace", &example.namespace]).ok();
    example.kubectl.wait_until(&example.namespace, "mailbox/carol", PATIENCE, |carol| {
        carol["status"]["conditions"].as_array().is_some_and(|all| !all.is_empty())
    });
    let why = example.plugin("why mbx carol").exits(2);
    assert!(why.stdout.contains("no MailDomain declares other.test"), "{}", why.stdout);
    assert!(why.stdout.contains("\nNext: "), "{}", why.stdout);
    let status = example.plugin("status").exits(2);
    assert!(
        status.stdout.contains("mailbox ") && status.stdout.contains("why mailbox/carol"),
        "{}",
        status.stdout
    );
    example.plugin("why mailbox/nobody").exits(1).says("there is no mailbox");
}

/// What a guard holds back is shown with the digest that the MailServer names.
fn held(example: &Example) {
    let delete = ["delete", "mailbox", "alice", "bob", "--namespace", &example.namespace];
    example.kubectl.run(&delete).ok();
    let server = example.kubectl.wait_until(&example.namespace, "mailserver/mail", PATIENCE, |server| {
        plan_accepted(server).is_some_and(|condition| condition["status"] == "False")
    });
    let message = plan_accepted(&server).unwrap()["message"].as_str().unwrap().to_owned();
    // Not 3: that an alias leads nowhere now is an error, and errors come first.
    let plan = example.plugin("plan --output json").exits(1);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["summary"]["held"], 2);
    let digest = &plan["digest"].as_str().unwrap()[..16];
    assert!(message.contains(digest), "{digest}: {message}");
}

fn plan_accepted(server: &Value) -> Option<&Value> {
    server["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == "PlanAccepted")
}
