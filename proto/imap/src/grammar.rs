//! Commands as a client writes them (RFC 3501 §9 and the extensions' grammars), read into types.
//!
//! A command comes whole, its literals inside; [`crate::server`] has bounded and collected it.

mod append;
mod cursor;
mod fetch;
mod list;
mod metadata;
mod quota;
mod search;
mod select;
mod sort;
mod store;

pub use append::{AppendHead, Replace, append_head, next_message};
pub use cursor::{Cursor, ParseError, is_astring_char};
pub use search::{Returns, SearchCommand};
pub use select::{Qresync, SelectParameters};
pub use sort::{SortCommand, ThreadCommand};

use crate::mailbox::pattern::Pattern;
use crate::message::Section;
use crate::sequence::SequenceSet;
use crate::{Keyword, MailboxName, Password, StoreOperation};

/// A command and its tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// `None` where the line does not even start with a tag: only an untagged BAD can answer it.
    pub tag: Option<String>,
    /// The command, or what is wrong with it.
    pub command: Result<Command, ParseError>,
}

/// `command` of RFC 3501 §9, without its tag.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// RFC 3501 §6.1.1
    Capability,
    /// RFC 3501 §6.1.2
    Noop,
    /// RFC 3501 §6.1.3
    Logout,
    /// RFC 3501 §6.2.1
    StartTls,
    /// RFC 3501 §6.2.2, RFC 4959
    Authenticate {
        /// Upper case.
        mechanism: String,
        /// The initial response, still BASE64.
        initial: Option<Vec<u8>>,
    },
    /// RFC 3501 §6.2.3
    Login {
        /// In UTF-8; `None` where it is not, so that nobody is meant.
        user: Option<String>,
        /// Any octets.
        password: Password,
    },
    /// RFC 3501 §6.3.1 and, read-only, §6.3.2
    Select {
        /// The mailbox to open.
        name: MailboxName,
        /// EXAMINE
        read_only: bool,
        /// RFC 7162 §3.1.8, §3.2.5
        parameters: SelectParameters,
    },
    /// RFC 3501 §6.3.3
    Create {
        /// The new name.
        name: MailboxName,
        /// `USE (…)` (RFC 6154 §3), upper case, without the backslashes.
        uses: Vec<String>,
    },
    /// RFC 3501 §6.3.4
    Delete(MailboxName),
    /// RFC 3501 §6.3.5
    Rename {
        /// The name that exists.
        from: MailboxName,
        /// The new name.
        to: MailboxName,
    },
    /// RFC 3501 §6.3.6
    Subscribe(MailboxName),
    /// RFC 3501 §6.3.7
    Unsubscribe(MailboxName),
    /// RFC 3501 §6.3.8, RFC 5258 §3
    List(ListCommand),
    /// RFC 3501 §6.3.9
    Lsub(ListCommand),
    /// RFC 4978 §3
    Compress {
        /// Upper case.
        mechanism: String,
    },
    /// RFC 9208 §4.1.2
    GetQuota {
        /// Any name; this server has one root.
        root: Vec<u8>,
    },
    /// RFC 9208 §4.1.3
    GetQuotaRoot(MailboxName),
    /// RFC 9208 §4.1.1
    SetQuota,
    /// RFC 5464 §4.2
    GetMetadata(GetMetadata),
    /// RFC 5464 §4.3
    SetMetadata {
        /// `None`: the server.
        mailbox: Option<MailboxName>,
        /// Lower-case names with their values; `None` removes.
        entries: Vec<(String, Option<Vec<u8>>)>,
    },
    /// RFC 3501 §6.3.10
    Status {
        /// The mailbox.
        name: MailboxName,
        /// In the order asked.
        items: Vec<StatusItem>,
    },
    /// RFC 3501 §6.4.1
    Check,
    /// RFC 3501 §6.4.2
    Close,
    /// RFC 3691 §2
    Unselect,
    /// RFC 3501 §6.4.3; with a set UID EXPUNGE of RFC 4315 §2.1
    Expunge(Option<SequenceSet>),
    /// RFC 3501 §6.4.4
    Search {
        /// Answers UIDs.
        uid: bool,
        /// What to look for, and what to tell of it.
        search: SearchCommand,
    },
    /// RFC 5256 §3 SORT
    Sort {
        /// Answers UIDs.
        uid: bool,
        /// Its arguments.
        sort: SortCommand,
    },
    /// RFC 5256 §3 THREAD
    Thread {
        /// Answers UIDs.
        uid: bool,
        /// Its arguments.
        thread: ThreadCommand,
    },
    /// RFC 3501 §6.4.5
    Fetch {
        /// The set is of UIDs.
        uid: bool,
        /// Which messages.
        set: SequenceSet,
        /// In the order asked, macros expanded.
        items: Vec<FetchItem>,
        /// Only messages that changed after it (RFC 7162 §3.1.4.1).
        changed_since: Option<u64>,
        /// And which are gone since then (RFC 7162 §3.2.6).
        vanished: bool,
    },
    /// RFC 3501 §6.4.6
    Store {
        /// The set is of UIDs.
        uid: bool,
        /// Which messages.
        set: SequenceSet,
        /// Replace, add or remove.
        operation: StoreOperation,
        /// No answer wanted.
        silent: bool,
        /// What to set or clear.
        flags: FlagList,
        /// Only messages that did not change after it (RFC 7162 §3.1.3).
        unchanged_since: Option<u64>,
    },
    /// RFC 3501 §6.4.7; moving is RFC 6851 §3.1
    Copy {
        /// The set is of UIDs.
        uid: bool,
        /// Which messages.
        set: SequenceSet,
        /// Where to.
        target: MailboxName,
        /// MOVE
        remove: bool,
    },
    /// RFC 2177 §3
    Idle,
    /// RFC 2342 §5
    Namespace,
    /// RFC 2971 §3.1; what the client says of itself is not kept
    Id,
    /// RFC 5161 §3.1
    Enable(Vec<String>),
}

