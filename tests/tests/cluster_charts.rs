//! The charts in front of a real API server: what they render for each file of values, whether it is accepted, what stays after
//! an uninstall, who may do what by the roles for people. Leaves out the admission policies (`cluster_admission.rs`) and whether
//! the operator's rights are enough (`cluster_rbac.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{ControlPlane, Kubectl, conform, need_tools};
use mailwright_tests::harness::{Output, root, run, run_with_input};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// The files of tests/charts/values.
const VALUES: [&str; 4] = ["defaults", "everything", "little", "namespaced"];

/// What a local rendering pretends to talk to; with a cluster Helm asks it.
const VERSION: &str = "--kube-version=1.36.3";

fn chart(name: &str) -> String {
    root().join("charts").join(name).display().to_string()
}

fn values(name: &str) -> String {
    format!("--values={}", root().join("tests/charts/values").join(format!("{name}.yaml")).display())
}

/// `helm` without a cluster; `None` when it is not there, which was noted.
fn helm(arguments: &[&str]) -> Option<Output> {
    let tools = need_tools(&["helm"])?;
    let home = tempfile::tempdir().unwrap();
    Some(run(Command::new(tools.program("helm")).args(arguments).env("HOME", home.path())))
}

fn template(more: &[&str]) -> Option<Output> {
    let chart = chart("mailwright");
    helm(&[&["template", "mailwright", &chart, "--namespace=mailwright", VERSION], more].concat())
}

#[test]
fn helm_lints_the_charts() {
    let (crds, operator) = (chart("mailwright-crds"), chart("mailwright"));
    let Some(output) = helm(&["lint", "--strict", &crds, &operator, VERSION]) else { return };
    output.ok().says("2 chart(s) linted, 0 chart(s) failed");
    for name in VALUES {
        helm(&["lint", "--strict", &operator, VERSION, &values(name)]).unwrap().ok();
    }
}

#[test]
fn rendered_charts_are_as_they_were() {
    for name in VALUES {
        let Some(output) = template(&[&values(name), "--skip-tests"]) else { return };
        insta::with_settings!({
            prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../charts/golden"
        }, {
            insta::assert_snapshot!(name, without_dashboard(&output.ok().stdout));
        });
    }
}

/// A thousand lines that `charts/mailwright/files/dashboard.json` has already.
fn without_dashboard(rendered: &str) -> String {
    let mut inside = false;
    let mut text = String::new();
    for line in rendered.lines() {
        inside = inside && line.starts_with("    ");
        if !inside {
            text.extend([line, "\n"]);
        }
        inside |= line.ends_with("mailwright.json: |");
    }
    text
}

#[test]
fn every_file_of_values_is_rendered() {
    let files = std::fs::read_dir(root().join("tests/charts/values")).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().path().file_stem().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, VALUES);
}

