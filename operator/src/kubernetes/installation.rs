//! The worker of one MailServer: takes in what belongs to it, reaches its account database, lets [`Operator`] plan and apply,
//! and puts statuses in force. One pass can be cut off anywhere; the next one looks again.
//!
//! Leaves out who belongs to it (`partition`), what is right (`plan/`), and how statuses reach the API server
//! ([`super::status`]).

mod configuration;
pub(in crate::kubernetes) mod reach;
mod reached;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use mailwright_crds::well_known::APPROVE_ANNOTATION;
use mailwright_crds::{MailServer, ObjectRef, Resource};
use mailwright_plan::Origin;
use mailwright_plan::approval::{Given, Via};
use mailwright_plan::observed::ServerDeclared;
use mailwright_plan::partition::ServerKey;
use mailwright_plan::status::{DatabaseProblem, Facts};
use serde_json::Value;
use tokio::sync::Notify;

use super::keyring::Keyring;
use super::metrics::figures::ServerFigures;
use super::metrics::{self, PassResult, Waiting};
use super::shared::{Shared, View};
use super::unreached;
use super::workloads::Workloads;
use super::world::Seen;
use crate::accounts::{Connector, Health};
use crate::backoff;
use crate::operator::{KUBERNETES, Operator};
use crate::platform::kubernetes::Kubernetes;
use reach::Way;

/// A look at an installation of which nobody told anything: a pod that came back, a password that its owner changed.
const LOOK: Duration = Duration::from_secs(5);

/// A whole pass without a change, for what only time changes: retention periods, certificates.
const HOUSEKEEPING: Duration = Duration::from_secs(300);

/// What the worker is told, and its bell.
#[derive(Debug, Default)]
pub struct Slot {
    view: Mutex<Arc<View>>,
    bell: Notify,
    waits: Waiting,
}

impl Slot {
    /// Tells another view and wakes the worker.
    pub fn tell(&self, view: Arc<View>) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
        self.ring();
    }

    /// The last view.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until somebody tells or rings.
    pub async fn wait(&self) {
        self.bell.notified().await;
        self.waits.over();
    }

    /// Wakes the worker without news.
    pub fn ring(&self) {
        self.waits.begins();
        self.bell.notify_one();
    }
}

/// What a pass came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Done {
    /// Nothing is left to be tried again soon.
    settled: bool,
    /// Something was written.
    changed: bool,
    /// A guard holds something back.
    held: bool,
}

impl Done {
    fn result(self, settled: bool) -> PassResult {
        match self {
            _ if !settled => PassResult::Failed,
            Done { held: true, .. } => PassResult::Held,
            Done { changed: true, .. } => PassResult::Changed,
            Done { .. } => PassResult::Unchanged,
        }
    }
}

/// The worker.
pub struct Installation<C: Connector> {
    shared: Arc<Shared>,
    key: ServerKey,
    slot: Arc<Slot>,
    keyring: Arc<Keyring>,
    platform: Kubernetes,
    way: Way<C>,
    operator: Operator<Option<C::Remote>, Kubernetes>,
    workloads: Workloads,
    fed: BTreeMap<ObjectRef, Arc<Seen>>,
    namespaces: BTreeSet<String>,
    /// What the last complete pass found.
    facts: Facts,
    health: Option<Health>,
    /// The digest of what was pushed last, and what the pod called it then.
    pushed: Option<(blake3::Hash, Option<String>)>,
    /// The digest of the last plan of which something was held back.
    held: String,
    /// Passes in a row that did not get through.
    failures: u32,
    last_pass: Option<DateTime<Utc>>,
}

/// What an installation is made with, beside what all share.
pub struct Parts<C> {
    /// The MailServer.
    pub key: ServerKey,
    /// How it is told.
    pub slot: Arc<Slot>,
    /// The Secrets and keys of all installations.
    pub keyring: Arc<Keyring>,
    /// The way to pods.
    pub connector: C,
    /// Where its keys and certificates are.
    pub platform: Kubernetes,
    /// Its children.
    pub workloads: Workloads,
}

impl<C: Connector> Installation<C> {
    /// A worker that has done nothing yet.
    pub fn new(shared: Arc<Shared>, parts: Parts<C>) -> Self {
        let Parts { key, slot, keyring, connector, platform, workloads } = parts;
        let fingerprint_key = *keyring.fingerprint_key();
        Self {
            way: Way::new(connector, &shared.options, &key),
            shared,
            key,
            slot,
            keyring,
            operator: Operator::of_source(KUBERNETES, None, platform.clone(), fingerprint_key),
            platform,
            workloads,
            fed: BTreeMap::new(),
            namespaces: BTreeSet::new(),
            facts: Facts::default(),
            health: None,
            pushed: None,
            held: String::new(),
            failures: 0,
            last_pass: None,
        }
    }

