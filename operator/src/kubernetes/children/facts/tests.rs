//! What is said of a workload, by what was seen of it.

use serde_json::{Value, json};

use super::*;

fn set(status: Value) -> Value {
    json!({"metadata": {"name": "mail", "generation": 3}, "spec": {"serviceName": "x", "selector": {}, "template": {}},
        "status": status})
}

fn rolled_out() -> Value {
    set(
        json!({"observedGeneration": 3, "replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"}),
    )
}

fn behind() -> Value {
    set(
        json!({"observedGeneration": 3, "replicas": 1, "readyReplicas": 0, "currentRevision": "a", "updateRevision": "a"}),
    )
}

fn pod(status: Value) -> Value {
    json!({"metadata": {"name": "mail-0", "namespace": "post"}, "spec": {"containers": [], "nodeName": "node-1"},
        "status": status})
}

fn waiting(reason: &str, message: &str) -> Value {
    container_with(json!({"waiting": {"reason": reason, "message": message}}), json!({}))
}

fn container_with(state: Value, last: Value) -> Value {
    pod(
        json!({"phase": "Pending", "containerStatuses": [{"name": "mailwright", "image": "example/mailwright:1",
        "imageID": "", "ready": false, "restartCount": 7, "state": state, "lastState": last}]}),
    )
}

fn claim(phase: &str, class: Option<&str>) -> Value {
    json!({"metadata": {"name": "data-mail-0"}, "spec": {"storageClassName": class}, "status": {"phase": phase}})
}

fn event(kind: &str, reason: &str, message: &str, at: &str) -> Value {
    json!({"metadata": {}, "involvedObject": {"kind": kind}, "reason": reason, "message": message, "lastTimestamp": at})
}

fn seen(stateful_set: Value, pod: Value, claim: Value, events: Vec<Value>) -> Seen {
    Seen {
        stateful_set: serde_json::from_value(stateful_set).unwrap(),
        service: None,
        pod: serde_json::from_value(pod).unwrap(),
        claim: serde_json::from_value(claim).unwrap(),
        events: events.into_iter().map(|event| serde_json::from_value(event).unwrap()).collect(),
        ..Seen::default()
    }
}

#[track_caller]
fn check(seen: &Seen, reason: Reason, parts: &[&str]) {
    let fact = workloads(seen, &[]);
    assert_eq!((fact.reason, fact.ready), (reason, reason == Reason::PodReady), "{}", fact.message);
    for part in parts {
        assert!(fact.message.contains(part), "{part}: {}", fact.message);
    }
}

#[test]
fn a_pod_that_runs_and_one_on_its_way() {
    let none = Value::Null;
    check(&seen(rolled_out(), none.clone(), none.clone(), vec![]), Reason::PodReady, &["runs"]);
    check(&seen(none.clone(), none.clone(), none.clone(), vec![]), Reason::PodNotReady, &["made next"]);
    check(&seen(behind(), none.clone(), none.clone(), vec![]), Reason::PodNotReady, &["being made"]);
    let running = pod(json!({"phase": "Running"}));
    check(&seen(behind(), running.clone(), none.clone(), vec![]), Reason::PodNotReady, &["starts", "log"]);
    let rolling =
        set(json!({"observedGeneration": 3, "replicas": 1, "readyReplicas": 1, "currentRevision": "a",
        "updateRevision": "b"}));
    check(
        &seen(rolling, running.clone(), none.clone(), vec![]),
        Reason::PodNotReady,
        &["changes to a new template"],
    );
    let unseen = set(json!({"observedGeneration": 2, "replicas": 1, "readyReplicas": 1}));
    check(&seen(unseen, running, none, vec![]), Reason::PodNotReady, &["new template"]);
}

