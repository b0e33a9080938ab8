//! One pass: observe → plan → apply → keys, certificate, zones → status. Deciding is `mailwright_plan`; here everything is
//! only asked for, handed on and written down, so a pass can be cut off anywhere and run again.

use chrono::{DateTime, Utc};
use mailwright_crds::mail_server::Endpoint;
use mailwright_plan::status::{self, CertificateProblem, Facts};
use mailwright_plan::{Batch, Catalog, Observed, Operation, Outcome, Plan, Problem, Settings};

use crate::accounts::{Accounts, AccountsError};
use crate::controller::mail_domain::KeysError;
use crate::controller::mail_server::EnsureError;
use crate::controller::mailbox;
use crate::feed::Feed;
use crate::platform::{Platform, PlatformError};
use crate::serving::{self, Serving};
use crate::source::Snapshot;
use crate::{facts, records};

/// The source id of an installation without a cluster. It has one source at a time, so following another directory or
/// repository is a change of that source and is planned, shown and guarded as one.
pub const STANDALONE: &str = "standalone";

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
    /// An operator that has seen nothing yet.
    ///
    /// `fingerprint_key` is [`Platform::fingerprint_key`], or zeros where no database remembers fingerprints.
    pub fn new(accounts: A, platform: P, fingerprint_key: [u8; 32]) -> Self {
        let settings = Settings { fingerprint_key, ..Settings::new(STANDALONE, DateTime::UNIX_EPOCH) };
        Self { accounts, platform, feed: Feed::default(), settings, listening: Listening::default() }
    }

    /// Approves the plan of this digest and no other.
    pub fn approve(&mut self, digest: Option<String>) {
        self.settings.guards.approved = digest;
    }

    /// Takes in what the source says now.
    pub fn take(&mut self, snapshot: &Snapshot) {
        self.feed.take(snapshot, &self.settings.fingerprint_key);
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
        let observed = self.accounts.observe().await?;
        let plan = self.decide(&observed, now);
        let outcomes = self.apply(&plan).await?;
        let observed = if outcomes.is_empty() { observed } else { self.accounts.observe().await? };
        let mut facts = self.ensure(&observed, now).await?;
        facts.endpoints = self.listening.endpoints.clone();
        facts.listener_error = self.listening.error.clone();
        let records_written = self.write_down(&plan, &outcomes, &observed, &facts, now).await?;
        let certificate_problem = facts.certificate.problem.map(|problem| match problem {
            CertificateProblem::SecretMissing(why) | CertificateProblem::Unusable(why) => why,
        });
        Ok(Pass { plan, outcomes, records_written, certificate_problem })
    }

    /// What the mail server is told: the settings in force, whether or not a manifest is readable now.
    pub async fn serving(&self) -> Result<Option<Serving>, PassError> {
        let observed = self.accounts.observe().await?;
        Ok(serving::serving(&observed, &self.platform)?)
    }

    fn decide(&self, observed: &Observed, now: DateTime<Utc>) -> Plan {
        mailwright_plan::plan(&self.feed.catalog, observed, &Settings { now, ..self.settings.clone() })
    }

    async fn apply(&self, plan: &Plan) -> Result<Vec<Outcome>, PassError> {
        let operations: Vec<Operation> = plan.applicable().cloned().collect();
        let mut outcomes = Vec::with_capacity(operations.len());
        for operations in operations.chunks(BATCH) {
            let credentials = mailbox::credentials(operations, &self.feed.catalog, &self.feed.secrets);
            let batch = Batch {
                source_id: self.settings.source_id.clone(),
                operations: operations.to_vec(),
                credentials,
                fence: None,
            };
            outcomes.extend(self.accounts.apply(batch).await?.outcomes);
        }
        Ok(outcomes)
    }

    /// Key generation and files are work for a thread of its own.
    async fn ensure(&self, observed: &Observed, now: DateTime<Utc>) -> Result<Facts, PassError> {
        let (platform, secrets, observed) =
            (self.platform.clone(), self.feed.secrets.clone(), observed.clone());
        let work = tokio::task::spawn_blocking(move || facts::ensure(&platform, &observed, &secrets, now));
        work.await.map_err(|_| PassError::Interrupted)?
    }

    async fn write_down(
        &mut self,
        plan: &Plan,
        outcomes: &[Outcome],
        observed: &Observed,
        facts: &Facts,
        now: DateTime<Utc>,
    ) -> Result<usize, PassError> {
        let kept = self.accounts.records().await?;
        let kept: records::Kept = kept.into_iter().map(|record| (record.object.clone(), record)).collect();
        let specs = records::number(&mut self.feed.catalog, &kept);
        let previous = kept.iter().map(|(object, record)| (object.clone(), record.status.clone())).collect();
        let catalog: &Catalog = &self.feed.catalog;
        let input = status::Input { catalog, plan, outcomes, observed, facts, now };
        let statuses = status::compute(&input, &previous);
        let (changed, forgotten) = records::changes(specs, statuses, plan, &kept, now);
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
