//! Suggested records: one ConfigMap for each MailDomain, written when it changes and at no other time.

use mailwright_crds::mail_domain::{DnsRecord, Requirement};
use mailwright_operator::platform::{Platform as _, PlatformError};
use mailwright_operator::zones::Zone;

use crate::bench::{Bench, blocking};

pub fn zone(domain: &str, values: &[(&str, &str, &str)]) -> Zone {
    let records = values.iter().map(|(name, type_, value)| DnsRecord {
        name: (*name).to_owned(),
        type_: (*type_).to_owned(),
        value: (*value).to_owned(),
        ttl: 3600,
        purpose: "a test".to_owned(),
        requirement: Requirement::Required,
    });
    Zone {
        domain: domain.to_owned(),
        of: "example.test".to_owned(),
        records: records.collect(),
        keys: vec![],
    }
}

fn both(host: &str) -> Vec<Zone> {
    let mx = format!("10 {host}.");
    ["example.test", "alias.test"].map(|domain| zone(domain, &[(domain, "MX", &mx)])).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_written_when_they_change_and_never_otherwise() {
    let Some(bench) = Bench::new().await else { return };
    let (_, platform) = bench.platform().await;
    let publish = |zones: Vec<Zone>| {
        let platform = platform.clone();
        blocking(move || platform.publish_zones("example.test", &zones))
    };
    publish(both("mail.example.test")).await.unwrap();
    let map = bench.kubectl.get(&bench.namespace, "configmap/example-dns");
    let keys: Vec<_> = map["data"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["alias.test.zone", "example.test.zone"]);
    assert!(map["data"]["example.test.zone"].as_str().unwrap().contains("IN MX 10 mail.example.test."));
    assert_eq!(map["metadata"]["ownerReferences"][0]["name"], "example");

    let mark = bench.mark();
    publish(both("mail.example.test")).await.unwrap();
    assert_eq!(bench.asked(mark), Vec::<String>::new());
    let (_, fresh) = bench.platform().await;
    let mark = bench.mark();
    blocking(move || fresh.publish_zones("example.test", &both("mail.example.test"))).await.unwrap();
    let asked = bench.asked(mark);
    assert!(
        asked.iter().all(|request| request.starts_with("get ")),
        "a restart looks and writes nothing: {asked:?}"
    );

    publish(both("other.example.test")[..1].to_vec()).await.unwrap();
    let map = bench.kubectl.get(&bench.namespace, "configmap/example-dns");
    let keys: Vec<_> = map["data"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["example.test.zone"], "an alias domain that is given up is withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_is_told() {
    let Some(bench) = Bench::new().await else { return };
    let (_, platform) = bench.platform().await;
    let publish = |zones: Vec<Zone>| {
        let platform = platform.clone();
        blocking(move || platform.publish_zones("example.test", &zones).unwrap_err())
    };
    let value = format!("\"{}\"", "x".repeat(1_000_000));
    let error = publish(vec![zone("example.test", &[("example.test", "TXT", &value)])]).await;
    assert!(matches!(error, PlatformError::TooLarge { .. }) && error.is_lasting(), "{error}");
    assert!(error.to_string().len() < 300, "{error}");

    let namespace = &bench.namespace;
    bench
        .kubectl
        .run(&["create", "configmap", "example-dns", "--from-literal=mine=1", "--namespace", namespace])
        .ok();
    let error = publish(both("mail.example.test")).await;
    assert!(error.to_string().contains("was not made by Mailwright"), "{error}");
    assert_eq!(bench.kubectl.get(namespace, "configmap/example-dns")["data"]["mine"], "1");
    bench.kubectl.run(&["delete", "configmap", "example-dns", "--namespace", namespace]).ok();

    // A finalizer holds the namespace while it ends.
    bench.kubectl.apply(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: stays, namespace: {namespace}, finalizers: [example.test/stays]}}\n"
    ));
    bench.kubectl.run(&["delete", "namespace", namespace, "--wait=false"]).ok();
    let error = publish(both("mail.example.test")).await;
    assert!(error.is_lasting() && error.to_string().contains("namespace is being deleted"), "{error}");
    let patch = r#"--patch={"metadata":{"finalizers":null}}"#;
    bench.kubectl.run(&["patch", "configmap", "stays", "--namespace", namespace, "--type=merge", patch]).ok();
}
