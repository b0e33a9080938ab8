//! What goes into and comes out of the message operations.

use bytes::Bytes;

use crate::account::AccountId;
use crate::mailbox::FolderId;
use crate::options::UnixTime;
use crate::queue::Outgoing;

/// What a session keeps of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// UID.
    pub uid: u32,
    /// MODSEQ of its last change.
    pub modseq: u64,
    /// Flags and keywords.
    pub flags: u64,
}

/// UIDs `first..=last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UidRange {
    /// First UID.
    pub first: u32,
    /// Last UID.
    pub last: u32,
}

/// What is made of a message before it is stored; opaque here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// The MIME index.
    pub mime: Bytes,
    /// The beginning of its text (RFC 8970 §3), and the name of its conversation; None: made when it is asked for.
    pub digest: Option<Digest>,
}

/// See [`Index::digest`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digest {
    /// The beginning of its text.
    pub preview: String,
    /// The name of its conversation.
    pub thread: [u8; 16],
}

impl<T: Into<Bytes>> From<T> for Index {
    /// Without a digest.
    fn from(mime: T) -> Index {
        Index { mime: mime.into(), digest: None }
    }
}

/// A message for mailboxes' INBOX; `raw` begins with the Return-Path and Received headers of this transaction.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Who gets it; the blob is shared.
    pub accounts: Vec<AccountId>,
    /// The whole message, CRLF line ends.
    pub raw: Bytes,
    /// What was made of it.
    pub index: Index,
    /// When it was received.
    pub internal_date: UnixTime,
    /// What leaves for elsewhere, in the same transaction: stored here and queued, or neither. `accounts` may be empty.
    pub outgoing: Vec<Outgoing>,
}

/// What became of a delivery for one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Durably stored.
    Delivered {
        /// UID in INBOX.
        uid: u32,
    },
    /// It does not fit the quota, or there are too many messages: 452 4.2.2.
    OverQuota,
    /// The account was disabled or removed meanwhile.
    Gone,
    /// It would fit here, but another account of the same delivery cannot have it, so nobody got it.
    Withheld,
}

/// A message for a named folder.
#[derive(Debug, Clone)]
pub struct Append {
    /// The whole message.
    pub raw: Bytes,
    /// What was made of it.
    pub index: Index,
    /// System flags (bits 0..=4).
    pub flags: u64,
    /// Keyword names.
    pub keywords: Vec<String>,
    /// The date given, or now.
    pub internal_date: UnixTime,
}

/// Where an appended message went (RFC 4315 §3 APPENDUID).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The folder.
    pub folder: FolderId,
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// The message's UID.
    pub uid: u32,
    /// MODSEQ.
    pub modseq: u64,
}

/// Where copied or moved messages went (RFC 4315 §3 COPYUID).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The target folder.
    pub folder: FolderId,
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// (source UID, target UID), ascending; UIDs that did not exist are left out.
    pub uids: Vec<(u32, u32)>,
    /// For a move: MODSEQ of the expunge in the source folder, 0 for a copy.
    pub source_modseq: u64,
}

/// How flags are combined (RFC 3501 §6.4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagOp {
    /// FLAGS
    Replace,
    /// +FLAGS
    Add,
    /// -FLAGS
    Remove,
}

/// A flag change.
#[derive(Debug, Clone)]
pub struct StoreFlags {
    /// Messages.
    pub uids: Vec<u32>,
    /// How.
    pub op: FlagOp,
    /// System flags (bits 0..=4) and keywords whose bits are known.
    pub flags: u64,
    /// Keywords by name; new ones get a bit (not when removing).
    pub keywords: Vec<String>,
}

/// What a flag change left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Highest MODSEQ of the folder after it.
    pub highest_modseq: u64,
    /// All messages that were named and exist, with their flags now.
    pub rows: Vec<Row>,
    /// Those of them that were left as they are because their MODSEQ is too high, ascending.
    pub modified: Vec<u32>,
    /// The keyword table after it.
    pub keywords: Vec<String>,
}

/// What was expunged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expunged {
    /// UIDs that are gone, ascending.
    pub uids: Vec<u32>,
    /// Highest MODSEQ of the folder after it.
    pub highest_modseq: u64,
}

/// Everything that happened in a folder since a MODSEQ: one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Highest MODSEQ of the snapshot: ask from here next time.
    pub highest_modseq: u64,
    /// Next UID.
    pub uid_next: u32,
    /// New and changed messages by UID.
    pub rows: Vec<Row>,
    /// Gone since; may name UIDs the asker never saw.
    pub vanished: Vec<UidRange>,
    /// The keyword table now.
    pub keywords: Vec<String>,
}

/// What of a message is wanted besides its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    /// The MIME index.
    pub index: bool,
    /// The message itself.
    pub raw: bool,
}

/// A message as fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// UID.
    pub uid: u32,
    /// MODSEQ.
    pub modseq: u64,
    /// Flags.
    pub flags: u64,
    /// INTERNALDATE.
    pub internal_date: UnixTime,
    /// When it came into this folder (RFC 8514 §3).
    pub save_date: UnixTime,
    /// RFC822.SIZE
    pub size: u32,
    /// The MIME index, when asked for.
    pub index: Option<Bytes>,
    /// The message, when asked for.
    pub raw: Option<Bytes>,
    /// BLAKE3 of the message, when its index was asked for.
    pub hash: Option<[u8; 32]>,
}

/// Messages fetched, and the UIDs that were left for the next call because the answer grew too large.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// By UID; UIDs that do not exist are left out.
    pub messages: Vec<Message>,
    /// Ask for these next.
    pub rest: Vec<u32>,
}
