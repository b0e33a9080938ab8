//! Bad input against a real API server, operator and mail server: each is refused at the door with the field that is wrong, or
//! told by a condition with its reason and the next step; and a witness is served whatever else is wrong.
//!
//! There is no kubelet here: that an image cannot be pulled is written into the pod's status as the kubelet would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mailwright_tests::cluster::mail::{condition, domain, mailbox, object, server_spec};
use mailwright_tests::cluster::{ControlPlane, Mail, Operator};
use mailwright_tests::harness::{PATIENCE, run, skip, wait_for, wire};
use serde_json::{Value, json};

/// One mistake: what is looked at, the condition that tells it, and a part of the message: what to do.
struct Mistake {
    what: &'static str,
    type_: &'static str,
    expected: &'static str,
    step: &'static str,
}

const fn told(
    what: &'static str,
    type_: &'static str,
    expected: &'static str,
    step: &'static str,
) -> Mistake {
    Mistake { what, type_, expected, step }
}

/// Waits for all of them; whatever is told otherwise is shown at once.
#[track_caller]
fn are_told(mail: &Mail, namespace: &str, mistakes: &[Mistake]) {
    let start = Instant::now();
    loop {
        let wrong: Vec<String> =
            mistakes.iter().filter_map(|mistake| told_otherwise(mail, namespace, mistake)).collect();
        if wrong.is_empty() {
            return;
        }
        assert!(start.elapsed() < PATIENCE * 2, "{}", wrong.join("\n"));
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn told_otherwise(mail: &Mail, namespace: &str, mistake: &Mistake) -> Option<String> {
    let Mistake { what, type_, expected, step } = mistake;
    let found = mail.kubectl.get(namespace, what);
    let found = condition(&found, type_);
    let text = |field: &str| found[field].as_str().unwrap_or_default();
    let is_told =
        format!("{} {}", text("status"), text("reason")) == *expected && text("message").contains(step);
    (!is_told).then(|| format!("{what}: {expected} with “{step}”, but {type_} is {found}"))
}

fn operator(mail: &Mail, namespaces: &[&str]) -> Operator {
    let endpoint = mail.pod.management_endpoint();
    let watched = namespaces.iter().flat_map(|namespace| ["--watch-namespace", namespace]);
    let arguments: Vec<&str> = watched.chain([endpoint.as_str()]).collect();
    mail.plane.operator(mail.plane.admin(), &mail.namespace, &arguments)
}

fn secret(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
}

fn with_secret(name: &str, secret: &str) -> Value {
    let credentials = json!({"secretRef": {"name": secret}});
    object("Mailbox", name, json!({"address": format!("{name}@example.test"), "credentials": credentials}))
}

fn server(change: &Value) -> Value {
    let mut spec = server_spec();
    spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    object("MailServer", "mail", spec)
}

#[test]
fn what_cannot_be_meant_is_refused_at_the_door_with_its_field() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mail = Mail::new(plane, "refused");
    let listeners = |smtp: u32, imap: u32| json!({"listeners": {"smtp": {"enabled": true, "port": smtp}, "imap": {"enabled": true, "port": imap}}});
    let hashed = |hash: &str| {
        let credentials = json!({"passwordHash": hash});
        object("Mailbox", "x", json!({"address": "x@example.test", "credentials": credentials}))
    };
    for (what, manifest, says) in [
        ("a hostname", server(&json!({"hostname": "not a name"})), "spec.hostname"),
        ("a hostname of one label", server(&json!({"hostname": "mail"})), "spec.hostname"),
        ("a network", server(&json!({"trustedNetworks": ["10.0.0.0/33"]})), "trustedNetworks"),
        (
            "a host of one",
            server(&json!({"trustedNetworks": ["10.0.0.1/8"]})),
            "write 10.0.0.0/8 for the network",
        ),
        ("a host of another", server(&json!({"trustedNetworks": ["2001:db8::7/48"]})), "write 2001:db8::/48"),
        ("two listeners on a port", server(&listeners(2525, 2525)), "port"),
        ("a port beyond", server(&listeners(2525, 70_000)), "spec.listeners.imap.port"),
        ("a hash of no kind", hashed("secret"), "spec.credentials.passwordHash"),
        ("a domain", object("MailDomain", "x", domain("-example..test")), "spec.domain"),
        ("a size", server(&json!({"database": {"sqlite": {"storage": {"size": "10 Gigs"}}}})), "size"),
    ] {
        let within = ["--namespace", &mail.namespace, "--dry-run=server"];
        let answer = mail.kubectl.apply_with(&manifest.to_string(), &within);
        assert_ne!(answer.code, Some(0), "{what} is taken: {manifest}");
        assert!(answer.all().contains(says), "{what}: {}", answer.all());
    }
}

/// Nothing is filled in that would stay beside what is declared later, whoever applies.
#[test]
fn another_certificate_is_declared_later_and_taken_back() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mail = Mail::new(plane, "certificates");
    for how in [&["--server-side=false"][..], &["--server-side", "--force-conflicts"]] {
        for tls in [
            json!(null),
            json!({"secretName": "certificate"}),
            json!(null),
            json!({}),
            json!({"certManager": {"issuerRef": {"name": "ca", "kind": "Issuer", "group": "cert-manager.io"}}}),
            json!({"selfSigned": {}}),
            json!({"secretName": "certificate"}),
        ] {
            let change = if tls.is_null() { json!({}) } else { json!({"tls": tls}) };
            let words = [&["--namespace", mail.namespace.as_str()], how].concat();
            mail.kubectl.apply_with(&server(&change).to_string(), &words).ok();
            assert_eq!(mail.kubectl.get(&mail.namespace, "mailserver/mail")["spec"]["tls"], tls, "{how:?}");
        }
    }
    let two = server(&json!({"tls": {"secretName": "certificate", "selfSigned": {}}})).to_string();
    let answer = mail.kubectl.apply_with(&two, &["--namespace", &mail.namespace]);
    assert!(answer.all().contains("takes at most one of selfSigned"), "{}", answer.all());
}

