//! The suggested records of a MailDomain: a ConfigMap with a zone file for the domain and one for each alias domain, and a
//! DNSEndpoint where external-dns is installed.

use std::collections::BTreeMap;

use kube_client::core::discovery::ApiResource;
use mailwright_crds::Kind;
use serde_json::{Map, Value, json};

use super::owner;
use crate::kubernetes::apis::Foreign;
use crate::kubernetes::keyring::Keyring;
use crate::kubernetes::names;
use crate::platform::PlatformError;
use crate::zones::Zone;

/// The field manager.
const MANAGER: &str = "mailwright-maildomain";
/// What fits into a ConfigMap: 1 MiB with its metadata.
const LARGEST: usize = 1_000_000;

/// Publishes the zones of a MailDomain.
pub async fn publish(
    keyring: &Keyring,
    namespace: &str,
    name: &str,
    uid: &str,
    zones: &[Zone],
) -> Result<(), PlatformError> {
    let (size, desired) = config_map(namespace, name, uid, zones);
    if size > LARGEST {
        return Err(PlatformError::TooLarge { object: format!("ConfigMap {namespace}/{name}-dns"), size });
    }
    let resource = ApiResource::erase::<k8s_openapi::api::core::v1::ConfigMap>(&());
    keyring.published.put(&keyring.client, &resource, &desired, MANAGER).await?;
    if keyring.apis().serves(Foreign::DnsEndpoint).await? {
        let desired = endpoint(namespace, name, uid, zones);
        let resource = Foreign::DnsEndpoint.resource();
        keyring.published.put(&keyring.client, &resource, &desired, MANAGER).await?;
    }
    Ok(())
}

fn metadata(namespace: &str, name: &str, of: &str, uid: &str) -> Value {
    json!({
        "namespace": namespace,
        "name": name,
        "labels": names::labels([]),
        "ownerReferences": [owner(Kind::MailDomain, of, uid)],
    })
}

/// The ConfigMap and the size of its data.
fn config_map(namespace: &str, name: &str, uid: &str, zones: &[Zone]) -> (usize, Value) {
    let data: Map<String, Value> =
        zones.iter().map(|zone| (format!("{}.zone", zone.domain), zone.text().into())).collect();
    let size = data.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    let metadata = metadata(namespace, &names::name(name, "-dns"), name, uid);
    (size, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}))
}

/// What external-dns is to publish.
fn endpoint(namespace: &str, name: &str, uid: &str, zones: &[Zone]) -> Value {
    json!({
        "apiVersion": "externaldns.k8s.io/v1alpha1",
        "kind": "DNSEndpoint",
        "metadata": metadata(namespace, name, name, uid),
        "spec": {"endpoints": endpoints(zones)},
    })
}

/// Records of one name and type are one endpoint. external-dns has no type for CAA, and records of other zones are for
/// those who run them.
fn endpoints(zones: &[Zone]) -> Vec<Value> {
    let mut endpoints: BTreeMap<(&str, &str), (i32, Vec<String>)> = BTreeMap::new();
    for zone in zones {
        let within = |name: &str| name == zone.domain || name.ends_with(&format!(".{}", zone.domain));
        for record in zone.records.iter().filter(|record| record.type_ != "CAA" && within(&record.name)) {
            let (_, targets) = endpoints.entry((&record.name, &record.type_)).or_insert((record.ttl, vec![]));
            targets.push(record.value.clone());
        }
    }
    let endpoint = |((name, type_), (ttl, targets))| json!({"dnsName": name, "recordType": type_, "recordTTL": ttl, "targets": targets});
    endpoints.into_iter().map(endpoint).collect()
}
