//! What the session asks its driver and what the driver may answer: the border to accounts and store.
//!
//! Each [`Ask`] names the [`Answer`] it expects; [`Answer::Refused`] fits every one of them. An answer of another kind is a
//! driver's bug: the command ends with `NO [SERVERBUG]` (RFC 5530 §3) and the session goes on.

use crate::{Keyword, MailboxName};
use std::fmt;
use std::ops::RangeInclusive;

/// A question that needs accounts or the store. At most one is open at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// LOGIN. Answer: [`Answer::Done`] (the driver keeps the account) or
    /// [`Refusal::AuthenticationFailed`] and its kin.
    Login {
        /// What the client calls itself, as written.
        user: String,
        /// The password, kept out of every log.
        password: Password,
    },
    /// AUTHENTICATE begins (RFC 3501 §6.2.2). Answer: [`Answer::Challenge`], [`Answer::Done`] (the driver keeps the account) or
    /// a refusal, as to [`Ask::Login`].
    Authenticate {
        /// One of those offered, upper case.
        mechanism: String,
        /// The initial response (RFC 4959 §3), decoded; it may hold a password.
        initial: Option<Password>,
    },
    /// The client's decoded response to [`Answer::Challenge`]. Answers as to [`Ask::Authenticate`].
    Respond(Password),
    /// Every mailbox of the account. Answer: [`Answer::Mailboxes`]; the session matches the wildcards.
    List,
    /// Every subscribed name, existing or not. Answer: [`Answer::Subscriptions`].
    Subscriptions,
    /// Create a mailbox and its missing parents. Answer: [`Answer::Created`].
    Create {
        /// The new name, never INBOX.
        name: MailboxName,
        /// What it is for (RFC 6154 §3); [`Refusal::UseAttribute`] where another mailbox is that already.
        special_use: Option<SpecialUse>,
    },
    /// Delete a mailbox; inferiors stay (RFC 3501 §6.3.4). Answer: [`Answer::Done`].
    Delete {
        /// The name, never INBOX.
        name: MailboxName,
    },
    /// Rename with all inferiors; INBOX moves its messages instead (RFC 3501 §6.3.5). Answer: [`Answer::Done`].
    Rename {
        /// The name that exists.
        from: MailboxName,
        /// The name that must not exist yet.
        to: MailboxName,
    },
    /// Answer: [`Answer::Done`].
    Subscribe {
        /// Subscribed even where no such mailbox exists any more (RFC 3501 §6.3.6).
        name: MailboxName,
    },
    /// Answer: [`Answer::Done`].
    Unsubscribe {
        /// The name to forget.
        name: MailboxName,
    },
    /// Answer: [`Answer::Status`].
    Status {
        /// Any mailbox, also the selected one.
        name: MailboxName,
    },
    /// Open a mailbox and start watching it; what was selected before is dropped even if this one is refused
    /// (RFC 3501 §6.3.1). Answer: [`Answer::Selected`].
    Select {
        /// The mailbox to open.
        name: MailboxName,
        /// EXAMINE: `\Recent` is not claimed.
        read_only: bool,
    },
    /// Stop watching the selected mailbox. Answer: [`Answer::Done`].
    Unselect,
    /// What changed in the selected mailbox after this modification sequence. Answer: [`Answer::Changes`], or
    /// [`Refusal::NonExistent`] when the mailbox is gone (the session ends with BYE).
    Sync {
        /// The `highest_modseq` of the last [`Selected`] or [`Changes`].
        since: u64,
    },
    /// Which UIDs of the selected mailbox are gone since this modification sequence (RFC 7162 §3.2.5.2, §3.2.6). Answer:
    /// [`Answer::Vanished`].
    Vanished {
        /// What the client says it knows.
        since: u64,
    },
    /// The time of day, for SEARCH keys that count from it (RFC 5032 §2). Answer: [`Answer::Clock`].
    Clock,
    /// Messages of the selected mailbox. Answer: [`Answer::Messages`].
    Fetch {
        /// Ascending, at most [`super::config::FETCH_CHUNK`].
        uids: Vec<u32>,
        /// How much of each message.
        need: Need,
        /// Fill [`Message::digest`], too.
        digest: bool,
        /// Stop before the raw bytes of one answer pass this sum, but answer at least one message.
        max_bytes: usize,
    },
    /// Change flags in the selected mailbox. Answer: [`Answer::Stored`].
    Store {
        /// Ascending.
        uids: Vec<u32>,
        /// Replace, add or remove.
        operation: StoreOperation,
        /// System flags only, bits of [`crate::flags`].
        flags: u64,
        /// Keywords by name; Replace and Add make those that the mailbox lacks (else [`Refusal::Limit`]).
        keywords: Vec<Keyword>,
        /// Only messages whose modification sequence is not higher (RFC 7162 §3.1.3), decided together with the change.
        unchanged_since: Option<u64>,
    },
    /// A message of APPEND or REPLACE comes: may refuse before it is sent. Answer: [`Answer::Done`]; [`super::Output::Body`]
    /// chunks follow, then the next [`Ask::Append`] of the same command (RFC 3502), [`Ask::AppendEnd`], or
    /// [`super::Output::Discard`].
    Append(Append),
    /// The messages since the last [`Ask::AppendEnd`] or [`super::Output::Discard`] are complete: keep all or none. Answer:
    /// [`Answer::Appended`].
    AppendEnd,
    /// What of the quota is used (RFC 9208). Answer: [`Answer::Quota`].
    Quota,
    /// All annotations of a mailbox, or of the server (RFC 5464). Answer: [`Answer::Metadata`].
    Metadata {
        /// `None`: the server.
        mailbox: Option<MailboxName>,
    },
    /// Sets annotations, all or none (RFC 5464 §4.3). Answer: [`Answer::Done`].
    SetMetadata {
        /// `None`: the server.
        mailbox: Option<MailboxName>,
        /// Lower-case names with their values; `None` removes.
        entries: Vec<(String, Option<Vec<u8>>)>,
    },
    /// Copy with flags, keywords and internal date, all or nothing. Answer: [`Answer::Copied`].
    Copy {
        /// Ascending, of the selected mailbox.
        uids: Vec<u32>,
        /// Refuse with [`Refusal::TryCreate`] when it does not exist.
        target: MailboxName,
    },
    /// Like [`Ask::Copy`], and gone from the selected mailbox in the same transaction (RFC 6851 §3.3). Answer:
    /// [`Answer::Copied`].
    Move {
        /// Ascending, of the selected mailbox.
        uids: Vec<u32>,
        /// Refuse with [`Refusal::TryCreate`] when it does not exist.
        target: MailboxName,
    },
    /// Remove the messages that have `\Deleted` set now. Answer: [`Answer::Expunged`].
    Expunge {
        /// `Some`: of these only (UID EXPUNGE, RFC 4315 §2.1).
        uids: Option<Vec<u32>>,
    },
}

