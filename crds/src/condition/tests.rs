//! The words of conditions are an interface: scripts and alerts compare them. Changing this list is changing the API.

use chrono::{DateTime, Utc};

use super::*;
use crate::kind::Kind;

#[test]
fn condition_types_and_reasons_are_these() {
    let types: Vec<&str> = ConditionType::ALL.iter().map(|word| word.as_str()).collect();
    assert_eq!(
        types.join(" "),
        "Ready Accepted CredentialsReady Conflict TargetsResolved LoopFree DeletionBlocked DatabaseReady CertificateReady \
         ListenersReady RelayReady WorkloadsAvailable AddressReady PlanAccepted RecordsPublished SourceReady Verified \
         Drifted PartiallyApplied Reconciling Stalled"
    );
    let reasons: Vec<&str> = Reason::ALL.iter().map(|word| word.as_str()).collect();
    assert_eq!(
        reasons.join(" "),
        "Reconciled Suspended Invalid SourceBroken HeldByGuard ApplyFailed DependencyNotReady ServerNotFound DomainNotFound \
         DomainParked DuplicateAddress OwnedByAnother NoConflict QuotaAboveLimit TooManyMailboxes TooManyAliases Disabled \
         CredentialsApplied OwnerPassword NoCredentials SecretNotFound SecretKeyNotFound SecretInvalid TargetsFound \
         TargetNotFound TargetForeign NoLoop AliasLoop AddressesExist DatabaseOpen DatabaseFailed SelfSigned \
         CertificateLoaded CertificateInvalid CertificateExpired Listening ListenFailed \
         ConfigurationPending RelayConfigured PendingApply PolicyViolation AddressNotAllowed DomainNotAllowed DatabaseUnreachable DatabaseReplaced StorageFull \
         PodReady PodNotReady PodUnschedulable PodCrashing ImagePullFailed VolumeNotBound ChildRefused ChildNotOurs \
         AddressAssigned AddressPending NothingHeld CertificatePending CertManagerMissing SecretNotOurs \
         RecordsCurrent RecordsOutdated Planned RevisionFetched FetchFailed AuthenticationFailed HostUntrusted RefNotFound \
         SourceEmpty LimitExceeded SignatureVerified SignatureMissing SignatureInvalid RevisionRewound DecryptionFailed \
         ApprovalNeeded PartiallyApplied FullyApplied NoDrift DriftFound AccessDenied"
    );
}

#[test]
fn each_kind_has_these_conditions() {
    for (kind, expected) in [
        (
            Kind::MailServer,
            "Ready DatabaseReady WorkloadsAvailable AddressReady CertificateReady ListenersReady RelayReady PlanAccepted \
             Reconciling Stalled",
        ),
        (Kind::MailDomain, "Ready RecordsPublished DeletionBlocked Reconciling Stalled"),
        (
            Kind::Mailbox,
            "Ready Accepted CredentialsReady Conflict TargetsResolved LoopFree Reconciling Stalled",
        ),
        (Kind::Alias, "Ready Accepted TargetsResolved LoopFree Reconciling Stalled"),
        (
            Kind::MailRepository,
            "Ready SourceReady Verified PlanAccepted Drifted PartiallyApplied Reconciling Stalled",
        ),
    ] {
        let types: Vec<&str> = conditions_of(kind).iter().map(|info| info.type_.as_str()).collect();
        assert_eq!(types.join(" "), expected);
    }
}

/// The golden list: every reason that a condition of a kind may have, in the order of the reference.
#[test]
fn reasons_of_conditions_are_these() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read_to_string(root.join("tests/api/reasons.txt")).unwrap();
    let mut list = String::new();
    for kind in Kind::ALL {
        for info in conditions_of(kind) {
            let reasons: Vec<&str> = info.reasons.iter().map(|reason| reason.as_str()).collect();
            list += &format!("{kind} {}: {}\n", info.type_, reasons.join(" "));
        }
    }
    assert!(
        list == golden,
        "an interface has changed; if that is meant, crds/tests/api/reasons.txt is now:\n{list}"
    );
}

