//! Takes in what the watches tell, chooses who belongs to which installation, and wakes the workers that it concerns: one task
//! per MailServer, started and ended here. Changes are gathered for a moment, so that `kubectl apply` of a folder is one
//! round and not a hundred.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mailwright_crds::namespaces::Labels;
use mailwright_crds::{Kind, ObjectMeta, ObjectRef};
use mailwright_plan::partition::{self, Assignment, ServerKey};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::installation::{Installation, Parts, Slot};
use super::keyring::Keyring;
use super::metrics;
use super::published;
use super::shared::{Shared, View};
use super::watch::Told;
use super::workloads::Workloads;
use super::world::{Seen, Tag, Topic, Touched};
use crate::accounts::Connector;
use crate::platform::kubernetes::ServerObject;

/// How long changes are gathered: too short for a person to notice, long enough for a client that applies one by one.
const GATHER: Duration = Duration::from_millis(50);

/// The longest that gathering may put a round off while changes keep coming.
const LONGEST_GATHER: Duration = Duration::from_millis(500);

/// Starts and wakes workers.
pub struct Chief<C: Connector> {
    shared: Arc<Shared>,
    keyring: Arc<Keyring>,
    connector: C,
    workers: BTreeMap<ServerKey, Worker>,
    lobby: Arc<Slot>,
    lobby_task: Option<JoinHandle<()>>,
    touched: Touched,
    /// Secrets, and what is published, of lists that are not complete.
    listed: BTreeMap<Tag, Vec<ObjectMeta>>,
    /// The first and the last change since the last round.
    since: Option<(Instant, Instant)>,
    /// Something else than an object changed: who leads, whose rows an installation has, a list that is complete.
    anew: bool,
}

