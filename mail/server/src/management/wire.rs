//! Bodies of the management API that plan does not define: resources, statistics, sessions, the queue, errors.

mod ask;
mod pod;
mod queue;

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use mailwright_plan::ObjectRef;
use serde::{Deserialize, Serialize};

pub use self::ask::{
    AuthTest, AuthTested, FetchRequest, FetchedMessage, Trace, TraceQueued, TraceRequest, TraceStep,
};
pub use self::pod::{Health, Identity, Presented, Pushed, PushedAlgorithm, PushedKey, PushedLogin};
pub use self::queue::{
    QueueChanged, QueueEntry, QueueFilter, QueueListing, QueueMessage, QueueRecipient, QueueState,
    QueueTotals,
};
use crate::config::{Endpoint, Protocol};

/// A resource as it was last declared, with its status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRecord {
    /// Kind, namespace and name.
    pub object: ObjectRef,
    /// Grows with every change of the spec.
    pub generation: i64,
    /// When it was first declared.
    pub created: DateTime<Utc>,
    /// The declared spec with defaults filled in; secrets are references.
    pub spec: serde_json::Value,
    /// The status.
    pub status: serde_json::Value,
}

/// Which plan is approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ApproveRequest {
    /// Its digest, or at least the first 16 characters of it.
    pub(super) digest: String,
    /// Who approves, as the client says it: whoever can open the socket is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
}

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Domains in service.
    pub domains: u64,
    /// Mailboxes in service.
    pub mailboxes: u64,
    /// Mailboxes out of service.
    pub disabled_mailboxes: u64,
    /// Aliases.
    pub aliases: u64,
    /// Bytes of mail in all mailboxes.
    pub used_bytes: u64,
    /// Open SMTP and IMAP sessions.
    pub sessions: u64,
    /// The database's change counter.
    pub change_counter: u64,
}

/// What a running server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The name it greets with.
    pub hostname: String,
    /// Since when it runs.
    pub started: DateTime<Utc>,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// It is shutting down.
    pub draining: bool,
}

/// One open session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    /// Its number, as in the logs.
    pub id: u64,
    /// What it speaks.
    pub protocol: Protocol,
    /// The other end.
    pub peer: SocketAddr,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Who is logged in.
    pub user: Option<String>,
    /// Since when it is open.
    pub since: DateTime<Utc>,
}

/// What a purge deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Purged {
    /// The mailbox.
    pub address: String,
    /// Bytes of mail it held.
    pub bytes: u64,
}

/// How many were written or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    pub(super) count: usize,
}

/// A new password on its way in; never shown.
#[derive(Serialize, Deserialize)]
pub(super) struct PasswordRequest {
    pub(super) address: String,
    pub(super) password: String,
}

/// What to purge.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PurgeRequest {
    pub(super) address: String,
    pub(super) force: bool,
}

/// A failure, as JSON beside an HTTP status of 4xx or 5xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    /// There is no such address, session or resource.
    NotFound,
    /// The request itself is wrong.
    Invalid,
    /// It is not allowed in the present state.
    Refused,
    /// Nothing listens on the socket, or the answer did not come.
    Unreachable,
    /// A later leader has written; nothing of this request was.
    Fenced,
    /// The request means another database; nothing of it was written.
    WrongDatabase,
    /// The disk is full; nothing was written.
    StorageFull,
    /// The server failed; its log says why.
    Internal,
}

#[cfg(test)]
mod tests {
    use mailwright_plan::Kind;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::TlsMode;

    /// The form on the wire is what a CLI of another version meets: these texts change only with thought.
    pub(super) fn check<T>(value: &T, wire: Value)
    where
        T: Serialize + for<'a> Deserialize<'a> + PartialEq + std::fmt::Debug,
    {
        assert_eq!(serde_json::to_value(value).unwrap(), wire);
        assert_eq!(&serde_json::from_value::<T>(wire).unwrap(), value);
    }

    #[test]
    fn bodies_have_their_documented_form() {
        let since = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let peer = "[2001:db8::1]:4711".parse().unwrap();
        let session = SessionInfo { id: 7, protocol: Protocol::Imaps, peer, tls: true, user: None, since };
        check(
            &session,
            json!({"id": 7, "protocol": "imaps", "peer": "[2001:db8::1]:4711", "tls": true, "user": null,
                   "since": "2027-01-15T08:00:00Z"}),
        );
        let address = "127.0.0.1:2525".parse().unwrap();
        let endpoint = Endpoint { protocol: Protocol::Smtp, address, tls: TlsMode::StartTls };
        check(
            &Status {
                version: "0.1.0".into(),
                hostname: "mail.example.test".into(),
                started: since,
                endpoints: vec![endpoint],
                draining: false,
            },
            json!({"version": "0.1.0", "hostname": "mail.example.test", "started": "2027-01-15T08:00:00Z",
                   "endpoints": [{"protocol": "smtp", "address": "127.0.0.1:2525", "tls": "starttls"}],
                   "draining": false}),
        );
        check(
            &Stats { domains: 1, mailboxes: 2, used_bytes: 3, ..Stats::default() },
            json!({"domains": 1, "mailboxes": 2, "disabledMailboxes": 0, "aliases": 0, "usedBytes": 3, "sessions": 0,
                   "changeCounter": 0}),
        );
        check(
            &Purged { address: "alice@example.test".into(), bytes: 9 },
            json!({"address": "alice@example.test", "bytes": 9}),
        );
        check(&Count { count: 3 }, json!({"count": 3}));
        let object = ObjectRef { kind: Kind::Alias, namespace: "mail".into(), name: "team".into() };
        let wire = serde_json::to_value(&object).unwrap();
        assert_eq!(wire, json!({"kind": "Alias", "namespace": "mail", "name": "team"}));
    }

    #[test]
    fn errors_have_stable_codes() {
        for (code, wire) in [
            (ErrorCode::NotFound, "notFound"),
            (ErrorCode::Invalid, "invalid"),
            (ErrorCode::Refused, "refused"),
            (ErrorCode::Unreachable, "unreachable"),
            (ErrorCode::Fenced, "fenced"),
            (ErrorCode::WrongDatabase, "wrongDatabase"),
            (ErrorCode::StorageFull, "storageFull"),
            (ErrorCode::Internal, "internal"),
        ] {
            check(&ErrorBody { code, message: "why".into() }, json!({"code": wire, "message": "why"}));
        }
    }
}
