//! From a MailServer to the objects that run it: pure, field by field, in the order in which they are to be written.
//!
//! Leaves out reading and writing them (`kubernetes::children`), the Secrets (written by who makes their content) and the
//! PersistentVolumeClaim, which the StatefulSet makes and which outlives everything.
//!
//! What must roll a pod stands in the pod template; what the server reloads by itself does not. So nothing in the template
//! follows the content of the ConfigMap or of a Secret, and a changed port rolls the pod because ports stand there anyway.

pub mod config_map;
pub mod names;
pub mod network_policy;

mod child;
mod disruption_budget;
mod pod;
mod ports;
mod probes;
mod service;
mod service_account;
mod stateful_set;

use std::collections::BTreeMap;

use mailwright_crds::MailServerSpec;
use mailwright_plan::observed::ServerDeclared;

pub use child::{Child, ChildKind};
pub use ports::MANAGEMENT_PORT;

/// What the children of one MailServer are made of.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadInput<'a> {
    /// The MailServer's namespace, and that of every child.
    pub namespace: &'a str,
    /// The MailServer's name.
    pub name: &'a str,
    /// The MailServer's uid, for the children's owner reference.
    pub uid: &'a str,
    /// What it declares for its pod, its Services and its volume.
    pub spec: &'a MailServerSpec,
    /// The settings in force: what the pod reads, and whose ports it listens on.
    pub declared: &'a ServerDeclared,
    /// Where the operator runs and which image it runs.
    pub operator: &'a OperatorPlace,
}

/// The operator as its pods see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorPlace {
    /// The image of the operator, which is the image of the mail pods unless a MailServer names another.
    pub image: String,
    /// The operator's namespace; empty when it runs outside of the cluster, where network policies cannot name it.
    pub namespace: String,
    /// Labels that select the operator's pods.
    pub labels: BTreeMap<String, String>,
}

/// The children, in the order to write them: what a pod depends on comes before the StatefulSet.
///
/// Where [`refusal`] has something to say they cannot work.
pub fn children(input: &WorkloadInput<'_>) -> Vec<Child> {
    let mut children = vec![service_account::service_account(input), config_map::config_map(input)];
    children.extend(network_policy::network_policies(input));
    children.extend(service::services(input));
    children.push(disruption_budget::disruption_budget(input));
    children.push(stateful_set::stateful_set(input));
    children.into_iter().map(Child::sealed).collect()
}

/// Why a MailServer can have no pod, with the next step; `None` when it can. No schema says this, because without a cluster
/// the same MailServer works.
pub fn refusal(input: &WorkloadInput<'_>) -> Option<String> {
    names::unusable(input.name).or_else(|| {
        let listener = ports::clash(input.declared)?;
        Some(format!(
            "spec.listeners.{listener}.port is {MANAGEMENT_PORT}, which the pod needs for the operator: choose another port"
        ))
    })
}