#[test]
fn every_type_and_reason_belongs_to_a_kind_and_says_what_it_means() {
    let all = || Kind::ALL.into_iter().flat_map(conditions_of);
    for type_ in ConditionType::ALL {
        assert!(all().any(|info| info.type_ == *type_), "{type_}");
        assert!(type_.meaning().ends_with('.'), "{type_}");
    }
    for reason in Reason::ALL {
        assert!(all().any(|info| info.reasons.contains(reason)), "{reason}");
        assert!(reason.meaning().ends_with('.'), "{reason}");
    }
    for info in all() {
        let mut reasons = info.reasons.to_vec();
        reasons.sort();
        reasons.dedup();
        assert_eq!(reasons.len(), info.reasons.len(), "{}", info.type_);
    }
}

fn at(second: u32) -> DateTime<Utc> {
    format!("2026-11-20T12:00:{second:02}Z").parse().unwrap()
}

fn ready(status: bool, reason: Reason, second: u32) -> Condition {
    Condition::new(ConditionType::Ready, status, reason, "message", at(second))
}

#[test]
fn the_transition_time_moves_only_with_the_status() {
    let mut conditions = Vec::new();
    for (condition, changed, transition) in [
        (ready(false, Reason::Invalid, 1), true, 1),
        (ready(false, Reason::Invalid, 2), false, 1),
        (ready(false, Reason::ApplyFailed, 3), true, 1),
        (ready(false, Reason::ApplyFailed, 4).observed(Some(2)), true, 1),
        (ready(true, Reason::Reconciled, 5).observed(Some(2)), true, 5),
        (ready(true, Reason::Reconciled, 6).observed(Some(2)), false, 5),
    ] {
        let (reason, generation) = (condition.reason, condition.observed_generation);
        assert_eq!(set(&mut conditions, condition), changed, "{reason}");
        let now = find(&conditions, ConditionType::Ready).unwrap();
        assert_eq!(now.last_transition_time.get(), at(transition), "{reason}");
        assert_eq!((now.reason, now.observed_generation), (reason, generation));
    }
    assert!(set(
        &mut conditions,
        Condition::new(ConditionType::Accepted, ConditionStatus::Unknown, Reason::Invalid, "", at(7))
    ));
    assert_eq!(conditions.len(), 2);
    assert_eq!(find(&conditions, ConditionType::LoopFree), None);
}

#[test]
fn conditions_are_written_as_in_kubernetes() {
    let condition = ready(true, Reason::Reconciled, 5).observed(Some(3));
    let value = serde_json::to_value(&condition).unwrap();
    let expected = serde_json::json!({
        "type": "Ready", "status": "True", "observedGeneration": 3, "lastTransitionTime": "2026-11-20T12:00:05Z",
        "reason": "Reconciled", "message": "message",
    });
    assert_eq!(value, expected);
    assert_eq!(serde_json::from_value::<Condition>(value).unwrap(), condition);
}

#[test]
fn conditions_of_a_newer_release_are_left_out_not_refused() {
    let status: crate::MailboxStatus = serde_json::from_value(serde_json::json!({
        "observedGeneration": 4, "futureField": {"a": 1},
        "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T12:00:05.75+01:00", "reason": "Reconciled"},
            {"type": "Forwarding", "status": "True", "lastTransitionTime": "2026-11-20T12:00:05Z", "reason": "Reconciled"},
            {"type": "Accepted", "status": "True", "lastTransitionTime": "2026-11-20T12:00:05Z", "reason": "SinceNextYear"},
            "nonsense",
        ],
    }))
    .unwrap();
    assert_eq!(status.conditions.len(), 1);
    assert_eq!(status.conditions[0].last_transition_time.to_string(), "2026-11-20T11:00:05Z");
    assert_eq!(status.observed_generation, 4);
    assert_eq!(crate::MailboxStatus::default().observed_generation, -1);
    assert_eq!(serde_json::from_str::<crate::MailboxStatus>("{}").unwrap(), crate::MailboxStatus::default());
}
