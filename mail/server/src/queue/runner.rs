//! The loop: leases what is due, hands it to the workers of its destinations, and waits for something to become due.
//!
//! It never sleeps in between: a commit that queues something signals, and otherwise the next due time is known. What is
//! leased is bounded, and a lease is renewed while it is held; one that ends (a crash, a hang) gives the message back.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use mailwright_flow::queue::mx::Ourselves;
use mailwright_flow::queue::retry;
use mailwright_store::{Clock, Due, Lease, QueueId, Queued, QueuedRecipient, RecipientId, Store, UnixTime};
use tokio::sync::{Notify, Semaphore, watch};

use super::hosts::Hosts;
use super::net::{Net, Security};
use super::schedule::{Destination, Schedule};
use super::{local, report, worker};

/// Recipients that are leased at once: enough to keep every connection busy over a commit, small beside any memory.
const MOST_ACTIVE: usize = 2000;
/// Recipients taken by one lease: the queue's lock is held that long.
const BATCH: usize = 500;
/// Seconds that a lease lasts: the longest wait of RFC 5321 §4.5.3.2 with room to spare; it is renewed well before.
const LEASE: i64 = 3600;
/// How often leases are renewed and gauges set.
const UPKEEP: Duration = Duration::from_secs(10);
/// Upkeeps between two renewals of leases.
const RENEWAL: u32 = 60;
/// Longest sleep, so that a clock that is set back does not stop the queue.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Rest after the store failed.
const STORE_REST: Duration = Duration::from_secs(5);
/// Domains whose being ours or not is remembered.
const MOST_DOMAINS: usize = 10_000;

/// How a queue is run.
#[derive(Debug, Clone)]
pub struct RunnerSettings {
    /// The name in EHLO and in reports.
    pub hostname: String,
    /// What mail must not be sent to.
    pub ours: Ourselves,
    /// The smarthost for everything that is not ours.
    pub relay: Option<RelayHost>,
    /// The port of other hosts: 25.
    pub remote_port: u16,
    /// When to try again, when to give up.
    pub policy: retry::Policy,
    /// Connections to one destination.
    pub per_destination: usize,
    /// Connections in all; fixed when the runner is made.
    pub connections: usize,
    /// How long a connection is kept for the next message.
    pub keep: Duration,
}

/// The smarthost, as the queue needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHost {
    /// Name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is connected to.
    pub security: Security,
}

/// Sends the queue of one store. Cheap to clone.
pub struct Runner<N: Net> {
    shared: Arc<Shared<N>>,
}

impl<N: Net> Clone for Runner<N> {
    fn clone(&self) -> Runner<N> {
        Runner { shared: Arc::clone(&self.shared) }
    }
}

/// What the loop and its workers share.
pub(super) struct Shared<N> {
    pub(super) store: Arc<Store>,
    pub(super) net: N,
    pub(super) settings: ArcSwap<RunnerSettings>,
    pub(super) connections: Semaphore,
    /// Reports and mail that comes home are few and short.
    pub(super) local: Semaphore,
    clock: Clock,
    schedule: Mutex<Schedule<Job>>,
    hosts: Mutex<Hosts>,
    warnings: Mutex<BTreeMap<String, String>>,
    domains: Mutex<Domains>,
    accounts: watch::Receiver<i64>,
    /// Recipients leased.
    active: AtomicUsize,
    leases: Mutex<HashMap<(Lease, QueueId), usize>>,
    /// The store failed: leases may have ended whose messages are still under way here.
    overdue: AtomicBool,
    /// Signalled when something was settled.
    settled: Notify,
    stopping: watch::Sender<bool>,
    seed: AtomicU64,
}

/// Domains that were looked up, as long as no account changes.
#[derive(Default)]
struct Domains {
    version: i64,
    ours: HashMap<String, bool>,
}

/// A message with the recipients that one destination takes.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) lease: Lease,
    pub(super) message: Arc<Queued>,
    pub(super) recipients: Vec<QueuedRecipient>,
}

impl<N: Net> Runner<N> {
    /// A runner that does nothing yet. `seed` shuffles hosts and spreads retries.
    pub fn new(store: Arc<Store>, net: N, settings: RunnerSettings, clock: Clock, seed: u64) -> Runner<N> {
        let accounts = store.watch_accounts();
        let shared = Shared {
            store,
            net,
            connections: Semaphore::new(settings.connections.max(1)),
            local: Semaphore::new(4),
            settings: ArcSwap::from_pointee(settings),
            clock,
            schedule: Mutex::default(),
            hosts: Mutex::default(),
            warnings: Mutex::default(),
            domains: Mutex::default(),
            accounts,
            active: AtomicUsize::new(0),
            leases: Mutex::default(),
            overdue: AtomicBool::new(false),
            settled: Notify::new(),
            stopping: watch::Sender::new(false),
            seed: AtomicU64::new(seed),
        };
        Runner { shared: Arc::new(shared) }
    }

