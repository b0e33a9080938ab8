//! A whole cluster: the control plane and one or two real nodes, in namespaces of the kernel that nothing leads out of.

use super::control_plane::{ControlPlane, Options, Placement};
use super::guard::Guard;
use super::node::{self, Node, Parts};
use super::provision;
use super::tools::{CONTROL_PLANE, Tools, need_tools};
use crate::harness::{need, skip, wait_for};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a node may take to be Ready: 8 s on a quiet machine, half a minute on a busy one.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a node runs of Kubernetes.
const NODE: &[&str] = &["kubelet", "kube-proxy", "images/pause.tar", "images/coredns.tar"];

/// What a node runs of the system.
const SYSTEM: &[&str] = &["containerd", "ctr", "runc", "iptables", "ip", "nsenter", "unshare", "mount"];

/// The plugin that makes the network of pods; Debian's containernetworking-plugins has it.
const BRIDGE: &str = "/usr/lib/cni/bridge";

/// How often claims and balancers are looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// A control plane with real nodes; all of it ends with this value, or with the process.
pub struct Cluster {
    // Fields are dropped in this order: who looks at the API server goes first.
    provider: Provider,
    /// Its control plane.
    pub plane: ControlPlane,
    nodes: Vec<Node>,
    tools: PathBuf,
    images: Vec<PathBuf>,
    guard: Arc<Guard>,
}

impl Cluster {
    /// A cluster of one node that has `images` (archives of OCI images). `None`: something it is made of is missing, which was
    /// noted, and the test should return.
    pub fn start(images: &[PathBuf]) -> Option<Cluster> {
        if !rustix::process::geteuid().is_root() {
            skip("a node of Kubernetes takes root");
            return None;
        }
        if !need(SYSTEM) {
            return None;
        }
        if !Path::new(BRIDGE).exists() {
            skip(&format!("{BRIDGE} not installed (cargo xtask test --only install)"));
            return None;
        }
        let tools = need_tools(&[CONTROL_PLANE, NODE].concat())?;
        Some(Cluster::with(tools, images))
    }

    fn with(tools: Tools, images: &[PathBuf]) -> Cluster {
        let guard = Arc::new(Guard::new("cluster"));
        let place = guard.dir().join("tools");
        node::gather(&tools, &["kubelet", "kube-proxy"], &place);
        let ours = ["images/pause.tar", "images/coredns.tar"].map(|name| tools.program(name));
        let images: Vec<PathBuf> = ours.into_iter().chain(images.iter().cloned()).collect();
        let mut first = Node::boot(&guard, &parts(&guard, &place, &images, 1));
        first.wait_for(&guard, "network");
        let placement = Placement { network: first.network(), address: node::address(1) };
        let plane = ControlPlane::in_network(tools, Arc::clone(&guard), placement, &Options::default());
        plane
            .api()
            .create("/apis/storage.k8s.io/v1/storageclasses", &provision::storage_class())
            .expect("a class");
        plane.kubectl().apply(include_str!("../../kubernetes/coredns.yaml"));
        let provider = Provider::start(&plane);
        let mut cluster = Cluster { provider, plane, nodes: vec![first], tools: place, images, guard };
        cluster.join(0);
        cluster
    }

    /// Adds a node.
    pub fn add_node(&mut self) -> &Node {
        let number = u8::try_from(self.nodes.len() + 1).expect("a few nodes");
        let mut node = Node::boot(&self.guard, &parts(&self.guard, &self.tools, &self.images, number));
        node::plug(&self.nodes[0], &node, number);
        node.wait_for(&self.guard, "network");
        self.nodes.push(node);
        self.join(usize::from(number) - 1);
        &self.nodes[usize::from(number) - 1]
    }

    /// Switches a node on again after [`Node::power_off`], with the disk that it had, and waits until it is Ready.
    pub fn power_on(&mut self, index: usize) {
        let number = u8::try_from(index + 1).expect("a few nodes");
        self.nodes[index].forget_boot();
        let mut node = Node::boot(&self.guard, &parts(&self.guard, &self.tools, &self.images, number));
        if index > 0 {
            node::plug(&self.nodes[0], &node, number);
        }
        node.wait_for(&self.guard, "network");
        self.nodes[index] = node;
        self.join(index);
    }

    fn join(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.wait_for(&self.guard, "images");
        node.tell("go");
        let path = format!("/api/v1/nodes/{}", node.name);
        wait_for(&format!("{} to be Ready", node.name), PATIENCE, || {
            let object = self.plane.api().get(&path).ok()??;
            let conditions = object["status"]["conditions"].as_array()?;
            conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True").then_some(())
        });
    }

    /// The nodes, the first one first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node, to switch it off.
    pub fn node_mut(&mut self, index: usize) -> &mut Node {
        &mut self.nodes[index]
    }

    /// The address of the first node, which is also that of every LoadBalancer.
    pub fn address(&self) -> String {
        node::address(1)
    }

    /// A port on 127.0.0.1 that leads to `port` of a Service's or node's `address`, as from the first node.
    ///
    /// # Panics
    /// When `address` is none.
    pub fn forward(&self, address: &str, port: u16) -> u16 {
        let ip = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
        self.nodes[0].network().forward(std::net::SocketAddr::new(ip, port)).expect("a port on loopback")
    }

    /// Stops providing volumes and balancers, as a cloud that is down.
    pub fn stop_providing(&mut self) {
        self.provider.stop();
    }

    /// What everything ends with.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }
}

fn parts<'a>(guard: &'a Guard, tools: &'a Path, images: &'a [PathBuf], number: u8) -> Parts<'a> {
    // Written by the control plane before the node is told to go on.
    let (config, authority) = (guard.dir().join("inside.kubeconfig"), guard.dir().join("pki/ca.crt"));
    Parts { number, tools, images, config, authority }
}

/// The loop that is the cloud.
struct Provider {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    fn start(plane: &ControlPlane) -> Provider {
        let (api, place) = (plane.api().clone(), plane.dir().join("volumes"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let _ = provision::provide(&api, &place, &node::address(1));
                std::thread::sleep(INTERVAL);
            }
        });
        Provider { stop, thread: Some(thread) }
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
    }
}
