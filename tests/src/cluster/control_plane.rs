//! etcd, API server, controller manager and scheduler on loopback.

use super::api::{self, Api};
use super::audit::Audit;
use super::guard::Guard;
use super::kubeconfig::{Credentials, Kubeconfig};
use super::kubectl::Kubectl;
use super::network::Network;
use super::operator::Operator;
use super::pki::{Authority, Pair, token_key};
use super::pods::{self, Pod};
use super::tools::{CONTROL_PLANE, Tools, need_tools};
use crate::harness::{free_port, wait_for};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long a part may take to say that it is well: an API server needs 4 s on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The API server's own address among the Services.
const SERVICE_ADDRESS: &str = "10.96.0.1";

/// The names by which pods and programs call the API server.
const NAMES: &[&str] = &[
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
    "127.0.0.1",
    SERVICE_ADDRESS,
];

/// How it differs from the usual.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// More arguments of the API server.
    pub api_server: Vec<String>,
    /// More arguments of the controller manager.
    pub controller_manager: Vec<String>,
}

/// Where it runs when not beside the test: in a node's network, listening on the node's address.
pub(super) struct Placement {
    pub network: Network,
    pub address: String,
}

/// A running control plane; it ends with this value, or with the test binary.
pub struct ControlPlane {
    tools: Tools,
    authority: Authority,
    admin: Kubeconfig,
    server: String,
    inside: String,
    place: Place,
    parts: Vec<(&'static str, Child)>,
    guard: Arc<Guard>,
    api: OnceLock<Api>,
}

impl ControlPlane {
    /// The one that the tests of a binary share, started by the first that asks. `None`: its programs are missing, which was
    /// noted, and the test should return.
    pub fn shared() -> Option<&'static ControlPlane> {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        let tools = need_tools(CONTROL_PLANE)?;
        Some(SHARED.get_or_init(|| ControlPlane::with(tools, &Options::default())))
    }

    /// One of the test's own, for those that break it.
    pub fn start(options: &Options) -> Option<ControlPlane> {
        Some(ControlPlane::with(need_tools(CONTROL_PLANE)?, options))
    }

    fn with(tools: Tools, options: &Options) -> ControlPlane {
        let guard = Arc::new(Guard::new("control-plane"));
        let ports = Ports::free();
        let here = Place { enter: Vec::new(), address: "127.0.0.1".to_owned(), is_alone: true };
        ControlPlane::run(tools, guard, here, ports.api, &ports, options)
    }

    /// One for real nodes, in the network of the first; the test reaches it through a port on loopback.
    pub(super) fn in_network(
        tools: Tools,
        guard: Arc<Guard>,
        placement: Placement,
        options: &Options,
    ) -> ControlPlane {
        let ports = Ports::free();
        let Placement { network, address } = placement;
        let ip = address.parse().expect("the address of a node");
        let door = network.forward(SocketAddr::new(ip, ports.api)).expect("a port on loopback");
        let place = Place { enter: network.enter(), address, is_alone: false };
        ControlPlane::run(tools, guard, place, door, &ports, options)
    }

    fn run(
        tools: Tools,
        guard: Arc<Guard>,
        place: Place,
        door: u16,
        ports: &Ports,
        options: &Options,
    ) -> ControlPlane {
        let authority = Authority::new(&guard.dir().join("pki"));
        let server = format!("https://127.0.0.1:{door}");
        let inside = format!("https://{}:{}", place.address, ports.api);
        let pair = authority.leaf("admin", "admin", Some("system:masters"), &[]);
        let write = |name: &str, server: &str| {
            let path = guard.dir().join(name);
            Kubeconfig::write(&path, server, &authority.pem(), &Credentials::Certificate(&pair))
        };
        write("inside.kubeconfig", &inside);
        let admin = write("admin.kubeconfig", &server);
        let api = OnceLock::new();
        let mut plane =
            ControlPlane { tools, authority, admin, server, inside, place, parts: Vec::new(), guard, api };
        plane.start_api(ports, options);
        // The controller manager gives up when the API server does not answer yet.
        plane.wait_ready();
        plane.start_controllers(ports, options);
        plane
    }