/// The answer to the open [`Ask`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Done, nothing to tell.
    Done,
    /// To [`Ask::Authenticate`] and [`Ask::Respond`]: send this, and ask [`Ask::Respond`] with what comes back.
    Challenge(Vec<u8>),
    /// To [`Ask::Authenticate`] and [`Ask::Respond`]: the response is not what the mechanism wants.
    Malformed,
    /// To [`Ask::Create`].
    Created {
        /// See [`Status::mailbox_id`].
        mailbox_id: u64,
    },
    /// To [`Ask::Quota`].
    Quota(Quota),
    /// To [`Ask::Metadata`]: lower-case names with their values.
    Metadata(Vec<(String, Vec<u8>)>),
    /// To [`Ask::List`].
    Mailboxes(Vec<ListEntry>),
    /// To [`Ask::Subscriptions`].
    Subscriptions(Vec<MailboxName>),
    /// To [`Ask::Status`].
    Status(Status),
    /// To [`Ask::Select`].
    Selected(Selected),
    /// To [`Ask::Sync`].
    Changes(Changes),
    /// To [`Ask::Vanished`]: ascending ranges; where the store does not remember so far back, every UID below UIDNEXT that
    /// is not there.
    Vanished(Vec<RangeInclusive<u32>>),
    /// To [`Ask::Clock`]: seconds since 1970.
    Clock(i64),
    /// To [`Ask::Fetch`].
    Messages {
        /// Those that still exist, in the order asked.
        messages: Vec<Message>,
        /// How many of the asked UIDs this answer covers, from the first; the session asks again for the others.
        answered: usize,
    },
    /// To [`Ask::Store`].
    Stored {
        /// The state now of every asked message that still exists.
        rows: Vec<Row>,
        /// Those of them that `unchanged_since` kept from being changed, ascending.
        modified: Vec<u32>,
        /// The mailbox's keyword table, bit 5 first.
        keywords: Vec<String>,
    },
    /// To [`Ask::AppendEnd`].
    Appended {
        /// Of the target mailbox.
        uid_validity: u32,
        /// Of the new messages, in their order.
        uids: Vec<u32>,
    },
    /// To [`Ask::Copy`] and [`Ask::Move`].
    Copied {
        /// Of the target mailbox.
        uid_validity: u32,
        /// Source UID and target UID of each message that still existed, ascending by source.
        uids: Vec<(u32, u32)>,
    },
    /// To [`Ask::Expunge`]: the UIDs that this command removed.
    Expunged(Vec<u32>),
    /// No, and why.
    Refused(Refusal),
}