#[test]
fn secrets_that_cannot_be_used_are_told_and_the_last_password_stays() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mail = Mail::new(plane, "secrets");
    let _operator = operator(&mail, &[&mail.namespace]);
    mail.declare();
    mail.ready("mailbox/witness");
    mail.witness("before");
    // Octets that are no text; nothing; the form of a hash with nothing in it.
    for (name, value) in [("binary", "//79/A=="), ("empty", ""), ("hash", "JGFyZ29uMmlkJHY9MTkkbT02NTUzNg==")]
    {
        mail.apply(&secret(name, &json!({"password": value})));
        mail.apply(&with_secret(name, name));
    }
    let cut = json!({"passwordHash": "$argon2id$v=19$m=65536"});
    let written = json!({"address": "written@example.test", "credentials": cut});
    mail.apply(&object("Mailbox", "written", written));
    mail.apply(&secret("keyless", &json!({"other": "eA=="})));
    mail.apply(&with_secret("keyless", "keyless"));
    mail.apply(&with_secret("absent", "absent"));
    mail.apply(&secret("foreign", &json!({"other": "eA=="})));
    let generate = json!({"generate": {"secretName": "foreign"}});
    mail.apply(&object(
        "Mailbox",
        "foreign",
        json!({"address": "foreign@example.test", "credentials": generate}),
    ));
    mail.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "certificate"}, "type": "kubernetes.io/tls",
        "data": {"tls.crt": "bm8gY2VydGlmaWNhdGU=", "tls.key": "bm8ga2V5"},
    }));
    mail.apply(&server(&json!({"tls": {"secretName": "certificate"}})));
    are_told(
        &mail,
        &mail.namespace,
        &[
            told("mailbox/absent", "CredentialsReady", "False SecretNotFound", "there is no Secret"),
            told("mailbox/keyless", "CredentialsReady", "False SecretKeyNotFound", "has no key password"),
            told(
                "mailbox/binary",
                "CredentialsReady",
                "False SecretInvalid",
                "the key password of the Secret",
            ),
            told(
                "mailbox/empty",
                "CredentialsReady",
                "False SecretInvalid",
                "the key password of the Secret",
            ),
            told("mailbox/hash", "CredentialsReady", "False NoCredentials", "malformed argon2 hash"),
            told("mailbox/hash", "CredentialsReady", "False NoCredentials", "`openssl passwd -6`"),
            told("mailbox/written", "CredentialsReady", "False NoCredentials", "malformed argon2 hash"),
            told("mailbox/written", "CredentialsReady", "False NoCredentials", "`openssl passwd -6`"),
            told("mailbox/foreign", "CredentialsReady", "False SecretNotOurs", "was not made by Mailwright"),
            told("mailserver/mail", "CertificateReady", "False CertificateInvalid", "give a PEM certificate"),
        ],
    );
    // A certificate that is asked for no more: the server's own, as in the beginning.
    mail.apply(&server(&json!({})));
    are_told(&mail, &mail.namespace, &[told("mailserver/mail", "CertificateReady", "True SelfSigned", "")]);
    // A password that is in force does not go with a Secret that is spoilt.
    mail.apply(&secret("password", &json!({"password": "//79/A=="})));
    let spoilt =
        told("mailbox/witness", "CredentialsReady", "False SecretInvalid", "the password stays as it is");
    are_told(&mail, &mail.namespace, &[spoilt]);
    mail.witness("with a Secret that is spoilt");
}

