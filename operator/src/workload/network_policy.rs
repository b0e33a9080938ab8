//! NetworkPolicies: nothing in and nothing out, and then what mail needs. Policies add up, so whoever needs more (an ingress
//! controller in front of the HTTP port, say) adds a policy of their own beside these.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use mailwright_plan::observed::ServerDeclared;
use serde_json::{Value, json};

use super::names::{self, HTTP_CLIENTS_LABEL};
use super::ports::{self, HTTP, LMTP, MANAGEMENT_PORT};
use super::{Child, ChildKind, WorkloadInput};

/// The label that every namespace has with its own name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The port of name servers.
const DNS_PORT: u16 = 53;

/// The two policies of the pods, or none when the MailServer asks for none.
pub(super) fn network_policies(input: &WorkloadInput<'_>) -> Vec<Child> {
    if !input.spec.network_policy.enabled {
        return Vec::new();
    }
    let deny = json!({"podSelector": selector(input), "policyTypes": ["Ingress", "Egress"]});
    let allow = json!({
        "podSelector": selector(input),
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress(input),
        "egress": egress(input.declared),
    });
    vec![policy(input, names::default_deny(input.name), deny), policy(input, input.name.to_owned(), allow)]
}

fn policy(input: &WorkloadInput<'_>, name: String, spec: Value) -> Child {
    let metadata = names::metadata(input, &name, &BTreeMap::new());
    Child::new(ChildKind::NetworkPolicy, name, metadata, &[("spec", spec)])
}

fn selector(input: &WorkloadInput<'_>) -> Value {
    json!({"matchLabels": names::selector(input.name)})
}

fn ingress(input: &WorkloadInput<'_>) -> Vec<Value> {
    let mut rules = Vec::new();
    let public: Vec<Value> = ports::public(input.declared).map(|(_, _, port)| tcp(port)).collect();
    if !public.is_empty() {
        rules.push(json!({"ports": public}));
    }
    // LMTP asks for no password, so it is for the pods of the same namespace.
    if let Some(port) = ports::listening(input.declared, LMTP) {
        rules.push(json!({"from": [{"podSelector": {}}], "ports": [tcp(port)]}));
    }
    let http = ports::listening(input.declared, HTTP);
    if let Some(operator) = operator_peer(input) {
        let ports: Vec<Value> = [Some(MANAGEMENT_PORT), http].into_iter().flatten().map(tcp).collect();
        rules.push(json!({"from": [operator], "ports": ports}));
    } else {
        // An operator outside of the cluster cannot be named; the API itself asks for its certificate.
        rules.push(json!({"ports": [tcp(MANAGEMENT_PORT)]}));
    }
    // Where Prometheus runs, say.
    let labelled = json!({"namespaceSelector": {"matchLabels": {HTTP_CLIENTS_LABEL: "true"}}});
    rules.extend(http.map(|port| json!({"from": [labelled], "ports": [tcp(port)]})));
    rules
}

fn operator_peer(input: &WorkloadInput<'_>) -> Option<Value> {
    let operator = input.operator;
    (!operator.namespace.is_empty()).then(|| {
        json!({
            "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: operator.namespace}},
            "podSelector": {"matchLabels": operator.labels},
        })
    })
}

/// Names are looked up, mail leaves. Where name servers and MX hosts stand is not known beforehand, so only their ports are.
fn egress(declared: &ServerDeclared) -> Vec<Value> {
    let mut dns = vec![DNS_PORT];
    dns.extend(
        declared
            .dns
            .resolvers
            .iter()
            .filter_map(|resolver| resolver.parse::<SocketAddr>().ok())
            .map(|it| it.port()),
    );
    dns.sort_unstable();
    dns.dedup();
    let mail = declared.relay.as_ref().map_or(declared.queue.remote_port, |relay| relay.port);
    let dns: Vec<Value> = dns.into_iter().flat_map(|port| [udp(port), tcp(port)]).collect();
    vec![json!({"ports": dns}), json!({"ports": [tcp(mail)]})]
}

fn tcp(port: u16) -> Value {
    json!({"protocol": "TCP", "port": port})
}

fn udp(port: u16) -> Value {
    json!({"protocol": "UDP", "port": port})
}
