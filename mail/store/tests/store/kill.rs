//! kill -9 under load: a child process delivers and says what was acknowledged until it is killed; everything it said
//! is there, whole, and once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use mailwright_store::{
    Fetched, Need, Options, Outcome, QueueFilter, QueueState, Settled, Settlement, Store,
};

use crate::queue::outgoing;
use crate::support::{account, append, delivery, large};

const DIRECTORY: &str = "MAILWRIGHT_STORE_KILL_DIRECTORY";
const ROUND: &str = "MAILWRIGHT_STORE_KILL_ROUND";
const TASKS: usize = 8;

/// The message that a round's task delivers as its n-th; every fifth is a blob file.
fn content(round: usize, task: usize, n: usize) -> Bytes {
    let head = format!("X-Id: {round}-{task}-{n}\r\n\r\n");
    match n % 5 {
        4 => [head.as_bytes(), &large((round * 31 + task * 7 + n) as u8)].concat().into(),
        _ => format!("{head}{}", "body\r\n".repeat(n % 300)).into(),
    }
}

/// The child's side; does nothing when run as a test of its own.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        assert_eq!(content(1, 2, 3), "X-Id: 1-2-3\r\n\r\nbody\r\nbody\r\nbody\r\n");
        return;
    };
    let round = std::env::var(ROUND).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(load(Path::new(&directory), round));
}

async fn load(directory: &Path, round: usize) {
    let store = Arc::new(Store::open(directory, Options::default()).await.unwrap());
    let alice = account(&store, "alice@example.test").await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0.. {
                    let raw = content(round, task, n);
                    if n % 3 == 0 {
                        let mut both = delivery(&[alice], raw.clone());
                        both.outgoing = vec![outgoing(&[&format!("{round}-{task}-{n}@x.test")], raw)];
                        let outcomes = store.mail().deliver(both).await.unwrap();
                        assert!(matches!(outcomes[..], [Outcome::Delivered { .. }]));
                    } else if n % 2 == 0 {
                        let outcomes = store.mail().deliver(delivery(&[alice], raw)).await.unwrap();
                        assert!(matches!(outcomes[..], [Outcome::Delivered { .. }]));
                    } else {
                        store.mail().append(alice, "Sent", append(raw, 0, &[])).await.unwrap();
                    }
                    eprintln!("ok {task} {n}");
                }
            })
        })
        .collect();
    drain(&store).await;
    for task in tasks {
        task.await.unwrap();
    }
}

/// Settles what is due, and says so only before the settlement: what was said may have left, what was not said has not.
async fn drain(store: &Store) {
    loop {
        let now = unix_now();
        for due in store.queue().due(now, 3, now + 600, &[]).await.unwrap() {
            for recipient in &due.recipients {
                eprintln!("sent {}", recipient.address);
            }
            let results = due.recipients.iter().map(|r| (r.id, Settled::Done)).collect();
            let (lease, message) = (due.lease, due.message.id);
            store.queue().settle(Settlement { lease, message, results, delivery: None }).await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

fn unix_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs() as i64
}

/// Runs a child, kills it after so many acknowledgements, and returns all that it wrote before it died.
fn killed_after(
    directory: &Path,
    round: usize,
    acknowledgements: usize,
) -> (Vec<(usize, usize)>, BTreeSet<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut acknowledged, mut sent) = (Vec::new(), BTreeSet::new());
    for line in BufReader::new(child.stderr.take().unwrap()).split(b'\n') {
        let line = String::from_utf8(line.unwrap()).unwrap();
        if let Some(address) = line.strip_prefix("sent ") {
            sent.insert(address.to_owned());
            continue;
        }
        let Some(rest) = line.strip_prefix("ok ") else { panic!("the child says: {line}") };
        // The last line may be cut short by the kill: then it was not said.
        if let Some((task, n)) = rest.split_once(' ')
            && let (Ok(task), Ok(n)) = (task.parse(), n.parse())
        {
            acknowledged.push((task, n));
        }
        if acknowledged.len() == acknowledgements {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    // A number cut short ("1" of "12") would name an earlier message, which is there anyway.
    (acknowledged, sent)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_is_half() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = BTreeMap::new();
    let (mut queued, mut sent) = (BTreeMap::new(), BTreeSet::new());
    for (round, acknowledgements) in [1, 25, 60, 140].into_iter().enumerate() {
        let path = dir.path().to_owned();
        let run = tokio::task::spawn_blocking(move || killed_after(&path, round, acknowledgements));
        let (acknowledged, said) = run.await.unwrap();
        sent.extend(said);
        for (task, n) in acknowledged {
            let raw = content(round, task, n);
            if n % 3 == 0 {
                queued.insert(format!("{round}-{task}-{n}@x.test"), raw.clone());
            }
            let id = raw.split(|b| *b == b'\r').next().unwrap().to_vec();
            expected.insert(id, raw);
        }
        let store = Store::open(dir.path(), Options::default()).await.unwrap();
        store.settle().await.unwrap();
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        let found = everything(&store).await;
        for (id, raw) in &expected {
            assert!(found.get(id) == Some(raw), "{} is lost", String::from_utf8_lossy(id));
        }
        let waiting = in_queue(&store).await;
        for (address, raw) in &queued {
            match waiting.get(address) {
                Some(bytes) => assert!(bytes == raw, "{address} is half a message"),
                None => assert!(sent.contains(address), "{address} is gone from the queue unsent"),
            }
        }
        store.close().await;
    }
    assert!(expected.len() >= 226, "{}", expected.len());
}

/// What is in the queue, by recipient, free for everybody.
async fn in_queue(store: &Store) -> BTreeMap<String, Bytes> {
    let mut found = BTreeMap::new();
    for entry in store.queue().list(&QueueFilter::default()).await.unwrap() {
        for recipient in &entry.recipients {
            assert_eq!(recipient.state, QueueState::Queued, "no lease outlives its process");
        }
        let raw = store.queue().raw(entry.message.id).await.unwrap().unwrap();
        assert!(found.insert(entry.recipients[0].address.clone(), raw).is_none(), "queued twice");
    }
    found
}

/// All messages by their X-Id line, each of them whole and there once.
async fn everything(store: &Store) -> BTreeMap<Vec<u8>, Bytes> {
    let alice = account(store, "alice@example.test").await;
    let mut found = BTreeMap::new();
    for name in ["INBOX", "Sent"] {
        let selected = store.mail().select(alice, name, false).await.unwrap();
        let mut wanted: Vec<u32> = selected.rows.iter().map(|row| row.uid).collect();
        while !wanted.is_empty() {
            let need = Need { raw: true, index: false };
            let Fetched { messages, rest } =
                store.mail().fetch(selected.folder, &wanted, need).await.unwrap();
            for message in messages {
                let raw = message.raw.unwrap();
                let id = raw.split(|b| *b == b'\r').next().unwrap().to_vec();
                let text = String::from_utf8(id.clone()).unwrap();
                let numbers: Vec<usize> = text[6..].split('-').map(|n| n.parse().unwrap()).collect();
                assert!(raw == content(numbers[0], numbers[1], numbers[2]), "{text} is half a message");
                assert!(found.insert(id, raw).is_none(), "{text} is there twice");
            }
            wanted = rest;
        }
    }
    found
}
