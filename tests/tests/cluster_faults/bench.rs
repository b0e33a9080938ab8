//! One small installation behind a proxy: two mailboxes, one of them with a generated password, and an alias. Owns applying it,
//! telling when it is as declared, and a picture of everything in it that may be compared with that of another one.

use super::gate::Gate;
use mailwright_plan::Observed;
use mailwright_server::{ManagementCertificates, ManagementClient};
use mailwright_tests::cluster::{Api, ControlPlane, Kubectl, Operator, Pod, Proxy};
use mailwright_tests::harness::{PATIENCE, wait_for};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The management port of a mail pod.
const MANAGEMENT: u16 = 9443;

/// Children as their paths say, after the namespace.
const CHILDREN: &[(&str, &str)] = &[
    ("/apis/apps/v1", "statefulsets"),
    ("/api/v1", "services"),
    ("/api/v1", "configmaps"),
    ("/api/v1", "serviceaccounts"),
    ("/api/v1", "secrets"),
    ("/apis/networking.k8s.io/v1", "networkpolicies"),
    ("/apis/policy/v1", "poddisruptionbudgets"),
];

/// Everything that belongs to the API group.
pub const KINDS: &[&str] = &["mailservers", "maildomains", "mailboxes", "aliases"];

/// An installation with its namespaces.
pub struct Bench {
    pub plane: &'static ControlPlane,
    pub kubectl: Kubectl,
    pub api: Api,
    pub namespace: String,
    pub own: String,
    pub pod: Pod,
    pub proxy: Proxy,
    pub gate: Gate,
    arguments: Vec<String>,
    runtime: Runtime,
    client: Mutex<Option<ManagementClient>>,
}

impl Bench {
    /// Without objects, and without an operator.
    pub fn new(seed: u64) -> Option<Bench> {
        let plane = ControlPlane::shared()?;
        plane.install_crds();
        let kubectl = plane.kubectl();
        let (namespace, own) = (kubectl.namespace("mail"), kubectl.namespace("operator"));
        let pod = plane.pod(&namespace, "mail");
        let gate = Gate::new(pod.address(), MANAGEMENT);
        let arguments = vec![
            format!("--watch-namespace={namespace}"),
            format!("--management-endpoint={namespace}/mail={}", gate.address()),
            "--lease-duration=15s".to_owned(),
            "--renew-deadline=10s".to_owned(),
            "--retry-period=500ms".to_owned(),
        ];
        let proxy = Proxy::start(plane, seed);
        let (api, runtime) = (plane.api().clone(), Runtime::new().unwrap());
        let client = Mutex::default();
        Some(Bench { plane, kubectl, api, namespace, own, pod, proxy, gate, arguments, runtime, client })
    }

    /// An operator behind the proxy.
    pub fn operator(&self) -> Operator {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.plane.operator(&self.proxy.kubeconfig(self.plane.admin()), &self.own, &arguments)
    }

    pub fn apply(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.kubectl.apply_with(&list.to_string(), &["--namespace", &self.namespace]).ok();
    }

