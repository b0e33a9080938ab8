//! The children of MailServers: each `workload/NAME.yaml` makes `workload/NAME.children.yaml`, field by field; and what must
//! hold of all of them. `UPDATE_GOLDEN=1 cargo test -p mailwright-operator --test workload` writes them anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mailwright_crds::{Kind, MailServer, Resource, check_manifest};
use mailwright_operator::workload::{
    Child, ChildKind, MANAGEMENT_PORT, OperatorPlace, WorkloadInput, children, names, refusal,
};
use mailwright_plan::observed::ServerDeclared;
use serde_json::{Value, json};

const CASES: [&str; 6] = ["minimal", "everything", "node-port", "lmtp", "relay", "bare"];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workload")
}

/// A manifest with the defaults of its schema filled in, as the API server hands it out.
fn server(text: &str) -> MailServer {
    match check_manifest(Kind::MailServer, &serde_yaml::from_str::<Value>(text).unwrap()) {
        Ok(Resource::MailServer(server)) => MailServer::clone(&server),
        other => panic!("{other:?}"),
    }
}

fn place() -> OperatorPlace {
    OperatorPlace {
        image: "localhost/mailwright:dev".to_owned(),
        namespace: "mailwright".to_owned(),
        labels: BTreeMap::from([
            ("app.kubernetes.io/name".to_owned(), "mailwright".to_owned()),
            ("app.kubernetes.io/component".to_owned(), "operator".to_owned()),
        ]),
    }
}

fn made_by(server: &MailServer, operator: &OperatorPlace) -> Vec<Child> {
    let (namespace, name) = ("post", server.metadata.name.as_deref().unwrap());
    let declared = ServerDeclared::of(format!("{namespace}/{name}"), &server.spec);
    let uid = "5e1f0a52-1c9b-4f0e-8d53-8f6a1b7c2d3e";
    children(&WorkloadInput { namespace, name, uid, spec: &server.spec, declared: &declared, operator })
}

fn made(text: &str) -> Vec<Child> {
    made_by(&server(text), &place())
}

fn case(name: &str) -> String {
    std::fs::read_to_string(directory().join(format!("{name}.yaml"))).unwrap()
}

fn find(children: &[Child], kind: ChildKind, name: &str) -> Option<Value> {
    children.iter().find(|child| child.kind == kind && child.name == name).map(|child| child.object.clone())
}

fn pod_of(children: &[Child]) -> Value {
    find(children, ChildKind::StatefulSet, "mail").unwrap()["spec"]["template"].clone()
}

#[test]
fn children_are_what_the_golden_files_say() {
    for name in CASES {
        let made = made(&case(name));
        let documents: Vec<String> =
            made.iter().map(|child| serde_yaml::to_string(&child.object).unwrap()).collect();
        let text = documents.join("---\n");
        let file = directory().join(format!("{name}.children.yaml"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        let differs = golden.lines().zip(text.lines()).position(|(golden, made)| golden != made);
        assert!(
            golden == text,
            "{name}: line {:?} differs from {}",
            differs.map(|at| at + 1),
            file.display()
        );
    }
}

#[test]
fn every_child_says_whose_it_is() {
    for name in CASES {
        let made = made(&case(name));
        let titles: BTreeSet<String> = made.iter().map(Child::title).collect();
        assert_eq!(titles.len(), made.len(), "{name}: one name, one object");
        for child in &made {
            let metadata = &child.object["metadata"];
            assert_eq!(
                (metadata["namespace"].as_str(), metadata["name"].as_str()),
                (Some("post"), Some(child.name.as_str()))
            );
            assert_eq!(metadata["labels"], json!(names::labels("mail")), "{}", child.title());
            let owner = &metadata["ownerReferences"][0];
            assert_eq!(
                (owner["kind"].as_str(), owner["controller"].as_bool()),
                (Some("MailServer"), Some(true))
            );
            assert_eq!(child.object["kind"].as_str(), Some(child.kind.as_str()));
            assert_eq!(child.digest().map(str::len), Some(64), "{}", child.title());
        }
        assert_eq!(
            made.last().map(|child| child.kind),
            Some(ChildKind::StatefulSet),
            "{name}: the pod comes last"
        );
    }
}

/// What `restricted` asks for, and what a mail pod must not have.
#[test]
fn no_pod_has_rights() {
    for name in CASES {
        let pod = pod_of(&made(&case(name)));
        let spec = &pod["spec"];
        let container = &spec["containers"][0];
        let expected = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        });
        assert_eq!(container["securityContext"], expected, "{name}");
        assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
        assert_eq!(spec["securityContext"]["runAsUser"], 65532, "{name}");
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{name}");
        for host in ["hostNetwork", "hostPID", "hostIPC", "serviceAccountToken", "initContainers"] {
            assert_eq!(spec.get(host), None, "{name}: {host}");
        }
        let ports = container["ports"].as_array().unwrap();
        assert!(ports.iter().all(|port| port.get("hostPort").is_none()), "{name}");
        assert!(ports.iter().any(|port| port["containerPort"] == MANAGEMENT_PORT), "{name}");
    }
}

