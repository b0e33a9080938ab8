//! The operator under the chart's own roles, in both modes: the API server refuses it nothing, and every right that it has is
//! used. What is used is read from the audit log; the scenario goes through everything that the operator does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{ControlPlane, Kubectl, Mark, Options, need_tools};
use mailwright_tests::harness::{GitServer, PATIENCE, root, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;

/// The namespace of the operator.
const OWN: &str = "mailwright";
/// The namespace of the mail server.
const MAIL: &str = "mail";
/// Who the operator is.
const USER: &str = "system:serviceaccount:mailwright:mailwright-operator";

/// Rights whose use takes longer than a test: (namespace, right).
const RARE: &[(&str, &str)] = &[
    // The authority of management connections is renewed after months.
    (OWN, "patch secrets"),
    // The row of another MailServer, in a database that was restored from its volume.
    ("", "get mailservers.mailwright.dev"),
    // sink: Database, in cluster_repository_database.rs.
    ("", "create subjectaccessreviews.authorization.k8s.io"),
    (MAIL, "get mailservers.mailwright.dev"),
];

/// `get secrets`, `patch mailboxes.mailwright.dev/status`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    resource: String,
    verb: String,
}

impl Right {
    fn new(verb: &str, group: &str, resource: &str) -> Right {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let group = if group.is_empty() { String::new() } else { format!(".{group}") };
        let subresource = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
        Right { resource: format!("{resource}{group}{subresource}"), verb: verb.to_owned() }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.verb, self.resource)
    }
}

/// Every right of the roles, by namespace; the empty one for those that hold everywhere or for what has no namespace.
fn granted(kubectl: &Kubectl, roles: &[(&str, &str)]) -> BTreeSet<(String, Right)> {
    let mut rights = BTreeSet::new();
    for (namespace, role) in roles {
        let role = kubectl.get(namespace, role);
        let words = |rule: &Value, field: &str| -> Vec<String> {
            rule[field].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        for rule in role["rules"].as_array().unwrap_or_else(|| panic!("no rules: {role}")) {
            for (group, resource) in pairs(&words(rule, "apiGroups"), &words(rule, "resources")) {
                for verb in words(rule, "verbs") {
                    rights.insert(((*namespace).to_owned(), Right::new(&verb, &group, &resource)));
                }
            }
        }
    }
    rights
}

fn pairs(left: &[String], right: &[String]) -> Vec<(String, String)> {
    left.iter().flat_map(|a| right.iter().map(move |b| (a.clone(), b.clone()))).collect()
}

/// Every right that the operator used since `mark`, with the namespace.
fn used(plane: &ControlPlane, mark: Mark) -> BTreeSet<(String, Right)> {
    let mut rights = BTreeSet::new();
    for entry in plane.audit().since(mark).into_iter().filter(|entry| entry.user == USER) {
        if !entry.event["impersonatedUser"].is_null() {
            // What is asked in the name of a ServiceAccount takes that account's rights, and this one of the operator.
            rights.insert((MAIL.to_owned(), Right::new("impersonate", "", "serviceaccounts")));
            continue;
        }
        let mut insert = |verb: &str| {
            rights.insert((entry.namespace.clone(), Right::new(verb, &entry.group, &entry.resource)))
        };
        insert(&entry.verb);
        // An apply that makes an object takes the right to create it too.
        if entry.verb == "patch" && entry.code == 201 {
            insert("create");
        }
        // A list that is streamed is a watch; older API servers are asked for both.
        if entry.verb == "watch" {
            insert("list");
        }
    }
    rights
}

/// A MailRepository whose MailDomain goes straight into the account database, in the name of the account that the chart allows.
fn follow_straight(kubectl: &Kubectl) {
    let Some(git) = GitServer::start() else { return };
    let tree = tempfile::tempdir().unwrap();
    let domain = "apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {name: straight}\nspec: {serverRef: {name: post}, \
                  domain: straight.test, dkim: {keys: [Ed25519]}}\n";
    std::fs::write(tree.path().join("domain.yaml"), domain).unwrap();
    git.push(tree.path(), "mail: a domain");
    let metadata = json!({"name": "mail-domains", "namespace": MAIL});
    let verbs = ["create", "update", "delete"];
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mail-deployer", "namespace": MAIL}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": ["mailwright.dev"], "resources": ["maildomains"], "verbs": verbs}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "mail-domains"},
            "subjects": [{"kind": "ServiceAccount", "name": "mail-deployer", "namespace": MAIL}],
        },
        {
            "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
            "metadata": {"name": "straight", "namespace": MAIL},
            "spec": {
                "url": git.url(), "interval": "5s", "sink": "Database", "serverRef": {"name": "post"},
                "serviceAccountName": "mail-deployer",
            },
        },
    ]});
    kubectl.apply(&objects.to_string());
    kubectl.wait_until(MAIL, "mailrepository/straight", PATIENCE * 2, ready);
    kubectl.run(&["delete", "mailrepository/straight", "--namespace", MAIL]).ok();
}

