//! One pass: observe → plan → apply → keys, certificate, zones → status. Deciding is `mailwright_plan`; here everything is
//! only asked for, handed on and written down, so a pass can be cut off anywhere and run again.
//!
//! [`Operator::pass`] is all of it, with statuses kept beside the accounts. In a cluster the same steps run one by one
//! ([`Operator::work`], [`Operator::ensure`], [`Operator::statuses`]), because statuses are kept elsewhere.

mod failures;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mailwright_crds::Mailbox;
use mailwright_crds::mail_server::Endpoint;
use mailwright_plan::observed::ServerDeclared;
use mailwright_plan::status::{self, CertificateProblem, Facts};
use mailwright_plan::{
    Batch, Catalog, Fence, Kind, ObjectRef, Observed, Operation, Outcome, Plan, Problem, Settings,
};
use serde_json::Value;

use crate::accounts::{Accounts, AccountsError};
use crate::controller::mail_domain::KeysError;
use crate::controller::mail_server::{self, EnsureError};
use crate::controller::mailbox;
use crate::feed::Feed;
use crate::platform::{Platform, PlatformError};
use crate::secrets::Secrets;
use crate::serving::{self, Serving};
use crate::source::Snapshot;
use crate::{facts, records};
use failures::Failures;

/// The source id of an installation without a cluster. It has one source at a time, so following another directory or
/// repository is a change of that source and is planned, shown and guarded as one.
pub const STANDALONE: &str = "standalone";

/// The source id of resources in a cluster.
pub const KUBERNETES: &str = "kubernetes";

/// Operations of one transaction: deliveries wait while it runs, so it must be short.
const BATCH: usize = 500;

/// Reconciles one source into one installation.
#[derive(Debug)]
pub struct Operator<A, P> {
    accounts: A,
    platform: P,
    feed: Feed,
    settings: Settings,
    listening: Listening,
    fence: Option<Fence>,
    observed: Option<Arc<Observed>>,
    failures: Failures,
}

/// What the listeners of the mail server are up to.
#[derive(Debug, Clone, Default)]
pub struct Listening {
    /// Those that are open.
    pub endpoints: Vec<Endpoint>,
    /// Why one could not be opened.
    pub error: Option<String>,
}

/// What one pass found and did.
#[derive(Debug)]
pub struct Pass {
    /// What was planned.
    pub plan: Plan,
    /// What became of its applicable operations.
    pub outcomes: Vec<Outcome>,
    /// How many resources got a new spec or status.
    pub records_written: usize,
    /// Why the declared certificate is not in force.
    pub certificate_problem: Option<String>,
}

/// What was planned and what came of it.
#[derive(Debug, Clone)]
pub struct Work {
    /// What was planned; removals of what turned out to exist are not in it.
    pub plan: Plan,
    /// What became of its applicable operations, now or when they were last tried.
    pub outcomes: Vec<Outcome>,
    /// Those of them that no earlier pass had.
    pub news: Vec<Outcome>,
    /// What runs now.
    pub observed: Arc<Observed>,
    /// Why not all of it was applied.
    pub trouble: Option<AccountsError>,
}

/// What came of the operations that were tried.
#[derive(Default)]
struct Applied {
    outcomes: Vec<Outcome>,
    news: Vec<Outcome>,
    trouble: Option<AccountsError>,
}

/// A row that would go out of service because nothing seems to declare it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removal {
    /// The object that declared it.
    pub object: ObjectRef,
    /// The kind of the row.
    pub kind: Kind,
    /// The key of the row: `namespace/name`, a domain, an address.
    pub key: String,
}

/// Whether what seems to be gone is gone. A source that is read whole knows; a cache may be stale and asks once more.
pub trait Absence: Sync {
    /// For each removal, in their order, whether it may happen. Not knowing is no.
    fn verify(&self, removals: &[Removal]) -> impl Future<Output = Vec<bool>> + Send;
}

/// The source was read whole: what it does not declare is gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadWhole;

impl Absence for ReadWhole {
    async fn verify(&self, removals: &[Removal]) -> Vec<bool> {
        vec![true; removals.len()]
    }
}