#[test]
fn another_namespaces_domain_and_a_port_that_is_taken_are_told() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mail = Mail::new(plane, "owner");
    let other = mail.kubectl.namespace("thief");
    let _operator = operator(&mail, &[&mail.namespace, &other]);
    mail.declare();
    mail.ready("mailbox/witness");
    let elsewhere = |kind: &str, name: &str, spec: Value| {
        let manifest = object(kind, name, spec).to_string();
        mail.kubectl.apply_with(&manifest, &["--namespace", &other]).ok();
    };
    let of_mail =
        |name: &str| json!({"serverRef": {"name": "mail", "namespace": mail.namespace}, "domain": name});
    elsewhere("MailDomain", "stolen", of_mail("stolen.test"));
    elsewhere("Mailbox", "witness", json!({"address": "witness@example.test"}));
    elsewhere("Mailbox", "mallory", json!({"address": "mallory@example.test"}));
    let listens = TcpListener::bind((mail.pod.address(), 2400)).unwrap();
    let lmtp = json!({"listeners": {"lmtp": {"enabled": true, "port": 2400}}});
    mail.apply(&server(&lmtp));
    are_told(
        &mail,
        &other,
        &[
            told("maildomain/stolen", "Ready", "False DomainNotAllowed", "allowedDomains"),
            told("mailbox/mallory", "Ready", "False AddressNotAllowed", "allowedMailboxes"),
            told("mailbox/witness", "Ready", "False AddressNotAllowed", "allowedMailboxes"),
        ],
    );
    are_told(
        &mail,
        &mail.namespace,
        &[told("mailserver/mail", "ListenersReady", "False ListenFailed", "2400")],
    );
    mail.witness("with a port that is taken");
    drop(listens);

    // Allowed now, and still not theirs.
    mail.apply(&server(&json!({"allowedDomains": {"from": "All"}})));
    elsewhere("MailDomain", "example", of_mail("example.test"));
    are_told(
        &mail,
        &other,
        &[told("maildomain/example", "Ready", "False DuplicateAddress", "remove one of the two")],
    );
    mail.ready("maildomain/example");
    mail.ready("mailserver/mail");
    mail.witness("with a second claim to the domain");
}

#[test]
fn a_class_an_image_and_a_node_that_are_not_there_are_told() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mail = Mail::new(plane, "pods");
    let _operator = operator(&mail, &[&mail.namespace]);
    mail.declare();
    mail.ready("mailbox/witness");
    let another = |name: &str, more: Value| {
        let mut spec = server(&more)["spec"].take();
        spec["hostname"] = json!(format!("{name}.example.test"));
        mail.apply(&object("MailServer", name, spec));
    };
    another("classless", json!({"database": {"sqlite": {"storage": {"storageClassName": "nowhere"}}}}));
    another("nodeless", json!({"template": {"nodeSelector": {"disk": "golden"}}}));
    another("imageless", json!({"template": {"image": "registry.example.test/none:1"}}));
    let path = format!("/api/v1/namespaces/{}/pods/imageless-0", mail.namespace);
    let api = plane.api();
    wait_for("its pod", PATIENCE, || api.get(&path).unwrap());
    let target = json!({"apiVersion": "v1", "kind": "Node", "name": "loopback"});
    let binding =
        json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "imageless-0"}, "target": target});
    api.create(&format!("{path}/binding"), &binding).unwrap();
    let waits = |reason: &str, message: &str| {
        let waiting = json!({"reason": reason, "message": message});
        let container = json!({
            "name": "mailwright", "image": "registry.example.test/none:1", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"waiting": waiting},
        });
        // The scheduler may have said at the same moment that it finds no node.
        let scheduled = json!([{"type": "PodScheduled", "status": "True"}]);
        let status = json!({"status": {"phase": "Pending", "conditions": scheduled, "containerStatuses": [container]}});
        api.patch(&format!("{path}/status"), &status).unwrap();
    };
    waits("ErrImagePull", "failed to resolve reference: registry.example.test/none:1: not found");
    are_told(
        &mail,
        &mail.namespace,
        &[
            told(
                "mailserver/classless",
                "WorkloadsAvailable",
                "False VolumeNotBound",
                "StorageClass nowhere must exist",
            ),
            told("mailserver/nodeless", "WorkloadsAvailable", "False PodUnschedulable", "nodeSelector"),
            told(
                "mailserver/imageless",
                "WorkloadsAvailable",
                "False ImagePullFailed",
                "name another in spec.template.image",
            ),
            told("mailserver/classless", "Ready", "False VolumeNotBound", "StorageClass nowhere must exist"),
        ],
    );
    // The kubelet changes its words at every attempt; the status does not change with them.
    let version =
        || mail.kubectl.get(&mail.namespace, "mailserver/imageless")["metadata"]["resourceVersion"].clone();
    let before = version();
    waits(
        "ImagePullBackOff",
        "Back-off pulling image: ErrImagePull: registry.example.test/none:1: not found",
    );
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(version(), before);
    // The image is mended, and nobody needs to take the broken pod away: the kubelet, which is not here, ends what is told to.
    another("imageless", json!({"template": {"image": "registry.example.test/some:1"}}));
    let replaced = |pod: &Value| !pod["metadata"]["deletionTimestamp"].is_null();
    let broken = mail.kubectl.wait_until(&mail.namespace, "pod/imageless-0", PATIENCE, replaced);
    api.delete(&path, &json!({"gracePeriodSeconds": 0})).unwrap();
    let mended = wait_for("a pod with the other image", PATIENCE, || {
        api.get(&path).unwrap().filter(|pod| pod["metadata"]["uid"] != broken["metadata"]["uid"])
    });
    assert_eq!(mended["spec"]["containers"][0]["image"], "registry.example.test/some:1");
    mail.kubectl.wait_until(&mail.namespace, "mailserver/imageless", PATIENCE, |server| {
        !["ImagePullFailed", ""]
            .contains(&condition(server, "WorkloadsAvailable")["reason"].as_str().unwrap_or_default())
    });
    mail.ready("mailserver/mail");
    mail.witness("with three servers that cannot start");
}

