//! The process dies at every crash point, each time it is passed; what was acknowledged is there afterwards.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use mailwright_store::message::DELETED;
use mailwright_store::{
    AccountId, CRASH_POINTS, Change, CrashHook, Error, Fetched, FlagOp, Need, Outcome, QueueFilter, Result,
    Settled, Settlement, Store, StoreFlags,
};

use crate::queue::outgoing;
use crate::support::*;

/// What the run was told is done.
#[derive(Default, Debug)]
struct Acknowledged {
    messages: Vec<Bytes>,
    expunged: bool,
    moved: bool,
    changes: bool,
    purged: bool,
    /// Addresses that were queued, deferred, and delivered.
    queued: Vec<&'static str>,
    deferred: bool,
    left: bool,
}

/// Everything that writes, in order, until the store dies.
async fn work(store: &Store, done: &mut Acknowledged) -> Result<()> {
    let batch = vec![
        Change::PutDomain(domain_row("example.test")),
        put_mailbox(mailbox_row("alice@example.test")),
        put_mailbox(mailbox_row("bob@example.test")),
    ];
    store.accounts().apply(batch, Some(fence(3))).await?;
    done.changes = true;
    let alice = store.accounts().lookup_login("alice@example.test").await?.unwrap().account;
    let bob = store.accounts().lookup_login("bob@example.test").await?.unwrap().account;
    let mail = store.mail();
    for raw in [message(1), large(1), message(2), large(2)] {
        let outcomes = mail.deliver(delivery(&[alice, bob], raw.clone())).await?;
        assert!(outcomes.iter().all(|o| matches!(o, Outcome::Delivered { .. })));
        done.messages.push(raw);
    }
    let inbox = mail.status(alice, "INBOX").await?.folder;
    mail.r#move(inbox, &[2], "Archive").await?;
    done.moved = true;
    let change = StoreFlags { uids: vec![4], op: FlagOp::Add, flags: DELETED, keywords: Vec::new() };
    mail.store_flags(inbox, change).await?;
    mail.expunge(inbox, None).await?;
    done.expunged = true;
    send(store, alice, done).await?;
    store.accounts().apply(vec![Change::DisableMailbox(target("bob@example.test"))], None).await?;
    let purge = Change::DeleteMailbox { target: target("bob@example.test"), ignore_retention: true };
    store.accounts().apply(vec![purge], None).await?;
    done.purged = true;
    store.settle().await
}

/// Through the queue: one delivered, one failed with a report, one put off.
async fn send(store: &Store, alice: AccountId, done: &mut Acknowledged) -> Result<()> {
    let queue = store.queue();
    let addresses = ["done@x.test", "failed@x.test", "deferred@x.test"];
    queue.enqueue(outgoing(&addresses, large(7))).await?;
    done.queued.extend(addresses);
    let mut with_copy = delivery(&[], message(0));
    with_copy.outgoing = vec![outgoing(&["copy@y.test"], message(8))];
    store.mail().deliver(with_copy).await?;
    done.queued.push("copy@y.test");
    let taken = queue.due(START, 3, START + 600, &[]).await?.remove(0);
    let result = |address: &str| match address {
        "done@x.test" => Settled::Done,
        "failed@x.test" => Settled::Failed { reply: "550".into() },
        _ => Settled::Deferred { next_attempt: START + 9, reply: "451".into(), delay_reported: false },
    };
    let results = taken.recipients.iter().map(|r| (r.id, result(&r.address))).collect();
    let report = delivery(&[alice], message(9));
    let (lease, message) = (taken.lease, taken.message.id);
    let settlement = Settlement { lease, message, results, delivery: Some(report) };
    assert!(queue.settle(settlement).await?.complete);
    done.deferred = true;
    let taken = queue.due(START + 9, 3, START + 600, &["y.test".into()]).await?.remove(0);
    let results = vec![(taken.recipients[0].id, Settled::Done)];
    let (lease, message) = (taken.lease, taken.message.id);
    queue.settle(Settlement { lease, message, results, delivery: None }).await?;
    done.left = true;
    Ok(())
}

/// Who was queued is in the queue or was settled; who was reported is not in it.
async fn verify_queue(store: &Store, done: &Acknowledged, reported: bool, at: &str) {
    let left = store.queue().list(&QueueFilter::default()).await.unwrap();
    let left: BTreeSet<String> = left.into_iter().flat_map(|e| e.recipients).map(|r| r.address).collect();
    for address in &done.queued {
        let settled = match *address {
            "copy@y.test" => false,
            "deferred@x.test" => done.deferred,
            _ => reported,
        };
        assert!(left.contains(*address) || settled, "{at}: {address} is gone silently");
    }
    assert_eq!(reported, !left.contains("failed@x.test") && !done.queued.is_empty(), "{at}: report");
    assert!(!done.left || left.len() == 1, "{at}: {left:?}");
    assert!(!done.deferred || reported, "{at}: the report is lost");
    let due = store.queue().due(START + 9, 10, START + 600, &[]).await.unwrap();
    let due: usize = due.iter().map(|due| due.recipients.len()).sum();
    assert_eq!(due, left.len(), "{at}: a dead process keeps leases");
}

