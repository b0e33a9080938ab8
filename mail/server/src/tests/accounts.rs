//! The accounts that tests begin with, and the changes that make them.

use base64::Engine;
use mailwright_store as store;
use mailwright_store::Store;
use sha2::Digest;

use super::PASSWORD;

/// Applies changes, all of which must succeed.
pub(crate) async fn apply(store: &Store, changes: Vec<store::Change>) {
    for result in store.accounts().apply(changes, None).await.unwrap() {
        result.unwrap();
    }
}

/// example.test with alice, bob, the full eve (one byte of quota), the disabled mallory, the alias team; example.org, an
/// alias of it; parked.test.
pub(crate) fn accounts() -> Vec<store::Change> {
    let mut changes = vec![
        store::Change::PutServer(store::ServerRow {
            name: "default/test".into(),
            settings: serde_json::json!({}),
            owner: None,
        }),
        store::Change::PutDomain(domain("example.test", vec!["example.org".into()], false)),
        store::Change::PutDomain(domain("parked.test", vec![], true)),
    ];
    for name in ["alice", "bob", "carol"] {
        changes.push(mailbox(&format!("{name}@example.test"), None, true));
    }
    changes.push(mailbox("eve@example.test", Some(1), true));
    changes.push(mailbox("mallory@example.test", None, false));
    changes.push(alias(
        "team@example.test",
        &["alice@example.test", "bob@example.test"],
        store::Senders::Anyone,
    ));
    changes.push(alias("staff@example.test", &["alice@example.test"], store::Senders::Domain));
    changes.push(alias("postmaster@example.test", &["alice@example.test"], store::Senders::Anyone));
    changes
}

pub(crate) fn domain(name: &str, aliases: Vec<String>, parked: bool) -> store::DomainRow {
    store::DomainRow {
        name: name.into(),
        server: "default/test".into(),
        aliases,
        parked,
        catch_all: None,
        settings: serde_json::json!({}),
        owner: None,
    }
}

/// A mailbox with [`PASSWORD`].
pub(crate) fn mailbox(address: &str, quota: Option<u64>, enabled: bool) -> store::Change {
    // A digest is quick to check; what a login costs is not what these tests are about.
    let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(PASSWORD));
    mailbox_row(address, quota, enabled, Some(format!("{{SHA256}}{digest}")))
}

/// A mailbox with a stored password of another kind, or none.
pub(crate) fn mailbox_with(address: &str, hash: Option<&str>) -> store::Change {
    mailbox_row(address, None, true, hash.map(str::to_owned))
}

fn mailbox_row(address: &str, quota: Option<u64>, enabled: bool, hash: Option<String>) -> store::Change {
    store::Change::PutMailbox {
        row: store::MailboxRow {
            address: address.into(),
            display_name: String::new(),
            quota,
            enabled,
            send_as: vec![],
            forward: vec![],
            keep_copy: true,
            deletion_policy: store::DeletionPolicy::Disable,
            retain_for_seconds: 3600,
            legal_hold: false,
            owner: None,
        },
        credential: hash.map(|hash| store::NewCredential {
            hash,
            scram: None,
            fingerprint: "test".into(),
            management: store::Management::Initial,
        }),
    }
}

pub(crate) fn alias(address: &str, targets: &[&str], senders: store::Senders) -> store::Change {
    store::Change::PutAlias(store::AliasRow {
        address: address.into(),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        senders,
        enabled: true,
        owner: None,
    })
}
