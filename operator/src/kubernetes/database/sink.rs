//! The sink of one MailRepository with `sink: Database`: finds the MailServer that `serverRef` names and the way to its account
//! database, under the Lease's term and for the database that the MailServer's status names and no other.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mailwright_crds::{ConditionType, ObjectRef, Reason};
use mailwright_plan::partition::ServerKey;
use mailwright_plan::{Fence, Observed, Plan, Verdict};

use super::{Account, Around, Database, Reviewer, neighbours, without_the_clusters};
use crate::accounts::{AccountsError, AccountsErrorKind, Connector};
use crate::kubernetes::installation::reach::Way;
use crate::kubernetes::keyring::Keyring;
use crate::kubernetes::repository::previews::Ground;
use crate::kubernetes::repository::sink::{Sink, Task, Worked, account};
use crate::kubernetes::shared::Shared;
use crate::kubernetes::world::{Seen, World};
use crate::operator::PassError;
use crate::preview::round::Against;
use crate::preview::{Base, Stage};
use crate::repository::Trouble;
use crate::source::Snapshot;

/// The sink of one MailRepository.
pub struct DatabaseSink<C: Connector> {
    shared: Arc<Shared>,
    keyring: Arc<Keyring>,
    connector: C,
    open: Option<Open<C>>,
}

/// A MailServer that was found, and what is known of its database.
struct Open<C: Connector> {
    server: ServerKey,
    way: Way<C>,
    database: Database<C::Remote>,
    taken: Option<Taken>,
}

/// Which reading of a repository was taken in: its revision, where its objects are in memory, and the generation that says how it
/// was read. The place is compared and nothing else; it is a number, so that the sink can move between threads.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    revision: String,
    objects: usize,
    generation: Option<i64>,
}

impl Taken {
    fn of(task: &Task<'_>) -> Taken {
        Taken {
            revision: task.revision.snapshot.revision.clone(),
            objects: task.revision.snapshot.objects.as_ptr().addr(),
            generation: task.repository.metadata.generation,
        }
    }
}

/// What the cluster says of the MailServer and of what is around it.
struct Found {
    database: String,
    around: Around,
}

impl<C: Connector> DatabaseSink<C> {
    /// A sink that has reached nothing yet.
    pub fn new(shared: Arc<Shared>, keyring: Arc<Keyring>, connector: C) -> Self {
        Self { shared, keyring, connector, open: None }
    }

    /// What lets another source take over the rows of this MailRepository.
    pub fn adoption_token(&self, object: &ObjectRef) -> String {
        let source = super::source_id(&object.namespace, &object.name);
        mailwright_plan::adopt::token(self.keyring.fingerprint_key(), &source)
    }

    /// Whether somebody else wrote rows since the last pass: a domain that an object or another repository declares may be there
    /// only now.
    pub fn is_behind(&self, counters: &BTreeMap<ServerKey, u64>) -> bool {
        self.open.as_ref().is_some_and(|open| {
            let seen = open.database.change_counter();
            seen.is_some() && counters.get(&open.server).is_some_and(|counter| Some(*counter) != seen)
        })
    }

    /// The way to the database, made anew when it is another MailServer, leader or certificate.
    async fn reach(
        &mut self,
        object: &ObjectRef,
        server: ServerKey,
        database: String,
        now: DateTime<Utc>,
    ) -> Result<&mut Open<C>, Trouble> {
        let identity = self.keyring.identity(now).await.map_err(|error| {
            temporary(Reason::DatabaseUnreachable, format!("the operator has no certificate: {error}"))
        })?;
        let mut open = match self.open.take().filter(|open| open.server == server) {
            Some(open) => open,
            None => Open {
                way: Way::new(self.connector.clone(), &self.shared.options, &server),
                database: Database::new(&object.namespace, &object.name, *self.keyring.fingerprint_key()),
                server,
                taken: None,
            },
        };
        let fence = Fence { term: self.shared.leading().term, database: Some(database) };
        if let Some(remote) = open.way.connect(fence.clone(), &identity) {
            open.database.reach(remote, Some(fence));
        }
        Ok(self.open.insert(open))
    }

