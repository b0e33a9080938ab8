//! Why mail is refused: typed reasons with stable codes, and the one table from a reason to its SMTP reply.
//!
//! RFC 5321 §4.2.2 (codes), RFC 3463 §3 and its IANA registry (enhanced codes), RFC 7505 §4 (5.1.10).

use mailwright_smtp::{Enhanced, Reply};

/// A reason to refuse a sender, a recipient or a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Reason {
    /// The domain is ours, the address is not.
    #[error("no such address here")]
    UnknownUser,
    /// The mailbox or alias exists and is switched off.
    #[error("this address is disabled")]
    DisabledMailbox,
    /// The mailbox is full.
    #[error("the mailbox is full")]
    OverQuota,
    /// The domain is not ours.
    #[error("relay access denied")]
    NoRelay,
    /// The domain is ours and takes no mail.
    #[error("this domain accepts no mail")]
    ParkedDomain,
    /// The alias does not take mail from this sender.
    #[error("the sender may not write to this address")]
    SenderNotPermitted,
    /// The account may not send with this envelope sender.
    #[error("this sender address is not yours")]
    SenderNotYours,
    /// The account may not write in this author's name.
    #[error("the From address is not yours")]
    AuthorNotYours,
    /// The header names its author twice or in no readable way.
    #[error("more than one From or Sender field, or one that names nobody")]
    HeaderAmbiguous,
    /// The alias leads back to itself and to no mailbox.
    #[error("alias loop")]
    AliasLoop,
    /// The alias leads to more addresses than an expansion looks up.
    #[error("the address expands to too many others")]
    ExpansionTooLarge,
    /// The message has been through too many servers.
    #[error("too many hops, mail loop")]
    TooManyHops,
    /// The header of the message is larger than any honest one.
    #[error("message header too large")]
    HeaderTooLarge,
    /// The message is larger than the limit.
    #[error("message too big")]
    TooBig,
    /// The server is out of disk.
    #[error("insufficient system storage")]
    NoSpace,
    /// Something of ours failed.
    #[error("local error, try again later")]
    Internal,
    /// The server stops.
    #[error("the server is shutting down")]
    Draining,
}

impl Reason {
    /// The reply of this reason.
    pub fn reply(self) -> Reply {
        let (code, enhanced) = self.codes();
        Reply::new(code, enhanced, self.to_string())
    }

    fn codes(self) -> (u16, Enhanced) {
        match self {
            Reason::UnknownUser => (550, Enhanced(5, 1, 1)),
            Reason::DisabledMailbox => (550, Enhanced(5, 2, 1)),
            Reason::OverQuota => (452, Enhanced(4, 2, 2)),
            Reason::NoRelay => (550, Enhanced(5, 7, 1)),
            Reason::ParkedDomain => (556, Enhanced(5, 1, 10)),
            Reason::SenderNotPermitted => (550, Enhanced(5, 7, 2)),
            Reason::SenderNotYours => (553, Enhanced(5, 7, 1)),
            Reason::AuthorNotYours => (550, Enhanced(5, 7, 1)),
            Reason::HeaderAmbiguous => (554, Enhanced(5, 6, 0)),
            Reason::AliasLoop => (550, Enhanced(5, 4, 6)),
            Reason::ExpansionTooLarge => (451, Enhanced(4, 3, 5)),
            Reason::TooManyHops => (554, Enhanced(5, 4, 6)),
            Reason::HeaderTooLarge => (552, Enhanced(5, 3, 4)),
            Reason::TooBig => (552, Enhanced(5, 3, 4)),
            Reason::NoSpace => (452, Enhanced(4, 3, 1)),
            Reason::Internal => (451, Enhanced(4, 3, 0)),
            Reason::Draining => (421, Enhanced(4, 3, 2)),
        }
    }

    /// The stable code for logs, metrics and traces.
    pub fn code(self) -> &'static str {
        match self {
            Reason::UnknownUser => "unknown_user",
            Reason::DisabledMailbox => "disabled_mailbox",
            Reason::OverQuota => "over_quota",
            Reason::NoRelay => "no_relay",
            Reason::ParkedDomain => "parked_domain",
            Reason::SenderNotPermitted => "sender_not_permitted",
            Reason::SenderNotYours => "sender_not_yours",
            Reason::AuthorNotYours => "author_not_yours",
            Reason::HeaderAmbiguous => "header_ambiguous",
            Reason::AliasLoop => "alias_loop",
            Reason::ExpansionTooLarge => "expansion_too_large",
            Reason::TooManyHops => "too_many_hops",
            Reason::HeaderTooLarge => "header_too_large",
            Reason::TooBig => "too_big",
            Reason::NoSpace => "no_space",
            Reason::Internal => "internal",
            Reason::Draining => "draining",
        }
    }

    /// True when the sender may try again.
    pub fn is_temporary(self) -> bool {
        self.codes().0 < 500
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The whole table: the reply and the stable code of every reason.
    const TABLE: &[(Reason, &str, &str)] = &[
        (Reason::UnknownUser, "unknown_user", "550 5.1.1 no such address here"),
        (Reason::DisabledMailbox, "disabled_mailbox", "550 5.2.1 this address is disabled"),
        (Reason::OverQuota, "over_quota", "452 4.2.2 the mailbox is full"),
        (Reason::NoRelay, "no_relay", "550 5.7.1 relay access denied"),
        (Reason::ParkedDomain, "parked_domain", "556 5.1.10 this domain accepts no mail"),
        (
            Reason::SenderNotPermitted,
            "sender_not_permitted",
            "550 5.7.2 the sender may not write to this address",
        ),
        (Reason::SenderNotYours, "sender_not_yours", "553 5.7.1 this sender address is not yours"),
        (Reason::AuthorNotYours, "author_not_yours", "550 5.7.1 the From address is not yours"),
        (
            Reason::HeaderAmbiguous,
            "header_ambiguous",
            "554 5.6.0 more than one From or Sender field, or one that names nobody",
        ),
        (Reason::AliasLoop, "alias_loop", "550 5.4.6 alias loop"),
        (
            Reason::ExpansionTooLarge,
            "expansion_too_large",
            "451 4.3.5 the address expands to too many others",
        ),
        (Reason::TooManyHops, "too_many_hops", "554 5.4.6 too many hops, mail loop"),
        (Reason::HeaderTooLarge, "header_too_large", "552 5.3.4 message header too large"),
        (Reason::TooBig, "too_big", "552 5.3.4 message too big"),
        (Reason::NoSpace, "no_space", "452 4.3.1 insufficient system storage"),
        (Reason::Internal, "internal", "451 4.3.0 local error, try again later"),
        (Reason::Draining, "draining", "421 4.3.2 the server is shutting down"),
    ];

    #[test]
    fn table() {
        for (reason, code, reply) in TABLE {
            assert_eq!(reason.code(), *code);
            assert_eq!(reason.reply().to_string(), *reply);
            assert_eq!(reason.is_temporary(), reason.reply().is_temporary());
            assert!(reason.reply().is_negative());
        }
    }

    /// RFC 2034 §4: the classes of both codes agree, so that `Reply::new` had nothing to mend.
    #[test]
    fn classes_agree() {
        let mut codes = HashSet::new();
        for (reason, code, _) in TABLE {
            let (basic, enhanced) = reason.codes();
            assert_eq!(basic / 100, u16::from(enhanced.0));
            assert!(codes.insert(code), "{code} twice");
        }
    }
}