    fn start_api(&mut self, ports: &Ports, options: &Options) {
        let dir = self.guard.dir().to_path_buf();
        let mut etcd = Command::new(self.tools.program("etcd"));
        etcd.args(etcd_arguments(&dir, ports));
        self.start_part("etcd", &mut etcd);
        let files = Files::write(&dir, &self.authority, &self.place.address);
        let mut api = Command::new(self.tools.program("kube-apiserver"));
        api.args(api_arguments(&dir, ports, &files, &self.place)).args(&options.api_server);
        self.start_part("kube-apiserver", &mut api);
    }

    fn start_controllers(&mut self, ports: &Ports, options: &Options) {
        let dir = self.guard.dir().to_path_buf();
        let manager = self.kubeconfig_for("kube-controller-manager", "system:kube-controller-manager");
        let ca = &self.authority.pair;
        let arguments = manager_arguments(&dir, ports, &manager, ca, self.place.is_alone);
        let mut command = Command::new(self.tools.program("kube-controller-manager"));
        command.args(arguments).args(&options.controller_manager);
        self.start_part("kube-controller-manager", &mut command);
        let scheduler = self.kubeconfig_for("kube-scheduler", "system:kube-scheduler");
        let mut command = Command::new(self.tools.program("kube-scheduler"));
        command.args(client_arguments(&scheduler, ports.scheduler));
        self.start_part("kube-scheduler", &mut command);
    }

    fn start_part(&mut self, name: &'static str, command: &mut Command) {
        let child = self.guard.start(name, &mut self.place.entered(command));
        self.parts.push((name, child));
    }

    fn kubeconfig_for(&self, file: &str, user: &str) -> Kubeconfig {
        let pair = self.authority.leaf(file, user, None, &[]);
        let path = self.guard.dir().join(format!("{file}.kubeconfig"));
        Kubeconfig::write(&path, &self.inside, &self.authority.pem(), &Credentials::Certificate(&pair))
    }

    /// The kubeconfig of somebody who may do everything and has a name of their own in the audit log.
    pub fn member(&self, name: &str) -> Kubeconfig {
        let pair = self.authority.leaf(name, name, Some("system:masters"), &[]);
        let path = self.guard.dir().join(format!("{name}.kubeconfig"));
        Kubeconfig::write(&path, &self.server, &self.authority.pem(), &Credentials::Certificate(&pair))
    }

    /// The process of a part (`etcd`, `kube-apiserver`, …) that runs beside the test.
    pub fn pid(&self, part: &str) -> Option<u32> {
        self.parts.iter().find(|(name, _)| *name == part).map(|(_, child)| child.id())
    }

    fn wait_ready(&mut self) {
        let admin = self.kubectl();
        wait_for("the API server", PATIENCE, || {
            for (name, child) in &mut self.parts {
                if let Some(status) = child.try_wait().expect("a child can be waited for") {
                    panic!("{name} ended ({status}):\n{}", self.guard.log(name));
                }
            }
            (admin.run(&["get", "--raw=/readyz"]).stdout == "ok").then_some(())
        });
    }

    /// Its directory, which is removed with it.
    pub fn dir(&self) -> &Path {
        self.guard.dir()
    }

    /// Whoever else is to end with it.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The programs.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The authority whose certificates its parts believe.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Where the API server is: `https://127.0.0.1:<port>`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The kubeconfig of somebody who may do everything.
    pub fn admin(&self) -> &Kubeconfig {
        &self.admin
    }

    /// kubectl and helm of that somebody.
    pub fn kubectl(&self) -> Kubectl {
        self.kubectl_as(&self.admin)
    }