/// Everything that a Service or a probe points to by name is a port of the pod.
#[test]
fn names_of_ports_lead_somewhere() {
    for name in CASES {
        let made = made(&case(name));
        let pod = pod_of(&made);
        let container = &pod["spec"]["containers"][0];
        let ports: BTreeSet<&str> = container["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| port["name"].as_str().unwrap())
            .collect();
        for child in made.iter().filter(|child| child.kind == ChildKind::Service) {
            for port in child.object["spec"]["ports"].as_array().unwrap() {
                let target = port["targetPort"].as_str().unwrap();
                assert!(ports.contains(target), "{name}: {} leads to {target}", child.title());
            }
        }
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            let probe = &container[probe];
            let port = probe["httpGet"]["port"].as_str().or(probe["tcpSocket"]["port"].as_str()).unwrap();
            assert!(ports.contains(port), "{name}: {port}");
        }
    }
}

/// A manifest changed in one place: which objects change, and does the pod's template?
#[test]
fn a_change_rolls_the_pod_only_when_it_must() {
    let base = case("minimal");
    let table: [(&str, &[&str], bool); 12] = [
        ("  limits: {connections: 500}", &["ConfigMap mail-config"], false),
        ("  relay: {host: smtp.example.org}", &["ConfigMap mail-config", "NetworkPolicy mail"], false),
        ("  trustedNetworks: [10.42.0.0/16]", &["ConfigMap mail-config"], false),
        ("  tls: {secretName: other}", &["ConfigMap mail-config"], false),
        ("  service: {annotations: {a: b}}", &["Service mail"], false),
        ("  service: {type: NodePort}", &["Service mail"], false),
        (
            "  listeners: {imap: {port: 11143}}",
            &["ConfigMap mail-config", "NetworkPolicy mail", "StatefulSet mail"],
            true,
        ),
        (
            "  listeners: {imap: {enabled: false}}",
            &["ConfigMap mail-config", "NetworkPolicy mail", "Service mail", "StatefulSet mail"],
            true,
        ),
        ("  template: {resources: {limits: {memory: 3Gi}}}", &["StatefulSet mail"], true),
        ("  template: {labels: {a: b}}", &["StatefulSet mail"], true),
        ("  template: {image: 'registry.example.org/mailwright:2'}", &["StatefulSet mail"], true),
        ("  queue: {lifetime: 24h}", &["ConfigMap mail-config"], false),
    ];
    let before = made(&base);
    for (line, expected, rolls) in table {
        let after = made(&format!("{base}{line}\n"));
        let changed: BTreeSet<String> =
            after.iter().filter(|child| !before.contains(child)).map(Child::title).collect();
        assert_eq!(changed, expected.iter().map(|title| (*title).to_owned()).collect(), "{line}");
        assert_eq!(pod_of(&before) != pod_of(&after), rolls, "{line}");
    }
}

/// Children come and go with what needs them.
#[test]
fn children_are_there_when_something_needs_them() {
    let services = |name: &str| -> Vec<String> {
        let made = made(&case(name));
        made.into_iter().filter(|child| child.kind == ChildKind::Service).map(|child| child.name).collect()
    };
    assert_eq!(services("minimal"), ["mail", "mail-headless"]);
    assert_eq!(services("lmtp"), ["mail", "mail-headless", "mail-lmtp"]);
    assert_eq!(services("bare"), ["mail-headless", "mail-lmtp"]);
    let policies =
        |name: &str| made(&case(name)).iter().filter(|child| child.kind == ChildKind::NetworkPolicy).count();
    assert_eq!((policies("minimal"), policies("bare")), (2, 0));
    let claims = made(&case("everything"))
        .iter()
        .filter(|child| child.object["kind"] == "PersistentVolumeClaim")
        .count();
    assert_eq!(claims, 0, "a claim is the StatefulSet's and outlives it");
}

/// Without a namespace of its own the operator cannot be named in a policy, and the management port asks for a certificate.
#[test]
fn an_operator_outside_of_the_cluster_reaches_its_pods() {
    let outside = OperatorPlace { namespace: String::new(), ..place() };
    let made = made_by(&server(&case("minimal")), &outside);
    let policy = find(&made, ChildKind::NetworkPolicy, "mail").unwrap();
    let rules = policy["spec"]["ingress"].as_array().unwrap();
    let management: Vec<&Value> = rules
        .iter()
        .filter(|rule| rule["ports"].as_array().unwrap().iter().any(|port| port["port"] == MANAGEMENT_PORT))
        .collect();
    assert_eq!(management.len(), 1);
    assert_eq!(management[0].get("from"), None);
}

#[test]
fn what_no_pod_can_be_made_of_is_refused_with_the_next_step() {
    let refused = |name: &str, line: &str| {
        let server = server(&format!("{}{line}\n", case("minimal")));
        let declared = ServerDeclared::of(format!("post/{name}"), &server.spec);
        let (spec, operator) = (&server.spec, &place());
        refusal(&WorkloadInput { namespace: "post", name, uid: "u", spec, declared: &declared, operator })
    };
    let clash = "  listeners: {imaps: {port: 9443}}";
    for (name, line, expected) in [
        ("mail", "", None),
        ("mail", "  listeners: {imaps: {port: 9443, enabled: false}}", None),
        ("mail", clash, Some("spec.listeners.imaps.port is 9443")),
        ("mail.example", "", Some("create it under another name")),
        ("mail.example", clash, Some("create it under another name")),
    ] {
        let said = refused(name, line);
        assert_eq!(said.is_some(), expected.is_some(), "{name} {line}: {said:?}");
        assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{name} {line}");
    }
}