struct Worker {
    uid: String,
    slot: Arc<Slot>,
    task: JoinHandle<()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<C: Connector> Chief<C> {
    /// A chief without workers.
    pub fn new(shared: Arc<Shared>, keyring: Arc<Keyring>, connector: C) -> Self {
        Self {
            shared,
            keyring,
            connector,
            workers: BTreeMap::new(),
            lobby: Arc::default(),
            lobby_task: None,
            touched: Touched::default(),
            listed: BTreeMap::new(),
            since: None,
            anew: false,
        }
    }

    /// Works as long as the watches tell something. While another process leads nobody works; the view is kept up to date.
    pub async fn run(mut self, mut told: mpsc::Receiver<(Tag, Told)>) {
        let mut leader = self.shared.leader.clone();
        let shared = Arc::clone(&self.shared);
        loop {
            let round = self.round_at();
            tokio::select! {
                message = told.recv() => match message {
                    Some((tag, message)) => self.take(tag, message),
                    None => return,
                },
                () = shared.partition.notified() => self.mark_anew(),
                changed = leader.changed() => match changed {
                    Ok(()) => self.mark_anew(),
                    Err(_) => return,
                },
                () = sleep_until(round) => self.round(),
            }
        }
    }

    fn take(&mut self, tag: Tag, told: Told) {
        if matches!(told, Told::Complete | Told::Unknown) {
            self.mark_anew();
        }
        let touched = match tag.0 {
            Topic::Secret | Topic::Published(_) => {
                Touched { secrets: self.kept(tag, told), ..Touched::default() }
            }
            _ => self.shared.world().take(tag, told),
        };
        if !touched.is_empty() {
            self.touched.merge(touched);
            self.mark();
        }
    }

    /// The keyring keeps what is known of Secrets and of what is published; the world only whether their list is complete.
    fn kept(&mut self, tag: Tag, told: Told) -> BTreeSet<ObjectRef> {
        let published = match tag.0 {
            Topic::Published(number) => published::KINDS.get(number).copied(),
            _ => None,
        };
        let touched = match &told {
            Told::Began => {
                self.listed.insert(tag, Vec::new());
                BTreeSet::new()
            }
            Told::Listed(object) => {
                self.listed.entry(tag).or_default().push(object.metadata.clone());
                BTreeSet::new()
            }
            Told::Complete => {
                let listed = self.listed.remove(&tag).unwrap_or_default();
                let within = self.shared.world().namespace_of(tag).map(str::to_owned);
                match published {
                    Some(kind) => self.keyring.published.relisted(kind, within.as_deref(), &listed),
                    None => self.keyring.relisted(within.as_deref(), &listed),
                }
            }
            Told::Changed(object) => match published {
                Some(kind) => self.keyring.published.seen(kind, &object.metadata),
                None => self.keyring.seen(&object.metadata),
            },
            Told::Gone(object) => match published {
                Some(kind) => self.keyring.published.gone(kind, &object.metadata),
                None => self.keyring.gone(&object.metadata),
            },
            Told::Unknown | Told::Failed(_) => BTreeSet::new(),
        };
        self.shared.world().take(tag, told);
        touched
    }

    fn mark(&mut self) {
        let now = Instant::now();
        self.since = Some((self.since.map_or(now, |(first, _)| first), now));
    }

    fn mark_anew(&mut self) {
        self.anew = true;
        self.mark();
    }

    fn round_at(&self) -> Option<Instant> {
        self.since.map(|(first, last)| (last + GATHER).min(first + LONGEST_GATHER))
    }

    /// Chooses members anew and wakes whom it concerns.
    fn round(&mut self) {
        self.since = None;
        if !self.shared.is_leading() {
            self.dismiss();
            return;
        }
        if !self.shared.world().is_complete() {
            return;
        }
        if !self.shared.world().knows_all_kinds() {
            // A definition is gone, and with it the objects that nobody meant to remove: everything stays as it is.
            self.let_go(&self.servers());
            return;
        }
        let mut touched = std::mem::take(&mut self.touched);
        touched.secrets.extend(self.shared.take_changed_secrets());
        touched.objects.extend(self.shared.take_changed_objects());
        self.declare(&touched.objects);
        if !touched.objects.is_empty() {
            self.shared.tell_objects_changed();
        }
        let touched = Touched { statuses: self.unintended(&touched.statuses), ..touched };
        if touched.is_empty() && !std::mem::take(&mut self.anew) {
            // The echo of our own statuses, thousands of them after a first sync.
            return;
        }
        self.anew = false;
        let before = self.shared.assignment().unwrap_or_default();
        let assignment = Arc::new(self.choose());
        self.shared.assign(Some(Arc::clone(&assignment)));
        self.hire(self.servers());
        let owned = self.shared.owned();
        for (key, members) in &assignment.members {
            let Some(worker) = self.workers.get(key) else { continue };
            let old = worker.slot.view();
            let owned = owned.get(key).cloned();
            let same = before.members.get(key) == Some(members) && old.owned == owned;
            if !same
                || old.members.is_empty()
                || concerns(&touched, key, members)
                || problems_differ(&old, &before, &assignment, members)
            {
                let view = self.view(members, &assignment);
                worker.slot.tell(Arc::new(View { owned, ..view }));
            }
        }
        let waiting = &assignment.unassigned;
        if before.unassigned != *waiting
            || concerns_any(&touched, waiting)
            || before.problems != assignment.problems
        {
            self.lobby.tell(Arc::new(self.view(waiting, &assignment)));
        }
        self.shared.caretaker.notify_one();
    }

    /// Tells the vault whose Secrets are to be read.
    fn declare(&self, objects: &BTreeSet<ObjectRef>) {
        for object in objects {
            let seen = self.shared.world().objects().get(object).cloned();
            match seen.as_ref().map(|seen| &seen.entry) {
                Some(Ok(entry)) => drop(self.keyring.vault().declare(&entry.resource)),
                // What cannot be understood now refers to what it referred to.
                Some(Err(_)) => {}
                None => self.keyring.vault().forget(object),
            }
        }
    }

    fn choose(&self) -> Assignment {
        let owners = self.shared.owned();
        let world = self.shared.world();
        let owners: BTreeMap<ObjectRef, ServerKey> = owners
            .iter()
            .flat_map(|(key, owned)| owned.iter().map(|object| (object.clone(), key.clone())))
            .collect();
        let namespaces: BTreeMap<String, Labels> =
            world.namespaces().iter().map(|(name, it)| (name.clone(), it.labels.clone())).collect();
        let entries = world.objects().values().filter_map(|seen| seen.entry.as_ref().ok());
        let mut assignment = partition::assign(entries, &namespaces, &owners);
        // What cannot be understood stays with the installation that has its row.
        for (object, _) in world.objects().iter().filter(|(_, seen)| seen.entry.is_err()) {
            let at = owners.get(object).and_then(|key| assignment.members.get_mut(key));
            match at {
                Some(members) => members.insert(object.clone()),
                None => assignment.unassigned.insert(object.clone()),
            };
        }
        assignment
    }

    fn view(&self, members: &BTreeSet<ObjectRef>, assignment: &Assignment) -> View {
        let world = self.shared.world();
        let seen = |object: &ObjectRef| Some((object.clone(), Arc::clone(world.objects().get(object)?)));
        View {
            members: members.iter().filter_map(seen).collect(),
            problems: problems(assignment, members),
            namespaces: world.namespaces().clone(),
            owned: None,
        }
    }

    /// Statuses that somebody else changed.
    fn unintended(&self, statuses: &BTreeSet<ObjectRef>) -> BTreeSet<ObjectRef> {
        let kept = |object: &ObjectRef| self.shared.world().objects().get(object).map(|seen| seen.status());
        let differs = |object: &&ObjectRef| {
            kept(object).is_some_and(|status| !self.shared.is_intended(object, &status))
        };
        statuses.iter().filter(differs).cloned().collect()
    }

    /// The MailServers that are declared and stay.
    fn servers(&self) -> BTreeMap<ServerKey, Arc<Seen>> {
        let world = self.shared.world();
        let servers = world.objects().iter().filter(|(object, _)| object.kind == Kind::MailServer);
        let staying = servers.filter(|(_, seen)| !seen.is_terminating());
        let key = |object: &ObjectRef| ServerKey::new(&object.namespace, &object.name);
        staying.map(|(object, seen)| (key(object), Arc::clone(seen))).collect()
    }

    /// Ends the workers of MailServers that are gone, going, or made anew.
    fn let_go(&mut self, servers: &BTreeMap<ServerKey, Arc<Seen>>) {
        let shared = Arc::clone(&self.shared);
        self.workers.retain(|key, worker| {
            let stays = servers.get(key).is_some_and(|seen| seen.uid() == worker.uid);
            if !stays {
                tracing::info!(server = %key, "the MailServer is gone or going; its children go with it, its volume stays");
                shared.disown(key);
                metrics::forget_server(&key.to_string());
            }
            stays && !worker.task.is_finished()
        });
    }

    /// A worker for each MailServer.
    fn hire(&mut self, servers: BTreeMap<ServerKey, Arc<Seen>>) {
        self.let_go(&servers);
        for (key, seen) in servers {
            if !self.workers.contains_key(&key) {
                let worker = self.worker(&key, seen.uid());
                self.workers.insert(key, worker);
            }
        }
        if self.lobby_task.is_none() {
            let lobby = super::lobby::run(Arc::clone(&self.shared), Arc::clone(&self.lobby));
            self.lobby_task = Some(tokio::spawn(lobby));
        }
    }

    fn worker(&self, key: &ServerKey, uid: &str) -> Worker {
        let slot = Arc::new(Slot::default());
        let object =
            ServerObject { namespace: key.namespace.clone(), name: key.name.clone(), uid: uid.to_owned() };
        let parts = Parts {
            key: key.clone(),
            slot: Arc::clone(&slot),
            keyring: Arc::clone(&self.keyring),
            connector: self.connector.clone(),
            platform: self.keyring.platform(object),
            workloads: Workloads::new(&self.shared, key, uid),
        };
        let installation = Installation::new(Arc::clone(&self.shared), parts);
        Worker { uid: uid.to_owned(), slot, task: tokio::spawn(installation.run()) }
    }

    /// Nobody works any more.
    fn dismiss(&mut self) {
        for key in std::mem::take(&mut self.workers).into_keys() {
            metrics::forget_server(&key.to_string());
        }
        if let Some(task) = self.lobby_task.take() {
            task.abort();
        }
        self.shared.assign(None);
    }
}

impl<C: Connector> Drop for Chief<C> {
    fn drop(&mut self) {
        self.dismiss();
    }
}

fn problems(assignment: &Assignment, members: &BTreeSet<ObjectRef>) -> Vec<mailwright_plan::Problem> {
    let of_members = assignment
        .problems
        .iter()
        .filter(|problem| problem.object.as_ref().is_some_and(|object| members.contains(object)));
    of_members.cloned().collect()
}

fn problems_differ(old: &View, before: &Assignment, now: &Assignment, members: &BTreeSet<ObjectRef>) -> bool {
    before.problems != now.problems && old.problems != problems(now, members)
}

/// Whether what was touched is of an installation.
fn concerns(touched: &Touched, key: &ServerKey, members: &BTreeSet<ObjectRef>) -> bool {
    touched.children_of.contains(&key.to_string()) || concerns_any(touched, members)
}

fn concerns_any(touched: &Touched, members: &BTreeSet<ObjectRef>) -> bool {
    let of_members = |objects: &BTreeSet<ObjectRef>| objects.iter().any(|object| members.contains(object));
    of_members(&touched.objects)
        || of_members(&touched.statuses)
        || of_members(&touched.secrets)
        || (!touched.namespaces.is_empty()
            && members.iter().any(|object| touched.namespaces.contains(object.namespace.as_str())))
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
