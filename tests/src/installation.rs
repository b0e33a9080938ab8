//! A whole installation in this process: data directory, store, operator, as `mailwright up` has them, without listeners.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeZone as _, Utc};
use mailwright::connect::Connection;
use mailwright_operator::accounts::Accounts as _;
use mailwright_operator::platform::local::Local;
use mailwright_operator::source::{Options as SourceOptions, Source};
use mailwright_operator::{Operator, Pass, PassError};
use mailwright_plan::Observed;
use mailwright_server::Management;
use mailwright_store::{Options, Store};
use serde_json::{Value, json};

use crate::steps::{Fuse, Stepped};

/// One key for all installations, so that their states can be compared.
const FINGERPRINT_KEY: [u8; 32] = [7; 32];

/// The day of every test.
pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).single().expect("a valid time")
}

/// An opened installation.
pub struct Installation {
    /// Its store.
    pub store: Arc<Store>,
    /// The account database as commands see it.
    pub accounts: Connection,
    platform: Local,
    fuse: Fuse,
}

impl Installation {
    /// Opens the data directory; effects pass the fuse, those inside the store too. `None`: it died while opening.
    pub async fn open(data: &Path, fuse: Fuse) -> Option<Installation> {
        let platform = Local::open(data).expect("the data directory is ours");
        let hook = fuse.clone();
        let options = Options { crash: Some(Arc::new(move |point| hook.burns(point))), ..Options::default() };
        let store = match Store::open(data, options).await {
            Ok(store) => Arc::new(store),
            Err(_) if fuse.burnt() => return None,
            Err(error) => panic!("the store does not open: {error}"),
        };
        let accounts = Connection::Offline(Arc::new(Management::new(Arc::clone(&store))));
        Some(Installation { store, accounts, platform, fuse })
    }

    /// An operator that has seen nothing yet.
    pub fn operator(&self) -> Operator<Stepped<Connection>, Stepped<Local>> {
        let accounts = Stepped::new(self.accounts.clone(), self.fuse.clone());
        let platform = Stepped::new(self.platform.clone(), self.fuse.clone());
        Operator::new(accounts, platform, FINGERPRINT_KEY)
    }

    /// One pass over a directory of manifests, every guard that can be approved being approved.
    pub async fn pass(&self, manifests: &Path) -> Result<Pass, PassError> {
        let mut operator = self.operator();
        let location = manifests.to_str().expect("the path is text");
        let mut source = Source::open(location, SourceOptions::default()).expect("the manifests are there");
        let snapshot = source.load().expect("the manifests can be read").expect("the first load is new");
        assert_eq!(snapshot.errors().count(), 0, "{:?}", snapshot.problems);
        operator.take(&snapshot);
        let digest = operator.plan(now()).await?.digest;
        operator.approve(Some(digest));
        operator.pass(now()).await
    }

    /// What is in force, without what may differ between two ways to the same state: numbers, times, places.
    pub async fn state(&self) -> Value {
        let observed = self.accounts.observe().await.expect("the database answers");
        let mut records = Vec::new();
        let keys = self.accounts.record_keys().await.expect("the database answers");
        for record in self.accounts.records(keys).await.expect("the database answers") {
            let conditions = record.status["conditions"].as_array().cloned().unwrap_or_default();
            let conditions: Vec<Value> = conditions
                .iter()
                .map(|c| json!([c["type"], c["status"], c["reason"], c["message"]]))
                .collect();
            records.push(json!([record.object, record.spec, conditions]));
        }
        json!({ "rows": without_accidents(observed), "records": records })
    }

    /// How often the account database was really written.
    pub async fn change_counter(&self) -> u64 {
        self.accounts.observe().await.expect("the database answers").change_counter
    }

    /// Closes the store so that the directory can be opened again.
    pub async fn close(self) {
        self.store.close().await;
    }
}

fn without_accidents(observed: Observed) -> Value {
    let mut observed = Observed { change_counter: 0, ..observed };
    for mailbox in &mut observed.mailboxes {
        mailbox.account_id = 0;
        mailbox.removed_at = mailbox.removed_at.map(|_| now());
    }
    for domain in &mut observed.domains {
        domain.removed_at = domain.removed_at.map(|_| now());
    }
    let mut value = serde_json::to_value(observed).expect("rows are data");
    for table in ["servers", "domains", "mailboxes", "aliases"] {
        for row in value[table].as_array_mut().into_iter().flatten() {
            if let Some(owner) = row.get_mut("owner").and_then(Value::as_object_mut) {
                owner.remove("origin");
            }
        }
    }
    value
}
