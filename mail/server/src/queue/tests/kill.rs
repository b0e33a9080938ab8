//! kill -9 while messages come in and go out, thirty times: nothing that was acknowledged is lost, and what was queued leaves
//! once.
//!
//! "Once" has one window, which SMTP leaves to every server (RFC 1047 §2): from the next host's 250 to our commit. A message that
//! is in it at the kill is sent again. Each connection has one message in it at most, the last one on that connection,
//! and that is what the test asserts: a message that arrived twice was the last on the connection where it was not the
//! last time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mailwright_store::{Options, QueueFilter, Store};
use tokio::net::TcpStream;

use super::{Behaviour, Internet, Peer, RelayHost, Runner, RunnerSettings, Security};
use crate::config::{Protocol, Relay, RelayTls, ServerConfig};
use crate::tests::{Client, HOSTNAME, address, start};

const DIRECTORY: &str = "MAILWRIGHT_QUEUE_KILL_DIRECTORY";
const ROUND: &str = "MAILWRIGHT_QUEUE_KILL_ROUND";
const PORT: &str = "MAILWRIGHT_QUEUE_KILL_PORT";
const ROUNDS: usize = 30;
const TASKS: usize = 4;
const CONNECTIONS: usize = 4;

async fn open(directory: &Path, port: u16) -> (Arc<Store>, Runner<Internet>) {
    let store = Arc::new(Store::open(directory, Options::default()).await.unwrap());
    let settings = RunnerSettings {
        hostname: HOSTNAME.to_owned(),
        ours: Default::default(),
        relay: Some(RelayHost { host: "127.0.0.1".into(), port, security: Security::Opportunistic }),
        remote_port: 25,
        policy: Default::default(),
        per_destination: CONNECTIONS,
        connections: CONNECTIONS,
        keep: Duration::from_secs(1),
    };
    let net = Internet::new(&ServerConfig::new(HOSTNAME)).unwrap();
    let clock = Arc::new(|| chrono::Utc::now().timestamp());
    let runner = Runner::new(Arc::clone(&store), net, settings, clock, 1);
    (store, runner)
}

/// The child's side; does nothing when run as a test of its own.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let number = |name: &str| std::env::var(name).unwrap().parse::<u16>().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(load(Path::new(&directory), number(ROUND), number(PORT)));
}

/// A server that relays for us to the parent's peer; sends to it without end, and says what was answered with 250.
async fn load(directory: &Path, round: u16, port: u16) {
    let store = Arc::new(Store::open(directory, Options::default()).await.unwrap());
    let mut config = ServerConfig::new(HOSTNAME).any_port();
    config.trusted_networks = vec!["127.0.0.0/8".parse().unwrap()];
    config.relay =
        Some(Relay { host: "127.0.0.1".into(), port, tls: RelayTls::Opportunistic, credentials: None });
    config.queue.max_connections_per_destination = CONNECTIONS as u32;
    let server = start(&config, &store, directory).await;
    let address = address(&server, Protocol::Smtp);
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(send(address, round, task))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn send(address: SocketAddr, round: u16, task: usize) {
    let mut client = Client::plain(TcpStream::connect(address).await.unwrap());
    client.expect("220 ").await;
    client.ehlo().await;
    for n in 0.. {
        let id = format!("r{round}-{task}-{n}");
        client.reply("MAIL FROM:<alice@example.test>").await;
        client.reply("RCPT TO:<bob@example.net>").await;
        client.reply("DATA").await;
        let text = format!("From: alice@example.test\r\nMessage-ID: <{id}@example.test>\r\n\r\nbody\r\n.");
        let reply = client.reply(&text).await;
        assert!(reply.starts_with("250 "), "{reply}");
        eprintln!("ok {id}.");
    }
}

/// Runs a child, kills it after so many acknowledgements, and answers them.
fn killed_after(directory: &Path, round: usize, port: u16, acknowledgements: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["queue::tests::kill::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .env(PORT, port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).split(b'\n') {
        let line = String::from_utf8(line.unwrap()).unwrap();
        // A line that the kill cut short has no dot: then it was not said.
        if let Some(id) = line.strip_prefix("ok ").and_then(|id| id.strip_suffix('.')) {
            acknowledged.push(id.to_owned());
        }
        if acknowledged.len() == acknowledgements {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_leaves_twice_but_what_was_on_the_wire() {
    let directory = tempfile::tempdir().unwrap();
    let peer = Peer::start(Behaviour::default()).await;
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let (path, port) = (directory.path().to_owned(), peer.address.port());
        let run = tokio::task::spawn_blocking(move || killed_after(&path, round, port, 5 + round * 37 % 150));
        acknowledged.extend(run.await.unwrap());
    }
    let (store, runner) = open(directory.path(), peer.address.port()).await;
    runner.pass().await;
    assert!(store.queue().list(&QueueFilter::default()).await.unwrap().is_empty(), "the queue is empty");
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());

    let seen = peer.seen();
    let mut last_on: BTreeMap<usize, usize> = BTreeMap::new();
    let mut arrivals: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (position, (text, connection)) in seen.messages.iter().zip(&seen.on).enumerate() {
        let id = text.split_once("Message-ID: <").and_then(|(_, rest)| rest.split_once('@')).unwrap().0;
        arrivals.entry(id).or_default().push(position);
        last_on.insert(*connection, position);
    }
    let lost: Vec<_> = acknowledged.iter().filter(|id| !arrivals.contains_key(id.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
    let mut twice = 0;
    for (id, positions) in &arrivals {
        for position in &positions[..positions.len() - 1] {
            twice += 1;
            assert_eq!(last_on[&seen.on[*position]], *position, "{id} left twice, and not by a kill");
        }
    }
    assert!(twice <= ROUNDS * CONNECTIONS, "{twice}");
    println!(
        "{} acknowledged, none lost; {twice} on the wire at {ROUNDS} kills arrived twice",
        acknowledged.len()
    );
}
