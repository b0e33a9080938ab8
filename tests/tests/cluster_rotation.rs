//! The certificates of the management connections are rotated under a running operator and a running pod: years of it in a
//! minute, by Secrets that look as they would then. Mutual TLS goes on without a restart, and what is old is refused at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use mailwright_operator::authority::{AUTHORITY_LIFE, CLIENT_NAME, Leaf, issue, make_authority};
use mailwright_operator::certificate::{self, PemPair};
use mailwright_server::management::{ManagementCertificates, ManagementClient};
use mailwright_tests::cluster::mail::{Mail, mailbox};
use mailwright_tests::cluster::{ControlPlane, Operator};
use mailwright_tests::harness::{PATIENCE, wait_for};
use serde_json::{Value, json};

/// The authorities.
const AUTHORITY: &str = "secret/mailwright-management-ca";
/// The operator's certificate.
const CLIENT: &str = "secret/mailwright-management-client";
/// The pod's certificate.
const SERVER: &str = "secret/mail-management";

/// A mail server with an operator that keeps its certificates in a namespace of its own.
struct World<'a> {
    mail: Mail<'a>,
    own: String,
    boxes: std::cell::Cell<u32>,
}

impl World<'_> {
    fn data(&self, what: &str, key: &str) -> Option<String> {
        let namespace = if what == SERVER { &self.mail.namespace } else { &self.own };
        let secret = self.mail.kubectl.get(namespace, what);
        String::from_utf8(STANDARD.decode(secret["data"][key].as_str()?).ok()?).ok()
    }

    /// Changes keys of a Secret as another field manager, as whoever restores a backup.
    fn change(&self, what: &str, data: &Value) {
        let namespace = if what == SERVER { &self.mail.namespace } else { &self.own };
        let patch = json!({"stringData": data}).to_string();
        let words = ["patch", what, "--namespace", namespace, "--type=merge", "--patch", &patch];
        self.mail.kubectl.run(&words).ok();
    }

    fn identity(&self) -> PemPair {
        let text = |key: &str| self.data(CLIENT, key).unwrap();
        PemPair { certificate: text("tls.crt"), key: text("tls.key") }
    }

    /// What is declared now is carried out, which only an operator does whom the pod lets in.
    fn works(&self, when: &str, looks: bool) {
        let number = self.boxes.get() + 1;
        self.boxes.set(number);
        let name = format!("box{number}");
        // What was read of the operator's own Secrets is believed for ten seconds; a change is what it looks at them for.
        std::thread::sleep(std::time::Duration::from_secs(if looks { 11 } else { 0 }));
        self.mail.apply(&mailbox(&name));
        self.mail.ready(&format!("mailbox/{name}"));
        assert_eq!(self.mail.logs_in(&name), Some(true), "{when}");
    }

    /// Waits until a value of a Secret is as it should be.
    fn wait(&self, what: &str, key: &str, because: &str, probe: impl Fn(&str) -> bool) -> String {
        wait_for(because, PATIENCE * 2, || self.data(what, key).filter(|text| probe(text)))
    }

    /// Asks the pod as whoever has this certificate, believing the authorities that are believed now.
    fn asks(&self, pair: &PemPair, authority: &str) -> Result<(), String> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let certificates = ManagementCertificates {
            authority_pem: authority.to_owned(),
            chain_pem: pair.certificate.clone(),
            key_pem: pair.key.clone(),
        };
        let address = format!("{}:9443", self.mail.pod.address());
        let client = ManagementClient::remote(
            &address,
            &format!("mail-0.mail-headless.{}.svc", self.mail.namespace),
            &certificates,
        );
        let client = client.map_err(|error| error.to_string())?;
        runtime.block_on(client.identity()).map(drop).map_err(|error| error.to_string())
    }
}

fn issuer(pem: &str) -> String {
    certificate::describe(pem).unwrap().issuer
}

fn subject(pem: &str) -> String {
    certificate::describe(pem).unwrap().subject
}

/// The authorities as a Secret of the operator's.
fn secret(authority: &PemPair) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "name": "mailwright-management-ca", "labels": {"app.kubernetes.io/managed-by": "mailwright"},
        },
        "stringData": {
            "tls.crt": authority.certificate, "tls.key": authority.key, "ca.crt": authority.certificate,
        },
    })
}

fn start<'a>(mail: &Mail<'a>, own: &str) -> Operator {
    let watch = format!("--watch-namespace={}", mail.namespace);
    let mut operator =
        mail.plane.operator(mail.plane.admin(), own, &[&watch, &mail.pod.management_endpoint()]);
    operator.wait_ready();
    operator
}

