//! Manifests that together state every field of each kind, defaults included.

use serde_json::{Value, json};

use crate::kind::{API_VERSION, Kind};

/// One manifest for each alternative of the one-of unions.
pub(super) fn full(kind: Kind) -> Vec<Value> {
    let specs = match kind {
        Kind::MailServer => {
            let issuer = json!({"name": "ca", "kind": "ClusterIssuer", "group": "cert-manager.io"});
            vec![
                mail_server(json!({"selfSigned": {}})),
                mail_server(json!({"secretName": "mail-tls"})),
                mail_server(json!({"certManager": {"issuerRef": issuer}})),
            ]
        }
        Kind::MailDomain => vec![mail_domain()],
        Kind::Mailbox => vec![
            mailbox(json!({"secretRef": {"name": "alice", "key": "password"}, "management": "Initial"})),
            mailbox(json!({"passwordHash": "$6$saltsalt$hash", "management": "Enforced"})),
            mailbox(json!({"generate": {"secretName": "alice", "key": "pass"}, "management": "Initial"})),
        ],
        Kind::Alias => vec![
            alias("info@example.test", "Members"),
            alias("@example.test", "Anyone"),
            alias("staff@example.test", "Domain"),
        ],
        Kind::MailRepository => vec![
            mail_repository(json!({"branch": "main"}), "Range"),
            mail_repository(json!({"tag": "v1.2.0"}), "Tag"),
            mail_repository(json!({"semver": ">=1.2, <2"}), "TagAndHEAD"),
            mail_repository(json!({"commit": "0123456789abcdef0123456789abcdef01234567"}), "HEAD"),
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
        "tls": tls.clone(),
        "limits": {"messageSize": "25Mi", "recipientsPerMessage": 100, "connections": 50, "connectionsPerAddress": 50},
        "relay": {
            "host": "smtp.example.org", "port": 465, "tls": "Implicit", "credentials": {"secretRef": {"name": "relay"}},
        },
        "trustedNetworks": ["192.0.2.0/24", "2001:db8::1"],
        "auth": {"plaintextOnLoopback": true},
        "dns": {"resolvers": ["192.0.2.53", "[2001:db8::53]:5353"]},
        "queue": {"lifetime": "48h", "delayWarning": "2h", "remotePort": 2525},
        "allowedDomains": allowed_namespaces(),
        "database": {"sqlite": {"storage": {"size": "1Gi", "storageClassName": "fast"}}},
        "service": {
            "type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "annotations": {"team": "mail"},
            "loadBalancerClass": "example.org/internal",
            "nodePorts": {"smtp": 30025, "submission": 30587, "submissions": 30465, "imap": 30143, "imaps": 30993},
        },
        "template": template(),
        "networkPolicy": {"enabled": false},
        "policies": policies(tls.get("selfSigned").is_some()),
    })
}

/// One that says the message and one that makes it, each of them first once.
fn policies(swapped: bool) -> Value {
    let mut both = json!([
        {
            "name": "quota", "kinds": ["Mailbox"], "matchLabels": {"team": "contractors"}, "action": "Deny",
            "expression": "quantity(object.spec.quota) <= quantity('10Gi')", "message": "at most 10Gi",
        },
        {
            "name": "names", "kinds": ["Mailbox", "Alias", "MailDomain"], "action": "Warn",
            "matchLabels": {"team": "sales"}, "expression": "true", "messageExpression": "object.metadata.name + ' is wrong'",
        },
    ]);
    if swapped {
        both.as_array_mut().unwrap().reverse();
    }
    both
}

fn allowed_namespaces() -> Value {
    let expressions = json!([
        {"key": "example.org/tier", "operator": "NotIn", "values": ["test", ""]},
        {"key": "team", "operator": "Exists", "values": []},
    ]);
    json!({"from": "Selector", "selector": {"matchLabels": {"team": "mail"}, "matchExpressions": expressions}})
}

fn template() -> Value {
    let amounts = json!({"cpu": "500m", "memory": "1.5Gi", "ephemeral-storage": "2"});
    let preference =
        json!([{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}]);
    json!({
        "resources": {"requests": amounts, "limits": amounts},
        "nodeSelector": {"team": "mail"},
        "tolerations": [
            {"key": "mail", "operator": "Equal", "value": "only", "effect": "NoExecute", "tolerationSeconds": 60},
            {"operator": "Exists"},
        ],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": preference}},
        "topologySpreadConstraints": [
            {"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"},
        ],
        "priorityClassName": "mail",
        "labels": {"team": "mail"},
        "annotations": {"team": "the mail people"},
        "image": "registry.example.org:5000/mail/mailwright:1.2",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "registry"}],
        "terminationGracePeriodSeconds": 120,
    })
}

fn mail_domain() -> Value {
    json!({
        "serverRef": {"name": "mail", "namespace": "mail"},
        "domain": "example.test",
        "allowedMailboxes": allowed_namespaces(),
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

fn mail_repository(reference: Value, verify: &str) -> Value {
    let to_database = verify == "Range";
    let mut spec = json!({
        "url": "ssh://git@git.example.test/company/mail.git",
        "ref": reference,
        "path": "mail/accounts",
        "interval": "30s",
        "timeout": "10s",
        "secretRef": {"name": "git"},
        "proxySecretRef": {"name": "proxy"},
        "verify": {"mode": verify, "secretRef": {"name": "signers"}},
        "allowRewind": true,
        "decryption": {"provider": "SOPS", "secretRef": {"name": "age"}},
        "sink": if to_database { "Database" } else { "Resources" },
        "mode": "Plan",
        "prune": false,
        "driftPolicy": "Report",
        "adoption": "IfIdentical",
        "guards": {"maxRemoved": 0, "maxRemovedPercent": 100},
        "approval": "Always",
        "failurePolicy": "Atomic",
        "serviceAccountName": "mail-deployer",
        "webhook": {"provider": "Generic", "secretRef": {"name": "hook"}},
        "previews": {
            "provider": "Gitea", "refs": ["refs/pull/*/head"], "apiURL": "https://git.example.test/api/v1",
            "secretRef": {"name": "forge"}, "comment": true, "status": false,
        },
        "policies": policies(to_database),
        "suspend": true,
    });
    if to_database {
        spec["serverRef"] = json!({"name": "mail"});
    }
    spec
}
