//! The suggested records of a MailDomain: a ConfigMap with a zone file for the domain and one for each alias domain, and a
//! DNSEndpoint where external-dns is installed.

use std::collections::BTreeMap;

use mailwright_crds::Kind;
use serde_json::{Map, Value, json};

use super::owner;
use crate::kubernetes::apis::Foreign;
use crate::kubernetes::keyring::Keyring;
use crate::kubernetes::status::manager;
use crate::kubernetes::{names, published};
use crate::platform::PlatformError;
use crate::zones::Zone;

/// The field manager.
const MANAGER: &str = manager(Kind::MailDomain);
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
    keyring.published.put(&keyring.client, &published::zones(), &desired, MANAGER).await?;
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

/// Records of one name and type are one endpoint, in the form that external-dns 0.21 takes: names without their final dot,
/// TXT without quotes. It has no CAA, and of SRV its source refuses what its plan asks for (a final dot), so both are left
/// to the zone file. Records of other zones are for those who run them.
fn endpoints(zones: &[Zone]) -> Vec<Value> {
    let mut endpoints: BTreeMap<(&str, &str), (i32, Vec<String>)> = BTreeMap::new();
    for zone in zones {
        let within = |name: &str| name == zone.domain || name.ends_with(&format!(".{}", zone.domain));
        for record in zone.records.iter().filter(|record| within(&record.name)) {
            let target = match record.type_.as_str() {
                "CAA" | "SRV" => continue,
                "TXT" => unquoted(&record.value),
                // A null MX is nothing but its dot (RFC 7505 §3).
                _ if record.value == "0 ." => record.value.clone(),
                _ => record.value.trim_end_matches('.').to_owned(),
            };
            let (_, targets) = endpoints.entry((&record.name, &record.type_)).or_insert((record.ttl, vec![]));
            targets.push(target);
        }
    }
    let endpoint = |((name, type_), (ttl, targets))| json!({"dnsName": name, "recordType": type_, "recordTTL": ttl, "targets": targets});
    endpoints.into_iter().map(endpoint).collect()
}

/// The text of a TXT record in one piece: `"a" "b\"c"` is `ab"c` (RFC 1035 §5.1).
fn unquoted(value: &str) -> String {
    let (mut text, mut inside, mut escaped) = (String::new(), false, false);
    for c in value.chars() {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            _ if inside => text.push(c),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use mailwright_crds::mail_domain::{DnsRecord, Requirement};

    use super::*;

    fn zone(domain: &str, records: &[(&str, &str, &str)]) -> Zone {
        let records = records.iter().map(|(name, type_, value)| DnsRecord {
            name: (*name).to_owned(),
            type_: (*type_).to_owned(),
            value: (*value).to_owned(),
            ttl: 3600,
            purpose: String::new(),
            requirement: Requirement::Required,
        });
        Zone {
            domain: domain.to_owned(),
            of: "example.test".to_owned(),
            records: records.collect(),
            keys: vec![],
        }
    }

    #[test]
    fn records_become_endpoints_that_external_dns_takes() {
        let zones = [
            zone(
                "example.test",
                &[
                    ("example.test", "MX", "10 mail.example.test."),
                    ("example.test", "TXT", r#""v=spf1 mx -all""#),
                    ("s._domainkey.example.test", "TXT", r#""v=DKIM1; p=AB" "CD\"E""#),
                    ("example.test", "TXT", r#""second""#),
                    ("autoconfig.example.test", "CNAME", "mail.example.test."),
                    ("_imaps._tcp.example.test", "SRV", "0 1 993 mail.example.test."),
                    ("example.test", "CAA", r#"0 issue "ca.test""#),
                    ("example.test._report._dmarc.other.test", "TXT", r#""v=DMARC1;""#),
                    ("notexample.test", "A", "192.0.2.1"),
                ],
            ),
            zone("parked.test", &[("parked.test", "MX", "0 .")]),
        ];
        let said: Vec<String> = endpoints(&zones)
            .iter()
            .map(|it| format!("{} {} {}", it["dnsName"], it["recordType"], it["targets"]))
            .collect();
        assert_eq!(
            said,
            [
                r#""autoconfig.example.test" "CNAME" ["mail.example.test"]"#,
                r#""example.test" "MX" ["10 mail.example.test"]"#,
                r#""example.test" "TXT" ["v=spf1 mx -all","second"]"#,
                r#""parked.test" "MX" ["0 ."]"#,
                r#""s._domainkey.example.test" "TXT" ["v=DKIM1; p=ABCD\"E"]"#,
            ]
        );
    }

    #[test]
    fn a_config_map_has_a_file_for_each_domain_and_belongs_to_the_maildomain() {
        let zones = [zone("example.test", &[]), zone("alias.test", &[])];
        let (size, map) = config_map("team", "example", "u-1", &zones);
        assert_eq!(map["metadata"]["name"], "example-dns");
        assert_eq!(map["metadata"]["ownerReferences"][0]["uid"], "u-1");
        assert_eq!(map["data"]["alias.test.zone"], zones[1].text());
        assert_eq!(
            size,
            "example.test.zonealias.test.zone".len() + zones[0].text().len() + zones[1].text().len()
        );
    }
}