#[test]
fn values_that_mean_nothing_are_refused() {
    for (value, says) in [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("image.name=x", "'/image': additional properties 'name' not allowed"),
        ("image.repository=", "/image/repository"),
        ("image.tag=a b", "/image/tag"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("replicas=6", "/replicas"),
        ("watch.namespaces=mail", "/watch/namespaces"),
        ("watch.namespaces={Mail}", "/watch/namespaces/0"),
        ("log.format=xml", "/log/format"),
        ("networkPolicy.apiServer.ports={}", "/networkPolicy/apiServer/ports"),
        ("metrics.serviceMonitor.interval=often", "/metrics/serviceMonitor/interval"),
        ("admissionPolicies.exemptUsers={it's me}", "/admissionPolicies/exemptUsers/0"),
        ("repositories.serviceAccounts=mail", "/repositories/serviceAccounts"),
        ("repositories.serviceAccounts={*}", "/repositories/serviceAccounts/0"),
        ("repositories.cacheSize=big", "/repositories/cacheSize"),
        ("networkPolicy.git.ports={}", "/networkPolicy/git/ports"),
        ("certManager.issuer=x", "/certManager"),
        ("webhook.port=80", "/webhook/port"),
        ("webhook.port=8080", "/webhook/port"),
        ("webhook.ingress.host=https://hooks.example.org", "/webhook/ingress/host"),
        ("webhook.token=x", "/webhook"),
    ] {
        let Some(output) = template(&["--set", value]) else { return };
        assert!(output.exits(1).all().contains(says), "{value} should be refused at {says}");
    }
    let nameless = template(&["--set=serviceAccount.create=false"]).unwrap();
    nameless.exits(1).says("serviceAccount.name must name a ServiceAccount");
    let nowhere = template(&["--set=webhook.enabled=true,webhook.ingress.enabled=true"]).unwrap();
    nowhere.exits(1).says("webhook.ingress.host must be the name that forges send webhooks to");
}

#[test]
fn notes_say_the_next_steps() {
    let Some(plane) = ControlPlane::shared() else { return };
    if need_tools(&["helm"]).is_none() {
        return;
    }
    let notes = |value: &str| {
        let chart = chart("mailwright");
        let dry_run = ["install", "notes", &chart, "--namespace=post", "--dry-run=server", "--set", value];
        plane.kubectl().helm(&dry_run).ok().stdout
    };
    let cluster = notes("replicas=2");
    for line in [
        "It watches all namespaces.",
        "kubectl -n post rollout status deployment/notes-operator",
        "kubectl apply -f examples/kubernetes/",
        "kubectl wait mailbox/alice --for=condition=Ready",
        "no registry serves",
    ] {
        assert!(cluster.contains(line), "{line}: {cluster}");
    }
    let namespaced = notes("watch.namespaces={mail,sales}");
    assert!(namespaced.contains("It watches the namespaces mail, sales."), "{namespaced}");
    assert!(namespaced.contains("kubectl apply -n mail -f examples/kubernetes/"), "{namespaced}");
    assert!(!cluster.contains("webhookPath"), "{cluster}");
    for (value, says) in [
        ("webhook.enabled=true", "The Service notes-operator-webhook has no TLS"),
        (
            "webhook.enabled=true,webhook.ingress.enabled=true,webhook.ingress.host=h.test",
            "The address is https://h.test and",
        ),
    ] {
        let told = notes(value);
        assert!(told.contains("PATH:.status.webhookPath") && told.contains(says), "{told}");
    }
    let pushed = notes("image.repository=registry.example.org/mailwright");
    assert!(!pushed.contains("no registry serves"), "{pushed}");
}

/// Definitions of other projects that the chart makes objects of, as far as it matters to an API server that is to store them.
fn install_stand_ins(kubectl: &Kubectl) {
    for (group, version, kind, plural) in [
        ("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
        ("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors"),
        ("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"),
    ] {
        kubectl.apply(&format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.{group}}}\n\
             spec:\n  group: {group}\n  scope: Namespaced\n  names: {{kind: {kind}, plural: {plural}}}\n  versions:\n  \
             - name: {version}\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema: {{type: object, \
             x-kubernetes-preserve-unknown-fields: true}}\n"
        ));
        let definition = format!("crd/{plural}.{group}");
        kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", &definition]).ok();
    }
}

#[test]
fn an_api_server_accepts_everything_that_is_rendered() {
    let Some(plane) = ControlPlane::shared() else { return };
    let kubectl = plane.kubectl();
    install_stand_ins(&kubectl);
    for namespace in ["mailwright", "mail", "sales"] {
        kubectl.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n"));
    }
    // Without it no pod is admitted, not even to try.
    kubectl.wait_until("mailwright", "serviceaccount/default", PATIENCE, |account| !account.is_null());
    for name in VALUES {
        let Some(rendered) = template(&[&values(name)]) else { return };
        let dry_run = ["--dry-run=server", "--validate=strict"];
        let said = kubectl.apply_with(&rendered.ok().stdout, &dry_run).ok();
        assert!(said.stdout.lines().count() >= 3, "{name}: {}", said.stdout);
        assert!(!said.stderr.contains("Warning"), "{name}: {}", said.stderr);
    }
    let crds = chart("mailwright-crds");
    let rendered = helm(&["template", "crds", &crds, VERSION]).unwrap().ok().stdout;
    let said = kubectl.apply_with(&rendered, &["--dry-run=server", "--validate=strict"]).ok();
    assert_eq!(said.stdout.lines().count(), 5, "{}", said.stdout);
}

/// The folders and files whose YAML is checked beside what the charts render.
const MANIFESTS: [&str; 3] = ["examples/kubernetes", "examples/quickstart", "operator/tests/workload"];

