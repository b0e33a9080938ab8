//! Response codes: RFC 3501 §7.1, RFC 4315 §3, RFC 5530 §3, and RFC 4469 §4.2 for TOOBIG.

use std::fmt;

/// `resp-text-code`, without its brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// `[ALREADYEXISTS]`
    AlreadyExists,
    /// `[APPENDUID]`: UIDVALIDITY and UIDs.
    AppendUid(u32, String),
    /// `[AUTHENTICATIONFAILED]`
    AuthenticationFailed,
    /// `[AUTHORIZATIONFAILED]`
    AuthorizationFailed,
    /// `[BADCHARSET]`, with the charsets that are known.
    BadCharset,
    /// `[CANNOT]`
    Cannot,
    /// `[CAPABILITY …]`
    Capability(String),
    /// `[CLIENTBUG]`
    ClientBug,
    /// `[COMPRESSIONACTIVE]` (RFC 4978 §3)
    CompressionActive,
    /// `[CONTACTADMIN]`
    ContactAdmin,
    /// `[COPYUID]`: UIDVALIDITY, source UIDs, target UIDs.
    CopyUid(u32, String, String),
    /// `[EXPUNGEISSUED]`
    ExpungeIssued,
    /// `[HASCHILDREN]` (RFC 9051 §7.1)
    HasChildren,
    /// `[HIGHESTMODSEQ]` (RFC 7162 §3.1.2.1)
    HighestModseq(u64),
    /// `[CLOSED]` (RFC 7162 §3.2.11)
    Closed,
    /// `[MODIFIED …]`: the messages that STORE left alone (RFC 7162 §3.1.3).
    Modified(String),
    /// `[NOTSAVED]` (RFC 5182 §2.1)
    NotSaved,
    /// `[INUSE]`
    InUse,
    /// `[LIMIT]`
    Limit,
    /// `[MAILBOXID (…)]` (RFC 8474 §4)
    MailboxId(u64),
    /// `[METADATA LONGENTRIES]`: octets of the longest value that was left out (RFC 5464 §4.2.1)
    MetadataLongEntries(u32),
    /// `[METADATA MAXSIZE]` (RFC 5464 §4.3)
    MetadataMaxSize(u32),
    /// `[METADATA TOOMANY]` (RFC 5464 §4.3)
    MetadataTooMany,
    /// `[NONEXISTENT]`
    NonExistent,
    /// `[NOPERM]`
    NoPerm,
    /// `[OVERQUOTA]`
    OverQuota,
    /// `[PERMANENTFLAGS (…)]`, without the parentheses.
    PermanentFlags(String),
    /// `[PRIVACYREQUIRED]`
    PrivacyRequired,
    /// `[READ-ONLY]`
    ReadOnly,
    /// `[READ-WRITE]`
    ReadWrite,
    /// `[SERVERBUG]`
    ServerBug,
    /// `[TOOBIG]`
    TooBig,
    /// `[TRYCREATE]`
    TryCreate,
    /// `[UIDNEXT]`
    UidNext(u32),
    /// `[UIDVALIDITY]`
    UidValidity(u32),
    /// `[UNAVAILABLE]`
    Unavailable,
    /// `[UNKNOWN-CTE]` (RFC 3516 §4.3)
    UnknownCte,
    /// `[UNSEEN]`
    Unseen(u32),
    /// `[USEATTR]` (RFC 6154 §3)
    UseAttr,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Code::AppendUid(validity, uid) => return write!(f, "APPENDUID {validity} {uid}"),
            Code::Capability(names) => return write!(f, "CAPABILITY {names}"),
            Code::CopyUid(validity, from, to) => return write!(f, "COPYUID {validity} {from} {to}"),
            Code::MailboxId(id) => return write!(f, "MAILBOXID (F{id})"),
            Code::MetadataLongEntries(size) => return write!(f, "METADATA LONGENTRIES {size}"),
            Code::MetadataMaxSize(size) => return write!(f, "METADATA MAXSIZE {size}"),
            Code::MetadataTooMany => "METADATA TOOMANY",
            Code::PermanentFlags(names) => return write!(f, "PERMANENTFLAGS ({names})"),
            Code::HighestModseq(modseq) => return write!(f, "HIGHESTMODSEQ {modseq}"),
            Code::Modified(set) => return write!(f, "MODIFIED {set}"),
            Code::UidNext(uid) => return write!(f, "UIDNEXT {uid}"),
            Code::UidValidity(validity) => return write!(f, "UIDVALIDITY {validity}"),
            Code::Unseen(number) => return write!(f, "UNSEEN {number}"),
            Code::AlreadyExists => "ALREADYEXISTS",
            Code::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Code::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Code::BadCharset => "BADCHARSET (US-ASCII UTF-8)",
            Code::Cannot => "CANNOT",
            Code::ClientBug => "CLIENTBUG",
            Code::CompressionActive => "COMPRESSIONACTIVE",
            Code::ContactAdmin => "CONTACTADMIN",
            Code::ExpungeIssued => "EXPUNGEISSUED",
            Code::Closed => "CLOSED",
            Code::NotSaved => "NOTSAVED",
            Code::HasChildren => "HASCHILDREN",
            Code::InUse => "INUSE",
            Code::Limit => "LIMIT",
            Code::NonExistent => "NONEXISTENT",
            Code::NoPerm => "NOPERM",
            Code::OverQuota => "OVERQUOTA",
            Code::PrivacyRequired => "PRIVACYREQUIRED",
            Code::ReadOnly => "READ-ONLY",
            Code::ReadWrite => "READ-WRITE",
            Code::ServerBug => "SERVERBUG",
            Code::TooBig => "TOOBIG",
            Code::TryCreate => "TRYCREATE",
            Code::Unavailable => "UNAVAILABLE",
            Code::UnknownCte => "UNKNOWN-CTE",
            Code::UseAttr => "USEATTR",
        };
        f.write_str(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 3501 §7.1 and RFC 4315 §3.
    #[test]
    fn as_the_rfcs_write_them() {
        for (code, expected) in [
            (Code::AppendUid(38505, "3955".into()), "APPENDUID 38505 3955"),
            (
                Code::CopyUid(38505, "304,319:320".into(), "3956:3958".into()),
                "COPYUID 38505 304,319:320 3956:3958",
            ),
            (Code::PermanentFlags("\\Deleted \\Seen \\*".into()), "PERMANENTFLAGS (\\Deleted \\Seen \\*)"),
            (Code::UidNext(4392), "UIDNEXT 4392"),
            (Code::UidValidity(3857529045), "UIDVALIDITY 3857529045"),
            (Code::Unseen(12), "UNSEEN 12"),
            (Code::BadCharset, "BADCHARSET (US-ASCII UTF-8)"),
            (Code::ReadOnly, "READ-ONLY"),
        ] {
            assert_eq!(code.to_string(), expected);
        }
    }
}
