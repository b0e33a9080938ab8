//! Which kind has which conditions, and which reasons each of them gives: the reference that statuses are written from.

use super::{ConditionType, Reason};
use crate::kind::Kind;

/// One condition of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionInfo {
    /// Its type.
    pub type_: ConditionType,
    /// The reasons it may have.
    pub reasons: &'static [Reason],
}

/// The conditions of a kind, `Ready` first.
pub fn conditions_of(kind: Kind) -> &'static [ConditionInfo] {
    match kind {
        Kind::MailServer => MAIL_SERVER,
        Kind::MailDomain => MAIL_DOMAIN,
        Kind::Mailbox => MAILBOX,
        Kind::Alias => ALIAS,
    }
}

use ConditionType as T;
use Reason as R;

const fn info(type_: ConditionType, reasons: &'static [Reason]) -> ConditionInfo {
    ConditionInfo { type_, reasons }
}

const MAIL_SERVER: &[ConditionInfo] = &[
    info(
        T::Ready,
        &[
            R::Reconciled,
            R::Suspended,
            R::Invalid,
            R::SourceBroken,
            R::HeldByGuard,
            R::ApplyFailed,
            R::OwnedByAnother,
            R::DependencyNotReady,
        ],
    ),
    info(T::DatabaseReady, &[R::DatabaseOpen, R::DatabaseFailed]),
    info(
        T::CertificateReady,
        &[
            R::SelfSigned,
            R::CertificateLoaded,
            R::CertificateInvalid,
            R::CertificateExpired,
            R::SecretNotFound,
            R::SecretKeyNotFound,
        ],
    ),
    info(T::ListenersReady, &[R::Listening, R::ListenFailed]),
    info(T::RelayReady, &[R::RelayConfigured, R::SecretNotFound, R::SecretKeyNotFound, R::SecretInvalid]),
];

const MAIL_DOMAIN: &[ConditionInfo] = &[
    info(
        T::Ready,
        &[
            R::Reconciled,
            R::Suspended,
            R::Invalid,
            R::SourceBroken,
            R::HeldByGuard,
            R::ApplyFailed,
            R::OwnedByAnother,
            R::DuplicateAddress,
            R::ServerNotFound,
            R::DependencyNotReady,
        ],
    ),
    info(T::DeletionBlocked, &[R::AddressesExist]),
];

const MAILBOX: &[ConditionInfo] = &[
    info(
        T::Ready,
        &[
            R::Reconciled,
            R::Disabled,
            R::Suspended,
            R::Invalid,
            R::SourceBroken,
            R::HeldByGuard,
            R::ApplyFailed,
            R::DependencyNotReady,
        ],
    ),
    info(
        T::Accepted,
        &[
            R::Reconciled,
            R::Invalid,
            R::DomainNotFound,
            R::DomainParked,
            R::DuplicateAddress,
            R::OwnedByAnother,
            R::QuotaAboveLimit,
            R::TooManyMailboxes,
        ],
    ),
    info(
        T::CredentialsReady,
        &[
            R::CredentialsApplied,
            R::OwnerPassword,
            R::NoCredentials,
            R::SecretNotFound,
            R::SecretKeyNotFound,
            R::SecretInvalid,
        ],
    ),
    info(T::Conflict, &[R::NoConflict, R::DuplicateAddress, R::OwnedByAnother]),
    info(T::TargetsResolved, &[R::TargetsFound, R::TargetNotFound, R::TargetForeign]),
    info(T::LoopFree, &[R::NoLoop, R::AliasLoop]),
];

const ALIAS: &[ConditionInfo] = &[
    info(
        T::Ready,
        &[
            R::Reconciled,
            R::Disabled,
            R::Suspended,
            R::Invalid,
            R::SourceBroken,
            R::HeldByGuard,
            R::ApplyFailed,
            R::DependencyNotReady,
        ],
    ),
    info(
        T::Accepted,
        &[
            R::Reconciled,
            R::Invalid,
            R::DomainNotFound,
            R::DomainParked,
            R::DuplicateAddress,
            R::OwnedByAnother,
            R::TooManyAliases,
        ],
    ),
    info(T::TargetsResolved, &[R::TargetsFound, R::TargetNotFound, R::TargetForeign]),
    info(T::LoopFree, &[R::NoLoop, R::AliasLoop]),
];
