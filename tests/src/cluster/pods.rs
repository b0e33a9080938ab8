//! A double of the kubelet for a control plane without a node: runs the pod of a StatefulSet as a process on a loopback address
//! of its own.
//!
//! Owns what a mail pod is touched by: its files, followed and swapped; its process, started, probed, ended in its grace
//! period and started again; its status and its volume's and Service's. Leaves out isolation, images and everything else that only
//! a real node shows; the node layer has those.

mod container;
mod files;

use super::api::{Api, Refusal};
use super::guard::Guard;
use super::provision;
use crate::harness::{mailwright, wait_for, wire};
use container::{Health, MANAGEMENT};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it looks. The kubelet takes up to a minute for a changed file; nothing is shown by waiting.
const INTERVAL: Duration = Duration::from_millis(200);

/// The node that pods are said to be on.
const NODE: &str = "loopback";

/// The pod of one MailServer, followed until this value is dropped.
pub struct Pod {
    namespace: String,
    name: String,
    address: IpAddr,
    stop: Arc<AtomicBool>,
    frozen: Arc<AtomicBool>,
    follower: Option<JoinHandle<()>>,
}

impl Pod {
    /// Follows the pod `<name>-0` of the StatefulSet `<name>`, which need not exist yet.
    pub(super) fn follow(api: Api, guard: Arc<Guard>, namespace: &str, name: &str) -> Pod {
        let address = own_address();
        let (stop, frozen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut node = Node {
            api,
            place: guard.dir().join("pods").join(format!("{namespace}-{name}")),
            volumes: guard.dir().join("volumes"),
            guard,
            namespace: namespace.to_owned(),
            pod: format!("{name}-0"),
            address,
            running: None,
            restarts: 0,
            shown: Value::Null,
        };
        let (stopped, paused) = (Arc::clone(&stop), Arc::clone(&frozen));
        let follower = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // The API server may be away or refuse; the kubelet goes on and asks again.
                if !paused.load(Ordering::Relaxed) {
                    let _ = node.look();
                }
                std::thread::sleep(INTERVAL);
            }
            node.end(Duration::ZERO);
        });
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Pod { namespace, name, address, stop, frozen, follower: Some(follower) }
    }

    /// Where it listens, on the ports that its MailServer says.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The argument by which an operator outside of the cluster finds it: `--management-endpoint=…`.
    pub fn management_endpoint(&self) -> String {
        let Pod { namespace, name, address, .. } = self;
        format!("--management-endpoint={namespace}/{name}={address}:{MANAGEMENT}")
    }

    /// Stops or resumes looking at the API server, as a node that is cut off; the process goes on.
    pub fn cut_off(&self, is_cut_off: bool) {
        self.frozen.store(is_cut_off, Ordering::Relaxed);
    }

    /// Waits until something listens on `port`.
    pub fn wait_for_port(&self, port: u16, patience: Duration) {
        let what = format!("{}/{} to listen on {}:{port}", self.namespace, self.name, self.address);
        wait_for(&what, patience, || std::net::TcpStream::connect((self.address, port)).ok().map(drop));
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(follower) = self.follower.take() {
            let _ = follower.join();
        }
    }
}

/// An address of 127.0.0.0/8 that no other pod of this machine's tests has: by process, then counted.
fn own_address() -> IpAddr {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let pid = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // 127.64.0.0/10 keeps clear of 127.0.0.1 and of 127.0.1.1, which Debian gives the host's name.
    IpAddr::V4(Ipv4Addr::new(127, 64 | (pid[2] & 63), pid[3], count))
}

/// What the follower knows.
struct Node {
    api: Api,
    guard: Arc<Guard>,
    place: PathBuf,
    volumes: PathBuf,
    namespace: String,
    pod: String,
    address: IpAddr,
    running: Option<Running>,
    restarts: u32,
    shown: Value,
}

/// The process of one pod.
struct Running {
    uid: String,
    child: Child,
}

