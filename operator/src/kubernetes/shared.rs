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

use super::event::{self, Said, Teller};
use super::lease::LeaderState;
use super::options::Options;
use super::repository::roster::Roster;
use super::status::{self, Round, Wanted, Writer};
use super::world::{self, Namespace, Seen, World};
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
    /// The MailRepositories.
    pub roster: Roster,
    objects: watch::Sender<u64>,
    counters: watch::Sender<BTreeMap<ServerKey, u64>>,
    changed_secrets: Mutex<BTreeSet<ObjectRef>>,
    changed_objects: Mutex<BTreeSet<ObjectRef>>,
    world: Mutex<World>,
    assignment: Mutex<Option<Arc<Assignment>>>,
    owned: Mutex<BTreeMap<ServerKey, Arc<BTreeSet<ObjectRef>>>>,
    intended: Mutex<BTreeMap<ObjectRef, Arc<str>>>,
    writer: Writer,
    teller: Teller,
}

/// Statuses that are to be put in force, and what is to be told of them.
#[derive(Debug, Default)]
pub struct Changes {
    wanted: Vec<Wanted>,
    events: Vec<(ObjectRef, String, Said)>,
}

/// Statuses of one pass before news may cut it short: about a second of an API server, and more than enough to pay for the pass.
const GOOD_PART: usize = 500;

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
            roster: Roster::default(),
            objects: watch::Sender::default(),
            counters: watch::Sender::default(),
            changed_secrets: Mutex::default(),
            changed_objects: Mutex::default(),
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

    /// Takes in the answer to a write of our own. It may show what somebody else changed just before, and the watch that tells
    /// of it later tells nothing new: the bell rings now.
    pub fn answered(&self, kind: Kind, object: DynamicObject) {
        let touched = self.world().answered(kind, object);
        if !touched.objects.is_empty() {
            lock(&self.changed_objects).extend(touched.objects);
            self.partition.notify_one();
        }
    }

    /// Takes the objects that answers showed to be others.
    pub fn take_changed_objects(&self) -> BTreeSet<ObjectRef> {
        std::mem::take(&mut lock(&self.changed_objects))
    }

    /// Objects declare something else than before: who puts a repository in force compares.
    pub fn tell_objects_changed(&self) {
        self.objects.send_modify(|count| *count += 1);
    }

    /// Tells when objects declare something else than before.
    pub fn objects_changed(&self) -> watch::Receiver<u64> {
        self.objects.subscribe()
    }

    /// Tells the change counter of an installation's account database, as it was seen now.
    pub fn tell_counter(&self, server: &ServerKey, counter: u64) {
        self.counters.send_if_modified(|all| all.insert(server.clone(), counter) != Some(counter));
    }

    /// Tells the change counters of account databases: whoever puts rows there sees that somebody else did.
    pub fn counters(&self) -> watch::Receiver<BTreeMap<ServerKey, u64>> {
        self.counters.subscribe()
    }

    /// Puts the status of a MailRepository in force, if it says something else than the one that is kept, and tells the
    /// transition. What cannot be written now is judged again at the next attempt.
    pub async fn put_own(&self, object: &ObjectRef, uid: &str, kept: &Value, computed: &Value) {
        let Some(changed) = status::change(object.kind, kept, computed).filter(|_| self.is_leading()) else {
            return;
        };
        match self.writer.send(&Wanted::new(object.clone(), uid, &changed)).await {
            Ok(written) => {
                self.roster.answered(written);
                if let Some(said) = event::of(object.kind, kept, &changed) {
                    self.teller.tell(object.clone(), uid.to_owned(), said).await;
                }
            }
            Err(error) => tracing::warn!(%object, %error, "the status of the repository is not written"),
        }
    }

    /// Tells an event of a MailRepository, while this process leads.
    pub async fn tell_own(&self, object: ObjectRef, uid: String, said: Said) {
        if self.is_leading() {
            self.teller.tell(object, uid, said).await;
        }
    }

    /// Who belongs where, as last decided; `None` until that is decided for the first time since this process leads.
    pub fn assignment(&self) -> Option<Arc<Assignment>> {
        lock(&self.assignment).clone()
    }

    /// Says who belongs where; `None` when it is not known any more.
    pub fn assign(&self, assignment: Option<Arc<Assignment>>) {
        *lock(&self.assignment) = assignment;
    }

    /// Whether an object belongs to another installation than this one.
    pub fn is_elsewhere(&self, server: &ServerKey, object: &ObjectRef) -> bool {
        self.assignment().is_some_and(|assignment| {
            assignment.members.iter().any(|(key, members)| key != server && members.contains(object))
        })
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
        self.counters.send_if_modified(|all| all.remove(server).is_some());
    }

    /// Whether a status that was seen is the one that we want: the echo of our own write.
    pub fn is_intended(&self, object: &ObjectRef, kept: &Value) -> bool {
        let intended = lock(&self.intended);
        intended.get(object).is_some_and(|wanted| {
            let wanted: Value = serde_json::from_str(wanted).unwrap_or_default();
            status::change(object.kind, kept, &wanted).is_none()
        })
    }

    /// Puts statuses in force where they are not, and tells the transitions among them.
    pub async fn put_statuses(&self, statuses: Vec<(ObjectRef, Value)>, now: DateTime<Utc>) -> Round {
        let mut changes = Changes::default();
        for (object, computed) in statuses {
            let Some(seen) = self.world().objects().get(&object).cloned() else { continue };
            self.compare(&mut changes, object, seen.status(), &computed);
        }
        self.put(changes, now, || false).await
    }

    /// Adds a status to what is to be put in force, if it says something else than the one that is kept.
    pub fn compare(&self, changes: &mut Changes, object: ObjectRef, kept: Value, computed: &Value) {
        let Some(changed) = status::change(object.kind, &kept, computed) else { return };
        let Some(seen) = self.world().objects().get(&object).cloned() else { return };
        if let Some(said) = event::of(object.kind, &kept, &changed) {
            changes.events.push((object.clone(), seen.uid().to_owned(), said));
        }
        changes.wanted.push(Wanted::new(object, seen.uid(), &changed));
    }

    /// Puts these in force. When there is news, what is left after a good part of them waits for the pass that takes it in:
    /// one changed mailbox is not to wait for ten thousand statuses.
    pub async fn put(&self, changes: Changes, now: DateTime<Utc>, news: impl Fn() -> bool + Sync) -> Round {
        let Changes { wanted, mut events } = changes;
        let objects: Vec<ObjectRef> = wanted.iter().map(|wanted| wanted.object.clone()).collect();
        let intentions = wanted.iter().map(|wanted| (wanted.object.clone(), Arc::clone(&wanted.status)));
        lock(&self.intended).extend(intentions);
        let written = Mutex::new(BTreeSet::new());
        let go_on = || self.is_leading() && !(lock(&written).len() >= GOOD_PART && news());
        let answered = |kind: Kind, object: DynamicObject| {
            lock(&written).insert(world::reference(kind, &object.metadata));
            self.answered(kind, object);
        };
        let round = self.writer.write(wanted, now, &go_on, &answered).await;
        {
            let mut intended = lock(&self.intended);
            objects.iter().for_each(|object| drop(intended.remove(object)));
        }
        let is_told = |object: &ObjectRef| lock(&written).contains(object) && self.writer.is_settled(object);
        events.retain(|(object, ..)| self.is_leading() && is_told(object));
        let told = events.into_iter().map(|(object, uid, said)| self.teller.tell(object, uid, said));
        futures::stream::iter(told).buffer_unordered(EVENTS).collect::<()>().await;
        round
    }

    /// Puts one status in force now, without telling its transition: for what has to stand there before something else is done.
    pub async fn put_alone(&self, wanted: &Wanted) -> kube_client::Result<()> {
        let object = self.writer.send(wanted).await?;
        self.answered(wanted.object.kind, object);
        Ok(())
    }

    /// When a status that could not be written is to be tried again.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.writer.next_due()
    }
}
