//! One life of the process: a runtime, the store and the runner. It ends at a crash point or when it is dropped; whatever ran in
//! it is gone then, as it would be.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailwright_flow::queue::Policy;
use mailwright_flow::queue::mx::Ourselves;
use mailwright_server::queue::{Runner, RunnerSettings};
use mailwright_store::{
    Change, Clock, DeletionPolicy, DomainRow, MailboxRow, Need, Options, QueueEntry, QueueFilter, ServerRow,
    Store, UnixTime,
};
use mailwright_tests::steps::Fuse;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::mail::Mail;
use super::peer::SimNet;
use super::world::{OURS, World};

/// Connections to one destination.
pub const PER_DESTINATION: usize = 2;

/// A process that runs.
pub struct Life {
    runner: Runner<SimNet>,
    store: Arc<Store>,
    died: Arc<Notify>,
    fuse: Fuse,
    runtime: Runtime,
}

impl Life {
    /// Opens the data directory; the process dies at step `fuse` inside the store. `None`: it died while it opened.
    pub fn begin(data: &Path, world: &Arc<World>, fuse: Option<usize>, seed: u64) -> Option<Life> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let fuse = fuse.map_or_else(Fuse::never, Fuse::at);
        let died = Arc::new(Notify::new());
        let clock: Clock = {
            let world = Arc::clone(world);
            Arc::new(move || world.now())
        };
        let (hook, notify, witness) = (fuse.clone(), Arc::clone(&died), Arc::clone(world));
        let crash = move |point| {
            let dead = hook.burns(point);
            if dead {
                witness.log().died.insert(point);
                notify.notify_one();
            }
            dead
        };
        let options =
            Options { clock: Arc::clone(&clock), crash: Some(Arc::new(crash)), ..Options::default() };
        let store = runtime.block_on(open(data, options, &fuse))?;
        let settings = RunnerSettings {
            hostname: OURS.to_owned(),
            ours: Ourselves { names: vec![OURS.to_owned()], addresses: Vec::new() },
            relay: None,
            remote_port: 25,
            policy: Policy::default(),
            per_destination: PER_DESTINATION,
            connections: 8,
            keep: Duration::ZERO,
        };
        let net = SimNet(Arc::clone(world));
        let runner = Runner::new(Arc::clone(&store), net, settings, clock, seed);
        Some(Life { runner, store, died, fuse, runtime })
    }

    /// example.test with alice and bob.
    pub fn accounts(&self) {
        let mailbox = |address: &str| Change::PutMailbox {
            row: MailboxRow {
                address: address.to_owned(),
                display_name: String::new(),
                quota: None,
                enabled: true,
                send_as: vec![],
                forward: vec![],
                keep_copy: true,
                deletion_policy: DeletionPolicy::Disable,
                retain_for_seconds: 3600,
                legal_hold: false,
                owner: None,
            },
            credential: None,
        };
        let changes = vec![
            Change::PutServer(ServerRow {
                name: "default/sim".into(),
                settings: serde_json::json!({}),
                owner: None,
            }),
            Change::PutDomain(DomainRow {
                name: "example.test".into(),
                server: "default/sim".into(),
                aliases: vec![],
                parked: false,
                catch_all: None,
                settings: serde_json::json!({}),
                owner: None,
            }),
            mailbox("alice@example.test"),
            mailbox("bob@example.test"),
        ];
        let applied = self.runtime.block_on(self.store.accounts().apply(changes, None)).unwrap();
        assert!(applied.into_iter().all(|change| change.is_ok()));
    }

    /// Queues a message; whether that was confirmed.
    pub fn enqueue(&self, mail: &Mail, now: UnixTime) -> bool {
        self.runtime.block_on(async {
            tokio::select! {
                queued = async { self.store.queue().enqueue(mail.outgoing(now)).await } => queued.is_ok(),
                () = self.died.notified() => {
                    self.died.notify_one();
                    false
                }
            }
        })
    }

    /// Sends what is due; false when the process died.
    pub fn pass(&self) -> bool {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.died.notified() => false,
                () = self.runner.pass() => !self.fuse.burnt(),
            }
        })
    }

    pub fn queue(&self) -> Vec<QueueEntry> {
        self.runtime.block_on(self.store.queue().list(&QueueFilter::default())).unwrap()
    }

    pub fn next_due(&self) -> Option<UnixTime> {
        self.runtime.block_on(self.store.queue().next_due(&[])).unwrap()
    }

    /// What the store says of its own soundness.
    pub fn problems(&self) -> Vec<String> {
        self.runtime.block_on(async {
            self.store.settle().await.unwrap();
            self.store.check().await.unwrap()
        })
    }

    /// The messages in each mailbox.
    pub fn inboxes(&self) -> BTreeMap<String, Vec<String>> {
        let addresses = ["alice@example.test", "bob@example.test"];
        let inbox = |address: &str| (address.to_owned(), self.runtime.block_on(inbox(&self.store, address)));
        addresses.into_iter().map(inbox).collect()
    }
}

/// The lock of a life that has just ended may be held for a moment.
async fn open(data: &Path, options: Options, fuse: &Fuse) -> Option<Arc<Store>> {
    for attempt in 0.. {
        match Store::open(data, options.clone()).await {
            Ok(store) => return Some(Arc::new(store)),
            Err(_) if fuse.burnt() => return None,
            Err(error) => assert!(attempt < 200, "the store does not open: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    None
}

async fn inbox(store: &Store, address: &str) -> Vec<String> {
    let account = store.accounts().lookup_login(address).await.unwrap().unwrap().account;
    let selected = store.mail().select(account, "INBOX", false).await.unwrap();
    let uids: Vec<u32> = selected.rows.iter().map(|row| row.uid).collect();
    let fetched = store.mail().fetch(selected.folder, &uids, Need { index: false, raw: true }).await.unwrap();
    let text = |raw: Option<bytes::Bytes>| String::from_utf8(raw.unwrap().to_vec()).unwrap();
    fetched.messages.into_iter().map(|message| text(message.raw)).collect()
}
