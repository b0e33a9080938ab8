//! One pass: observe → plan → apply → keys, certificate, zones → status. Deciding is `mailwright_plan`; here everything is
//! only asked for, handed on and written down, so a pass can be cut off anywhere and run again.
//!
//! [`Operator::pass`] is all of it, with statuses kept beside the accounts. In a cluster the same steps run one by one
//! ([`Operator::work`], [`Operator::ensure`], [`Operator::statuses`]), because statuses are kept elsewhere.

mod absence;
mod failures;
mod gate;
mod sight;
mod write_down;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mailwright_crds::Mailbox;
use mailwright_crds::mail_server::Endpoint;
use mailwright_plan::approval::Given;
use mailwright_plan::nearby::{self, Settled};
use mailwright_plan::observed::ServerDeclared;
use mailwright_plan::policy::Policies;
use mailwright_plan::right::{self, Denied, Right};
use mailwright_plan::settings::{Adoption, DriftPolicy};
use mailwright_plan::status::{self, CertificateProblem, Facts};
use mailwright_plan::{
    Approval, Batch, Catalog, Fence, Guards, ObjectRef, Observed, Operation, Outcome, Plan, Problem, Settings,
};
use serde_json::Value;

use crate::accounts::{Accounts, AccountsError, Record};
use crate::approvals::Approvals;
use crate::controller::mail_domain::KeysError;
use crate::controller::mail_server::{self, EnsureError};
use crate::controller::mailbox;
use crate::facts;
use crate::feed::Feed;
use crate::platform::{Platform, PlatformError};
use crate::preview::Stage;
use crate::records::Ledger;
use crate::secrets::Secrets;
use crate::serving::{self, Serving};
use crate::source::{CommitInfo, Snapshot};
pub use absence::{Absence, ReadWhole, Removal};
use absence::{removal, verify};
use failures::Failures;
pub use gate::Gate;
pub(crate) use gate::held;
use sight::{Sight, Written};

use crate::repository::{PlanRules, Revision};

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
    approvals: Approvals,
    gate: Gate,
    prune: bool,
    listening: Listening,
    fence: Option<Fence>,
    sight: Sight,
    /// What the last plan left behind, if it was applied to its end.
    settled: Option<Settled>,
    /// What it was made by.
    rules: Option<PlanRules>,
    failures: Failures,
    /// What is known of the records that are kept.
    ledger: Option<Ledger>,
    /// What the statuses that are kept were made of, apart from rows and declarations.
    told: Option<Facts>,
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
#[derive(Debug, Default)]
pub struct Pass {
    /// What was planned.
    pub plan: Plan,
    /// What became of its applicable operations.
    pub outcomes: Vec<Outcome>,
    /// How many resources got a new spec or status.
    pub records_written: usize,
    /// Why the declared certificate is not in force.
    pub certificate_problem: Option<String>,
    /// How many objects were looked at, because only they could be concerned; `None` when it was all of them.
    pub near: Option<usize>,
}

/// What was planned and what came of it.
#[derive(Debug, Clone)]
pub struct Work {
    /// What was planned; removals of what turned out to exist are not in it.
    pub plan: Plan,
    /// What became of its applicable operations, now or when they were last tried.
    pub outcomes: Vec<Outcome>,
    /// What runs now.
    pub observed: Arc<Observed>,
    /// Why not all of it was applied.
    pub trouble: Option<AccountsError>,
    /// Which of the outcomes no earlier pass had.
    news: Vec<usize>,
    /// The objects of which there can be news; `None` when it may be any.
    near: Option<BTreeSet<ObjectRef>>,
}

impl Work {
    /// The outcomes that no earlier pass had.
    pub fn news(&self) -> impl Iterator<Item = &Outcome> {
        self.news.iter().filter_map(|at| self.outcomes.get(*at))
    }
}