    /// kubectl and helm of another one.
    pub fn kubectl_as(&self, config: &Kubeconfig) -> Kubectl {
        Kubectl::new(self.tools.clone(), config.clone(), self.guard.dir().join("home"))
    }

    /// A kubeconfig of a service account, which must exist; its token is good for an hour.
    pub fn service_account(&self, namespace: &str, name: &str) -> Kubeconfig {
        let namespace_argument = format!("--namespace={namespace}");
        let token = self.kubectl().run(&["create", "token", name, &namespace_argument]).ok().stdout;
        let path = self.guard.dir().join(format!("{namespace}-{name}.kubeconfig"));
        Kubeconfig::write(&path, &self.server, &self.authority.pem(), &Credentials::Token(token.trim()))
    }

    /// What the API server wrote down.
    pub fn audit(&self) -> Audit {
        Audit::new(audit_path(self.guard.dir()))
    }

    /// What a part (`kube-apiserver`, `kube-controller-manager`, …) has printed.
    pub fn log(&self, part: &str) -> String {
        self.guard.log(part)
    }

    /// The API server asked directly by somebody who may do everything.
    pub fn api(&self) -> &Api {
        self.api.get_or_init(|| Api::new(&self.admin))
    }

    /// The same for tests that are async: a client for their own runtime.
    pub async fn client(&self) -> kube_client::Client {
        api::client(&self.admin).await
    }

    /// Starts `mailwright operator` with `arguments`; it asks as `config` says and keeps its own objects in `namespace`.
    pub fn operator(&self, config: &Kubeconfig, namespace: &str, arguments: &[&str]) -> Operator {
        Operator::start(Arc::clone(&self.guard), config, namespace, arguments)
    }

    /// Runs the pod of the MailServer `name` whenever its StatefulSet makes one.
    ///
    /// # Panics
    /// When the node that it is said to be on cannot be registered.
    pub fn pod(&self, namespace: &str, name: &str) -> Pod {
        pods::register(self.api()).expect("a node can be registered");
        Pod::follow(Api::new(&self.admin), Arc::clone(&self.guard), namespace, name)
    }

    /// Applies the generated custom resource definitions and waits until they are served.
    #[track_caller]
    pub fn install_crds(&self) {
        let manifests = crate::harness::root().join("crds/manifests");
        let manifests = format!("--filename={}", manifests.display());
        let kubectl = self.kubectl();
        kubectl.run(&["apply", "--server-side", "--force-conflicts", &manifests]).ok();
        let established = ["wait", "--for=condition=Established", "--timeout=60s", &manifests];
        kubectl.run(&established).ok();
    }
}

/// Where its parts run.
struct Place {
    /// The words in front of a command.
    enter: Vec<String>,
    /// Where the API server listens.
    address: String,
    /// Whether there are no real nodes.
    is_alone: bool,
}

impl Place {
    /// `command` with the words in front of it.
    fn entered(&self, command: &Command) -> Command {
        let mut words =
            self.enter.iter().map(OsStr::new).chain([command.get_program()]).chain(command.get_args());
        let mut entered = Command::new(words.next().unwrap_or_default());
        entered.args(words);
        entered
    }
}

/// One port per part.
struct Ports {
    etcd: u16,
    peers: u16,
    api: u16,
    manager: u16,
    scheduler: u16,
}

impl Ports {
    fn free() -> Ports {
        Ports {
            etcd: free_port(),
            peers: free_port(),
            api: free_port(),
            manager: free_port(),
            scheduler: free_port(),
        }
    }
}

/// What the API server reads.
struct Files {
    own: Pair,
    kubelet_client: Pair,
    front_proxy: Pair,
    ca: PathBuf,
    tokens: (PathBuf, PathBuf),
    policy: PathBuf,
}