/// The arguments of LIST and LSUB.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListCommand {
    /// Reference and mailbox name put together; none for an empty mailbox name, which asks for the separator.
    pub patterns: Vec<Pattern>,
    /// It has options or several patterns (RFC 5258 §3): what does not exist is told as `\NonExistent`.
    pub extended: bool,
    /// Only subscribed names, existing or not (RFC 5258 §3.1).
    pub subscribed: bool,
    /// Also names above those that are selected (RFC 5258 §3.1).
    pub recursive: bool,
    /// Only mailboxes that have a special use (RFC 6154 §2).
    pub special_use: bool,
    /// Tell which names are subscribed (RFC 5258 §3.2).
    pub return_subscribed: bool,
    /// STATUS of each mailbox (RFC 5819 §2).
    pub status: Vec<StatusItem>,
}

/// The arguments of GETMETADATA (RFC 5464 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetMetadata {
    /// `None`: the server.
    pub mailbox: Option<MailboxName>,
    /// Lower-case names.
    pub entries: Vec<String>,
    /// Larger values are left out.
    pub max_size: Option<u32>,
    /// How far below the entries to look; `u32::MAX` for `infinity`.
    pub depth: u32,
}

/// `status-att` of RFC 3501 §9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusItem {
    /// `MESSAGES`
    Messages,
    /// `RECENT`
    Recent,
    /// `UIDNEXT`
    UidNext,
    /// `UIDVALIDITY`
    UidValidity,
    /// `UNSEEN`
    Unseen,
    /// `DELETED` (RFC 9051 §6.3.11)
    Deleted,
    /// `HIGHESTMODSEQ` (RFC 7162 §3.1.7)
    HighestModseq,
    /// `SIZE` (RFC 8438 §3.1)
    Size,
    /// `MAILBOXID` (RFC 8474 §4.3)
    MailboxId,
    /// `APPENDLIMIT` (RFC 7889 §3.2)
    AppendLimit,
}