    /// Works until it is aborted.
    pub async fn run(mut self) {
        loop {
            let slot = Arc::clone(&self.slot);
            let told = tokio::select! {
                () = slot.wait() => true,
                () = tokio::time::sleep(self.pause(Utc::now())) => false,
            };
            if self.shared.is_leading() && (told || !self.is_quiet().await) {
                self.pass(Utc::now()).await;
            }
        }
    }

    /// How long nothing needs to be done, as far as is known.
    fn pause(&self, now: DateTime<Utc>) -> Duration {
        if self.failures > 0 {
            return backoff::delay(self.failures - 1, backoff::chance()).to_std().unwrap_or(LOOK).min(LOOK);
        }
        let due = [self.operator.next_due(), self.shared.next_due()].into_iter().flatten().min();
        let until = due.map(|due| (due - now).to_std().unwrap_or_default());
        until.unwrap_or(LOOK).clamp(Duration::from_millis(100), LOOK)
    }

    /// Whether a look shows nothing that a pass would have to take in.
    async fn is_quiet(&mut self) -> bool {
        let now = Utc::now();
        let is_due = |due: Option<DateTime<Utc>>| due.is_some_and(|due| due <= now);
        let old = self.last_pass.is_none_or(|last| (now - last).to_std().is_ok_and(|age| age > HOUSEKEEPING));
        if self.failures > 0 || old || is_due(self.operator.next_due()) || is_due(self.shared.next_due()) {
            return false;
        }
        if !self.workloads.is_settled(now) {
            return false;
        }
        let Some(remote) = self.operator.accounts().as_ref() else { return false };
        let Ok(health) = reach::health(remote).await else { return false };
        if let Some(counter) = health.change_counter {
            self.shared.tell_counter(&self.key, counter);
        }
        let same = self.health.as_ref().is_some_and(|known| matters(known) == matters(&health));
        self.health = Some(health);
        if same {
            self.figures(true);
        }
        same
    }

    /// One pass.
    async fn pass(&mut self, now: DateTime<Utc>) {
        let view = self.slot.view();
        let begun = std::time::Instant::now();
        let Some(server) = self.server(&view) else { return };
        self.take(&view, &server);
        let refreshed = self.keyring.vault().refresh().await;
        self.shared.secrets_changed(refreshed.changed.clone());
        self.keyring.vault().tell(self.operator.feed(), self.fed.keys());
        self.certify(&server, now).await;
        let done = match self.reach(&server, now).await {
            Ok(()) => self.reconcile(&server, &view, now).await,
            Err(problem) => Err(problem),
        };
        self.keyring.vault().forget_values();
        let reachable = done.is_ok();
        let result = match done {
            Ok(done) => {
                let settled = done.settled && refreshed.again == 0;
                self.failures = if settled { 0 } else { self.failures + 1 };
                self.last_pass = Some(now);
                done.result(settled)
            }
            Err(problem) => {
                self.failures += 1;
                self.cannot(&server, problem, now).await;
                PassResult::Failed
            }
        };
        metrics::reconciled(result, begun.elapsed());
        self.figures(reachable);
    }

    /// What the metrics say of this MailServer.
    fn figures(&self, reachable: bool) {
        let health = self.health.as_ref().filter(|_| reachable);
        let figures = ServerFigures {
            reachable,
            queued: health.map(|health| health.queued),
            oldest_queued: health.and_then(|health| health.oldest_queued),
            certificate_ends: self.facts.certificate.certificate.as_ref().map(|it| it.not_after.get()),
        };
        metrics::server(&self.key.to_string(), figures);
    }

