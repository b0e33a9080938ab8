//! What the parts of one operator process share: the client, the view of the cluster, who belongs where, and the way to
//! write statuses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use kube_client::Client;
use kube_core::DynamicObject;
use mailwright_crds::{Kind, ObjectRef};
use mailwright_plan::Problem;
use mailwright_plan::partition::{Assignment, ServerKey};
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::event::{self, Teller};
use super::lease::LeaderState;
use super::options::Options;
use super::status::{self, Round, Wanted, Writer};
use super::world::{Namespace, Seen, World};
use crate::workload::OperatorPlace;

/// What one installation is told of the cluster.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Its objects, the MailServer among them.
    pub members: BTreeMap<ObjectRef, Arc<Seen>>,
    /// What only the whole cluster shows to be wrong with them.
    pub problems: Vec<Problem>,
    /// All namespaces.
    pub namespaces: BTreeMap<String, Namespace>,
    /// The objects whose rows it had when its members were chosen; `None` when nobody had looked yet.
    pub owned: Option<Arc<BTreeSet<ObjectRef>>>,
}

/// Shared by all tasks of a process.
pub struct Shared {
    /// The way to the API server.
    pub client: Client,
    /// What the process was told.
    pub options: Options,
    /// Who leads.
    pub leader: watch::Receiver<LeaderState>,
    /// Wakes the one who chooses members.
    pub partition: Notify,
    /// Wakes the one who looks after finalizers.
    pub caretaker: Notify,
    /// The operator as its pods see it.
    pub place: OperatorPlace,
    changed_secrets: Mutex<BTreeSet<ObjectRef>>,
    world: Mutex<World>,
    assignment: Mutex<Arc<Assignment>>,
    owned: Mutex<BTreeMap<ServerKey, Arc<BTreeSet<ObjectRef>>>>,
    intended: Mutex<BTreeMap<ObjectRef, Value>>,
    writer: Writer,
    teller: Teller,
}

/// Events under way at once.
const EVENTS: usize = 4;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Of a process that has seen nothing yet.
    pub fn new(
        client: Client,
        options: Options,
        leader: watch::Receiver<LeaderState>,
        place: OperatorPlace,
    ) -> Shared {
        let teller = Teller::new(client.clone(), &options.identity);
        Shared {
            writer: Writer::new(client.clone()),
            client,
            options,
            leader,
            partition: Notify::new(),
            caretaker: Notify::new(),
            place,
            changed_secrets: Mutex::default(),
            world: Mutex::default(),
            assignment: Mutex::default(),
            owned: Mutex::default(),
            intended: Mutex::default(),
            teller,
        }
    }

    /// The view of the cluster. Held for moments only.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Whether this process leads, and its term.
    pub fn leading(&self) -> LeaderState {
        *self.leader.borrow()
    }

    /// Whether this process may write at this moment.
    pub fn is_leading(&self) -> bool {
        self.leading().leads_at(Instant::now())
    }

    /// Objects whose Secrets were read and are not what they were: the bell rings for their installations.
    pub fn secrets_changed(&self, objects: BTreeSet<ObjectRef>) {
        if !objects.is_empty() {
            lock(&self.changed_secrets).extend(objects);
            self.partition.notify_one();
        }
    }

    /// Takes them.
    pub fn take_changed_secrets(&self) -> BTreeSet<ObjectRef> {
        std::mem::take(&mut lock(&self.changed_secrets))
    }

    /// Who belongs where, as last decided.
    pub fn assignment(&self) -> Arc<Assignment> {
        Arc::clone(&lock(&self.assignment))
    }

    /// Says who belongs where.
    pub fn assign(&self, assignment: Arc<Assignment>) {
        *lock(&self.assignment) = assignment;
    }

    /// Whether an object belongs to another installation than this one.
    pub fn is_elsewhere(&self, server: &ServerKey, object: &ObjectRef) -> bool {
        let assignment = self.assignment();
        assignment.members.iter().any(|(key, members)| key != server && members.contains(object))
    }

    /// Tells whose rows an installation has; when that is news, members are chosen anew.
    pub fn own(&self, server: &ServerKey, owned: BTreeSet<ObjectRef>) -> Arc<BTreeSet<ObjectRef>> {
        let mut all = lock(&self.owned);
        match all.get(server) {
            Some(known) if **known == owned => Arc::clone(known),
            _ => {
                let owned = Arc::new(owned);
                all.insert(server.clone(), Arc::clone(&owned));
                self.partition.notify_one();
                owned
            }
        }
    }

    /// Whose rows the installations have.
    pub fn owned(&self) -> BTreeMap<ServerKey, Arc<BTreeSet<ObjectRef>>> {
        lock(&self.owned).clone()
    }

    /// Forgets an installation that is declared no more.
    pub fn disown(&self, server: &ServerKey) {
        lock(&self.owned).remove(server);
    }

    /// Whether a status that was seen is the one that we want: the echo of our own write.
    pub fn is_intended(&self, object: &ObjectRef, kept: &Value) -> bool {
        let intended = lock(&self.intended);
        intended.get(object).is_some_and(|wanted| status::change(object.kind, kept, wanted).is_none())
    }

    /// Puts statuses in force where they are not, and tells the transitions among them.
    pub async fn put_statuses(&self, statuses: Vec<(ObjectRef, Value)>, now: DateTime<Utc>) -> Round {
        let mut wanted = Vec::new();
        let mut events = Vec::new();
        for (object, computed) in statuses {
            let Some(seen) = self.world().objects().get(&object).cloned() else { continue };
            let kept = seen.status();
            let Some(changed) = status::change(object.kind, &kept, &computed) else { continue };
            if let Some(said) = event::of(object.kind, &kept, &changed) {
                events.push((object.clone(), seen.uid().to_owned(), said));
            }
            lock(&self.intended).insert(object.clone(), changed.clone());
            wanted.push(Wanted { object, uid: seen.uid().to_owned(), status: changed });
        }
        let leading = || self.is_leading();
        let answered = |kind: Kind, object: DynamicObject| drop(self.world().answered(kind, object));
        let objects: Vec<ObjectRef> = wanted.iter().map(|wanted| wanted.object.clone()).collect();
        let round = self.writer.write(wanted, now, &leading, &answered).await;
        {
            let mut intended = lock(&self.intended);
            objects.iter().for_each(|object| drop(intended.remove(object)));
        }
        events.retain(|(object, ..)| leading() && self.writer.is_settled(object));
        let told = events.into_iter().map(|(object, uid, said)| self.teller.tell(object, uid, said));
        futures::stream::iter(told).buffer_unordered(EVENTS).collect::<()>().await;
        round
    }

    /// When a status that could not be written is to be tried again.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.writer.next_due()
    }
}