/// `fetch-att` of RFC 3501 §9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// `ENVELOPE`
    Envelope,
    /// `FLAGS`
    Flags,
    /// `INTERNALDATE`
    InternalDate,
    /// `MODSEQ` (RFC 7162 §3.1.5)
    Modseq,
    /// `RFC822.SIZE`
    Size,
    /// `UID`
    Uid,
    /// `BODY`
    Body,
    /// `BODYSTRUCTURE`
    BodyStructure,
    /// `RFC822`: BODY[] under another name
    Message,
    /// `RFC822.HEADER`: `BODY.PEEK[HEADER]` under another name
    MessageHeader,
    /// `RFC822.TEXT`: `BODY[TEXT]` under another name
    MessageText,
    /// `BINARY[…]<…>` (RFC 3516 §4.2)
    Binary {
        /// Part numbers; none is the message.
        part: Vec<u32>,
        /// `BINARY.PEEK`
        peek: bool,
        /// First octet and number of octets, of what is decoded.
        partial: Option<(u32, u32)>,
    },
    /// `BINARY.SIZE[…]`
    BinarySize {
        /// Part numbers.
        part: Vec<u32>,
    },
    /// `PREVIEW`, with or without LAZY: it is at hand (RFC 8970 §3)
    Preview,
    /// `SAVEDATE` (RFC 8514 §4.2)
    SaveDate,
    /// `EMAILID` (RFC 8474 §5.1)
    EmailId,
    /// `THREADID` (RFC 8474 §5.2)
    ThreadId,
    /// `BODY[…]<…>`
    Section {
        /// What of the message.
        section: Section,
        /// `BODY.PEEK`: `\Seen` is not set.
        peek: bool,
        /// First octet and number of octets.
        partial: Option<(u32, u32)>,
    },
}

/// `flag-list` of RFC 3501 §9.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagList {
    /// Bits of [`crate::flags`].
    pub system: u64,
    /// Each once.
    pub keywords: Vec<Keyword>,
}

/// Reads a whole command without its last CRLF; `utf8_names` where the client has enabled them.
pub fn parse(input: &[u8], utf8_names: bool) -> Parsed {
    let mut cursor = Cursor::new(input).with_utf8_names(utf8_names);
    let tag = match cursor.tag() {
        Ok(tag) => tag,
        Err(error) => return Parsed { tag: None, command: Err(error) },
    };
    let command = cursor.space().and_then(|()| command(&mut cursor));
    Parsed { tag: Some(tag), command }
}

fn command(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    let name = cursor.atom("a command")?.to_ascii_uppercase();
    let command = match name.as_slice() {
        b"UID" => {
            cursor.space()?;
            let name = cursor.atom("a command after UID")?.to_ascii_uppercase();
            messages(cursor, &name, true)?
        }
        b"EXPUNGE" => Command::Expunge(None),
        _ => match simple(&name) {
            Some(command) => command,
            None => match with_mailbox(cursor, &name)? {
                Some(command) => command,
                None => messages(cursor, &name, false)?,
            },
        },
    };
    cursor.end()?;
    Ok(command)
}

/// Commands without arguments.
fn simple(name: &[u8]) -> Option<Command> {
    Some(match name {
        b"CAPABILITY" => Command::Capability,
        b"NOOP" => Command::Noop,
        b"LOGOUT" => Command::Logout,
        b"STARTTLS" => Command::StartTls,
        b"CHECK" => Command::Check,
        b"CLOSE" => Command::Close,
        b"UNSELECT" => Command::Unselect,
        b"IDLE" => Command::Idle,
        b"NAMESPACE" => Command::Namespace,
        _ => return None,
    })
}

/// Commands on mailboxes and on the session.
fn with_mailbox(cursor: &mut Cursor<'_>, name: &[u8]) -> Result<Option<Command>, ParseError> {
    let mut mailbox = || {
        cursor.space()?;
        cursor.mailbox()
    };
    Ok(Some(match name {
        b"SELECT" | b"EXAMINE" => {
            let name_of_mailbox = mailbox()?;
            let parameters = select::parameters(cursor)?;
            Command::Select { name: name_of_mailbox, read_only: name == b"EXAMINE", parameters }
        }
        b"CREATE" => Command::Create { name: mailbox()?, uses: list::uses(cursor)? },
        b"DELETE" => Command::Delete(mailbox()?),
        b"RENAME" => Command::Rename { from: mailbox()?, to: mailbox()? },
        b"SUBSCRIBE" => Command::Subscribe(mailbox()?),
        b"UNSUBSCRIBE" => Command::Unsubscribe(mailbox()?),
        b"LIST" => Command::List(list::list(cursor)?),
        b"LSUB" => Command::Lsub(list::lsub(cursor)?),
        b"STATUS" => Command::Status { name: mailbox()?, items: list::status_items(cursor)? },
        b"COMPRESS" => compress(cursor)?,
        b"GETQUOTA" => quota::get_quota(cursor)?,
        b"GETQUOTAROOT" => Command::GetQuotaRoot(mailbox()?),
        b"SETQUOTA" => quota::set_quota(cursor)?,
        b"GETMETADATA" => metadata::get(cursor)?,
        b"SETMETADATA" => metadata::set(cursor)?,
        b"LOGIN" => login(cursor)?,
        b"AUTHENTICATE" => authenticate(cursor)?,
        b"ID" => id(cursor)?,
        b"ENABLE" => enable(cursor)?,
        // A complete APPEND never comes here: its message is taken apart from its command.
        b"APPEND" | b"REPLACE" => return Err(append::why_not(cursor, name == b"REPLACE")),
        _ => return Ok(None),
    }))
}