#[test]
fn certificates_are_rotated_under_a_running_pod_and_old_ones_are_refused_at_the_end() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mail = Mail::new(plane, "rotation");
    let own = mail.kubectl.namespace("operator");
    let now: DateTime<Utc> = Utc::now();
    // Two thirds of its life are over.
    let old = make_authority(now - AUTHORITY_LIFE * 2 / 3 - Duration::days(1)).unwrap();
    mail.kubectl.apply_with(&secret(&old).to_string(), &["--namespace", &own]).ok();
    let operator = start(&mail, &own);
    mail.declare();
    mail.ready("mailserver/mail");
    let world = World { mail, own, boxes: std::cell::Cell::new(0) };
    let pod = world.mail.kubectl.get(&world.mail.namespace, "pod/mail-0");

    // The successor is made and trusted, and does not sign.
    let next = world.wait(AUTHORITY, "next.crt", "a successor", |text| !text.is_empty());
    let (first, served) = (world.identity(), world.data(SERVER, "tls.crt").unwrap());
    assert_eq!(
        [&first.certificate, &served].map(|leaf| issuer(leaf)),
        [subject(&old.certificate), subject(&old.certificate)]
    );
    let trusted = |what: &str, pem: &str| {
        world.wait(what, "ca.crt", "an authority to be trusted", |all| all.contains(pem.trim()))
    };
    for what in [CLIENT, SERVER] {
        trusted(what, &next);
    }
    world.works("while both are trusted", false);

    // A day later it signs. Leaves of the old one are good until they are due.
    let successor = make_authority(now - Duration::days(2)).unwrap();
    world.change(AUTHORITY, &json!({"next.crt": successor.certificate, "next.key": successor.key}));
    world.works("after the day", true);
    world.wait(AUTHORITY, "tls.crt", "the successor to sign", |text| *text == successor.certificate);
    for what in [CLIENT, SERVER] {
        trusted(what, &successor.certificate);
    }
    world.works("while old leaves are shown to those who trust both", false);
    let everybody = world.data(CLIENT, "ca.crt").unwrap();
    world.asks(&first, &everybody).unwrap();

    // Both leaves are due: one side and then the other has a new one.
    let signed = |what: &str| {
        world.wait(what, "tls.crt", "a leaf of the successor", |leaf| {
            issuer(leaf) == subject(&successor.certificate)
        })
    };
    let leaf = Leaf::Server { namespace: world.mail.namespace.clone(), name: "mail".into() };
    for (what, leaf) in [(SERVER, leaf), (CLIENT, Leaf::Operator)] {
        let due = issue(&old, &leaf, now - Duration::days(61)).unwrap();
        world.change(what, &json!({"tls.crt": due.certificate, "tls.key": due.key}));
        world.works("with a leaf that is due", true);
        signed(what);
        world.works("with a new leaf", false);
    }
    world.asks(&first, &everybody).unwrap();

    // The old authority ends.
    world.change(AUTHORITY, &json!({"previous.crt": ""}));
    world.works("after the old authority", true);
    for what in [CLIENT, SERVER] {
        world.wait(what, "ca.crt", "the old authority to be forgotten", |all| {
            !all.contains(old.certificate.trim())
        });
    }
    let refusal =
        wait_for("the old certificate to be refused", PATIENCE * 2, || world.asks(&first, &everybody).err());
    println!("the pod refuses it: {refusal}");
    world.asks(&world.identity(), &world.data(CLIENT, "ca.crt").unwrap()).unwrap();
    let forged = issue(&make_authority(now).unwrap(), &Leaf::Operator, now).unwrap();
    assert!(certificate::inspect(&forged).unwrap().subject.contains(CLIENT_NAME));
    world.asks(&forged, &everybody).unwrap_err();
    world.works("at the end", false);

    let after = world.mail.kubectl.get(&world.mail.namespace, "pod/mail-0");
    assert_eq!(after["metadata"]["uid"], pod["metadata"]["uid"], "the same pod");
    assert_eq!(after["status"]["containerStatuses"][0]["restartCount"], 0, "and the same process");
    assert!(
        !operator.log().contains("DatabaseUnreachable") && !operator.log().contains("does not answer"),
        "{}",
        operator.log()
    );
}

#[test]
fn a_deleted_authority_is_followed_by_another_one_and_its_certificates_are_refused() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mail = Mail::new(plane, "rotation");
    let own = mail.kubectl.namespace("operator");
    let _operator = start(&mail, &own);
    mail.declare();
    mail.ready("mailserver/mail");
    let world = World { mail, own, boxes: std::cell::Cell::new(0) };
    let (stolen, before) = (world.identity(), world.data(CLIENT, "ca.crt").unwrap());
    world.asks(&stolen, &before).unwrap();
    world.mail.kubectl.run(&["delete", AUTHORITY, "--namespace", &world.own]).ok();
    // The pod is reached again as soon as it has what the new one signed.
    world.works("with the new authority", true);
    let after = world.wait(AUTHORITY, "tls.crt", "another authority", |text| *text != before);
    world.wait(SERVER, "ca.crt", "the pod to be told", |text| text == after);
    let both = format!("{before}{after}");
    wait_for("the stolen certificate to be refused", PATIENCE * 2, || world.asks(&stolen, &both).err());
}
