//! Manifests that together state every field of each kind, defaults included.

use serde_json::{Value, json};

use crate::kind::{API_VERSION, Kind};

/// One manifest for each alternative of the one-of unions.
pub(super) fn full(kind: Kind) -> Vec<Value> {
    let specs = match kind {
        Kind::MailServer => {
            vec![mail_server(json!({"selfSigned": {}})), mail_server(json!({"secretName": "mail-tls"}))]
        }
        Kind::MailDomain => vec![mail_domain()],
        Kind::Mailbox => vec![
            mailbox(json!({"secretRef": {"name": "alice", "key": "password"}, "management": "Initial"})),
            mailbox(json!({"passwordHash": "$6$saltsalt$hash", "management": "Enforced"})),
        ],
        Kind::Alias => vec![
            alias("info@example.test", "Members"),
            alias("@example.test", "Anyone"),
            alias("staff@example.test", "Domain"),
        ],
    };
    let manifest = |spec: Value| json!({"apiVersion": API_VERSION, "kind": kind.as_str(), "metadata": {"name": "full"}, "spec": spec});
    specs.into_iter().map(manifest).collect()
}

fn mail_server(tls: Value) -> Value {
    json!({
        "hostname": "mail.example.test",
        "listeners": {
            "smtp": {"enabled": true, "port": 25}, "submission": {"enabled": true, "port": 587},
            "submissions": {"enabled": false, "port": 465}, "lmtp": {"enabled": true, "port": 24}, "imap": {"enabled": false, "port": 25},
            "imaps": {"enabled": true, "port": 993}, "http": {"enabled": true, "port": 8080},
        },
        "tls": tls,
        "limits": {"messageSize": "25Mi", "recipientsPerMessage": 100, "connections": 50, "connectionsPerAddress": 50},
        "relay": {
            "host": "smtp.example.org", "port": 465, "tls": "Implicit", "credentials": {"secretRef": {"name": "relay"}},
        },
        "trustedNetworks": ["192.0.2.0/24", "2001:db8::1"],
        "auth": {"plaintextOnLoopback": true},
        "dns": {"resolvers": ["192.0.2.53", "[2001:db8::53]:5353"]},
        "queue": {"lifetime": "48h", "delayWarning": "2h", "remotePort": 2525},
    })
}

fn mail_domain() -> Value {
    json!({
        "serverRef": {"name": "mail"},
        "domain": "example.test",
        "aliases": ["example.org", "xn--bcher-kva.example"],
        "parked": false,
        "catchAll": "office@example.test",
        "limits": {"mailboxes": 0, "aliases": 10_000_000, "defaultQuota": "1Gi", "maxQuota": "1024Mi"},
        "dkim": {"keys": ["Ed25519"]},
        "dmarc": {"policy": "Reject", "subdomainPolicy": "Quarantine", "rua": ["dmarc@example.test", "reports@example.org"]},
        "spf": {"include": ["_spf.example.org"], "ip4": ["192.0.2.1", "192.0.2.0/24"], "ip6": ["2001:db8::/32"], "all": "Fail"},
        "mtaSTS": {"mode": "Enforce", "maxAge": "8766h"},
        "tlsReporting": {"rua": ["tls@example.test"]},
        "caa": {"issuers": ["letsencrypt.org"]},
    })
}

fn mailbox(credentials: Value) -> Value {
    json!({
        "address": "alice@example.test",
        "displayName": "Alice",
        "credentials": credentials,
        "quota": "5Gi",
        "enabled": false,
        "sendAs": ["office@example.test"],
        "forward": {"targets": ["alice@example.org", "bob@example.test"], "keepCopy": false},
        "deletionPolicy": "Delete",
        "retainFor": "0s",
    })
}

fn alias(address: &str, senders: &str) -> Value {
    json!({"address": address, "targets": ["alice@example.test", "bob@example.test"], "senders": senders, "enabled": true})
}
