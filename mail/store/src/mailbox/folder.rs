//! What a folder is, as listed, counted and opened.

use crate::error::{Error, Result};
use crate::message::Row;

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
    /// Messages with \Deleted.
    pub deleted: u32,
    /// Next UID.
    pub uid_next: u32,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// Highest MODSEQ.
    pub highest_modseq: u64,
    /// Bytes.
    pub size: u64,
}

/// What an account uses and may use (RFC 9208 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of messages.
    pub bytes: u64,
    /// None: as many as there is room for.
    pub bytes_limit: Option<u64>,
    /// Messages.
    pub messages: u64,
    /// Always limited.
    pub messages_limit: u64,
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

const USES: [(SpecialUse, &str); 5] = [
    (SpecialUse::Sent, "sent"),
    (SpecialUse::Drafts, "drafts"),
    (SpecialUse::Junk, "junk"),
    (SpecialUse::Trash, "trash"),
    (SpecialUse::Archive, "archive"),
];

/// Folders of a new account, INBOX first.
const FIRST: [(&str, Option<&str>); 6] = [
    ("INBOX", None),
    ("Sent", Some("sent")),
    ("Drafts", Some("drafts")),
    ("Junk", Some("junk")),
    ("Trash", Some("trash")),
    ("Archive", Some("archive")),
];

/// The first folders as JSON `[[name, use], …]`.
pub(crate) fn first_folders() -> String {
    serde_json::Value::from_iter(FIRST.map(|(name, special)| serde_json::json!([name, special]))).to_string()
}

/// The use that a folder of this name has when it is made.
pub(super) fn use_of_name(name: &str) -> Option<&'static str> {
    FIRST.iter().find(|(first, _)| *first == name).and_then(|(_, special)| *special)
}

/// The special_use column of a use.
pub(super) fn use_name(special: SpecialUse) -> &'static str {
    match special {
        SpecialUse::Sent => "sent",
        SpecialUse::Drafts => "drafts",
        SpecialUse::Junk => "junk",
        SpecialUse::Trash => "trash",
        SpecialUse::Archive => "archive",
    }
}

/// A special_use column.
pub(super) fn special_use(text: Option<&str>) -> Result<Option<SpecialUse>> {
    let Some(text) = text else { return Ok(None) };
    match USES.iter().find(|(_, name)| *name == text) {
        Some((special, _)) => Ok(Some(*special)),
        None => Err(Error::Damaged(format!("unknown special use {text:?}"))),
    }
}

/// A keywords column.
pub(crate) fn keywords(json: &str) -> Result<Vec<String>> {
    serde_json::from_str(json).map_err(|error| Error::Damaged(format!("keywords are not JSON: {error}")))
}

/// The column of [`keywords`].
pub(crate) fn keywords_json(keywords: &[String]) -> String {
    serde_json::Value::from(keywords).to_string()
}