fn names(rights: impl IntoIterator<Item = Right>) -> BTreeSet<String> {
    rights.into_iter().map(|right| right.to_string()).collect()
}

/// Definitions of cert-manager and external-dns, as far as an API server that is to store their objects needs them.
fn install_stand_ins(kubectl: &Kubectl) {
    for (group, version, kind, plural) in [
        ("cert-manager.io", "v1", "Certificate", "certificates"),
        ("externaldns.k8s.io", "v1alpha1", "DNSEndpoint", "dnsendpoints"),
    ] {
        let schema =
            json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            // k8s.io's groups are protected; external-dns' own definition has such an annotation too.
            "metadata": {
                "name": format!("{plural}.{group}"),
                "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in"},
            },
            "spec": {
                "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                "versions": [{"name": version, "served": true, "storage": true, "schema": schema}],
            },
        });
        kubectl.apply(&definition.to_string());
        let name = format!("crd/{plural}.{group}");
        kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", &name]).ok();
    }
}

fn server(spec: Value) -> String {
    let object = json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailServer",
        "metadata": {"name": "post", "namespace": MAIL}, "spec": spec,
    });
    object.to_string()
}

const PEOPLE: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: smarthost, namespace: mail}
stringData: {username: post, password: not-a-real-password}
---
apiVersion: mailwright.dev/v1alpha1
kind: MailDomain
metadata: {name: example, namespace: mail}
spec: {serverRef: {name: post}, domain: example.test, limits: {maxQuota: 1Gi}}
---
apiVersion: mailwright.dev/v1alpha1
kind: MailDomain
metadata: {name: second, namespace: mail}
spec: {serverRef: {name: post}, domain: second.test}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: alice, namespace: mail}
spec: {address: alice@example.test, credentials: {generate: {secretName: alice}}}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: bob, namespace: mail}
spec: {address: bob@example.test}
---
apiVersion: mailwright.dev/v1alpha1
kind: Alias
metadata: {name: team, namespace: mail}
spec: {address: team@example.test, targets: [alice@example.test]}
";

/// Who applies what a repository declares.
const DEPLOYER: &str = "\
apiVersion: v1
kind: ServiceAccount
metadata: {name: mail-deployer, namespace: mail}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: mail-deployer, namespace: mail}
rules: [{apiGroups: [mailwright.dev], resources: [mailboxes, aliases], verbs: [get, create, patch, delete]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: mail-deployer, namespace: mail}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: mail-deployer}
subjects: [{kind: ServiceAccount, name: mail-deployer, namespace: mail}]
";

/// Children that no MailServer declares: left over, by their labels and owner, from an older operator.
fn orphans(uid: &str) -> Vec<Value> {
    let metadata = json!({
        "name": "left-over", "namespace": MAIL,
        "labels": {
            "app.kubernetes.io/name": "mailwright", "app.kubernetes.io/instance": "post",
            "app.kubernetes.io/component": "mail", "app.kubernetes.io/managed-by": "mailwright",
            "mailwright.dev/server": "post",
        },
        "ownerReferences": [{
            "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailServer", "name": "post", "uid": uid, "controller": true,
        }],
    });
    let selector = json!({"matchLabels": {"left": "over"}});
    let template = json!({
        "metadata": {"labels": {"left": "over"}},
        "spec": {"containers": [{"name": "x", "image": "localhost/x"}]},
    });
    [
        ("v1", "ServiceAccount", json!({})),
        ("v1", "ConfigMap", json!({"data": {"a": "b"}})),
        ("v1", "Service", json!({"spec": {"ports": [{"port": 1}], "selector": {"left": "over"}}})),
        (
            "apps/v1",
            "StatefulSet",
            json!({"spec": {
                "serviceName": "x", "replicas": 0, "selector": selector, "template": template,
            }}),
        ),
        ("networking.k8s.io/v1", "NetworkPolicy", json!({"spec": {"podSelector": selector}})),
        ("policy/v1", "PodDisruptionBudget", json!({"spec": {"maxUnavailable": 1, "selector": selector}})),
    ]
    .into_iter()
    .map(|(version, kind, rest)| {
        let mut object = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        object
    })
    .collect()
}

fn condition(object: &Value, type_: &str) -> String {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == type_);
    found.map_or(String::new(), |it| {
        format!("{}/{}", it["status"].as_str().unwrap(), it["reason"].as_str().unwrap())
    })
}