    /// Everything that the installation is made of.
    pub fn install(&self) {
        self.apply(&[
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password"},
                "stringData": {"password": "mailwright"}}),
            server(),
            object("MailDomain", "example", json!({"serverRef": {"name": "mail"}, "domain": "example.test"})),
            mailbox("alice", json!({"secretRef": {"name": "password"}})),
            mailbox("bob", json!({"generate": {"secretName": "bob-password"}})),
            object(
                "Alias",
                "postmaster",
                json!({"address": "postmaster@example.test",
                "targets": ["alice@example.test"]}),
            ),
        ]);
    }

    /// alice is called something else, and bob leaves.
    pub fn change(&self) {
        let fields = json!({"spec": {"displayName": "Alice"}});
        self.api.patch(&self.path("mailboxes", "alice"), &fields).unwrap();
        self.api.delete(&self.path("mailboxes", "bob"), &json!({})).unwrap();
    }

    /// Where one of our objects is.
    pub fn path(&self, plural: &str, name: &str) -> String {
        format!("/apis/mailwright.dev/v1alpha1/namespaces/{}/{plural}/{name}", self.namespace)
    }

    fn list(&self, prefix: &str, plural: &str) -> Vec<Value> {
        let path = format!("{prefix}/namespaces/{}/{plural}", self.namespace);
        self.api.list(&path).unwrap_or_default()
    }

    /// One of our objects once it is Ready as it is declared.
    pub fn ready(&self, plural: &str, name: &str, patience: Duration) -> Value {
        let what = format!("{plural}/{name} of {} to be ready", self.namespace);
        wait_for(&what, patience, || {
            let object = self.api.get(&self.path(plural, name)).ok()??;
            is_ready(&object).then_some(object)
        })
    }

    /// Whether all our objects are Ready, the rows are what they say, and domains count them; what is late otherwise.
    pub fn is_converged(&self) -> Result<(), Vec<Value>> {
        let objects: Vec<Value> =
            KINDS.iter().flat_map(|kind| self.list("/apis/mailwright.dev/v1alpha1", kind)).collect();
        let is_late = |object: &&Value| !is_ready(object) || !counts(object, &objects);
        let late: Vec<Value> = objects.iter().filter(is_late).cloned().collect();
        let done = !objects.is_empty() && late.is_empty();
        if done && self.rows().is_some_and(|rows| fits(&rows, &objects)) { Ok(()) } else { Err(late) }
    }

    /// Waits until it is so.
    pub fn converged(&self, patience: Duration) {
        let start = std::time::Instant::now();
        while let Err(late) = self.is_converged() {
            let injected = self.proxy.injected();
            assert!(
                start.elapsed() < patience,
                "{} has not converged in {patience:?}: {late:#?}; {:?}; {injected:?}",
                self.namespace,
                self.rows(),
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The account rows, while the pod answers.
    pub fn rows(&self) -> Option<Observed> {
        let mut client = self.client.lock().unwrap();
        if client.is_none() {
            *client = self.connect();
        }
        let observed = self.runtime.block_on(async {
            let question = client.as_ref()?.observe();
            tokio::time::timeout(Duration::from_secs(10), question).await.ok()?.ok()
        });
        if observed.is_none() {
            *client = None;
        }
        observed
    }

    /// The digest of what was pushed to the pod last, while it answers.
    pub fn pushed(&self) -> Option<String> {
        let mut client = self.client.lock().unwrap();
        if client.is_none() {
            *client = self.connect();
        }
        self.runtime.block_on(async { client.as_ref()?.health().await.ok()?.pushed_digest })
    }

    fn connect(&self) -> Option<ManagementClient> {
        let path = format!("/api/v1/namespaces/{}/secrets/mailwright-management-client", self.own);
        let secret = self.api.get(&path).ok()??;
        let text = |key: &str| {
            use base64::Engine as _;
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(secret["data"][key].as_str()?).ok()?;
            String::from_utf8(bytes).ok()
        };
        let certificates = ManagementCertificates {
            authority_pem: text("ca.crt")?,
            chain_pem: text("tls.crt")?,
            key_pem: text("tls.key")?,
        };
        let name = format!("mail-0.mail-headless.{}.svc", self.namespace);
        ManagementClient::remote(&format!("{}:{MANAGEMENT}", self.pod.address()), &name, &certificates).ok()
    }

    /// What a Secret of the installation holds, as the API server says it.
    pub fn secret(&self, name: &str) -> Value {
        let path = format!("/api/v1/namespaces/{}/secrets/{name}", self.namespace);
        self.api.get(&path).unwrap().unwrap_or_default()["data"].clone()
    }

    /// The Secrets with DKIM keys, by name.
    pub fn dkim(&self) -> Value {
        let secrets = self.list("/api/v1", "secrets");
        let keys =
            secrets.iter().filter(|secret| secret["metadata"]["labels"]["mailwright.dev/dkim"] == "true");
        keys.map(|secret| (secret["metadata"]["name"].as_str().unwrap().to_owned(), secret["data"].clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// Everything that is kept of the installation, without what is another one each time: times, numbers, keys.
    pub fn picture(&self) -> Value {
        let mut all = serde_json::Map::new();
        let mut put = |plural: &str, object: &Value, parts: Value| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            all.insert(format!("{plural}/{name}"), self.cleaned(parts));
        };
        for kind in KINDS {
            for object in self.list("/apis/mailwright.dev/v1alpha1", kind) {
                let parts =
                    json!({"finalizers": object["metadata"]["finalizers"], "status": object["status"]});
                put(kind, &object, parts);
            }
        }
        for (prefix, plural) in CHILDREN {
            for object in self.list(prefix, plural) {
                let metadata = &object["metadata"];
                let data = match *plural {
                    "secrets" => {
                        json!(object["data"].as_object().map(|data| data.keys().collect::<Vec<_>>()))
                    }
                    _ => object["data"].clone(),
                };
                let owners = metadata["ownerReferences"].as_array().map_or(0, Vec::len);
                let parts = json!({"labels": metadata["labels"], "owners": owners, "spec": object["spec"],
                    "data": data, "type": object["type"]});
                put(plural, &object, parts);
            }
        }
        let rows = serde_json::to_value(self.rows().expect("the pod answers")).unwrap();
        all.insert("rows".to_owned(), self.cleaned(rows));
        all.into()
    }

    fn cleaned(&self, value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let kept = fields
                    .into_iter()
                    .filter(|(key, value)| !VARY.contains(&key.as_str()) && !value.is_null());
                kept.map(|(key, value)| (self.plain(&key), self.cleaned(value))).collect()
            }
            Value::Array(items) => {
                let mut items: Vec<Value> = items.into_iter().map(|item| self.cleaned(item)).collect();
                if items.iter().all(|item| item["type"].is_string()) {
                    items.sort_by_key(|item| item["type"].to_string());
                }
                items.into()
            }
            Value::String(text) => self.plain(&text).into(),
            other => other,
        }
    }

    fn cluster_ip(&self) -> Option<String> {
        let service =
            self.api.get(&format!("/api/v1/namespaces/{}/services/mail", self.namespace)).ok()??;
        service["spec"]["clusterIP"].as_str().map(str::to_owned)
    }

    fn plain(&self, text: &str) -> String {
        let text = text.replace(&self.namespace, "NAMESPACE").replace(&self.own, "OPERATOR");
        let text = text.replace(&self.pod.address().to_string(), "ADDRESS");
        let text = self.cluster_ip().map_or(text.clone(), |ip| text.replace(&ip, "CLUSTER-IP"));
        // Public keys of DKIM, in status and zone file.
        let lines = text.lines().map(|line| line.split("p=").next().unwrap_or_default());
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Fields that are others in each installation.
const VARY: &[&str] = &[
    "lastTransitionTime",
    "databaseID",
    "accountID",
    "account_id",
    "accountId",
    "fingerprint",
    // A digest of what is declared beside it, with the namespace's name in it.
    "applied",
    "notAfter",
    "not_after",
    "notBefore",
    "change_counter",
    "changeCounter",
    "removed_at",
    "removedAt",
    "used_bytes",
    "usedBytes",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "nextCheck",
];

pub fn condition<'v>(object: &'v Value, type_: &str) -> &'v Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.and_then(|all| all.iter().find(|it| it["type"] == type_)).unwrap_or(&Value::Null)
}

fn is_ready(object: &Value) -> bool {
    condition(object, "Ready")["status"] == "True"
        && condition(object, "Reconciling").is_null()
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        && object["metadata"]["deletionTimestamp"].is_null()
}

/// Whether an object that counts others has counted those that there are: the last thing that is told of a removal.
fn counts(object: &Value, objects: &[Value]) -> bool {
    let of_kind = |kind: &str| objects.iter().filter(|it| it["kind"] == kind).count();
    object["kind"] != "MailDomain"
        || (object["status"]["mailboxes"] == of_kind("Mailbox")
            && object["status"]["aliases"] == of_kind("Alias"))
}

/// Whether the rows in service are those of the objects.
fn fits(rows: &Observed, objects: &[Value]) -> bool {
    let declared = |kind: &str| {
        let of_kind = objects.iter().filter(move |object| object["kind"] == kind);
        let mut all: Vec<_> =
            of_kind.map(|object| object["spec"]["address"].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    let mut mailboxes: Vec<String> = in_service(rows).map(str::to_owned).collect();
    mailboxes.sort();
    let mut aliases: Vec<String> = rows.aliases.iter().map(|row| row.declared.address.clone()).collect();
    aliases.sort();
    mailboxes == declared("Mailbox") && aliases == declared("Alias")
}

/// The addresses of mailboxes that may be used.
pub fn in_service(rows: &Observed) -> impl Iterator<Item = &str> {
    let usable = rows.mailboxes.iter().filter(|row| row.declared.enabled && row.removed_at.is_none());
    usable.map(|row| row.declared.address.as_str())
}

pub fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

pub fn mailbox(name: &str, credentials: Value) -> Value {
    object("Mailbox", name, json!({"address": format!("{name}@example.test"), "credentials": credentials}))
}

pub fn server() -> Value {
    object("MailServer", "mail", json!({"hostname": "mail.example.test", "service": {"type": "ClusterIP"}}))
}

/// Watches the account rows from beside, and remembers every moment in which somebody was out of service who should not.
pub struct Lookout<'b> {
    bench: &'b Bench,
    seen: Mutex<(std::collections::BTreeSet<String>, Vec<String>)>,
    over: std::sync::atomic::AtomicBool,
}

impl<'b> Lookout<'b> {
    /// Runs `work` while addresses are watched: one that was in service stays so, except those of `leaving`.
    pub fn during(bench: &'b Bench, leaving: &[&str], work: impl FnOnce()) {
        let lookout = Lookout { bench, seen: Mutex::default(), over: false.into() };
        std::thread::scope(|scope| {
            scope.spawn(|| lookout.watch(leaving));
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            lookout.over.store(true, std::sync::atomic::Ordering::Relaxed);
            if let Err(panic) = outcome {
                std::panic::resume_unwind(panic);
            }
        });
        let (seen, missed) = lookout.seen.into_inner().unwrap();
        assert!(!seen.is_empty(), "nobody was ever in service");
        assert_eq!(missed, Vec::<String>::new(), "somebody was out of service");
    }

    fn watch(&self, leaving: &[&str]) {
        while !self.over.load(std::sync::atomic::Ordering::Relaxed) {
            if let Some(rows) = self.bench.rows() {
                let mut now: std::collections::BTreeSet<String> =
                    in_service(&rows).map(str::to_owned).collect();
                now.extend(rows.aliases.iter().map(|row| row.declared.address.clone()));
                let mut seen = self.seen.lock().unwrap();
                let missing = seen.0.difference(&now).filter(|one| !leaving.contains(&one.as_str()));
                let missing: Vec<String> = missing.cloned().collect();
                seen.1.extend(missing);
                seen.0.extend(now);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// How long everything may take to be as declared: an operator that waits between attempts, on a busy machine.
pub const LONG: Duration = Duration::from_secs(4 * PATIENCE.as_secs());
