//! How the workload of a MailServer is, in one reason and one sentence with the next step. Pure.
//!
//! A message depends on nothing that ticks: no counts of restarts, no back-off times, no addresses of connections, which
//! stand in the messages of the kubelet. Otherwise every restart would write a status.

mod address;
mod image;
mod reported;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use mailwright_crds::Reason;
use mailwright_plan::status::AspectFacts;

pub use address::{address, addresses, is_at_node, waits_for_address};

use super::failure::{Fault, Problem};
use super::look::Seen;
use crate::workload::names::CONTAINER;
use reported::reported;

/// The label that says which template a pod was made from.
const REVISION: &str = "controller-revision-hash";

/// What the operator may say of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadFacts {
    /// Whether the pod runs, ready and as declared.
    pub workloads: AspectFacts,
    /// Whether clients can reach it.
    pub address: AspectFacts,
    /// Where.
    pub addresses: Vec<String>,
}

/// The facts from what was seen and from what could not be written.
pub fn facts(seen: &Seen, problems: &[Problem]) -> WorkloadFacts {
    WorkloadFacts { workloads: workloads(seen, problems), address: address(seen), addresses: addresses(seen) }
}

/// Whether the pod runs, ready and as declared: the first of the checks that has something to say.
pub fn workloads(seen: &Seen, problems: &[Problem]) -> AspectFacts {
    let checks: [&dyn Fn() -> Option<AspectFacts>; 9] = [
        &|| unwritten(problems),
        &|| forbidden(seen),
        &|| volume(seen),
        &|| unmade(seen),
        &|| unscheduled(seen),
        &|| superseded(seen),
        &|| seen.pod.as_ref().and_then(container),
        &|| leaving(seen),
        &|| starting(seen),
    ];
    let ready = || fact(true, Reason::PodReady, "the pod runs and is ready");
    checks.iter().find_map(|check| check()).unwrap_or_else(ready)
}

fn fact(ready: bool, reason: Reason, message: impl Into<String>) -> AspectFacts {
    AspectFacts { ready, reason, message: message.into() }
}

fn unready(reason: Reason, message: impl Into<String>) -> Option<AspectFacts> {
    Some(fact(false, reason, message))
}

/// Whether the StatefulSet's one pod is ready and of its newest template.
pub fn is_rolled_out(stateful_set: &StatefulSet) -> bool {
    let Some(status) = &stateful_set.status else { return false };
    let observed = status.observed_generation == stateful_set.metadata.generation;
    let newest = status.update_revision.is_none() || status.current_revision == status.update_revision;
    observed && newest && status.ready_replicas == Some(1) && status.replicas == 1
}

/// An object that the API server or its owner keeps from us.
fn unwritten(problems: &[Problem]) -> Option<AspectFacts> {
    let worst = [Fault::NotOurs, Fault::Refused, Fault::GivenUp];
    let problem = worst.iter().find_map(|fault| problems.iter().find(|problem| problem.fault == *fault))?;
    let reason = match problem.fault {
        Fault::NotOurs => Reason::ChildNotOurs,
        _ => Reason::ChildRefused,
    };
    unready(reason, problem.message.clone())
}

/// There is no pod, because its StatefulSet may not make one.
fn forbidden(seen: &Seen) -> Option<AspectFacts> {
    let message = reported(seen, "StatefulSet", &["FailedCreate"]).filter(|_| seen.pod.is_none())?;
    let step = "change what forbids it (a ResourceQuota, an admission policy) or spec.template";
    unready(Reason::ChildRefused, format!("the pod may not be made: {message}; {step}"))
}

/// There is no pod yet.
fn unmade(seen: &Seen) -> Option<AspectFacts> {
    let Some(stateful_set) = &seen.stateful_set else {
        return unready(Reason::PodNotReady, "the StatefulSet is not there yet; it is made next");
    };
    let made = is_rolled_out(stateful_set) || seen.pod.is_some();
    if made { None } else { unready(Reason::PodNotReady, "the pod is being made") }
}

/// The pod has no volume and will not get one by itself.
fn volume(seen: &Seen) -> Option<AspectFacts> {
    let claim = seen.claim.as_ref()?;
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    let step = match class {
        Some(class) => format!(
            "StorageClass {class} must exist and have a working provisioner: make it, or delete the MailServer and the \
             claim and declare another spec.database.sqlite.storage.storageClassName"
        ),
        None => "the cluster has no default StorageClass: make one the default, or make a PersistentVolume that fits".to_owned(),
    };
    match phase {
        "Bound" => None,
        "Lost" => unready(
            Reason::VolumeNotBound,
            format!(
                "the volume of {name} is gone: restore its PersistentVolume from a backup, or delete the claim to begin empty"
            ),
        ),
        _ => {
            let failed = reported(seen, "PersistentVolumeClaim", &["ProvisioningFailed", "FailedBinding"]);
            let scheduling = || scheduled(seen.pod.as_ref()?).filter(|message| speaks_of_volumes(message));
            match failed.or_else(scheduling) {
                Some(message) => {
                    unready(Reason::VolumeNotBound, format!("{name} has no volume: {message}; {step}"))
                }
                None => None,
            }
        }
    }
}

fn speaks_of_volumes(message: &str) -> bool {
    ["storageclass", "persistentvolume", "PersistentVolume", "volume node affinity"]
        .iter()
        .any(|word| message.contains(word))
}

/// No node takes the pod.
fn unscheduled(seen: &Seen) -> Option<AspectFacts> {
    let message = scheduled(seen.pod.as_ref()?)?;
    let step = "add such a node, or change spec.template (resources, nodeSelector, tolerations, affinity)";
    unready(Reason::PodUnschedulable, format!("no node takes the pod: {message}; {step}"))
}