/// Why the answer is no; `server::refusal` holds the one table from reason to response code and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Unknown user, wrong password or disabled account: one reply for all three.
    AuthenticationFailed,
    /// The account may not log in now; retrying without the user's doing makes no sense.
    AccountDisabled,
    /// Something behind the server is down; try again later.
    Unavailable,
    /// No such mailbox.
    NonExistent,
    /// No such target mailbox; creating it would help.
    TryCreate,
    /// There is one of that name.
    AlreadyExists,
    /// The account's quota would be exceeded.
    OverQuota,
    /// A limit on mailboxes, keywords or the like.
    Limit,
    /// The message is larger than this server keeps.
    TooBig,
    /// It can never work: a name that the store cannot hold, INBOX as target of RENAME.
    Cannot,
    /// The mailbox still has inferiors.
    HasChildren,
    /// Not allowed for this account.
    NoPermission,
    /// Another session holds it.
    InUse,
    /// A mailbox has that special use already, or it cannot be given (RFC 6154 §3).
    UseAttribute,
    /// A message with NULs that cannot be stored (RFC 3516 §4.3).
    UnknownCte,
    /// An annotation is larger than this (RFC 5464 §4.3).
    MetadataSize(u32),
    /// There are too many annotations (RFC 5464 §4.3).
    MetadataCount,
    /// The server failed; its log knows why.
    Internal,
}

/// How much of a message [`Ask::Fetch`] needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Date, size and index; [`Message::raw`] stays `None`.
    Meta,
    /// The raw message at least up to the end of its header (the index knows where); more is harmless.
    Header,
    /// The whole raw message.
    Raw,
}

/// What STORE does with the given flags (RFC 3501 §6.4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOperation {
    /// `FLAGS`: all others, keywords included, go.
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// The arguments of APPEND (RFC 3501 §6.3.11).
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// Refuse with [`Refusal::TryCreate`] when it does not exist.
    pub mailbox: MailboxName,
    /// System flags, bits of [`crate::flags`].
    pub flags: u64,
    /// Keywords by name.
    pub keywords: Vec<Keyword>,
    /// Seconds since 1970; `None` is now.
    pub internal_date: Option<i64>,
    /// Octets announced; the body may differ by the line ends that were made CRLF.
    pub size: u64,
    /// Sent as a literal8 (RFC 3516 §4.3): the octets come as they are, NULs too.
    pub binary: bool,
    /// The message of the selected mailbox that goes in the same transaction (REPLACE, RFC 8508 §3).
    pub replaces: Option<u32>,
}

/// Usage and limits (RFC 9208 §5.1); both in one so that they belong to one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Octets of messages, and how many are allowed, if that is limited.
    pub octets: (u64, Option<u64>),
    /// Messages, and how many are allowed.
    pub messages: (u64, u64),
}

/// One message of the selected mailbox as the session remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Unique identifier (RFC 3501 §2.3.1.1).
    pub uid: u32,
    /// Modification sequence of the last change.
    pub modseq: u64,
    /// Bits of [`crate::flags`].
    pub flags: u64,
}

