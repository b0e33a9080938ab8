//! Owns the way from a subcommand to the account database: the running process by its management socket, or, when
//! nothing runs, the data directory itself.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use mailwright_operator::accounts::{Accounts, AccountsError, Record};
use mailwright_operator::platform::local::Local;
use mailwright_plan::history::{Query, Record as HistoryRecord};
use mailwright_plan::{Batch, BatchReply, ObjectRef, Observed};
use mailwright_server::management::{
    FetchRequest, FetchedMessage, Purged, ResourceRecord, Trace, TraceRequest,
};
use mailwright_server::{Management, ManagementClient, ManagementError};
use mailwright_store::{Options, Store};

/// The account database behind one interface.
#[derive(Clone)]
pub enum Connection {
    /// A process serves this data directory; it is asked over its socket.
    Running(ManagementClient),
    /// Nothing runs: the database is opened here, under its lock.
    Offline(Arc<Management>),
    /// There is no data directory yet: nothing is observed, nothing can be applied.
    Absent,
    /// An installation that there is no way to from here, as a file tells of it; nothing can be applied.
    Told(Arc<Observed>),
}

impl Connection {
    /// Asks the running process, or opens what it left.
    pub async fn open(data: &Path) -> Result<Connection> {
        match Connection::look(data).await? {
            Connection::Absent | Connection::Told(_) => bail!(
                "there is no data directory at {}; start with `mailwright up <dir>`, or name another with --data",
                data.display()
            ),
            connection => Ok(connection),
        }
    }

    /// Like [`Connection::open`], but a directory that does not exist is an empty installation.
    pub async fn look(data: &Path) -> Result<Connection> {
        let client = ManagementClient::new(data);
        if client.is_running().await {
            return Ok(Connection::Running(client));
        }
        if data.exists() && !data.is_dir() {
            bail!("{} is a file; --data names a directory", data.display());
        }
        if !data.join("mailwright.db").exists() {
            return Ok(Connection::Absent);
        }
        let store = Store::open(data, Options::default()).await?;
        Ok(Connection::Offline(Arc::new(Management::new(Arc::new(store)))))
    }

    /// Opens the database here, making it when there is none; a running process is an error of the store's lock.
    pub async fn make(data: &Path) -> Result<Connection> {
        let client = ManagementClient::new(data);
        if client.is_running().await {
            return Ok(Connection::Running(client));
        }
        Local::open(data)?;
        let store = Store::open(data, Options::default()).await?;
        Ok(Connection::Offline(Arc::new(Management::new(Arc::new(store)))))
    }

    /// Whether there is no installation yet.
    pub fn is_absent(&self) -> bool {
        matches!(self, Connection::Absent)
    }

    /// Whether fingerprints that are made here mean nothing, because what they would be compared with is not here.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Connection::Absent | Connection::Told(_))
    }

    /// Which database answers; `None` where there is none.
    pub async fn database(&self) -> Result<Option<String>> {
        Ok(match self {
            Connection::Running(client) => Some(client.identity().await?.database),
            Connection::Offline(management) => Some(management.identity().await?.database),
            Connection::Absent | Connection::Told(_) => None,
        })
    }

    /// Sets a password as its owner.
    pub async fn set_password(&self, address: &str, password: &str) -> Result<()> {
        match self {
            Connection::Running(client) => client.set_password(address, password).await?,
            Connection::Offline(management) => management.set_password(address, password).await?,
            Connection::Absent | Connection::Told(_) => bail!("there is no database"),
        }
        Ok(())
    }

    /// What was done; a page of it.
    pub async fn history(&self, query: &Query) -> Result<Vec<HistoryRecord>> {
        Ok(match self {
            Connection::Running(client) => client.history(query).await?,
            Connection::Offline(management) => management.history(query).await?,
            Connection::Absent | Connection::Told(_) => bail!("there is no database"),
        })
    }

    /// Where mail would go.
    pub async fn trace(&self, request: &TraceRequest) -> Result<Trace> {
        Ok(match self {
            Connection::Running(client) => client.trace(request).await?,
            Connection::Offline(management) => management.trace(request).await?,
            Connection::Absent | Connection::Told(_) => bail!("there is no database"),
        })
    }

    /// Messages of a mailbox.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<Vec<FetchedMessage>> {
        Ok(match self {
            Connection::Running(client) => client.fetch(request).await?,
            Connection::Offline(management) => management.fetch(request).await?,
            Connection::Absent | Connection::Told(_) => bail!("there is no database"),
        })
    }

    /// Every kept resource with its status.
    pub async fn all_records(&self) -> Result<Vec<Record>> {
        let records = match self {
            Connection::Running(client) => client.resources().await?,
            Connection::Offline(management) => management.resources().await?,
            Connection::Absent | Connection::Told(_) => Vec::new(),
        };
        Ok(records.into_iter().map(from_wire).collect())
    }

    /// Deletes the kept mail of a removed mailbox.
    pub async fn purge(&self, address: &str, force: bool) -> Result<Purged> {
        Ok(match self {
            Connection::Running(client) => client.purge(address, force).await?,
            Connection::Offline(management) => management.purge(address, force, chrono::Utc::now()).await?,
            Connection::Absent | Connection::Told(_) => bail!("there is no database"),
        })
    }
}

