//! Death at every crash point while mail comes in by SMTP from several peers. Started again: every message that was
//! answered with 250 is there, whole, for each of its recipients; no other is there by half.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mailwright_server::{Protocol, Roles, Server, ServerConfig};
use mailwright_store::{Need, Store};
use mailwright_tests::installation::Installation;
use mailwright_tests::random::Random;
use mailwright_tests::steps::Fuse;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const SEED: u64 = 42;
const PEERS: usize = 3;
const MESSAGES_PER_PEER: usize = 3;
/// Above the size from which a message is a file of its own.
const LARGE: usize = 90_000;

const MANIFESTS: &str = "\
apiVersion: mailwright.dev/v1alpha1
kind: MailServer
metadata: {name: mail}
spec: {hostname: mx.example.test}
---
apiVersion: mailwright.dev/v1alpha1
kind: MailDomain
metadata: {name: example}
spec: {serverRef: {name: mail}, domain: example.test, dkim: {keys: [Ed25519]}}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: alice}
spec: {address: alice@example.test}
---
apiVersion: mailwright.dev/v1alpha1
kind: Mailbox
metadata: {name: bob}
spec: {address: bob@example.test}
---
apiVersion: mailwright.dev/v1alpha1
kind: Alias
metadata: {name: postmaster}
spec: {address: postmaster@example.test, targets: [alice@example.test, bob@example.test]}
";

/// A message by its subject: its body, and whether a 250 was read for it.
type Sent = BTreeMap<String, (String, bool)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_with_250_survives_death_at_any_point() {
    println!("seed {SEED}");
    let dir = tempfile::tempdir().unwrap();
    let manifests = dir.path().join("manifests");
    std::fs::create_dir(&manifests).unwrap();
    std::fs::write(manifests.join("all.yaml"), MANIFESTS).unwrap();

    let (mut step, mut died) = (0, 0);
    loop {
        let data = dir.path().join("data");
        let installation = Installation::open(&data, Fuse::never()).await.unwrap();
        installation.pass(&manifests).await.unwrap();
        installation.close().await;

        let fuse = Fuse::at(step);
        let sent = match Installation::open(&data, fuse.clone()).await {
            Some(installation) => {
                let sent = send_all(Arc::clone(&installation.store), &data).await;
                installation.close().await;
                sent
            }
            None => Sent::new(),
        };
        let again = Installation::open(&data, Fuse::never()).await.unwrap();
        check(&again.store, &sent, step).await;
        again.close().await;
        std::fs::remove_dir_all(&data).unwrap();
        if !fuse.burnt() {
            assert!(
                sent.values().all(|(_, answered)| *answered),
                "without a death every message is accepted"
            );
            assert_eq!(sent.len(), PEERS * MESSAGES_PER_PEER);
            break;
        }
        died += 1;
        // Group commit makes the number of steps vary a little; a stride of two visits each kind of step many times.
        step += 1 + step / 8;
    }
    assert!(died > 12, "the scenario has become too short: {died} deaths");
}

/// Every peer sends its messages; a peer whose connection fails stops.
async fn send_all(store: Arc<Store>, data: &Path) -> Sent {
    let config = ServerConfig::new("mx.example.test").any_port();
    let roles = Roles { mx: true, ..Roles::NONE };
    let server = Server::start(config, roles, store, data).await.unwrap();
    let address = server.endpoints().iter().find(|e| e.protocol == Protocol::Smtp).unwrap().address;
    let peers = (0..PEERS).map(|peer| tokio::spawn(send(address, peer)));
    let mut sent = Sent::new();
    for peer in peers {
        sent.extend(peer.await.unwrap());
    }
    server.shutdown(std::time::Duration::from_secs(2)).await;
    sent
}

async fn send(address: std::net::SocketAddr, peer: usize) -> Sent {
    let mut random = Random::new(SEED + peer as u64);
    let mut sent = Sent::new();
    let Ok(stream) = TcpStream::connect(address).await else { return sent };
    let mut stream = BufReader::new(stream);
    if !said(&mut stream, "220").await || !say(&mut stream, "EHLO peer.example.test\r\n", "250").await {
        return sent;
    }
    for number in 0..MESSAGES_PER_PEER {
        let subject = format!("message {number} of peer {peer}");
        let body =
            format!("{:064x}\r\n", random.number()).repeat(if random.chance(40) { LARGE / 66 } else { 3 });
        let message = format!("From: peer@example.org\r\nSubject: {subject}\r\n\r\n{body}.\r\n");
        sent.insert(subject.clone(), (body, false));
        let accepted = say(&mut stream, "MAIL FROM:<peer@example.org>\r\n", "250").await
            && say(&mut stream, "RCPT TO:<postmaster@example.test>\r\n", "250").await
            && say(&mut stream, "DATA\r\n", "354").await
            && say(&mut stream, &message, "250").await;
        if !accepted {
            break;
        }
        sent.entry(subject).and_modify(|(_, answered)| *answered = true);
    }
    sent
}

async fn say(stream: &mut BufReader<TcpStream>, text: &str, code: &str) -> bool {
    stream.write_all(text.as_bytes()).await.is_ok() && said(stream, code).await
}

/// Reads one reply; whether it has this code.
async fn said(stream: &mut BufReader<TcpStream>, code: &str) -> bool {
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line).await {
            Ok(0) | Err(_) => return false,
            Ok(_) if line.as_bytes().get(3) == Some(&b'-') => {}
            Ok(_) => return line.starts_with(code),
        }
    }
}

/// The mailboxes hold each answered message whole, and the same messages, whole, at both recipients.
async fn check(store: &Store, sent: &Sent, step: usize) {
    store.settle().await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new(), "step {step}");
    let (alice, bob) = (inbox(store, "alice@example.test").await, inbox(store, "bob@example.test").await);
    assert_eq!(alice, bob, "step {step}: a delivery is for all recipients or for none");
    for (subject, (body, answered)) in sent {
        let copies: Vec<&String> =
            alice.iter().filter(|raw| raw.contains(&format!("Subject: {subject}\r\n"))).collect();
        assert!(
            !*answered || copies.len() == 1,
            "step {step}: {subject} was answered with 250, {} copies",
            copies.len()
        );
        for raw in copies {
            assert!(raw.ends_with(&format!("\r\n\r\n{body}")), "step {step}: {subject} is there by half");
        }
    }
}

async fn inbox(store: &Store, address: &str) -> Vec<String> {
    let account = store.accounts().lookup_login(address).await.unwrap().unwrap().account;
    let selected = store.mail().select(account, "INBOX", false).await.unwrap();
    let uids: Vec<u32> = selected.rows.iter().map(|row| row.uid).collect();
    let fetched = store.mail().fetch(selected.folder, &uids, Need { index: false, raw: true }).await.unwrap();
    let mut texts: Vec<String> = Vec::new();
    for message in fetched.messages {
        texts.push(String::from_utf8(message.raw.unwrap().to_vec()).unwrap());
    }
    texts.sort();
    texts
}
