//! The children of MailServers on a real API server: what the golden files say is accepted, a second pass writes nothing,
//! what belongs to others survives, and what goes wrong is said with the next step. No pod runs: there is no node.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use kube_client::config::{KubeConfigOptions, Kubeconfig};
use kube_client::{Api, Client, Config};
use kube_core::DynamicObject;
use kube_core::params::ListParams;
use mailwright_crds::{MailServer, Reason};
use mailwright_operator::kubernetes::children::awaited::Awaited;
use mailwright_operator::kubernetes::children::covers::covers;
use mailwright_operator::kubernetes::children::facts::{WorkloadFacts, facts};
use mailwright_operator::kubernetes::children::look::look;
use mailwright_operator::kubernetes::children::{Children, Fault, Live, Owner, Report, failure, resource};
use mailwright_operator::workload::{Child, ChildKind, OperatorPlace, WorkloadInput, children, names};
use mailwright_plan::observed::ServerDeclared;
use mailwright_tests::cluster::{ControlPlane, Kubectl};
use mailwright_tests::harness::root;
use serde_json::{Value, json};

const SECONDS: Duration = Duration::from_secs(60);

/// The MailServers whose children are golden files.
const CASES: [&str; 6] = ["minimal", "everything", "node-port", "lmtp", "relay", "bare"];

/// One MailServer in a namespace of its own, with its definition installed.
struct Bench {
    plane: &'static ControlPlane,
    kubectl: Kubectl,
    namespace: String,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Option<Bench> {
        let plane = ControlPlane::shared()?;
        plane.install_crds();
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let kubeconfig = Kubeconfig::read_from(plane.admin().path()).unwrap();
        let client = runtime.block_on(async {
            let config =
                Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
            Client::try_from(config).unwrap()
        });
        let kubectl = plane.kubectl();
        let namespace = kubectl.namespace("children");
        Some(Bench { plane, kubectl, namespace, client, runtime })
    }

    /// The MailServer as the API server has it after `manifest` was applied: defaults filled in, with its uid.
    fn declare(&self, manifest: &str) -> MailServer {
        self.kubectl.apply(&manifest.replace("namespace: post", &format!("namespace: {}", self.namespace)));
        serde_json::from_value(self.kubectl.get(&self.namespace, "mailserver/mail")).unwrap()
    }

    fn owner(&self, server: &MailServer) -> Owner {
        let uid = server.metadata.uid.clone().unwrap();
        Owner { namespace: self.namespace.clone(), name: "mail".to_owned(), uid }
    }

    fn desired(&self, server: &MailServer) -> Vec<Child> {
        let owner = self.owner(server);
        let declared = ServerDeclared::of(format!("{}/mail", self.namespace), &server.spec);
        let operator = OperatorPlace {
            image: "localhost/mailwright:dev".to_owned(),
            namespace: "mailwright".to_owned(),
            labels: BTreeMap::from([("app.kubernetes.io/component".to_owned(), "operator".to_owned())]),
        };
        children(&WorkloadInput {
            namespace: &self.namespace,
            name: "mail",
            uid: &owner.uid,
            spec: &server.spec,
            declared: &declared,
            operator: &operator,
        })
    }

    fn engine(&self, server: &MailServer) -> Children {
        Children::new(self.client.clone(), self.owner(server))
    }

    /// What a watch of our labels would have told by now.
    fn live(&self) -> Vec<Live> {
        let parameters = ListParams::default().labels(&format!("{}=mail", names::SERVER_LABEL));
        let of = |kind: ChildKind| {
            let api =
                Api::<DynamicObject>::namespaced_with(self.client.clone(), &self.namespace, &resource(kind));
            let list = self.runtime.block_on(api.list(&parameters)).unwrap();
            list.items.into_iter().map(move |object| Live::of(kind, &object)).collect::<Vec<_>>()
        };
        ChildKind::ALL.into_iter().flat_map(of).collect()
    }

    fn apply(&self, engine: &mut Children, desired: &[Child]) -> Report {
        let live = self.live();
        self.runtime.block_on(engine.apply(desired, &live))
    }