#[test]
fn kubeconform_finds_nothing_and_finds_a_mistake() {
    let (Some(plane), Some(tools)) = (ControlPlane::shared(), need_tools(&["kubeconform"])) else { return };
    install_stand_ins(&plane.kubectl());
    plane.install_crds();
    let place = tempfile::tempdir().unwrap();
    let mut texts =
        vec![("crds".to_owned(), helm(&["template", "crds", &chart("mailwright-crds"), VERSION]).unwrap())];
    texts.extend(VALUES.map(|name| (name.to_owned(), template(&[&values(name)]).unwrap())));
    let mut texts: Vec<(String, String)> =
        texts.into_iter().map(|(name, output)| (name, output.ok().stdout)).collect();
    for folder in MANIFESTS {
        for file in std::fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "yaml") {
                let name = file.strip_prefix(root()).unwrap().display().to_string().replace('/', "-");
                texts.push((name, std::fs::read_to_string(&file).unwrap()));
            }
        }
    }
    let kinds = texts.iter().flat_map(|(_, text)| conform::kinds(text)).collect();
    let document = plane.api().get("/openapi/v2").unwrap().unwrap();
    conform::write(&document, &kinds, place.path());
    let location = format!("--schema-location={}/{}", place.path().display(), conform::LOCATION);
    let check = |text: &str| {
        let mut command = Command::new(tools.program("kubeconform"));
        run_with_input(command.args(["-strict", "-summary", "-output=json", &location]), text)
    };
    for (name, text) in &texts {
        let said = check(text);
        let told: Value = serde_json::from_str(&said.stdout).unwrap();
        let count = |what: &str| told["summary"][what].as_u64().unwrap();
        assert_eq!([count("invalid"), count("errors"), count("skipped")], [0, 0, 0], "{name}: {told:#}");
        assert!(count("valid") > 0, "{name} has nothing to check");
    }
    let (name, text) = texts.iter().find(|(name, _)| name.ends_with("kubernetes-server.yaml")).unwrap();
    let said = check(&text.replacen("spec:", "spec:\n  hostnames: x", 1));
    assert!(said.stdout.contains("hostnames"), "{name}: {}", said.stdout);
}

/// Installs the definitions by their chart, once for all tests of this file.
fn install_definitions(kubectl: &Kubectl) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        kubectl.helm(&["upgrade", "--install", "mailwright-crds", &chart("mailwright-crds"), "--wait"]).ok();
        let established =
            ["wait", "--for=condition=Established", "--timeout=60s", "crd/mailservers.mailwright.dev"];
        kubectl.run(&established).ok();
    });
}

#[test]
fn an_operator_is_installed_upgraded_and_uninstalled_and_leaves_what_people_made() {
    let Some(plane) = ControlPlane::shared() else { return };
    if need_tools(&["helm"]).is_none() {
        return;
    }
    let kubectl = plane.kubectl();
    install_definitions(&kubectl);
    let namespace = kubectl.namespace("install");
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    kubectl.run(&["label", "namespace", &namespace, restricted]).ok();
    let release = |arguments: &[&str]| {
        let within = format!("--namespace={namespace}");
        // Policies of a release in cluster mode would hold for the other tests too.
        let watch = format!("--set=watch.namespaces={{{namespace}}}");
        kubectl.helm(&[&[arguments[0], "mailwright"], &arguments[1..], &[&within, &watch]].concat())
    };
    let chart = chart("mailwright");
    release(&["install", &chart]).ok();
    let selector = "--selector=app.kubernetes.io/component=operator";
    let count = |pods: &Value| pods["items"].as_array().map_or(0, Vec::len);
    let names = || {
        let pods = kubectl.get(&namespace, "pods")["items"].as_array().cloned().unwrap_or_default();
        pods.iter().map(|pod| pod["metadata"]["name"].clone()).collect::<Vec<_>>()
    };
    kubectl.wait_until(&namespace, "pods", PATIENCE, |pods| count(pods) == 2);
    let selected = kubectl.run(&["get", "pods", selector, "--namespace", &namespace, "--output=name"]).ok();
    assert_eq!(selected.stdout.lines().count(), 2, "PodSecurity at its level restricted lets both in");

    let alias = format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {{name: sales, namespace: {namespace}}}\n\
         spec: {{address: sales@example.test, targets: [alice@example.test]}}\n"
    );
    kubectl.apply(&alias);
    let before = names();
    release(&["upgrade", &chart]).ok();
    assert_eq!(names(), before, "an upgrade without a change restarts nothing");
    let manager = kubectl.get(&namespace, "deployment/mailwright-operator");
    assert_eq!(manager["spec"]["template"]["spec"]["containers"][0]["image"], "localhost/mailwright:0.1.0");

    let within = format!("--namespace={namespace}");
    kubectl.helm(&["uninstall", "mailwright", &within, "--wait"]).ok();
    kubectl.wait_until(&namespace, "pods", PATIENCE, |pods| count(pods) == 0);
    assert_eq!(kubectl.get(&namespace, "alias/sales")["spec"]["address"], "sales@example.test");
    let left =
        "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings";
    let left =
        kubectl.run(&["get", left, "--selector=app.kubernetes.io/name=mailwright", "--output=name"]).ok();
    let ours: Vec<_> = left.stdout.lines().filter(|name| name.contains(&namespace)).collect();
    assert_eq!(ours, [""; 0]);
}

