//! Logins without TLS: refused, except on loopback where the MailServer allows them (`auth.plaintextOnLoopback`).

use mailwright_tests::harness::{Server, need};

fn check(allowed: bool, expected: &str) {
    if !need(&["python3"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    if allowed {
        server.manifests.edit("server.yaml", "  tls:\n", "  auth: {plaintextOnLoopback: true}\n  tls:\n");
    }
    server.start();
    let port = server.ports.submission.to_string();
    server.script("in_clear.py", &[&port, expected]).ok().says("ok: AUTH");
}

#[test]
fn logins_in_clear_are_refused() {
    check(false, "refused");
}

#[test]
fn logins_in_clear_are_allowed_on_loopback_where_the_manifest_says_so() {
    check(true, "allowed");
}
