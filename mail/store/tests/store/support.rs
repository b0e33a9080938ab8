//! A store in a temporary directory with a clock that stands still, and rows to put into it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use mailwright_store::{
    AccountId, Alias, AliasRow, Append, Change, ChangeError, DeletionPolicy, Delivery, DomainRow, Effect,
    Fence, Fetched, FolderId, Mailbox, MailboxRow, Management, Need, NewCredential, Options, Outcome,
    Ownership, Senders, ServerRow, Store, Target,
};
use serde_json::json;
use tempfile::TempDir;

pub const START: i64 = 1_800_000_000;

pub struct Home {
    pub dir: TempDir,
    pub store: Arc<Store>,
    pub clock: Arc<AtomicI64>,
}

impl Home {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let dir = directory();
        let clock = Arc::new(AtomicI64::new(START));
        let mut options = options(&clock);
        change(&mut options);
        let store = Arc::new(Store::open(dir.path(), options).await.unwrap());
        Self { dir, store, clock }
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// One account in example.test.
    pub async fn account(&self, address: &str) -> AccountId {
        account(&self.store, address).await
    }

    pub async fn apply(&self, change: Change) -> Result<Effect, ChangeError> {
        self.store.accounts().apply(vec![change], None).await.unwrap().remove(0)
    }

    pub async fn mailbox(&self, address: &str) -> Mailbox {
        let accounts = self.store.accounts().observe().await.unwrap();
        accounts.mailboxes.into_iter().find(|m| m.row.address == address).unwrap()
    }

    pub async fn alias(&self, address: &str) -> Alias {
        let accounts = self.store.accounts().observe().await.unwrap();
        accounts.aliases.into_iter().find(|a| a.row.address == address).unwrap()
    }

    pub async fn deliver(&self, account: AccountId, raw: impl Into<Bytes>) -> u32 {
        match self.store.mail().deliver(delivery(&[account], raw)).await.unwrap()[..] {
            [Outcome::Delivered { uid }] => uid,
            ref other => panic!("{other:?}"),
        }
    }

    pub async fn append(&self, account: AccountId, name: &str, flags: u64, keywords: &[&str]) -> u32 {
        let append = append(message(1), flags, keywords);
        self.store.mail().append(account, name, append).await.unwrap().uid
    }

    pub async fn folder(&self, account: AccountId, name: &str) -> FolderId {
        self.store.mail().status(account, name).await.unwrap().folder
    }

    pub async fn uids(&self, account: AccountId, name: &str) -> Vec<u32> {
        let selected = self.store.mail().select(account, name, false).await.unwrap();
        selected.rows.iter().map(|row| row.uid).collect()
    }

    pub async fn raw(&self, folder: FolderId, uid: u32) -> Option<Bytes> {
        let Fetched { messages, rest } =
            self.store.mail().fetch(folder, &[uid], Need { raw: true, index: false }).await.unwrap();
        assert!(rest.is_empty());
        messages.into_iter().next().map(|m| m.raw.unwrap())
    }

    /// Asserts that the integrity report is empty.
    pub async fn sound(&self) {
        self.store.settle().await.unwrap();
        assert_eq!(self.store.check().await.unwrap(), Vec::<String>::new());
    }

    pub async fn reopened(self) -> Self {
        self.store.close().await;
        let store = Arc::new(Store::open(self.dir.path(), options(&self.clock)).await.unwrap());
        Self { store, ..self }
    }
}

/// In memory where there is such a place: these tests are about what is written, not how fast a disk is.
pub fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub fn options(clock: &Arc<AtomicI64>) -> Options {
    let clock = Arc::clone(clock);
    Options { clock: Arc::new(move || clock.load(Ordering::SeqCst)), ..Options::default() }
}

pub async fn account(store: &Store, address: &str) -> AccountId {
    let domain = address.rsplit_once('@').unwrap().1;
    let batch = vec![Change::PutDomain(domain_row(domain)), put_mailbox(mailbox_row(address))];
    for result in store.accounts().apply(batch, None).await.unwrap() {
        result.unwrap();
    }
    store.accounts().lookup_login(address).await.unwrap().unwrap().account
}

pub fn owner(source: &str) -> Option<Ownership> {
    Some(Ownership {
        managed_by: source.into(),
        object: "mail/thing".into(),
        origin_file: "thing.yaml".into(),
        origin_line: 3,
        applied: None,
        former: None,
    })
}

pub fn server_row(name: &str) -> ServerRow {
    ServerRow { name: name.into(), settings: json!({"hostname": "mx.example.test"}), owner: owner("git") }
}

pub fn domain_row(name: &str) -> DomainRow {
    DomainRow {
        name: name.into(),
        server: "mail/main".into(),
        aliases: Vec::new(),
        parked: false,
        catch_all: None,
        settings: json!({}),
        owner: owner("git"),
    }
}

pub fn mailbox_row(address: &str) -> MailboxRow {
    MailboxRow {
        address: address.into(),
        display_name: String::new(),
        quota: None,
        enabled: true,
        send_as: Vec::new(),
        forward: Vec::new(),
        keep_copy: true,
        deletion_policy: DeletionPolicy::Disable,
        retain_for_seconds: 3600,
        legal_hold: false,
        owner: owner("git"),
    }
}

pub fn alias_row(address: &str, targets: &[&str]) -> AliasRow {
    AliasRow {
        address: address.into(),
        targets: targets.iter().map(|t| (*t).into()).collect(),
        senders: Senders::Anyone,
        enabled: true,
        owner: owner("git"),
    }
}

pub fn put_mailbox(row: MailboxRow) -> Change {
    Change::PutMailbox { row, credential: None }
}

pub fn credential(secret: &str, management: Management) -> Option<NewCredential> {
    Some(NewCredential {
        hash: format!("hash of {secret}"),
        scram: None,
        fingerprint: secret.into(),
        management,
    })
}

pub fn target(name: &str) -> Target {
    Target { name: name.into(), managed_by: Some("git".into()) }
}

pub fn fence(epoch: u64) -> Fence {
    Fence { epoch, database: None }
}

pub fn message(number: usize) -> Bytes {
    Bytes::from(format!("Subject: message {number}\r\n\r\nHello, this is the text of message {number}.\r\n"))
}

/// Incompressible bytes that need a file, different for each seed.
pub fn large(seed: u8) -> Bytes {
    let mut bytes = vec![0; 100_000];
    let mut state = u32::from(seed) + 1;
    for byte in &mut bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    bytes.into()
}

pub fn delivery(accounts: &[AccountId], raw: impl Into<Bytes>) -> Delivery {
    Delivery {
        accounts: accounts.to_vec(),
        raw: raw.into(),
        index: Bytes::from_static(b"index").into(),
        internal_date: START,
        outgoing: Vec::new(),
    }
}

pub fn append(raw: Bytes, flags: u64, keywords: &[&str]) -> Append {
    Append {
        raw,
        index: Bytes::from_static(b"index").into(),
        flags,
        keywords: keywords.iter().map(|k| (*k).into()).collect(),
        internal_date: START - 1000,
    }
}

/// Blob files below a data directory.
pub fn blob_files(dir: &Path) -> usize {
    let shards = std::fs::read_dir(dir.join("blobs")).unwrap().map(|shard| shard.unwrap().path());
    shards.map(|shard| std::fs::read_dir(shard).unwrap().count()).sum()
}