    async fn worked(&mut self, task: Task<'_>) -> Result<Worked, Trouble> {
        let name = account(&self.shared, &task)?;
        let account = Account { namespace: task.object.namespace.to_string(), name };
        let server = task.repository.spec.server_ref.as_ref().map(|server| server.name.as_str());
        let server = ServerKey::new(&task.object.namespace, server.unwrap_or_default());
        let Found { database, around } = find(&self.shared.world(), &server)?;
        let client = self.shared.client.clone();
        let open = self.reach(task.object, server, database, task.now).await?;
        open.database.obey(task.rules.clone());
        let taken = Taken::of(&task);
        if open.taken.as_ref() != Some(&taken) {
            open.database.take(task.revision);
            open.taken = Some(taken);
        }
        // All that count, whoever told of them; what commits say is among them.
        open.database.approve(task.approvals.iter().cloned());
        open.database.live_among(around);
        let work = open.database.work(task.now, &Reviewer::new(client, account)).await;
        let work = work.map_err(|error| trouble(&error))?;
        let failed = work.outcomes.iter().any(|outcome| matches!(outcome.verdict, Verdict::Failed { .. }));
        let trouble = work.trouble.as_ref().map(refused);
        Ok(Worked {
            again: failed || trouble.as_ref().is_some_and(|trouble| trouble.temporary),
            objects: open.database.catalog().entries().count(),
            plan: work.plan,
            outcomes: work.outcomes,
            trouble,
        })
    }
}

impl<C: Connector> Sink for DatabaseSink<C> {
    async fn work(&mut self, task: Task<'_>) -> Worked {
        self.worked(task).await.unwrap_or_else(Worked::nothing)
    }

    fn ground(&self, task: &Task<'_>) -> Option<Ground> {
        let (stage, observed) = self.open.as_ref()?.database.stage()?;
        Some(Arc::new(Rows { stage, observed, followed: task.revision.snapshot.revision.clone() }))
    }
}

/// The rows of an account database, as a pass left them, and what the cluster says around them.
struct Rows {
    stage: Stage,
    observed: Arc<Observed>,
    followed: String,
}

impl Rows {
    fn against(&self) -> Against<'_> {
        Against { stage: &self.stage, observed: &self.observed, followed: &self.followed }
    }
}

impl Base for Rows {
    fn plan(&self, head: &Snapshot, now: DateTime<Utc>) -> Result<Plan, String> {
        self.against().plan(&without_the_clusters(head), now)
    }

    fn followed(&self) -> &str {
        &self.followed
    }

    fn name(&self) -> String {
        self.against().name()
    }
}

/// The database of a MailServer, as its status binds it, and what is around it.
fn find(world: &World, server: &ServerKey) -> Result<Found, Trouble> {
    if !world.is_complete() || !world.knows_all_kinds() {
        let message = "the objects of the cluster are not all known at the moment; it is tried again";
        return Err(temporary(Reason::ApplyFailed, message));
    }
    let resources = || world.objects().values().filter(|seen| !seen.is_terminating());
    let Some(found) = world.objects().get(&server.object()).filter(|seen| !seen.is_terminating()) else {
        let message = format!(
            "there is no MailServer {server}; make it, or correct spec.serverRef; nothing changes until then"
        );
        return Err(temporary(Reason::ServerNotFound, message));
    };
    let Some(database) = bound(found) else {
        let message = format!("the MailServer {server} has no database yet; it is tried again when it has");
        return Err(temporary(Reason::DatabaseUnreachable, message));
    };
    let declared = resources().filter_map(|seen| seen.entry.as_ref().ok()).map(|entry| &entry.resource);
    let namespaces = world.namespaces().iter().map(|(name, it)| (name.clone(), it.labels.clone()));
    let around =
        Around { neighbours: neighbours(declared, &server.object()), namespaces: namespaces.collect() };
    Ok(Found { database, around })
}

/// `status.databaseID`
fn bound(server: &Seen) -> Option<String> {
    server.status().get("databaseID")?.as_str().map(str::to_owned)
}

fn temporary(reason: Reason, message: impl Into<String>) -> Trouble {
    Trouble { temporary: true, ..Trouble::lasting(ConditionType::Ready, reason, message) }
}

/// Why the account database took nothing, as a MailRepository says it.
fn refused(error: &AccountsError) -> Trouble {
    let message = match error.kind {
        AccountsErrorKind::Unreachable => {
            format!("the account database does not answer: {}; it is tried again", error.message)
        }
        AccountsErrorKind::Fenced => format!("another operator leads: {}", error.message),
        AccountsErrorKind::WrongDatabase => {
            format!("{}; see the MailServer's condition DatabaseReady", error.message)
        }
        AccountsErrorKind::StorageFull => {
            format!("the data volume of the MailServer is full: {}; make room", error.message)
        }
        AccountsErrorKind::Refused => error.message.clone(),
    };
    temporary(Reason::DatabaseUnreachable, message)
}

fn trouble(error: &PassError) -> Trouble {
    match error {
        PassError::Accounts(error) => refused(error),
        PassError::Unasked(why) => temporary(Reason::AccessDenied, why),
        error => temporary(Reason::ApplyFailed, error.to_string()),
    }
}

#[cfg(test)]
mod tests;
