//! What a plan is made for: which source, when, and how much it may remove.

use chrono::{DateTime, Duration, Utc};
pub use mailwright_crds::mail_repository::{Adoption, DriftPolicy};

use crate::approval::Approval;
use crate::policy::Policies;
use crate::right::Denied;

/// Of a large installation nobody removes a tenth on purpose without knowing it.
pub const MAX_REMOVED_PERCENT: u32 = 10;
/// A list of more than a screenful is no longer read before it is applied.
pub const MAX_REMOVED: usize = 20;

/// Removals of one change to a source that arrives piece by piece (a working copy that empties, a script that deletes
/// file by file) come within minutes; whoever removes on purpose, and more than the guards let through, can approve it.
pub const RECENT: Duration = Duration::minutes(10);

/// The circumstances of one plan.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Identifies the source in `managed_by`: its location without credentials.
    pub source_id: String,
    /// The time that retention is counted to.
    pub now: DateTime<Utc>,
    /// What a plan may remove.
    pub guards: Guards,
    /// What it takes for the plan to be applied.
    pub approval: Approval,
    /// Which rows of others it may take over.
    pub adoption: Adoption,
    /// Tokens of sources whose rows may be taken over whatever `adoption` says ([`crate::adopt::token`]).
    pub adoption_tokens: Vec<String>,
    /// What becomes of changes that were made behind the manifests' back.
    pub drift: DriftPolicy,
    /// Policies from outside what is declared.
    pub policies: Policies,
    /// What they may not do in whose name the plan is applied.
    pub denied: Denied,
    /// The installation's key for fingerprints of `passwordHash`, the same that Secrets are fingerprinted with.
    pub fingerprint_key: [u8; 32],
}

impl Settings {
    /// The usual guards, no approval, and a key that is good enough where no database remembers fingerprints.
    pub fn new(source_id: impl Into<String>, now: DateTime<Utc>) -> Self {
        Self {
            source_id: source_id.into(),
            now,
            guards: Guards::default(),
            approval: Approval::default(),
            adoption: Adoption::default(),
            adoption_tokens: Vec::new(),
            drift: DriftPolicy::default(),
            policies: Policies::default(),
            denied: Denied::default(),
            fingerprint_key: [0; 32],
        }
    }
}

/// What a plan may remove without somebody looking at it.
///
/// Removals are objects that are removed, disabled or deleted, alias domains given up and domains parked. They are held
/// when they are more than `max_removed`, or more than `max_percent` of the objects this source manages (with those the
/// plan adds) **and** more than one: removing one mailbox of five is everyday work, although it is 20 %.
///
/// Mailboxes and domains of this source that went out of service within [`RECENT`] count together with those of the plan:
/// thirty mailboxes are as many when they go one by one. Aliases leave no row behind, so they, alias domains, parking and
/// `enabled: false` count within one plan only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// The largest share in per cent.
    pub max_percent: u32,
    /// The largest number.
    pub max_removed: usize,
    /// The digests of plans that somebody approved: each lifts these two guards and that of the last target, for the plan
    /// of exactly this digest (or of a digest that begins with these at least 16 characters). What does not name the
    /// plan lifts nothing of it.
    pub approved: Vec<String>,
}

impl Default for Guards {
    fn default() -> Self {
        Self { max_percent: MAX_REMOVED_PERCENT, max_removed: MAX_REMOVED, approved: Vec::new() }
    }
}
