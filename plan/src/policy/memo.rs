//! What is remembered of objects that passed every policy: the object itself and the answers that it passed with. An object is the
//! same when it is the same one in memory, which is kept alive here, so nothing is compared and nothing can be mistaken.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailwright_crds::Resource;

/// A memory that copies share.
#[derive(Debug, Clone, Default)]
pub(super) struct Memo {
    known: Arc<Mutex<Known>>,
    evaluations: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    /// All policies that were judged with.
    policies: Option<blake3::Hash>,
    turn: u64,
    passed: HashMap<usize, Passed>,
}

/// How an object passed.
#[derive(Debug)]
pub(super) struct Passed {
    /// Keeps the address from being given to another.
    pub(super) object: Resource,
    /// Its domain and its server, when they were asked about.
    pub(super) domain: Option<Resource>,
    pub(super) server: Option<Resource>,
    /// Domains, with whether each is served elsewhere.
    pub(super) external: Vec<(String, bool)>,
    /// Steps by policy.
    pub(super) steps: Box<[(usize, u64)]>,
    pub(super) turn: u64,
}

impl Memo {
    /// Opens it for a plan with these policies; others have taught it nothing.
    pub(super) fn begin(&self, policies: blake3::Hash) {
        let mut known = self.lock();
        if known.policies != Some(policies) {
            *known = Known { policies: Some(policies), ..Known::default() };
        }
        known.turn += 1;
    }

    /// Forgets what no object of this plan asked for.
    pub(super) fn finish(&self) {
        let mut known = self.lock();
        let turn = known.turn;
        known.passed.retain(|_, passed| passed.turn == turn);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, evaluations: u64) {
        self.evaluations.fetch_add(evaluations, Ordering::Relaxed);
    }

    pub(super) fn evaluations(&self) -> u64 {
        self.evaluations.load(Ordering::Relaxed)
    }
}

impl Known {
    pub(super) fn get(&mut self, object: &Resource) -> Option<&mut Passed> {
        let turn = self.turn;
        let passed = self.passed.get_mut(&address(object))?;
        passed.turn = turn;
        Some(passed)
    }

    pub(super) fn remember(&mut self, mut passed: Passed) {
        passed.turn = self.turn;
        self.passed.insert(address(&passed.object), passed);
    }

    pub(super) fn forget(&mut self) {
        self.passed.clear();
    }
}

/// Where an object is; the same for every copy of it.
fn address(object: &Resource) -> usize {
    match object {
        Resource::MailServer(object) => Arc::as_ptr(object).addr(),
        Resource::MailDomain(object) => Arc::as_ptr(object).addr(),
        Resource::Mailbox(object) => Arc::as_ptr(object).addr(),
        Resource::Alias(object) => Arc::as_ptr(object).addr(),
    }
}

/// Whether two are one.
pub(super) fn same(one: &Resource, other: &Resource) -> bool {
    one.kind() == other.kind() && address(one) == address(other)
}