    fn facts(&self, server: &MailServer, problems: &[failure::Problem]) -> WorkloadFacts {
        let live = self.live();
        let (owner, mut awaited) = (self.owner(server), Awaited::default());
        let seen =
            self.runtime.block_on(look(&self.client, &owner, &live, &mut awaited, Utc::now())).unwrap();
        facts(&seen, problems)
    }

    /// Facts once they have this reason.
    #[track_caller]
    fn facts_with(&self, server: &MailServer, reason: Reason) -> WorkloadFacts {
        let start = std::time::Instant::now();
        loop {
            let facts = self.facts(server, &[]);
            if facts.workloads.reason == reason {
                return facts;
            }
            assert!(start.elapsed() < SECONDS, "waited for {reason:?}: {facts:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// `patch` merged into an object by somebody else.
    fn patch(&self, what: &str, patch: &Value) {
        let patch = patch.to_string();
        self.kubectl
            .run(&["patch", what, "--type=merge", "--patch", &patch, "--namespace", &self.namespace])
            .ok();
    }

    /// Requests of ours that write in this namespace, since `mark`.
    fn writes(&self, since: mailwright_tests::cluster::Mark) -> Vec<String> {
        let ours = self.plane.audit().writes_since(since).into_iter();
        let ours = ours.filter(|write| write.namespace == self.namespace && !write.is_of_kubernetes());
        ours.map(|write| format!("{} {}", write.verb, write.resource)).collect()
    }
}

fn case(name: &str) -> String {
    std::fs::read_to_string(root().join(format!("operator/tests/workload/{name}.yaml"))).unwrap()
}

fn golden(name: &str) -> String {
    std::fs::read_to_string(root().join(format!("operator/tests/workload/{name}.children.yaml"))).unwrap()
}

/// Ports of nodes are one set for the cluster. Another test has those of the files, and Kubernetes gives the upper ones to
/// whoever asks for any; those from 30000 to 30085 it gives last. A dry run makes up the port behind the last one for whoever
/// asks for any, so these have room between them.
fn with_ports_of_its_own(manifests: &str) -> String {
    const FIRST: usize = 30_030;
    const ROOM: usize = 10;
    let mut parts = manifests.split("nodePort: ");
    let before = parts.next().unwrap_or_default().to_owned();
    parts.enumerate().fold(before, |text, (number, part)| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        format!("{text}nodePort: {}{rest}", FIRST + ROOM * number)
    })
}

#[test]
fn the_golden_files_are_accepted_and_their_pods_are_restricted() {
    let Some(bench) = Bench::new() else { return };
    let namespace = &bench.namespace;
    let levels = ["enforce", "warn"].map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"));
    bench.kubectl.run(&["label", "namespace", namespace, &levels[0], &levels[1]]).ok();
    bench.kubectl.run(&["create", "serviceaccount", "mail", "--namespace", namespace]).ok();
    let dry_run = ["--dry-run=server", "--validate=strict", "--force-conflicts"];
    for name in CASES {
        let manifests = golden(name).replace("namespace: post", &format!("namespace: {namespace}"));
        let manifests = with_ports_of_its_own(&manifests);
        let said = bench.kubectl.apply_with(&manifests, &dry_run).ok();
        assert!(!said.all().contains("Warning"), "{name}: {}", said.all());
        let template = manifests
            .split("---\n")
            .map(|document| serde_yaml::from_str::<Value>(document).unwrap())
            .find(|object| object["kind"] == "StatefulSet")
            .map(|set| set["spec"]["template"].clone())
            .unwrap();
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
        pod["metadata"]["name"] = json!("mail-0");
        pod["metadata"]["namespace"] = json!(namespace);
        // The StatefulSet's controller adds the claim.
        pod["spec"]["volumes"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "data", "persistentVolumeClaim": {"claimName": "data-mail-0"}}));
        bench.kubectl.apply_with(&pod.to_string(), &dry_run).ok();
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
        let refused = bench.kubectl.apply_with(&pod.to_string(), &dry_run);
        assert!(refused.all().contains("violates PodSecurity"), "the namespace enforces: {}", refused.all());
    }
}

