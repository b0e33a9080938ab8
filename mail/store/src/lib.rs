//! Accounts, mailboxes, messages, the queue and blobs in one database; the only place with SQL.
//!
//! Owns: the SQLite database, the blob files beside it, the lock on their directory, and the one writer that commits
//! for everybody (group commit, DESIGN §5). Leaves out: protocols (`proto/`), deciding
//! (`plan/`, `mail/flow`), hashing passwords, parsing messages (the MIME index is opaque bytes here).
//!
//! Entry points: [`Store::open`], then [`Store::accounts`], [`Store::resources`], [`Store::mail`] and [`Store::queue`].

pub mod account;
pub mod crash;
pub mod error;
pub mod history;
pub mod mailbox;
mod many;
pub mod message;
pub mod options;
pub mod queue;
pub mod resource;
pub mod store;

mod blob;
mod commit;
mod migrate;
mod watch;

#[cfg(test)]
mod tests;

pub use account::{
    AccountId, AccountStore, Accounts, Alias, AliasRow, Change, ChangeError, Credential, DeletionPolicy,
    Domain, DomainRow, Effect, Fence, Identity, Login, Mailbox, MailboxRow, Management, NewCredential,
    NewPassword, Ownership, Recipient, Senders, Server, ServerRow, SetBy, Target,
};
pub use crash::CRASH_POINTS;
pub use error::{Error, OpenError, Result};
pub use history::{Before, Cause, Entry, HistoryFilter, HistoryStore, Note};
pub use mailbox::{Folder, FolderId, Listing, NameError, Quota, Selected, SpecialUse, Status};
pub use message::{
    Append, Appended, Changes, Copied, Delivery, Digest, Expunged, Fetched, FlagOp, Index, Message, Need,
    Outcome, Row, StoreFlags, Stored, UidRange,
};
pub use options::{Clock, CrashHook, Options, UnixTime};
pub use queue::{
    Due, Lease, Notify, Outgoing, OutgoingRecipient, QueueChanged, QueueEntry, QueueFilter, QueueId,
    QueueState, QueueStats, QueueStore, Queued, QueuedRecipient, RecipientId, Ret, SettleOutcome, Settled,
    Settlement,
};
pub use resource::{Record, ResourceKey, ResourceStore};
pub use store::{MailStore, Stats, Store};