/// The volume of the mail server, 32 MiB and no more.
struct Volume(PathBuf);

impl Volume {
    /// Made before the StatefulSet, which takes the claim that is there.
    fn new(mail: &Mail) -> Option<Volume> {
        mail.apply(&json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-mail-0"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
        }));
        let what = "persistentvolumeclaim/data-mail-0";
        mail.kubectl.wait_until(&mail.namespace, what, PATIENCE, |claim| claim["status"]["phase"] == "Bound");
        let place = mail.data();
        let mount = run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"]).arg(&place));
        if mount.code != Some(0) {
            skip("no tmpfs can be mounted here (root may)");
            return None;
        }
        mail.plane.guard().at_end(&format!("umount -l '{}'\n", place.display()));
        Some(Volume(place))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    fn fill(&self) {
        let fill = format!("dd if=/dev/zero of={} bs=4096 2>/dev/null; true", self.ballast().display());
        run(Command::new("sh").args(["-c", &fill])).ok();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let place: &Path = &self.0;
        run(Command::new("umount").arg("-l").arg(place));
    }
}

#[test]
fn a_full_volume_is_told_and_mail_is_read_on() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mail = Mail::new(plane, "full");
    let Some(volume) = Volume::new(&mail) else { return };
    let _operator = operator(&mail, &[&mail.namespace]);
    mail.declare();
    mail.ready("mailbox/witness");
    mail.witness("before");
    volume.fill();
    mail.apply(&mailbox("late"));
    are_told(
        &mail,
        &mail.namespace,
        &[
            told("mailserver/mail", "DatabaseReady", "False StorageFull", "free"),
            told("mailbox/late", "Ready", "False PendingApply", "free"),
        ],
    );
    assert_eq!(mail.logs_in("witness"), Some(true));
    let refused = wire::Wire::connect_to(mail.pod.address(), 2525).and_then(|mut smtp| {
        smtp.reply()?;
        smtp.smtp("EHLO client.example.org")?;
        wire::send(&mut smtp, "carol@example.org", &["witness@example.test"], "Subject: full\r\n\r\nhello")
    });
    assert!(refused.as_ref().is_ok_and(|reply| reply.starts_with("452 4.3.1")), "{refused:?}");
    let witness = mail.kubectl.get(&mail.namespace, "mailbox/witness");
    assert_eq!(condition(&witness, "Ready")["status"], "True", "who is served stays Ready");

    std::fs::remove_file(volume.ballast()).unwrap();
    mail.ready("mailbox/late");
    mail.ready("mailserver/mail");
    mail.witness("after it was emptied");
    assert_eq!(mail.logs_in("late"), Some(true));
}
