//! Conditions of all kinds: their types and reasons as lists that grow (the definitions take any word), and the one rule how a
//! condition changes. What makes a condition true is the planner's.

mod catalogue;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use catalogue::{ConditionInfo, conditions_of};

use crate::timestamp::Timestamp;
use crate::words::{words, words_schema};

/// One aspect of an object's state, as in the Kubernetes API conventions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation of the spec that this was observed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the status last changed from one value to another.
    pub last_transition_time: Timestamp,
    /// Why the status is what it is, in one word for programs.
    pub reason: Reason,
    /// The same for people.
    #[serde(default)]
    #[schemars(length(max = 32768))]
    pub message: String,
}

words! {
    /// Whether a condition holds.
    ConditionStatus {
        /// It holds.
        True,
        /// It does not hold.
        False,
        /// It is not known.
        Unknown,
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> ConditionStatus {
        if holds { ConditionStatus::True } else { ConditionStatus::False }
    }
}

words! {
    /// The aspects that conditions speak about.
    ConditionType {
        /// Mailwright serves what the object declares.
        Ready,
        /// The planner takes the object as it is declared.
        Accepted,
        /// The login credentials are what the object declares.
        CredentialsReady,
        /// Another object or another source already has the address.
        Conflict,
        /// Every target of the alias or forward is somebody here, or at another server.
        TargetsResolved,
        /// Following the alias or forward never comes back to it.
        LoopFree,
        /// The object is declared no more, but something still depends on it.
        DeletionBlocked,
        /// The account database is open and at the current schema.
        DatabaseReady,
        /// A certificate for the host name is in use.
        CertificateReady,
        /// All enabled listeners are listening.
        ListenersReady,
        /// The smarthost is known, and the login there.
        RelayReady,
        /// The pod runs, with the declared configuration.
        WorkloadsAvailable,
        /// The Service has the addresses that clients reach it at.
        AddressReady,
        /// Nothing that was planned for this server is held back by a guard.
        PlanAccepted,
        /// The keys and the suggested records of the domain are made, and are where people look for them.
        RecordsPublished,
        /// The repository was read at the last attempt.
        SourceReady,
        /// The signatures that the repository asks for are there, and its history goes on where it was.
        Verified,
        /// Something was changed behind the repository's back.
        Drifted,
        /// Something of the last revision is not in force, while the rest is.
        PartiallyApplied,
        /// The declared state is on its way: it is tried again without anybody doing anything. There only while it is so.
        Reconciling,
        /// The declared state is not reached until somebody changes something. There only while it is so.
        Stalled,
    }
}

words! {
    /// Why a condition has its status.
    Reason {
        /// The declared state is in force.
        Reconciled,
        /// The annotation mailwright.dev/reconcile asks to leave the object alone.
        Suspended,
        /// The manifest is wrong: schema, rule or limit.
        Invalid,
        /// The file that declares the object does not parse; the last good state stays in force.
        SourceBroken,
        /// A guard holds the change back until the plan is approved.
        HeldByGuard,
        /// The database refused the change.
        ApplyFailed,
        /// An object that this one depends on is not ready.
        DependencyNotReady,
        /// The referenced MailServer does not exist.
        ServerNotFound,
        /// No MailDomain serves the domain of the address.
        DomainNotFound,
        /// The domain is parked and takes no mail.
        DomainParked,
        /// Two objects declare the same address or domain.
        DuplicateAddress,
        /// Another source manages the address.
        OwnedByAnother,
        /// No other object or source has the address.
        NoConflict,
        /// The quota is above the maximum of the domain.
        QuotaAboveLimit,
        /// The domain has as many mailboxes as its limit allows.
        TooManyMailboxes,
        /// The domain has as many aliases as its limit allows.
        TooManyAliases,
        /// The mailbox is switched off by its manifest.
        Disabled,
        /// The declared credentials are in force.
        CredentialsApplied,
        /// The owner changed the password; the declared one was the initial one.
        OwnerPassword,
        /// The mailbox declares no credentials: nobody can log in with a password.
        NoCredentials,
        /// The Secret does not exist.
        SecretNotFound,
        /// The Secret has no such key.
        SecretKeyNotFound,
        /// The Secret's value is not usable: empty, not UTF-8, or a hash of an unknown scheme.
        SecretInvalid,
        /// All targets exist here.
        TargetsFound,
        /// A target does not exist.
        TargetNotFound,
        /// A target is not served here: mail for it leaves for another server.
        TargetForeign,
        /// Following the alias or forward does not come back to it.
        NoLoop,
        /// Following the alias or forward comes back to it.
        AliasLoop,
        /// Addresses are declared in the domain.
        AddressesExist,
        /// The account database is open.
        DatabaseOpen,
        /// The account database cannot be opened or migrated.
        DatabaseFailed,
        /// The server made its own certificate.
        SelfSigned,
        /// The certificate of the Secret is in use.
        CertificateLoaded,
        /// The certificate or its key cannot be used.
        CertificateInvalid,
        /// The certificate has expired.
        CertificateExpired,
        /// Every enabled listener is listening.
        Listening,
        /// A listener could not be opened.
        ListenFailed,
        /// The pod has not loaded the changed configuration yet.
        ConfigurationPending,
        /// Outgoing mail goes through the smarthost.
        RelayConfigured,
        /// A change is decided and not applied yet.
        PendingApply,
        /// A policy does not allow it.
        PolicyViolation,
        /// The MailDomain does not allow addresses from this namespace.
        AddressNotAllowed,
        /// The MailServer does not allow domains from this namespace.
        DomainNotAllowed,
        /// The account database does not answer; it is asked again.
        DatabaseUnreachable,
        /// The volume holds another account database than the one that this server is bound to.
        DatabaseReplaced,
        /// The volume of the account database is full.
        StorageFull,
        /// The pod runs and is ready.
        PodReady,
        /// The pod is being made, is starting, or changes to a new configuration.
        PodNotReady,
        /// No node takes the pod.
        PodUnschedulable,
        /// The program in the pod ends again and again.
        PodCrashing,
        /// The image cannot be pulled.
        ImagePullFailed,
        /// The volume cannot be had: no such StorageClass, or nothing that provides it.
        VolumeNotBound,
        /// The API server refused an object that the server is made of.
        ChildRefused,
        /// An object of a needed name exists and belongs to somebody else.
        ChildNotOurs,
        /// The Service has an address.
        AddressAssigned,
        /// The Service waits for an address.
        AddressPending,
        /// No plan is held back.
        NothingHeld,
        /// cert-manager has not issued the certificate yet.
        CertificatePending,
        /// cert-manager is not installed.
        CertManagerMissing,
        /// The Secret to write exists and was not made by Mailwright.
        SecretNotOurs,
        /// The suggested records are as the domain is declared.
        RecordsCurrent,
        /// The suggested records are those of before: a key cannot be had, or there is no place to write them to.
        RecordsOutdated,
        /// The plan of the last revision is made; with mode: Plan nothing is applied.
        Planned,
        /// The last revision was read.
        RevisionFetched,
        /// The repository does not answer; it is asked again.
        FetchFailed,
        /// The repository does not take the credentials.
        AuthenticationFailed,
        /// The host key or the certificate of the repository's host is not one that is trusted.
        HostUntrusted,
        /// The repository has no such branch, tag, version or commit.
        RefNotFound,
        /// The revision holds no manifest at all.
        SourceEmpty,
        /// The repository is larger than a limit allows.
        LimitExceeded,
        /// Every signature that is asked for is there.
        SignatureVerified,
        /// A commit or tag that must be signed is not.
        SignatureMissing,
        /// A signature is wrong, or of a key that is not believed.
        SignatureInvalid,
        /// The revision is no descendant of the one that is in force.
        RevisionRewound,
        /// An encrypted file cannot be decrypted.
        DecryptionFailed,
        /// The plan waits for an approval of its digest.
        ApprovalNeeded,
        /// Something of the last revision is not in force, while the rest is.
        PartiallyApplied,
        /// The last revision is in force as a whole.
        FullyApplied,
        /// Nothing was changed behind the repository's back.
        NoDrift,
        /// Something was changed behind the repository's back.
        DriftFound,
        /// The ServiceAccount may not change what the repository declares.
        AccessDenied,
    }
}

words_schema!(closed ConditionStatus);
words_schema!(open ConditionType, 316);
words_schema!(open Reason, 1024);

impl Condition {
    /// A condition observed at `now`.
    pub fn new(
        type_: ConditionType,
        status: impl Into<ConditionStatus>,
        reason: Reason,
        message: impl Into<String>,
        now: impl Into<Timestamp>,
    ) -> Condition {
        Condition {
            type_,
            status: status.into(),
            observed_generation: None,
            last_transition_time: now.into(),
            reason,
            message: message.into(),
        }
    }

    /// Names the generation that was observed.
    pub fn observed(mut self, generation: Option<i64>) -> Condition {
        self.observed_generation = generation;
        self
    }
}

/// Puts `condition` into `conditions`: in place of the one of its type, whose `lastTransitionTime` stays unless the status
/// changes. Says whether anything is different now.
pub fn set(conditions: &mut Vec<Condition>, mut condition: Condition) -> bool {
    match conditions.iter_mut().find(|other| other.type_ == condition.type_) {
        Some(other) => {
            if other.status == condition.status {
                condition.last_transition_time = other.last_transition_time;
            }
            let changed = *other != condition;
            *other = condition;
            changed
        }
        None => {
            conditions.push(condition);
            true
        }
    }
}

/// The condition of a type.
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Reads a status written by another release: conditions with a type or reason that this one does not know are left out.
pub(crate) fn known<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Condition>, D::Error> {
    let all = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(all.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect())
}

#[cfg(test)]
mod tests;