fn ready(object: &Value) -> bool {
    condition(object, "Ready").starts_with("True/")
}

/// Everything that an operator does, in a few minutes' work.
fn live_through(plane: &ControlPlane, kubectl: &Kubectl) {
    let issuer = json!({"certManager": {"issuerRef": {"name": "authority"}}});
    let base = json!({"hostname": "mail.example.test", "service": {"type": "ClusterIP"}});
    let with = |more: Value| {
        let mut spec = base.clone();
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server(spec)
    };
    let relay = json!({"host": "smtp.example.net", "port": 587, "tls": "StartTLS", "credentials": {"secretRef": {"name": "smarthost"}}});
    kubectl.apply(&with(
        json!({"tls": issuer, "relay": relay, "listeners": {"lmtp": {"enabled": true, "port": 2400}}}),
    ));
    kubectl.apply(PEOPLE);
    let wait = |what: &str, probe: &dyn Fn(&Value) -> bool| kubectl.wait_until(MAIL, what, PATIENCE, probe);
    for object in ["mailbox/alice", "mailbox/bob", "alias/team", "maildomain/example", "maildomain/second"] {
        wait(object, &ready);
    }
    for object in ["certificate/post", "dnsendpoint/example", "configmap/example-dns", "service/post-lmtp"] {
        wait(object, &|found| !found.is_null());
    }
    wait("maildomain/example", &|domain| domain["metadata"]["finalizers"].is_array());
    wait("mailserver/post", &|server| condition(server, "RelayReady").starts_with("True/"));

    follow_a_repository(kubectl);

    // Less than before: what is not declared any more is removed.
    kubectl.apply(&with(json!({"tls": {"selfSigned": {}}, "networkPolicy": {"enabled": false}})));
    for object in ["certificate/post", "service/post-lmtp", "networkpolicy/post"] {
        wait(object, &Value::is_null);
    }
    wait("mailserver/post", &ready);
    let uid = kubectl.get(MAIL, "mailserver/post")["metadata"]["uid"].as_str().unwrap().to_owned();
    for orphan in orphans(&uid) {
        kubectl.apply(&orphan.to_string());
        let kind = orphan["kind"].as_str().unwrap().to_lowercase();
        wait(&format!("{kind}/left-over"), &Value::is_null);
    }

    // The same trouble twice: one event, counted.
    let quota = |quota: &str| {
        let patch = json!({"spec": {"quota": quota}}).to_string();
        kubectl.run(&["patch", "mailbox/bob", "--type=merge", "--namespace", MAIL, "--patch", &patch]).ok();
    };
    for _ in 0..2 {
        quota("2Gi");
        wait("mailbox/bob", &|mailbox| condition(mailbox, "Ready").starts_with("False/"));
        quota("1Gi");
        wait("mailbox/bob", &ready);
    }
    let password = |kubectl: &Kubectl| kubectl.get(MAIL, "secret/alice")["data"]["password"].clone();
    let before = password(kubectl);
    let rotate = ["annotate", "mailbox/alice", "mailwright.dev/rotate=1", "--namespace", MAIL];
    kubectl.run(&rotate).ok();
    wait_for("another password", PATIENCE, || (password(kubectl) != before).then_some(()));

    follow_straight(kubectl);

    // Everything goes, one by one so that no guard holds it; the domain waits for its addresses.
    let delete =
        |what: &[&str]| kubectl.run(&[&["delete", "--namespace", MAIL, "--timeout=60s"], what].concat()).ok();
    delete(&["maildomain/second"]);
    let asked = Right::new("get", "mailwright.dev", "maildomains");
    wait_for("the removal to be confirmed", PATIENCE, || {
        used(plane, Mark::default()).iter().any(|(_, right)| *right == asked).then_some(())
    });
    delete(&["maildomain/example", "--wait=false"]);
    wait("maildomain/example", &|domain| condition(domain, "DeletionBlocked").starts_with("True/"));
    let count = |field: &'static str, expected: u64| {
        wait("maildomain/example", &move |domain| domain["status"][field] == expected);
    };
    delete(&["alias/team"]);
    count("aliases", 0);
    delete(&["mailbox/bob"]);
    count("mailboxes", 1);
    delete(&["mailbox/alice"]);
    wait("maildomain/example", &Value::is_null);
    delete(&["mailserver/post"]);
    assert!(plane.audit().forbidden_since(Mark::default()).iter().all(|entry| entry.user != USER));
}

