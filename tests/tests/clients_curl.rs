//! curl against every listener: smtp, imap with STARTTLS, imaps, http.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Output, Server, need, run};
use std::process::Command;

fn curl(server: &Server, url: &str, options: &[&str]) -> Output {
    let certificate = server.certificate();
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--ssl-reqd", "--cacert"])
        .arg(certificate)
        .args(options)
        .arg(url);
    run(&mut command)
}

const LOGIN: [&str; 2] = ["--user", "alice@example.test:mailwright"];

#[test]
fn curl_sends_reads_searches_and_appends() {
    if !need(&["curl"]) {
        return;
    }
    let server = Server::quickstart();
    let (smtp, imap, imaps) = (server.ports.smtp, server.ports.imap, server.ports.imaps);
    let letter = server.scratch().join("letter.eml");
    let text = "From: carol@example.org\r\nTo: alice@example.test\r\nSubject: by curl\r\n\r\nHello.\r\n";
    std::fs::write(&letter, text).unwrap();
    let letter = letter.display().to_string();

    let envelope =
        ["--mail-from", "carol@example.org", "--mail-rcpt", "alice@example.test", "--upload-file", &letter];
    curl(&server, &format!("smtp://localhost:{smtp}/client.example.org"), &envelope).ok();

    for url in [format!("imaps://localhost:{imaps}"), format!("imap://localhost:{imap}")] {
        let read = curl(&server, &format!("{url}/INBOX;UID=1"), &LOGIN).ok();
        assert!(read.stdout.ends_with(text), "{}", read.stdout);
        let listed = curl(&server, &format!("{url}/"), &LOGIN).ok();
        assert!(listed.stdout.contains("\\Sent"), "{}", listed.stdout);
    }
    let url = format!("imaps://localhost:{imaps}");
    let search = ["--user", LOGIN[1], "--request", "SEARCH SUBJECT curl"];
    curl(&server, &format!("{url}/INBOX"), &search).ok().says("* SEARCH 1");
    curl(&server, &format!("{url}/Drafts"), &["--user", LOGIN[1], "--upload-file", &letter]).ok();
    let draft = curl(&server, &format!("{url}/Drafts;UID=1"), &LOGIN).ok();
    assert_eq!(draft.stdout, text);
    let wrong = ["--user", "alice@example.test:wrong"];
    let denied = curl(&server, &format!("{url}/INBOX;UID=1"), &wrong);
    assert_eq!(denied.code, Some(67), "curl's code for a refused login; {}", denied.all());
}

#[test]
fn curl_finds_the_probes_and_the_metrics() {
    if !need(&["curl"]) {
        return;
    }
    let server = Server::quickstart();
    let get = |path: &str| {
        let url = format!("http://127.0.0.1:{}{path}", server.ports.http);
        run(Command::new("curl").args(["--silent", "--show-error", "--fail", &url]))
    };
    get("/livez").ok();
    get("/readyz").ok();
    get("/metrics").ok().says("mailwright_");
    assert_eq!(get("/nothing-here").code, Some(22), "an unknown path is 404");
}