    /// Other settings, for connections made from now on.
    pub fn configure(&self, settings: RunnerSettings) {
        self.shared.settings.store(Arc::new(settings));
    }

    /// The network it was made with.
    pub fn net(&self) -> &N {
        &self.shared.net
    }

    /// Hosts that failed may be tried again at once.
    pub fn forget_failures(&self) {
        self.shared.hosts().forget();
    }

    /// What keeps mail from leaving at all, in words: a smarthost that refuses our login.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.shared.warnings().values().cloned().collect()
    }

    /// Sends until [`Runner::stop`].
    pub async fn run(&self) {
        let mut stopping = self.shared.stopping.subscribe();
        let mut changed = self.shared.store.queue().changed();
        let mut upkeep = tokio::time::interval(UPKEEP);
        upkeep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut ticks = 0u32;
        while !*stopping.borrow_and_update() {
            changed.borrow_and_update();
            let wait = self.turn().await;
            // While leases are out, their settling makes room; with room, only news or time matter.
            let full = self.shared.active.load(Ordering::Acquire) >= MOST_ACTIVE;
            tokio::select! {
                _ = stopping.changed() => {}
                _ = changed.changed(), if !full => {}
                () = self.shared.settled.notified(), if full || wait.is_zero() => {}
                () = tokio::time::sleep(wait), if !full && !wait.is_zero() => {}
                _ = upkeep.tick() => {
                    ticks = ticks.wrapping_add(1);
                    self.upkeep(ticks.is_multiple_of(RENEWAL)).await;
                }
            }
        }
    }

    /// Sends everything that is due now, and what becomes due by it, and returns when nothing is left under way. For a
    /// simulation, which owns the clock.
    pub async fn pass(&self) {
        loop {
            let taken = self.take().await.unwrap_or(0);
            if taken == 0 && self.shared.active.load(Ordering::Acquire) == 0 {
                return;
            }
            while self.shared.active.load(Ordering::Acquire) > 0 {
                self.shared.settled.notified().await;
            }
        }
    }

    /// Ends: begins nothing new, gives back what waits, lets what is being sent finish within `grace`. Answers how many
    /// recipients were left to their lease.
    pub async fn stop(&self, grace: Duration) -> usize {
        self.shared.stopping.send_replace(true);
        let waiting = self.shared.schedule().drain();
        for job in waiting {
            self.shared.give_back(&job).await;
        }
        let ended = async {
            while self.shared.active.load(Ordering::Acquire) > 0 {
                self.shared.settled.notified().await;
            }
        };
        let _ = tokio::time::timeout(grace, ended).await;
        self.shared.active.load(Ordering::Acquire)
    }

    /// Takes what is due; answers how long nothing else will be.
    async fn turn(&self) -> Duration {
        match self.take().await {
            Ok(0) => {}
            // There may be more.
            Ok(_) => return Duration::from_millis(1),
            Err(error) => {
                tracing::error!(%error, "cannot read the queue");
                self.shared.overdue.store(true, Ordering::Release);
                return STORE_REST;
            }
        }
        let crowded = self.shared.schedule().crowded();
        match self.shared.store.queue().next_due(&crowded).await {
            Ok(Some(at)) => {
                let seconds = u64::try_from(at.saturating_sub(self.shared.now())).unwrap_or(0);
                // Due already and yet not taken: a lease that has just ended.
                Duration::from_secs(seconds.max(1)).min(LONGEST_SLEEP)
            }
            Ok(None) => LONGEST_SLEEP,
            Err(_) => STORE_REST,
        }
    }

    /// Leases what is due and hands it out; answers how many messages.
    async fn take(&self) -> mailwright_store::Result<usize> {
        let shared = &self.shared;
        let room = MOST_ACTIVE.saturating_sub(shared.active.load(Ordering::Acquire));
        if room == 0 || *shared.stopping.borrow() {
            return Ok(0);
        }
        if shared.overdue.load(Ordering::Acquire) {
            self.renew().await?;
        }
        let now = shared.now();
        let crowded = shared.schedule().crowded();
        let due = shared.store.queue().due(now, room.min(BATCH), now + LEASE, &crowded).await?;
        let taken = due.len();
        for message in due {
            self.hand_out(message).await;
        }
        Ok(taken)
    }

    /// One message to all its destinations.
    async fn hand_out(&self, due: Due) {
        let shared = &self.shared;
        shared.active.fetch_add(due.recipients.len(), Ordering::AcqRel);
        *shared.leases().entry((due.lease, due.message.id)).or_default() += due.recipients.len();
        let message = Arc::new(due.message);
        let relayed = shared.settings.load().relay.is_some();
        let mut groups: BTreeMap<Option<Destination>, Vec<QueuedRecipient>> = BTreeMap::new();
        for recipient in due.recipients {
            let domain = domain(&recipient.address);
            let destination = match shared.is_ours(&domain).await {
                true => None,
                false if relayed => Some(Destination::Relay),
                false => Some(Destination::Domain(domain)),
            };
            groups.entry(destination).or_default().push(recipient);
        }
        for (destination, recipients) in groups {
            let job = Job { lease: due.lease, message: Arc::clone(&message), recipients };
            match destination {
                None => drop(tokio::spawn(local::deliver(Arc::clone(shared), job))),
                Some(destination) => worker::assign(shared, &destination, job),
            }
        }
    }

    async fn upkeep(&self, renew: bool) {
        if let Ok(stats) = self.shared.store.queue().stats().await {
            report::depth(&stats, self.shared.now());
        }
        if renew && let Err(error) = self.renew().await {
            tracing::warn!(%error, "cannot renew leases of the queue");
            self.shared.overdue.store(true, Ordering::Release);
        }
    }

    async fn renew(&self) -> mailwright_store::Result<()> {
        let leases: Vec<(Lease, QueueId)> = self.shared.leases().keys().copied().collect();
        self.shared.store.queue().renew(&leases, self.shared.now() + LEASE).await?;
        self.shared.overdue.store(false, Ordering::Release);
        Ok(())
    }
}