/// Why the pod is not on a node; `None` when it is, whatever the scheduler said last: its word may be written after the binding.
fn scheduled(pod: &Pod) -> Option<String> {
    if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) {
        return None;
    }
    let condition = condition(pod, "PodScheduled").filter(|condition| condition.status == "False")?;
    Some(condition.message.clone().unwrap_or_else(|| "the scheduler gave no reason".to_owned()))
}

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// What keeps the pod from running is mended in a newer template already: it is no news, and may be in the way of the
/// newer one (kubernetes#137409: with the feature MaxUnavailableStatefulSet, on in the first releases of 1.35).
fn superseded(seen: &Seen) -> Option<AspectFacts> {
    let pod = seen.pod.as_ref().filter(|pod| pod.metadata.deletion_timestamp.is_none())?;
    let revision = pod.metadata.labels.as_ref()?.get(REVISION)?;
    let newest = seen.stateful_set.as_ref()?.status.as_ref()?.update_revision.as_ref()?;
    container(pod).filter(|_| revision != newest)?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    unready(
        Reason::PodNotReady,
        format!(
            "the pod cannot run and is of an earlier template: one of the newest takes its place; if it stays, \
             `kubectl delete pod {name} -n {namespace}`"
        ),
    )
}

/// What keeps the container from running.
fn container(pod: &Pod) -> Option<AspectFacts> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == CONTAINER)?;
    let state = status.state.as_ref()?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let Some(waiting) = &state.waiting else {
        return state.terminated.is_some().then(|| crashing(status, name, namespace)).flatten();
    };
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let message = waiting.message.as_deref().unwrap_or_default();
    if let Some(said) = image::pull_problem(&status.image, reason, message, (name, namespace)) {
        return unready(Reason::ImagePullFailed, said);
    }
    match reason {
        "CrashLoopBackOff" => crashing(status, name, namespace),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => unready(
            Reason::PodCrashing,
            format!(
                "the container cannot be made: {message}; see `kubectl describe pod {name} -n {namespace}`"
            ),
        ),
        _ => None,
    }
}

fn crashing(status: &ContainerStatus, name: &str, namespace: &str) -> Option<AspectFacts> {
    let ended = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
        state.as_ref().and_then(|state| state.terminated.clone())
    };
    let ended = ended(&status.state).or_else(|| ended(&status.last_state))?;
    if ended.reason.as_deref() == Some("OOMKilled") {
        let step = "raise spec.template.resources.limits.memory";
        return unready(
            Reason::PodCrashing,
            format!("the server ends again and again: out of memory; {step}"),
        );
    }
    let words = ended.message.as_deref().and_then(last_words).map(|words| format!(": {words}"));
    unready(
        Reason::PodCrashing,
        format!(
            "the server ends again and again with exit code {}{}; see `kubectl logs {name} -n {namespace} --previous`",
            ended.exit_code,
            words.unwrap_or_default(),
        ),
    )
}

/// The lines of the log that say why the process ended. Other lines begin with a time and would differ at every restart.
fn last_words(log: &str) -> Option<String> {
    const LONGEST: usize = 300;
    let (_, words) =
        log.rsplit_once("error: ").filter(|(before, _)| before.is_empty() || before.ends_with('\n'))?;
    let mut lines = words.lines();
    let error = lines.next()?.trim();
    let causes = lines.map_while(|line| line.trim().strip_prefix("because: "));
    let said = std::iter::once(error).chain(causes).collect::<Vec<_>>().join(", because ");
    Some(said.chars().take(LONGEST).collect())
}

/// The pod ends, or its node does not answer.
fn leaving(seen: &Seen) -> Option<AspectFacts> {
    let pod = seen.pod.as_ref()?;
    if is_silent(pod) {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
        let message = format!(
            "the node {node} of the pod does not answer; when it is back the pod goes on. If it is switched off for good, `kubectl \
             taint node {node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute`, and the pod is made elsewhere if \
             its volume can follow; never while the node may still run, because two servers damage one volume"
        );
        return unready(Reason::PodNotReady, message);
    }
    pod.metadata.deletion_timestamp.as_ref()?;
    unready(Reason::PodNotReady, "the pod ends its sessions and is made anew")
}

/// Whether the kubelet of the pod's node is missed. What it said last stays; only the node controller takes Ready back, so a
/// pod whose containers are ready, and which is not, was not judged by its kubelet: there are no readiness gates.
fn is_silent(pod: &Pod) -> bool {
    let Some(ready) = condition(pod, "Ready") else { return false };
    let by_controller = || condition(pod, "ContainersReady").is_some_and(|ready| ready.status == "True");
    match ready.status.as_str() {
        "Unknown" => true,
        "False" => ready.reason.as_deref() == Some("NodeNotReady") || by_controller(),
        _ => false,
    }
}

/// The pod is on its way.
fn starting(seen: &Seen) -> Option<AspectFacts> {
    let stateful_set = seen.stateful_set.as_ref().filter(|stateful_set| !is_rolled_out(stateful_set))?;
    if let Some(message) = reported(seen, "Pod", &["FailedMount", "FailedAttachVolume"])
        && !seen.pod.as_ref().is_some_and(is_running)
    {
        return unready(Reason::PodNotReady, format!("the pod waits for a volume: {message}"));
    }
    let status = stateful_set.status.as_ref();
    let rolling = status.is_some_and(|status| status.ready_replicas == Some(1));
    let message = match (rolling, seen.pod.as_ref().is_some_and(is_running)) {
        (true, _) => "the pod changes to a new template",
        (false, true) => "the server starts; if it does not get ready, its log says why",
        (false, false) => "the pod is being made",
    };
    unready(Reason::PodNotReady, message)
}

fn is_running(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
}

#[cfg(test)]
mod tests;