impl Files {
    fn write(dir: &Path, authority: &Authority, address: &str) -> Files {
        let policy = dir.join("audit.yaml");
        std::fs::write(&policy, include_str!("../../kubernetes/audit.yaml")).expect("a policy");
        Files {
            own: authority.leaf("kube-apiserver", "kube-apiserver", None, &[NAMES, &[address]].concat()),
            kubelet_client: authority.leaf("kubelet-client", "kubelet-client", Some("system:masters"), &[]),
            front_proxy: authority.leaf("front-proxy", "front-proxy", None, &[]),
            ca: authority.pair.certificate.clone(),
            tokens: token_key(&dir.join("pki")),
            policy,
        }
    }
}

fn audit_path(dir: &Path) -> PathBuf {
    dir.join("log").join("audit.log")
}

fn etcd_arguments(dir: &Path, ports: &Ports) -> Vec<String> {
    let (clients, peers) =
        (format!("http://127.0.0.1:{}", ports.etcd), format!("http://127.0.0.1:{}", ports.peers));
    vec![
        format!("--data-dir={}", dir.join("etcd").display()),
        // Nothing of it is wanted after a crash.
        "--unsafe-no-fsync".to_owned(),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
    ]
}

fn api_arguments(dir: &Path, ports: &Ports, files: &Files, place: &Place) -> Vec<String> {
    let file = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let text = |arguments: &[&str]| arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mut arguments = text(&[
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--kubelet-preferred-address-types=InternalIP",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ]);
    // An endpoint on loopback is refused, and without nodes nobody looks for it.
    let reconciler = if place.is_alone { "none" } else { "lease" };
    arguments.extend([
        format!("--endpoint-reconciler-type={reconciler}"),
        format!("--bind-address={}", place.address),
        format!("--advertise-address={}", place.address),
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        format!("--secure-port={}", ports.api),
        file("cert-dir", &dir.join("pki")),
        file("tls-cert-file", &files.own.certificate),
        file("tls-private-key-file", &files.own.key),
        file("client-ca-file", &files.ca),
        file("requestheader-client-ca-file", &files.ca),
        file("service-account-signing-key-file", &files.tokens.0),
        file("service-account-key-file", &files.tokens.1),
        file("kubelet-client-certificate", &files.kubelet_client.certificate),
        file("kubelet-client-key", &files.kubelet_client.key),
        file("proxy-client-cert-file", &files.front_proxy.certificate),
        file("proxy-client-key-file", &files.front_proxy.key),
        file("audit-policy-file", &files.policy),
        file("audit-log-path", &audit_path(dir)),
    ]);
    arguments
}

fn manager_arguments(
    dir: &Path,
    ports: &Ports,
    config: &Kubeconfig,
    ca: &Pair,
    is_alone: bool,
) -> Vec<String> {
    let mut arguments = client_arguments(config, ports.manager);
    arguments.extend([
        "--use-service-account-credentials=true".to_owned(),
        format!("--service-account-private-key-file={}", dir.join("pki/service-accounts.key").display()),
        format!("--root-ca-file={}", ca.certificate.display()),
        format!("--cluster-signing-cert-file={}", ca.certificate.display()),
        format!("--cluster-signing-key-file={}", ca.key.display()),
        "--cluster-cidr=10.244.0.0/16".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
    ]);
    arguments.extend(match is_alone {
        // The node is a double that shows no signs of life.
        true => vec!["--controllers=*,-node-lifecycle-controller".to_owned()],
        // A node that is gone is missed after 15 s instead of 50.
        false => vec!["--node-monitor-grace-period=15s".to_owned()],
    });
    arguments
}

/// What controller manager and scheduler have in common.
fn client_arguments(config: &Kubeconfig, port: u16) -> Vec<String> {
    let config = config.path().display();
    vec![
        format!("--kubeconfig={config}"),
        format!("--authentication-kubeconfig={config}"),
        format!("--authorization-kubeconfig={config}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        "--leader-elect=false".to_owned(),
    ]
}