/// An opened mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selected {
    /// RFC 3501 §2.3.1.1.
    pub uid_validity: u32,
    /// The UID that the next message will get at least.
    pub uid_next: u32,
    /// Highest modification sequence that `rows` include.
    pub highest_modseq: u64,
    /// Every message, ascending by UID.
    pub rows: Vec<Row>,
    /// The keyword table, bit 5 first.
    pub keywords: Vec<String>,
    /// Messages from this UID on are `\Recent` in this session.
    pub first_recent: u32,
    /// See [`Status::mailbox_id`].
    pub mailbox_id: u64,
}

/// What happened since the last look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Highest modification sequence that these changes include.
    pub highest_modseq: u64,
    /// New messages and messages whose flags changed, ascending by UID; repeating a known row does no harm.
    pub rows: Vec<Row>,
    /// Ranges of UIDs that are gone, however wide; naming UIDs that the session never saw does no harm.
    pub vanished: Vec<RangeInclusive<u32>>,
    /// The keyword table, bit 5 first.
    pub keywords: Vec<String>,
    /// New messages from this UID on are `\Recent` in this session; `u32::MAX` for none.
    pub first_recent: u32,
}

/// One message for FETCH or SEARCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One of the asked UIDs.
    pub uid: u32,
    /// Seconds since 1970 (RFC 3501 §2.3.3).
    pub internal_date: i64,
    /// Octets of the raw message (RFC 3501 §2.3.4).
    pub size: u64,
    /// [`crate::message::Index::encode`] of the raw message.
    pub index: Vec<u8>,
    /// See [`Need`].
    pub raw: Option<Vec<u8>>,
    /// When it came into this mailbox, seconds since 1970 (RFC 8514 §3).
    pub save_date: i64,
    /// The same for the same content and internal date, in any mailbox (EMAILID, RFC 8474 §5.1).
    pub email_id: [u8; 16],
    /// Where it was asked for.
    pub digest: Option<Digest>,
}

/// What was made of a message when it was stored, beside its index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digest {
    /// The beginning of its text (RFC 8970 §3).
    pub preview: String,
    /// The same for all messages of one conversation (THREADID, RFC 8474 §5.2).
    pub thread_id: [u8; 16],
}

/// The numbers of STATUS (RFC 3501 §6.3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Messages in the mailbox.
    pub messages: u32,
    /// Messages that no session was told of yet.
    pub recent: u32,
    /// RFC 3501 §2.3.1.1.
    pub uid_next: u32,
    /// RFC 3501 §2.3.1.1.
    pub uid_validity: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted` (RFC 9051 §6.3.11).
    pub deleted: u32,
    /// RFC 7162 §3.1.7.
    pub highest_modseq: u64,
    /// Octets of all messages (RFC 8438 §3.1).
    pub size: u64,
    /// Stays when the mailbox is renamed, and is never another's (RFC 8474 §4).
    pub mailbox_id: u64,
}

/// One mailbox for LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Its name.
    pub name: MailboxName,
    /// Whether it can be selected; a level that only holds others cannot.
    pub selectable: bool,
    /// Its special use.
    pub special_use: Option<SpecialUse>,
}

/// Special-use attributes of RFC 6154 §2 that accounts are created with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialUse {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// The use of an attribute in upper case and without its backslash.
    pub fn named(name: &str) -> Option<SpecialUse> {
        use SpecialUse::{Archive, Drafts, Junk, Sent, Trash};
        let all = [Archive, Drafts, Junk, Sent, Trash];
        all.into_iter().find(|usage| usage.attribute()[1..].eq_ignore_ascii_case(name))
    }

    /// The attribute as LIST writes it.
    pub fn attribute(self) -> &'static str {
        match self {
            SpecialUse::Archive => "\\Archive",
            SpecialUse::Drafts => "\\Drafts",
            SpecialUse::Junk => "\\Junk",
            SpecialUse::Sent => "\\Sent",
            SpecialUse::Trash => "\\Trash",
        }
    }
}

/// A password on its way to the check; its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// Wraps the octets that the client sent.
    pub fn new(octets: Vec<u8>) -> Password {
        Password(octets)
    }

    /// The octets, for the check only.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_password() {
        let ask = Ask::Login { user: "alice".into(), password: Password::new(b"mailwright".to_vec()) };
        let shown = format!("{ask:?}");
        assert!(shown.contains("alice"), "{shown}");
        assert!(!shown.contains("mailwright"), "{shown}");
    }
}
