//! What the README promises on a real node: two charts, the examples, and within a minute mail goes in by SMTP and comes out by
//! IMAP through the Service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{Cluster, install};
use mailwright_tests::harness::{PATIENCE, mailwright, need, root, run, wait_for, wire};
use std::process::Command;
use std::time::Instant;

const NODE_PORT_SMTP: u16 = 30025;
const NODE_PORT_IMAPS: u16 = 30993;

#[test]
fn helm_install_and_kubectl_apply_serve_mail() {
    if !need(&["curl"]) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let Some(cluster) = Cluster::start(&[install::image(place.path())]) else { return };
    let kubectl = cluster.plane.kubectl();
    let start = Instant::now();
    cluster.install_charts(&[]);
    println!("the operator runs after {:?}", start.elapsed());
    cluster.apply_examples("default");
    println!("alice is Ready after {:?}", start.elapsed());

    let smtp = cluster.forward(&cluster.address(), NODE_PORT_SMTP);
    let text = "From: carol@example.org\r\nSubject: through the Service\r\n\r\nHello.\r\n";
    let reply = wait_for("mail to be taken", PATIENCE, || {
        wire::deliver(smtp, "carol@example.org", &["alice@example.test"], text).ok()
    });
    assert!(reply.starts_with("250"), "{reply}\n{}", cluster.explain());
    println!("mail was taken after {:?}", start.elapsed());

    // Inside of the node's network, by a program that is not ours.
    let url = format!("imaps://{}:{NODE_PORT_IMAPS}/INBOX;MAILINDEX=1", cluster.address());
    let fetch = ["--silent", "--show-error", "--insecure", "--user", "alice@example.test:mailwright", &url];
    let fetched = run(&mut cluster.nodes()[0].command("curl", &fetch)).ok().stdout;
    assert!(fetched.contains("Subject: through the Service"), "{fetched}");
    println!("and read after {:?}", start.elapsed());
    kubectl
        .run(&["wait", "mailserver/mail", "--for=condition=Ready", "--timeout=60s", "--namespace=default"])
        .ok();
    println!("the server is Ready after {:?}", start.elapsed());

    let domain = kubectl.run(&["get", "maildomain", "example", "--output=yaml"]).ok().stdout;
    assert!(domain.contains("mail.example.test"), "{domain}");
    for pod in kubectl.list("mailwright", "pods").iter().chain(&kubectl.list("default", "pods")) {
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        assert_eq!((&pod["status"]["phase"], restarts.as_u64()), (&"Running".into(), Some(0)), "{pod:#}");
    }

    let tested = kubectl.helm(&["test", "mailwright", "--namespace=mailwright", "--timeout=90s"]).ok();
    assert!(tested.stdout.contains("Succeeded"), "{}", tested.all());

    // Leaving: the charts go, the definitions and the mail stay.
    kubectl.helm(&["uninstall", "mailwright", "--namespace=mailwright", "--wait"]).ok();
    kubectl.helm(&["uninstall", "mailwright-crds", "--wait"]).ok();
    let boxes = kubectl.list("default", "mailboxes");
    assert_eq!(boxes.len(), 2);
    let fetched = run(&mut cluster.nodes()[0].command("curl", &fetch)).ok().stdout;
    assert!(fetched.contains("Subject: through the Service"), "{fetched}");
}

#[test]
fn the_executable_and_the_charts_are_of_one_version() {
    let version = run(Command::new(mailwright()).arg("--version")).ok().stdout;
    let version = version.split_whitespace().last().unwrap().to_owned();
    for chart in ["mailwright", "mailwright-crds"] {
        let text = std::fs::read_to_string(root().join("charts").join(chart).join("Chart.yaml")).unwrap();
        assert!(
            text.contains(&format!("appVersion: \"{version}\""))
                || text.contains(&format!("appVersion: {version}")),
            "{text}"
        );
    }
}
