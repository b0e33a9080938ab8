//! A MailServer changes while it runs: certificate, ports, limits; sessions that are open stay open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Ports, Server, need, run, wait_for, wire};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A Secret with a fresh certificate for `localhost`, as a manifest; and the certificate's text.
fn certificate(server: &Server, name: &str) -> (String, String) {
    let (key, pem) = (server.scratch().join("made.key"), server.scratch().join("made.crt"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "30",
    ]);
    openssl.args([
        "-subj",
        &format!("/CN={name}"),
        "-addext",
        "subjectAltName=DNS:localhost,DNS:mail.example.test",
    ]);
    run(openssl.arg("-keyout").arg(&key).arg("-out").arg(&pem)).ok();
    let indented =
        |path| std::fs::read_to_string(path).unwrap().replace('\n', "\n    ").trim_end().to_owned();
    let manifest = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: mail-tls\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n    \
         {}\n  tls.key: |\n    {}\n",
        indented(&pem),
        indented(&key)
    );
    (manifest, std::fs::read_to_string(&pem).unwrap())
}

/// The certificate that is shown on the IMAPS port.
fn shown(server: &Server) -> String {
    let fetch =
        format!("import ssl; print(ssl.get_server_certificate(('127.0.0.1', {})))", server.ports.imaps);
    run(Command::new("python3").args(["-c", &fetch])).ok().stdout.trim().to_owned()
}

fn until_shown(server: &Server, pem: &str) {
    wait_for("the new certificate", PATIENCE, || (shown(server) == pem.trim()).then_some(()));
}

#[test]
fn a_certificate_of_a_secret_is_taken_into_use_and_renewed_without_a_restart() {
    if !need(&["openssl", "python3"]) {
        return;
    }
    let server = Server::quickstart();
    let mut session = wire::smtp(server.ports.smtp).unwrap();
    let (manifest, pem) = certificate(&server, "first");
    server.manifests.write("tls.yaml", &manifest);
    server.manifests.edit("server.yaml", "selfSigned: {}", "secretName: mail-tls");
    until_shown(&server, &pem);
    let (manifest, renewed) = certificate(&server, "renewed");
    server.manifests.write("tls.yaml", &manifest);
    until_shown(&server, &renewed);

    // A Secret that vanishes, or is no certificate, leaves the last one in force.
    server.manifests.write("tls.yaml", &manifest.replace("BEGIN CERTIFICATE", "BEGIN NOTHING"));
    server.manifests.mailbox("dave@example.test", "");
    let accepted = || {
        let mut wire = wire::smtp(server.ports.smtp).unwrap();
        wire.smtp("MAIL FROM:<carol@example.org>").unwrap();
        wire.smtp("RCPT TO:<dave@example.test>").unwrap().starts_with("250")
    };
    wait_for("the edit after it", PATIENCE, || accepted().then_some(()));
    assert_eq!(shown(&server), renewed.trim());
    server.cli(&["describe", "msrv", "quickstart"]).ok().says("CertificateReady").says("False");
    assert!(session.smtp("NOOP").unwrap().starts_with("250"), "a session from before it all goes on");
}

#[test]
fn ports_and_limits_change_without_a_restart() {
    let server = Server::quickstart();
    let mut session = wire::smtp(server.ports.smtp).unwrap();
    let moved = Ports::free().smtp;
    server.manifests.edit(
        "server.yaml",
        &format!("smtp: {{port: {}}}", server.ports.smtp),
        &format!("smtp: {{port: {moved}}}"),
    );
    wait_for("the new port", PATIENCE, || wire::smtp(moved).ok().map(drop));
    wait_for("the old port to close", PATIENCE, || wire::Wire::connect(server.ports.smtp).err().map(drop));
    assert!(session.smtp("NOOP").unwrap().starts_with("250"), "a session on the old port goes on");

    server.manifests.edit("server.yaml", "  tls:\n", "  limits:\n    messageSize: 1Mi\n  tls:\n");
    wait_for("the new limit", PATIENCE, || {
        let mut wire = wire::smtp(moved).unwrap();
        wire.smtp("EHLO client.example.org").unwrap().contains("SIZE 1048576").then_some(())
    });
}
