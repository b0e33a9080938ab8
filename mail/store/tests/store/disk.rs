//! A disk that is really full: a child process whose files may not grow (RLIMIT_FSIZE) keeps delivering. Writes fail in
//! the middle of transactions and at COMMIT; what was acknowledged is whole, what was refused is not there.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use mailwright_store::message::DELETED;
use mailwright_store::{
    Error, Fetched, FlagOp, Need, Options, Outcome, QueueFilter, Settled, Settlement, Store, StoreFlags,
};

use crate::queue::outgoing;
use crate::support::{Home, START, account, append, blob_files, delivery, large, message};

const DIRECTORY: &str = "MAILWRIGHT_STORE_DISK_DIRECTORY";
/// Blocks of 1 KiB: the database is made before the limit is reached, the WAL is not emptied at that size.
const LIMIT: usize = 1500;
const MESSAGES: usize = 300;

/// Incompressible; every tenth is too large for any file of the limit.
fn content(number: usize) -> Bytes {
    match number % 10 {
        9 => large(number as u8).repeat(LIMIT / 50).into(),
        _ => [&message(number)[..], &large(number as u8)[..10_000]].concat().into(),
    }
}

/// The child's side; does nothing when run as a test of its own.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        assert!(content(9).len() > LIMIT * 1024 && content(8).len() < 11_000);
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(load(Path::new(&directory)));
}

async fn load(directory: &Path) {
    let store = Arc::new(Store::open(directory, Options::default()).await.unwrap());
    let alice = account(&store, "alice@example.test").await;
    let deliveries: Vec<_> = (0..MESSAGES)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut both = delivery(&[alice], content(number));
                if number % 4 == 0 {
                    both.outgoing = vec![outgoing(&[&format!("{number}@x.test")], content(number))];
                }
                store.mail().deliver(both).await
            })
        })
        .collect();
    for (number, delivery) in deliveries.into_iter().enumerate() {
        match delivery.await.unwrap() {
            Ok(outcomes) => {
                assert!(matches!(outcomes[..], [Outcome::Delivered { .. }]));
                println!("\nok {number}");
            }
            Err(Error::NoSpace) => println!("\nno space {number}"),
            Err(error) => panic!("{number}: {error}"),
        }
    }
    // A full store can still be read, and stopped.
    assert!(store.mail().status(alice, "INBOX").await.unwrap().messages > 0);
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    // A write beyond the limit fails with EFBIG once the signal is ignored.
    let script = format!("trap '' XFSZ; ulimit -f {LIMIT}; exec \"$0\" disk::child --exact --nocapture");
    let run = move |directory: std::path::PathBuf| {
        Command::new("bash").args(["-c", &script]).arg(test).env(DIRECTORY, directory).output().unwrap()
    };
    let path = dir.path().to_owned();
    let output = tokio::task::spawn_blocking(move || run(path)).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let said = |what: &str| -> BTreeSet<usize> {
        text.lines().filter_map(|line| line.strip_prefix(what)?.parse().ok()).collect()
    };
    let (stored, refused) = (said("ok "), said("no space "));
    assert_eq!(stored.len() + refused.len(), MESSAGES, "{text}");
    assert!(stored.len() > 10 && refused.len() > MESSAGES / 10, "{} stored", stored.len());

    let store = Store::open(dir.path(), Options::default()).await.unwrap();
    store.settle().await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    let alice = account(&store, "alice@example.test").await;
    let selected = store.mail().select(alice, "INBOX", false).await.unwrap();
    let uids: Vec<u32> = selected.rows.iter().map(|row| row.uid).collect();
    let need = Need { raw: true, index: false };
    let Fetched { messages, rest } = store.mail().fetch(selected.folder, &uids, need).await.unwrap();
    assert!(rest.is_empty());
    let found: BTreeSet<Bytes> = messages.into_iter().filter_map(|message| message.raw).collect();
    assert_eq!(found, stored.iter().map(|number| content(*number)).collect());
    assert_eq!(blob_files(dir.path()), 0);
    // Queued is what was stored, no more and no less.
    let queued = store.queue().list(&QueueFilter::default()).await.unwrap();
    let queued: BTreeSet<String> = queued.into_iter().flat_map(|e| e.recipients).map(|r| r.address).collect();
    let both = stored.iter().filter(|number| *number % 4 == 0);
    assert_eq!(queued, both.map(|number| format!("{number}@x.test")).collect());
    // With space again it goes on.
    let outcomes = store.mail().deliver(delivery(&[alice], content(9))).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Delivered { .. }]));
}

