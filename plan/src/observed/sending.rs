//! How a server's mail leaves, and where a mailbox's mail goes beside it. Rows of earlier releases have none of this: what
//! they lack is the default.

use mailwright_crds::mail_server::{self as declared, RelayTls};
use serde::{Deserialize, Serialize};

/// The server that takes all outgoing mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Relay {
    /// Its name or IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: RelayTls,
    /// How this server logs in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<RelayCredentials>,
}

/// How a server logs in at its smarthost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RelayCredentials {
    /// Secret of the server's namespace with `username` and `password`.
    pub secret_ref: SecretName,
}

/// The name of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretName {
    /// The name.
    pub name: String,
}

impl Relay {
    /// The row's part for a declared relay.
    pub(crate) fn of(relay: &declared::Relay) -> Self {
        Self {
            host: relay.host.as_str().to_owned(),
            port: relay.port,
            tls: relay.tls,
            credentials: relay.credentials.as_ref().map(|credentials| RelayCredentials {
                secret_ref: SecretName { name: credentials.secret_ref.name.as_str().to_owned() },
            }),
        }
    }

    /// The Secret it logs in with.
    pub fn secret(&self) -> Option<&str> {
        self.credentials.as_ref().map(|credentials| credentials.secret_ref.name.as_str())
    }
}

/// How people log in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Auth {
    /// Whether connections from the host itself may log in without TLS.
    pub plaintext_on_loopback: bool,
}

/// Who is asked about DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// Addresses of name servers, as declared; empty for the system's.
    pub resolvers: Vec<String>,
}

/// How long outgoing mail is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Queue {
    /// Seconds until a message goes back to its sender.
    pub lifetime: u64,
    /// Seconds until its sender is told that it is late.
    pub delay_warning: u64,
    /// The port of other servers.
    pub remote_port: u16,
}

impl Queue {
    /// The row's part for a declared queue.
    pub(crate) fn of(queue: &declared::Queue) -> Self {
        Self {
            lifetime: queue.lifetime.as_secs(),
            delay_warning: queue.delay_warning.as_secs(),
            remote_port: queue.remote_port,
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::of(&declared::Queue::default())
    }
}

/// Where the mail of a mailbox goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forward {
    /// The addresses that get it, here or elsewhere.
    pub targets: Vec<String>,
    /// Whether the mailbox keeps it too.
    pub keep_copy: bool,
}

impl Forward {
    /// The row's part for a declared forward.
    pub(crate) fn of(forward: &mailwright_crds::mailbox::Forward) -> Self {
        Self {
            targets: forward.targets.iter().map(|target| target.as_str().to_owned()).collect(),
            keep_copy: forward.keep_copy,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{MailboxDeclared, ServerDeclared};
    use super::*;

    /// What the release before wrote.
    #[test]
    fn rows_without_these_fields_have_the_defaults() {
        let server: ServerDeclared = serde_json::from_value(json!({
            "name": "default/mail", "hostname": "mail.example.test", "listeners": {}, "tls": "selfSigned",
            "limits": {"messageSize": 1, "recipientsPerMessage": 1, "connections": 1, "connectionsPerAddress": 1},
        }))
        .unwrap();
        assert_eq!((server.relay, server.trusted_networks.len()), (None, 0));
        assert_eq!((server.auth, server.dns), (Auth::default(), Dns::default()));
        assert_eq!(server.queue, Queue { lifetime: 432_000, delay_warning: 14_400, remote_port: 25 });
        let mailbox: MailboxDeclared = serde_json::from_value(json!({
            "address": "alice@example.test", "displayName": null, "quota": null, "sendAs": [], "enabled": true,
            "deletionPolicy": "Disable", "retainFor": 1,
        }))
        .unwrap();
        assert_eq!(mailbox.forward, None);
    }

    #[test]
    fn fields_of_a_later_release_are_passed_over() {
        let relay: Relay = serde_json::from_value(json!({
            "host": "smtp.example.org", "port": 587, "tls": "StartTLS", "later": 1,
            "credentials": {"secretRef": {"name": "relay", "key": "x"}},
        }))
        .unwrap();
        assert_eq!((relay.secret(), relay.tls), (Some("relay"), RelayTls::StartTls));
    }
}
