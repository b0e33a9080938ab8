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
        Kind::MailRepository => MAIL_REPOSITORY,
    }
}

use ConditionType as T;
use Reason as R;

const fn info(type_: ConditionType, reasons: &'static [Reason]) -> ConditionInfo {
    ConditionInfo { type_, reasons }
}

/// What keeps any object from being `Ready` and goes away without anybody doing anything.
macro_rules! waiting {
    ($($more:expr),*) => {
        &[R::PendingApply, R::ApplyFailed, R::DependencyNotReady, R::DatabaseUnreachable, $($more),*]
    };
}

/// What keeps any object from being `Ready` until somebody does something.
macro_rules! stuck {
    ($($more:expr),*) => {
        &[R::Invalid, R::SourceBroken, R::HeldByGuard, R::OwnedByAnother, $($more),*]
    };
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
            R::PendingApply,
            R::ApplyFailed,
            R::OwnedByAnother,
            R::DependencyNotReady,
            R::DatabaseUnreachable,
            R::DatabaseReplaced,
            R::StorageFull,
            R::PodNotReady,
            R::PodUnschedulable,
            R::PodCrashing,
            R::ImagePullFailed,
            R::VolumeNotBound,
            R::ChildRefused,
            R::ChildNotOurs,
            R::AddressPending,
            R::ConfigurationPending,
        ],
    ),
    info(
        T::DatabaseReady,
        &[R::DatabaseOpen, R::DatabaseFailed, R::DatabaseUnreachable, R::DatabaseReplaced, R::StorageFull],
    ),
    info(
        T::WorkloadsAvailable,
        &[
            R::PodReady,
            R::PodNotReady,
            R::PodUnschedulable,
            R::PodCrashing,
            R::ImagePullFailed,
            R::VolumeNotBound,
            R::ChildRefused,
            R::ChildNotOurs,
        ],
    ),
    info(T::AddressReady, &[R::AddressAssigned, R::AddressPending]),
    info(
        T::CertificateReady,
        &[
            R::SelfSigned,
            R::CertificateLoaded,
            R::CertificateInvalid,
            R::CertificateExpired,
            R::CertificatePending,
            R::CertManagerMissing,
            R::SecretNotFound,
            R::SecretKeyNotFound,
        ],
    ),
    info(T::ListenersReady, &[R::Listening, R::ListenFailed, R::ConfigurationPending]),
    info(T::RelayReady, &[R::RelayConfigured, R::SecretNotFound, R::SecretKeyNotFound, R::SecretInvalid]),
    info(T::PlanAccepted, &[R::NothingHeld, R::HeldByGuard]),
    info(
        T::Reconciling,
        waiting![
            R::PodNotReady,
            R::PodUnschedulable,
            R::PodCrashing,
            R::ImagePullFailed,
            R::AddressPending,
            R::ConfigurationPending
        ],
    ),
    info(
        T::Stalled,
        stuck![R::DatabaseReplaced, R::StorageFull, R::VolumeNotBound, R::ChildRefused, R::ChildNotOurs],
    ),
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
            R::PendingApply,
            R::ApplyFailed,
            R::OwnedByAnother,
            R::DuplicateAddress,
            R::DomainNotAllowed,
            R::PolicyViolation,
            R::ServerNotFound,
            R::DependencyNotReady,
            R::DatabaseUnreachable,
        ],
    ),
    info(T::RecordsPublished, &[R::RecordsCurrent, R::RecordsOutdated]),
    info(T::DeletionBlocked, &[R::AddressesExist]),
    info(T::Reconciling, waiting![R::ServerNotFound]),
    info(T::Stalled, stuck![R::DuplicateAddress, R::DomainNotAllowed, R::PolicyViolation]),
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
            R::PendingApply,
            R::ApplyFailed,
            R::OwnedByAnother,
            R::DuplicateAddress,
            R::AddressNotAllowed,
            R::PolicyViolation,
            R::DependencyNotReady,
            R::DatabaseUnreachable,
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
            R::AddressNotAllowed,
            R::PolicyViolation,
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
            R::SecretNotOurs,
        ],
    ),
    info(T::Conflict, &[R::NoConflict, R::DuplicateAddress, R::OwnedByAnother]),
    info(T::TargetsResolved, &[R::TargetsFound, R::TargetNotFound, R::TargetForeign]),
    info(T::LoopFree, &[R::NoLoop, R::AliasLoop]),
    info(T::Reconciling, waiting![]),
    info(T::Stalled, stuck![R::DuplicateAddress, R::AddressNotAllowed, R::PolicyViolation]),
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
            R::PendingApply,
            R::ApplyFailed,
            R::OwnedByAnother,
            R::DuplicateAddress,
            R::AddressNotAllowed,
            R::PolicyViolation,
            R::DependencyNotReady,
            R::DatabaseUnreachable,
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
            R::AddressNotAllowed,
            R::PolicyViolation,
            R::TooManyAliases,
        ],
    ),
    info(T::TargetsResolved, &[R::TargetsFound, R::TargetNotFound, R::TargetForeign]),
    info(T::LoopFree, &[R::NoLoop, R::AliasLoop]),
    info(T::Reconciling, waiting![]),
    info(T::Stalled, stuck![R::DuplicateAddress, R::AddressNotAllowed, R::PolicyViolation]),
];

/// What keeps a source from being read.
macro_rules! unread {
    ($($more:expr),*) => {
        &[$($more,)* R::FetchFailed, R::AuthenticationFailed, R::HostUntrusted, R::RefNotFound, R::SourceEmpty, R::LimitExceeded,
          R::SecretNotFound, R::SecretKeyNotFound, R::SecretInvalid]
    };
}

const MAIL_REPOSITORY: &[ConditionInfo] = &[
    info(
        T::Ready,
        unread![
            R::Reconciled,
            R::Planned,
            R::Suspended,
            R::Invalid,
            R::SignatureMissing,
            R::SignatureInvalid,
            R::RevisionRewound,
            R::PartiallyApplied,
            R::SourceBroken,
            R::DecryptionFailed,
            R::HeldByGuard,
            R::ApprovalNeeded,
            R::ApplyFailed,
            R::AccessDenied,
            R::ServerNotFound,
            R::DatabaseUnreachable
        ],
    ),
    info(T::SourceReady, unread![R::RevisionFetched]),
    info(T::Verified, &[R::SignatureVerified, R::SignatureMissing, R::SignatureInvalid, R::RevisionRewound]),
    info(
        T::PlanAccepted,
        &[R::NothingHeld, R::HeldByGuard, R::ApprovalNeeded, R::SourceBroken, R::DecryptionFailed],
    ),
    info(T::Drifted, &[R::NoDrift, R::DriftFound]),
    info(
        T::PartiallyApplied,
        &[R::FullyApplied, R::SourceBroken, R::DecryptionFailed, R::Invalid, R::HeldByGuard, R::ApplyFailed],
    ),
    info(T::Reconciling, &[R::FetchFailed, R::ApplyFailed, R::DatabaseUnreachable, R::ServerNotFound]),
    info(
        T::Stalled,
        &[
            R::Invalid,
            R::AuthenticationFailed,
            R::HostUntrusted,
            R::RefNotFound,
            R::SourceEmpty,
            R::LimitExceeded,
            R::DecryptionFailed,
            R::SecretNotFound,
            R::SecretKeyNotFound,
            R::SecretInvalid,
            R::SignatureMissing,
            R::SignatureInvalid,
            R::RevisionRewound,
            R::SourceBroken,
            R::PartiallyApplied,
            R::HeldByGuard,
            R::ApprovalNeeded,
            R::AccessDenied,
        ],
    ),
];