impl Node {
    /// One look, and what is to be done after it.
    fn look(&mut self) -> Result<(), Refusal> {
        provision::provide(&self.api, &self.volumes, &self.address.to_string())?;
        let path = format!("/api/v1/namespaces/{}/pods/{}", self.namespace, self.pod);
        let pod = self.api.get(&path)?.unwrap_or_default();
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        if self.running.as_ref().is_some_and(|running| running.uid != uid) {
            self.end(Duration::ZERO);
            self.restarts = 0;
        }
        if uid.is_empty() {
            self.shown = Value::Null;
            return Ok(());
        }
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            let grace = pod["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(30);
            self.end(Duration::from_secs(grace));
            let options = json!({"gracePeriodSeconds": 0, "preconditions": {"uid": uid}});
            return self.api.delete(&path, &options).map(drop);
        }
        if pod["spec"]["nodeName"].is_null() {
            let target = json!({"apiVersion": "v1", "kind": "Node", "name": NODE});
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": self.pod}, "target": target,
            });
            self.api.create(&format!("{path}/binding"), &binding)?;
        }
        self.run(&path, &pod, &uid)
    }

    fn run(&mut self, path: &str, pod: &Value, uid: &str) -> Result<(), Refusal> {
        let container = &pod["spec"]["containers"][0];
        let volumes = self.place.join("volumes");
        let waiting = match self.write_volumes(pod, &volumes)? {
            true => "ContainerCreating",
            // The kubelet starts nothing before every file is there.
            false => return self.show(path, container, "ContainerCreating"),
        };
        let ended = self.running.as_mut().and_then(|running| running.child.try_wait().ok().flatten());
        if ended.is_some() {
            self.running = None;
            self.restarts += 1;
        }
        if self.running.is_none() {
            let mut command = Command::new(mailwright());
            command.args(container::arguments(container, &volumes, self.address));
            command.envs(container::environment(pod, container));
            let log = format!("{}-{}", self.namespace, self.pod);
            let child = self.guard.start(&log, &mut command);
            self.running = Some(Running { uid: uid.to_owned(), child });
        }
        self.show(path, container, waiting)
    }

    /// Writes the status if it differs from the one that was written last.
    fn show(&mut self, path: &str, container: &Value, waiting: &str) -> Result<(), Refusal> {
        let runs = self.running.is_some();
        let probe = || {
            let (port, probed) = container::readiness(container)?;
            let answer = wire::http_get_at(self.address, port, &probed).ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        };
        let ready = runs && (container["readinessProbe"].is_null() || probe().is_some());
        let health = Health { runs, ready, restarts: self.restarts };
        let status = container::status(container, self.address, health, waiting);
        if status != self.shown {
            self.api.patch(&format!("{path}/status"), &json!({"status": status}))?;
            self.shown = status;
        }
        Ok(())
    }

    /// Makes the pod's volumes be what the API server says; whether all of them are there.
    fn write_volumes(&self, pod: &Value, place: &Path) -> Result<bool, Refusal> {
        let mut complete = true;
        for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
            let own = container::place_of(place, volume["name"].as_str().unwrap_or_default());
            let source = |kind: &str, key: &str| volume[kind][key].as_str().map(str::to_owned);
            if let Some(name) = source("configMap", "name") {
                complete &= self.write_files(&own, "configmaps", &name, &volume["configMap"])?;
            } else if let Some(name) = source("secret", "secretName") {
                complete &= self.write_files(&own, "secrets", &name, &volume["secret"])?;
            } else if let Some(claim) = source("persistentVolumeClaim", "claimName") {
                complete &= self.mount(&own, &claim)?;
            } else {
                std::fs::create_dir_all(&own).expect("an empty volume");
            }
        }
        Ok(complete)
    }

    fn write_files(&self, own: &Path, plural: &str, name: &str, source: &Value) -> Result<bool, Refusal> {
        let path = format!("/api/v1/namespaces/{}/{plural}/{name}", self.namespace);
        let Some(object) = self.api.get(&path)? else { return Ok(source["optional"] == true) };
        let mode = source["defaultMode"].as_u64().and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644);
        files::project(own, &files::contents(&object, &source["items"]), mode);
        Ok(true)
    }

    /// Puts the directory of a bound claim where the container looks for it.
    fn mount(&self, own: &Path, claim: &str) -> Result<bool, Refusal> {
        let path = format!("/api/v1/namespaces/{}/persistentvolumeclaims/{claim}", self.namespace);
        let claim = self.api.get(&path)?.unwrap_or_default();
        let Some(volume) = claim["spec"]["volumeName"].as_str() else { return Ok(false) };
        let Some(volume) = self.api.get(&format!("/api/v1/persistentvolumes/{volume}"))? else {
            return Ok(false);
        };
        let Some(directory) = volume["spec"]["local"]["path"].as_str() else { return Ok(false) };
        if std::fs::read_link(own).ok().as_deref() != Some(Path::new(directory)) {
            std::fs::create_dir_all(own.parent().unwrap_or(own)).expect("a directory for volumes");
            let _ = std::fs::remove_file(own);
            std::os::unix::fs::symlink(directory, own).expect("a link to a volume");
        }
        Ok(true)
    }

    /// SIGTERM, and SIGKILL after `grace`.
    fn end(&mut self, grace: Duration) {
        let Some(mut running) = self.running.take() else { return };
        if grace > Duration::ZERO {
            let term = format!("kill -s TERM {}", running.child.id());
            let _ = Command::new("sh").args(["-c", &term]).status();
        }
        let start = Instant::now();
        while start.elapsed() < grace && running.child.try_wait().is_ok_and(|status| status.is_none()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = running.child.kill();
        let _ = running.child.wait();
    }
}

/// Makes the node that pods are said to be on exist; a pod of a node that does not is collected.
pub(super) fn register(api: &Api) -> Result<(), Refusal> {
    let path = "/api/v1/nodes";
    if api.get(&format!("{path}/{NODE}"))?.is_none() {
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE},
            // Nothing is scheduled here; pods are bound to it by who runs them.
            "spec": {"unschedulable": true},
        });
        // Tests that begin together make it together.
        match api.create(path, &node) {
            Err(refusal) if refusal.code != 409 => return Err(refusal),
            _ => {}
        }
    }
    Ok(())
}