#[test]
fn a_pod_that_may_not_be_made() {
    let forbidden = "create Pod mail-0 in StatefulSet mail failed error: pods \"mail-0\" is forbidden: exceeded quota: small";
    let events = vec![
        event("StatefulSet", "FailedCreate", "an older one", "2026-01-01T00:00:00Z"),
        event("StatefulSet", "FailedCreate", forbidden, "2026-01-01T00:05:00Z"),
        event("Pod", "FailedCreate", "another object's", "2026-01-01T00:06:00Z"),
    ];
    check(
        &seen(behind(), Value::Null, Value::Null, events),
        Reason::ChildRefused,
        &["exceeded quota", "ResourceQuota"],
    );
}

#[test]
fn a_volume_that_does_not_come() {
    let unscheduled = |message: &str| {
        let mut pod = pod(
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}),
        );
        pod["spec"] = json!({"containers": []});
        pod
    };
    let none = Value::Null;
    let missing = "storageclass.storage.k8s.io \"fast\" not found";
    let reported =
        vec![event("PersistentVolumeClaim", "ProvisioningFailed", missing, "2026-01-01T00:00:00Z")];
    let unbound = unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims");
    for (pod, claim, events, parts) in [
        (
            none.clone(),
            claim("Pending", Some("fast")),
            reported.clone(),
            [missing, "StorageClass fast must exist"],
        ),
        (
            unbound.clone(),
            claim("Pending", Some("fast")),
            reported,
            [missing, "StorageClass fast must exist"],
        ),
        (unbound, claim("Pending", None), vec![], ["unbound immediate", "no default StorageClass"]),
        (none.clone(), claim("Lost", Some("fast")), vec![], ["is gone", "from a backup"]),
    ] {
        check(&seen(behind(), pod, claim, events), Reason::VolumeNotBound, &parts);
    }
    check(
        &seen(behind(), none, claim("Pending", Some("fast")), vec![]),
        Reason::PodNotReady,
        &["being made"],
    );
    let full = unscheduled("0/1 nodes are available: 1 Insufficient memory");
    for phase in ["Bound", "Pending"] {
        let seen = seen(behind(), full.clone(), claim(phase, Some("fast")), vec![]);
        check(&seen, Reason::PodUnschedulable, &["Insufficient memory", "spec.template"]);
    }
    let mut bound = waiting("ErrImagePull", "x: not found");
    bound["status"]["conditions"] = full["status"]["conditions"].clone();
    check(
        &seen(behind(), bound, claim("Bound", Some("fast")), vec![]),
        Reason::ImagePullFailed,
        &["no such image"],
    );
}

#[test]
fn a_container_that_does_not_run() {
    let ended = |code: i32, reason: &str, message: &str| json!({"terminated": {"exitCode": code, "reason": reason, "message": message}});
    let back_off = || json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}});
    let log =
        "2026-01-01T00:00:00Z ERROR x\nerror: the store does not open\n  because: the database is damaged\n";
    for (pod, reason, parts) in [
        (
            waiting("ErrImagePull", "x: not found"),
            Reason::ImagePullFailed,
            ["example/mailwright:1", "kubectl describe pod mail-0 -n post"],
        ),
        (
            waiting("ImagePullBackOff", "Back-off: ErrImagePull: x: not found"),
            Reason::ImagePullFailed,
            ["example/mailwright:1", "no such image"],
        ),
        (
            container_with(back_off(), ended(1, "Error", log)),
            Reason::PodCrashing,
            ["exit code 1: the store does not open, because the database is damaged;", "--previous"],
        ),
        (
            container_with(ended(2, "Error", "2026 no last words"), json!({})),
            Reason::PodCrashing,
            ["exit code 2;", "kubectl logs mail-0 -n post"],
        ),
        (
            container_with(back_off(), ended(137, "OOMKilled", "")),
            Reason::PodCrashing,
            ["out of memory", "limits.memory"],
        ),
        (
            waiting("CreateContainerConfigError", "secret \"x\" not found"),
            Reason::PodCrashing,
            ["secret \"x\"", "describe pod"],
        ),
        (waiting("ContainerCreating", ""), Reason::PodNotReady, ["being made", ""]),
    ] {
        check(&seen(behind(), pod, claim("Bound", None), vec![]), reason, &parts);
    }
}

