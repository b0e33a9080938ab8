//! Messages: delivering, appending, copying, flags, expunging, fetching, changes since a MODSEQ.
//!
//! Flags are a mask: bits 0..=4 are \Answered \Flagged \Deleted \Seen \Draft, bits 5..=62 the folder's keywords.
//! Every change of a folder takes the next MODSEQ (RFC 7162 §3.1): one value for all messages that it changes.

use std::collections::HashMap;

use crate::account::AccountId;
use crate::error::Result;
use crate::mailbox::{FolderId, canonical};
use crate::store::MailStore;

mod append;
mod changes;
mod copy;
mod deliver;
mod expunge;
mod fetch;
mod flags;
mod pack;
mod remove;
mod sql;
mod types;

pub(crate) mod purge;

pub(crate) use changes::changes as changes_since;
pub(crate) use deliver::{Deliver, prepare, present};
pub(crate) use pack::rows_of_columns;
pub use types::{
    Append, Appended, Changes, Copied, Delivery, Digest, Expunged, Fetched, FlagOp, Index, Message, Need,
    Outcome, Row, StoreFlags, Stored, UidRange,
};

/// \Answered
pub const ANSWERED: u64 = 1;
/// \Flagged
pub const FLAGGED: u64 = 1 << 1;
/// \Deleted
pub const DELETED: u64 = 1 << 2;
/// \Seen
pub const SEEN: u64 = 1 << 3;
/// \Draft
pub const DRAFT: u64 = 1 << 4;
/// The first keyword's bit number.
pub const FIRST_KEYWORD: u32 = 5;
/// Keywords a folder can hold: bits 5..=62, so that the mask stays a positive SQLite integer.
pub const MAX_KEYWORDS: usize = 58;

/// Messages of a folder: a session that opens it keeps 24 bytes of each, so 12 MB, and reads them in about a second.
pub const MAX_FOLDER_MESSAGES: i64 = 500_000;
/// Messages of an account. Copies of small messages cost no quota worth mentioning, but each has its rows: some 300 MB.
pub const MAX_ACCOUNT_MESSAGES: i64 = 2_000_000;
/// A quota is for at least so many octets per message: a message has rows and an index that its size does not count.
pub const OCTETS_PER_MESSAGE: i64 = 1024;
/// Messages that the smallest quota allows all the same.
pub const MIN_ACCOUNT_MESSAGES: i64 = 1000;
/// Messages that one COPY or MOVE takes: the writer, for which everybody else waits, is busy with them for less than a second.
pub const MAX_TRANSFER: usize = 20_000;

/// Bytes of a keyword; longer ones are refused.
pub const KEYWORD_MAX: usize = 255;

/// Messages that an account of this quota can have.
#[must_use]
pub fn account_limit(quota: Option<i64>) -> i64 {
    let by_quota = quota.map_or(MAX_ACCOUNT_MESSAGES, |quota| quota / OCTETS_PER_MESSAGE);
    by_quota.clamp(MIN_ACCOUNT_MESSAGES, MAX_ACCOUNT_MESSAGES)
}

impl MailStore<'_> {
    /// Stores one message for all its recipients or for none, in one transaction; answers after the commit, in the accounts'
    /// order.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Vec<Outcome>> {
        deliver::deliver(self.store, delivery).await
    }

    /// Appends to a folder by name.
    pub async fn append(&self, account: AccountId, name: &str, append: Append) -> Result<Appended> {
        let appended = append::append(self.store, account, name, vec![append], None).await?;
        appended.into_iter().next().ok_or(crate::Error::NoSuchFolder)
    }

    /// Appends messages to a folder by name, all or none (RFC 3502). With `replaces`, that message of an open folder of the same
    /// account goes in the same transaction (RFC 8508 §3).
    pub async fn append_all(
        &self,
        account: AccountId,
        name: &str,
        messages: Vec<Append>,
        replaces: Option<(FolderId, u32)>,
    ) -> Result<Vec<Appended>> {
        append::append(self.store, account, name, messages, replaces).await
    }

    /// Copies to a folder of the same account by name: all or none. Not into the disk's reserve, unlike a move, by which
    /// mail programs delete.
    pub async fn copy(&self, folder: FolderId, uids: &[u32], name: &str) -> Result<Copied> {
        self.store.shared.space.take(0)?;
        self.transfer(folder, uids, name, false).await
    }

    /// Moves to a folder of the same account by name: all or none (RFC 6851 §3).
    pub async fn r#move(&self, folder: FolderId, uids: &[u32], name: &str) -> Result<Copied> {
        self.transfer(folder, uids, name, true).await
    }

    async fn transfer(&self, folder: FolderId, uids: &[u32], name: &str, remove: bool) -> Result<Copied> {
        let Ok(name) = canonical(name) else { return Err(crate::Error::NoSuchFolder) };
        self.store.write(copy::Copy { source: folder, uids: pack::list(uids), name, remove }).await
    }

    /// Changes flags; messages whose flags stay the same keep their MODSEQ.
    pub async fn store_flags(&self, folder: FolderId, change: StoreFlags) -> Result<Stored> {
        self.store_flags_unchanged(folder, change, None).await
    }

    /// Changes flags of those messages only whose MODSEQ is not higher than `unchanged_since` (RFC 7162 §3.1.3).
    pub async fn store_flags_unchanged(
        &self,
        folder: FolderId,
        change: StoreFlags,
        unchanged_since: Option<u64>,
    ) -> Result<Stored> {
        self.store.write(flags::SetFlags { folder, change, unchanged_since }).await
    }

    /// Removes messages with \Deleted; only among `uids` when given (RFC 4315 §2.1).
    pub async fn expunge(&self, folder: FolderId, uids: Option<&[u32]>) -> Result<Expunged> {
        self.store.write(expunge::Expunge { folder, uids: uids.map(pack::list) }).await
    }

    /// New, changed and vanished messages since a MODSEQ.
    pub async fn changes(&self, folder: FolderId, since: u64) -> Result<Changes> {
        changes::changes(self.store, folder, since).await
    }

    /// UIDs that are gone since a MODSEQ, ascending (RFC 7162 §3.2.5.2); may name UIDs the asker never saw.
    pub async fn vanished(&self, folder: FolderId, since: u64) -> Result<Vec<UidRange>> {
        changes::vanished(self.store, folder, since).await
    }

    /// The digests of messages that have one.
    pub async fn digests(&self, folder: FolderId, uids: &[u32]) -> Result<HashMap<u32, Digest>> {
        fetch::digests(self.store, folder, uids).await
    }

    /// Reads messages.
    pub async fn fetch(&self, folder: FolderId, uids: &[u32], need: Need) -> Result<Fetched> {
        fetch::fetch(self.store, folder, uids, need).await
    }
}
