//! Services: the public one with the standard ports, the one without an address for the operator, and one for other MTAs of
//! the cluster where LMTP is enabled.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names;
use super::ports::{self, HTTP, LMTP, LMTP_SERVICE_PORT, MANAGEMENT, MANAGEMENT_PORT};
use super::{Child, ChildKind, WorkloadInput};

/// The Services; the public one only while a public listener is enabled, because a Service has a port at least.
pub(super) fn services(input: &WorkloadInput<'_>) -> Vec<Child> {
    let all = [public(input), Some(headless(input)), lmtp(input)];
    all.into_iter().flatten().collect()
}

fn public(input: &WorkloadInput<'_>) -> Option<Child> {
    let wish = &input.spec.service;
    let node_ports = json!(wish.node_ports);
    let exposed = wish.type_.as_str() != "ClusterIP";
    let ports: Vec<Value> = ports::public(input.declared)
        .map(|(name, port, _)| {
            let mut port = port_of(name, port);
            if let Some(number) = node_ports.get(name).filter(|number| exposed && number.is_u64()) {
                port["nodePort"] = number.clone();
            }
            port
        })
        .collect();
    if ports.is_empty() {
        return None;
    }
    let mut spec = json!({"type": wish.type_, "selector": names::selector(input.name), "ports": ports});
    if exposed {
        // Local keeps the client's address, which is what block lists, rate limits and Received fields go by.
        spec["externalTrafficPolicy"] = json!(wish.external_traffic_policy);
    }
    if let Some(class) = wish.load_balancer_class.as_ref().filter(|_| wish.type_.as_str() == "LoadBalancer") {
        spec["loadBalancerClass"] = json!(class);
    }
    let name = names::public_service(input.name);
    Some(service(input, name, &wish.annotations, spec))
}

/// The operator talks to a pod that is not ready too: that is when there is something to say.
fn headless(input: &WorkloadInput<'_>) -> Child {
    let mut ports = vec![port_of(MANAGEMENT, MANAGEMENT_PORT)];
    ports.extend(ports::listening(input.declared, HTTP).map(|port| port_of(HTTP, port)));
    let spec = json!({
        "type": "ClusterIP",
        "clusterIP": "None",
        "publishNotReadyAddresses": true,
        "selector": names::selector(input.name),
        "ports": ports,
    });
    service(input, names::headless_service(input.name), &BTreeMap::new(), spec)
}

fn lmtp(input: &WorkloadInput<'_>) -> Option<Child> {
    ports::listening(input.declared, LMTP)?;
    let spec = json!({
        "type": "ClusterIP",
        "selector": names::selector(input.name),
        "ports": [port_of(LMTP, LMTP_SERVICE_PORT)],
    });
    Some(service(input, names::lmtp_service(input.name), &BTreeMap::new(), spec))
}

/// A port of a Service. The pod's port is named rather than numbered, so that while a changed port rolls the pod, the old pod
/// is reached at the old number and the new one at the new.
fn port_of(name: &str, port: u16) -> Value {
    json!({"name": name, "port": port, "protocol": "TCP", "targetPort": name})
}

fn service(
    input: &WorkloadInput<'_>,
    name: String,
    annotations: &BTreeMap<String, String>,
    spec: Value,
) -> Child {
    let metadata = names::metadata(input, &name, annotations);
    Child::new(ChildKind::Service, name, metadata, &[("spec", spec)])
}