/// What came of the operations that were tried.
#[derive(Default)]
struct Applied {
    outcomes: Vec<Outcome>,
    /// Which of them are news.
    news: Vec<usize>,
    written: Written,
    trouble: Option<AccountsError>,
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
    /// It could not be asked what is allowed.
    #[error("{0}")]
    Unasked(String),
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
            approvals: Approvals::default(),
            gate: Gate::default(),
            prune: true,
            listening: Listening::default(),
            fence: None,
            sight: Sight::default(),
            settled: None,
            rules: None,
            failures: Failures::default(),
            ledger: None,
            told: None,
        }
    }

    /// Approves the plans of these digests and no others; what was approved before counts no more.
    pub fn approve(&mut self, given: impl IntoIterator<Item = impl Into<Given>>) {
        self.approvals.tell(given);
        self.settings.guards.approved = self.approvals.digests();
    }

    /// The same, beside what was approved before.
    pub fn approve_also(&mut self, given: impl IntoIterator<Item = Given>) {
        self.approvals.tell_also(given);
        self.settings.guards.approved = self.approvals.digests();
    }

    /// What it takes for a plan to be applied.
    pub fn set_approval(&mut self, approval: Approval) {
        self.settings.approval = approval;
        self.settled = None;
    }

    /// Who applies, as the history calls it.
    pub fn act_as(&mut self, actor: &str) {
        self.approvals.act_as(actor);
    }

    /// The commits whose trailers approve plans: that of the snapshot unless told otherwise, best all since the one that was applied
    /// last. With `verified_only` a commit counts whose signature was verified.
    pub fn take_commits<'a>(
        &mut self,
        commits: impl IntoIterator<Item = &'a CommitInfo>,
        verified_only: bool,
    ) {
        self.approvals.take_commits(commits, verified_only);
        self.settings.guards.approved = self.approvals.digests();
    }

    /// Which rows of others may be taken over, and what becomes of changes behind the manifests' back.
    pub fn treat(&mut self, adoption: Adoption, tokens: Vec<String>, drift: DriftPolicy) {
        self.settings.adoption = adoption;
        self.settings.adoption_tokens = tokens;
        self.settings.drift = drift;
        self.settled = None;
    }

    /// Plans and applies as a MailRepository says from now on; what is approved stays approved.
    pub fn obey(&mut self, rules: PlanRules) {
        if self.rules.as_ref() != Some(&rules) {
            self.rules = Some(rules.clone());
            self.settled = None;
        }
        let approved = std::mem::take(&mut self.settings.guards.approved);
        self.settings.guards = Guards { approved, ..rules.guards };
        self.settings.approval = rules.approval;
        self.settings.drift = rules.drift;
        self.settings.adoption = rules.adoption;
        self.settings.adoption_tokens = rules.adoption_tokens;
        self.settings.policies = Policies::of_spec(&rules.policies);
        self.gate = rules.gate;
        self.prune = rules.prune;
    }

    /// Takes in what the source says now.
    pub fn take(&mut self, snapshot: &Snapshot) {
        self.feed.take(snapshot, &self.settings.fingerprint_key);
        self.approvals.take_origin(snapshot);
        self.take_commits(snapshot.commit.as_deref(), false);
        // One that cannot be read is as good as missing here; a pass makes it, or says why not.
        let known = |mailbox: &Mailbox| {
            Ok::<_, PlatformError>(self.platform.generated_password(mailbox, false).unwrap_or_default())
        };
        let _ = self.feed.take_generated(&self.settings.fingerprint_key, known);
    }

    /// The same of a followed repository, whose commits since the last one may approve as well: where signatures are looked at, those
    /// that somebody signed.
    pub fn take_revision(&mut self, revision: &Revision) {
        self.take(&revision.snapshot);
        self.take_commits(revision.commits(), revision.verified);
    }

    /// What lets another source take over rows of this one.
    pub fn adoption_token(&self) -> String {
        mailwright_plan::adopt::token(&self.settings.fingerprint_key, &self.settings.source_id)
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
        self.sight.forget();
        self.settled = None;
        self.ledger = None;
    }

    /// Keeps a record that no pass writes, that of the source itself, beside those of what it declares.
    pub async fn keep_beside(&mut self, record: Record) -> Result<(), AccountsError> {
        self.accounts.put_records(vec![record]).await?;
        if let Some(ledger) = &mut self.ledger {
            ledger.wrote();
        }
        Ok(())
    }

    /// What previews of other commits are planned with.
    pub fn stage(&self) -> Stage {
        Stage::new(&self.settings, &self.feed.catalog)
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
        // A pass that breaks off has changed rows that nobody was told of: the next one tells of everything.
        let told = self.told.take();
        let make = |mailbox: &Mailbox| self.platform.generated_password(mailbox, true);
        self.feed.take_generated(&self.settings.fingerprint_key, make)?;
        let mut work = self.work(now, &ReadWhole).await?;
        if let Some(trouble) = work.trouble.take() {
            return Err(trouble.into());
        }
        let facts = self.ensure(&work.observed, now).await?;
        let records_written = self.write_down(&work, &facts, told.as_ref(), now).await?;
        self.told = Some(facts.clone());
        let certificate_problem = facts.certificate.problem.map(|problem| match problem {
            CertificateProblem::SecretMissing(why)
            | CertificateProblem::Unusable(why)
            | CertificateProblem::Pending(why)
            | CertificateProblem::CertManagerMissing(why) => why,
        });
        let near = work.near.map(|objects| objects.len());
        tracing::debug!(near, operations = work.plan.operations.len(), records_written, "a pass");
        Ok(Pass { plan: work.plan, outcomes: work.outcomes, records_written, certificate_problem, near })
    }

    /// Observes, plans, applies; an error means that nothing was. Removals are verified first; what failed before is left out until it is due.
    pub async fn work(&mut self, now: DateTime<Utc>, absence: &impl Absence) -> Result<Work, PassError> {
        self.sight.doubt(now);
        let observed = self.observe().await?;
        let (mut plan, near) = self.permitted(&observed, absence, now).await?;
        let planned = plan.operations.len();
        verify(&mut plan, absence).await;
        let verified = plan.operations.len() == planned;
        let (operations, mut outcomes) = match self.gate {
            gate if !gate.lets_through(&plan) => (Vec::new(), Vec::new()),
            Gate::Whole => self.failures.due_whole(&plan, now),
            _ => self.failures.due(&plan, now),
        };
        let Applied { outcomes: applied, news, written, trouble } = self.apply(&plan, operations, now).await;
        let observed = if applied.is_empty() {
            observed
        } else {
            drop(observed);
            self.sight.look_after(&self.accounts, &plan, written).await?
        };
        let news = news.into_iter().map(|at| outcomes.len() + at).collect();
        outcomes.extend(applied);
        let is_whole = verified && self.prune && trouble.is_none();
        self.settled = is_whole.then(|| Settled::of(&plan, &outcomes)).flatten();
        Ok(Work { plan, outcomes, observed, trouble, news, near })
    }

    /// Decides; what is not allowed is held, with what hangs on it.
    async fn permitted(
        &mut self,
        observed: &Observed,
        absence: &impl Absence,
        now: DateTime<Utc>,
    ) -> Result<(Plan, Option<BTreeSet<ObjectRef>>), PassError> {
        let (plan, near) = self.decide_nearby(observed, now);
        let rights: BTreeSet<Right> = plan.applicable().flat_map(right::needed).collect();
        if rights.is_empty() {
            return Ok((plan, near));
        }
        let denied = absence.denied(&rights).await.map_err(PassError::Unasked)?;
        if denied.rights.is_empty() {
            return Ok((plan, near));
        }
        self.settings.denied = denied;
        let plan = self.decide(observed, now);
        self.settings.denied = Denied::default();
        Ok((plan, None))
    }

    /// Decides by looking only at what changed and its neighbourhood, where that tells the same as looking at everything.
    fn decide_nearby(
        &mut self,
        observed: &Observed,
        now: DateTime<Utc>,
    ) -> (Plan, Option<BTreeSet<ObjectRef>>) {
        let (changes, moved) = (self.feed.catalog.take_changes(), self.sight.take_moved());
        if let Some(settled) = self.settled.take() {
            let settings = Settings { now, ..self.settings.clone() };
            let near = nearby::plan(&self.feed.catalog, observed, &settings, &settled, &changes, &moved);
            if let Some(near) = near {
                return (near.plan, Some(near.objects));
            }
        }
        (self.decide(observed, now), None)
    }

    /// What runs; read again only when something was written since.
    pub async fn observe(&mut self) -> Result<Arc<Observed>, AccountsError> {
        self.sight.look(&self.accounts).await
    }

    /// What was observed last.
    pub fn last_observed(&self) -> Option<&Arc<Observed>> {
        self.sight.last()
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
        status::each(&self.input(work, facts, now), previous, tell);
    }

    /// What the mail server is told: the settings in force, whether or not a manifest is readable now.
    pub async fn serving(&mut self) -> Result<Option<Serving>, PassError> {
        let observed = self.observe().await?;
        self.serving_of(&observed).await
    }

    /// The same, of rows that were read already. A platform may block, so it is asked on a thread of its own.
    pub async fn serving_of(&self, observed: &Arc<Observed>) -> Result<Option<Serving>, PassError> {
        let (platform, observed) = (self.platform.clone(), Arc::clone(observed));
        let work = tokio::task::spawn_blocking(move || serving::serving(&observed, &platform));
        Ok(work.await.map_err(|_| PassError::Interrupted)??)
    }

    fn decide(&self, observed: &Observed, now: DateTime<Utc>) -> Plan {
        let settings = Settings { now, ..self.settings.clone() };
        let mut plan = mailwright_plan::plan(&self.feed.catalog, observed, &settings);
        if !self.prune {
            plan.operations.retain(|operation| removal(operation).is_none());
        }
        plan
    }

    async fn apply(&mut self, plan: &Plan, operations: Vec<&Operation>, now: DateTime<Utc>) -> Applied {
        let outcomes = Vec::with_capacity(operations.len());
        let mut applied = Applied { outcomes, written: Written::by(&operations), ..Applied::default() };
        let provenance = self.approvals.provenance(plan);
        let whole = self.gate == Gate::Whole;
        // All or nothing is one transaction, however long it takes.
        let batch = if whole { operations.len().max(1) } else { BATCH };
        for operations in operations.chunks(batch) {
            let (all, catalog) = (|| operations.iter().copied(), &self.feed.catalog);
            let mut credentials = mailbox::credentials(all(), catalog, &self.feed.secrets);
            let forgotten = mailbox::forgotten(all(), &self.feed.secrets);
            if let Some(recalled) = self.recall(forgotten).await {
                credentials.extend(mailbox::credentials(all(), catalog, &recalled));
            }
            let batch = Batch {
                source_id: self.settings.source_id.clone(),
                operations: all().cloned().collect(),
                credentials,
                fence: self.fence.clone(),
                provenance: Some(provenance.clone()),
                whole,
            };
            let reply = match self.accounts.apply(batch).await {
                Ok(reply) => reply,
                Err(trouble) => {
                    // What it did nobody knows.
                    applied.written.add(None);
                    return Applied { trouble: Some(trouble), ..applied };
                }
            };
            applied.written.add(reply.written);
            let news = self.failures.note(operations, &reply.outcomes, now);
            let before = applied.outcomes.len();
            applied.news.extend(news.into_iter().map(|at| before + at));
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

    fn input<'a>(&'a self, work: &'a Work, facts: &'a Facts, now: DateTime<Utc>) -> status::Input<'a> {
        status::Input {
            catalog: &self.feed.catalog,
            plan: &work.plan,
            outcomes: &work.outcomes,
            observed: &work.observed,
            facts,
            now,
        }
    }
}
