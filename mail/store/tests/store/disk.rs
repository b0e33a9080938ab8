//! A disk that is really full: a child process whose files may not grow (RLIMIT_FSIZE) keeps delivering. Writes fail in
//! the middle of transactions and at COMMIT; what was acknowledged is whole, what was refused is not there.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use mailwright_store::{Error, Fetched, Need, Options, Outcome, Store};

use crate::support::{account, blob_files, delivery, large, message};

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
            tokio::spawn(async move { store.mail().deliver(delivery(&[alice], content(number))).await })
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
    // With space again it goes on.
    let outcomes = store.mail().deliver(delivery(&[alice], content(9))).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Delivered { .. }]));
}