/// All messages of an account by folder.
async fn contents(store: &Store, address: &str, name: &str) -> Vec<Bytes> {
    let Some(login) = store.accounts().lookup_login(address).await.unwrap() else { return Vec::new() };
    let selected = store.mail().select(login.account, name, false).await.unwrap();
    let uids: Vec<u32> = selected.rows.iter().map(|row| row.uid).collect();
    let need = Need { raw: true, index: false };
    let Fetched { messages, rest } = store.mail().fetch(selected.folder, &uids, need).await.unwrap();
    assert!(rest.is_empty() && messages.len() == uids.len());
    messages.into_iter().map(|m| m.raw.unwrap()).collect()
}

async fn verify(store: &Store, done: &Acknowledged, at: &str) {
    store.settle().await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new(), "{at}");
    let accounts = store.accounts().observe().await.unwrap();
    assert!(matches!(accounts.mailboxes.len(), 0..=2), "{at}");
    assert!(
        !done.changes || accounts.mailboxes.iter().any(|m| m.row.address == "alice@example.test"),
        "{at}"
    );
    if done.purged {
        assert_eq!(accounts.mailboxes.len(), 1, "{at}");
    }
    let inbox = contents(store, "alice@example.test", "INBOX").await;
    let archive = contents(store, "alice@example.test", "Archive").await;
    let (reports, inbox): (Vec<Bytes>, Vec<Bytes>) = inbox.into_iter().partition(|raw| *raw == message(9));
    assert!(reports.len() <= 1, "{at}: reported twice");
    verify_queue(store, done, !reports.is_empty(), at).await;
    let all: BTreeSet<&Bytes> = inbox.iter().chain(&archive).collect();
    assert_eq!(all.len(), inbox.len() + archive.len(), "{at}: a message is there twice");
    let known = [message(1), large(1), message(2), large(2)];
    assert!(all.iter().all(|raw| known.contains(raw)), "{at}: half a message");
    for (i, raw) in done.messages.iter().enumerate() {
        // The expunge of the fourth may have been committed without an answer.
        let may_be_gone = i == 3 && done.moved;
        assert!(all.contains(raw) || may_be_gone, "{at}: acknowledged message {i} is lost");
    }
    if done.expunged {
        assert_eq!((inbox, archive), (vec![message(1), message(2)], vec![large(1)]), "{at}");
    }
}

/// A hook that dies at the n-th point passed, and the names passed so far.
fn dies_at(n: usize) -> (CrashHook, Arc<Mutex<Vec<&'static str>>>) {
    let passed = Arc::new(Mutex::new(Vec::new()));
    let (log, count) = (Arc::clone(&passed), AtomicUsize::new(0));
    let hook = move |point| {
        log.lock().unwrap().push(point);
        count.fetch_add(1, Ordering::SeqCst) + 1 == n
    };
    (Arc::new(hook), passed)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_at_any_point() {
    let mut covered = BTreeSet::new();
    for n in 1.. {
        let (hook, passed) = dies_at(n);
        let home = Home::with(|options| options.crash = Some(hook)).await;
        let mut done = Acknowledged::default();
        let result = work(&home.store, &mut done).await;
        let point = passed.lock().unwrap().last().copied().unwrap();
        if result.is_ok() {
            assert!(passed.lock().unwrap().len() < n);
            verify(&home.reopened().await.store, &done, "the end").await;
            break;
        }
        assert!(matches!(result, Err(Error::Crashed)), "{n} {point}: {result:?}");
        let dead =
            home.store.resources().put(vec![(key(), serde_json::json!({}), serde_json::json!({}))]).await;
        assert!(matches!(dead, Err(Error::Crashed)), "{n} {point}: writes after death");
        assert_eq!(passed.lock().unwrap().len(), n, "{n} {point}: passed points after death");
        covered.insert(point);
        let home = home.reopened().await;
        verify(&home.store, &done, &format!("{n} {point}")).await;
        assert!(n < 500, "the work never ends");
    }
    let missed: Vec<_> = CRASH_POINTS.iter().filter(|point| !covered.contains(*point)).collect();
    assert!(missed.is_empty(), "never died at {missed:?}");
}

fn key() -> mailwright_store::ResourceKey {
    mailwright_store::ResourceKey { kind: "K".into(), namespace: "n".into(), name: "n".into() }
}

#[tokio::test]
async fn everybody_in_the_group_dies_with_it() {
    let (hook, _) = dies_at(usize::MAX);
    let armed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let trigger = Arc::clone(&armed);
    let dying: CrashHook =
        Arc::new(move |point| hook(point) || (point == "commit.before" && trigger.load(Ordering::SeqCst)));
    let home = Home::with(|options| options.crash = Some(dying)).await;
    let alice = home.account("alice@example.test").await;
    armed.store(true, Ordering::SeqCst);
    let jobs: Vec<_> = (0..20)
        .map(|number| {
            let store = Arc::clone(&home.store);
            tokio::spawn(async move { store.mail().deliver(delivery(&[alice], message(number))).await })
        })
        .collect();
    for job in jobs {
        assert!(matches!(job.await.unwrap(), Err(Error::Crashed)));
    }
    let home = home.reopened().await;
    assert_eq!(home.uids(alice, "INBOX").await, Vec::<u32>::new());
    home.sound().await;
}
