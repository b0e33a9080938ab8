//! What a pod, a volume claim, a StatefulSet or a Service says of itself, in one line, and what to do about it. Pure.

use serde_json::Value;

use crate::cluster::objects::text;

/// What is wrong with a part of a MailServer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it says.
    pub says: String,
    /// What to do.
    pub advice: String,
}

fn fault(says: impl Into<String>, advice: impl Into<String>) -> Option<Fault> {
    Some(Fault { says: says.into(), advice: advice.into() })
}

/// What is wrong with `object`, which is of this kind; `None` when it is fine.
pub fn fault_of(word: &str, name: &str, object: Option<&Value>) -> Option<Fault> {
    let Some(object) = object else {
        return match word {
            // Both are made by the StatefulSet, which speaks for itself.
            "pod" | "volume claim" => fault("it does not exist", "look at the StatefulSet's events"),
            _ => {
                fault("it does not exist", "the operator makes it: look at the operator's log and at /readyz")
            }
        };
    };
    match word {
        "pod" => pod(name, object),
        "volume claim" => claim(object),
        "service" => service(object),
        _ => None,
    }
}

fn pod(name: &str, pod: &Value) -> Option<Fault> {
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return fault("it is ending", "wait: its successor starts when it has ended");
    }
    let conditions = pod["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let of_type = |type_: &str| conditions.iter().find(|condition| condition["type"] == type_);
    if let Some(scheduled) = of_type("PodScheduled").filter(|condition| condition["status"] == "False") {
        return fault(
            format!("no node takes it: {}", text(scheduled, "/message")),
            "compare spec.template (resources, nodeSelector, tolerations, affinity) with `kubectl describe nodes`",
        );
    }
    let containers = pod["status"]["containerStatuses"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(found) = containers.iter().find_map(|container| container_fault(name, container)) {
        return Some(found);
    }
    match of_type("Ready") {
        Some(ready) if ready["status"] == "True" => None,
        _ => fault(
            format!("it is {} and not ready", text(pod, "/status/phase")),
            format!("read `kubectl logs {name}` and its readiness probe in `kubectl describe pod {name}`"),
        ),
    }
}

fn container_fault(pod: &str, container: &Value) -> Option<Fault> {
    let waiting = &container["state"]["waiting"];
    let reason = text(waiting, "/reason");
    let says = |reason: &str, message: &str| {
        if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
    };
    match reason {
        "" => {}
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => {
            return fault(
                says(reason, text(waiting, "/message")),
                "check spec.template.image and imagePullSecrets of the MailServer, or the operator's --image",
            );
        }
        "CreateContainerConfigError" => {
            return fault(
                says(reason, text(waiting, "/message")),
                "a Secret or ConfigMap that the pod mounts is missing; the operator makes them: look at its log",
            );
        }
        "CrashLoopBackOff" => return crash(pod, container),
        "ContainerCreating" | "PodInitializing" => {
            return fault(
                says(reason, ""),
                format!("wait; its events say what it waits for: `kubectl describe pod {pod}`"),
            );
        }
        _ => return fault(says(reason, text(waiting, "/message")), format!("`kubectl describe pod {pod}`")),
    }
    let terminated = &container["state"]["terminated"];
    if terminated.is_object() {
        return fault(
            format!("it ended: {} (exit code {})", text(terminated, "/reason"), terminated["exitCode"]),
            format!("read `kubectl logs {pod} --previous`"),
        );
    }
    None
}

fn crash(pod: &str, container: &Value) -> Option<Fault> {
    let last = &container["lastState"]["terminated"];
    if text(last, "/reason") == "OOMKilled" {
        return fault(
            "it was killed for using more memory than its limit",
            "raise spec.template.resources.limits.memory of the MailServer",
        );
    }
    let code = last["exitCode"].as_i64().map_or(String::new(), |code| format!(" with exit code {code}"));
    let times = container["restartCount"].as_i64().unwrap_or(0);
    fault(
        format!("it ends as soon as it starts{code}, {times} times so far"),
        format!("read `kubectl logs {pod} --previous`"),
    )
}

fn claim(claim: &Value) -> Option<Fault> {
    match text(claim, "/status/phase") {
        "Bound" => None,
        "Lost" => {
            fault("its volume is gone", "restore the volume from a backup, or the claim's spec.volumeName")
        }
        phase => {
            let class = text(claim, "/spec/storageClassName");
            let class =
                if class.is_empty() { "the default class".to_owned() } else { format!("the class {class}") };
            fault(
                format!("it is {phase}: no volume of {class} yet"),
                "`kubectl get storageclass` lists the classes; spec.database.sqlite.storage.storageClassName names one",
            )
        }
    }
}

fn service(service: &Value) -> Option<Fault> {
    let balanced = text(service, "/spec/type") == "LoadBalancer";
    let addressed =
        service["status"]["loadBalancer"]["ingress"].as_array().is_some_and(|list| !list.is_empty());
    if balanced && !addressed {
        return fault(
            "the cluster has given it no address yet",
            "install a load balancer, or set spec.service.type of the MailServer to NodePort or ClusterIP",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(word: &str, object: Value, says: Option<&str>) {
        let found = fault_of(word, "main-0", Some(&object));
        assert_eq!(found.as_ref().map(|fault| fault.says.as_str()), says, "{object}");
        assert!(found.is_none_or(|fault| !fault.advice.is_empty()));
    }

    fn pod_with(container: Value) -> Value {
        json!({"status": {"phase": "Running", "containerStatuses": [container]}})
    }

    #[test]
    fn pods_say_why_they_do_not_run() {
        let ready =
            json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        check("pod", ready, None);
        check("pod", json!({"status": {"phase": "Pending"}}), Some("it is Pending and not ready"));
        let unscheduled =
            json!({"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"});
        check(
            "pod",
            json!({"status": {"conditions": [unscheduled]}}),
            Some("no node takes it: 0/1 nodes are available"),
        );
        check(
            "pod",
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            Some("it is ending"),
        );
        let waiting = |reason: &str, message: &str| {
            pod_with(json!({"state": {"waiting": {"reason": reason, "message": message}}}))
        };
        check("pod", waiting("ErrImagePull", "not found"), Some("ErrImagePull: not found"));
        check("pod", waiting("CreateContainerConfigError", "x"), Some("CreateContainerConfigError: x"));
        check("pod", waiting("ContainerCreating", ""), Some("ContainerCreating"));
        check("pod", waiting("Else", "y"), Some("Else: y"));
        let crashing = |last: Value| {
            let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
            pod_with(json!({"state": waiting, "restartCount": 3, "lastState": {"terminated": last}}))
        };
        check(
            "pod",
            crashing(json!({"reason": "OOMKilled", "exitCode": 137})),
            Some("it was killed for using more memory than its limit"),
        );
        check(
            "pod",
            crashing(json!({"reason": "Error", "exitCode": 1})),
            Some("it ends as soon as it starts with exit code 1, 3 times so far"),
        );
        check(
            "pod",
            pod_with(json!({"state": {"terminated": {"reason": "Error", "exitCode": 2}}})),
            Some("it ended: Error (exit code 2)"),
        );
    }

    #[test]
    fn volumes_and_services_say_what_they_wait_for() {
        check("volume claim", json!({"status": {"phase": "Bound"}}), None);
        check(
            "volume claim",
            json!({"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}),
            Some("it is Pending: no volume of the class fast yet"),
        );
        check("volume claim", json!({"status": {"phase": "Lost"}}), Some("its volume is gone"));
        check("service", json!({"spec": {"type": "ClusterIP"}}), None);
        check(
            "service",
            json!({"spec": {"type": "LoadBalancer"}}),
            Some("the cluster has given it no address yet"),
        );
        let ingress = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
        check("service", json!({"spec": {"type": "LoadBalancer"}, "status": ingress}), None);
        check("statefulset", json!({}), None);
    }

    #[test]
    fn what_is_missing_is_a_fault() {
        for word in ["pod", "volume claim", "service", "statefulset"] {
            assert_eq!(fault_of(word, "main", None).unwrap().says, "it does not exist");
        }
    }
}
