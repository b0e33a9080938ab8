//! Folders of an account ("mailboxes" in RFC 3501): names, hierarchy, subscriptions, status, selecting.
//!
//! Names are UTF-8 here; modified UTF-7 is the protocol's affair. The hierarchy separator is `/`. `INBOX` is
//! case-insensitive as a first component, everything else is compared exactly.

use crate::account::AccountId;
use crate::error::Result;
use crate::message::Row;
use crate::store::MailStore;

/// A folder's number; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderId(pub i64);

/// RFC 6154 §2 uses that are given to new accounts' folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialUse {
    /// \Sent
    Sent,
    /// \Drafts
    Drafts,
    /// \Junk
    Junk,
    /// \Trash
    Trash,
    /// \Archive
    Archive,
}

/// Why a folder name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or an empty level ("a//b", "/a").
    #[error("mailbox name has an empty level")]
    Empty,
    /// Too many bytes.
    #[error("mailbox name is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Too many levels.
    #[error("mailbox name has more than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// Control characters or LIST wildcards.
    #[error("mailbox name contains {0:?}, which is not allowed")]
    Character(char),
}

/// A folder as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its number.
    pub id: FolderId,
    /// UTF-8 name, levels joined by `/`.
    pub name: String,
    /// Use, if any.
    pub special_use: Option<SpecialUse>,
    /// In the subscription list.
    pub subscribed: bool,
    /// Exists only for its inferiors.
    pub noselect: bool,
    /// Has inferiors.
    pub has_children: bool,
}

/// All folders of an account, and its subscriptions (which may name folders that are gone, RFC 3501 §6.3.9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Ordered by name, INBOX first.
    pub folders: Vec<Folder>,
    /// Ordered by name.
    pub subscriptions: Vec<String>,
}

/// STATUS of a folder (RFC 3501 §6.3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The folder.
    pub folder: FolderId,
    /// Number of messages.
    pub messages: u32,
    /// Messages no session was told of.
    pub recent: u32,
    /// Messages without \Seen.
    pub unseen: u32,
    /// Next UID.
    pub uid_next: u32,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// Highest MODSEQ.
    pub highest_modseq: u64,
    /// Bytes.
    pub size: u64,
}

/// A folder opened for a session: one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The folder.
    pub folder: FolderId,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// Next UID.
    pub uid_next: u32,
    /// Highest MODSEQ of the snapshot.
    pub highest_modseq: u64,
    /// Messages from this UID on are \Recent for this session.
    pub first_recent: u32,
    /// Keyword names: `keywords[i]` is bit `5 + i`.
    pub keywords: Vec<String>,
    /// All messages by UID.
    pub rows: Vec<Row>,
}

impl MailStore<'_> {
    /// All folders and subscriptions of an account.
    pub async fn list(&self, account: AccountId) -> Result<Listing> {
        let _ = account;
        todo!()
    }

    /// Makes a folder and its missing superiors (RFC 3501 §6.3.3); a trailing `/` is dropped.
    pub async fn create(&self, account: AccountId, name: &str) -> Result<FolderId> {
        let _ = (account, name);
        todo!()
    }

    /// RFC 3501 §6.3.4: with inferiors the mail goes and the name stays as \Noselect; INBOX is refused.
    pub async fn delete(&self, account: AccountId, name: &str) -> Result<()> {
        let _ = (account, name);
        todo!()
    }

    /// RFC 3501 §6.3.5: inferiors follow; renaming INBOX moves its messages to a new folder.
    pub async fn rename(&self, account: AccountId, from: &str, to: &str) -> Result<()> {
        let _ = (account, from, to);
        todo!()
    }

    /// Adds a name to the subscription list; it need not exist.
    pub async fn subscribe(&self, account: AccountId, name: &str) -> Result<()> {
        let _ = (account, name);
        todo!()
    }

    /// Takes a name off the subscription list.
    pub async fn unsubscribe(&self, account: AccountId, name: &str) -> Result<()> {
        let _ = (account, name);
        todo!()
    }

    /// STATUS by name.
    pub async fn status(&self, account: AccountId, name: &str) -> Result<Status> {
        let _ = (account, name);
        todo!()
    }

    /// Opens a folder. `claim_recent` (SELECT, not EXAMINE) takes the \Recent messages for this session.
    pub async fn select(&self, account: AccountId, name: &str, claim_recent: bool) -> Result<Selected> {
        let _ = (account, name, claim_recent);
        todo!()
    }

    /// Bytes used and allowed (None: no limit).
    pub async fn usage(&self, account: AccountId) -> Result<(u64, Option<u64>)> {
        let _ = account;
        todo!()
    }
}
