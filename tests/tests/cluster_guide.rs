//! The commands of docs/kubernetes.md, as they stand there, in a shell in front of a real API server, with the operator and the
//! double of a node beside it. Leaves out what needs a node, a registry or another project's programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{ControlPlane, Options, need_tools};
use mailwright_tests::harness::{PATIENCE, root, run, wait_for};
use serde_json::Value;

/// What a step of the guide leads to.
enum Then {
    /// It says this.
    Says(&'static str),
    /// It says this in a while: an API server forgets policies some seconds after they were deleted.
    Soon(&'static str),
    /// It is refused, saying this.
    Refused(&'static str),
    /// An object of the namespace `default` gets there.
    Becomes(&'static str, fn(&Value) -> bool),
}

use Then::{Becomes, Refused, Says, Soon};

fn condition(object: &Value, type_: &str, expected: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|it| {
        let (status, reason) = (it["status"].as_str().unwrap(), it["reason"].as_str().unwrap());
        it["type"] == type_ && format!("{status}/{reason}").starts_with(expected)
    })
}

/// Command by command, in the order of the guide.
const STEPS: &[(&str, Then)] = &[
    ("kubectl apply -f examples/kubernetes/", Says("mailserver.mailwright.dev/mail created")),
    ("kubectl wait mailbox/alice --for=condition=Ready --timeout=120s", Says("condition met")),
    ("kubectl get mailserver,maildomain,mailbox,alias", Says("team@example.test")),
    ("kubectl get mailserver mail -o jsonpath='{.status.addresses}'", Says("")),
    (
        "kubectl get maildomain example -o jsonpath='{range .status.dnsRecords[*]}{.type} {.name} {.value}{\"\\n\"}{end}'",
        Says("MX example.test"),
    ),
    ("kubectl get configmap example-dns -o jsonpath='{.data}'", Says("example.test.zone")),
    ("kubectl get secret -l mailwright.dev/dkim=true -o yaml > dkim.yaml", Says("")),
    (
        "kubectl annotate mailserver mail mailwright.dev/reconcile=disabled",
        Becomes("mailserver/mail", |it| condition(it, "Ready", "Unknown/Suspended")),
    ),
    (
        "kubectl annotate mailserver mail mailwright.dev/reconcile-",
        Becomes("mailserver/mail", |it| condition(it, "Ready", "True")),
    ),
    (
        "kubectl annotate mailbox alice mailwright.dev/requestedAt=\"$(date +%s)\" --overwrite",
        Becomes("mailbox/alice", |it| it["status"]["lastHandledReconcileAt"].is_string()),
    ),
    (
        "kubectl annotate namespace sales mailwright.dev/domains='sales.example.org, *.shop.example.org'",
        Says("namespace/sales annotated"),
    ),
    ("kubectl annotate mailserver mail mailwright.dev/protect=true", Says("annotated")),
    ("kubectl delete mailserver --all -A", Refused("remove the annotation mailwright.dev/protect first")),
    ("kubectl delete pvc data-mail-0", Refused("mailwright.dev/confirm-deletion=data-mail-0")),
    (
        "kubectl patch mailserver mail --type=merge -p '{\"spec\":{\"service\":{\"type\":\"LoadBalancer\"}}}'",
        Becomes("service/mail", |it| {
            it["spec"]["type"] == "LoadBalancer" && it["spec"]["ports"][0]["nodePort"] == 30025
        }),
    ),
    ("kubectl get events --field-selector type=Warning", Says("")),
    ("kubectl describe mailbox alice", Says("CredentialsApplied")),
];

/// The way out, once nothing is protected.
const LEAVE: &[(&str, Then)] = &[
    ("kubectl delete mailbox,alias --all -A", Says("\"team\" deleted")),
    ("kubectl delete maildomain --all -A", Says("\"example\" deleted")),
    ("kubectl delete mailserver --all -A", Says("\"mail\" deleted")),
    ("helm uninstall mailwright --namespace mailwright", Says("uninstalled")),
    ("kubectl delete pvc data-mail-0", Soon("deleted")),
    ("kubectl delete secret -l mailwright.dev/dkim=true", Says("deleted")),
    (
        "kubectl delete crd -l app.kubernetes.io/part-of=mailwright",
        Says("\"mailservers.mailwright.dev\" deleted"),
    ),
];

/// Whether the guide or the example's page has the command, perhaps broken over lines.
fn is_documented(command: &str) -> bool {
    let pages = ["docs/kubernetes.md", "examples/kubernetes/README.md"];
    let words = |text: &str| text.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    pages
        .iter()
        .any(|page| words(&std::fs::read_to_string(root().join(page)).unwrap()).contains(&words(command)))
}

#[test]
fn the_guide_is_followed_command_by_command() {
    let Some(tools) = need_tools(&["helm"]) else { return };
    let Some(plane) = ControlPlane::start(&Options::default()) else { return };
    let kubectl = plane.kubectl();
    let scratch = tempfile::tempdir().unwrap();
    for folder in ["charts", "examples"] {
        std::os::unix::fs::symlink(root().join(folder), scratch.path().join(folder)).unwrap();
    }
    let shell = |line: &str| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", line]).current_dir(scratch.path()).env("HOME", scratch.path());
        command.env("KUBECONFIG", kubectl.config().path()).env("PATH", tools.search_path());
        run(&mut command)
    };
    // The guide's own commands, with the operator's pods left to the process below.
    assert!(is_documented("helm install mailwright-crds charts/mailwright-crds"));
    shell("helm install mailwright-crds charts/mailwright-crds").ok();
    let install = "helm install mailwright charts/mailwright --namespace mailwright --create-namespace";
    assert!(is_documented(install));
    shell(&format!("{install} --set replicas=0")).ok();
    shell("kubectl create namespace sales").ok();
    let pod = plane.pod("default", "mail");
    let endpoint = pod.management_endpoint();
    let config = plane.service_account("mailwright", "mailwright-operator");
    let mut operator = plane.operator(&config, "mailwright", &[&endpoint]);
    operator.wait_ready();

    let follow = |steps: &[(&str, Then)]| {
        for (command, then) in steps {
            assert!(is_documented(command), "no page says {command}");
            let said = shell(command);
            match then {
                Says(words) => drop(said.ok().says(words)),
                Soon(words) => {
                    let found = || shell(command).all().contains(words).then_some(());
                    wait_for(command, PATIENCE, found);
                }
                Refused(words) => drop(said.exits(1).says(words)),
                Becomes(what, probe) => {
                    said.ok();
                    kubectl.wait_until("default", what, PATIENCE, probe);
                }
            }
        }
    };
    follow(STEPS);
    let keys = std::fs::read_to_string(scratch.path().join("dkim.yaml")).unwrap();
    assert!(keys.contains("mailwright.dev/dkim: \"true\""), "{keys}");
    shell("kubectl annotate mailserver mail mailwright.dev/protect-").ok();
    follow(LEAVE);
}
