//! Debian's Postfix and smtp-sink as the next hop, Postfix with SASL and TLS as the smarthost.

mod instance;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use self::instance::{Postfix, sh};
use super::programs::{Program, free_port, listening, need};
use super::{Behaviour, Bench, Peer, Security};
use crate::config::{Certificate, Credentials, Relay, RelayTls, Secret};

/// Whom it lets in, what it shows and that it keeps what it took on hold.
const SMARTHOST: &str = "
myhostname = smarthost.example.net
smtpd_tls_cert_file = DIR/cert.pem
smtpd_tls_key_file = DIR/key.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = example.net
cyrus_sasl_config_path = DIR/sasl
smtpd_client_restrictions = check_client_access static:HOLD
smtpd_relay_restrictions = RELAY
smtputf8_enable = no
";

/// A Postfix that takes mail of those who log in; `relay` is its smtpd_relay_restrictions, `certificate` what it shows.
fn smarthost(relay: &str, mechanisms: &str, certificate: &Certificate) -> Postfix {
    Postfix::start(&SMARTHOST.replace("RELAY", relay), |directory| {
        std::fs::write(directory.join("cert.pem"), &certificate.chain_pem).unwrap();
        std::fs::write(directory.join("key.pem"), &certificate.key_pem).unwrap();
        let sasl = directory.join("sasl");
        std::fs::create_dir(&sasl).unwrap();
        let sasl = sasl.display();
        let settings = format!(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {sasl}/db\nmech_list: {mechanisms}\n"
        );
        std::fs::write(directory.join("sasl/smtpd.conf"), settings).unwrap();
        sh(&format!("printf right | saslpasswd2 -p -c -f {sasl}/db -u example.net relay"));
        sh(&format!("chmod 755 {sasl} && chown -R postfix {sasl} && chmod 644 {sasl}/db"));
    })
}

/// Messages that it took.
fn held(postfix: &Postfix) -> usize {
    count(&postfix.directory.path().join("spool/hold"))
}

/// Files below a directory; the hold queue is hashed over directories.
fn count(directory: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let below = |path: &Path| if path.is_dir() { count(path) } else { 1 };
    entries.map(|entry| below(&entry.unwrap().path())).sum()
}

/// A bench whose smarthost is this port, with or without a login, trusting the peer's certificate.
async fn towards(port: u16, trusted: &Peer, tls: RelayTls, password: Option<&str>) -> Bench {
    let security = match tls {
        RelayTls::StartTls => Security::StartTls,
        _ => Security::Opportunistic,
    };
    Bench::at(("127.0.0.1", port), trusted.roots(), security, Default::default(), |config| {
        let credentials = password.map(|password| Credentials {
            username: "relay@example.net".into(),
            password: Secret::new(password),
        });
        config.relay = Some(Relay { host: "127.0.0.1".into(), port, tls, credentials });
    })
    .await
}

#[tokio::test]
async fn postfix_takes_mail_from_those_who_log_in() {
    if !need(&["postfix", "saslpasswd2"]) {
        return;
    }
    for mechanisms in ["SCRAM-SHA-256", "PLAIN", "LOGIN"] {
        logged_in(mechanisms).await;
    }
}

async fn logged_in(mechanisms: &str) {
    // Only its certificate is used.
    let trusted = Peer::start(Behaviour::default()).await;
    let relay = "permit_sasl_authenticated, reject";
    let postfix = smarthost(relay, mechanisms, trusted.certificate());
    for (tls, password, taken) in [
        (RelayTls::StartTls, Some("right"), true),
        (RelayTls::Opportunistic, Some("right"), true),
        (RelayTls::StartTls, Some("wrong"), false),
    ] {
        let before = held(&postfix);
        let bench = towards(postfix.port, &trusted, tls, password).await;
        for number in 0..10 {
            bench.queue(&format!("q{number}"), &["bob@example.net", "carol@example.net"]).await;
        }
        bench.pass().await;
        let rows = bench.rows().await;
        assert_eq!(
            held(&postfix) - before,
            if taken { 10 } else { 0 },
            "{mechanisms} {rows:?}\n{}",
            postfix.log()
        );
        assert_eq!(rows.len(), if taken { 0 } else { 20 }, "{rows:?}");
        assert_eq!(bench.runner.warnings().len(), usize::from(!taken));
        assert!(bench.inbox().await.is_empty(), "nothing bounces for a password");
    }
}

#[tokio::test]
async fn postfix_that_refuses_to_relay_bounces_in_its_own_words() {
    if !need(&["postfix", "saslpasswd2"]) {
        return;
    }
    let trusted = Peer::start(Behaviour::default()).await;
    let postfix = smarthost("reject_unauth_destination", "PLAIN", trusted.certificate());
    let bench = towards(postfix.port, &trusted, RelayTls::Opportunistic, None).await;
    bench.queue("q1", &["bob@example.net"]).await;
    bench.pass().await;
    let inbox = bench.inbox().await;
    assert!(inbox.len() == 1 && inbox[0].contains("Relay access denied"), "{inbox:?}\n{}", postfix.log());
    assert!(postfix.log().contains("Anonymous TLS") || postfix.log().contains("from"), "{}", postfix.log());
}

#[tokio::test]
async fn a_sink_gets_every_message_once() {
    if !need(&["smtp-sink"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new("/usr/sbin/smtp-sink");
    command.args(["-u", "root", "-d"]).arg(directory.path().join("m."));
    command.arg(format!("127.0.0.1:{port}")).arg("100");
    let _sink = Program::start(&mut command);
    listening(&format!("127.0.0.1:{port}")).await;
    let trusted = Peer::start(Behaviour::default()).await;
    let bench = towards(port, &trusted, RelayTls::Opportunistic, None).await;
    for number in 0..300 {
        bench.queue(&format!("q{number}"), &["bob@example.net"]).await;
    }
    bench.pass().await;
    assert!(bench.entries().await.is_empty());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut ids: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .filter_map(|entry| {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            text.lines().find_map(|line| line.strip_prefix("Message-ID: ").map(str::to_owned))
        })
        .collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!((all, ids.len()), (300, 300));
}