impl<N: Net> Shared<N> {
    pub(super) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule<Job>> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn warnings(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<(Lease, QueueId), usize>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Another number each time (SplitMix64's step).
    pub(super) fn seed(&self) -> u64 {
        let state = self.seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Recipients of a lease are no longer under way.
    pub(super) fn finished(&self, job: &Job, recipients: usize) {
        let key = (job.lease, job.message.id);
        {
            let mut leases = self.leases();
            if let Some(left) = leases.get_mut(&key) {
                *left = left.saturating_sub(recipients);
                if *left == 0 {
                    leases.remove(&key);
                }
            }
        }
        self.active.fetch_sub(recipients, Ordering::AcqRel);
        self.settled.notify_one();
    }

    /// Gives recipients back untried.
    pub(super) async fn give_back(&self, job: &Job) {
        let recipients: Vec<RecipientId> = job.recipients.iter().map(|recipient| recipient.id).collect();
        if let Err(error) = self.store.queue().give_back(job.lease, &recipients).await {
            tracing::warn!(id = job.message.trace, %error, "cannot give a message back to the queue");
        }
        self.finished(job, recipients.len());
    }

    /// Whether a domain is served here; asked once until an account changes.
    async fn is_ours(&self, domain: &str) -> bool {
        let version = *self.accounts.borrow();
        {
            let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
            if domains.version != version || domains.ours.len() >= MOST_DOMAINS {
                *domains = Domains { version, ours: HashMap::new() };
            }
            if let Some(known) = domains.ours.get(domain) {
                return *known;
            }
        }
        let found = self.store.accounts().lookup_recipient(&format!("@{domain}")).await;
        let ours = match found {
            Ok(found) => !matches!(found, mailwright_store::Recipient::NoSuchDomain),
            Err(error) => {
                // Routing asks again and defers.
                tracing::error!(%error, "recipient lookup failed");
                return true;
            }
        };
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        if domains.version == version {
            domains.ours.insert(domain.to_owned(), ours);
        }
        ours
    }
}

/// The domain of an address, in the form in which domains compare.
fn domain(address: &str) -> String {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    mailwright_flow::address::canonical_domain(domain).unwrap_or_else(|| domain.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_domain_share_a_destination() {
        for (address, expected) in [
            ("alice@example.org", "example.org"),
            ("alice@EXAMPLE.Org", "example.org"),
            ("\"a@b\"@example.org", "example.org"),
            ("alice@b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("alice@[192.0.2.1]", "[192.0.2.1]"),
            ("alice", ""),
        ] {
            assert_eq!(domain(address), expected, "{address}");
        }
    }
}