/// What people do to make room; it must work on a full disk.
async fn make_room(store: &Store, alice: mailwright_store::AccountId) {
    let mail = store.mail();
    let selected = mail.select(alice, "INBOX", true).await.unwrap();
    assert_eq!(selected.first_recent, 1);
    let uids: Vec<u32> = selected.rows.iter().map(|row| row.uid).collect();
    let (first, rest) = uids.split_first().unwrap();
    mail.r#move(selected.folder, &[*first], "Trash").await.unwrap();
    let change = StoreFlags { uids: rest.to_vec(), op: FlagOp::Add, flags: DELETED, keywords: Vec::new() };
    mail.store_flags(selected.folder, change).await.unwrap();
    assert_eq!(mail.expunge(selected.folder, None).await.unwrap().uids, rest);
    store.settle().await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_reserve_is_for_making_room() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    for number in 0..5 {
        home.deliver(alice, message(number)).await;
    }
    home.store.queue().enqueue(outgoing(&["a@x.test", "b@x.test"], message(8))).await.unwrap();
    home.store.close().await;
    let options = Options { reserve: Some(u64::MAX), ..Options::default() };
    let store = Store::open(home.dir.path(), options).await.unwrap();
    assert!(!store.has_space(0));
    let refused = store.mail().deliver(delivery(&[alice], message(9))).await;
    assert!(matches!(refused, Err(Error::NoSpace)), "{refused:?}");
    let refused = store.mail().append(alice, "Sent", append(message(9), 0, &[])).await;
    assert!(matches!(refused, Err(Error::NoSpace)), "{refused:?}");
    let inbox = store.mail().status(alice, "INBOX").await.unwrap().folder;
    let refused = store.mail().copy(inbox, &[1], "Archive").await;
    assert!(matches!(refused, Err(Error::NoSpace)), "{refused:?}");
    queue_on_a_full_disk(&store, alice).await;
    make_room(&store, alice).await;
}

/// Nothing new is queued, and what was delivered is noted even when there is no room for the report about the rest.
async fn queue_on_a_full_disk(store: &Store, alice: mailwright_store::AccountId) {
    let queue = store.queue();
    let refused = queue.enqueue(outgoing(&["c@x.test"], message(9))).await;
    assert!(matches!(refused, Err(Error::NoSpace)), "{refused:?}");
    let due = queue.due(START, 9, START + 60, &[]).await.unwrap().remove(0);
    let (done, failed) = (due.recipients[0].id, due.recipients[1].id);
    let results = vec![(done, Settled::Done), (failed, Settled::Failed { reply: "550".into() })];
    let delivery = Some(delivery(&[alice], message(9)));
    let (lease, message) = (due.lease, due.message.id);
    let refused = queue.settle(Settlement { lease, message, results, delivery }).await;
    assert!(matches!(refused, Err(Error::NoSpace)), "{refused:?}");
    let left = queue.show(message).await.unwrap().unwrap();
    assert_eq!(left.recipients.iter().map(|r| r.id).collect::<Vec<_>>(), [failed]);
    let results = vec![(failed, Settled::Failed { reply: "550".into() })];
    let settled = queue.settle(Settlement { lease, message, results, delivery: None }).await.unwrap();
    assert!(settled.complete && queue.show(message).await.unwrap().is_none());
}

/// A file system of its own; dropped, it is gone.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// None: only root may mount.
    fn new(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()).status();
        mount.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn room_is_made_on_a_disk_that_is_full_of_mail() {
    let Some(disk) = Mounted::new("24m") else {
        eprintln!("skipped: mounting a file system takes root");
        return;
    };
    let store = Store::open(disk.0.path(), Options::default()).await.unwrap();
    let alice = account(&store, "alice@example.test").await;
    let mut delivered = 0;
    while store.has_space(100_000) {
        let raw = [&large(delivered as u8)[..], &message(delivered)[..]].concat();
        match store.mail().deliver(delivery(&[alice], raw)).await {
            Ok(_) => delivered += 1,
            Err(Error::NoSpace) => break,
            Err(error) => panic!("{error}"),
        }
        assert!(delivered < 1000);
    }
    assert!(delivered > 50, "{delivered}");
    make_room(&store, alice).await;
    let outcomes = store.mail().deliver(delivery(&[alice], large(9))).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Delivered { .. }]));
    store.close().await;
}
