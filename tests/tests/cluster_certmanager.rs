//! Certificates from the real cert-manager: asked for before it is there, issued, served, renewed and issued again while the
//! pod goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailwright_tests::cluster::mail::{Mail, condition, is_ready, object};
use mailwright_tests::cluster::{CertManager, ControlPlane};
use mailwright_tests::harness::{PATIENCE, tls, wait_for};
use serde_json::{Value, json};

/// The host name of the server, which the certificate is for.
const HOST: &str = "mail.example.test";
/// Where the pod listens for IMAP under TLS.
const IMAPS: u16 = 1993;
/// The Secret that cert-manager fills.
const ISSUED: &str = "secret/mail-cert-manager-tls";
/// What cert-manager is asked for.
const CERTIFICATE: &str = "certificate.cert-manager.io/mail";

/// An object of cert-manager's.
fn foreign(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// An authority that signs itself, and the issuer that signs with it: how a company's own one is set up.
fn authority() -> Vec<Value> {
    let root = json!({
        "isCA": true, "commonName": "An authority for tests", "secretName": "authority",
        "privateKey": {"algorithm": "ECDSA", "size": 256}, "issuerRef": {"name": "itself", "kind": "Issuer"},
    });
    vec![
        foreign("Issuer", "itself", json!({"selfSigned": {}})),
        foreign("Certificate", "authority", root),
        foreign("Issuer", "letters", json!({"ca": {"secretName": "authority"}})),
    ]
}

/// A value of a Secret; `None` while it is not there.
fn value(secret: &Value, key: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(secret["data"][key].as_str()?).ok()?).ok()
}

/// The certificate that the server shows, if it is one of the authority's for its name.
fn served(mail: &Mail<'_>, ca: &str) -> Option<Vec<u8>> {
    tls::shown(mail.pod.address(), IMAPS, HOST, ca).ok()?.into_iter().next()
}

/// Waits until another certificate than `old` is served. Whatever is served meanwhile is the authority's: nobody who checks
/// is ever sent away.
fn next_served(mail: &Mail<'_>, ca: &str, old: &[u8]) -> Vec<u8> {
    wait_for("another certificate", PATIENCE * 2, || {
        let chain = tls::shown(mail.pod.address(), IMAPS, HOST, ca).unwrap();
        (chain[0] != old).then(|| chain[0].clone())
    })
}

/// What `cmctl renew` does: a condition of the Certificate's status.
fn renew(mail: &Mail<'_>) {
    let mut certificate = mail.kubectl.get(&mail.namespace, CERTIFICATE);
    certificate["metadata"].as_object_mut().unwrap().remove("managedFields");
    let issuing = json!({
        "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "by a test",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": certificate["metadata"]["generation"],
    });
    let mut conditions = certificate["status"]["conditions"].as_array().unwrap().clone();
    conditions.retain(|it| it["type"] != "Issuing");
    conditions.push(issuing);
    let patch = json!({"status": {"conditions": conditions}}).to_string();
    let words =
        ["patch", CERTIFICATE, "--namespace", &mail.namespace, "--subresource=status", "--type=merge"];
    mail.kubectl.run(&[&words[..], &["--patch", &patch]].concat()).ok();
}

#[test]
fn cert_manager_issues_and_renews_what_the_pod_serves() {
    let Some(plane) = ControlPlane::shared() else { return };
    let Some(()) = CertManager::install(plane) else { return };
    let mail = Mail::new(plane, "issued");
    let spec = json!({
        "hostname": HOST, "service": {"type": "ClusterIP"},
        "tls": {"certManager": {"issuerRef": {"name": "letters"}}},
    });
    mail.apply(&object("MailServer", "mail", spec));
    let watch = format!("--watch-namespace={}", mail.namespace);
    let own = mail.kubectl.namespace("operator");
    let mut operator = plane.operator(plane.admin(), &own, &[&watch, &mail.pod.management_endpoint()]);
    operator.wait_ready();
    // Nobody works yet: the status says so, and a certificate of its own is served meanwhile.
    let waiting = "cert-manager has said nothing";
    mail.says("mailserver/mail", "CertificateReady", "False CertificatePending", waiting);
    mail.pod.wait_for_port(IMAPS, PATIENCE);

    let cert_manager = CertManager::start(plane);
    // It says itself what is missing still.
    mail.says("mailserver/mail", "CertificateReady", "False CertificatePending", "cert-manager says");
    mail.apply_all(&authority());
    let root = mail.kubectl.wait_until(&mail.namespace, "secret/authority", PATIENCE, |secret| {
        value(secret, "ca.crt").is_some_and(|text| !text.is_empty())
    });
    let ca = value(&root, "ca.crt").unwrap();
    let first = wait_for("the first certificate", PATIENCE * 2, || served(&mail, &ca));
    let server = mail.ready("mailserver/mail");
    assert_eq!(condition(&server, "CertificateReady")["status"], "True", "{server:#}");
    let secret = mail.kubectl.get(&mail.namespace, ISSUED);
    assert!(secret["metadata"]["ownerReferences"].is_null(), "it is cert-manager's: {secret:#}");
    let in_force = mail.kubectl.get(&mail.namespace, "secret/mail-tls");
    assert_eq!(value(&in_force, "tls.crt"), value(&secret, "tls.crt"));
    let pod = mail.kubectl.get(&mail.namespace, "pod/mail-0");

    renew(&mail);
    let second = next_served(&mail, &ca, &first);
    let revision = mail.kubectl.get(&mail.namespace, CERTIFICATE)["status"]["revision"].clone();
    assert_eq!(revision, 2, "issued twice");

    // The Secret is lost: what is in force stays until it is issued again.
    mail.delete(ISSUED);
    let third = next_served(&mail, &ca, &second);
    assert_ne!(third, first);
    mail.ready("mailserver/mail");
    let after = mail.kubectl.get(&mail.namespace, "pod/mail-0");
    assert_eq!(after["metadata"]["uid"], pod["metadata"]["uid"], "the same pod");
    assert_eq!(after["status"]["containerStatuses"][0]["restartCount"], 0, "and the same process");

    // Nothing goes on being written between the two controllers.
    mail.kubectl.wait_until(&mail.namespace, "mailserver/mail", PATIENCE, |server| {
        is_ready(server) && condition(server, "Reconciling").is_null()
    });
    let version = || mail.kubectl.get(&mail.namespace, CERTIFICATE)["metadata"]["resourceVersion"].clone();
    let before = version();
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(version(), before);

    // Another way is declared: what was asked for is taken back, cert-manager stays out of it.
    let spec = json!({"spec": {"tls": {"certManager": null, "selfSigned": {}}}}).to_string();
    let words =
        ["patch", "mailserver/mail", "--namespace", &mail.namespace, "--type=merge", "--patch", &spec];
    mail.kubectl.run(&words).ok();
    mail.kubectl.wait_until(&mail.namespace, CERTIFICATE, PATIENCE, Value::is_null);
    drop(cert_manager);
}
