//! Random IMAP commands of several sessions on the machine and the real store, against a simple model of what RFC 3501 and
//! RFC 7162 say: views, flags, MODSEQ and VANISHED agree after every command, sequence numbers never go wrong, and a client
//! that reconnects with QRESYNC ends with what a new SELECT would show.

mod client;
mod model;
mod peer;
mod steps;

use std::sync::Arc;

use client::View;
use mailwright_store::{AccountId, Change, DeletionPolicy, DomainRow, MailboxRow, Options, Store};
use mailwright_tests::random::Random;
use model::Model;
use peer::Peer;

const SEEDS: std::ops::Range<u64> = 0..24;
const STEPS: usize = 160;

/// What a client enables: nothing, then more and more.
const MODES: [&str; 4] = ["", "CONDSTORE", "QRESYNC", "IMAP4rev2 QRESYNC"];

/// One client: its connection, while it has one, and what it knows.
struct Session {
    mode: &'static str,
    peer: Option<Peer>,
    view: View,
}

impl Session {
    fn condstore(&self) -> bool {
        !self.mode.is_empty()
    }

    fn qresync(&self) -> bool {
        self.mode.contains("QRESYNC")
    }
}

struct Sim {
    store: Arc<Store>,
    account: AccountId,
    random: Random,
    model: Model,
    sessions: Vec<Session>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_agree_with_the_model() {
    for seed in SEEDS {
        println!("seed {seed}");
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(dir.path(), Options::default()).await.unwrap());
        let account = account(&store).await;
        let session = |mode| Session { mode, peer: None, view: View::default() };
        let sessions = MODES.into_iter().map(session).collect();
        let mut sim = Sim { store, account, random: Random::new(seed), model: Model::new(), sessions };
        for who in 0..MODES.len() {
            sim.connect(who).await;
        }
        for _ in 0..STEPS {
            let who = sim.random.below(MODES.len());
            sim.step(who).await;
        }
        for who in 0..MODES.len() {
            if sim.sessions[who].peer.is_none() {
                sim.connect(who).await;
            }
            sim.noop(who).await;
        }
        assert_eq!(sim.store.check().await.unwrap(), Vec::<String>::new(), "seed {seed}");
        sim.store.close().await;
    }
}

/// alice@example.test
async fn account(store: &Store) -> AccountId {
    let domain = DomainRow {
        name: "example.test".into(),
        server: "mail/main".into(),
        aliases: Vec::new(),
        parked: false,
        catch_all: None,
        settings: serde_json::json!({}),
        owner: None,
    };
    let mailbox = MailboxRow {
        address: "alice@example.test".into(),
        display_name: String::new(),
        quota: None,
        enabled: true,
        send_as: Vec::new(),
        forward: Vec::new(),
        keep_copy: true,
        deletion_policy: DeletionPolicy::Disable,
        retain_for_seconds: 3600,
        legal_hold: false,
        owner: None,
    };
    let batch = vec![Change::PutDomain(domain), Change::PutMailbox { row: mailbox, credential: None }];
    for result in store.accounts().apply(batch, None).await.unwrap() {
        result.unwrap();
    }
    let accounts = store.accounts().observe().await.unwrap();
    accounts.mailboxes[0].id
}
