//! A real Kubernetes for tests, from nothing: a control plane on loopback, a node in namespaces of its own, a proxy that makes
//! the API server misbehave.
//!
//! Owns: starting these and ending them whatever happens, certificates, kubeconfigs, the audit log, running `mailwright
//! operator` and `mailwright serve` beside them. Leaves out what is tested; each file in `tests/` is one subject.
//!
//! | layer | what is real | what is a double |
//! |---|---|---|
//! | [`ControlPlane`] | etcd, API server, controller manager, scheduler | the node: [`Pod`] runs a mail pod's process as the kubelet would |
//! | [`Cluster`] | the same, and on each node containerd, kubelet, kube-proxy; CoreDNS | volumes and LoadBalancers ([`provision`]); images are imported |
//!
//! A test binary has one control plane, [`ControlPlane::shared`], and a test has namespaces of its own in it.

pub mod api;
mod audit;
mod certmanager;
pub mod conform;
mod control_plane;
mod gate;
mod guard;
pub mod install;
mod kubeconfig;
mod kubectl;
pub mod mail;
mod network;
mod node;
mod nodes;
mod operator;
mod pki;
mod plugin;
mod pods;
pub mod provision;
pub mod proxy;
mod tools;

pub use api::{Api, Refusal};
pub use audit::{Audit, Mark, Write};
pub use certmanager::CertManager;
pub use control_plane::{ControlPlane, Options};
pub use gate::Gate;
pub use guard::Guard;
pub use kubeconfig::Kubeconfig;
pub use kubectl::Kubectl;
pub use mail::Mail;
pub use network::Network;
pub use node::Node;
pub use nodes::Cluster;
pub use operator::Operator;
pub use pki::{Authority, Pair};
pub use plugin::Plugin;
pub use pods::Pod;
pub use proxy::{Asked, Fault, Proxy, Rule, WRITES};
pub use tools::{Tools, need_tools};