#[test]
fn a_second_pass_writes_nothing_whatever_the_server_filled_in() {
    for name in CASES {
        let Some(bench) = Bench::new() else { return };
        let server = bench.declare(&case(name));
        let desired = bench.desired(&server);
        let mut engine = bench.engine(&server);
        let report = bench.apply(&mut engine, &desired);
        assert_eq!((report.written, report.problems.len()), (desired.len(), 0), "{name}: {report:?}");
        let live = bench.live();
        for child in &desired {
            let found =
                live.iter().find(|live| live.kind == child.kind && live.name() == child.name).unwrap();
            assert!(
                covers(&found.object, &child.object),
                "{name}: {}\n{:#}\n{:#}",
                child.title(),
                found.object,
                child.object
            );
        }
        let mark = bench.plane.audit().mark();
        let report = bench.apply(&mut engine, &desired);
        // And with an empty memory, as after a restart.
        let after_restart = bench.apply(&mut bench.engine(&server), &desired);
        assert_eq!((report, after_restart), (Report::default(), Report::default()), "{name}");
        assert_eq!(bench.writes(mark), Vec::<String>::new(), "{name}");
        // Nothing but the digest shows that a forced apply would change nothing either.
        let again = bench.runtime.block_on(bench.engine(&server).apply(&desired, &[]));
        assert_eq!(again.written, 0, "{name}: found by name: {again:?}");
    }
}

#[test]
fn what_others_added_survives_and_what_they_changed_of_ours_comes_back() {
    let Some(bench) = Bench::new() else { return };
    let server = bench.declare(&case("minimal"));
    let desired = bench.desired(&server);
    let mut engine = bench.engine(&server);
    bench.apply(&mut engine, &desired);
    bench.patch("service/mail", &json!({"metadata": {"annotations": {"example.org/theirs": "1"}}}));
    assert_eq!(
        bench.apply(&mut engine, &desired),
        Report::default(),
        "an annotation of others is no difference"
    );
    bench.patch("service/mail", &json!({"spec": {"externalTrafficPolicy": "Cluster"}}));
    bench.patch("statefulset/mail", &json!({"spec": {"replicas": 0}}));
    assert_eq!(bench.apply(&mut engine, &desired).written, 2);
    let service = bench.kubectl.get(&bench.namespace, "service/mail");
    assert_eq!(service["spec"]["externalTrafficPolicy"], "Local");
    assert_eq!(service["metadata"]["annotations"]["example.org/theirs"], "1");
    assert_eq!(bench.kubectl.get(&bench.namespace, "statefulset/mail")["spec"]["replicas"], 1);
    // A field that is not desired any more goes, although the live object had everything that is desired.
    let annotated =
        bench.declare(&format!("{}  service: {{annotations: {{example.org/ours: '2'}}}}\n", case("minimal")));
    assert_eq!(bench.apply(&mut engine, &bench.desired(&annotated)).written, 1);
    let plain = bench.declare(&format!("{}  service: {{}}\n", case("minimal")));
    assert_eq!(bench.apply(&mut engine, &bench.desired(&plain)).written, 1);
    let annotations = &bench.kubectl.get(&bench.namespace, "service/mail")["metadata"]["annotations"];
    assert_eq!(
        (annotations["example.org/ours"].as_str(), annotations["example.org/theirs"].as_str()),
        (None, Some("1"))
    );
}