    /// The MailServer itself, unless it cannot be understood or is being deleted: its children go with it, and nothing of
    /// its accounts is touched.
    fn server(&self, view: &View) -> Option<MailServer> {
        let seen = view.members.get(&self.key.object())?;
        match (&seen.entry, seen.is_terminating()) {
            (Ok(entry), false) => match &entry.resource {
                Resource::MailServer(server) => Some(MailServer::clone(server)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Tells the catalog what is different in the view.
    fn take(&mut self, view: &View, server: &MailServer) {
        let feed = self.operator.feed();
        for object in self.fed.keys().filter(|object| !view.members.contains_key(object)) {
            feed.delete(object);
        }
        for (object, seen) in &view.members {
            if self.fed.get(object).is_some_and(|before| before.declares_the_same(seen)) {
                continue;
            }
            match &seen.entry {
                Ok(entry) => feed.catalog.apply(entry.clone()),
                Err(broken) => {
                    tracing::warn!(%object, why = broken.why, "an object cannot be understood; its last good state stays");
                    feed.delete(object);
                    feed.catalog.set_broken_object(object.clone(), Origin::default());
                }
            }
        }
        feed.catalog.set_problems(view.problems.iter().cloned());
        let names: BTreeSet<String> =
            view.members.keys().map(|object| object.namespace.to_string()).collect();
        for gone in self.namespaces.difference(&names) {
            feed.catalog.set_namespace(gone, None);
        }
        for name in &names {
            let labels = view.namespaces.get(name).map(|namespace| namespace.labels.clone());
            feed.catalog.set_namespace(name, labels);
        }
        self.namespaces = names;
        self.fed.clone_from(&view.members);
        let annotations = server.metadata.annotations.as_ref();
        let digest = annotations.and_then(|all| all.get(APPROVE_ANNOTATION)).cloned();
        let via = || Via::Annotation { object: format!("mailserver {}", self.key) };
        self.operator.approve(digest.map(|digest| Given { digest, by: None, via: via() }));
    }

    /// The settings that children are made of: the row in force, or what is declared as long as there is none.
    fn declared(&self, server: &MailServer) -> ServerDeclared {
        let name = self.key.to_string();
        let rows = self.operator.last_observed().map(|observed| observed.servers.iter());
        let row = rows.into_iter().flatten().find(|row| row.declared.name == name);
        match row {
            Some(row) => ServerDeclared::clone(&row.declared),
            None => mailwright_plan::declared_server(name, &server.spec),
        }
    }

    /// Before there is a pod: its first start finds the certificate, so that whoever is Ready can log in.
    async fn certify(&mut self, server: &MailServer, now: DateTime<Utc>) {
        let is_suspended = self.fed.get(&self.key.object()).is_some_and(|seen| seen.is_suspended());
        if self.operator.last_observed().is_some() || is_suspended || !self.shared.is_leading() {
            return;
        }
        if let Err(error) = self.operator.ensure_certificate(self.declared(server), now).await {
            tracing::warn!(server = %self.key, %error, "there is no certificate for the first start yet");
        }
    }

    /// Makes the children what they should be, and takes in how they are.
    async fn tend(&mut self, server: &MailServer, facts: &mut Facts, now: DateTime<Utc>) {
        if self.shared.is_leading()
            && let Err(error) = self.keyring.ensure_server_identity(self.platform.server(), now).await
        {
            tracing::warn!(server = %self.key, %error, "the pod's certificate for the management API is not as it should be");
        }
        let declared = self.declared(server);
        let is_suspended = self.fed.get(&self.key.object()).is_some_and(|seen| seen.is_suspended());
        self.workloads.tend(&self.shared, server, &declared, is_suspended, now).await;
        facts.workloads = self.workloads.facts().map(|facts| facts.workloads.clone());
        facts.address = self.workloads.facts().map(|facts| facts.address.clone());
        facts.addresses = self.workloads.facts().map(|facts| facts.addresses.clone()).unwrap_or_default();
        facts.database_id = self.way.bound().map(str::to_owned).or_else(|| self.kept_database());
    }

    /// `status.databaseID` as it is kept.
    fn kept_database(&self) -> Option<String> {
        let seen = self.shared.world().objects().get(&self.key.object()).cloned()?;
        seen.status().get("databaseID")?.as_str().map(str::to_owned)
    }

    /// Says what is known while the database cannot be used: nothing is applied, and nobody who is served stops being so.
    async fn cannot(&mut self, server: &MailServer, problem: DatabaseProblem, now: DateTime<Utc>) {
        let mut facts = Facts { database_problem: Some(problem), ..Facts::default() };
        self.tend(server, &mut facts, now).await;
        let name = self.key.to_string();
        let own = self.key.object();
        let mut statuses = Vec::new();
        for (object, seen) in &self.fed {
            let Ok(entry) = &seen.entry else { continue };
            let (kept, generation) = (self.kept(object), entry.resource.generation());
            if *object == own {
                statuses.push((object.clone(), unreached::server(&kept, generation, &facts, now)));
            } else if let Some(status) = unreached::object(&kept, generation, &name, now) {
                statuses.push((object.clone(), status));
            }
        }
        self.shared.put_statuses(statuses, now).await;
    }

    /// The status of an object as it is kept now.
    fn kept(&self, object: &ObjectRef) -> Value {
        let seen = self.shared.world().objects().get(object).cloned();
        seen.map(|seen| seen.status()).unwrap_or_default()
    }
}

/// What of a server's health a pass has to take in: not how much mail waits.
fn matters(health: &Health) -> Health {
    Health { queued: 0, oldest_queued: None, ..health.clone() }
}