/// Commands on messages, by sequence number or by UID (RFC 3501 §6.4.8).
fn messages(cursor: &mut Cursor<'_>, name: &[u8], uid: bool) -> Result<Command, ParseError> {
    let command = match name {
        b"SEARCH" => Command::Search { uid, search: search::search(cursor)? },
        b"SORT" => Command::Sort { uid, sort: sort::sort(cursor)? },
        b"THREAD" => Command::Thread { uid, thread: sort::thread(cursor)? },
        b"FETCH" => {
            let set = spaced_set(cursor)?;
            let items = fetch::items(cursor)?;
            let (changed_since, vanished) = fetch::modifiers(cursor)?;
            Command::Fetch { uid, set, items, changed_since, vanished }
        }
        b"STORE" => {
            let set = spaced_set(cursor)?;
            let unchanged_since = store::modifiers(cursor)?;
            let (operation, silent) = store::operation(cursor)?;
            cursor.space()?;
            Command::Store { uid, set, operation, silent, flags: store::flags(cursor)?, unchanged_since }
        }
        b"COPY" | b"MOVE" => {
            let set = spaced_set(cursor)?;
            cursor.space()?;
            Command::Copy { uid, set, target: cursor.mailbox()?, remove: name == b"MOVE" }
        }
        b"EXPUNGE" if uid => Command::Expunge(Some(spaced_set(cursor)?)),
        _ => return Err(ParseError::UnknownCommand),
    };
    Ok(command)
}

fn spaced_set(cursor: &mut Cursor<'_>) -> Result<SequenceSet, ParseError> {
    cursor.space()?;
    cursor.sequence_set()
}

/// `"LOGIN" SP userid SP password` (RFC 3501 §9)
fn login(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    cursor.space()?;
    let user = cursor.astring()?.into_owned();
    cursor.space()?;
    let password = Password::new(cursor.astring()?.into_owned());
    Ok(Command::Login { user: String::from_utf8(user).ok(), password })
}

/// `"AUTHENTICATE" SP auth-type [SP (base64 / "=")]` (RFC 4959 §7)
fn authenticate(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    cursor.space()?;
    let mechanism = cursor.atom("a SASL mechanism")?.to_ascii_uppercase();
    let mechanism = String::from_utf8_lossy(&mechanism).into_owned();
    let initial = match cursor.take(b' ') {
        true => Some(cursor.rest().to_vec()),
        false => None,
    };
    Ok(Command::Authenticate { mechanism, initial })
}

/// `"COMPRESS" SP algorithm` (RFC 4978 §5)
fn compress(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    cursor.space()?;
    let mechanism = cursor.atom("an algorithm")?.to_ascii_uppercase();
    Ok(Command::Compress { mechanism: String::from_utf8_lossy(&mechanism).into_owned() })
}

/// `"ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)` (RFC 2971 §4)
fn id(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    cursor.space()?;
    if !cursor.take(b'(') {
        cursor.nstring()?;
        return Ok(Command::Id);
    }
    let mut first = true;
    while !cursor.take(b')') {
        if !first {
            cursor.space()?;
        }
        first = false;
        cursor.string()?;
        cursor.space()?;
        cursor.nstring()?;
    }
    Ok(Command::Id)
}

/// `"ENABLE" 1*(SP capability)` (RFC 5161 §4)
fn enable(cursor: &mut Cursor<'_>) -> Result<Command, ParseError> {
    cursor.space()?;
    let mut names = Vec::new();
    loop {
        let name = cursor.atom("a capability")?.to_ascii_uppercase();
        names.push(String::from_utf8_lossy(&name).into_owned());
        if !cursor.take(b' ') {
            return Ok(Command::Enable(names));
        }
    }
}

#[cfg(test)]
mod tests;