#[test]
fn a_pod_of_an_earlier_template_that_cannot_run_is_no_news() {
    let broken = |revision: &str| {
        let mut pod = waiting("ErrImagePull", "x: not found");
        pod["metadata"]["labels"] = json!({"controller-revision-hash": revision});
        pod
    };
    let claim = || claim("Bound", None);
    let step = "kubectl delete pod mail-0 -n post";
    check(&seen(behind(), broken("old"), claim(), vec![]), Reason::PodNotReady, &["earlier template", step]);
    check(&seen(behind(), broken("a"), claim(), vec![]), Reason::ImagePullFailed, &["no such image"]);
    // Nothing keeps it from running; and one that ends is replaced as it should be.
    let mut starts = waiting("ContainerCreating", "");
    starts["metadata"]["labels"] = json!({"controller-revision-hash": "old"});
    check(&seen(behind(), starts, claim(), vec![]), Reason::PodNotReady, &["being made"]);
    let mut ends = broken("old");
    ends["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    check(&seen(behind(), ends, claim(), vec![]), Reason::ImagePullFailed, &["no such image"]);
}

/// One reason, one message, however often it happened: otherwise every restart would write a status.
#[test]
fn nothing_that_ticks_is_said() {
    let said = |pod: Value| workloads(&seen(behind(), pod, Value::Null, vec![]), &[]).message;
    let crashed = |wait: &str, log: &str, count: u32| {
        let mut pod = container_with(
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": format!("back-off {wait} restarting")}}),
            json!({"terminated": {"exitCode": 1, "message": log, "finishedAt": "2026-01-01T00:00:00Z"}}),
        );
        pod["status"]["containerStatuses"][0]["restartCount"] = json!(count);
        said(pod)
    };
    assert_eq!(crashed("10s", "00:00:01 x\nerror: no\n", 1), crashed("5m0s", "00:09:13 x\nerror: no\n", 9));
    assert_eq!(
        said(waiting("ErrImagePull", "read udp 10.0.0.1:40021->10.96.0.10:53: i/o timeout")),
        said(waiting(
            "ImagePullBackOff",
            "Back-off pulling: read udp 10.0.0.1:51114->10.96.0.10:53: i/o timeout"
        )),
    );
}

#[test]
fn a_pod_that_leaves_and_one_whose_volume_is_not_mounted() {
    let mut going = pod(json!({"phase": "Running"}));
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    check(&seen(behind(), going, Value::Null, vec![]), Reason::PodNotReady, &["ends its sessions"]);
    // What the node controller of 1.36 leaves when a node is switched off, and what a kubelet says of a container that is not ready.
    let of = |ready: Value, containers: &str| {
        let containers = json!({"type": "ContainersReady", "status": containers});
        pod(json!({"phase": "Running", "conditions": [ready, containers]}))
    };
    for (ready, containers, part) in [
        (json!({"type": "Ready", "status": "Unknown"}), "True", "out-of-service"),
        (json!({"type": "Ready", "status": "False", "reason": "NodeNotReady"}), "False", "out-of-service"),
        (json!({"type": "Ready", "status": "False"}), "True", "the node node-1 of the pod does not answer"),
        (json!({"type": "Ready", "status": "False", "reason": "ContainersNotReady"}), "False", "starts"),
        (json!({"type": "Ready", "status": "True"}), "True", "starts"),
    ] {
        let mut pod = of(ready, containers);
        check(&seen(behind(), pod.clone(), Value::Null, vec![]), Reason::PodNotReady, &[part]);
        // A node that is gone cannot end what is to leave it.
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let part = if part == "starts" { "ends its sessions" } else { part };
        check(&seen(behind(), pod, Value::Null, vec![]), Reason::PodNotReady, &[part]);
    }
    let mount =
        vec![event("Pod", "FailedMount", "secret \"mail-management\" not found", "2026-01-01T00:00:00Z")];
    check(
        &seen(behind(), waiting("ContainerCreating", ""), Value::Null, mount.clone()),
        Reason::PodNotReady,
        &["waits for a volume", "mail-management"],
    );
    let running = pod(json!({"phase": "Running"}));
    check(&seen(behind(), running, Value::Null, mount), Reason::PodNotReady, &["starts"]);
}

#[test]
fn what_could_not_be_written_comes_first() {
    let problem =
        |fault: Fault| Problem { child: "Service mail".to_owned(), fault, message: format!("{fault:?}") };
    let ready = seen(rolled_out(), Value::Null, Value::Null, vec![]);
    for (faults, reason) in [
        (vec![Fault::Refused], Reason::ChildRefused),
        (vec![Fault::GivenUp], Reason::ChildRefused),
        (vec![Fault::Refused, Fault::NotOurs], Reason::ChildNotOurs),
        (vec![Fault::Transient], Reason::PodReady),
        (vec![], Reason::PodReady),
    ] {
        let problems: Vec<Problem> = faults.into_iter().map(problem).collect();
        assert_eq!(workloads(&ready, &problems).reason, reason, "{problems:?}");
    }
}

fn service(type_: &str, ingress: Value) -> Seen {
    let service = json!({
        "metadata": {"name": "mail"},
        "spec": {"type": type_, "clusterIPs": ["10.96.0.7"],
            "ports": [{"name": "smtp", "port": 25, "nodePort": 30025}, {"name": "imaps", "port": 993, "nodePort": 30993}]},
        "status": {"loadBalancer": {"ingress": ingress}},
    });
    Seen { service: serde_json::from_value(service).unwrap(), ..Seen::default() }
}

#[test]
fn where_clients_reach_it() {
    let placed = |mut seen: Seen| {
        let pod = pod(json!({"hostIPs": [{"ip": "192.0.2.7"}, {"ip": "2001:db8::7"}]}));
        seen.pod = serde_json::from_value(pod).unwrap();
        seen
    };
    let balanced = json!([{"ip": "192.0.2.1"}, {"hostname": "lb.example.test"}]);
    let pending = "declare spec.service.type: NodePort";
    for (seen, addresses, ready, part) in [
        (
            service("LoadBalancer", balanced),
            vec!["192.0.2.1", "lb.example.test"],
            true,
            "at 192.0.2.1, lb.example.test: smtp 25, imaps 993",
        ),
        (service("LoadBalancer", json!([])), vec![], false, pending),
        (service("NodePort", json!([])), vec![], false, "the pod has none yet"),
        (
            placed(service("NodePort", json!([]))),
            vec!["192.0.2.7", "2001:db8::7"],
            true,
            "smtp 30025, imaps 30993",
        ),
        (service("ClusterIP", json!([])), vec!["10.96.0.7"], true, "at 10.96.0.7: smtp 25"),
        (Seen::default(), vec![], true, "no listener is for the public"),
        (Seen { is_public: true, ..Seen::default() }, vec![], false, "the Service is not there yet"),
    ] {
        let facts = facts(&seen, &[]);
        assert_eq!(
            (facts.addresses, facts.address.ready),
            (addresses.into_iter().map(str::to_owned).collect(), ready)
        );
        assert!(facts.address.message.contains(part), "{}", facts.address.message);
        let expected = if ready { Reason::AddressAssigned } else { Reason::AddressPending };
        assert_eq!(facts.address.reason, expected);
    }
}

#[test]
fn a_load_balancer_that_cannot_be_made_says_why() {
    let mut seen = service("LoadBalancer", json!([]));
    assert!(waits_for_address(seen.service.as_ref().unwrap()) && !is_at_node(seen.service.as_ref().unwrap()));
    seen.events = vec![
        serde_json::from_value(event(
            "Service",
            "SyncLoadBalancerFailed",
            "no quota",
            "2026-01-01T00:00:00Z",
        ))
        .unwrap(),
    ];
    assert!(address(&seen).message.contains("no quota"), "{}", address(&seen).message);
    assert!(is_at_node(service("NodePort", json!([])).service.as_ref().unwrap()));
    assert!(!waits_for_address(service("NodePort", json!([])).service.as_ref().unwrap()));
}
