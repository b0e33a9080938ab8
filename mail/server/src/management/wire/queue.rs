//! The queue on the wire: what `mailwright queue` selects, sees and changes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Selects messages; every field that is given must fit. Without any it selects the whole queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueFilter {
    /// Messages of these identifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// The envelope sender; `<>` is the null sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// A recipient's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// A recipient's domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// A recipient's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<QueueState>,
    /// Queued for longer than this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
    /// At most this many messages, the oldest; listing alone looks at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Where a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueState {
    /// Not tried yet.
    Queued,
    /// Being sent.
    Active,
    /// Tried, to be tried again.
    Deferred,
    /// Waits for `release`.
    Held,
}

impl QueueState {
    /// As on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            QueueState::Queued => "queued",
            QueueState::Active => "active",
            QueueState::Deferred => "deferred",
            QueueState::Held => "held",
        }
    }
}

/// One message of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueEntry {
    /// Its identifier, as in `Received:` and the log.
    pub id: String,
    /// The envelope sender; empty is the null sender.
    pub sender: String,
    /// Octets.
    pub size: u64,
    /// Since when it is in the queue.
    pub queued: DateTime<Utc>,
    /// When it is given up.
    pub expires: DateTime<Utc>,
    /// Those who have not got it yet.
    pub recipients: Vec<QueueRecipient>,
}

/// One recipient who has not got the message yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueRecipient {
    /// The address.
    pub address: String,
    /// Where it stands.
    pub state: QueueState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; none while held.
    pub next_attempt: Option<DateTime<Utc>>,
    /// What the last attempt ended with.
    pub last_reply: Option<String>,
}

/// One message with its header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueMessage {
    /// As in the list.
    #[serde(flatten)]
    pub entry: QueueEntry,
    /// The message's header, in UTF-8 with what is not replaced.
    pub header: String,
}

/// The queue as `list` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueListing {
    /// The oldest first.
    pub messages: Vec<QueueEntry>,
    /// Counts of the whole queue, whatever was selected.
    pub totals: QueueTotals,
    /// What keeps a destination from being tried at all, as a smarthost that refuses the password.
    pub warnings: Vec<String>,
}

/// Counts of the whole queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueTotals {
    /// Messages.
    pub messages: u64,
    /// Recipients not tried yet.
    pub queued: u64,
    /// Recipients being sent to.
    pub active: u64,
    /// Recipients to be tried again.
    pub deferred: u64,
    /// Recipients held.
    pub held: u64,
    /// When the oldest message came.
    pub oldest: Option<DateTime<Utc>>,
}

/// What hold, release, flush and delete did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueChanged {
    /// Recipients that it concerned.
    pub recipients: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::check;
    use super::*;

    #[test]
    fn bodies_have_their_documented_form() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let recipient = QueueRecipient {
            address: "bob@example.org".into(),
            state: QueueState::Deferred,
            attempts: 2,
            next_attempt: Some(at),
            last_reply: Some("451 4.7.1 greylisted".into()),
        };
        let entry = QueueEntry {
            id: "a1".into(),
            sender: "alice@example.test".into(),
            size: 7,
            queued: at,
            expires: at,
            recipients: vec![recipient],
        };
        let wire = json!({"id": "a1", "sender": "alice@example.test", "size": 7, "queued": "2027-01-15T08:00:00Z",
            "expires": "2027-01-15T08:00:00Z", "recipients": [{"address": "bob@example.org", "state": "deferred",
            "attempts": 2, "nextAttempt": "2027-01-15T08:00:00Z", "lastReply": "451 4.7.1 greylisted"}]});
        check(&entry, wire.clone());
        let mut with_header = wire;
        with_header["header"] = json!("Subject: hi\r\n");
        check(&QueueMessage { entry, header: "Subject: hi\r\n".into() }, with_header);
        let totals =
            json!({"messages": 0, "queued": 0, "active": 0, "deferred": 0, "held": 0, "oldest": null});
        check(&QueueListing::default(), json!({"messages": [], "totals": totals, "warnings": []}));
        check(&QueueChanged { recipients: 3 }, json!({"recipients": 3}));
    }

    #[test]
    fn filters_say_only_what_they_ask() {
        check(&QueueFilter::default(), json!({}));
        let filter = QueueFilter {
            ids: vec!["a1".into()],
            sender: Some("<>".into()),
            state: Some(QueueState::Held),
            older_than: Some(60),
            ..QueueFilter::default()
        };
        check(&filter, json!({"ids": ["a1"], "sender": "<>", "state": "held", "olderThan": 60}));
    }

    #[test]
    fn states_are_named_as_on_the_wire() {
        for state in [QueueState::Queued, QueueState::Active, QueueState::Deferred, QueueState::Held] {
            assert_eq!(serde_json::to_value(state).unwrap(), json!(state.name()));
        }
    }
}
