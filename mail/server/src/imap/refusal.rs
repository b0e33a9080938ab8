//! The one table from what the store says to what the IMAP session is answered. Errors that are nobody's fault but ours
//! are logged here and nowhere else.

use mailwright_imap::{Answer, Refusal};
use mailwright_store::Error;

/// The answer to a failed store operation.
pub(super) fn refused(error: &Error) -> Answer {
    Answer::Refused(refusal(error))
}

/// The answer to a failed operation with a target mailbox: one that does not exist could be created
/// (RFC 3501 §6.3.11, §6.4.7).
pub(super) fn refused_target(error: &Error) -> Answer {
    match refusal(error) {
        Refusal::NonExistent => Answer::Refused(Refusal::TryCreate),
        other => Answer::Refused(other),
    }
}

fn refusal(error: &Error) -> Refusal {
    match error {
        Error::OverQuota => Refusal::OverQuota,
        Error::NoSuchFolder => Refusal::NonExistent,
        Error::SpecialUseTaken => Refusal::UseAttribute,
        Error::FolderExists => Refusal::AlreadyExists,
        Error::NotSelectable | Error::Cannot(_) | Error::Name(_) => Refusal::Cannot,
        Error::HasInferiors => Refusal::HasChildren,
        Error::Limit { .. } => Refusal::Limit,
        Error::NoSpace
        | Error::Closed
        | Error::Fenced { .. }
        | Error::WrongDatabase { .. }
        | Error::Crashed => {
            tracing::error!(%error, "the store refused");
            Refusal::Unavailable
        }
        Error::NoSuchAccount => {
            tracing::info!("the account of this session is gone");
            Refusal::Unavailable
        }
        Error::Damaged(_) | Error::Io(_) | Error::Database(_) => {
            tracing::error!(%error, "the store failed");
            Refusal::Internal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_refusals() {
        for (error, expected) in [
            (Error::OverQuota, Refusal::OverQuota),
            (Error::NoSuchFolder, Refusal::NonExistent),
            (Error::SpecialUseTaken, Refusal::UseAttribute),
            (Error::FolderExists, Refusal::AlreadyExists),
            (Error::NotSelectable, Refusal::Cannot),
            (Error::HasInferiors, Refusal::HasChildren),
            (Error::Limit { what: "keywords", limit: 58 }, Refusal::Limit),
            (Error::NoSpace, Refusal::Unavailable),
            (Error::NoSuchAccount, Refusal::Unavailable),
            (Error::Damaged("x".into()), Refusal::Internal),
        ] {
            assert_eq!(refused(&error), Answer::Refused(expected), "{error}");
        }
        assert_eq!(refused_target(&Error::NoSuchFolder), Answer::Refused(Refusal::TryCreate));
        assert_eq!(refused_target(&Error::OverQuota), Answer::Refused(Refusal::OverQuota));
    }
}
