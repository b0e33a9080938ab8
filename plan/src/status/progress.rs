//! How far an object is, for programs that wait for it: `Reconciling` while things go on by themselves, `Stalled` while
//! somebody must do something. Both are there only while they hold, and never together.
//!
//! What kstatus makes of a status (`kubectl wait`, Helm, Flux), after it has compared `observedGeneration`:
//!
//! | status | is |
//! |---|---|
//! | `Reconciling` is True | InProgress |
//! | `Stalled` is True | Failed |
//! | `Ready` is False or Unknown | InProgress |
//! | `Ready` is True | Current |
//!
//! So an object that only waits for another one, which may come with the next file of the same `kubectl apply`, must not be
//! `Stalled`: whoever waits for both would give up at once.

use mailwright_crds::{ConditionStatus, ConditionType, Reason};

use super::Aspect;

/// The condition that goes with a `Ready`.
pub(super) fn of(ready: &Aspect) -> Option<(ConditionType, Aspect)> {
    let type_ = match ready.status {
        ConditionStatus::False if needs_somebody(ready.reason) => ConditionType::Stalled,
        ConditionStatus::False => ConditionType::Reconciling,
        // Suspended is neither under way nor stuck.
        ConditionStatus::True | ConditionStatus::Unknown => return None,
    };
    Some((type_, Aspect::new(true, ready.reason, ready.message.clone())))
}

/// Whether trying again changes nothing. A reason that is not in this list is one that time may cure.
fn needs_somebody(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Invalid
            | Reason::SourceBroken
            | Reason::HeldByGuard
            | Reason::OwnedByAnother
            | Reason::DuplicateAddress
            | Reason::AddressNotAllowed
            | Reason::DomainNotAllowed
            | Reason::PolicyViolation
            | Reason::DatabaseReplaced
            | Reason::StorageFull
            | Reason::VolumeNotBound
            | Reason::ChildRefused
            | Reason::ChildNotOurs
    )
}
