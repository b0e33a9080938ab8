//! The one table from a refusal to its reply (response codes of RFC 5530 §3).

use super::ask::Refusal;
use crate::response::Code;

/// Code and text of the NO that tells a refusal.
pub(super) fn reply(refusal: Refusal) -> (Option<Code>, &'static str) {
    match refusal {
        Refusal::AuthenticationFailed => (Some(Code::AuthenticationFailed), "Authentication failed"),
        Refusal::AccountDisabled => (Some(Code::ContactAdmin), "This account is disabled"),
        Refusal::Unavailable => (Some(Code::Unavailable), "Temporarily not available, try again later"),
        Refusal::NonExistent => (Some(Code::NonExistent), "No such mailbox"),
        Refusal::TryCreate => (Some(Code::TryCreate), "No such mailbox, create it first"),
        Refusal::AlreadyExists => (Some(Code::AlreadyExists), "A mailbox of that name exists"),
        Refusal::OverQuota => (Some(Code::OverQuota), "The quota of this account is used up"),
        Refusal::Limit => (Some(Code::Limit), "A limit of this server is reached"),
        Refusal::TooBig => (Some(Code::TooBig), "The message is larger than this server keeps"),
        Refusal::Cannot => (Some(Code::Cannot), "This can never be done"),
        Refusal::HasChildren => (Some(Code::HasChildren), "The mailbox has inferiors, delete them first"),
        Refusal::NoPermission => (Some(Code::NoPerm), "Not allowed"),
        Refusal::InUse => (Some(Code::InUse), "In use by another session, try again"),
        Refusal::UseAttribute => (Some(Code::UseAttr), "That special use is not to be had"),
        Refusal::UnknownCte => {
            (Some(Code::UnknownCte), "NULs are kept in parts whose transfer encoding is binary")
        }
        Refusal::MetadataSize(limit) => (Some(Code::MetadataMaxSize(limit)), "An annotation is too large"),
        Refusal::MetadataCount => (Some(Code::MetadataTooMany), "There are too many annotations"),
        Refusal::Internal => (Some(Code::ServerBug), "Internal error, the server's log tells more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_code() {
        for (refusal, code) in [
            (Refusal::AuthenticationFailed, "AUTHENTICATIONFAILED"),
            (Refusal::AccountDisabled, "CONTACTADMIN"),
            (Refusal::Unavailable, "UNAVAILABLE"),
            (Refusal::NonExistent, "NONEXISTENT"),
            (Refusal::TryCreate, "TRYCREATE"),
            (Refusal::AlreadyExists, "ALREADYEXISTS"),
            (Refusal::OverQuota, "OVERQUOTA"),
            (Refusal::Limit, "LIMIT"),
            (Refusal::TooBig, "TOOBIG"),
            (Refusal::Cannot, "CANNOT"),
            (Refusal::HasChildren, "HASCHILDREN"),
            (Refusal::NoPermission, "NOPERM"),
            (Refusal::InUse, "INUSE"),
            (Refusal::UseAttribute, "USEATTR"),
            (Refusal::UnknownCte, "UNKNOWN-CTE"),
            (Refusal::MetadataSize(1024), "METADATA MAXSIZE 1024"),
            (Refusal::MetadataCount, "METADATA TOOMANY"),
            (Refusal::Internal, "SERVERBUG"),
        ] {
            let (found, text) = reply(refusal);
            assert_eq!(found.map(|c| c.to_string()).as_deref(), Some(code));
            assert!(!text.is_empty());
        }
    }
}
