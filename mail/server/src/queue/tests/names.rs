//! Destinations by DNS, with BIND as the authoritative server: MX in their order, addresses instead of MX, null MX, names
//! that do not exist, servers that fail, ourselves as MX, and answers that change.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mailwright_flow::queue::mx::Ourselves;
use tempfile::TempDir;

use super::programs::{Program, free_port, listening, need};
use super::{Behaviour, Bench, ClientTls, HOSTNAME, Internet, Peer, Runner, RunnerSettings, ServerConfig};

/// The root zone with everything in it, so that names that are not in it do not exist.
const ZONE: &str = "$TTL 0
. SOA ns. hostmaster. 1 3600 600 86400 0
. NS ns.
ns. A 127.0.0.1
order.test. MX 20 good.hosts.test.
order.test. MX 10 dead.hosts.test.
plain.test. A 127.0.0.3
null.test. MX 0 .
empty.test. TXT \"no mail\"
nohost.test. MX 10 nowhere.hosts.test.
loop.test. MX 10 mail.example.test.
address.test. MX 10 us.hosts.test.
behind.test. MX 10 good.hosts.test.
behind.test. MX 20 mail.example.test.
six.test. MX 10 six.hosts.test.
alias.test. CNAME plain.test.
moving.test. MX 10 dead.hosts.test.
good.hosts.test. A 127.0.0.3
dead.hosts.test. A 127.0.0.4
us.hosts.test. A 127.0.0.9
six.hosts.test. AAAA 2001:db8::1
six.hosts.test. A 127.0.0.3
mail.example.test. A 127.0.0.9
";

struct Zone {
    named: Program,
    directory: TempDir,
    port: u16,
}

impl Zone {
    async fn serve(text: &str) -> Zone {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let path = directory.path().display();
        let configuration = format!(
            "options {{ directory \"{path}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
             pid-file none; session-keyfile none; recursion no; dnssec-validation no; notify no; }};\n\
             controls {{ }};\n\
             zone \".\" {{ type primary; file \"zone\"; }};\n\
             zone \"broken.test\" {{ type primary; file \"missing\"; }};\n"
        );
        std::fs::write(directory.path().join("named.conf"), configuration).unwrap();
        write(directory.path(), text);
        let mut command = Command::new("/usr/sbin/named");
        command.args(["-g", "-n", "1", "-c"]).arg(directory.path().join("named.conf"));
        let named = Program::start(&mut command);
        listening(&format!("127.0.0.1:{port}")).await;
        Zone { named, directory, port }
    }

    /// Another content, in force when this returns.
    async fn replace(&self, text: &str) {
        write(self.directory.path(), text);
        self.named.reload();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn write(directory: &Path, text: &str) {
    std::fs::write(directory.join("zone"), text).unwrap();
}

/// A bench that finds its hosts by these names; the good host is 127.0.0.3, nobody is at 127.0.0.4, 127.0.0.9 are we.
async fn bench(zone: &Zone) -> (Bench, Peer) {
    let peer = Peer::start_at("127.0.0.3:0", Behaviour::default()).await;
    let port = peer.address.port();
    let mut bench = Bench::new(&peer).await;
    let mut config = ServerConfig::new(HOSTNAME);
    config.dns.resolvers = vec![([127, 0, 0, 1], zone.port).into()];
    let net = Internet::for_test(&config, ClientTls::new().unwrap(), Default::default());
    let settings = RunnerSettings {
        hostname: HOSTNAME.to_owned(),
        ours: Ourselves { names: vec![HOSTNAME.to_owned()], addresses: vec![([127, 0, 0, 9], port).into()] },
        relay: None,
        remote_port: port,
        policy: Default::default(),
        per_destination: 4,
        connections: 10,
        keep: Duration::ZERO,
    };
    let clock = Arc::clone(&bench.clock);
    let clock: mailwright_store::Clock = Arc::new(move || clock.load(std::sync::atomic::Ordering::SeqCst));
    bench.runner_by_dns = Some(Runner::new(Arc::clone(&bench.store), net, settings, clock, 3));
    (bench, peer)
}

#[tokio::test]
async fn names_lead_where_they_should() {
    if !need(&["named"]) {
        return;
    }
    let zone = Zone::serve(ZONE).await;
    for (domain, expected) in [
        ("order.test", "sent"),
        ("plain.test", "sent"),
        ("behind.test", "sent"),
        ("six.test", "sent"),
        ("alias.test", "sent"),
        ("[127.0.0.3]", "sent"),
        ("null.test", "Status: 5.1.10"),
        ("nothere.test", "Status: 5.1.2"),
        ("empty.test", "Status: 5.4.4"),
        ("nohost.test", "Status: 5.4.4"),
        ("loop.test", "Status: 5.4.6"),
        ("address.test", "Status: 5.4.6"),
        ("broken.test", "deferred 1 "),
        ("moving.test", "deferred 1 "),
    ] {
        let (bench, peer) = bench(&zone).await;
        bench.queue("q1", &[&format!("bob@{domain}")]).await;
        bench.pass().await;
        let (rows, inbox) = (bench.rows().await, bench.inbox().await);
        let sent = usize::from(expected == "sent");
        assert_eq!(peer.seen().messages.len(), sent, "{domain} {rows:?} {inbox:?}");
        assert_eq!(rows.len(), usize::from(expected.starts_with("deferred")), "{domain}: {rows:?}");
        assert_eq!(inbox.len(), usize::from(expected.starts_with("Status")), "{domain}: {inbox:?}");
        let said = rows.concat() + &inbox.concat();
        assert!(sent == 1 || said.contains(expected), "{domain}: {said}");
    }
}

#[tokio::test]
async fn a_changed_answer_without_a_lifetime_counts_at_once() {
    if !need(&["named"]) {
        return;
    }
    let zone = Zone::serve(ZONE).await;
    let (bench, peer) = bench(&zone).await;
    bench.queue("q1", &["bob@moving.test"]).await;
    bench.pass().await;
    assert_eq!((peer.seen().messages.len(), bench.rows().await.len()), (0, 1));
    let moved =
        ZONE.replace("moving.test. MX 10 dead", "moving.test. MX 10 good").replace(" 1 3600", " 2 3600");
    zone.replace(&moved).await;
    bench.later(3600);
    bench.pass().await;
    assert_eq!((peer.seen().messages.len(), bench.rows().await.len()), (1, 0));
}

#[tokio::test]
async fn an_answer_is_kept_for_its_lifetime() {
    if !need(&["named"]) {
        return;
    }
    let zone = Zone::serve(&ZONE.replace("$TTL 0", "$TTL 3600")).await;
    let (bench, peer) = bench(&zone).await;
    bench.queue("q1", &["bob@behind.test"]).await;
    bench.pass().await;
    drop(zone);
    bench.queue("q2", &["bob@behind.test"]).await;
    bench.pass().await;
    assert_eq!(peer.seen().messages.len(), 2, "the name server is gone, what it said holds");
}

#[tokio::test]
async fn without_a_name_server_everything_waits() {
    if !need(&["named"]) {
        return;
    }
    let zone = Zone::serve(ZONE).await;
    let (bench, peer) = bench(&zone).await;
    drop(zone);
    bench.queue("q1", &["bob@nothere.test"]).await;
    bench.pass().await;
    let rows = bench.rows().await;
    assert!(rows.len() == 1 && rows[0].contains("deferred 1 "), "{rows:?}");
    assert!(peer.seen().messages.is_empty() && bench.inbox().await.is_empty());
}
