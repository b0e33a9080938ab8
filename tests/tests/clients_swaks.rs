//! swaks against the SMTP listener: STARTTLS, pipelining, refusals.

use mailwright_tests::harness::{Output, Server, need, run};
use std::process::Command;

/// swaks ends with this when the server refuses RCPT.
const RCPT_REFUSED: i32 = 24;

fn swaks(server: &Server, to: &str, options: &[&str]) -> Output {
    let address = format!("127.0.0.1:{}", server.ports.smtp);
    let mut command = Command::new("swaks");
    command.args([
        "--server",
        &address,
        "--from",
        "carol@example.org",
        "--to",
        to,
        "--helo",
        "client.example.org",
    ]);
    run(command.args(options))
}

#[test]
fn swaks_hands_in_mail_in_the_clear_and_encrypted() {
    if !need(&["swaks"]) {
        return;
    }
    let server = Server::quickstart();
    swaks(&server, "alice@example.test", &["--header", "Subject: plain"]).ok().says("<-  250 2.");
    swaks(&server, "alice@example.test", &["--tls", "--pipeline"])
        .ok()
        .says("=== TLS started")
        .says(" ~> RCPT TO");
    swaks(&server, "alice@example.test,bob@example.test", &["--tls", "--pipeline"]).ok();
}

#[test]
fn swaks_is_refused_where_it_should_be() {
    if !need(&["swaks"]) {
        return;
    }
    let server = Server::quickstart();
    swaks(&server, "nobody@example.test", &[]).exits(RCPT_REFUSED).says("<** 550 5.1.1");
    swaks(&server, "somebody@example.com", &["--tls"]).exits(RCPT_REFUSED).says("<~* 550 5.7.1");
    swaks(
        &server,
        "alice@example.test",
        &["--auth", "PLAIN", "-au", "alice@example.test", "-ap", "mailwright"],
    )
    .exits(28)
    .says("Host did not advertise authentication");
}