impl Accounts for Connection {
    async fn observe(&self) -> Result<Observed, AccountsError> {
        match self {
            Connection::Running(client) => client.observe().await.map_err(refused),
            Connection::Offline(management) => management.observe().await.map_err(refused),
            Connection::Absent => Ok(Observed::default()),
            Connection::Told(observed) => Ok(Observed::clone(observed)),
        }
    }

    async fn observe_since(&self, change_counter: Option<u64>) -> Result<Option<Observed>, AccountsError> {
        match self {
            Connection::Offline(management) => {
                management.observe_since(change_counter).await.map_err(refused)
            }
            Connection::Running(_) | Connection::Absent | Connection::Told(_) => {
                let observed = self.observe().await?;
                Ok((Some(observed.change_counter) != change_counter).then_some(observed))
            }
        }
    }

    async fn observe_addresses(
        &self,
        addresses: &std::collections::BTreeSet<String>,
    ) -> Result<Option<Observed>, AccountsError> {
        match self {
            Connection::Offline(management) => {
                management.observe_addresses(addresses).await.map(Some).map_err(refused)
            }
            // One question over a socket is as good as another.
            Connection::Running(_) | Connection::Absent | Connection::Told(_) => Ok(None),
        }
    }

    async fn apply(&self, batch: Batch) -> Result<BatchReply, AccountsError> {
        match self {
            Connection::Running(client) => client.apply(&batch).await.map_err(refused),
            Connection::Offline(management) => management.apply(batch).await.map_err(refused),
            Connection::Absent | Connection::Told(_) => Err(absent()),
        }
    }

    async fn record_keys(&self) -> Result<Vec<ObjectRef>, AccountsError> {
        match self {
            Connection::Running(client) => client.resource_keys().await.map_err(refused),
            Connection::Offline(management) => management.resource_keys().await.map_err(refused),
            Connection::Absent | Connection::Told(_) => Ok(Vec::new()),
        }
    }

    async fn records(&self, objects: Vec<ObjectRef>) -> Result<Vec<Record>, AccountsError> {
        let records = match self {
            Connection::Running(client) => client.resources_of(&objects).await.map_err(refused)?,
            Connection::Offline(management) => management.resources_of(&objects).await.map_err(refused)?,
            Connection::Absent | Connection::Told(_) => Vec::new(),
        };
        Ok(records.into_iter().map(from_wire).collect())
    }

    async fn records_version(&self) -> Result<Option<u64>, AccountsError> {
        Ok(match self {
            Connection::Offline(management) => Some(management.resources_version()),
            // Another process runs between two calls.
            Connection::Running(_) | Connection::Absent | Connection::Told(_) => None,
        })
    }

    async fn put_records(&self, records: Vec<Record>) -> Result<usize, AccountsError> {
        let records: Vec<ResourceRecord> = records.into_iter().map(to_wire).collect();
        match self {
            Connection::Running(client) => client.put_resources(&records).await.map_err(refused),
            Connection::Offline(management) => management.put_resources(records).await.map_err(refused),
            Connection::Absent | Connection::Told(_) => Err(absent()),
        }
    }

    async fn forget(&self, objects: Vec<ObjectRef>) -> Result<(), AccountsError> {
        match self {
            Connection::Running(client) => client.delete_resources(&objects).await.map_err(refused).map(drop),
            Connection::Offline(management) => {
                management.delete_resources(objects).await.map_err(refused).map(drop)
            }
            Connection::Absent | Connection::Told(_) => Err(absent()),
        }
    }
}

fn refused(error: ManagementError) -> AccountsError {
    AccountsError::refused(error.message)
}

fn absent() -> AccountsError {
    AccountsError::refused("there is no account database yet")
}

fn from_wire(record: ResourceRecord) -> Record {
    let ResourceRecord { object, generation, created, spec, status } = record;
    Record { object, generation, created, spec, status }
}

fn to_wire(record: Record) -> ResourceRecord {
    let Record { object, generation, created, spec, status } = record;
    ResourceRecord { object, generation, created, spec, status }
}
