//! What is declared and what is there, while both are not the same: a pod that has not loaded its changed settings yet, and
//! objects of the operator that somebody else changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use mailwright_tests::cluster::mail::{condition, is_ready, object, server_spec};
use mailwright_tests::cluster::{ControlPlane, Mail, Mark, Operator};
use mailwright_tests::harness::{PATIENCE, root, wait_for, wire};
use serde_json::{Value, json};

/// Longer than an installation goes without a look.
const LOOKS: Duration = Duration::from_secs(7);

/// The operator of a mail server, with objects of its own in another namespace.
fn operator(mail: &Mail<'_>) -> Operator {
    let own = mail.kubectl.namespace("operator");
    let arguments = ["--watch-namespace", &mail.namespace, &mail.pod.management_endpoint()];
    mail.plane.operator(mail.plane.admin(), &own, &arguments)
}

/// What the operator wrote in the namespace since: people are done, and Kubernetes has business of its own.
fn writes(mail: &Mail<'_>, mark: Mark) -> Vec<String> {
    let writes = mail.plane.audit().writes_since(mark);
    let here = writes.iter().filter(|write| write.namespace == mail.namespace && !write.is_of_kubernetes());
    here.map(ToString::to_string).collect()
}

fn server(size: &str) -> Value {
    let mut spec = server_spec();
    spec["limits"] = json!({"messageSize": size});
    object("MailServer", "mail", spec)
}

/// The largest message that the pod says it takes (RFC 1870 §3).
fn size(mail: &Mail<'_>) -> String {
    let mut smtp = wire::Wire::connect_to(mail.pod.address(), 2525).unwrap();
    smtp.reply().unwrap();
    let answer = smtp.smtp("EHLO client.example.org").unwrap();
    let line = answer.lines().find(|line| line[4..].starts_with("SIZE")).unwrap_or_default();
    line[4..].trim().to_owned()
}

#[test]
fn a_server_is_ready_once_its_pod_has_loaded_what_is_declared() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mail = Mail::new(plane, "settings");
    mail.declare();
    mail.apply(&server("1Mi"));
    let _operator = operator(&mail);
    mail.ready("mailserver/mail");
    assert_eq!(size(&mail), "SIZE 1048576");

    // The kubelet takes its time.
    mail.pod.cut_off(true);
    mail.apply(&server("2Mi"));
    let step = "the kubelet brings it within a minute and a half";
    mail.says("mailserver/mail", "Ready", "False ConfigurationPending", step);
    let waiting = mail.kubectl.get(&mail.namespace, "mailserver/mail");
    let said = |type_: &str| {
        let found = condition(&waiting, type_);
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("status"), text("reason"), found["observedGeneration"])
    };
    let generation = &waiting["metadata"]["generation"];
    assert_eq!(said("ListenersReady"), format!("False ConfigurationPending {generation}"));
    assert_eq!(said("Reconciling"), format!("True ConfigurationPending {generation}"));
    assert_eq!(said("WorkloadsAvailable"), format!("True PodReady {generation}"));
    assert!(condition(&waiting, "Stalled").is_null(), "nobody has to do anything");
    let map = mail.kubectl.get(&mail.namespace, "configmap/mail-config");
    assert!(map["data"]["server.json"].as_str().unwrap().contains("2097152"), "{map}");
    let events = mail.kubectl.list(&mail.namespace, "events.events.k8s.io");
    let told = events.iter().find(|event| event["reason"] == "ConfigurationPending");
    assert!(told.is_none_or(|event| event["type"] == "Normal"), "nobody has to look: {told:?}");

    // It is looked at again and nothing is written, because nothing has changed.
    std::thread::sleep(Duration::from_secs(1));
    let mark = plane.audit().mark();
    std::thread::sleep(LOOKS);
    assert_eq!(writes(&mail, mark), Vec::<String>::new());
    assert!(!is_ready(&mail.kubectl.get(&mail.namespace, "mailserver/mail")));
    assert_eq!(size(&mail), "SIZE 1048576");

    mail.pod.cut_off(false);
    let ready = mail.ready("mailserver/mail");
    assert_eq!(size(&mail), "SIZE 2097152", "whoever waited for Ready gets what is declared");
    assert_eq!(condition(&ready, "ListenersReady")["reason"], "Listening");
    assert_eq!(&ready["status"]["observedGeneration"], generation);
}

/// What somebody else did to an object, and what of it must come back.
struct Edit {
    object: &'static str,
    words: &'static [&'static str],
    says: &'static str,
}

const EDITS: [Edit; 7] = [
    Edit {
        object: "configmap/example-dns",
        words: &["patch", "--type=merge", r#"--patch={"data":{"example.test.zone":"mine"}}"#],
        says: "/data",
    },
    Edit { object: "configmap/example-dns", words: &["delete"], says: "/data" },
    Edit {
        object: "configmap/mail-config",
        words: &["patch", "--type=merge", r#"--patch={"data":{"server.json":"{}"}}"#],
        says: "/data",
    },
    Edit {
        object: "dnsendpoint/example",
        words: &["patch", "--type=merge", r#"--patch={"spec":{"endpoints":[]}}"#],
        says: "/spec",
    },
    Edit { object: "dnsendpoint/example", words: &["delete"], says: "/spec" },
    Edit {
        object: "certificate/mail",
        words: &["patch", "--type=merge", r#"--patch={"spec":{"dnsNames":["other.test"]}}"#],
        says: "/spec",
    },
    Edit { object: "certificate/mail", words: &["delete"], says: "/spec" },
];

#[test]
fn what_somebody_changes_is_put_back_within_seconds() {
    let Some(plane) = ControlPlane::shared() else { return };
    for file in ["cert-manager-certificates.yaml", "external-dns-dnsendpoints.yaml"] {
        let path = root().join("tests/kubernetes/foreign").join(file);
        plane.kubectl().apply_with(&std::fs::read_to_string(path).unwrap(), &["--server-side"]).ok();
    }
    let mail = Mail::new(plane, "drift");
    mail.declare();
    let mut spec = server_spec();
    spec["tls"] = json!({"certManager": {"issuerRef": {"name": "letters"}}});
    mail.apply(&object("MailServer", "mail", spec));
    let _operator = operator(&mail);
    mail.ready("maildomain/example");
    for Edit { object, words, says } in EDITS {
        let what = format!("{object} after {}", words[0]);
        let before = mail.kubectl.wait_until(&mail.namespace, object, PATIENCE, |it| !it.is_null());
        let (verb, rest) = words.split_first().unwrap();
        let words = [&[*verb, object, "--namespace", &mail.namespace], rest].concat();
        mail.kubectl.run(&words).ok();
        let start = Instant::now();
        wait_for(&format!("{what} to be put back"), PATIENCE, || {
            let now = mail.kubectl.get(&mail.namespace, object);
            (now.pointer(says).is_some() && now.pointer(says) == before.pointer(says)).then_some(())
        });
        println!("{what} was put back after {:?}", start.elapsed());
    }
    // What is somebody else's stays so, and nobody writes against anybody.
    mail.kubectl
        .run(&["annotate", "configmap/example-dns", "team=mine", "--namespace", &mail.namespace])
        .ok();
    std::thread::sleep(Duration::from_secs(2));
    let mark = plane.audit().mark();
    std::thread::sleep(LOOKS);
    assert_eq!(writes(&mail, mark), Vec::<String>::new());
    let map = mail.kubectl.get(&mail.namespace, "configmap/example-dns");
    assert_eq!(map["metadata"]["annotations"]["team"], "mine");
}