/// Why a pass stopped. What it did before stays; the next pass goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The account database gave no answer.
    #[error("the account database: {0}")]
    Accounts(#[from] AccountsError),
    /// The data directory refused.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] EnsureError),
    /// A DKIM key could not be made or read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The process is ending.
    #[error("the pass was interrupted; run it again")]
    Interrupted,
}

impl<A: Accounts, P: Platform + Clone + 'static> Operator<A, P> {
    /// An operator of a source without a cluster that has seen nothing yet.
    ///
    /// `fingerprint_key` is [`Platform::fingerprint_key`], or zeros where no database remembers fingerprints.
    pub fn new(accounts: A, platform: P, fingerprint_key: [u8; 32]) -> Self {
        Self::of_source(STANDALONE, accounts, platform, fingerprint_key)
    }

    /// An operator of a source that has seen nothing yet.
    pub fn of_source(source_id: &str, accounts: A, platform: P, fingerprint_key: [u8; 32]) -> Self {
        let settings = Settings { fingerprint_key, ..Settings::new(source_id, DateTime::UNIX_EPOCH) };
        Self {
            accounts,
            platform,
            feed: Feed::default(),
            settings,
            listening: Listening::default(),
            fence: None,
            observed: None,
            failures: Failures::default(),
        }
    }

    /// Approves the plan of this digest and no other.
    pub fn approve(&mut self, digest: Option<String>) {
        self.settings.guards.approved = digest;
    }

    /// Takes in what the source says now.
    pub fn take(&mut self, snapshot: &Snapshot) {
        self.feed.take(snapshot, &self.settings.fingerprint_key);
        // One that cannot be read is as good as missing here; a pass makes it, or says why not.
        let known = |mailbox: &Mailbox| {
            Ok::<_, PlatformError>(self.platform.generated_password(mailbox, false).unwrap_or_default())
        };
        let _ = self.feed.take_generated(&self.settings.fingerprint_key, known);
    }

    /// What is declared, to be changed piece by piece by a source that tells single changes.
    pub fn feed(&mut self) -> &mut Feed {
        &mut self.feed
    }

    /// What is declared.
    pub fn catalog(&self) -> &Catalog {
        &self.feed.catalog
    }

    /// The way to the account database.
    pub fn accounts(&self) -> &A {
        &self.accounts
    }

    /// Another way to the account database, and what every write carries there. What was observed is observed anew.
    pub fn reach(&mut self, accounts: A, fence: Option<Fence>) {
        self.accounts = accounts;
        self.fence = fence;
        self.observed = None;
    }

    /// What a pass would do, without doing it.
    pub async fn plan(&self, now: DateTime<Utc>) -> Result<Plan, PassError> {
        let observed = self.accounts.observe().await?;
        Ok(self.decide(&observed, now))
    }

    /// What is wrong with the manifests by themselves.
    pub fn validate(&self) -> Vec<Problem> {
        mailwright_plan::validate(&self.feed.catalog, &self.settings)
    }

    /// What the listeners are up to, for the statuses of the next pass.
    pub fn set_listening(&mut self, listening: Listening) {
        self.listening = listening;
    }

    /// Plans and applies, makes keys and certificates that are missing, and writes down what came of it.
    pub async fn pass(&mut self, now: DateTime<Utc>) -> Result<Pass, PassError> {
        let make = |mailbox: &Mailbox| self.platform.generated_password(mailbox, true);
        self.feed.take_generated(&self.settings.fingerprint_key, make)?;
        let mut work = self.work(now, &ReadWhole).await?;
        if let Some(trouble) = work.trouble.take() {
            return Err(trouble.into());
        }
        let facts = self.ensure(&work.observed, now).await?;
        let records_written = self.write_down(&work, &facts, now).await?;
        let certificate_problem = facts.certificate.problem.map(|problem| match problem {
            CertificateProblem::SecretMissing(why)
            | CertificateProblem::Unusable(why)
            | CertificateProblem::Pending(why)
            | CertificateProblem::CertManagerMissing(why) => why,
        });
        Ok(Pass { plan: work.plan, outcomes: work.outcomes, records_written, certificate_problem })
    }

    /// Observes, plans, applies; an error means that nothing was. Removals are verified first; what failed before is left out until it is due.
    pub async fn work(&mut self, now: DateTime<Utc>, absence: &impl Absence) -> Result<Work, PassError> {
        let observed = self.observe().await?;
        let mut plan = self.decide(&observed, now);
        verify(&mut plan, absence).await;
        let (operations, mut outcomes) = self.failures.due(&plan, now);
        let Applied { outcomes: applied, news, trouble } = self.apply(operations, now).await;
        let observed = if applied.is_empty() { observed } else { self.observe().await? };
        outcomes.extend(applied);
        Ok(Work { plan, outcomes, news, observed, trouble })
    }

    /// What runs; read again only when something was written since.
    pub async fn observe(&mut self) -> Result<Arc<Observed>, AccountsError> {
        let known = self.observed.as_ref().map(|observed| observed.change_counter);
        match (self.accounts.observe_since(known).await?, self.observed.take()) {
            (None, Some(observed)) => self.observed = Some(observed),
            (Some(observed), _) => self.observed = Some(Arc::new(observed)),
            (None, None) => self.observed = Some(Arc::new(self.accounts.observe().await?)),
        }
        Ok(self.observed.clone().unwrap_or_default())
    }

    /// What was observed last.
    pub fn last_observed(&self) -> Option<&Arc<Observed>> {
        self.observed.as_ref()
    }

    /// When something that failed is to be tried again.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.failures.next_due()
    }

    /// Makes missing keys and certificates and publishes zones. Key generation and files are work for a thread of its own.
    pub async fn ensure(&self, observed: &Arc<Observed>, now: DateTime<Utc>) -> Result<Facts, PassError> {
        let (platform, secrets, observed) =
            (self.platform.clone(), self.feed.secrets.clone(), Arc::clone(observed));
        let work = tokio::task::spawn_blocking(move || facts::ensure(&platform, &observed, &secrets, now));
        let mut facts = work.await.map_err(|_| PassError::Interrupted)??;
        facts.endpoints = self.listening.endpoints.clone();
        facts.listener_error = self.listening.error.clone();
        Ok(facts)
    }

    /// Makes sure of a server's certificate alone, before its database answers: what starts for the first time starts with one.
    pub async fn ensure_certificate(
        &self,
        server: ServerDeclared,
        now: DateTime<Utc>,
    ) -> Result<(), PassError> {
        let (platform, secrets) = (self.platform.clone(), self.feed.secrets.clone());
        let work =
            tokio::task::spawn_blocking(move || mail_server::ensure(&platform, &secrets, &server, now));
        work.await.map_err(|_| PassError::Interrupted)??;
        Ok(())
    }

    /// Tells the status of everything declared one by one, each with the one that is kept, for which `previous` is asked.
    pub fn statuses(
        &self,
        work: &Work,
        facts: &Facts,
        now: DateTime<Utc>,
        previous: impl Fn(&ObjectRef) -> Option<Value>,
        tell: impl FnMut(ObjectRef, Option<Value>, Value),
    ) {
        let input = status::Input {
            catalog: &self.feed.catalog,
            plan: &work.plan,
            outcomes: &work.outcomes,
            observed: &work.observed,
            facts,
            now,
        };
        status::each(&input, previous, tell);
    }

    /// What the mail server is told: the settings in force, whether or not a manifest is readable now.
    pub async fn serving(&self) -> Result<Option<Serving>, PassError> {
        let observed = Arc::new(self.accounts.observe().await?);
        self.serving_of(&observed).await
    }

    /// The same, of rows that were read already. A platform may block, so it is asked on a thread of its own.
    pub async fn serving_of(&self, observed: &Arc<Observed>) -> Result<Option<Serving>, PassError> {
        let (platform, observed) = (self.platform.clone(), Arc::clone(observed));
        let work = tokio::task::spawn_blocking(move || serving::serving(&observed, &platform));
        Ok(work.await.map_err(|_| PassError::Interrupted)??)
    }

    fn decide(&self, observed: &Observed, now: DateTime<Utc>) -> Plan {
        mailwright_plan::plan(&self.feed.catalog, observed, &Settings { now, ..self.settings.clone() })
    }

    async fn apply(&mut self, operations: Vec<Operation>, now: DateTime<Utc>) -> Applied {
        let mut applied = Applied::default();
        for operations in operations.chunks(BATCH) {
            let mut credentials = mailbox::credentials(operations, &self.feed.catalog, &self.feed.secrets);
            let forgotten = mailbox::forgotten(operations, &self.feed.secrets);
            if let Some(recalled) = self.recall(forgotten).await {
                credentials.extend(mailbox::credentials(operations, &self.feed.catalog, &recalled));
            }
            let batch = Batch {
                source_id: self.settings.source_id.clone(),
                operations: operations.to_vec(),
                credentials,
                fence: self.fence.clone(),
            };
            let reply = match self.accounts.apply(batch).await {
                Ok(reply) => reply,
                Err(trouble) => return Applied { trouble: Some(trouble), ..applied },
            };
            applied.news.extend(self.failures.note(operations, &reply.outcomes, now));
            applied.outcomes.extend(reply.outcomes);
        }
        applied
    }

    /// Values that the feed has no more; what cannot be read now fails alone and is tried again.
    async fn recall(&self, forgotten: BTreeSet<(String, String)>) -> Option<Secrets> {
        if forgotten.is_empty() {
            return None;
        }
        let platform = self.platform.clone();
        let work = tokio::task::spawn_blocking(move || platform.recall(&forgotten));
        match work.await.ok()? {
            Ok(recalled) => Some(recalled),
            Err(error) => {
                tracing::warn!(%error, "Secrets cannot be read for the passwords in them");
                None
            }
        }
    }

    async fn write_down(
        &mut self,
        work: &Work,
        facts: &Facts,
        now: DateTime<Utc>,
    ) -> Result<usize, PassError> {
        let kept = self.accounts.records().await?;
        let kept: records::Kept = kept.into_iter().map(|record| (record.object.clone(), record)).collect();
        let specs = records::number(&mut self.feed.catalog, &kept);
        let previous = |object: &ObjectRef| kept.get(object).map(|record| record.status.clone());
        let mut statuses = BTreeMap::new();
        self.statuses(work, facts, now, previous, |object, _, status| drop(statuses.insert(object, status)));
        let statuses = statuses.into_iter().collect();
        let (changed, forgotten) = records::changes(specs, statuses, &work.plan, &kept, now);
        let written = changed.len() + forgotten.len();
        if !changed.is_empty() {
            self.accounts.put_records(changed).await?;
        }
        if !forgotten.is_empty() {
            self.accounts.forget(forgotten).await?;
        }
        Ok(written)
    }
}