#[test]
fn surplus_is_removed_and_strangers_are_not_touched() {
    let Some(bench) = Bench::new() else { return };
    let (namespace, kubectl) = (&bench.namespace, &bench.kubectl);
    let server = bench.declare(&case("lmtp"));
    let mut engine = bench.engine(&server);
    kubectl.run(&["create", "service", "clusterip", "mail", "--tcp=80:80", "--namespace", namespace]).ok();
    let report = bench.apply(&mut engine, &bench.desired(&server));
    assert_eq!(report.problems.iter().map(|problem| problem.fault).collect::<Vec<_>>(), [Fault::NotOurs]);
    assert_eq!(bench.facts(&server, &report.problems).workloads.reason, Reason::ChildNotOurs);
    assert_eq!(kubectl.get(namespace, "service/mail")["spec"]["ports"][0]["port"], 80, "left alone");
    kubectl.run(&["delete", "service", "mail", "--namespace", namespace]).ok();
    assert_eq!(bench.apply(&mut engine, &bench.desired(&server)).written, 1);
    // LMTP is switched off: its Service goes, and a Service of somebody else with all our labels stays.
    let labels: Vec<String> =
        names::labels("mail").iter().map(|(key, value)| format!("{key}={value}")).collect();
    kubectl
        .run(&["create", "service", "clusterip", "lookalike", "--tcp=80:80", "--namespace", namespace])
        .ok();
    let label = ["label", "service", "lookalike", "--namespace", namespace.as_str()];
    kubectl.run(&[&label[..], &labels.iter().map(String::as_str).collect::<Vec<_>>()].concat()).ok();
    let off = case("lmtp").replace("lmtp: {enabled: true}", "lmtp: {enabled: false}");
    let server = bench.declare(&off);
    let report = bench.apply(&mut engine, &bench.desired(&server));
    assert_eq!(report.problems, []);
    let services: Vec<String> = kubectl
        .list(namespace, "services")
        .iter()
        .map(|it| it["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(services, ["lookalike", "mail", "mail-headless"]);
}

#[test]
fn a_field_that_never_changes_is_said_with_the_way_out() {
    let Some(bench) = Bench::new() else { return };
    let server = bench.declare(&case("minimal"));
    let mut engine = bench.engine(&server);
    bench.apply(&mut engine, &bench.desired(&server));
    let mut desired = bench.desired(&server);
    let set = desired.iter_mut().find(|child| child.kind == ChildKind::StatefulSet).unwrap();
    set.object["spec"]["serviceName"] = json!("other");
    let report = bench.apply(&mut engine, &desired);
    let problem = &report.problems[0];
    let way_out = format!("kubectl delete statefulset mail -n {} --cascade=orphan", bench.namespace);
    assert!(problem.fault == Fault::Refused && problem.message.contains(&way_out), "{problem:?}");
    assert_eq!(bench.facts(&server, &report.problems).workloads.reason, Reason::ChildRefused);
    bench
        .kubectl
        .run(&["delete", "statefulset", "mail", "--cascade=orphan", "--namespace", &bench.namespace])
        .ok();
    assert_eq!(bench.apply(&mut engine, &desired).problems, []);
}

#[test]
fn a_field_that_the_server_does_not_know_is_not_tried_for_ever() {
    let Some(bench) = Bench::new() else { return };
    let server = bench.declare(&case("minimal"));
    let mut engine = bench.engine(&server);
    let mut desired = bench.desired(&server);
    let service = desired.iter_mut().find(|child| child.name == "mail-headless").unwrap();
    service.object["spec"]["trafficDistribusion"] = json!("x");
    let mark = bench.plane.audit().mark();
    let mut last = Report::default();
    for _ in 0..10 {
        last = bench.apply(&mut engine, &desired);
    }
    let tried = bench.writes(mark).iter().filter(|write| write.contains("services")).count();
    let problem = &last.problems[0];
    assert_eq!((last.problems.len(), last.written), (1, 0), "{last:?}");
    // A 500 that is told from other ones by its words, or a 4xx: the field is named, and it is not tried in every pass.
    let known = problem.fault == Fault::Refused || problem.message.contains("field not declared in schema");
    assert!(known, "{problem:?}");
    assert!(problem.message.contains("trafficDistribusion"), "{problem:?}");
    assert!(tried < 10, "{tried} writes");
    assert!(bench.live().iter().any(|live| live.kind == ChildKind::StatefulSet), "the others are made");
}

#[test]
fn a_storage_class_that_is_not_there_and_a_quota_are_said() {
    let Some(bench) = Bench::new() else { return };
    let class = "  database: {sqlite: {storage: {storageClassName: nowhere}}}\n";
    let server = bench.declare(&format!("{}{class}", case("minimal")));
    let mut engine = bench.engine(&server);
    bench.apply(&mut engine, &bench.desired(&server));
    let facts = bench.facts_with(&server, Reason::VolumeNotBound);
    assert!(facts.workloads.message.contains("StorageClass nowhere must exist"), "{facts:?}");
    assert_eq!(facts.address.reason, Reason::AddressPending, "no load balancer here");

    let Some(bench) = Bench::new() else { return };
    let server = bench.declare(&case("minimal"));
    bench.apply(&mut bench.engine(&server), &bench.desired(&server));
    let facts = bench.facts_with(&server, Reason::VolumeNotBound);
    assert!(facts.workloads.message.contains("no default StorageClass"), "{facts:?}");

    let Some(bench) = Bench::new() else { return };
    bench.kubectl.run(&["create", "quota", "none", "--hard=pods=0", "--namespace", &bench.namespace]).ok();
    let server = bench.declare(&case("lmtp"));
    bench.apply(&mut bench.engine(&server), &bench.desired(&server));
    let facts = bench.facts_with(&server, Reason::ChildRefused);
    assert!(facts.workloads.message.contains("exceeded quota: none"), "{facts:?}");
    assert_eq!((facts.address.reason, facts.addresses.len()), (Reason::AddressAssigned, 1));
}

#[test]
fn children_go_with_their_server_and_the_claim_stays() {
    let Some(bench) = Bench::new() else { return };
    let server = bench.declare(&case("lmtp"));
    bench.apply(&mut bench.engine(&server), &bench.desired(&server));
    let claim = |bench: &Bench| bench.kubectl.get(&bench.namespace, "persistentvolumeclaim/data-mail-0");
    bench
        .kubectl
        .wait_until(&bench.namespace, "persistentvolumeclaim/data-mail-0", SECONDS, |claim| !claim.is_null());
    bench.kubectl.run(&["delete", "mailserver", "mail", "--namespace", &bench.namespace]).ok();
    for kind in
        ["statefulset/mail", "service/mail", "configmap/mail-config", "networkpolicy/mail", "pod/mail-0"]
    {
        bench.kubectl.wait_until(&bench.namespace, kind, SECONDS, Value::is_null);
    }
    let claim = claim(&bench);
    assert_eq!(
        (claim["kind"].as_str(), claim["metadata"].get("ownerReferences")),
        (Some("PersistentVolumeClaim"), None)
    );
}

/// Each way of being reached after each other one, and back: nothing of the one before stands in the way.
#[test]
fn the_service_changes_how_it_is_reached() {
    let Some(bench) = Bench::new() else { return };
    let ways = [
        "{type: ClusterIP}",
        "{type: NodePort}",
        "{type: LoadBalancer}",
        "{type: NodePort, externalTrafficPolicy: Cluster}",
    ];
    let server = bench.declare(&case("minimal"));
    let mut engine = bench.engine(&server);
    for (from, to) in ways.iter().flat_map(|from| ways.iter().map(move |to| (from, to))) {
        for way in [from, to] {
            let server = bench.declare(&format!("{}  service: {way}\n", case("minimal")));
            let report = bench.apply(&mut engine, &bench.desired(&server));
            assert_eq!(report.problems, [], "{from} then {to}");
            assert_eq!(
                bench.apply(&mut engine, &bench.desired(&server)),
                Report::default(),
                "{from} then {to}"
            );
        }
    }
    let of_class = |class: &str| {
        let service = format!("{{type: LoadBalancer, loadBalancerClass: example.org/{class}}}");
        bench.desired(&bench.declare(&format!("{}  service: {service}\n", case("minimal"))))
    };
    let off = bench.declare(&format!("{}  service: {{type: ClusterIP}}\n", case("minimal")));
    bench.apply(&mut engine, &bench.desired(&off));
    assert_eq!(bench.apply(&mut engine, &of_class("one")).problems, []);
    let refused = bench.apply(&mut engine, &of_class("two"));
    assert!(refused.problems[0].message.contains("kubectl delete service mail"), "{refused:?}");
}
