//! Debian's Postfix and smtp-sink as the next hop, Postfix with SASL and TLS as the smarthost.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::programs::{Program, free_port, listening, need};
use super::{Behaviour, Bench, Peer, Security};
use crate::config::{Certificate, Credentials, Relay, RelayTls, Secret};

/// A Postfix that takes mail of those who log in and puts it on hold, in a directory of its own.
struct Postfix {
    directory: TempDir,
    port: u16,
}

const MAIN: &str = "
queue_directory = DIR/spool
data_directory = DIR/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
compatibility_level = 3.6
myhostname = smarthost.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
maillog_file = DIR/log
maillog_file_prefixes = DIR
alias_maps =
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

const MASTER: &str = "
127.0.0.1:PORT inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
";

impl Postfix {
    /// `relay` is its smtpd_relay_restrictions, `certificate` what it shows.
    async fn start(relay: &str, mechanisms: &str, certificate: &Certificate) -> Postfix {
        let directory = tempfile::Builder::new().prefix("pf").tempdir().unwrap();
        let port = free_port();
        let path = directory.path();
        let fill = |text: &str| {
            text.replace("DIR", &path.display().to_string())
                .replace("PORT", &port.to_string())
                .replace("RELAY", relay)
                .replace("MECHANISMS", mechanisms)
        };
        for sub in ["spool", "data", "sasl"] {
            std::fs::create_dir(path.join(sub)).unwrap();
        }
        std::fs::write(path.join("main.cf"), fill(MAIN)).unwrap();
        std::fs::write(path.join("master.cf"), fill(MASTER)).unwrap();
        std::fs::write(path.join("cert.pem"), &certificate.chain_pem).unwrap();
        std::fs::write(path.join("key.pem"), &certificate.key_pem).unwrap();
        let sasl = fill(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: DIR/sasl/db\nmech_list: MECHANISMS\n",
        );
        std::fs::write(path.join("sasl/smtpd.conf"), sasl).unwrap();
        sh(&fill("printf right | saslpasswd2 -p -c -f DIR/sasl/db -u example.net relay"));
        sh(&fill("chmod 755 DIR DIR/sasl && chown -R postfix DIR/data DIR/sasl && chmod 644 DIR/sasl/db"));
        sh(&fill("/usr/sbin/postfix -c DIR start"));
        listening(&format!("127.0.0.1:{port}")).await;
        Postfix { directory, port }
    }

    /// Messages that it took.
    fn held(&self) -> usize {
        count(&self.directory.path().join("spool/hold"))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        sh(&format!("/usr/sbin/postfix -c {} stop", self.directory.path().display()));
    }
}

fn sh(line: &str) {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Files below a directory.
fn count(directory: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { count(&path) } else { 1 }
        })
        .sum()
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
    let postfix = Postfix::start(relay, mechanisms, trusted.certificate()).await;
    for (tls, password, taken) in [
        (RelayTls::StartTls, Some("right"), true),
        (RelayTls::Opportunistic, Some("right"), true),
        (RelayTls::StartTls, Some("wrong"), false),
    ] {
        let before = postfix.held();
        let bench = towards(postfix.port, &trusted, tls, password).await;
        for number in 0..10 {
            bench.queue(&format!("q{number}"), &["bob@example.net", "carol@example.net"]).await;
        }
        bench.pass().await;
        let rows = bench.rows().await;
        assert_eq!(
            postfix.held() - before,
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
    let postfix = Postfix::start("reject_unauth_destination", "PLAIN", trusted.certificate()).await;
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