/// Takes out of a plan what removes rows of objects that exist after all.
async fn verify(plan: &mut Plan, absence: &impl Absence) {
    let removals: Vec<Removal> = plan.applicable().filter_map(removal).collect();
    if removals.is_empty() {
        return;
    }
    let verdicts = absence.verify(&removals).await;
    let exists = removals.iter().zip(verdicts.into_iter().chain(std::iter::repeat(false)));
    let kept: BTreeSet<&Removal> = exists.filter(|(_, gone)| !gone).map(|(removal, _)| removal).collect();
    if !kept.is_empty() {
        tracing::info!(removals = kept.len(), "not removed, since not everything is known to be gone");
    }
    plan.operations.retain(|operation| removal(operation).is_none_or(|removal| !kept.contains(&removal)));
}

/// The row that an operation takes out of service for want of a declaration.
fn removal(operation: &Operation) -> Option<Removal> {
    use mailwright_plan::Change;
    let removes = match &operation.change {
        Change::PutServer { .. } | Change::PutDomain { .. } => false,
        Change::PutMailbox { .. } | Change::PutAlias { .. } => false,
        Change::DisableDomain { .. } | Change::DisableMailbox { .. } | Change::Release { .. } => true,
        Change::DeleteServer { .. } | Change::DeleteDomain { .. } => true,
        Change::DeleteMailbox { .. } | Change::DeleteAlias { .. } => true,
    };
    let (kind, key) = operation.change.key();
    removes.then(|| Removal { object: operation.object.clone(), kind, key: key.to_owned() })
}
