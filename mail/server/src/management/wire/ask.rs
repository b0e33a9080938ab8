//! Questions about one address on the wire: where mail for it goes, whether a password is right, what its mailbox holds.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where would mail go? See [`super::super::Management::trace`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRequest {
    /// The envelope sender; empty or `<>` is the null sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// The client's address.
    #[serde(default)]
    pub ip: Option<IpAddr>,
    /// Whether the client has logged in.
    #[serde(default)]
    pub authenticated: bool,
}

/// The decision, step by step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// What was looked up and what was found.
    pub steps: Vec<TraceStep>,
    /// Whether the recipient is accepted.
    pub accepted: bool,
    /// The reply that RCPT gets.
    pub reply: String,
    /// Why this client may send to other servers; `None` when it may not.
    pub relaying: Option<String>,
    /// The mailboxes that store it.
    pub stored: Vec<String>,
    /// The addresses at other servers that it is queued for.
    pub queued: Vec<TraceQueued>,
    /// Who gets nothing, and why.
    pub skipped: Vec<String>,
    /// The smarthost that queued mail goes through; `None` for the MX hosts of each domain.
    pub smarthost: Option<String>,
    /// The keys that sign it when it is submitted, as `selector (algorithm)`.
    pub signers: Vec<String>,
}

/// One lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// The address.
    pub address: String,
    /// What it is, in words.
    pub found: String,
}

/// An address at another server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceQueued {
    /// The address.
    pub address: String,
    /// The aliases and forwards that led to it.
    pub via: Vec<String>,
}

/// Is this the password of the address? Has no `Debug`.
#[derive(Serialize, Deserialize)]
pub struct AuthTest {
    /// The user name.
    pub address: String,
    /// The password.
    pub password: String,
}

/// What a login with it would come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthTested {
    /// The mailbox.
    pub address: String,
    /// Whether the login works.
    pub accepted: bool,
    /// Why not, in words; empty when it does.
    pub reason: String,
    /// Whether the mailbox is in service.
    #[serde(default)]
    pub enabled: bool,
    /// How its password is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Whether it can log in by SCRAM-SHA-256.
    #[serde(default)]
    pub scram: bool,
}

/// Which messages of a mailbox to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FetchRequest {
    /// Whose.
    pub address: String,
    /// The folder.
    pub mailbox: String,
    /// Only these; all when empty.
    pub uids: Vec<u32>,
    /// The newest of them, when there are more.
    pub limit: u32,
    /// Whether the messages themselves are wanted.
    pub text: bool,
}

/// A message of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchedMessage {
    /// UID.
    pub uid: u32,
    /// Flags and keywords.
    pub flags: Vec<String>,
    /// When it came.
    pub received: DateTime<Utc>,
    /// Octets.
    pub size: u32,
    /// The message when it was asked for, in UTF-8 with what is not replaced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
}