#[test]
fn definitions_outlive_their_release_and_say_their_version() {
    let Some(plane) = ControlPlane::start(&Default::default()) else { return };
    if need_tools(&["helm"]).is_none() {
        return;
    }
    let kubectl = plane.kubectl();
    let crds = chart("mailwright-crds");
    kubectl
        .helm(&["install", "mailwright-crds", &crds, "--set=labels.team=post"])
        .ok()
        .says("helm uninstall");
    kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).ok();
    kubectl.apply(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {name: sales, namespace: default}\n\
         spec: {address: sales@example.test, targets: [alice@example.test]}\n",
    );
    kubectl.helm(&["uninstall", "mailwright-crds"]).ok().says("kept due to the resource policy");
    let definitions = kubectl.get("default", "crd")["items"].as_array().unwrap().clone();
    assert_eq!(definitions.len(), 5);
    for definition in &definitions {
        let metadata = &definition["metadata"];
        let version = mailwright_crds::kind::PACKAGE_VERSION;
        assert_eq!(metadata["annotations"]["mailwright.dev/version"], version, "{metadata}");
        assert_eq!(metadata["labels"]["team"], "post");
    }
    assert_eq!(kubectl.get("default", "alias/sales")["metadata"]["name"], "sales");
    // Installed again, and over definitions that were applied by hand.
    kubectl.helm(&["install", "mailwright-crds", &crds]).ok();
    kubectl.helm(&["uninstall", "mailwright-crds"]).ok();
    plane.install_crds();
    kubectl.helm(&["upgrade", "--install", "mailwright-crds", &crds, "--take-ownership"]).ok();
    assert_eq!(kubectl.get("default", "alias/sales")["metadata"]["name"], "sales");
}

#[test]
fn people_get_the_kinds_by_their_usual_roles() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(rendered) = template(&["--show-only=templates/rbac-people.yaml"]) else { return };
    let kubectl = plane.kubectl();
    install_definitions(&kubectl);
    kubectl.apply(&rendered.ok().stdout);
    let namespace = kubectl.namespace("people");
    for role in ["view", "edit", "admin"] {
        let (clusterrole, user) = (format!("--clusterrole={role}"), format!("--user={role}@example.org"));
        kubectl.run(&["create", "rolebinding", role, &clusterrole, &user, "--namespace", &namespace]).ok();
    }
    let may = |user: &str, verb: &str, resource: &str| {
        let user = format!("--as={user}@example.org");
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let (resource, subresource) =
            (format!("{resource}.mailwright.dev"), format!("--subresource={subresource}"));
        let question = ["auth", "can-i", verb, &resource, &subresource, &user, "--namespace", &namespace];
        kubectl.run(&question).code == Some(0)
    };
    // The controller manager adds the rules to Kubernetes' own roles a moment later.
    let start = std::time::Instant::now();
    while !(may("view", "list", "aliases")
        && may("edit", "create", "aliases")
        && may("admin", "create", "mailservers"))
    {
        assert!(start.elapsed() < PATIENCE, "the roles are not aggregated");
        std::thread::sleep(Duration::from_millis(200));
    }
    for (resource, verb, expected) in [
        ("mailboxes", "get", [true, true, true]),
        ("mailservers", "watch", [true, true, true]),
        ("mailboxes", "create", [false, true, true]),
        ("aliases", "deletecollection", [false, true, true]),
        ("maildomains", "patch", [false, false, true]),
        ("mailservers", "delete", [false, false, true]),
        ("mailboxes/status", "patch", [false, false, false]),
        ("maildomains/finalizers", "update", [false, false, false]),
    ] {
        let found = ["view", "edit", "admin"].map(|user| may(user, verb, resource));
        assert_eq!(found, expected, "{verb} {resource} for view, edit, admin");
    }
}
