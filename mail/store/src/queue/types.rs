//! What goes into and comes out of the queue.

use std::fmt;

use bytes::Bytes;

use crate::account::AccountId;
use crate::message::{Delivery, Outcome};
use crate::options::UnixTime;

/// A queued message's number; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(pub i64);

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A queued recipient's number; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecipientId(pub i64);

/// One turn of [`crate::QueueStore::due`]: what it handed out belongs to it until settled, given back, or expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease(pub i64);

/// What of the message a failure report brings back (RFC 3461 §4.3 RET).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header.
    Headers,
}

/// When the sender wants a report about a recipient (RFC 3461 §4.1 NOTIFY).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notify {
    /// Never; excludes the others.
    pub never: bool,
    /// When it was delivered.
    pub success: bool,
    /// When it failed.
    pub failure: bool,
    /// When it is late.
    pub delay: bool,
}

impl Default for Notify {
    /// Without NOTIFY: failures, and delays as the server sees fit (RFC 3461 §4.1).
    fn default() -> Self {
        Self { never: false, success: false, failure: true, delay: true }
    }
}

/// A message to put into the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The trace id in its Received field.
    pub id: String,
    /// Envelope sender; empty is the null sender.
    pub reverse_path: String,
    /// Who it is for, at least one.
    pub recipients: Vec<OutgoingRecipient>,
    /// RET, if given.
    pub ret: Option<Ret>,
    /// ENVID, if given, decoded.
    pub envelope_id: Option<String>,
    /// The next hop must offer SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// The body has octets above 127.
    pub eight_bit: bool,
    /// The account that submitted it, if one did.
    pub submitted_by: Option<AccountId>,
    /// The message as it is to be sent.
    pub raw: Bytes,
    /// When it may be tried first.
    pub next_attempt: UnixTime,
    /// When it is given up.
    pub expires: UnixTime,
}

/// One recipient of an [`Outgoing`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutgoingRecipient {
    /// Forward path.
    pub address: String,
    /// ORCPT, if given (`rfc822;…`), or the address that was forwarded.
    pub original: Option<String>,
    /// NOTIFY.
    pub notify: Notify,
}

/// Where a queued recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueState {
    /// Never tried.
    Queued,
    /// Leased: an attempt is running.
    Active,
    /// Tried, and to be tried again.
    Deferred,
    /// Not tried until somebody releases it.
    Held,
}

impl QueueState {
    /// All of them.
    pub const ALL: [QueueState; 4] = [Self::Queued, Self::Active, Self::Deferred, Self::Held];

    /// Its name, for people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Active => "active",
            Self::Deferred => "deferred",
            Self::Held => "held",
        }
    }
}

/// A queued message's facts, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub id: QueueId,
    /// The trace id in its Received field.
    pub trace: String,
    /// Envelope sender; empty is the null sender.
    pub reverse_path: String,
    /// RET.
    pub ret: Option<Ret>,
    /// ENVID.
    pub envelope_id: Option<String>,
    /// Needs SMTPUTF8.
    pub smtputf8: bool,
    /// Has octets above 127.
    pub eight_bit: bool,
    /// Who submitted it.
    pub submitted_by: Option<AccountId>,
    /// Octets.
    pub size: u64,
    /// Since when it is in the queue.
    pub queued_at: UnixTime,
    /// When it is given up.
    pub expires: UnixTime,
}

/// A queued recipient's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedRecipient {
    /// Its number.
    pub id: RecipientId,
    /// Forward path.
    pub address: String,
    /// ORCPT.
    pub original: Option<String>,
    /// NOTIFY.
    pub notify: Notify,
    /// Where it stands.
    pub state: QueueState,
    /// Attempts that were settled so far.
    pub attempts: u32,
    /// When it may be tried next.
    pub next_attempt: UnixTime,
    /// What the next hop said last, or why it was not reached.
    pub last_reply: Option<String>,
    /// The sender was told that it is late.
    pub delay_reported: bool,
}

/// A message with the recipients whose time has come, leased to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Names the lease to [`Settlement`].
    pub lease: Lease,
    /// The message.
    pub message: Queued,
    /// Its leased recipients.
    pub recipients: Vec<QueuedRecipient>,
}

/// What became of one attempt for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The next hop took it: leaves the queue.
    Done,
    /// To be tried again.
    Deferred {
        /// When.
        next_attempt: UnixTime,
        /// What the next hop said, or why it was not reached.
        reply: String,
        /// The sender has been told that it is late (the report is this settlement's `delivery`, or was sent before).
        delay_reported: bool,
    },
    /// Given up: leaves the queue. Its report, if one is due, is this settlement's `delivery`.
    Failed {
        /// What the next hop said, or why it was given up.
        reply: String,
    },
}

/// The end of an attempt: results and the report that they cause, in one transaction.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// From [`Due`].
    pub lease: Lease,
    /// The message.
    pub message: QueueId,
    /// What became of which recipient.
    pub results: Vec<(RecipientId, Settled)>,
    /// The report (DSN), stored locally or queued.
    pub delivery: Option<Delivery>,
}

/// What a settlement came to. `Done` results always count: the next hop has the message. The rest and the report count all or not
/// at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettleOutcome {
    /// Recipients that are not this lease's any more (deleted, or expired and taken by another): when there are some that
    /// are not `Done`, settle the others again without them.
    pub lost: Vec<RecipientId>,
    /// Of the report's accounts, in their order; when one did not get it, nothing but `Done` was written.
    pub outcomes: Vec<Outcome>,
    /// Whether everything was written.
    pub complete: bool,
}

/// Which queued recipients are meant; all conditions together. An empty filter means all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueFilter {
    /// These messages.
    pub ids: Vec<QueueId>,
    /// Messages of these trace ids; beside `ids`, either will do.
    pub traces: Vec<String>,
    /// Envelope sender; `Some("")` is the null sender.
    pub sender: Option<String>,
    /// Recipient address.
    pub recipient: Option<String>,
    /// Domain of the recipient.
    pub domain: Option<String>,
    /// Where it stands.
    pub state: Option<QueueState>,
    /// In the queue since before this time.
    pub queued_before: Option<UnixTime>,
    /// At most so many messages (oldest first); 0: the store's own limit for lists, none for changes.
    pub limit: usize,
}

/// A queued message with those of its recipients that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// The message.
    pub message: Queued,
    /// Recipients.
    pub recipients: Vec<QueuedRecipient>,
}

/// What a change of the queue concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueChanged {
    /// Recipients that were changed.
    pub recipients: u64,
    /// Messages that have such recipients.
    pub messages: u64,
}

/// Counts of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStats {
    /// Messages.
    pub messages: u64,
    /// Octets of them.
    pub bytes: u64,
    /// Recipients never tried.
    pub queued: u64,
    /// Recipients being tried.
    pub active: u64,
    /// Recipients to be tried again.
    pub deferred: u64,
    /// Recipients on hold.
    pub held: u64,
    /// When the oldest message came.
    pub oldest: Option<UnixTime>,
}
