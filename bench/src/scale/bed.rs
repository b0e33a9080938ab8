//! Owns what is measured: a control plane on loopback, the operator and the mail pod as processes, and their costs. The
//! pieces are those of the tests (`tests/src/cluster`).

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use kube_client::Client;
use mailwright_tests::cluster::{Api, ControlPlane, Kubeconfig, Mark, Operator, Options, Pod, Write};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::objects::SERVER;
use crate::process::{Resident, Tree};
use crate::tally::Figures;

/// How the operator is called in the audit log.
const OPERATOR: &str = "mailwright-operator";

/// The audit log of the tests holds whole objects; here it is to cost the API server as little as it can.
const AUDIT: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseStarted]\nrules:\n\
- level: None\n  verbs: [get, list, watch]\n- level: None\n  nonResourceURLs: [\"*\"]\n- level: Metadata\n";

/// The API server shares its cores with whoever creates thousands of objects, and may not answer for seconds; nobody would start
/// an operator again that lost its Lease meanwhile. The rest are the operator's defaults.
const LEASE: &[&str] = &["--lease-duration=60s", "--renew-deadline=40s"];

/// Everything that runs; it ends with this value.
pub struct Bed {
    operator: Operator,
    pod: Pod,
    plane: ControlPlane,
    user: Kubeconfig,
    namespace: String,
    operator_namespace: String,
    _policy: tempfile::TempDir,
}

/// What the processes have cost so far.
pub struct Costs {
    /// Memory of the operator.
    pub operator: Resident,
    /// Its processor time in seconds.
    pub operator_cpu: f64,
    /// Memory of the API server.
    pub api: Resident,
    /// Its processor time.
    pub api_cpu: f64,
    /// Memory of etcd.
    pub etcd: Resident,
}

impl Bed {
    /// Starts all of it; `None` when the programs of Kubernetes are missing, which was said.
    pub fn start() -> Result<Option<Bed>> {
        let policy = tempfile::tempdir()?;
        let file = policy.path().join("audit.yaml");
        std::fs::write(&file, AUDIT)?;
        let api_server = vec![format!("--audit-policy-file={}", file.display())];
        let Some(plane) = ControlPlane::start(&Options { api_server, ..Options::default() }) else {
            return Ok(None);
        };
        plane.install_crds();
        let kubectl = plane.kubectl();
        let (namespace, operator_namespace) = (kubectl.namespace("mail"), kubectl.namespace("operator"));
        let pod = plane.pod(&namespace, SERVER);
        let user = plane.member(OPERATOR);
        let mut operator = start_operator(&plane, &user, &operator_namespace, &pod);
        operator.wait_ready();
        Ok(Some(Bed { operator, pod, plane, user, namespace, operator_namespace, _policy: policy }))
    }

    /// Where everything is declared.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The operator.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// The mail pod.
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The API server asked by somebody who may do everything.
    pub fn api(&self) -> &Api {
        self.plane.api()
    }

    /// The same for many requests at once.
    pub fn client(&self, runtime: &Runtime) -> Client {
        runtime.block_on(self.plane.client())
    }

    /// The audit log's end now.
    pub fn mark(&self) -> Mark {
        self.plane.audit().mark()
    }

    /// What the operator wrote since.
    pub fn audit_since(&self, mark: Mark) -> Vec<Write> {
        let writes = self.plane.audit().writes_since(mark);
        writes.into_iter().filter(|write| write.user == OPERATOR).collect()
    }

    /// Waits until an object is Ready.
    pub fn wait_ready(&self, path: &str, patience: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let object = self.api().get(path).map_err(|refusal| anyhow::anyhow!("{path}: {refusal:?}"))?;
            let object = object.unwrap_or_default();
            if super::progress::is_ready(&object) {
                return Ok(());
            }
            if start.elapsed() > patience {
                bail!(
                    "{path} is not Ready after {patience:?}: {:#}\n{}",
                    object["status"],
                    self.operator.log()
                );
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Ends the operator as a rolling update does, starts another one, and says how long that one took to know everything and
    /// to have compared it once.
    pub fn restart_operator(&mut self, patience: Duration) -> Result<Duration> {
        self.operator.signal("TERM");
        self.operator.wait(patience);
        let start = Instant::now();
        self.operator = start_operator(&self.plane, &self.user, &self.operator_namespace, &self.pod);
        while !has_looked(&self.operator.metrics()) {
            if start.elapsed() > patience {
                bail!("not synced after {patience:?}:\n{}", self.operator.log());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(start.elapsed())
    }

    /// What everything has cost so far.
    pub fn costs(&self) -> Costs {
        let part = |name: &str| self.plane.pid(name).unwrap_or_default();
        let memory = |pid: u32| Resident::of(pid).unwrap_or(Resident { now: 0.0, most: 0.0 });
        let cpu = |pid: u32| Tree::new(vec![pid]).cpu();
        let (operator, api) = (self.operator.pid(), part("kube-apiserver"));
        Costs {
            operator: memory(operator),
            operator_cpu: cpu(operator),
            api: memory(api),
            api_cpu: cpu(api),
            etcd: memory(part("etcd")),
        }
    }

    /// Those that should be at rest before something is measured.
    pub fn trees(&self) -> Vec<Tree> {
        vec![Tree::new(vec![self.operator.pid()])]
    }

    /// Memory of the mail server in the pod.
    pub fn mail_server(&self) -> Option<Resident> {
        let members = Tree::new(vec![std::process::id()]).members();
        let serves = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).nth(1) == Some(b"serve")
        };
        Resident::of(members.into_iter().find(serves)?)
    }

    /// What is left at the end: the size of the database of etcd.
    pub fn at_end(&self, figures: &mut Figures) {
        let file = self.plane.dir().join("etcd/member/snap/db");
        let octets = std::fs::metadata(file).map_or(0, |meta| meta.len());
        figures.add("etcd.database", octets as f64 / (1024.0 * 1024.0));
    }

    /// What was measured.
    pub fn versions(&self) -> Vec<String> {
        let first = |program: &Path| {
            let output = std::process::Command::new(program).arg("--version").output().ok()?;
            Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
        };
        let api = self.plane.tools().program("kube-apiserver");
        let api = first(&api).map(|version| format!("kube-apiserver: {version}"));
        first(&mailwright_tests::harness::mailwright()).into_iter().chain(api).collect()
    }
}

fn start_operator(plane: &ControlPlane, user: &Kubeconfig, own: &str, pod: &Pod) -> Operator {
    plane.operator(user, own, &[&[pod.management_endpoint().as_str()], LEASE].concat())
}

/// Whether everything was listed and a pass over the MailServer got through.
fn has_looked(metrics: &str) -> bool {
    let value =
        |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0);
    let is = |start: &str, more: &str| {
        metrics.lines().any(|line| line.starts_with(start) && line.contains(more) && value(line) >= 1.0)
    };
    let passes = "mailwright_operator_reconciles_total";
    is("mailwright_operator_synced", "") && (is(passes, "\"unchanged\"") || is(passes, "\"changed\""))
}

/// Creates one object.
pub async fn create(client: &Client, path: &str, object: &Value) -> Result<()> {
    let request =
        http::Request::builder().method("POST").uri(path).header("content-type", "application/json");
    let request = request.body(object.to_string().into_bytes())?;
    client.request::<Value>(request).await.with_context(|| format!("creating in {path}")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synced_means_listed_and_compared() {
        let synced = "mailwright_operator_synced 1\n";
        let passes = |result: &str, n: u32| {
            format!("mailwright_operator_reconciles_total{{result=\"{result}\"}} {n}\n")
        };
        for (page, expected) in [
            (synced.to_owned(), false),
            (format!("{synced}{}", passes("failed", 3)), false),
            (format!("{synced}{}", passes("unchanged", 0)), false),
            (format!("{synced}{}", passes("unchanged", 1)), true),
            (format!("{synced}{}", passes("changed", 2)), true),
            (passes("unchanged", 1), false),
        ] {
            assert_eq!(has_looked(&page), expected, "{page}");
        }
    }
}