/// A MailRepository whose Alias comes and goes, in the name of the account that the chart allows. No Mailbox: one that went a moment ago
/// counts for the guard of the MailServer, which would hold what goes later.
fn follow_a_repository(kubectl: &Kubectl) {
    let Some(git) = GitServer::start() else { return };
    let tree = tempfile::tempdir().unwrap();
    let alias = "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {name: carol}\nspec: {address: carol@example.test, targets: \
                 [alice@example.test]}\n";
    let file = tree.path().join("carol.yaml");
    std::fs::write(&file, alias).unwrap();
    std::fs::write(tree.path().join("dave.yaml"), alias.replace("carol", "dave")).unwrap();
    git.push(tree.path(), "mail: carol and dave");
    kubectl.apply(DEPLOYER);
    let repository = json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
        "metadata": {"name": "company", "namespace": MAIL},
        "spec": {
            "url": git.url(), "interval": "5s", "serviceAccountName": "mail-deployer", "guards": {"maxRemovedPercent": 100},
        },
    });
    kubectl.apply(&repository.to_string());
    let wait =
        |what: &str, probe: &dyn Fn(&Value) -> bool| kubectl.wait_until(MAIL, what, PATIENCE * 2, probe);
    wait("mailrepository/company", &ready);
    wait("alias/carol", &ready);
    std::fs::remove_file(&file).unwrap();
    git.push(tree.path(), "mail: carol leaves");
    wait("alias/carol", &Value::is_null);
    kubectl.run(&["delete", "mailrepository/company", "alias/dave", "--namespace", MAIL]).ok();
}

/// A definition without a field that the operator knows: it says so, and waits.
fn with_an_old_definition(kubectl: &Kubectl, own: &str) {
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/displayName";
    let patch = json!([{"op": "remove", "path": path}]).to_string();
    let definition = "crd/mailboxes.mailwright.dev";
    kubectl.run(&["patch", definition, "--type=json", "--patch", &patch]).ok();
    wait_for("an event about the definitions", PATIENCE, || {
        let events = kubectl.list(own, "events.events.k8s.io");
        events.iter().any(|event| event["reason"] == "DefinitionsOutdated").then_some(())
    });
}

/// The chart's roles without its pods, the operator beside the cluster with the account's token.
fn run(values: &str, roles: &[(&str, &str)]) {
    if need_tools(&["helm"]).is_none() {
        return;
    }
    let Some(plane) = ControlPlane::start(&Options::default()) else { return };
    plane.install_crds();
    let kubectl = plane.kubectl();
    install_stand_ins(&kubectl);
    for namespace in [OWN, MAIL] {
        kubectl.run(&["create", "namespace", namespace]).ok();
    }
    let chart = root().join("charts/mailwright").display().to_string();
    let set = format!("--set=replicas=0,{values}");
    kubectl.helm(&["install", "mailwright", &chart, "--namespace", OWN, &set]).ok();

    let pod = plane.pod(MAIL, "post");
    let endpoint = pod.management_endpoint();
    // Nobody restarts an operator here that a busy machine made lose the election.
    let lease = ["--lease-duration=40s", "--renew-deadline=30s"];
    let watch = if values.contains("namespaces") { vec!["--watch-namespace", MAIL] } else { Vec::new() };
    let config = plane.service_account(OWN, "mailwright-operator");
    let mark = plane.audit().mark();
    let mut operator = plane.operator(&config, OWN, &[&[endpoint.as_str()], &lease[..], &watch[..]].concat());
    with_an_old_definition(&kubectl, OWN);
    plane.install_crds();
    operator.wait_ready();
    live_through(&plane, &kubectl);
    operator.signal("TERM");
    operator.wait(PATIENCE);

    let forbidden = plane.audit().forbidden_since(mark).into_iter().filter(|entry| entry.user == USER);
    let forbidden: BTreeSet<String> = forbidden.map(|entry| entry.to_string()).collect();
    assert_eq!(forbidden, BTreeSet::new(), "the roles lack rights");
    let (granted, used) = (granted(&kubectl, roles), used(&plane, mark));
    let unused = granted.into_iter().filter(|(namespace, right)| {
        let rare = RARE.contains(&(namespace, &right.to_string()));
        !rare && !used.iter().any(|(at, used)| used == right && (namespace.is_empty() || at == namespace))
    });
    assert_eq!(names(unused.map(|(_, right)| right)), BTreeSet::new(), "the roles grant what nobody uses");
}

#[test]
fn in_cluster_mode_every_right_is_used_and_none_is_missing() {
    run(
        "admissionPolicies.enabled=true",
        &[("", "clusterrole/mailwright-operator"), (OWN, "role/mailwright-operator-own")],
    );
}

#[test]
fn in_namespaced_mode_every_right_is_used_and_none_is_missing() {
    run(
        "watch.namespaces={mail}",
        &[
            ("", "clusterrole/mailwright-mailwright-operator"),
            (OWN, "role/mailwright-operator-own"),
            (MAIL, "role/mailwright-operator"),
        ],
    );
}
