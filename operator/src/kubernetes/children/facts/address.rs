//! Where clients reach a MailServer: addresses of a load balancer, of the pod's node, or inside the cluster.

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use mailwright_crds::Reason;
use mailwright_plan::status::AspectFacts;

use super::reported::reported;
use super::{fact, unready};
use crate::kubernetes::children::look::Seen;

/// Whether clients can reach the server.
pub fn address(seen: &Seen) -> AspectFacts {
    let pending = |message: String| unready(Reason::AddressPending, message);
    let Some(spec) = seen.service.as_ref().and_then(|service| service.spec.as_ref()) else {
        let missing = pending("the Service is not there yet; it is made next".to_owned());
        let none =
            || fact(true, Reason::AddressAssigned, "no listener is for the public, so there is no Service");
        return missing.filter(|_| seen.is_public).unwrap_or_else(none);
    };
    let found = addresses(seen);
    let said = match (type_of(spec), found.is_empty()) {
        ("LoadBalancer", true) => pending(no_balancer(seen)),
        ("NodePort", true) => {
            pending("the Service is at the node of the pod, and the pod has none yet".to_owned())
        }
        (_, true) => pending("the Service has no address in the cluster yet".to_owned()),
        ("NodePort", false) => None,
        (_, false) => None,
    };
    said.unwrap_or_else(|| fact(true, Reason::AddressAssigned, reached(spec, &found)))
}

/// Where: host names and addresses.
pub fn addresses(seen: &Seen) -> Vec<String> {
    let Some(service) = &seen.service else { return Vec::new() };
    let Some(spec) = &service.spec else { return Vec::new() };
    match type_of(spec) {
        "LoadBalancer" => balanced(service),
        // With the policy Local only the node of the pod answers; with Cluster it is one of those that do.
        "NodePort" => {
            let status = seen.pod.as_ref().and_then(|pod| pod.status.as_ref());
            let hosts = status.and_then(|status| status.host_ips.as_ref()).into_iter().flatten();
            hosts.map(|host| host.ip.clone()).collect()
        }
        _ => {
            let own = spec.cluster_ips.iter().flatten().filter(|address| address.as_str() != "None");
            own.cloned().collect()
        }
    }
}

/// Whether the Service is reached at nodes, so that the pod's place matters.
pub fn is_at_node(service: &Service) -> bool {
    service.spec.as_ref().is_some_and(|spec| type_of(spec) == "NodePort")
}

/// Whether the load balancer of a Service is still to come.
pub fn waits_for_address(service: &Service) -> bool {
    service.spec.as_ref().is_some_and(|spec| type_of(spec) == "LoadBalancer") && balanced(service).is_empty()
}

fn type_of(spec: &ServiceSpec) -> &str {
    spec.type_.as_deref().unwrap_or("ClusterIP")
}

fn balanced(service: &Service) -> Vec<String> {
    let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = balancer.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
    ingress.filter_map(|ingress| ingress.ip.clone().or_else(|| ingress.hostname.clone())).collect()
}

fn no_balancer(seen: &Seen) -> String {
    match reported(seen, "Service", &["SyncLoadBalancerFailed", "AllocationFailed"]) {
        Some(message) => format!("the load balancer could not be made: {message}; change spec.service"),
        None => "the load balancer has no address yet; a cluster without a provider of load balancers never gives one: \
                 install one, or declare spec.service.type: NodePort"
            .to_owned(),
    }
}

fn reached(spec: &ServiceSpec, addresses: &[String]) -> String {
    let ports = spec.ports.iter().flatten().map(|port| {
        let name = port.name.as_deref().unwrap_or("a port");
        let number =
            if type_of(spec) == "NodePort" { port.node_port.unwrap_or(port.port) } else { port.port };
        format!("{name} {number}")
    });
    format!("at {}: {}", addresses.join(", "), ports.collect::<Vec<_>>().join(", "))
}
