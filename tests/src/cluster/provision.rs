//! Volumes and addresses that a cloud would provide: a directory for every claim, the node's address for every LoadBalancer.
//! Doubles at the edge: there is no cloud here. Deciding is pure; [`provide`] looks and does it.

use super::api::{Api, Refusal};
use serde_json::{Value, json};
use std::path::Path;

/// The storage class that claims name to get a directory here; claims that name none get one too.
pub const CLASS: &str = "local";

/// Looks once over the cluster and provides what is waited for: directories below `place` (as the kubelet sees it), and
/// `address`.
pub fn provide(api: &Api, place: &Path, address: &str) -> Result<(), Refusal> {
    for claim in api.list("/api/v1/persistentvolumeclaims")? {
        if let Some(volume) = volume_for(&claim, place) {
            make(&volume).map_err(|error| Refusal { code: 0, message: error.to_string() })?;
            settled(api.create("/api/v1/persistentvolumes", &volume))?;
        }
    }
    for service in api.list("/api/v1/services")? {
        if let Some(status) = balancer_for(&service, address) {
            let path = format!("{}/status", path_of(&service, "services"));
            settled(api.patch(&path, &status))?;
        }
    }
    Ok(())
}

/// A volume of the kind `local` is a directory that is there; the kubelet gives it the pod's group.
fn make(volume: &Value) -> std::io::Result<()> {
    std::fs::create_dir_all(volume["spec"]["local"]["path"].as_str().unwrap_or_default())
}

/// Somebody else was faster, or what it was for is gone: both are fine.
fn settled(answer: Result<Value, Refusal>) -> Result<(), Refusal> {
    match answer {
        Err(refusal) if ![404, 409].contains(&refusal.code) => Err(refusal),
        _ => Ok(()),
    }
}

fn path_of(object: &Value, plural: &str) -> String {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    format!("/api/v1/namespaces/{}/{plural}/{}", text("namespace"), text("name"))
}

/// The class as an object; nothing provisions it but this module.
pub fn storage_class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "reclaimPolicy": "Retain",
        "volumeBindingMode": "Immediate",
    })
}

/// The volume that a claim waits for, if it waits for one of ours.
pub fn volume_for(claim: &Value, place: &Path) -> Option<Value> {
    let (spec, metadata) = (&claim["spec"], &claim["metadata"]);
    let class = spec["storageClassName"].as_str().unwrap_or_default();
    let waits = claim["status"]["phase"] == "Pending" && spec["volumeName"].is_null();
    if !waits || ![CLASS, ""].contains(&class) || !metadata["deletionTimestamp"].is_null() {
        return None;
    }
    let (namespace, name, uid) =
        (metadata["namespace"].as_str()?, metadata["name"].as_str()?, metadata["uid"].as_str()?);
    // A claim of the same name later gets another volume, as from a cloud.
    let volume = format!("{namespace}-{name}-{}", uid.split('-').next().unwrap_or(uid));
    Some(json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": class,
            "local": {"path": place.join(&volume)},
            // All nodes are on one machine and see the same directory.
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
            ]}]}},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name, "uid": uid},
        },
    }))
}

/// The status of a Service of type LoadBalancer that has no address yet.
pub fn balancer_for(service: &Value, address: &str) -> Option<Value> {
    let waits = service["spec"]["type"] == "LoadBalancer"
        && service["spec"]["loadBalancerClass"].is_null()
        && service["status"]["loadBalancer"]["ingress"].as_array().is_none_or(Vec::is_empty);
    waits.then(|| json!({"status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(change: impl Fn(&mut Value)) -> Value {
        let mut claim = json!({
            "metadata": {"namespace": "mail", "name": "data-example-0", "uid": "1f2e3d4c-0000"},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": CLASS,
                "resources": {"requests": {"storage": "10Gi"}},
            },
            "status": {"phase": "Pending"},
        });
        change(&mut claim);
        claim
    }

    #[test]
    fn a_claim_that_waits_gets_a_directory_of_its_size() {
        let volume = volume_for(&claim(|_| ()), Path::new("/volumes")).unwrap();
        let spec = &volume["spec"];
        assert_eq!(volume["metadata"]["name"], "mail-data-example-0-1f2e3d4c");
        assert_eq!(spec["local"]["path"], "/volumes/mail-data-example-0-1f2e3d4c");
        assert_eq!(
            (&spec["capacity"]["storage"], &spec["claimRef"]["uid"]),
            (&json!("10Gi"), &json!("1f2e3d4c-0000"))
        );
        assert_eq!(spec["persistentVolumeReclaimPolicy"], "Retain");
    }

    #[test]
    fn other_claims_get_none() {
        for (what, claim) in [
            ("bound", claim(|claim| claim["status"]["phase"] = json!("Bound"))),
            ("chosen", claim(|claim| claim["spec"]["volumeName"] = json!("other"))),
            ("of another class", claim(|claim| claim["spec"]["storageClassName"] = json!("no-such-class"))),
            (
                "leaving",
                claim(|claim| claim["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z")),
            ),
        ] {
            assert_eq!(volume_for(&claim, Path::new("/volumes")), None, "{what}");
        }
    }

    #[test]
    fn a_balancer_gets_the_address_once() {
        let service = |kind: &str, class: Value, ingress: Value| json!({"spec": {"type": kind, "loadBalancerClass": class}, "status": {"loadBalancer": {"ingress": ingress}}});
        for (service, expected) in [
            (service("LoadBalancer", Value::Null, Value::Null), true),
            (service("LoadBalancer", Value::Null, json!([{"ip": "172.30.0.1"}])), false),
            (service("LoadBalancer", json!("example.test/other"), Value::Null), false),
            (service("ClusterIP", Value::Null, Value::Null), false),
        ] {
            let status = balancer_for(&service, "172.30.0.1");
            assert_eq!(status.is_some(), expected, "{service}");
            assert!(status.is_none_or(|status| status.to_string().contains("172.30.0.1")));
        }
    }
}
