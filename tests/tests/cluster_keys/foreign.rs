//! cert-manager and external-dns, as far as an API server with definitions of theirs shows: asked for only when they are
//! there, found later without a restart.

use mailwright_operator::kubernetes::apis::Foreign;
use mailwright_operator::platform::{Issuance, Platform as _};
use mailwright_plan::observed::{Issuer, ServerDeclared};
use serde_json::json;

use crate::bench::{Bench, blocking};
use crate::records::zone;

/// The definitions of other projects, as their releases have them.
fn definition(file: &str) -> String {
    let path = mailwright_tests::harness::root().join("tests/kubernetes/foreign").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn server() -> ServerDeclared {
    serde_json::from_value(json!({
        "name": "x/mail", "hostname": "mail.example.test", "listeners": {},
        "tls": {"certManager": {"name": "letters", "kind": "Issuer", "group": "cert-manager.io"}},
        "limits": {"messageSize": 1, "recipientsPerMessage": 1, "connections": 1, "connectionsPerAddress": 1},
    }))
    .unwrap()
}

/// One test, because what is installed is the same for all of a cluster.
#[tokio::test(flavor = "multi_thread")]
async fn other_projects_are_used_when_they_are_there() {
    let Some(bench) = Bench::new().await else { return };
    let (keyring, platform) = bench.platform().await;
    let issuer = Issuer { name: "letters".into(), kind: "Issuer".into(), group: "cert-manager.io".into() };
    let zones = [zone("example.test", &[("example.test", "MX", "10 mail.example.test.")])];

    let (asking, wanted, published) = (platform.clone(), issuer.clone(), zones.clone());
    let answer = blocking(move || {
        asking.publish_zones("example.test", &published).unwrap();
        asking.request_certificate(&server(), &wanted).unwrap()
    })
    .await;
    let Issuance::Unavailable(why) = answer else { panic!("{answer:?}") };
    assert!(why.contains("cert-manager is not installed") && why.contains("secretName"), "{why}");

    for file in ["cert-manager-certificates.yaml", "external-dns-dnsendpoints.yaml"] {
        bench.kubectl.apply_with(&definition(file), &["--server-side"]).ok();
    }
    let changed = tokio::time::timeout(std::time::Duration::from_secs(90), keyring.apis().changed());
    changed.await.expect("they are found without a restart");
    for foreign in Foreign::ALL {
        let start = std::time::Instant::now();
        while !keyring.apis().serves(foreign).await.unwrap() {
            assert!(start.elapsed().as_secs() < 90, "{foreign:?}");
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
    let (_, platform) = bench.platform().await;
    let (asking, wanted, published) = (platform.clone(), issuer.clone(), zones.clone());
    let answer = blocking(move || {
        asking.publish_zones("example.test", &published).unwrap();
        asking.request_certificate(&server(), &wanted).unwrap()
    })
    .await;
    let Issuance::Secret { name, pending } = answer else { panic!("{answer:?}") };
    assert_eq!(name, "mail-cert-manager-tls");
    assert!(pending.contains("has said nothing"), "{pending}");
    let certificate = bench.kubectl.get(&bench.namespace, "certificates.cert-manager.io/mail");
    assert_eq!(certificate["spec"]["dnsNames"], json!(["mail.example.test"]));
    assert_eq!(certificate["spec"]["issuerRef"]["name"], "letters");
    let endpoint = bench.kubectl.get(&bench.namespace, "dnsendpoints.externaldns.k8s.io/example");
    assert_eq!(endpoint["spec"]["endpoints"][0]["recordType"], "MX");

    let mark = bench.mark();
    let (asking, wanted, published) = (platform.clone(), issuer, zones);
    blocking(move || {
        asking.publish_zones("example.test", &published).unwrap();
        asking.request_certificate(&server(), &wanted).unwrap();
    })
    .await;
    let asked = bench.asked(mark);
    assert!(asked.iter().all(|request| request.starts_with("get ")), "{asked:?}");
    let releasing = platform.clone();
    blocking(move || releasing.release_certificate("mail").unwrap()).await;
    assert!(bench.kubectl.get(&bench.namespace, "certificates.cert-manager.io/mail").is_null());
}
